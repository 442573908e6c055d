//! Objects that are tried to be written, and where. Nothing is sent here.

use serde_json::{Value, json};

/// The label by which an object belongs to a team.
pub const OURS: &str = "strata-operator.dev/team";

/// A path of the core group in a team's Shared namespace.
pub fn core(team: &str, plural: &str) -> String {
    format!("/api/v1/namespaces/{team}--shared/{plural}")
}

/// A path of the group apps in a team's Shared namespace.
pub fn apps(team: &str, plural: &str) -> String {
    format!("/apis/apps/v1/namespaces/{team}--shared/{plural}")
}

/// A Namespace with the label of its team.
pub fn namespace(name: &str, team: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"strata-operator.dev/team": team}}})
}

/// A `ConfigMap` without content.
pub fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

/// A `RoleBinding` to a `ClusterRole`.
pub fn role_binding(name: &str, role: &str, subjects: &Value) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": subjects,
    })
}

/// The template of a pod that passes everything.
pub fn pod_template(labels: &Value) -> Value {
    json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "registry.example.com/x:1"}]}})
}

/// A Deployment of one pod.
pub fn deployment(name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": pod_template(labels)},
    })
}

/// An Event.
pub fn event(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": name, "namespace": namespace},
        "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Normal", "reason": "Tested", "action": "Test",
        "reportingController": "strata", "reportingInstance": "strata-0", "regarding": {"kind": "Any", "name": "any", "namespace": if namespace == "default" { "" } else { namespace }},
    })
}
