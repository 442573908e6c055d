//! The little of a work pod that planning and judging need.
//!
//! Pure.

use serde_json::Value;

use super::container::{self, containers, lost_node};
use super::values::{ours, text, time};
use crate::plan::work::pod_state::{Container, Ended, Pod};

/// The most of a termination message that is kept: what the kubelet keeps.
const MESSAGE: usize = 4096;

/// The kept state of the pod.
#[must_use]
pub fn reduce(pod: &Value) -> Pod {
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
    Pod {
        name: text(&metadata["name"]),
        owner_kind: text(&owner["kind"]),
        owner: text(&owner["name"]),
        owner_uid: text(&owner["uid"]),
        phase: text(&status["phase"]),
        created: time(&metadata["creationTimestamp"]),
        ready: condition("Ready").is_some_and(|ready| ready["status"] == "True"),
        deleting: metadata["deletionTimestamp"].is_string(),
        containers: containers(pod).map(|(init, container)| reduce_container(init, container)).collect(),
        lost: lost_node(pod),
        unscheduled: unscheduled.map(|reason| (text(&reason["reason"]), text(&reason["message"]))),
        failed: evicted.map(|reason| (reason.to_owned(), text(&status["message"]))),
        annotations: ours(&metadata["annotations"]),
    }
}

fn reduce_container(init: bool, container: container::Container<'_>) -> Container {
    let live = container.live();
    Container {
        name: text(container.name()),
        init,
        waiting: container.waiting().or_else(|| container.tried_again()),
        running: time(&live["state"]["running"]["startedAt"]),
        ended: ended(&live["state"]["terminated"]),
        before: ended(&live["lastState"]["terminated"]),
    }
}

fn ended(terminated: &Value) -> Option<Ended> {
    terminated.is_object().then(|| Ended {
        exit_code: terminated["exitCode"].as_i64().and_then(|code| code.try_into().ok()).unwrap_or_default(),
        reason: text(&terminated["reason"]),
        message: crate::api::text::bounded(text(&terminated["message"]), MESSAGE),
        // Of a container that could not be started it is the beginning of all time.
        started: time(&terminated["startedAt"]).filter(|_| !text(&terminated["startedAt"]).starts_with("1970-")),
        finished: time(&terminated["finishedAt"]),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_read_as_it_was_observed() {
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
        let reduced = reduce(&pod);
        assert_eq!(reduced.owner_uid, "u");
        let names: Vec<_> = reduced.containers.iter().map(|container| container.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(reduced.container("b").unwrap().ended.as_ref().unwrap().exit_code, 3);
        assert!(reduced.container("c").unwrap().waiting.is_none() && reduced.container("c").unwrap().running.is_none());
    }

    #[test]
    fn a_server_that_is_tried_again_still_waits() {
        let waits = |policy: &str, state: Value| {
            let ended = json!({"exitCode": 1, "reason": "Error"});
            let live = json!({"name": "c", "ready": false, "state": state, "lastState": {"terminated": ended}});
            let pod = json!({"metadata": {"name": "p", "namespace": "a--b"},
                "spec": {"restartPolicy": policy, "containers": [{"name": "c"}]}, "status": {"containerStatuses": [live]}});
            reduce(&pod).containers[0].waiting.clone()
        };
        let backs_off = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
        let again = waits("Always", json!({"running": {"startedAt": "2026-11-01T00:00:00Z"}}));
        assert!(again.is_some() && again == waits("Always", backs_off));
        assert_eq!(waits("Never", json!({"running": {}})), None, "a Job's pod is another one each time");
    }

    #[test]
    fn what_could_not_be_started_did_not_begin() {
        let of = |started: &str| {
            let ended = json!({"exitCode": 128, "startedAt": started, "finishedAt": "2026-11-01T00:00:01Z"});
            super::ended(&ended).unwrap()
        };
        assert!(of("1970-01-01T00:00:00Z").started.is_none());
        let begun = of("2026-11-01T00:00:00Z");
        assert!(begun.started.is_some() && begun.finished.is_some());
    }

    #[test]
    fn a_pod_that_was_evicted_says_why() {
        let of = |phase: &str| {
            let status = json!({"phase": phase, "reason": "Evicted", "message": "The node was low on memory."});
            reduce(&json!({"metadata": {"name": "a"}, "status": status})).failed
        };
        assert_eq!(of("Failed"), Some(("Evicted".to_owned(), "The node was low on memory.".to_owned())));
        assert_eq!(of("Running"), None);
    }
}
