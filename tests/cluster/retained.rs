//! What stays of a team or a project that was taken away: guarded from the record, also
//! where the policy or the record changes later.

use serde_json::{Value, json};

use crate::spec::minimal;
use crate::stage::{alone, stage};
use crate::team::Team;
use crate::withdraw::{is_withdrawn, uid};

#[tokio::test]
async fn what_was_retained_stays_when_the_policy_becomes_delete() {
    let mut spec = minimal();
    spec["projects"] = json!([{"name": "first"}, {"name": "second"}]);
    let team = Team::ready(stage().await, "outlasts", spec).await;
    let before = uid(&team, &team.space_path("second")).await;
    team.edit(json!({"projects": [{"name": "first"}]})).await;
    let retained = |space: &Value| space["metadata"]["annotations"]["strata-operator.dev/retained"] == "true";
    team.until_there(&team.space_path("second"), retained).await;
    let allowed = json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "true"}}});
    team.admin.merge(&team.path(), &allowed).await.expect("allowed");
    team.edit(json!({"deletionPolicy": "Delete", "description": "goes with everything from now on"})).await;
    team.until_ready().await;
    // What leaves now goes, and by then the other one would have gone too.
    team.edit(json!({"projects": [{"name": "third"}]})).await;
    team.until_missing(&team.space_path("first")).await;
    assert_eq!(uid(&team, &team.space_path("second")).await, before);
    let second = team.admin.get(&team.space_path("second")).await.expect("it is there");
    assert!(second["metadata"]["deletionTimestamp"].is_null(), "{second}");
}

#[tokio::test]
async fn what_is_retained_is_guarded_whatever_becomes_of_its_record() {
    let team = Team::ready(stage().await, "unrecorded", minimal()).await;
    team.delete().await;
    team.until_gone().await;
    is_withdrawn(&team, "first").await;
    let at = team.object("ConfigMap", "backbone", "strata-record");
    let deny = team.object("NetworkPolicy", "first", "strata-default-deny");
    let before = team.admin.get(&at).await.expect("the record")["data"].clone();
    for damage in [json!({"record.json": "{}"}), json!({"record.json": "{"}), Value::Null] {
        team.admin.merge(&at, &json!({"data": damage})).await.expect("damaged");
        team.until_there(&at, |record| record["data"] == before).await;
        team.admin.merge(&deny, &json!({"spec": {"egress": [{}]}})).await.expect("opened");
        team.until_there(&deny, |policy| policy["spec"]["egress"].is_null()).await;
    }
    team.admin.delete(&at).await.expect("deleted");
    team.until_there(&at, |record| record["data"] == before).await;
    // The record is nowhere any more, and still known.
    let backbone = team.space_path("backbone");
    let meant = json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "true"}}});
    team.admin.merge(&backbone, &meant).await.expect("meant");
    team.admin.delete(&backbone).await.expect("deleted");
    team.until_missing(&backbone).await;
    team.admin.delete(&deny).await.expect("deleted");
    team.until_there(&deny, |_| true).await;
}

#[tokio::test]
async fn without_a_record_nobody_gets_into_what_was_retained() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "backless", minimal()).await;
    team.delete().await;
    team.until_gone().await;
    is_withdrawn(&team, "first").await;
    let backbone = team.space_path("backbone");
    let meant = json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "true"}}});
    team.admin.merge(&backbone, &meant).await.expect("meant");
    team.admin.delete(&backbone).await.expect("deleted");
    team.until_missing(&backbone).await;
    stage.operator.stop().await.expect("stopped");
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "by-hand", "namespace": team.space("first")},
        "subjects": [{"kind": "User", "name": "eve@example.com", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    });
    team.admin.create(&binding).await.expect("by hand");
    stage.operator.resume().await.expect("started again");
    team.until_missing(&team.object("RoleBinding", "first", "by-hand")).await;
    // What was there stays: nobody knows how else it was.
    for (kind, name) in [("NetworkPolicy", "strata-default-deny"), ("ResourceQuota", "strata-quota")] {
        assert!(team.admin.find(&team.object(kind, "first", name)).await.is_some(), "{kind} {name}");
    }
}
