//! The verdict of the monitor of a model: its last run that ended.

use serde::Deserialize;

use super::Judged;
use crate::api::status::Finding;
use crate::api::work::ModelService;
use crate::api::work::model_service::{MONITOR_PASSING, Outcome, Verdict};
use crate::api::{Reason, text};
use crate::plan::work::pod_state::{Ended, Pod};

/// The longest recorded message.
const SAID: usize = 900;

/// The last verdict; none without a monitor, or before its first run ended.
#[must_use]
pub fn verdict(object: &ModelService, before: Option<&Verdict>, judged: &Judged<'_>) -> Option<Verdict> {
    object.spec.monitor.as_ref()?;
    let newest = pods(judged).max_by_key(|pod| pod.created.as_ref().map(|time| time.0));
    let (verdict, message, time) = if let Some(stuck) = newest.and_then(stuck) {
        (Outcome::Failed, Some(text::message(&stuck, SAID)), None)
    } else if let Some(ended) = ended(judged) {
        let (verdict, message) = read(&ended);
        (verdict, message, ended.finished)
    } else {
        return before.cloned();
    };
    let since = match before.filter(|before| before.verdict == verdict) {
        Some(before) => before.last_transition_time.clone(),
        None => None,
    };
    let since = since.or(time).unwrap_or_else(|| judged.now.clone());
    Some(Verdict { verdict, message, last_transition_time: Some(since) })
}

/// The verdict as a condition.
#[must_use]
pub fn finding(verdict: &Verdict) -> Finding {
    let said = verdict.message.clone();
    match verdict.verdict {
        Outcome::Ok => Finding::new(
            MONITOR_PASSING,
            true,
            Reason::Ready,
            said.unwrap_or_else(|| "the model behaves as expected".to_owned()),
        ),
        Outcome::Drift => {
            let message = said.map_or_else(String::new, |said| format!(": {said}"));
            Finding::new(
                MONITOR_PASSING,
                false,
                Reason::Drift,
                format!("the model drifts and is still serving{message}"),
            )
        }
        Outcome::Failed => {
            let message = said.unwrap_or_default();
            Finding::new(
                MONITOR_PASSING,
                false,
                Reason::MonitorFailed,
                format!("the monitor failed, so it is not known whether the model drifts: {message}"),
            )
        }
    }
}

/// The pods of the monitor. A CronJob names its Jobs after itself and the minute.
fn pods<'a>(judged: &Judged<'a>) -> impl Iterator<Item = &'a Pod> {
    let prefix = format!("service-{}-monitor-", judged.plan.id.name);
    let minute =
        move |owner: &str| owner.strip_prefix(&prefix).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
    judged.pods.iter().filter(move |pod| pod.owner_kind == "Job" && minute(&pod.owner))
}

/// How the last one that ended did.
fn ended(judged: &Judged<'_>) -> Option<Ended> {
    let ended = pods(judged).filter_map(|pod| pod.containers.iter().find(|one| !one.init)?.ended.clone());
    ended.max_by_key(|ended| ended.finished.as_ref().map(|time| time.0))
}

/// Why the pod cannot start: no other is started before it gives up.
fn stuck(pod: &Pod) -> Option<String> {
    let (reason, message) = pod.containers.iter().find_map(|one| one.waiting.as_ref())?;
    let starts = matches!(reason.as_str(), "ContainerCreating" | "PodInitializing" | "");
    (!starts).then(|| format!("pod {} of the monitor does not start: {reason}: {message}", pod.name))
}

/// The termination message of a monitor.
#[derive(Deserialize)]
struct Said {
    verdict: String,
    message: Option<String>,
}

/// Whatever is no verdict is a monitor that failed, never drift.
fn read(ended: &Ended) -> (Outcome, Option<String>) {
    let said: Option<Said> = serde_json::from_str(&ended.message).ok();
    let bounded = |message: String| text::message(&message, SAID);
    match said.as_ref().map(|said| said.verdict.as_str()).filter(|_| ended.exit_code == 0) {
        Some("ok") => (Outcome::Ok, said.and_then(|said| said.message).map(bounded)),
        Some("drift") => (Outcome::Drift, said.and_then(|said| said.message).map(bounded)),
        _ => {
            // Other output may contain data of customers: it is only in the log.
            let message = format!(
                "the pod of the monitor ended with {} and exit code {} and without a verdict. See its log",
                ended.reason, ended.exit_code
            );
            (Outcome::Failed, Some(bounded(message)))
        }
    }
}
