//! The reason why a container does not run, with the action to take. The text stays the
//! same while nothing changes: the kubelet's count of attempts is left out.
//!
//! Pure. It quotes the kubelet, and no container but the probe of an engine, by its termination
//! message `{"message": "..."}`.

use serde_json::Value;

use super::values::text;
use crate::api::labels;
use crate::api::text::message;

/// The reasons of a starting container: no trouble.
const BEGINS: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// The alternating reasons of an image that cannot be pulled.
const PULLS: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];

/// The label by which pods of an engine say what they are, and its value of a probe.
const COMPONENT: &str = "app.kubernetes.io/component";
const PROBE: &str = "probe";
/// The longest message of a probe.
const PROBED: usize = 512;

/// A container of a pod: its spec and its status.
#[derive(Clone, Copy)]
pub struct Container<'a> {
    pod: &'a Value,
    wanted: &'a Value,
    live: &'a Value,
}

/// The containers in the order of the spec, init containers (`true`) first; the status has
/// another order.
pub fn containers(pod: &Value) -> impl Iterator<Item = (bool, Container<'_>)> {
    let lists = [("initContainers", "initContainerStatuses", true), ("containers", "containerStatuses", false)];
    lists.into_iter().flat_map(move |(spec, status, init)| {
        let wanted = pod["spec"][spec].as_array().into_iter().flatten();
        wanted.map(move |wanted| {
            let mut live = pod["status"][status].as_array().into_iter().flatten();
            let live = live.find(|live| live["name"] == wanted["name"]).unwrap_or(&Value::Null);
            (init, Container { pod, wanted, live })
        })
    })
}

impl<'a> Container<'a> {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'a Value {
        &self.wanted["name"]
    }

    /// The status of the kubelet.
    #[must_use]
    pub fn live(self) -> &'a Value {
        self.live
    }

    /// Why it waits, if it does not just begin: a word of Kubernetes, and a sentence.
    #[must_use]
    pub fn waiting(self) -> Option<(String, String)> {
        let waiting = &self.live["state"]["waiting"];
        let reason = waiting["reason"].as_str()?;
        let message = text(&waiting["message"]);
        if BEGINS.contains(&reason) {
            return None;
        }
        if reason == "CrashLoopBackOff" {
            return Some(self.ended().unwrap_or_else(|| (reason.to_owned(), message)));
        }
        if PULLS.contains(&reason) {
            let cause = message.split_once("ErrImagePull: ").map_or(message.as_str(), |(_, cause)| cause);
            let image = text(&self.wanted["image"]);
            return Some(("ImagePullBackOff".to_owned(), format!("image {image} cannot be pulled: {cause}")));
        }
        Some((reason.to_owned(), message))
    }

    /// The last end of a container that should run without end.
    #[must_use]
    pub fn ended(self) -> Option<(String, String)> {
        let ended = [&self.live["state"]["terminated"], &self.live["lastState"]["terminated"]];
        let ended = ended.into_iter().find(|ended| ended.is_object())?;
        let (name, reason) = (text(self.name()), text(&ended["reason"]));
        let message = match reason.as_str() {
            "OOMKilled" => {
                let limit = self.wanted["resources"]["limits"]["memory"].as_str();
                let limit = limit.map_or_else(String::new, |limit| format!(" of {limit}"));
                format!("container {name} took more memory than its limit{limit} and was killed. Raise the limit")
            }
            "StartError" | "ContainerCannotRun" => {
                format!("container {name} cannot be started: {}", text(&ended["message"]).trim())
            }
            _ => self.probed(ended).unwrap_or_else(|| {
                let code = ended["exitCode"].as_i64().unwrap_or_default();
                let of = &self.pod["metadata"];
                format!(
                    "container {name} ended with exit code {code}. Its log: `kubectl logs {} -c {name} --previous \
                     --namespace {}`",
                    text(&of["name"]),
                    text(&of["namespace"])
                )
            }),
        };
        Some((if reason.is_empty() { "Error".to_owned() } else { reason }, message))
    }

    /// The words of an engine's probe. Nobody but the operator writes the label of an engine.
    fn probed(self, ended: &Value) -> Option<String> {
        let labels = &self.pod["metadata"]["labels"];
        let is_probe = labels[labels::ENGINE].is_string() && labels[COMPONENT] == PROBE;
        let said: Value = serde_json::from_str(ended["message"].as_str().filter(|_| is_probe)?).ok()?;
        Some(message(said["message"].as_str()?, PROBED)).filter(|said| !said.is_empty())
    }

    /// Whether it runs but is not ready: its probe fails.
    #[must_use]
    pub fn is_unready(self) -> bool {
        self.live["started"] == true && self.live["ready"] == false && self.live["state"]["running"].is_object()
    }

    /// How it ended, if it is started for ever: being tried again is no news.
    #[must_use]
    pub fn tried_again(self) -> Option<(String, String)> {
        let for_ever = self.pod["spec"]["restartPolicy"] == "Always";
        self.ended().filter(|_| for_ever && self.recovers())
    }

    /// Whether it ended badly and is up again, or about to be, without being ready yet.
    #[must_use]
    pub fn recovers(self) -> bool {
        let failed = |ended: &Value| ended["exitCode"].as_i64().is_some_and(|code| code != 0);
        let state = &self.live["state"];
        let up_again = state["running"].is_object() && self.live["ready"] != true;
        failed(&state["terminated"]) || (up_again && failed(&self.live["lastState"]["terminated"]))
    }
}

/// The node of a running pod, if it no longer responds: then the node controller, not the
/// kubelet, has set the pod to not ready, while its containers are ready.
#[must_use]
pub fn lost_node(pod: &Value) -> Option<String> {
    let status = &pod["status"];
    let is = |type_: &str, wanted: &str| {
        let mut all = status["conditions"].as_array().into_iter().flatten();
        all.any(|condition| condition["type"] == type_ && condition["status"] == wanted)
    };
    let gated = pod["spec"]["readinessGates"].as_array().is_some_and(|gates| !gates.is_empty());
    let lost = status["phase"] == "Running" && !gated && is("ContainersReady", "True") && is("Ready", "False");
    lost.then(|| text(&pod["spec"]["nodeName"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn waiting(live: &Value) -> Option<(String, String)> {
        let pod = json!({
            "metadata": {"name": "p", "namespace": "a--b"},
            "spec": {"containers": [{"name": "c", "image": "x:1", "resources": {"limits": {"memory": "64Mi"}}}]},
            "status": {"containerStatuses": [live]},
        });
        containers(&pod).find_map(|(_, container)| container.waiting())
    }

    fn again_and_again(ended: &Value) -> Option<(String, String)> {
        let backs_off = json!({"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"});
        waiting(&json!({"name": "c", "state": {"waiting": backs_off}, "lastState": {"terminated": ended}}))
    }

    #[test]
    fn what_ends_again_and_again_says_how_and_not_how_often() {
        for (ended, reason, message) in [
            (
                json!({"exitCode": 137, "reason": "OOMKilled"}),
                "OOMKilled",
                "container c took more memory than its limit of 64Mi and was killed. Raise the limit",
            ),
            (
                json!({"exitCode": 1, "reason": "Error", "message": "the container's own words"}),
                "Error",
                "container c ended with exit code 1. Its log: `kubectl logs p -c c --previous --namespace a--b`",
            ),
            (
                json!({"exitCode": 128, "reason": "StartError", "message": "exec: \"x\": not found\n"}),
                "StartError",
                "container c cannot be started: exec: \"x\": not found",
            ),
            (Value::Null, "CrashLoopBackOff", "back-off 40s restarting"),
        ] {
            assert_eq!(again_and_again(&ended), Some((reason.to_owned(), message.to_owned())));
        }
    }

    #[test]
    fn a_probe_of_an_engine_is_quoted_and_nobody_else() {
        let said = |labels: Value, message: &str| {
            let ended = json!({"exitCode": 1, "reason": "Error", "message": message});
            let pod = json!({"metadata": {"name": "p", "namespace": "a--b", "labels": labels},
                "spec": {"containers": [{"name": "c"}]},
                "status": {"containerStatuses": [{"name": "c", "state": {"terminated": ended}}]}});
            containers(&pod).find_map(|(_, container)| container.ended()).unwrap().1
        };
        let probe = json!({labels::ENGINE: "external", COMPONENT: PROBE});
        assert_eq!(said(probe.clone(), "{\"message\": \"no\\u202e answer\"}"), "no\\u202e answer");
        for message in ["no answer", "{}", "{\"message\": 1}", "{\"message\": \"\"}", ""] {
            assert!(said(probe.clone(), message).starts_with("container c ended with exit code 1"));
        }
        for labels in [json!({COMPONENT: PROBE}), json!({labels::ENGINE: "jobs", COMPONENT: "run"})] {
            assert!(said(labels, "{\"message\": \"x\"}").starts_with("container c ended with exit code 1"));
        }
    }

    #[test]
    fn unpullable_image_is_reported_in_constant_words() {
        let said = |reason: &str, message: &str| {
            waiting(&json!({"name": "c", "state": {"waiting": {"reason": reason, "message": message}}}))
        };
        let first = said("ErrImagePull", "no such host");
        assert_eq!(first, said("ImagePullBackOff", "Back-off pulling image \"x:1\": ErrImagePull: no such host"));
        assert_eq!(first, Some(("ImagePullBackOff".into(), "image x:1 cannot be pulled: no such host".into())));
        assert_eq!(said("PodInitializing", ""), None);
    }

    #[test]
    fn pod_on_a_lost_node_differs_from_an_unready_pod() {
        let pod = |ready: &str, containers: &str, gates: Value| {
            let conditions =
                json!([{"type": "Ready", "status": ready}, {"type": "ContainersReady", "status": containers}]);
            let spec = json!({"nodeName": "n", "readinessGates": gates});
            json!({"spec": spec, "status": {"phase": "Running", "conditions": conditions}})
        };
        assert_eq!(lost_node(&pod("False", "True", Value::Null)), Some("n".to_owned()));
        assert_eq!(lost_node(&pod("False", "False", Value::Null)), None);
        assert_eq!(lost_node(&pod("True", "True", Value::Null)), None);
        assert_eq!(lost_node(&pod("False", "True", json!([{"conditionType": "x"}]))), None);
    }
}
