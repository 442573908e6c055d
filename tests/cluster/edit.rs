//! A changed team: what was added comes, what was taken goes, nothing else is
//! touched, and no more is written than what changed.

use serde_json::{Value, json};

use crate::actor::path;
use crate::count::{of_work, settled};
use crate::spec::{minimal, with_experiments};
use crate::stage::{alone, stage};
use crate::team::{Team, component};

#[tokio::test]
async fn a_new_project_costs_its_objects_and_no_more() {
    let team = Team::ready(stage().await, "grows", with_experiments(&json!({}))).await;
    let before = team.objects().await;
    let mark = team.mark();
    team.edit(json!({"projects": [{"name": "first"}, {"name": "late"}]})).await;
    let ready = team.until_ready().await;
    let after = team.objects().await;
    let new = after.keys().filter(|key| !before.contains_key(*key)).count();
    assert!(new >= 8, "only {new} new objects");
    assert_eq!(ready["status"]["summary"]["projects"], "2/2");
    for key in before.keys() {
        assert_eq!(before[key]["metadata"]["uid"], after[key]["metadata"]["uid"], "{key:?} was made anew");
    }
    let asked = team.asked(mark);
    let creates = asked.filter(|request| request.code == 201).count();
    let other = asked.writes().count() - creates;
    println!(
        "measured: a new project: {new} new objects, {creates} creates, {other} other writes, {} reads",
        asked.reads().count()
    );
    // Kubernetes itself makes the account `default`.
    assert_eq!(creates, new - 1, "{asked}");
    // The record, the budget divided anew, who may reach Shared, and the status.
    assert!(other <= 14, "{asked}");
}

#[tokio::test]
async fn another_member_changes_the_bindings_and_nothing_else() {
    let spec =
        json!({"members": [{"role": "DataScientist", "users": ["ana@example.com"]}], "projects": [{"name": "first"}]});
    let team = Team::ready(stage().await, "changes", spec).await;
    let binding = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
    let subject = |binding: &Value, user: &str| {
        binding["subjects"]
            == json!([{
                "kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io",
            }])
    };
    team.until_there(&binding, |binding| subject(binding, "ana@example.com")).await;
    let mark = team.mark();
    team.edit(json!({"members": [{"role": "DataScientist", "users": ["bo@example.com"]}]})).await;
    team.until_there(&binding, |binding| subject(binding, "bo@example.com")).await;
    team.until_ready().await;
    let written = team.asked(mark).writes().filter(|request| !request.resource.ends_with("/status"));
    let others =
        written.filter(|request| request.resource != "rolebindings" && request.resource != "clusterrolebindings");
    assert!(written.count() >= 2, "{written}");
    assert_eq!(others.count(), 0, "{others}");
    assert!(written.count() <= 3, "{written}");
}

#[tokio::test]
async fn another_level_is_another_binding() {
    let stage = stage().await;
    let team = Team::ready(stage, "promotes", minimal()).await;
    let before = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
    assert!(team.admin.find(&before).await.is_some());
    team.edit(json!({"members": [{"role": "MLEngineer", "groups": ["science"]}]})).await;
    team.until_there(&team.object("RoleBinding", "first", "strata-ml-engineer-own"), |_| true).await;
    team.until_missing(&before).await;
    team.until_ready().await;
}

#[tokio::test]
async fn a_capability_goes_and_its_data_stays() {
    let spec =
        with_experiments(&json!({"shared": {"experiments": {"storage": "5Gi"}, "featureStore": {"storage": "5Gi"}}}));
    let team = Team::ready(stage().await, "shrinks", spec).await;
    let server = team.object("Deployment", "shared", "mlflow");
    let claim = team.object("PersistentVolumeClaim", "shared", "mlflow");
    let uid = team.admin.get(&claim).await.expect("the claim")["metadata"]["uid"].clone();
    assert!(team.admin.find(&server).await.is_some());
    let connections = team.object("ConfigMap", "first", "connections");
    let tracking = |connections: &Value| connections["data"]["MLFLOW_TRACKING_URI"].is_string();
    assert!(tracking(&team.admin.get(&connections).await.expect("connections")));

    team.edit(json!({"shared": {"experiments": null}})).await;
    for gone in
        [&server, &team.object("Service", "shared", "mlflow"), &team.object("ServiceAccount", "shared", "mlflow")]
    {
        team.until_missing(gone).await;
    }
    team.until_there(&connections, |connections| !tracking(connections)).await;
    let ready = team.until_ready().await;
    assert!(component(&ready, "Experiments").is_null());
    assert_eq!(component(&ready, "FeatureStore")["state"], "Ready");
    assert_eq!(team.admin.get(&claim).await.expect("the claim stays")["metadata"]["uid"], uid);

    team.edit(json!({"shared": {"experiments": {"storage": "5Gi"}}})).await;
    team.until_there(&server, |_| true).await;
    team.until_ready().await;
    assert_eq!(team.admin.get(&claim).await.expect("the claim is used again")["metadata"]["uid"], uid);
}

#[tokio::test]
async fn a_project_gets_a_production_side_later() {
    let team = Team::ready(stage().await, "produces", minimal()).await;
    assert!(team.admin.find(&team.space_path("first--live")).await.is_none());
    let live = json!({"share": {"requests": {"cpu": 2, "memory": "8Gi"}}});
    team.edit(json!({"projects": [{"name": "first", "live": live}]})).await;
    let ready = team.until_ready().await;
    let space = team.admin.get(&team.space_path("first--live")).await.expect("the namespace");
    assert_eq!(space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    let quota = team.admin.get(&team.object("ResourceQuota", "first--live", "strata-quota")).await.expect("the quota");
    assert_eq!(quota["spec"]["hard"]["requests.cpu"], "2");
    assert_eq!(ready["status"]["namespaces"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn an_edit_of_a_blueprint_that_changes_no_object_is_reported() {
    let (_turn, stage) = alone().await;
    let admin = stage.admin().await;
    let default = admin.get(&path("Blueprint", "", "default")).await.expect("the default Blueprint");
    let site = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": "edited"},
        "spec": default["spec"],
    });
    admin.create(&site).await.expect("a Blueprint");
    let mut teams = Vec::new();
    for name in ["edits-one", "edits-two", "edits-three"] {
        let team = Team::create(stage, name, with_experiments(&json!({"blueprint": "edited"}))).await;
        teams.push(team);
    }
    for team in &teams {
        team.until_ready().await;
    }
    settled(stage).await;
    let mark = stage.plane.audit().mark();
    let edit = json!({"spec": {"images": {"another": "registry.example.com/another:1"}, "sizes": [{"name": "tiny"}]}});
    let edited = admin.merge(&path("Blueprint", "", "edited"), &edit).await.expect("edited");
    let generation = edited["metadata"]["generation"].clone();
    for team in &teams {
        team.until("tells the generation", |team| team["status"]["blueprint"]["generation"] == generation).await;
    }
    settled(stage).await;
    let asked = of_work(&stage.asked(mark));
    println!("measured: an edit of a Blueprint that changes no object: {} requests for 3 teams", asked.count());
    let objects = asked.filter(|request| !request.resource.ends_with("/status"));
    assert_eq!(objects.count(), 0, "{objects}");
    for team in &teams {
        assert!(team.asked(mark).count() <= 1, "{}", team.asked(mark));
    }
}
