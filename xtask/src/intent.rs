//! What is meant to become of the members' objects in deploy/examples: which of them
//! fail and why, and when each of the others is as it should be. Judges what the
//! cluster says, and asks nobody.

use harness::Pods;
use serde_json::Value;

use crate::examples::Object;

/// An object that is meant to fail, and what its pods do for that.
#[derive(Debug)]
pub struct Failure {
    kind: &'static str,
    namespace: &'static str,
    name: &'static str,
    /// The prefix of the names of failing pods.
    pods: &'static str,
    /// The simulation of these pods.
    annotations: &'static [(&'static str, &'static str)],
    /// The expected final state of the object.
    says: &'static str,
}

/// All that is meant to fail.
pub const FAILURES: &[Failure] = &[
    Failure {
        kind: "Run",
        namespace: "fraud--chargeback",
        name: "thirty-epochs",
        pods: "run-thirty-epochs-",
        annotations: &[
            ("simulate/step", "evaluate"),
            ("simulate/exit-code", "1"),
            ("simulate/message", "auc 0.71 is below 0.80"),
        ],
        says: "auc 0.71 is below 0.80",
    },
    Failure {
        kind: "ModelService",
        namespace: "fraud--chargeback--live",
        name: "score-next",
        pods: "service-score-next-release-",
        annotations: &[("simulate/exit-code", "1"), ("simulate/message", "model chargeback has no version 9")],
        says: "model chargeback has no version 9",
    },
];

/// The simulation of a run in progress.
const AT_WORK: &[(&str, &str)] = &[("simulate/step", "train"), ("simulate/duration", "4s")];

/// The simulated pods, with their results.
pub fn annotations() -> Vec<(Pods, &'static [(&'static str, &'static str)])> {
    let fail = FAILURES.iter().map(|failure| (failure.pods(), failure.annotations));
    fail.chain([(Pods::of("fraud--chargeback", "run", "three-epochs"), AT_WORK)]).collect()
}

impl Failure {
    /// Whether it is this object that fails.
    pub fn is_of(&self, object: &Object) -> bool {
        (self.kind, self.namespace, self.name) == (&object.kind, &object.namespace, &object.name)
    }

    /// The pods that fail.
    fn pods(&self) -> Pods {
        let label = if self.kind == "ModelService" { "model-service" } else { "run" };
        Pods::of(self.namespace, label, self.name).named(self.pods)
    }

    fn met_by(&self, live: &Value) -> bool {
        let ready = condition(live, "Ready");
        let failed = self.kind != "Run" || live["status"]["state"] == "Failed";
        failed
            && ready["status"] == "False"
            && ready["message"].as_str().is_some_and(|message| message.contains(self.says))
    }
}

/// The condition of this type, or null.
pub fn condition<'a>(live: &'a Value, type_: &str) -> &'a Value {
    let conditions = live["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == type_).unwrap_or(&Value::Null)
}

/// An object's state in a line, and whether it is the one that is meant.
pub fn judge(object: &Object, live: &Value) -> (String, bool) {
    let ready = condition(live, "Ready");
    let generation = &live["metadata"]["generation"];
    if live.is_null() || ready.is_null() || live["status"]["observedGeneration"] != *generation {
        return ("waits for the operator".into(), false);
    }
    let state = live["status"]["state"].as_str();
    let good = match (FAILURES.iter().find(|failure| failure.is_of(object)), object.kind.as_str()) {
        (Some(failure), _) => failure.met_by(live),
        (None, "Workbench") => state == Some(if object.stopped { "Stopped" } else { "Running" }),
        (None, "Run") => state == Some("Succeeded"),
        (None, _) => ready["status"] == "True",
    };
    (line(state, ready), good)
}

fn line(state: Option<&str>, ready: &Value) -> String {
    let word = state.unwrap_or(if ready["status"] == "True" { "Ready" } else { "not ready" });
    if ready["status"] == "True" {
        return word.to_owned();
    }
    let text = |field: &str| ready[field].as_str().unwrap_or_default();
    format!("{word}: {}: {}", text("reason"), text("message"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str, stopped: bool) -> Object {
        let namespace = if kind == "ModelService" { "fraud--chargeback--live" } else { "fraud--chargeback" };
        Object { kind: kind.into(), namespace: namespace.into(), name: name.into(), stopped }
    }

    fn live(state: Option<&str>, ready: &str, message: &str) -> Value {
        json!({
            "metadata": {"generation": 1},
            "status": {"observedGeneration": 1, "state": state, "conditions": [
                {"type": "Ready", "status": ready, "reason": "Why", "message": message},
            ]},
        })
    }

    #[test]
    fn failure_is_intended_only_where_listed_with_its_reason() {
        let meant = object("Run", "thirty-epochs", false);
        let failed = live(Some("Failed"), "False", "step evaluate: auc 0.71 is below 0.80");
        assert!(judge(&meant, &failed).1);
        assert!(!judge(&meant, &live(Some("Failed"), "False", "step train: no space left")).1);
        assert!(!judge(&meant, &live(Some("Succeeded"), "True", "")).1);
        assert!(!judge(&object("Run", "other", false), &failed).1);
        let release = object("ModelService", "score-next", false);
        assert!(judge(&release, &live(None, "False", "release: model chargeback has no version 9")).1);
        assert!(!judge(&release, &live(None, "True", "")).1);
    }

    #[test]
    fn a_workbench_is_up_or_down_as_its_owner_wants() {
        let up = live(Some("Running"), "True", "");
        assert!(judge(&object("Workbench", "ana", false), &up).1);
        assert!(!judge(&object("Workbench", "ana", true), &up).1);
        let (state, good) = judge(&object("Workbench", "ana", false), &live(Some("Starting"), "False", "no image"));
        assert_eq!((state.as_str(), good), ("Starting: Why: no image", false));
    }

    #[test]
    fn an_unobserved_object_is_not_judged() {
        let mut unseen = live(None, "True", "");
        unseen["metadata"]["generation"] = json!(2);
        for seen in [unseen, Value::Null] {
            assert_eq!(judge(&object("Dataset", "d", false), &seen), ("waits for the operator".into(), false));
        }
    }
}
