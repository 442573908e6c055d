//! Reduces an object to the small part of its state that judging needs.
//!
//! Pure. Most objects are policies and have no state here: with 100,000 objects, neither
//! whole objects nor all their metadata fit into memory.

use k8s_openapi::api::rbac::v1::Subject;
use serde_json::{Value, json};

use super::container::{containers, lost_node};
use super::pod;
use super::state::{BindingState, CachedState, NamespaceState, PodTrouble, QuotaState, StoredState, Workload};
use super::values::{ours, text, texts, time};
use crate::api::Layer;
use crate::api::ObjectKey;
use crate::api::engine::PodSecurity;
use crate::api::identity::team_of;
use crate::api::labels;
use crate::api::work::WorkKind;
use crate::plan::budget::is_count;

/// The state of an object; nothing at all if the object does not matter.
#[must_use]
pub fn of(key: &ObjectKey, object: &Value) -> Option<StoredState> {
    let metadata = &object["metadata"];
    let state = match key.built_in() {
        "Namespace" => CachedState::Namespace(namespace(key, object)),
        "ResourceQuota" => return Some(quota(&object["status"])),
        "RoleBinding" | "ClusterRoleBinding" => CachedState::Binding(binding(object)),
        "ConfigMap" if key.name == labels::RECORD => CachedState::Record(texts(&object["data"])),
        "Pod" if is_of_work(metadata) => CachedState::WorkPod(pod::reduce(object)),
        "Pod" => CachedState::Pod(pod_trouble(object)?),
        // It only says whose pods are, and of a team's own services nobody asks that.
        "ReplicaSet" => return is_of_work(metadata).then(StoredState::default),
        _ if metadata["labels"][labels::ENGINE].is_string() => CachedState::Workload(Workload(judged(object))),
        _ => return Some(StoredState::default()),
    };
    Some(StoredState::new(&state))
}

/// Whether it was written for a work object, by its label.
fn is_of_work(metadata: &Value) -> bool {
    WorkKind::ALL.iter().any(|kind| metadata["labels"][kind.label()].is_string())
}

fn namespace(key: &ObjectKey, object: &Value) -> NamespaceState {
    let (metadata, labels) = (&object["metadata"], &object["metadata"]["labels"]);
    let pod_security = labels["pod-security.kubernetes.io/enforce"].as_str();
    NamespaceState {
        remaining: remaining(&object["status"]["conditions"]),
        deleted: time(&metadata["deletionTimestamp"]),
        finalizers: finalizers(object),
        annotations: ours(&metadata["annotations"]),
        layer: Layer::ALL.iter().copied().find(|layer| labels[labels::LAYER] == layer.name()),
        project: labels[labels::PROJECT].as_str().map(str::to_owned),
        strayed: has_strayed(&key.name, labels),
        pod_security: [PodSecurity::Restricted, PodSecurity::Baseline, PodSecurity::Privileged]
            .into_iter()
            .find(|level| pod_security == Some(level.label())),
    }
}

/// Whether its team label differs from the team in its name.
fn has_strayed(name: &str, labels: &Value) -> bool {
    labels[labels::TEAM].as_str() != team_of(name)
}

/// What a namespace that is being deleted waits for, in the words of Kubernetes.
fn remaining(conditions: &Value) -> Vec<String> {
    let waiting = ["NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure"];
    let all = conditions.as_array().into_iter().flatten();
    all.filter(|condition| condition["status"] == "True" && waiting.iter().any(|type_| condition["type"] == *type_))
        .map(|condition| text(&condition["message"]))
        .collect()
}

/// The finalizers of a namespace that is being deleted, without Kubernetes' own.
fn finalizers(namespace: &Value) -> Vec<String> {
    if namespace["metadata"]["deletionTimestamp"].is_null() {
        return Vec::new();
    }
    let all = ["metadata", "spec"].into_iter().filter_map(|part| namespace[part]["finalizers"].as_array());
    all.flatten().filter(|finalizer| **finalizer != "kubernetes").map(text).collect()
}

fn binding(object: &Value) -> BindingState {
    let subjects = object["subjects"].as_array().into_iter().flatten();
    BindingState {
        subjects: subjects.map(subject).collect(),
        role: text(&object["roleRef"]["name"]),
        annotations: ours(&object["metadata"]["annotations"]),
    }
}

fn subject(subject: &Value) -> Subject {
    Subject {
        api_group: subject["apiGroup"].as_str().map(str::to_owned),
        kind: text(&subject["kind"]),
        name: text(&subject["name"]),
        namespace: subject["namespace"].as_str().map(str::to_owned),
    }
}

/// Usage changes with every pod; it is worth telling only at a mark.
fn quota(status: &Value) -> StoredState {
    let state = QuotaState { hard: texts(&status["hard"]), used: texts(&status["used"]) };
    // A count that begins to be reported wakes: the quota controller has learnt of the kind.
    let is_reported = |resource: &str| !is_count(resource) || state.used.contains_key(resource);
    let marks: Vec<_> =
        state.hard.keys().map(|resource| (resource.clone(), state.mark(resource), is_reported(resource))).collect();
    StoredState::with_marks(&CachedState::Quota(state), &marks)
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

/// The reason why a pod does not run or is not ready; none if it is ready, or has only
/// just started.
fn pod_trouble(pod: &Value) -> Option<PodTrouble> {
    let lost = lost_node(pod).map(|node| ("NodeLost".to_owned(), node));
    let reported = containers(pod).filter_map(|(_, container)| {
        container.waiting().or_else(|| container.ended().filter(|_| container.recovers()))
    });
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let unscheduled = conditions
        .filter(|condition| condition["type"] == "PodScheduled" && condition["status"] == "False")
        .map(|condition| (text(&condition["reason"]), text(&condition["message"])));
    let troubles: Vec<_> = lost.into_iter().chain(reported).chain(unscheduled).collect();
    let unready = containers(pod).any(|(init, container)| !init && container.is_unready());
    let engine = pod["metadata"]["labels"][labels::ENGINE].as_str().map(str::to_owned);
    (unready || !troubles.is_empty()).then_some(PodTrouble { troubles, unready, engine })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_their_group() {
        let object = json!({"metadata": {"labels": {labels::ENGINE: "ours"}}, "status": {"phase": "Ready"}});
        for kind in ["Namespace", "ResourceQuota", "RoleBinding", "ConfigMap", "Pod", "ReplicaSet"] {
            let key = ObjectKey::new("hnc.example.com", kind, Some("a--b"), labels::RECORD);
            let state = of(&key, &object).unwrap();
            assert_eq!(state.workload().unwrap().unwrap().0["status"]["phase"], "Ready", "{kind}");
        }
    }

    #[test]
    fn a_pod_matters_only_while_it_is_in_trouble() {
        let key = ObjectKey::new("", "Pod", Some("a--b"), "p");
        let spec = json!({"containers": [{"name": "c"}]});
        let live = |live: Value| json!({"metadata": {}, "spec": spec, "status": {"containerStatuses": [live]}});
        let runs = |started: bool, ready: bool| {
            let live = live(json!({"name": "c", "started": started, "ready": ready, "state": {"running": {}}}));
            of(&key, &live).map(|state| state.pod().unwrap().unready)
        };
        assert_eq!((runs(true, true), runs(false, false), runs(true, false)), (None, None, Some(true)));
        let stuck = live(json!({"name": "c",
            "state": {"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"x\" not found"}}}));
        let state = of(&key, &stuck).unwrap();
        assert_eq!(state.pod().unwrap().troubles[0].0, "CreateContainerConfigError");
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
        let kept: Vec<StoredState> = states.iter().map(|pod| of(&key, pod).unwrap()).collect();
        assert_eq!(kept[0].pod().unwrap().troubles[0].0, "OOMKilled");
        // Being tried again is no news.
        assert!(kept[0].wakes() == kept[1].wakes() && kept[1].wakes() == kept[2].wakes());
        assert!(of(&key, &pod(true, json!({"running": {}}), &killed)).is_none());
    }

    #[test]
    fn usage_wakes_only_at_a_mark() {
        let key = ObjectKey::new("", "ResourceQuota", Some("a--b"), "strata-quota");
        let at = |used: &str| {
            of(&key, &json!({"metadata": {}, "status": {"hard": {"cpu": "10"}, "used": {"cpu": used}}})).unwrap()
        };
        assert_eq!(at("1").wakes(), at("2").wakes());
        assert_ne!(at("2").wakes(), at("5").wakes());
        assert_ne!(at("10").wakes(), at("11").wakes());
        // The first count of a resource wakes: it may now go into the other quotas.
        let count = |used: Value| {
            let hard = json!({"cpu": "10", "count/runs.strata-operator.dev": "5"});
            of(&key, &json!({"metadata": {}, "status": {"hard": hard, "used": used}})).unwrap()
        };
        let silent = count(json!({"cpu": "1"}));
        assert_eq!(silent.wakes(), count(json!({"cpu": "2"})).wakes());
        assert_ne!(silent.wakes(), count(json!({"cpu": "1", "count/runs.strata-operator.dev": "0"})).wakes());
    }
}
