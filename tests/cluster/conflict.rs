//! Names that others have: nothing of theirs is touched, the status says whose
//! turn it is, and everything else goes on.

use serde_json::{Value, json};

use crate::spec::{minimal, with_experiments};
use crate::stage::stage;
use crate::team::{Team, component, condition};

fn space<'a>(team: &'a Value, name: &str) -> &'a Value {
    let spaces = team["status"]["namespaces"].as_array();
    spaces.into_iter().flatten().find(|space| space["name"] == name).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn a_foreign_namespace_is_left_alone() {
    let team = Team::named(stage().await, "clashes").await;
    let foreign = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "clashes--first", "labels": {"mine": "yes"}},
    });
    let foreign = team.admin.create(&foreign).await.expect("somebody's namespace");
    let mut spec = minimal();
    spec["projects"] = json!([{"name": "first"}, {"name": "second"}]);
    let mark = team.mark();
    team.write(spec).await;
    let seen = team.until_not_ready("Conflict", "clashes--first").await;
    assert_eq!(condition(&seen, "Stalled")["status"], "True", "a person has to fix it");
    assert_eq!(condition(&seen, "BackboneReady")["status"], "True");
    assert_eq!(space(&seen, "clashes--first")["reason"], "Conflict");
    assert_eq!(space(&seen, "clashes--second")["ready"], true, "the rest is not provisioned");
    assert!(team.admin.find(&team.object("RoleBinding", "second", "strata-data-scientist-contribute")).await.is_some());
    let now = team.admin.get(&team.space_path("first")).await.expect("it is still there");
    assert_eq!(now["metadata"]["labels"], foreign["metadata"]["labels"]);
    assert_eq!(now["metadata"]["managedFields"], foreign["metadata"]["managedFields"]);
    let inside = team.asked(mark).writes().filter(|request| request.namespace == "clashes--first");
    assert_eq!(inside.count(), 0, "{inside}");
    assert_eq!(
        team.asked(mark)
            .resource("namespaces")
            .filter(|request| request.name == "clashes--first" && request.code < 300)
            .writes()
            .count(),
        0
    );

    team.admin.delete(&team.space_path("first")).await.expect("its owner removes it");
    let ready = team.until_ready().await;
    assert_eq!(space(&ready, "clashes--first")["ready"], true);
}

#[tokio::test]
async fn another_teams_namespaces_are_not_taken() {
    // The names cannot collide: `a-b` and `c`, `a` and `b-c`.
    let stage = stage().await;
    let one = Team::ready(stage, "near", json!({"projects": [{"name": "by-here"}]})).await;
    let other = Team::ready(stage, "near-by", json!({"projects": [{"name": "here"}]})).await;
    let of = |team: &str| format!("/api/v1/namespaces?labelSelector=strata-operator.dev/team={team}");
    let names = |items: Vec<Value>| items.iter().map(|item| item["metadata"]["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(one.admin.list(&of("near")).await), ["near--backbone", "near--by-here"]);
    assert_eq!(names(other.admin.list(&of("near-by")).await), ["near-by--backbone", "near-by--here"]);
}

#[tokio::test]
async fn a_foreign_workload_of_the_same_name_is_left_alone() {
    let spec = with_experiments(&json!({"shared": {"featureStore": {"storage": "5Gi"}}}));
    let team = Team::ready(stage().await, "occupied", spec).await;
    let server = team.object("Deployment", "shared", "mlflow");
    let foreign = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mlflow", "namespace": team.space("shared")},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "main", "image": "registry.example.com/x:1"}]}},
        },
    });
    let foreign = team.admin.create(&foreign).await.expect("somebody's Deployment");
    team.edit(json!({"shared": {"experiments": {"storage": "5Gi"}}})).await;
    let seen = team.until_not_ready("Conflict", "mlflow").await;
    assert_eq!(component(&seen, "Experiments")["state"], "Failed");
    assert_eq!(component(&seen, "Experiments")["reason"], "Conflict");
    assert_eq!(component(&seen, "FeatureStore")["state"], "Ready", "the other component waits too");
    let now = team.admin.get(&server).await.expect("it is still there");
    assert_eq!(now["spec"], foreign["spec"]);
    assert!(now["metadata"]["labels"]["strata-operator.dev/team"].is_null(), "{}", now["metadata"]);
    for kind in ["PersistentVolumeClaim", "Service"] {
        let beside = team.admin.find(&team.object(kind, "shared", "mlflow")).await;
        assert!(beside.is_none(), "there is a {kind} for a server that is somebody else's");
    }
    team.admin.delete(&server).await.expect("its owner removes it");
    // Nobody watches what is not ours: it is looked at again once a minute.
    let ready = team.until_ready().await;
    assert_eq!(component(&ready, "Experiments")["state"], "Ready");
}

#[tokio::test]
async fn all_that_others_have_is_named() {
    let team = Team::ready(stage().await, "crammed", with_experiments(&json!({"shared": {"models": {}}}))).await;
    let space = team.space("shared");
    let server = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mlflow", "namespace": space},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "main", "image": "registry.example.com/x:1"}]}},
        },
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "mlflow", "namespace": space},
        "spec": {"ports": [{"port": 5000}]},
    });
    team.edit(json!({"managementPolicy": "Suspend"})).await;
    team.until_not_ready("Suspended", "managementPolicy").await;
    for theirs in [&server, &service] {
        let path = crate::actor::path_of(theirs);
        drop(team.admin.delete(&path).await);
        let made = harness::wait::until("its name is free", 30, async || {
            team.admin.create(theirs).await.map(drop).map_err(|refused| refused.message)
        });
        made.await.unwrap();
    }
    team.edit(json!({"managementPolicy": "Enforce"})).await;
    let seen = team.until_not_ready("Conflict", "mlflow").await;
    let says = component(&seen, "Models")["message"].to_string();
    for kind in ["Deployment", "Service"] {
        assert!(says.contains(&format!("{kind} crammed--shared/mlflow")), "{kind} is not named: {says}");
    }
}
