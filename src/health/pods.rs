//! Why pods do not run, and which Secrets they wait for: more exact than what
//! their owners say.
//!
//! Pure, like all judging.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Judgement, Seen};
use crate::api::Reason;
use crate::api::team_status::ComponentState;
use crate::plan::InstanceId;
use crate::watch::Key;

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
    /// What Kubernetes says.
    pub message: String,
}

/// A Secret that a pod waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The namespace.
    pub namespace: String,
    /// The Secret.
    pub secret: String,
    /// What waits for it: an engine, or else the pod.
    pub wanted_by: String,
}

/// Why the engine's pods do not run: more exact than what their owners say.
pub(super) fn trouble(id: &InstanceId, seen: &Seen<'_>) -> Option<Judgement> {
    let trouble = seen
        .troubles
        .iter()
        .find(|trouble| trouble.namespace == id.namespace && trouble.engine.as_ref() == Some(&id.engine))?;
    let reason = match trouble.reason.as_str() {
        "CreateContainerConfigError" if missing_secret(&trouble.message).is_some() => Reason::SecretMissing,
        "Unschedulable" => Reason::Unschedulable,
        _ => Reason::PodFailing,
    };
    let message = match missing_secret(&trouble.message) {
        Some(secret) if reason == Reason::SecretMissing => {
            format!("Secret {secret} is missing in namespace {}: create it, and the pod starts by itself", id.namespace)
        }
        _ => format!("{}: {}", trouble.reason, trouble.message),
    };
    Some((ComponentState::Progressing, reason, Some(message)))
}

/// The Secret that the kubelet says it did not find.
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

/// The troubles of a pod, from what the mirror keeps of it.
#[must_use]
pub fn troubles(key: &Key, state: &Value) -> Vec<Trouble> {
    let all = state["troubles"].as_array().cloned().unwrap_or_default();
    all.iter()
        .map(|trouble| Trouble {
            namespace: key.namespace.clone().unwrap_or_default(),
            pod: key.name.clone(),
            engine: state["engine"].as_str().map(str::to_owned),
            reason: text(&trouble["reason"]),
            message: text(&trouble["message"]),
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelet_is_understood() {
        assert_eq!(missing_secret("secret \"db\" not found"), Some("db"));
        assert_eq!(missing_secret("couldn't find key x in Secret a/db"), None);
    }
}
