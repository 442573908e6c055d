//! The decision whether the server of a workbench should run: the newest of the events
//! that ask for one or the other.
//!
//! Events are compared by their times, in whole seconds. The status keeps the newest one,
//! so that neither a removed annotation nor a pod that is gone changes anything.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::pod_state::Pod;
use crate::api::labels::{STARTED_AT, STOPPED_AT};
use crate::api::work::Workbench;
use crate::api::work::workbench::{Cause, Decision, DesiredState, WorkbenchState, WorkbenchStatus};
use crate::api::{Reason, status};

/// The decision, and what does not count for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The newest event.
    pub newest: Decision,
    /// Why annotations do not count, for a person.
    pub ignored: Vec<String>,
    /// The time at which an annotation that lies in the future counts.
    pub due: Option<Time>,
}

impl Decided {
    /// Whether the server should run.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.newest.state == DesiredState::Running
    }
}

/// The decision on this workbench with these pods.
#[must_use]
pub fn decide(workbench: &Workbench, pods: &[Pod], now: &Time) -> Decided {
    let (mut ignored, mut due) = (Vec::new(), None);
    let mut events = vec![of_status_or_spec(workbench, now)];
    events.extend(pods.iter().filter_map(|pod| idle_end(pod, now)));
    for (key, state) in [(STARTED_AT, DesiredState::Running), (STOPPED_AT, DesiredState::Stopped)] {
        match read(workbench, key, now) {
            None => {}
            Some(Written::At(time)) => {
                events.push(Decision { state, cause: Cause::Annotation, last_transition_time: time });
            }
            Some(Written::Future(time, text)) => {
                ignored.push(not_yet(workbench, key, &text));
                due = [due, Some(time)].into_iter().flatten().min();
            }
            Some(Written::NoTime(text)) => ignored.push(no_time(workbench, key, &text)),
        }
    }
    let (first, rest) = (events.swap_remove(0), events);
    let newest =
        rest.into_iter().fold(first, |newest, event| if order(&event) > order(&newest) { event } else { newest });
    Decided { newest, ignored, due: due.map(Time) }
}

/// The status of a workbench for which nothing else can be decided: a change of its spec and
/// its annotations are recorded when they are observed, so that a later hold does not move
/// their times. An idle end is left until the server may be stopped.
#[must_use]
pub fn recorded(workbench: &Workbench, now: &Time) -> WorkbenchStatus {
    WorkbenchStatus {
        decision: Some(decide(workbench, &[], now).newest),
        observed_desired_state: workbench.spec.desired_state,
        ..workbench.status.clone().unwrap_or_default()
    }
}

/// The time at which somebody last started the server by its annotation.
#[must_use]
pub fn started(workbench: &Workbench, now: &Time) -> Option<Time> {
    match read(workbench, STARTED_AT, now) {
        Some(Written::At(time)) => Some(time),
        _ => None,
    }
}

/// The command that starts the server.
#[must_use]
pub fn command(workbench: &Workbench, key: &str) -> String {
    let (name, namespace) = (workbench.metadata.name.as_deref(), workbench.metadata.namespace.as_deref());
    format!(
        "kubectl annotate --overwrite workbench {} --namespace {} {key}=$(date -u +%FT%TZ)",
        name.unwrap_or_default(),
        namespace.unwrap_or_default()
    )
}

/// The order of events. Of two in the same second, what the spec says outweighs an
/// annotation, and that an idle end.
fn order(event: &Decision) -> (i64, u8) {
    let weight = match (event.cause, event.state) {
        (Cause::Spec, _) => 4,
        (Cause::Annotation, DesiredState::Stopped) => 3,
        (Cause::Annotation, DesiredState::Running) => 2,
        (Cause::Idle, _) => 1,
        (Cause::Upgrade, _) => 0,
    };
    (event.last_transition_time.0.as_second(), weight)
}

/// The recorded event, unless the spec changed since.
fn of_status_or_spec(workbench: &Workbench, now: &Time) -> Decision {
    let (asked, status) = (workbench.spec.desired_state, workbench.status.as_ref());
    let of_spec =
        |time: Time| Decision { state: asked.unwrap_or_default(), cause: Cause::Spec, last_transition_time: time };
    let Some(recorded) = status.and_then(|status| status.decision.clone()) else {
        let created = workbench.metadata.creation_timestamp.clone().unwrap_or_else(|| now.clone());
        let stopped = status.filter(|status| asked.is_none() && was_down(status)).map(|status| Decision {
            state: DesiredState::Stopped,
            cause: Cause::Upgrade,
            last_transition_time: since(status).unwrap_or_else(|| created.clone()),
        });
        return stopped.unwrap_or_else(|| of_spec(created));
    };
    if status.is_some_and(|status| status.observed_desired_state == asked) { recorded } else { of_spec(now.clone()) }
}

/// Whether an operator that knew no `desiredState` had stopped the server because its
/// Workbench said so, or because it was idle. Of one in a retained project that is not
/// known: it stays stopped.
fn was_down(status: &WorkbenchStatus) -> bool {
    let down = matches!(status.state, Some(WorkbenchState::Stopped | WorkbenchState::Stopping));
    let reasons = [Reason::Stopped, Reason::Idle, Reason::Progressing, Reason::Retained];
    // What was never written has no image in its status.
    down && status.image.is_some() && reasons.into_iter().any(|reason| has_reason(status, reason))
}

/// Whether `Ready` has this reason.
pub(super) fn has_reason(status: &WorkbenchStatus, reason: Reason) -> bool {
    status.conditions.iter().any(|known| known.type_ == status::READY && known.reason == reason.name())
}

/// The time of the last change of `Ready`.
pub(super) fn since(status: &WorkbenchStatus) -> Option<Time> {
    let ready = status.conditions.iter().find(|known| known.type_ == status::READY)?;
    Some(ready.last_transition_time.clone())
}

/// The end of a server that stopped itself because it was idle. The kubelet starts it
/// again at once, so the end before counts as well.
fn idle_end(pod: &Pod, now: &Time) -> Option<Decision> {
    let idle =
        |message: &str| serde_json::from_str::<serde_json::Value>(message).is_ok_and(|said| said["ended"] == "idle");
    let own = pod.containers.iter().filter(|container| !container.init && !pod.deleting);
    let ends = own.filter_map(|container| container.ended.as_ref().or(container.before.as_ref()));
    let end = ends.into_iter().find(|ended| ended.exit_code == 0 && idle(&ended.message))?;
    let time = end.finished.clone().filter(|finished| *finished < *now).unwrap_or_else(|| now.clone());
    Some(Decision { state: DesiredState::Stopped, cause: Cause::Idle, last_transition_time: time })
}

/// An annotation with a time.
enum Written {
    At(Time),
    Future(Timestamp, String),
    NoTime(String),
}

fn read(workbench: &Workbench, key: &str, now: &Time) -> Option<Written> {
    let text = workbench.metadata.annotations.as_ref()?.get(key)?;
    Some(match text.trim().parse::<Timestamp>() {
        Ok(time) if time.as_second() <= now.0.as_second() => Written::At(Time(time)),
        Ok(time) => Written::Future(time, text.clone()),
        Err(_) => Written::NoTime(text.clone()),
    })
}

fn not_yet(workbench: &Workbench, key: &str, text: &str) -> String {
    format!(
        "annotation {key} is {}, which is in the future, so it does not count yet. Write the current time: {}",
        crate::api::text::message(text, 64),
        command(workbench, key)
    )
}

fn no_time(workbench: &Workbench, key: &str, text: &str) -> String {
    format!(
        "annotation {key} is '{}', which is not a time such as 2026-11-24T08:00:00Z, so it does not count. Write the \
         current time: {}",
        crate::api::text::message(text, 64),
        command(workbench, key)
    )
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
