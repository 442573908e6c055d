//! An operator that is older than what was written: a Blueprint, a team and a record
//! with words that it does not know cost nobody their rights, and who left leaves.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::actor::path;
use crate::spec::with_experiments;
use crate::stage::{Stage, alone, stage};
use crate::team::{Team, component, condition};

/// Lets the API server take words and roles that this program cannot read, as after an
/// upgrade of the definitions and a rollback of the operator.
async fn any_word(stage: &Stage) {
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let level = json!([{"op": "remove", "path": format!("{spec}/roles/items/properties/live/enum")}]);
    let (member, any) = (format!("{spec}/members/items"), json!({"x-kubernetes-preserve-unknown-fields": true}));
    let people = json!([
        {"op": "remove", "path": format!("{spec}/projects/items/properties/priority/enum")},
        {"op": "remove", "path": format!("{member}/x-kubernetes-validations")},
        {"op": "replace", "path": format!("{member}/properties/users"), "value": any},
    ]);
    for (definition, wider) in [("blueprints", level), ("aiteams", people)] {
        let at = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition}.strata-operator.dev");
        // Another test may have done it already.
        let _ = stage.admin().await.patch(&at, &wider).await;
    }
}

/// Writes a change until the API server knows the wider schema.
async fn until_taken(stage: &Stage, path: &str, change: &Value) {
    let admin = stage.admin().await;
    let taken = harness::wait::until("the wider schema is served", 30, async || {
        admin.merge(path, change).await.map(|_| ()).map_err(|refused| refused.message)
    });
    taken.await.unwrap();
}

/// A Blueprint of one's own.
async fn site(stage: &Stage, name: &str) -> String {
    let admin = stage.admin().await;
    let default = admin.get(&path("Blueprint", "", "default")).await.expect("the default Blueprint");
    let spec = default["spec"].clone();
    let site = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": name}, "spec": spec,
    });
    admin.create(&site).await.expect("a Blueprint");
    path("Blueprint", "", name)
}

/// Three people with rights of their own.
fn three_people(blueprint: &str) -> Value {
    let mut spec = with_experiments(&json!({"blueprint": blueprint}));
    spec["members"] = json!([
        {"role": "DataScientist", "users": ["ana@example.com", "bo@example.com"]},
        {"role": "MLEngineer", "users": ["cy@example.com"]},
    ]);
    spec
}

/// Who is bound to what, in every namespace of the team and cluster-wide.
pub async fn bound(team: &Team) -> BTreeSet<(String, String)> {
    let objects = team.objects().await.into_iter();
    let bindings = objects.filter(|((kind, ..), _)| kind.ends_with("RoleBinding"));
    let all = bindings.flat_map(|((_, namespace, name), binding)| {
        let subjects = binding["subjects"].as_array().cloned().unwrap_or_default();
        subjects.into_iter().map(move |subject| {
            (format!("{namespace}/{name}"), subject["name"].as_str().unwrap_or_default().to_owned())
        })
    });
    all.collect()
}

/// How many bindings a person is in.
pub fn of(bound: &BTreeSet<(String, String)>, person: &str) -> usize {
    bound.iter().filter(|(_, name)| name.ends_with(&format!("{person}@example.com"))).count()
}

/// Waits until somebody has no right left, and says who has what then.
pub async fn until_left(team: &Team, person: &str) -> BTreeSet<(String, String)> {
    let left = harness::wait::until(format!("{person} has no right of {}", team.name), 60, async || {
        let bound = bound(team).await;
        if of(&bound, person) == 0 { Ok(bound) } else { Err(format!("{bound:?}")) }
    });
    left.await.unwrap()
}

/// What stands before the names of people on the stage of one's own.
const PREFIX: [&str; 1] = ["--user-prefix=oidc:"];

#[tokio::test]
async fn a_level_of_a_newer_blueprint_costs_nobody_their_rights() {
    let (_turn, stage) = alone().await;
    let at = site(stage, "newer").await;
    stage.operator.stop().await.expect("stopped");
    stage.operator.resume_with(&PREFIX).await.expect("started with a prefix");
    let team = Team::ready(stage, "rolled-back", three_people("newer")).await;
    let before = bound(&team).await;
    assert!(of(&before, "oidc:ana") >= 3 && of(&before, "oidc:cy") >= 3, "{before:?}");
    any_word(stage).await;
    let dream = json!({"spec": {"roles": [{"name": "MLEngineer", "live": "Dream"}]}});
    until_taken(stage, &at, &dream).await;
    team.until_not_ready("BlueprintInvalid", "newer").await;
    // One that is started now, and without a configured prefix, knows no more than the cluster says.
    stage.operator.stop().await.expect("stopped");
    stage.operator.resume().await.expect("started again");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(bound(&team).await, before, "rights went with a word that nobody knows");
    // Who leaves now leaves, who joins does not come, and the others stay.
    let members = json!([{"role": "DataScientist", "users": ["ana@example.com", "eve@example.com"]},
        {"role": "MLEngineer", "users": ["cy@example.com"]}]);
    team.edit(json!({"members": members})).await;
    let after = until_left(&team, "bo").await;
    assert_eq!((of(&after, "ana"), of(&after, "cy"), of(&after, "eve")), (of(&before, "ana"), of(&before, "cy"), 0));
    team.admin.merge(&at, &json!({"spec": {"roles": null}})).await.expect("rolled forward");
    team.until_ready().await;
    assert!(of(&bound(&team).await, "oidc:eve") > 0);
    team.delete().await;
    team.until_gone().await;
}

#[tokio::test]
async fn a_member_of_a_newer_team_costs_nobody_their_rights() {
    let stage = stage().await;
    site(stage, "newer-team").await;
    let team = Team::ready(stage, "promoted", three_people("newer-team")).await;
    let before = bound(&team).await;
    any_word(stage).await;
    // One of them is named in a form that this program does not know; another leaves.
    let members = json!([{"role": "DataScientist", "users": ["ana@example.com"]},
        {"role": "MLEngineer", "users": "bo@example.com"}]);
    let projects = json!([{"name": "first", "priority": "Utmost"}]);
    until_taken(stage, &team.path(), &json!({"spec": {"members": members, "projects": projects}})).await;
    team.until_not_ready("Invalid", "cannot read the spec").await;
    let after = until_left(&team, "cy").await;
    assert_eq!((of(&after, "ana"), of(&after, "bo")), (of(&before, "ana"), of(&before, "bo")), "{after:?}");
    let members = json!([{"role": "DataScientist", "users": ["ana@example.com"]}]);
    team.edit(json!({"members": members, "projects": [{"name": "first"}]})).await;
    team.until_ready().await;
    assert_eq!(of(&bound(&team).await, "bo"), 0);
}

#[tokio::test]
async fn unreadable_record_is_kept_and_revokes_nobody() {
    let stage = stage().await;
    let blueprint = site(stage, "unremembered").await;
    let team = Team::ready(stage, "forgetful", three_people("unremembered")).await;
    let before = bound(&team).await;
    let at = team.object("ConfigMap", "backbone", "strata-record");
    let record = team.admin.get(&at).await.expect("the record")["data"].clone();
    let newer = json!({"record.json": "{\"version\": 9, \"team\": \"forgetful\"}"});
    team.admin.merge(&at, &json!({"data": newer})).await.expect("written by another version");
    let seen = team.until_not_ready("RecordUnreadable", "strata-record").await;
    assert_eq!(condition(&seen, "Stalled")["status"], "True");
    assert_eq!(component(&seen, "Experiments")["engine"], "mlflow", "the choice is forgotten");
    // The Blueprint says what roles may do, and the namespaces what stands before names.
    let members = json!([{"role": "DataScientist", "users": ["ana@example.com"]},
        {"role": "MLEngineer", "users": ["cy@example.com"]}]);
    team.edit(json!({"members": members})).await;
    let after = until_left(&team, "bo").await;
    assert_eq!((of(&after, "ana"), of(&after, "cy")), (of(&before, "ana"), of(&before, "cy")));
    // Without it nothing says so.
    let wanted = team.admin.get(&blueprint).await.expect("the Blueprint");
    let meant = json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "true"}}});
    team.admin.merge(&blueprint, &meant).await.expect("meant");
    team.admin.delete(&blueprint).await.expect("deleted");
    team.until_not_ready("RecordUnreadable", "No person is removed").await;
    team.edit(json!({"members": [{"role": "DataScientist", "users": ["ana@example.com"]}]})).await;
    team.until("has seen the edit", |team| team["status"]["observedGeneration"] == team["metadata"]["generation"])
        .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bound(&team).await, after, "somebody was guessed at");
    assert_eq!(team.admin.get(&at).await.expect("the record")["data"], newer, "the record was written over");
    let again = json!({"apiVersion": wanted["apiVersion"], "kind": "Blueprint", "metadata": {"name": "unremembered"},
        "spec": wanted["spec"]});
    team.admin.create(&again).await.expect("the Blueprint again");
    team.admin.merge(&at, &json!({"data": record})).await.expect("the record again");
    team.until_ready().await;
    assert_eq!(of(&bound(&team).await, "cy"), 0);
}
