//! What the API server puts before names: an operator configured with another prefix
//! renames nobody who did not agree.

use serde_json::{Value, json};

use crate::actor::collection;
use crate::spec::everything;
use crate::stage::alone;
use crate::team::{TEAM, Team, condition, is_ready};

/// The prefixes of the operator here, and as a team accepts them.
const TOLD: [&str; 2] = ["--user-prefix=oidc:", "--group-prefix=corp/"];
const ACCEPTED: &str = "user=oidc:,group=corp/";

/// Everybody who is bound somewhere in the team or to its object, each once.
async fn bound(team: &Team) -> Vec<String> {
    let mut all = Vec::new();
    for kind in ["RoleBinding", "ClusterRoleBinding"] {
        let list = format!("{}?labelSelector={TEAM}={}", collection(kind, None), team.name);
        for binding in team.admin.list(&list).await {
            let subjects = binding["subjects"].as_array().cloned().unwrap_or_default();
            let people = subjects.into_iter().filter(|subject| subject["kind"] != "ServiceAccount");
            all.extend(people.filter_map(|subject| subject["name"].as_str().map(str::to_owned)));
        }
    }
    all.sort();
    all.dedup();
    all
}

/// The prefixes on each of the team's namespaces.
async fn written(team: &Team) -> Vec<(Value, Value)> {
    let spaces =
        team.admin.list(&format!("{}?labelSelector={TEAM}={}", collection("Namespace", None), team.name)).await;
    let of = |space: &Value, end: &str| space["metadata"]["annotations"][format!("strata-operator.dev/{end}")].clone();
    spaces.iter().map(|space| (of(space, "user-prefix"), of(space, "group-prefix"))).collect()
}

fn waits(team: &Value) -> bool {
    condition(team, "AllFieldsSupported")["reason"] == "PrefixNotAccepted"
}

async fn follows(team: &Team, new: &Team) {
    let before = bound(team).await;
    assert!(before.iter().any(|name| name == "ana@example.com") && before.iter().any(|name| name == "ml"));
    // Many passes, and nothing changes but what is said.
    team.edit(json!({"description": "edited"})).await;
    let waiting = team.until("says that it waits", |team| is_ready(team) && waits(team)).await;
    let message = condition(&waiting, "AllFieldsSupported")["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("(user=,group=)") && message.contains(&format!("accept-prefix='{ACCEPTED}'")),
        "{message}"
    );
    assert_eq!(bound(team).await, before);
    assert!(written(team).await.iter().all(|prefixes| *prefixes == (json!(""), json!(""))));
    // A new team has them at once.
    new.write(everything()).await;
    new.until_ready().await;
    assert!(bound(new).await.iter().all(|name| name.starts_with("oidc:") || name.starts_with("corp/")));
    // Other words than these accept nothing, whatever else is edited.
    let accept = |words: &str| json!({"metadata": {"annotations": {"strata-operator.dev/accept-prefix": words}}});
    let mut other = accept("user=oidc:,group=");
    other["spec"] = json!({"description": "edited again"});
    team.admin.merge(&team.path(), &other).await.expect("annotated");
    team.until("is ready, and waits", |team| is_ready(team) && waits(team)).await;
    assert_eq!(bound(team).await, before);
    // These rename everybody, and nobody of the prefix before is left.
    team.admin.merge(&team.path(), &accept(ACCEPTED)).await.expect("accepted");
    team.until("waits no more", |team| is_ready(team) && !waits(team)).await;
    let renamed = |name: &String| format!("{}{name}", if name.contains('@') { "oidc:" } else { "corp/" });
    let mut expected: Vec<String> = before.iter().map(renamed).collect();
    expected.sort();
    assert_eq!(bound(team).await, expected);
    assert!(written(team).await.iter().all(|prefixes| *prefixes == (json!("oidc:"), json!("corp/"))));
}

#[tokio::test]
async fn another_prefix_renames_nobody_who_did_not_agree() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "renamed", everything()).await;
    let new = Team::named(stage, "named").await;
    stage.operator.stop().await.expect("stopped");
    stage.operator.resume_with(&TOLD).await.expect("started with other prefixes");
    follows(&team, &new).await;
    stage.operator.stop().await.expect("stopped");
    stage.operator.resume().await.expect("started again");
    // The one before again: nobody is renamed back.
    team.until("says that it waits again", waits).await;
    assert!(bound(&team).await.iter().all(|name| name.starts_with("oidc:") || name.starts_with("corp/")));
    for team in [&team, &new] {
        team.delete().await;
        team.until_gone().await;
    }
}
