//! Engines whose kinds the cluster does not serve, or the operator may not write.

use serde_json::{Value, json};

use crate::actor::path;
use crate::spec::with_experiments;
use crate::stage::stage;
use crate::team::{Team, component, condition};

/// An engine that needs a kind of its own.
fn engine() -> Value {
    json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Engine", "metadata": {"name": "widgets"},
        "spec": {
            "description": "An engine of a test", "capabilities": ["Experiments"], "revision": "1",
            "requires": [{"group": "example.com", "kind": "Widget", "versions": ["v1"]}],
            "objects": [{"id": "widget", "template": {
                "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "tracker"}, "spec": {"size": "${team.name}"},
            }}],
            "ready": [{"when": "has(objects.widget.status) && objects.widget.status.ok", "message": "the widget is not ok"}],
        },
    })
}

fn definition() -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": any}, "subresources": {"status": {}},
            }],
        },
    })
}

/// What a platform applies with an engine: what the operator may do with its kinds.
fn rights() -> [Value; 2] {
    let verbs = ["get", "list", "watch", "create", "patch", "update", "delete"];
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "strata:engine:widgets"},
        "rules": [{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": verbs}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "strata:engine:widgets"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "strata:engine:widgets"},
        "subjects": [{"kind": "ServiceAccount", "name": "strata", "namespace": "strata-system"}],
    });
    [role, binding]
}

#[tokio::test]
async fn an_engine_comes_to_life_as_its_kinds_and_rights_appear() {
    let stage = stage().await;
    let admin = stage.admin().await;
    admin.create(&engine()).await.expect("an engine");
    let spec = with_experiments(
        &json!({"shared": {"experiments": {"engine": "widgets"}, "featureStore": {"storage": "5Gi"}}}),
    );
    let team = Team::create(stage, "awaits", spec).await;
    let seen = team.until_not_ready("Unavailable", "Widget").await;
    assert!(condition(&seen, "Stalled").is_null(), "it passes by itself once the kind is served");
    team.until("has its features", |seen| component(seen, "FeatureStore")["state"] == "Ready").await;

    admin.create(&definition()).await.expect("the kind");
    let seen = team.until_not_ready("RightsMissing", "widgets").await;
    assert_eq!(condition(&seen, "Stalled")["status"], "True");
    assert_eq!(component(&seen, "FeatureStore")["state"], "Ready", "one kind holds up another");

    for object in rights() {
        admin.create(&object).await.expect("rights");
    }
    let widget = "/apis/example.com/v1/namespaces/awaits--shared/widgets/tracker";
    let there = team.until_there(widget, |_| true).await;
    assert_eq!(there["spec"]["size"], "awaits");
    assert_eq!(there["metadata"]["labels"]["strata-operator.dev/engine"], "widgets");
    team.until_not_ready("Progressing", "the widget is not ok").await;
    admin.merge(&format!("{widget}/status"), &json!({"status": {"ok": true}})).await.expect("its controller");
    team.until_ready().await;

    // Its objects are kept like all others, and its status is left to its controller.
    admin.merge(widget, &json!({"spec": {"size": "another"}})).await.expect("changed");
    let back = team.until_there(widget, |widget| widget["spec"]["size"] == "awaits").await;
    assert_eq!(back["status"]["ok"], true);
    team.edit(json!({"shared": {"experiments": null}})).await;
    team.until_missing(widget).await;
    admin.delete(&path("CustomResourceDefinition", "", "widgets.example.com")).await.expect("the kind goes");
    team.until_ready().await;
}
