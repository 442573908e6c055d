//! Engines whose kinds the cluster does not serve, or the operator may not write.

use serde_json::{Value, json};

use crate::actor::path;
use crate::count::settled;
use crate::spec::with_experiments;
use crate::stage::{Stage, alone, stage};
use crate::team::{Team, component, condition};

/// An engine for a capability whose only object is a gadget in this version.
fn gadgets(name: &str, capability: &str, version: &str) -> Value {
    json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Engine", "metadata": {"name": name},
        "spec": {
            "description": "An engine of a test", "capabilities": [capability], "revision": "1",
            "requires": [{"group": "example.org", "kind": "Gadget", "versions": ["v1", "v1beta1"]}],
            "objects": [{"id": "gadget", "template": {
                "apiVersion": format!("example.org/{version}"), "kind": "Gadget", "metadata": {"name": name},
                "spec": {"size": "${team.name}"},
            }}],
            "ready": [{"when": "objects.gadget.spec.size == team.name", "message": "the gadget is of another size"}],
        },
    })
}

/// The kind of the gadgets, served in these versions.
fn gadget(versions: &[&str]) -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = |name: &str| {
        let served = versions.contains(&name);
        json!({"name": name, "served": served, "storage": name == "v1", "schema": {"openAPIV3Schema": any}})
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "gadgets.example.org"},
        "spec": {
            "group": "example.org", "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "versions": [version("v1"), version("v1beta1")],
        },
    })
}

/// Where a gadget of the team is.
fn place(name: &str) -> String {
    format!("/apis/example.org/v1/namespaces/versions--shared/gadgets/{name}")
}

const DEFINITION: &str = "gadgets.example.org";

/// A team of two engines that write one kind, each in a version of its own.
async fn two_versions(stage: &'static Stage) -> Team {
    let admin = stage.admin().await;
    for object in rights("gadgets", "example.org") {
        admin.create(&object).await.expect("rights");
    }
    admin.create(&gadget(&["v1", "v1beta1"])).await.expect("the kind");
    admin.create(&gadgets("older", "Experiments", "v1beta1")).await.expect("an engine");
    admin.create(&gadgets("newer", "FeatureStore", "v1")).await.expect("another");
    let shared = json!({"experiments": {"engine": "older"}, "featureStore": {"engine": "newer"}});
    Team::ready(stage, "versions", with_experiments(&json!({"shared": shared}))).await
}

#[tokio::test]
async fn what_an_engine_wrote_is_known_in_every_version() {
    let (_turn, stage) = alone().await;
    let team = two_versions(stage).await;
    settled(stage).await;
    let mark = team.mark();
    for name in ["older", "newer"] {
        let touched = json!({"metadata": {"annotations": {"foreign": "x"}}});
        team.admin.merge(&place(name), &touched).await.expect("what is not ours");
    }
    settled(stage).await;
    let written = team.asked(mark).writes().filter(|request| request.resource.contains("gadgets"));
    assert_eq!(written.count(), 0, "one version is taken for another: {written}");

    // Of an engine whose newer revision waits, what runs is judged as it is.
    let revision = |revision: &str| json!({"spec": {"revision": revision}});
    team.admin.merge(&path("Engine", "", "older"), &revision("2")).await.expect("a new revision");
    let upgrade = |seen: &Value| component(seen, "Experiments")["reason"] == "UpgradeAvailable";
    team.until("hears of the revision", upgrade).await;
    stage.operator.restart().await.expect("restarted");
    settled(stage).await;
    let seen = team.until_ready().await;
    let held = component(&seen, "Experiments");
    assert!(upgrade(&seen) && held["state"] == "Ready", "{held}");

    // A version goes: its objects are kept in the other one.
    team.admin.merge(&path("CustomResourceDefinition", "", DEFINITION), &gadget(&["v1"])).await.expect("dropped");
    team.admin.merge(&path("Engine", "", "older"), &revision("1")).await.expect("the revision");
    team.until("is not held", |seen| component(seen, "Experiments")["reason"] == "Ready").await;
    team.admin.merge(&place("older"), &json!({"spec": {"size": "another"}})).await.expect("changed");
    team.until_there(&place("older"), |gadget| gadget["spec"]["size"] == "versions").await;

    // The kind goes, and comes back.
    team.admin.delete(&path("CustomResourceDefinition", "", DEFINITION)).await.expect("the kind goes");
    team.until_not_ready("Unavailable", "Gadget").await;
    team.admin.create(&gadget(&["v1"])).await.expect("the kind is back");
    team.until_there(&place("newer"), |_| true).await;
    team.until_ready().await;

    // What is taken out while nobody looks is removed all the same.
    stage.operator.stop().await.expect("stopped");
    team.edit(json!({"shared": {"experiments": null}})).await;
    stage.operator.resume().await.expect("started again");
    team.until_missing(&place("older")).await;

    // The other engine goes as well while nobody looks: what it wrote is known by the record.
    let record = team.object("ConfigMap", "backbone", "strata-record");
    let names = |record: &Value| record["data"]["record.json"].as_str().is_some_and(|text| text.contains("Gadget"));
    team.until_there(&record, names).await;
    stage.operator.stop().await.expect("stopped");
    // Something stays in Shared: without it the namespace would be retained as it is.
    team.edit(json!({"shared": {"featureStore": null, "models": {}}})).await;
    let meant = json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "true"}}});
    for name in ["newer", "older"] {
        let engine = path("Engine", "", name);
        team.admin.merge(&engine, &meant).await.expect("meant");
        team.admin.delete(&engine).await.expect("an engine goes");
    }
    // The version that the record names goes as well: the kind is followed in the other.
    let other = place("newer").replace("/v1/", "/v1beta1/");
    team.admin.merge(&path("CustomResourceDefinition", "", DEFINITION), &gadget(&["v1beta1"])).await.expect("dropped");
    team.until_there(&other, |_| true).await;
    stage.operator.resume().await.expect("started again");
    team.until_missing(&other).await;
    team.delete().await;
}

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
fn rights(plural: &str, group: &str) -> [Value; 2] {
    let name = format!("strata:engine:{plural}");
    let verbs = ["get", "list", "watch", "create", "patch", "update", "delete"];
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
        "rules": [{"apiGroups": [group], "resources": [plural], "verbs": verbs}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
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

    for object in rights("widgets", "example.com") {
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
