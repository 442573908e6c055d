//! The little of an object's state that judging needs.
//!
//! Pure. Most objects are policy and need none: at 100,000 objects neither whole
//! objects in memory nor their metadata alone would do.

use serde_json::{Map, Value, json};

use super::compact::text;
use super::container::{containers, lost_node};
use super::pod;
use super::text::Text;
use super::values::digest;
use crate::api::identity::team_of;
use crate::api::labels;
use crate::api::quantity::Amount;
use crate::api::work::WorkKind;
use crate::cluster::key::ObjectKey;
use crate::plan::budget::is_count;

/// The state of one object, and a number that changes when somebody should look.
///
/// It is looked at now and then, and kept for as long as the object is there: as
/// text it takes a fifth of what it takes as a value.
#[derive(Clone, Debug, Default)]
pub struct CachedState {
    state: Option<Text>,
    wakes: u64,
}

impl CachedState {
    /// The state; null where none is kept.
    #[must_use]
    pub fn state(&self) -> Value {
        // It was written from a value, so it can be read as one.
        self.state.as_ref().and_then(|text| serde_json::from_str(&text.read()).ok()).unwrap_or_default()
    }

    /// Whether the other view triggers no pass.
    #[must_use]
    pub fn wakes_as(&self, other: &Self) -> bool {
        self.wakes == other.wakes
    }

    /// The view of this state, and of this number that changes when somebody should look.
    pub(super) const fn from_parts(state: Option<Text>, wakes: u64) -> Self {
        Self { state, wakes }
    }

    /// The arguments of [`CachedState::from_parts`].
    pub(super) fn into_parts(self) -> (Option<Text>, u64) {
        (self.state, self.wakes)
    }

    /// The number that changes with each trigger of a pass.
    pub(super) const fn wakes(&self) -> u64 {
        self.wakes
    }

    fn new(state: &Value) -> Self {
        Self { state: Some(text(state)), wakes: digest(state) }
    }
}

/// The view of an object; nothing at all if the object does not matter.
#[must_use]
pub fn of(key: &ObjectKey, object: &Value) -> Option<CachedState> {
    let metadata = &object["metadata"];
    let view = match key.kind.as_str() {
        "Namespace" => CachedState::new(&json!({
            "phase": object["status"]["phase"],
            "remaining": remaining(&object["status"]["conditions"]),
            "since": metadata["deletionTimestamp"],
            "held": held(object),
            "annotations": ours(&metadata["annotations"]),
            "layer": metadata["labels"][labels::LAYER],
            "project": metadata["labels"][labels::PROJECT],
            "strayed": has_strayed(&key.name, &metadata["labels"]).then_some(true),
            "podSecurity": metadata["labels"]["pod-security.kubernetes.io/enforce"],
        })),
        "ResourceQuota" => quota(&object["status"]),
        "RoleBinding" | "ClusterRoleBinding" => CachedState::new(&json!({
            "subjects": object["subjects"], "roleRef": object["roleRef"], "annotations": ours(&metadata["annotations"]),
        })),
        "ConfigMap" if key.name == labels::RECORD => CachedState::new(&object["data"]),
        "Pod" if is_daily(metadata) => CachedState::new(&pod::seen(object)),
        "Pod" => CachedState::new(&pod_trouble(object)?),
        // It only says whose pods are, and of a team's own services nobody asks that.
        "ReplicaSet" => is_daily(metadata).then(CachedState::default)?,
        _ if metadata["labels"][labels::ENGINE].is_string() => CachedState::new(&judged(object)),
        _ => CachedState::default(),
    };
    Some(view)
}

/// Whether it was written for a work object, by its label.
fn is_daily(metadata: &Value) -> bool {
    WorkKind::ALL.iter().any(|kind| metadata["labels"][kind.label()].is_string())
}

/// Whether the team label differs from the team in its name.
fn has_strayed(name: &str, labels: &Value) -> bool {
    labels[labels::TEAM].as_str() != team_of(name)
}

/// The cause of a namespace's unfinished deletion, in the words of Kubernetes.
fn remaining(conditions: &Value) -> Value {
    let waiting = ["NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure"];
    let all = conditions.as_array().into_iter().flatten();
    all.filter(|condition| condition["status"] == "True" && waiting.iter().any(|type_| condition["type"] == *type_))
        .map(|condition| condition["message"].clone())
        .collect()
}

/// The finalizers of a namespace that is being deleted, without Kubernetes' own.
fn held(namespace: &Value) -> Value {
    if namespace["metadata"]["deletionTimestamp"].is_null() {
        return Value::Null;
    }
    let all = ["metadata", "spec"].into_iter().filter_map(|part| namespace[part]["finalizers"].as_array());
    all.flatten().filter(|finalizer| **finalizer != "kubernetes").cloned().collect()
}

fn ours(annotations: &Value) -> Value {
    let all = annotations.as_object().into_iter().flatten();
    all.filter(|(name, _)| name.starts_with("strata-operator.dev/"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}

/// Usage changes with every pod; it is reported only at a mark.
fn quota(status: &Value) -> CachedState {
    let state = json!({"hard": status["hard"], "used": status["used"]});
    let marks: Vec<_> = status["hard"]
        .as_object()
        .into_iter()
        .flatten()
        // A count that begins to be told wakes: the quota controller has learnt of the kind.
        .map(|(resource, hard)| {
            let told = !is_count(resource) || status["used"][resource].is_string();
            (resource.clone(), mark(&status["used"][resource], hard), told)
        })
        .collect();
    CachedState { wakes: digest(&json!(marks)), state: Some(text(&state)) }
}

/// How much of a quota is in use, in steps worth telling: 0, 50, 80, 100, or
/// 101 for more than is granted.
#[must_use]
pub fn mark(used: &Value, hard: &Value) -> u8 {
    let amount =
        |value: &Value| value.as_str().and_then(|text| Amount::parse(text).ok()).map_or(0, Amount::thousandths);
    let (used, hard) = (amount(used), amount(hard));
    match used {
        _ if used > hard => 101,
        0 => 0,
        _ if used == hard => 100,
        _ if used * 100 >= hard * 80 => 80,
        _ if used * 100 >= hard * 50 => 50,
        _ => 0,
    }
}

/// An engine's object, without what changes all the time and judges nothing.
fn judged(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut kept = object.clone();
    if let Some(map) = kept.as_object_mut() {
        map.insert(
            "metadata".to_owned(),
            json!({
                "name": metadata["name"], "namespace": metadata["namespace"], "generation": metadata["generation"],
                "labels": metadata["labels"], "deletionTimestamp": metadata["deletionTimestamp"],
                "annotations": ours(&metadata["annotations"]), "creationTimestamp": metadata["creationTimestamp"],
                "uid": metadata["uid"],
            }),
        );
    }
    if let Some(status) = kept.get_mut("status").and_then(Value::as_object_mut) {
        // What an autoscaler measures changes several times a minute.
        status.remove("currentMetrics");
        status.remove("lastScaleTime");
    }
    for condition in kept.pointer_mut("/status/conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(condition) = condition.as_object_mut() {
            for time in ["lastUpdateTime", "lastProbeTime", "lastHeartbeatTime", "lastTransitionTime"] {
                condition.remove(time);
            }
        }
    }
    kept
}

/// Why a pod does not run, or that it runs and is not ready; nothing if it is, or
/// only just started.
fn pod_trouble(pod: &Value) -> Option<Value> {
    let lost = lost_node(pod).map(|node| ("NodeLost".to_owned(), node));
    let told = containers(pod).filter_map(|(_, container)| {
        container.waiting().or_else(|| container.ended().filter(|_| container.recovers()))
    });
    let unscheduled = pod["status"]["conditions"].as_array().into_iter().flatten();
    let unscheduled = unscheduled
        .filter(|condition| condition["type"] == "PodScheduled" && condition["status"] == "False")
        .map(|condition| {
            [&condition["reason"], &condition["message"]].map(|text| text.as_str().unwrap_or_default().to_owned())
        })
        .map(|[reason, message]| (reason, message));
    let troubles: Vec<Value> = lost
        .into_iter()
        .chain(told)
        .chain(unscheduled)
        .map(|(reason, message)| json!({"reason": reason, "message": message}))
        .collect();
    let unready = containers(pod).any(|(init, container)| !init && container.is_unready());
    let engine = &pod["metadata"]["labels"][labels::ENGINE];
    (unready || !troubles.is_empty()).then(|| json!({"troubles": troubles, "unready": unready, "engine": engine}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_matters_only_while_it_is_in_trouble() {
        let key = ObjectKey::new("", "Pod", Some("a--b"), "p");
        let spec = json!({"containers": [{"name": "c"}]});
        let live = |live: Value| json!({"metadata": {}, "spec": spec, "status": {"containerStatuses": [live]}});
        let runs = |started: bool, ready: bool| {
            let live = live(json!({"name": "c", "started": started, "ready": ready, "state": {"running": {}}}));
            of(&key, &live).map(|view| view.state()["unready"] == true)
        };
        assert_eq!((runs(true, true), runs(false, false), runs(true, false)), (None, None, Some(true)));
        let stuck = live(json!({"name": "c",
            "state": {"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"x\" not found"}}}));
        let view = of(&key, &stuck).unwrap();
        assert_eq!(view.state()["troubles"][0]["reason"], "CreateContainerConfigError");
    }

    #[test]
    fn a_pod_that_ended_badly_stays_in_trouble_until_it_is_ready() {
        let key = ObjectKey::new("", "Pod", Some("a--b"), "p");
        let killed = json!({"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-01T00:00:00Z"});
        let later = json!({"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-01T00:01:00Z"});
        let pod = |ready: bool, state: Value, last: &Value| {
            let live = json!({"name": "c", "ready": ready, "state": state, "lastState": {"terminated": last}});
            json!({"metadata": {}, "spec": {"containers": [{"name": "c"}]}, "status": {"containerStatuses": [live]}})
        };
        let waits = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
        let states = [
            pod(false, json!({"terminated": killed}), &Value::Null),
            pod(false, waits, &killed),
            pod(false, json!({"running": {}}), &later),
        ];
        let views: Vec<CachedState> = states.iter().map(|pod| of(&key, pod).unwrap()).collect();
        assert_eq!(views[0].state()["troubles"][0]["reason"], "OOMKilled");
        // Being tried again is no news.
        assert!(views[0].wakes_as(&views[1]) && views[1].wakes_as(&views[2]));
        assert!(of(&key, &pod(true, json!({"running": {}}), &killed)).is_none());
    }

    #[test]
    fn usage_wakes_only_at_a_mark() {
        let key = ObjectKey::new("", "ResourceQuota", Some("a--b"), "strata-quota");
        let at = |used: &str| {
            of(&key, &json!({"metadata": {}, "status": {"hard": {"cpu": "10"}, "used": {"cpu": used}}})).unwrap()
        };
        assert!(at("1").wakes_as(&at("2")));
        assert!(!at("2").wakes_as(&at("5")));
        assert!(!at("10").wakes_as(&at("11")));
        // That a count is told at all wakes: it may stand in the other quotas then.
        let count = |used: Value| {
            let hard = json!({"cpu": "10", "count/runs.strata-operator.dev": "5"});
            of(&key, &json!({"metadata": {}, "status": {"hard": hard, "used": used}})).unwrap()
        };
        let silent = count(json!({"cpu": "1"}));
        assert!(silent.wakes_as(&count(json!({"cpu": "2"}))));
        assert!(!silent.wakes_as(&count(json!({"cpu": "1", "count/runs.strata-operator.dev": "0"}))));
    }
}
