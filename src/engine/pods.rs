//! Where pods are in the standard workload kinds.

use serde_json::Value;

/// The path to the pod template of a standard workload kind. A Pod is its own.
fn path(kind: &str) -> Option<&'static [&'static str]> {
    match kind {
        "Pod" => Some(&[]),
        "PodTemplate" => Some(&["template"]),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" => {
            Some(&["spec", "template"])
        }
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template"]),
        _ => None,
    }
}

fn is_standard(object: &Value) -> bool {
    matches!(object["apiVersion"].as_str(), Some("v1" | "apps/v1" | "batch/v1"))
}

/// The pod template of a standard workload, with its path: what has `metadata`
/// and `spec` of the pods that come of the object.
#[must_use]
pub fn template(object: &Value) -> Option<(&Value, String)> {
    if !is_standard(object) {
        return None;
    }
    let steps = path(object["kind"].as_str()?)?;
    let found = steps.iter().try_fold(object, |value, step| value.get(step))?;
    Some((found, steps.join(".")))
}

/// The pod template of a standard workload, to be changed.
#[must_use]
pub fn template_mut(object: &mut Value) -> Option<&mut Value> {
    if !is_standard(object) {
        return None;
    }
    let steps = path(object["kind"].as_str()?)?;
    steps.iter().try_fold(object, |value, step| value.get_mut(step))
}

/// The lists of containers in a pod's spec.
pub const CONTAINERS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_are_found_where_each_kind_has_them() {
        let job = json!({"apiVersion": "batch/v1", "kind": "CronJob",
            "spec": {"jobTemplate": {"spec": {"template": {"spec": 1}}}}});
        let (found, path) = template(&job).unwrap();
        assert_eq!((found["spec"].as_i64(), path.as_str()), (Some(1), "spec.jobTemplate.spec.template"));
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": 2});
        assert_eq!(template(&pod).unwrap().0["spec"], 2);
        assert!(template(&json!({"apiVersion": "v1", "kind": "ConfigMap"})).is_none());
        assert!(
            template(&json!({"apiVersion": "example.com/v1", "kind": "Deployment", "spec": {"template": {}}}))
                .is_none()
        );
    }
}
