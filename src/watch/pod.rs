//! The little of a pod of daily work that planning and judging need.
//!
//! Pure. Read again by [`crate::plan::daily::seen`], whose form this is.

use serde_json::{Value, json};

use crate::api::labels;

/// The most of a termination message that is kept: what the kubelet keeps.
const MESSAGE: usize = 4096;

/// What is kept of the pod.
#[must_use]
pub fn seen(pod: &Value) -> Value {
    let (metadata, status) = (&pod["metadata"], &pod["status"]);
    let owner = metadata["ownerReferences"].as_array().into_iter().flatten().find(|owner| owner["controller"] == true);
    let owner = owner.unwrap_or(&Value::Null);
    let condition = |type_: &str| {
        let all = status["conditions"].as_array().into_iter().flatten();
        all.into_iter().find(|condition| condition["type"] == type_)
    };
    let unscheduled = condition("PodScheduled").filter(|scheduled| scheduled["status"] == "False");
    // A pod that failed because of its containers alone gives no reason of its own.
    let evicted = status["reason"].as_str().filter(|_| status["phase"] == "Failed");
    let annotations = metadata["annotations"].as_object().into_iter().flatten();
    let own: serde_json::Map<_, _> = annotations
        .filter(|(key, _)| key.starts_with("strata-operator.dev/"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    json!({
        "name": metadata["name"],
        "ownerKind": text(&owner["kind"]), "owner": text(&owner["name"]), "ownerUid": text(&owner["uid"]),
        "phase": text(&status["phase"]),
        "created": metadata["creationTimestamp"],
        "ready": condition("Ready").is_some_and(|ready| ready["status"] == "True"),
        "deleting": metadata["deletionTimestamp"].is_string(),
        "containers": containers(pod),
        "unscheduled": unscheduled.map(|reason| json!([text(&reason["reason"]), text(&reason["message"])])),
        "failed": evicted.map(|reason| json!([reason, text(&status["message"])])),
        "annotations": own,
        // For the team's own judging, beside pods of engines.
        "engine": metadata["labels"][labels::ENGINE],
    })
}

/// The containers in the order of the spec; the status has an order of its own.
fn containers(pod: &Value) -> Vec<Value> {
    let lists = [("initContainers", "initContainerStatuses", true), ("containers", "containerStatuses", false)];
    let all = lists.iter().flat_map(|(spec, status, init)| {
        let wanted = pod["spec"][*spec].as_array().into_iter().flatten();
        wanted.map(move |container| {
            let live = pod["status"][*status].as_array().into_iter().flatten();
            let live = live.into_iter().find(|live| live["name"] == container["name"]);
            of_container(&container["name"], *init, live.unwrap_or(&Value::Null))
        })
    });
    all.collect()
}

fn of_container(name: &Value, init: bool, live: &Value) -> Value {
    let state = &live["state"];
    let waiting = state["waiting"].as_object().and_then(|waiting| {
        let reason = waiting.get("reason")?.as_str()?;
        let begins = matches!(reason, "ContainerCreating" | "PodInitializing");
        (!begins).then(|| json!([reason, text(waiting.get("message").unwrap_or(&Value::Null))]))
    });
    json!({
        "name": name, "init": init, "waiting": waiting,
        "running": state["running"]["startedAt"],
        "ended": ended(&state["terminated"]),
        "before": ended(&live["lastState"]["terminated"]),
    })
}

fn ended(terminated: &Value) -> Value {
    if !terminated.is_object() {
        return Value::Null;
    }
    json!({
        "exitCode": terminated["exitCode"].as_i64().unwrap_or_default(),
        "reason": text(&terminated["reason"]),
        "message": crate::api::status::bounded(text(&terminated["message"]), MESSAGE),
        "started": terminated["startedAt"], "finished": terminated["finishedAt"],
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::daily::seen::Pod;

    #[test]
    fn a_pod_is_read_as_it_was_seen() {
        let pod = json!({
            "metadata": {"name": "run-x-1", "creationTimestamp": "2026-11-01T00:00:00Z",
                "ownerReferences": [{"kind": "Job", "name": "run-x", "uid": "u", "controller": true}]},
            "spec": {"initContainers": [{"name": "a"}, {"name": "b"}], "containers": [{"name": "c"}]},
            "status": {"phase": "Pending",
                "initContainerStatuses": [
                    {"name": "b", "state": {"terminated": {"exitCode": 3, "reason": "Error", "message": "no"}}},
                    {"name": "a", "state": {"terminated": {"exitCode": 0, "finishedAt": "2026-11-01T00:00:01Z"}}}],
                "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "PodInitializing"}}}]},
        });
        let seen: Pod = serde_json::from_value(seen(&pod)).unwrap();
        assert_eq!(seen.owner_uid, "u");
        let names: Vec<_> = seen.containers.iter().map(|container| container.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(seen.container("b").unwrap().ended.as_ref().unwrap().exit_code, 3);
        assert!(seen.container("c").unwrap().waiting.is_none() && seen.container("c").unwrap().running.is_none());
    }
    #[test]
    fn a_pod_that_was_evicted_says_why() {
        let of = |phase: &str| {
            let status = json!({"phase": phase, "reason": "Evicted", "message": "The node was low on memory."});
            serde_json::from_value::<Pod>(seen(&json!({"metadata": {"name": "a"}, "status": status}))).unwrap().failed
        };
        assert_eq!(of("Failed"), Some(("Evicted".to_owned(), "The node was low on memory.".to_owned())));
        assert_eq!(of("Running"), None);
    }
}
