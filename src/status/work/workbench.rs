//! The status of a `Workbench`.

use super::Judged;
use crate::api::labels::{STARTED_AT, STOPPED_AT};
use crate::api::reason::Class;
use crate::api::work::Workbench;
use crate::api::work::workbench::{WorkbenchState, WorkbenchStatus};
use crate::api::{Issue, Reason};
use crate::plan::volume::difference;
use crate::plan::work::Detail;
use crate::plan::work::decision::recorded;
use crate::plan::work::pod_state::{Container, Pod};
use crate::plan::work::workbench::{WorkbenchDetail, runs_as_before};

/// The port of the server, which its owner forwards.
const PORT: u16 = 8888;

/// The status of a `Workbench`.
#[must_use]
pub fn status(object: &Workbench, judged: &Judged<'_>) -> WorkbenchStatus {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let Detail::Workbench(detail) = &judged.plan.draft.detail else {
        // It is held: only the reason, the state of its pod and the deciding event are new.
        let ready = judged.trouble().map_or_else(|| Ok((Reason::Ready, "ready".to_owned())), Err);
        return WorkbenchStatus {
            observed_generation: Some(generation),
            conditions: judged.conditions(&before.conditions, generation, &ready, Vec::new()),
            state: Some(state(None, judged.pods)),
            engine: judged.engine(),
            ..recorded(object, judged.now)
        };
    };
    let home = (judged.live)("PersistentVolumeClaim", &detail.claim);
    let there = home.is_some();
    let size = home.and_then(|home| {
        difference("spec.storage", &object.spec.storage.text(), &detail.claim, &home, judged.ungrown.as_deref())
    });
    let size = size.map(|advice| format!("; {advice}")).unwrap_or_default();
    let ready = ready(detail, there, judged).map(|(reason, message)| (reason, format!("{message}{size}")));
    WorkbenchStatus {
        observed_generation: Some(generation),
        conditions: judged.conditions(&before.conditions, generation, &ready, Vec::new()),
        state: Some(state(Some(detail.wanted), judged.pods)),
        enter: detail.wanted.then(|| enter(judged)),
        image: Some(detail.image.clone()).filter(|image| !image.is_empty()),
        claim: there.then(|| detail.claim.clone()),
        pending: pending(detail, judged),
        decision: detail.decision.clone(),
        observed_desired_state: object.spec.desired_state,
        owner_membership: detail.owner,
        owner_left_time: detail.owner_left.clone(),
        engine: judged.engine(),
    }
}

/// The readiness, and what does not count for it.
fn ready(detail: &WorkbenchDetail, has_home: bool, judged: &Judged<'_>) -> Result<(Reason, String), Issue> {
    let with_ignored =
        |message: String| std::iter::once(message).chain(detail.ignored.iter().cloned()).collect::<Vec<_>>().join(". ");
    match is_as_wanted(detail, has_home, judged) {
        Ok((reason, message)) => Ok((reason, with_ignored(message))),
        Err(issue) => Err(Issue { message: with_ignored(issue.message.clone()), ..issue }),
    }
}

/// The readiness: running or stopped as wanted, or the reason why not.
fn is_as_wanted(detail: &WorkbenchDetail, has_home: bool, judged: &Judged<'_>) -> Result<(Reason, String), Issue> {
    if let Some(down) = &detail.down
        && down.reason.class() == Class::Invalid
    {
        return Err(down.clone());
    }
    if let Some(failure) = &judged.failure {
        return Err(failure.clone());
    }
    if detail.wanted {
        // A set that was not scaled up yet has all the pods that it is to have.
        let up = judged.pods.iter().any(|pod| pod.ready && !pod.deleting);
        let trouble = judged.trouble();
        let trouble = trouble.or_else(|| (!up).then(|| Issue::new(Reason::Progressing, "the server is starting")));
        return match trouble {
            None => Ok((Reason::Ready, with_advice("the server is running", detail))),
            Some(trouble) => Err(last_words(judged.pods).unwrap_or(trouble)),
        };
    }
    if !judged.pods.is_empty() {
        return Err(Issue::new(Reason::Progressing, "the server is being stopped"));
    }
    match &detail.down {
        Some(down) if down.reason.class() == Class::Fine => Ok((down.reason, down.message.clone())),
        Some(down) => Err(down.clone()),
        None => {
            let home = if has_home { "; the home volume is kept" } else { "" };
            Ok((Reason::Stopped, with_advice(&format!("the server is stopped by spec.desiredState{home}"), detail)))
        }
    }
}

fn with_advice(message: &str, detail: &WorkbenchDetail) -> String {
    detail.advice.as_ref().map_or_else(|| message.to_owned(), |advice| format!("{message}. {advice}"))
}

/// The last message of a failing server, which says more than the number of restarts.
fn last_words(pods: &[Pod]) -> Option<Issue> {
    let pod = pods.iter().find(|pod| !pod.deleting)?;
    let last = |container: &Container| container.ended.clone().or(container.before.clone());
    // One that is up again may be on its way to being ready.
    let down = pod.containers.iter().filter(|container| container.running.is_none());
    let ended = down.filter_map(last).find(|ended| ended.exit_code != 0 && !ended.message.trim().is_empty())?;
    Some(Issue::new(Reason::PodFailing, format!("pod {}: {}", pod.name, ended.message.trim())))
}

/// The state; `wanted` is not known of one that is held.
fn state(wanted: Option<bool>, pods: &[Pod]) -> WorkbenchState {
    match pods.iter().find(|pod| !pod.deleting) {
        Some(_) if wanted == Some(false) => WorkbenchState::Stopping,
        Some(pod) if pod.ready => WorkbenchState::Running,
        Some(_) => WorkbenchState::Starting,
        None if !pods.is_empty() => WorkbenchState::Stopping,
        None if wanted == Some(true) => WorkbenchState::Starting,
        None => WorkbenchState::Stopped,
    }
}

/// The engine's endpoint; a server on loopback is forwarded.
fn enter(judged: &Judged<'_>) -> String {
    let plan = judged.plan;
    let endpoint = plan.engine.as_ref().zip(plan.inputs.as_ref());
    let endpoint = endpoint.and_then(|(engine, inputs)| engine.endpoint(&inputs.to_value()).ok().flatten());
    endpoint.unwrap_or_else(|| {
        format!("kubectl port-forward --namespace {} pod/workbench-{}-0 {PORT}", plan.id.namespace, plan.id.name)
    })
}

/// The message for changes that wait for a restart: a running server is not disturbed.
fn pending(detail: &WorkbenchDetail, judged: &Judged<'_>) -> Option<String> {
    let live = (judged.live)("StatefulSet", &format!("workbench-{}", judged.plan.id.name))?;
    let older = detail.wanted && runs_as_before(&live);
    older.then(|| {
        format!(
            "restart pending: the settings changed since the server started. A restart ends running kernels: write \
             the annotation {STOPPED_AT} with the current time, wait until the server is stopped, and write \
             {STARTED_AT} likewise"
        )
    })
}

#[cfg(test)]
#[path = "workbench_tests.rs"]
mod tests;
