//! Judges a work object by its pods and by its engine's verdict.
//!
//! Pure, like the judging of teams.

use crate::api::{Issue, Reason};
use crate::engine::Verdict;
use crate::plan::work::pod_state::Pod;

/// The cause of pods that do not run: more exact than their owners' status.
#[must_use]
pub fn trouble(pods: &[Pod]) -> Option<Issue> {
    if let Some((pod, node)) = pods.iter().find_map(|pod| Some((pod, pod.lost.as_deref()?))) {
        return Some(Issue::new(Reason::NodeLost, super::pods::node_lost(&pod.name, node)));
    }
    let waiting = pods.iter().filter(|pod| !pod.deleting).find_map(|pod| {
        let waits = pod.containers.iter().find_map(|container| container.waiting.as_ref());
        let (reason, message) = pod.unscheduled.as_ref().or(waits)?;
        Some((pod, reason.as_str(), message.as_str()))
    });
    let (pod, reason, message) = waiting?;
    Some(match (reason, super::missing_secret(message)) {
        ("CreateContainerConfigError", Some(secret)) => Issue::new(
            Reason::SecretMissing,
            format!("pod {} waits for Secret {secret}. Create it; the pod then starts by itself", pod.name),
        ),
        ("Unschedulable", _) => Issue::new(Reason::Unschedulable, format!("pod {}: {message}", pod.name)),
        _ => Issue::new(Reason::PodFailing, format!("pod {}: {reason}: {message}", pod.name)),
    })
}

/// The meaning of a verdict other than `Ready`.
#[must_use]
pub fn failure(verdict: &Verdict) -> Issue {
    match verdict {
        Verdict::Ready => Issue::new(Reason::Ready, "ready"),
        Verdict::Waiting { message } => Issue::new(Reason::Progressing, message.clone()),
        Verdict::Failing { reason, message } => Issue::new(super::known_reason(reason), message.clone()),
    }
}
