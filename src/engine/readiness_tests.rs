//! When objects of Kubernetes' own kinds are ready, and what rules of engines say.

use serde_json::json;

use super::*;

#[allow(clippy::needless_pass_by_value, reason = "the values are written where they are passed")]
fn of(version: &str, kind: &str, spec: Value, status: Value) -> Verdict {
    let live = json!({"metadata": {"name": "x", "generation": 2}, "spec": spec, "status": status});
    judge(&ObjectKind::new(version, kind), &live)
}

fn state(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::Waiting { .. } => "waiting",
        Verdict::Failing { reason, .. } => reason,
    }
}

#[test]
fn deployment_is_ready_with_all_pods_of_its_newest_revision() {
    let good = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
                      "conditions": [{"type": "Available", "status": "True"}]});
    for (field, value, expected) in [
        ("observedGeneration", json!(2), "ready"),
        ("observedGeneration", json!(1), "waiting"),
        ("observedGeneration", json!(null), "waiting"),
        ("updatedReplicas", json!(1), "waiting"),
        ("replicas", json!(3), "waiting"),
        ("readyReplicas", json!(1), "waiting"),
        ("availableReplicas", json!(null), "waiting"),
        ("conditions", json!([]), "waiting"),
        (
            "conditions",
            json!([{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]),
            "ProgressDeadlineExceeded",
        ),
        ("conditions", json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}]), "FailedCreate"),
        ("conditions", json!([{"type": "ReplicaFailure", "status": "True"}]), "Failed"),
    ] {
        let mut status = good.clone();
        status[field] = value;
        assert_eq!(state(&of("apps/v1", "Deployment", json!({"replicas": 2}), status)), expected, "{field}");
    }
    let stopped = json!({"observedGeneration": 2});
    assert_eq!(of("apps/v1", "Deployment", json!({"replicas": 0}), stopped), Verdict::Ready);
}

#[test]
fn stateful_set_is_ready_after_its_rollout_or_on_delete() {
    let good = json!({"observedGeneration": 2, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2,
                      "currentRevision": "b", "updateRevision": "b"});
    let with = |field: &str, value: Value| {
        let mut status = good.clone();
        status[field] = value;
        status
    };
    let rolling = json!({"replicas": 2});
    let on_delete = json!({"replicas": 2, "updateStrategy": {"type": "OnDelete"}});
    let partition = json!({"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}});
    for (spec, status, expected) in [
        (&rolling, good.clone(), "ready"),
        (&rolling, with("readyReplicas", json!(1)), "waiting"),
        (&rolling, with("replicas", json!(3)), "waiting"),
        (&rolling, with("updatedReplicas", json!(1)), "waiting"),
        (&rolling, with("currentRevision", json!("a")), "waiting"),
        (&rolling, json!({}), "waiting"),
        (&on_delete, with("updatedReplicas", json!(0)), "ready"),
        (&partition, with("updatedReplicas", json!(1)), "ready"),
        (&partition, with("updatedReplicas", json!(0)), "waiting"),
    ] {
        assert_eq!(state(&of("apps/v1", "StatefulSet", spec.clone(), status)), expected);
    }
}

#[test]
fn a_suspended_job_says_who_starts_it() {
    let job = |labels: Value| json!({"metadata": {"name": "run-a", "namespace": "n", "labels": labels}});
    let queued = suspended(&job(json!({"a": "b", "kueue.x-k8s.io/queue-name": "team-a"})));
    assert_eq!(queued, "is suspended until queue team-a starts it");
    let by_hand = suspended(&job(json!({"a": "b"})));
    assert!(by_hand.starts_with("is suspended and has no queue"), "{by_hand}");
    assert!(by_hand.contains("kubectl patch job run-a --namespace n "), "{by_hand}");
}

#[test]
fn other_standard_kinds_are_judged_by_what_they_say() {
    let condition =
        |type_: &str| json!({"conditions": [{"type": type_, "status": "True", "reason": "BackoffLimitExceeded"}]});
    for (version, kind, spec, status, expected) in [
        ("batch/v1", "Job", json!({}), condition("Complete"), "ready"),
        ("batch/v1", "Job", json!({}), condition("Failed"), "BackoffLimitExceeded"),
        ("batch/v1", "Job", json!({}), condition("Suspended"), "waiting"),
        ("batch/v1", "Job", json!({}), json!({"active": 1}), "waiting"),
        ("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Bound"}), "ready"),
        ("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Pending"}), "waiting"),
        ("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Lost"}), "VolumeLost"),
        ("v1", "Pod", json!({}), json!({"phase": "Failed", "reason": "Evicted"}), "Evicted"),
        ("v1", "Pod", json!({}), json!({"phase": "Running"}), "waiting"),
        (
            "v1",
            "Pod",
            json!({}),
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
            "ready",
        ),
        ("v1", "Service", json!({"type": "ClusterIP"}), json!({}), "ready"),
        ("v1", "Service", json!({"type": "LoadBalancer"}), json!({}), "waiting"),
        ("apps/v1", "DaemonSet", json!({}), json!({"observedGeneration": 2, "desiredNumberScheduled": 1}), "waiting"),
        ("apps/v1", "ReplicaSet", json!({"replicas": 0}), json!({"observedGeneration": 2}), "ready"),
        ("policy/v1", "PodDisruptionBudget", json!({}), json!({}), "waiting"),
        ("v1", "ConfigMap", json!({}), json!({}), "ready"),
    ] {
        assert_eq!(state(&of(version, kind, spec, status)), expected, "{kind}");
        assert!(knows(&ObjectKind::new(version, kind)));
    }
    assert!(!knows(&ObjectKind::new("example.com/v1", "Deployment")));
}
