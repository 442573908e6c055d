//! What is broken or missing stops what depends on it and nothing else: engines,
//! Blueprints, suspended teams, Secrets. Rights go all the same.

use harness::wait;
use serde_json::{Value, json};

use crate::actor::path;
use crate::spec::{minimal, with_experiments};
use crate::stage::{Stage, stage};
use crate::team::{Team, component, condition};

/// An engine for experiments whose only object takes this value.
fn engine(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Engine", "metadata": {"name": name},
        "spec": {
            "description": "An engine of a test", "capabilities": ["Experiments"], "revision": "1",
            "objects": [{"id": "settings", "template": {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{name}-settings")}, "data": {"VALUE": value},
            }}],
        },
    })
}

/// A Blueprint like the default one, by another name.
async fn blueprint(stage: &Stage, name: &str) -> Value {
    let default = stage.admin().await.get(&path("Blueprint", "", "default")).await.expect("the default Blueprint");
    json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": name}, "spec": default["spec"],
    })
}

#[tokio::test]
async fn a_broken_engine_breaks_its_component_alone() {
    let stage = stage().await;
    let admin = stage.admin().await;
    admin.create(&engine("crooked", "${team.name +}")).await.expect("an engine with a broken expression");
    let spec = with_experiments(
        &json!({"shared": {"experiments": {"engine": "crooked"}, "featureStore": {"storage": "5Gi"}}}),
    );
    let team = Team::create(stage, "crooks", spec).await;
    let seen = team.until_not_ready("EngineInvalid", "crooked").await;
    assert_eq!(condition(&seen, "Stalled")["status"], "True");
    let failed = component(&seen, "Experiments");
    assert_eq!((&failed["state"], &failed["reason"]), (&json!("Failed"), &json!("EngineInvalid")), "{failed}");
    team.until("has its features", |seen| component(seen, "FeatureStore")["state"] == "Ready").await;
    let reported = team
        .until_there(&path("Engine", "", "crooked"), |engine| condition(engine, "Ready")["status"] == "False")
        .await;
    assert_eq!(condition(&reported, "Ready")["reason"], "EngineInvalid", "{}", reported["status"]);
    // Others, with the built-in engine, are not held up.
    let other = Team::ready(stage, "straight", with_experiments(&json!({}))).await;
    assert_eq!(component(&other.get().await, "Experiments")["engine"], "mlflow");

    let fixed = engine("crooked", "${team.name}")["spec"].clone();
    admin.merge(&path("Engine", "", "crooked"), &json!({"spec": fixed})).await.expect("fixed");
    team.until_ready().await;
    let settings = admin.get(&team.object("ConfigMap", "shared", "crooked-settings")).await.expect("its object");
    assert_eq!(settings["data"]["VALUE"], "crooks");

    // Broken again, what it wrote stays.
    let broken = engine("crooked", "${nothing.of.that}")["spec"].clone();
    admin.merge(&path("Engine", "", "crooked"), &json!({"spec": broken})).await.expect("broken");
    team.until_not_ready("EngineInvalid", "crooked").await;
    assert!(admin.find(&team.object("ConfigMap", "shared", "crooked-settings")).await.is_some(), "it was pruned");
}

#[tokio::test]
async fn an_engine_shows_its_capabilities_as_text() {
    let admin = stage().await.admin().await;
    let mut several = engine("several", "${team.name}");
    several["spec"]["capabilities"] = json!(["Models", "Experiments"]);
    admin.create(&several).await.expect("an engine of two capabilities");
    let there = path("Engine", "", "several");
    harness::wait::until("the engine is ready", 60, async || {
        let engine = admin.get(&there).await.expect("the engine");
        (condition(&engine, "Ready")["status"] == "True").then_some(()).ok_or_else(|| engine["status"].to_string())
    })
    .await
    .expect("the engine is ready");
    let table = admin.table(&there).await;
    let columns = table["columnDefinitions"].as_array().expect("columns");
    let column = columns.iter().position(|column| column["name"] == "Capabilities").expect("the column");
    assert_eq!(table["rows"][0]["cells"][column], "Models, Experiments", "{table}");
    admin.delete(&there).await.expect("deleted");
}

#[tokio::test]
async fn an_engine_that_is_nowhere_is_said_so() {
    let spec = with_experiments(&json!({"shared": {"experiments": {"engine": "nowhere"}}}));
    let team = Team::create(stage().await, "wishes", spec).await;
    let seen = team.until_not_ready("EngineMissing", "nowhere").await;
    assert_eq!(condition(&seen, "ProjectsReady")["status"], "True", "the projects wait for it");
    team.edit(json!({"shared": {"experiments": {"engine": "mlflow", "storage": "5Gi"}}})).await;
    team.until_ready().await;
}

/// A team with two people, of whom one leaves while nothing else may happen.
fn two_people(blueprint: &str) -> Value {
    let mut spec = with_experiments(&json!({"blueprint": blueprint}));
    spec["members"] = json!([
        {"role": "DataScientist", "users": ["ana@example.com", "bo@example.com"]},
        {"role": "MLEngineer", "users": ["cy@example.com"]},
    ]);
    spec
}

/// One leaves, one joins, one changes: rights go, and none come.
async fn rights_go_and_none_come(team: &Team) {
    let of_scientists = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
    let of_engineer = team.object("RoleBinding", "first", "strata-ml-engineer-own");
    assert!(team.admin.find(&of_engineer).await.is_some());
    let members = json!([{"role": "DataScientist", "users": ["ana@example.com", "eve@example.com"]}]);
    team.edit(json!({"members": members})).await;
    team.until_missing(&of_engineer).await;
    let left = team
        .until_there(&of_scientists, |binding| binding["subjects"].as_array().is_some_and(|all| all.len() == 1))
        .await;
    assert_eq!(left["subjects"][0]["name"], "ana@example.com");
    let readers = path("ClusterRoleBinding", "", &format!("strata:team:{}", team.name));
    team.until_there(&readers, |binding| binding["subjects"].as_array().is_some_and(|all| all.len() == 1)).await;
}

/// Nothing but the removal of rights is written.
async fn nothing_else_is_written(team: &Team) {
    let added = team.object("NetworkPolicy", "first", "strata-default-deny");
    let gone = team.object("ConfigMap", "first", "connections");
    team.admin.merge(&added, &json!({"spec": {"egress": [{}]}})).await.expect("changed");
    team.admin.delete(&gone).await.expect("deleted");
    let mark = team.mark();
    rights_go_and_none_come(team).await;
    let written = team.asked(mark).writes().filter(|request| !request.resource.ends_with("/status"));
    assert!(written.count() > 0, "rights went without a request");
    let others = written.filter(|request| !request.resource.ends_with("rolebindings"));
    assert_eq!(others.count(), 0, "{others}");
    assert!(team.admin.find(&gone).await.is_none());
    assert!(team.admin.get(&added).await.expect("the policy")["spec"]["egress"].is_array());
    assert!(team.admin.find(&team.object("Deployment", "shared", "mlflow")).await.is_some(), "it was pruned");
}

/// Everything is put right once more.
async fn is_put_right(team: &Team) {
    team.until_ready().await;
    team.until_there(&team.object("ConfigMap", "first", "connections"), |_| true).await;
    let policy = team.object("NetworkPolicy", "first", "strata-default-deny");
    team.until_there(&policy, |policy| policy["spec"]["egress"].is_null()).await;
    let binding = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
    team.until_there(&binding, |binding| binding["subjects"].as_array().is_some_and(|all| all.len() == 2)).await;
}

#[tokio::test]
async fn a_missing_blueprint_holds_its_teams_and_revokes() {
    let stage = stage().await;
    let admin = stage.admin().await;
    let wanted = blueprint(stage, "vanishing").await;
    admin.create(&wanted).await.expect("a Blueprint");
    let team = Team::ready(stage, "bereft", two_people("vanishing")).await;
    let at = path("Blueprint", "", "vanishing");
    team.until_there(&at, |blueprint| blueprint["status"]["teams"] == 1).await;
    let refused = admin.delete(&at).await.expect_err("a Blueprint in use is deleted");
    assert!(refused.message.contains("allow-deletion"), "{refused:?}");
    let meant = json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "true"}}});
    admin.merge(&at, &meant).await.expect("meant");
    admin.delete(&at).await.expect("deleted");
    let seen = team.until_not_ready("BlueprintMissing", "vanishing").await;
    assert_eq!(condition(&seen, "Stalled")["status"], "True");
    assert_eq!(seen["status"]["namespaces"].as_array().map(Vec::len), Some(3), "what is known of it is forgotten");
    nothing_else_is_written(&team).await;
    admin.create(&wanted).await.expect("the Blueprint again");
    is_put_right(&team).await;
}

#[tokio::test]
async fn a_blueprint_that_cannot_be_followed_holds_its_teams() {
    let stage = stage().await;
    let admin = stage.admin().await;
    admin.create(&blueprint(stage, "shifting").await).await.expect("a Blueprint");
    let mut spec = minimal();
    spec["blueprint"] = json!("shifting");
    let team = Team::ready(stage, "shifted", spec).await;
    let required = json!({"spec": {"labels": {"required": ["cost-center"]}}});
    admin.merge(&path("Blueprint", "", "shifting"), &required).await.expect("changed");
    team.until_not_ready("Invalid", "cost-center").await;
    assert!(team.admin.find(&team.object("ConfigMap", "first", "connections")).await.is_some(), "it was pruned");
    team.edit(json!({"labels": {"cost-center": "4711"}})).await;
    team.until_ready().await;
    let space = team.admin.get(&team.space_path("first")).await.expect("the namespace");
    assert_eq!(space["metadata"]["labels"]["cost-center"], "4711");
}

#[tokio::test]
async fn a_suspended_team_is_left_alone_but_for_rights() {
    let team = Team::ready(stage().await, "suspended", two_people("default")).await;
    team.edit(json!({"managementPolicy": "Suspend"})).await;
    let seen = team.until_not_ready("Suspended", "managementPolicy").await;
    assert!(condition(&seen, "Stalled").is_null(), "somebody wanted it so");
    nothing_else_is_written(&team).await;
    team.edit(json!({"managementPolicy": "Enforce"})).await;
    is_put_right(&team).await;
}

#[tokio::test]
async fn a_missing_secret_is_named_until_it_is_there() {
    let spec = with_experiments(&json!({"shared": {"experiments": {
        "credentials": {"secret": "database"}, "parameters": {"database": "Secret"},
    }}}));
    let team = Team::create(stage().await, "secretive", spec).await;
    let seen = team.until_not_ready("SecretMissing", "database").await;
    let missing = &seen["status"]["missing"];
    assert_eq!(missing.as_array().map(Vec::len), Some(1), "{missing}");
    assert_eq!(missing[0]["secret"], "database");
    assert_eq!((&missing[0]["namespace"], &missing[0]["wantedBy"]), (&json!("secretive--shared"), &json!("mlflow")));
    assert_eq!(component(&seen, "Experiments")["reason"], "SecretMissing");
    assert!(condition(&seen, "Stalled").is_null(), "it passes by itself once the Secret is there");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database", "namespace": "secretive--shared"},
        "stringData": {"MLFLOW_BACKEND_STORE_URI": "postgresql://db.example.com/x"},
    });
    team.admin.create(&secret).await.expect("the Secret");
    let ready = team.until_ready().await;
    assert!(ready["status"]["missing"].is_null(), "{}", ready["status"]["missing"]);
}

#[tokio::test]
async fn a_pod_that_does_not_start_is_reported_and_recovers() {
    let stage = stage().await;
    let team = Team::ready(stage, "crashes", with_experiments(&json!({}))).await;
    let pods = "/api/v1/namespaces/crashes--shared/pods";
    let pod =
        wait::until("a pod", 30, async || team.admin.list(pods).await.pop().ok_or("none".to_owned())).await.unwrap();
    let at = format!("{pods}/{}/status", pod["metadata"]["name"].as_str().unwrap_or_default());
    let waiting = json!({"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"});
    let status = json!({"status": {
        "conditions": [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "False"}],
        "containerStatuses": [{
            "name": "mlflow", "image": "x", "imageID": "", "ready": false, "restartCount": 3, "state": {"waiting": waiting},
        }],
    }});
    team.admin.merge(&at, &status).await.expect("the pod fails");
    let seen = team.until_not_ready("PodFailing", "CrashLoopBackOff").await;
    assert_eq!(component(&seen, "Experiments")["state"], "Progressing", "it may pass by itself");
    team.admin
        .delete(&format!("{pods}/{}", pod["metadata"]["name"].as_str().unwrap_or_default()))
        .await
        .expect("restarted");
    team.until_ready().await;
}

#[tokio::test]
async fn a_new_team_that_is_invalid_says_nothing_of_bindings() {
    // What the Blueprint grants by default the operator alone compares with shares.
    let spec = json!({
        "members": [{"role": "DataScientist", "groups": ["science"]}],
        "projects": [{"name": "p", "live": {"share": {"requests": {"cpu": 100_000}}}}],
    });
    let team = Team::create(stage().await, "misbegotten", spec).await;
    let seen = team.until_not_ready("Invalid", "the shares together need requests.cpu 100k").await;
    let says = condition(&seen, "Ready")["message"].to_string();
    assert!(!says.contains("bindings"), "{says}");
}
