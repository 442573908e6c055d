//! Causes of pods that do not run, and missing Secrets: more exact than the
//! status of their owners.
//!
//! Pure, like all judging.

use std::collections::BTreeSet;

use super::{Judgement, LiveState};
use crate::api::team_status::ComponentState;
use crate::api::{ObjectKey, Reason};
use crate::cluster::cache::state::PodTrouble;
use crate::plan::InstanceId;

/// The reason of a pod whose readiness probe fails.
const UNREADY: &str = "Unready";

/// Why one container of a pod does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The engine that the pod belongs to.
    pub engine: Option<String>,
    /// The word of Kubernetes for it.
    pub reason: String,
    /// The message of Kubernetes.
    pub message: String,
}

/// A Secret that a pod waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The namespace.
    pub namespace: String,
    /// The Secret.
    pub secret: String,
    /// The waiting engine, or else the pod.
    pub wanted_by: String,
}

/// The cause of an engine's pods that do not run: more exact than their owners' status.
pub(super) fn trouble(id: &InstanceId, live_state: &LiveState<'_>) -> Option<Judgement> {
    let trouble = live_state
        .troubles
        .iter()
        .find(|trouble| trouble.namespace == id.namespace && trouble.engine.as_ref() == Some(&id.engine))?;
    let reason = match trouble.reason.as_str() {
        "CreateContainerConfigError" if missing_secret(&trouble.message).is_some() => Reason::SecretMissing,
        "Unschedulable" => Reason::Unschedulable,
        "NodeLost" => Reason::NodeLost,
        _ => Reason::PodFailing,
    };
    let message = match missing_secret(&trouble.message) {
        Some(secret) if reason == Reason::SecretMissing => {
            format!(
                "Secret {secret} is missing in namespace {}. Create it; the pod then starts by itself",
                id.namespace
            )
        }
        _ if reason == Reason::NodeLost => node_lost(&trouble.pod, &trouble.message),
        _ if trouble.reason == UNREADY => format!("pod {} is not ready: {}", trouble.pod, trouble.message),
        _ => format!("{}: {}", trouble.reason, trouble.message),
    };
    Some((ComponentState::Progressing, reason, Some(message)))
}

/// The message for a pod whose node does not respond.
pub(super) fn node_lost(pod: &str, node: &str) -> String {
    format!(
        "node {node} does not respond, so the state of pod {pod} is unknown. Kubernetes replaces the pod after some \
         minutes if it can"
    )
}

/// The Secret that the kubelet did not find.
/// Source: kubelet 1.36, `secret "x" not found` in `CreateContainerConfigError`.
pub(super) fn missing_secret(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("secret \"")?;
    let (name, rest) = rest.split_once('"')?;
    rest.starts_with(" not found").then_some(name)
}

pub(super) fn missing(troubles: &[Trouble], waiting: &[Missing]) -> Vec<Missing> {
    let mut found: BTreeSet<Missing> = troubles
        .iter()
        .filter_map(|trouble| {
            Some(Missing {
                namespace: trouble.namespace.clone(),
                secret: missing_secret(&trouble.message)?.to_owned(),
                wanted_by: trouble.engine.clone().unwrap_or_else(|| trouble.pod.clone()),
            })
        })
        .collect();
    found.extend(waiting.iter().cloned());
    found.into_iter().collect()
}

/// The troubles of a pod, from what the cache keeps of it and what its probe said
/// last. The probe counts only while the pod is not ready.
#[must_use]
pub fn troubles(key: &ObjectKey, state: &PodTrouble, probe: Option<String>) -> Vec<Trouble> {
    let reported = state.troubles.iter().cloned();
    let probe = probe.filter(|_| state.unready).map(|message| (UNREADY.to_owned(), message));
    reported
        .chain(probe)
        .map(|(reason, message)| Trouble {
            namespace: key.namespace.clone().unwrap_or_default(),
            pod: key.name.clone(),
            engine: state.engine.clone(),
            reason,
            message,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(state: &PodTrouble, probe: Option<&str>) -> Option<(Reason, String)> {
        let troubles =
            troubles(&ObjectKey::new("", "Pod", Some("a--shared"), "p"), state, probe.map(ToOwned::to_owned));
        let live_state = LiveState { live: &|_| None, troubles, work: Vec::new(), waiting: Vec::new() };
        let id = InstanceId { namespace: "a--shared".into(), engine: "mlflow".into(), capability: None };
        trouble(&id, &live_state).map(|(_, reason, message)| (reason, message.unwrap_or_default()))
    }

    #[test]
    fn a_lost_node_is_reported() {
        let state = PodTrouble {
            troubles: vec![("NodeLost".into(), "n".into())],
            unready: false,
            engine: Some("mlflow".into()),
        };
        let (reason, message) = said(&state, None).unwrap();
        assert_eq!(reason, Reason::NodeLost);
        assert!(message.starts_with("node n does not respond, so the state of pod p is unknown"), "{message}");
    }

    #[test]
    fn a_probe_is_believed_while_its_pod_is_not_ready() {
        let state = |unready| PodTrouble { troubles: Vec::new(), unready, engine: Some("mlflow".into()) };
        let full = Some("the volume is full");
        assert_eq!(
            said(&state(true), full),
            Some((Reason::PodFailing, "pod p is not ready: the volume is full".into()))
        );
        assert_eq!(said(&state(true), None), None);
        assert_eq!(said(&state(false), full), None);
    }

    #[test]
    fn the_kubelet_is_understood() {
        assert_eq!(missing_secret("secret \"db\" not found"), Some("db"));
        assert_eq!(missing_secret("couldn't find key x in Secret a/db"), None);
    }
}
