//! Roles of the site's own: they give rights, change, and take their rights along when they
//! leave the Blueprint; a role that nobody defined gives nothing and is reported.

use serde_json::{Value, json};

use crate::actor::path;
use crate::rollback::{bound, of, until_left};
use crate::spec::with_experiments;
use crate::stage::{Stage, stage};
use crate::team::{Team, condition};

/// A Blueprint that has the role Analyst, and its path.
async fn with_analyst(stage: &Stage, name: &str) -> (Value, String) {
    let admin = stage.admin().await;
    let default = admin.get(&path("Blueprint", "", "default")).await.expect("the default Blueprint");
    let mut spec = default["spec"].clone();
    spec["roles"] = json!([{"name": "Analyst", "shared": "Use", "workspace": "View"}]);
    let site = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": name}, "spec": spec,
    });
    admin.create(&site).await.expect("a Blueprint");
    (site, path("Blueprint", "", name))
}

fn spec(blueprint: &str, members: &Value) -> Value {
    let mut spec = with_experiments(&json!({"blueprint": blueprint}));
    spec["members"] = members.clone();
    spec
}

#[tokio::test]
async fn a_role_of_the_site_gives_rights_and_takes_them_along() {
    let stage = stage().await;
    let (_, at) = with_analyst(stage, "analysts").await;
    let members = json!([
        {"role": "Analyst", "users": ["mia@example.com"]}, {"role": "Analist", "users": ["eve@example.com"]},
        {"role": "MLEngineer", "users": ["ana@example.com"]},
    ]);
    let team = Team::ready(stage, "analysed", spec("analysts", &members)).await;
    let binding = |end: &str, level: &str| team.object("RoleBinding", end, &format!("strata-analyst-{level}"));
    team.until_there(&binding("shared", "use"), |_| true).await;
    team.until_there(&binding("first", "view"), |binding| binding["roleRef"]["name"] == "strata:workspace:view").await;
    // A word that nobody defined costs nobody else anything.
    let seen = team.until("says which role is not defined", |team| {
        condition(team, "AllFieldsSupported")["reason"] == "RoleUndefined"
    });
    let told = condition(&seen.await, "AllFieldsSupported")["message"].as_str().unwrap_or_default().to_owned();
    for words in ["Analist in spec.members", "did you mean Analyst?", "ProjectManager, Analyst"] {
        assert!(told.contains(words), "{told}");
    }
    let before = bound(&team).await;
    // Everybody reads the team's own object.
    assert_eq!((of(&before, "eve"), of(&before, "mia")), (1, 3), "{before:?}");
    let reported = team.until_there(&at, |site| condition(site, "RolesDefined")["status"] == "False").await;
    let told = condition(&reported, "RolesDefined")["message"].as_str().unwrap_or_default();
    assert!(told.contains("Analist in team analysed"), "{told}");
    assert_eq!(condition(&reported, "Ready")["status"], "True", "{reported}");

    let roles = json!({"spec": {"roles": [{"name": "Analyst", "workspace": "Contribute"}]}});
    team.admin.merge(&at, &roles).await.expect("other cells");
    team.until_there(&binding("first", "contribute"), |_| true).await;
    team.until_missing(&binding("first", "view")).await;
    team.until_missing(&binding("shared", "use")).await;

    team.admin.merge(&at, &json!({"spec": {"roles": []}})).await.expect("no role of its own");
    team.until_missing(&binding("first", "contribute")).await;
    team.until("is ready without them", |team| {
        let told = condition(team, "AllFieldsSupported")["message"].as_str().unwrap_or_default();
        told.contains("Analyst in spec.members") && condition(team, "Ready")["status"] == "True"
    })
    .await;
    let after = bound(&team).await;
    assert_eq!((of(&after, "mia"), of(&after, "ana")), (1, of(&before, "ana")), "{after:?}");
    let told = "Analyst in team analysed";
    team.until_there(&at, |site| {
        condition(site, "RolesDefined")["message"].as_str().unwrap_or_default().contains(told)
    })
    .await;
    team.edit(json!({"members": [{"role": "MLEngineer", "users": ["ana@example.com"]}]})).await;
    team.until_there(&at, |site| condition(site, "RolesDefined")["status"] == "True").await;
}

#[tokio::test]
async fn without_its_blueprint_a_role_of_the_site_is_known_by_the_record() {
    let stage = stage().await;
    let (wanted, at) = with_analyst(stage, "remembered").await;
    let people = |users: &[&str]| json!([{"role": "Analyst", "users": users}]);
    let members = people(&["mia@example.com", "bo@example.com"]);
    let team = Team::ready(stage, "remembering", spec("remembered", &members)).await;
    let before = bound(&team).await;
    assert_eq!(of(&before, "mia"), 3, "{before:?}");
    let meant = json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "true"}}});
    team.admin.merge(&at, &meant).await.expect("meant");
    team.admin.delete(&at).await.expect("deleted");
    team.until_not_ready("BlueprintMissing", "remembered").await;
    team.edit(json!({"members": people(&["mia@example.com", "eve@example.com"])})).await;
    let after = until_left(&team, "bo").await;
    assert_eq!((of(&after, "mia"), of(&after, "eve")), (3, 0), "{after:?}");
    team.admin.create(&wanted).await.expect("the Blueprint again");
    team.until_ready().await;
    assert_eq!(of(&bound(&team).await, "eve"), 3);
}
