//! What people try in a team's namespaces past the team's object: rights by hand are
//! removed, reserved names are refused.

use harness::audit::{Request, Requests};
use harness::wait;
use serde_json::{Value, json};

use crate::spec::{at_work, everything, minimal};
use crate::stage::stage;
use crate::team::{Team, component, condition};
use crate::work::{Work, served};

#[tokio::test]
async fn a_binding_by_hand_is_removed_and_reported() {
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
    let event = wait::until("an Event tells of it", 30, async || {
        let all = team.admin.list(events).await;
        let of_team = all.into_iter().filter(|event| event["regarding"]["name"] == "byhand");
        let reasons: Vec<_> = of_team.map(|event| event["reason"].clone()).collect();
        if reasons.contains(&json!("ForeignBindingRemoved")) { Ok(()) } else { Err(format!("{reasons:?}")) }
    });
    event.await.unwrap();
}

#[tokio::test]
async fn a_binding_that_breaks_glass_ends_when_it_says() {
    let stage = stage().await;
    let teams = [Team::ready(stage, "glass", minimal()).await, Team::ready(stage, "glass-held", minimal()).await];
    teams[1].edit(json!({"managementPolicy": "Suspend"})).await;
    teams[1].until("is suspended", |team| condition(team, "Ready")["reason"] == "Suspended").await;
    let gone = Team::ready(stage, "glass-kept", minimal()).await;
    gone.delete().await;
    gone.until_gone().await;
    let teams = [&teams[0], &teams[1], &gone];
    let in_a_while = |seconds: u64| {
        let until = jiff::Timestamp::now() + std::time::Duration::from_secs(seconds);
        json!({"metadata": {"annotations": {"strata-operator.dev/break-glass-until": until.to_string()}}})
    };
    let over = jiff::Timestamp::now() + std::time::Duration::from_secs(6);
    for (name, until) in [("ends", 6), ("extended", 6), ("garbled", 600)] {
        for team in teams {
            let mut binding = in_a_while(until);
            binding["apiVersion"] = "rbac.authorization.k8s.io/v1".into();
            binding["kind"] = "RoleBinding".into();
            binding["metadata"]["name"] = name.into();
            binding["metadata"]["namespace"] = team.space("first").into();
            binding["subjects"] =
                json!([{"kind": "User", "name": "eve@example.com", "apiGroup": "rbac.authorization.k8s.io"}]);
            binding["roleRef"] =
                json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"});
            team.admin.create(&binding).await.expect("an administrator breaks the glass");
        }
    }
    for team in teams {
        let extended = team.object("RoleBinding", "first", "extended");
        team.admin.merge(&extended, &in_a_while(600)).await.expect("extended");
    }
    for team in teams {
        let at = |name: &str| team.object("RoleBinding", "first", name);
        team.until_missing(&at("ends")).await;
        assert!(jiff::Timestamp::now() >= over, "{}: it went too soon", team.name);
        assert!(team.admin.find(&at("extended")).await.is_some(), "{}: the extended one went too", team.name);
        let garbled = json!({"metadata": {"annotations": {"strata-operator.dev/break-glass-until": "tomorrow"}}});
        team.admin.merge(&at("garbled"), &garbled).await.expect("no time that anybody could read");
        team.until_missing(&at("garbled")).await;
        assert!(team.admin.find(&at("extended")).await.is_some(), "{}: the extended one went too", team.name);
    }
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

#[tokio::test]
async fn a_repaired_guardrail_is_written_once_and_reported() {
    let team = Team::ready(stage().await, "fixed", everything()).await;
    let quota = team.object("ResourceQuota", "shared", "strata-quota");
    let mark = team.mark();
    team.admin.merge(&quota, &json!({"spec": {"hard": {"pods": "1M"}}})).await.expect("raised");
    team.until_there(&quota, |now| now["spec"]["hard"]["pods"] != "1M").await;
    let event = wait::until("an Event tells of it", 30, async || {
        let all = team.admin.list("/apis/events.k8s.io/v1/namespaces/default/events").await;
        let of_team = all.into_iter().filter(|event| event["regarding"]["name"] == "fixed");
        let notes: Vec<_> = of_team.map(|event| (event["reason"].clone(), event["note"].to_string())).collect();
        let is_it = |(reason, note): &(Value, String)| reason == "Repaired" && note.contains("strata-quota");
        if notes.iter().any(is_it) { Ok(()) } else { Err(format!("{notes:?}")) }
    });
    event.await.unwrap();
    let written = team.asked(mark).writes().filter(|request| {
        request.name == "strata-quota" && request.namespace == team.space("shared") && request.code < 300
    });
    assert_eq!(written.count(), 1, "{written}");
}

/// Where in these requests the first one of a kind is.
fn place(asked: &Requests, what: &str, wanted: impl Fn(&Request) -> bool) -> usize {
    asked.iter().position(wanted).unwrap_or_else(|| panic!("{what}: {asked}"))
}

/// Who has the objects of an engine is asked in the same pass in which guardrails are written.
#[tokio::test]
async fn guardrails_wait_for_no_question_about_engines() {
    let mut spec = minimal();
    spec["shared"] = json!({"featureStore": {"storage": "5Gi"}});
    let team = Team::ready(stage().await, "unasked", spec).await;
    let mark = team.mark();
    team.edit(json!({
        "shared": {"experiments": {"storage": "5Gi"}},
        "budget": {"requests": {"cpu": 15, "memory": "60Gi", "storage": "400Gi"}},
    }))
    .await;
    team.until("has its experiments", |seen| component(seen, "Experiments")["state"] == "Ready").await;
    let asked = team.asked(mark);
    let guarded = |request: &Request| request.is_write() && request.resource == "resourcequotas";
    let question = |request: &Request| request.verb == "get" && request.name == "mlflow";
    let order = (place(&asked, "a quota is written", guarded), place(&asked, "who has mlflow", question));
    assert!(order.0 < order.1, "{asked}");

    // The same of a model in production.
    let team = Team::ready(team.stage, "unasked-too", at_work()).await;
    let mark = team.mark();
    Work::create(&team, "ModelService", "first--live", "score", served("1")).await.until_ready().await;
    let asked = team.asked(mark);
    let guarded = |request: &Request| request.is_write() && request.resource == "networkpolicies";
    let question = |request: &Request| request.verb == "get" && request.name == "service-score";
    let order = (place(&asked, "a policy is written", guarded), place(&asked, "who has its name", question));
    assert!(order.0 < order.1, "{asked}");
}
