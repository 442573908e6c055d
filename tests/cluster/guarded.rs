//! What people try in a team's namespaces past the team's object: rights by hand are
//! removed, reserved names are refused.

use harness::wait;
use serde_json::{Value, json};

use crate::spec::everything;
use crate::stage::stage;
use crate::team::Team;

#[tokio::test]
async fn a_binding_by_hand_is_removed_and_told() {
    let team = Team::ready(stage().await, "byhand", everything()).await;
    let binding = |name: &str, subject: Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": "byhand--first"}, "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        })
    };
    let person = json!({"kind": "User", "name": "eve@example.com", "apiGroup": "rbac.authorization.k8s.io"});
    let account = json!({"kind": "ServiceAccount", "name": "default", "namespace": "byhand--first"});
    team.admin.create(&binding("of-an-account", account)).await.expect("a binding for an account");
    team.admin.create(&binding("of-a-person", person)).await.expect("a binding for a person");
    team.until_missing(&team.object("RoleBinding", "first", "of-a-person")).await;
    assert!(
        team.admin.find(&team.object("RoleBinding", "first", "of-an-account")).await.is_some(),
        "an account's went too"
    );
    let events = "/apis/events.k8s.io/v1/namespaces/default/events";
    let told = wait::until("an Event tells of it", 30, async || {
        let all = team.admin.list(events).await;
        let of_team = all.into_iter().filter(|event| event["regarding"]["name"] == "byhand");
        let reasons: Vec<_> = of_team.map(|event| event["reason"].clone()).collect();
        if reasons.contains(&json!("ForeignBindingRemoved")) { Ok(()) } else { Err(format!("{reasons:?}")) }
    });
    told.await.unwrap();
}

#[tokio::test]
async fn ordinary_people_are_refused_by_the_guardrails() {
    let stage = stage().await;
    let team = Team::ready(stage, "guarded", everything()).await;
    let everything_there = json!({"apiGroups": ["", "networking.k8s.io", "rbac.authorization.k8s.io"], "resources": ["*"], "verbs": ["*"]});
    let strong = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "strong"}, "rules": [everything_there]});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "strong"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "strong"},
        "subjects": [{"kind": "User", "name": "sue@example.com", "apiGroup": "rbac.authorization.k8s.io"}],
    });
    team.admin.create(&strong).await.expect("a role");
    team.admin.create(&binding).await.expect("a binding");
    let sue = stage.somebody("sue@example.com", &[]).await;
    let settings = team.object("ConfigMap", "first", "connections");
    let change = json!({"data": {"MORE": "x"}});
    // Rights do not stand in the way: on a name of her own she may.
    let own = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "guarded--first"}, "data": {}});
    team.until_there(&settings, |_| true).await;
    wait::until("sue has her rights", 30, async || sue.create(&own).await.map(drop).map_err(|refused| refused.message))
        .await
        .unwrap();
    for (kind, name) in
        [("ConfigMap", "connections"), ("NetworkPolicy", "strata-default-deny"), ("ResourceQuota", "strata-quota")]
    {
        let at = team.object(kind, "first", name);
        let refused = sue.merge(&at, &json!({"metadata": {"annotations": {"a": "b"}}})).await.expect_err("changed");
        assert!(refused.code == 403 && refused.message.contains("reserved"), "{at}: {refused:?}");
        let refused = sue.delete(&at).await.expect_err("deleted");
        assert!(refused.code == 403 && refused.message.contains("reserved"), "{at}: {refused:?}");
    }
    team.admin.merge(&settings, &change).await.expect("an administrator overrides");
}
