//! Who may do what, asked of the API server as the people themselves.

use std::time::{Duration, Instant};

use harness::wait;
use serde_json::{Value, json};

use crate::actor::Actor;
use crate::spec::everything;
use crate::stage::{Stage, stage};
use crate::team::Team;

/// A removed member is refused within two seconds; a machine with much else to do
/// gets more.
const PROMISE: Duration = Duration::from_secs(5);

/// Whether somebody may do something, by the API server's own word.
async fn may(who: &Actor, verb: &str, group: &str, resource: &str, namespace: &str, name: &str) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "subresource": subresource, "namespace": namespace, "name": name,
        }},
    });
    let answer = who.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await;
    answer.expect("a review")["status"]["allowed"] == json!(true)
}

/// What somebody may and may not do in a namespace: verb, group, resource.
async fn holds(who: &Actor, namespace: &str, may_do: &[(&str, &str, &str)], may_not: &[(&str, &str, &str)]) {
    for (verb, group, resource) in may_do {
        assert!(may(who, verb, group, resource, namespace, "").await, "may not {verb} {resource} in {namespace:?}");
    }
    for (verb, group, resource) in may_not {
        assert!(!may(who, verb, group, resource, namespace, "").await, "may {verb} {resource} in {namespace:?}");
    }
}

/// What nobody of a team may do anywhere in it.
const NOBODY: &[(&str, &str, &str)] = &[
    ("create", "networking.k8s.io", "networkpolicies"),
    ("delete", "networking.k8s.io", "networkpolicies"),
    ("update", "", "resourcequotas"),
    ("update", "", "limitranges"),
    ("delete", "", "namespaces"),
    ("update", "", "namespaces"),
    ("create", "", "serviceaccounts/token"),
    ("impersonate", "", "users"),
    ("escalate", "rbac.authorization.k8s.io", "roles"),
    ("override", "strata-operator.dev", "guardrails"),
];

async fn dana(stage: &Stage) -> Actor {
    stage.somebody("dana@example.com", &[]).await
}

async fn until_bound(who: &Actor, namespace: &str) {
    let bound = wait::until(format!("rights in {namespace} hold"), 60, async || {
        if may(who, "list", "", "pods", namespace, "").await { Ok(()) } else { Err("not yet".to_owned()) }
    });
    bound.await.unwrap();
}

#[tokio::test]
async fn data_scientist_works_in_the_workspace_and_views_the_rest() {
    let stage = stage().await;
    let _team = Team::ready(stage, "science", everything()).await;
    let dana = dana(stage).await;
    until_bound(&dana, "science--first").await;
    // A real Job, of a size that the quota takes.
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train", "namespace": "science--first"},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "main", "image": "registry.example.com/train:1",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        }}},
    });
    dana.create(&job).await.expect("a Job in the Workspace");
    let ran = wait::until("the Job runs", 60, async || {
        let job =
            dana.get("/apis/batch/v1/namespaces/science--first/jobs/train").await.map_err(|refused| refused.message)?;
        if job["status"]["succeeded"] == 1 { Ok(()) } else { Err(job["status"].to_string()) }
    });
    ran.await.expect("what defaults give it fits the quota");
    let work = [("create", "batch", "jobs"), ("get", "", "pods/log"), ("get", "", "configmaps"), ("list", "", "pods")];
    let not =
        [("get", "", "secrets"), ("list", "", "secrets"), ("create", "rbac.authorization.k8s.io", "rolebindings")];
    holds(&dana, "science--first", &work, &not).await;
    holds(&dana, "science--first", &[], NOBODY).await;
    // ProductEmbedded: data scientists deploy, by Strata's kinds alone.
    let never =
        [("get", "", "secrets"), ("create", "", "pods"), ("create", "", "pods/exec"), ("create", "batch", "jobs")];
    holds(&dana, "science--first--live", &[("list", "", "pods")], &never).await;
    holds(&dana, "science--shared", &[("list", "", "services")], &[("create", "", "pods"), ("get", "", "secrets")])
        .await;
    holds(&dana, "science--backbone", &[], &[("list", "", "configmaps"), ("list", "", "pods"), ("get", "", "secrets")])
        .await;
    let refused = dana.get("/api/v1/namespaces/science--first/secrets").await.expect_err("Secrets are read");
    assert_eq!(refused.code, 403);
}

#[tokio::test]
async fn owners_and_onlookers() {
    let stage = stage().await;
    let _team = Team::ready(stage, "owners", everything()).await;
    let ana = stage.somebody("ana@example.com", &[]).await;
    let sam = stage.somebody("sam@example.com", &["security"]).await;
    let bo = stage.somebody("bo@example.com", &[]).await;
    until_bound(&ana, "owners--first").await;
    until_bound(&sam, "owners--first").await;
    until_bound(&bo, "owners--first").await;
    // An ML engineer owns Workspaces, Shared and (ProductEmbedded) Live.
    for namespace in ["owners--first", "owners--second", "owners--shared", "owners--first--live"] {
        let own = [("get", "", "secrets"), ("create", "", "secrets"), ("create", "apps", "deployments")];
        holds(&ana, namespace, &own, NOBODY).await;
    }
    // Security looks, at the guardrails too where the table says so, and owns the Backbone.
    let looks =
        [("list", "networking.k8s.io", "networkpolicies"), ("list", "rbac.authorization.k8s.io", "rolebindings")];
    holds(&sam, "owners--shared", &looks, &[("get", "", "secrets"), ("create", "", "pods")]).await;
    holds(
        &sam,
        "owners--backbone",
        &[("get", "", "secrets")],
        &[("create", "", "pods"), ("create", "apps", "deployments")],
    )
    .await;
    holds(&sam, "owners--backbone", &[], NOBODY).await;
    // A citizen data scientist of one project uses that project and what is shared.
    let by_hand = [("create", "", "pods"), ("create", "batch", "jobs"), ("get", "", "secrets")];
    holds(&bo, "owners--first", &[("list", "", "pods")], &by_hand).await;
    holds(&bo, "owners--shared", &[("list", "", "services")], &by_hand).await;
    for elsewhere in ["owners--second", "owners--first--live", "owners--backbone", "kube-system", ""] {
        holds(&bo, elsewhere, &[], &[("list", "", "pods"), ("get", "", "secrets"), ("list", "", "configmaps")]).await;
    }
}

#[tokio::test]
async fn members_see_their_own_team_and_no_other() {
    let stage = stage().await;
    let team = Team::ready(stage, "visible", everything()).await;
    let other =
        Team::ready(stage, "hidden", json!({"members": [{"role": "DataScientist", "users": ["zoe@example.com"]}]}))
            .await;
    let dana = dana(stage).await;
    let seen = dana.get(&team.path()).await.expect("a member reads the team");
    assert_eq!(seen["metadata"]["name"], "visible");
    let kubectl = ["wait", "--for=condition=Ready", "--timeout=20s", "--as=dana@example.com", "aiteam/visible"];
    stage.plane.kubectl(kubectl).await.expect("a member waits for the team");
    for refused in [dana.get("/apis/strata-operator.dev/v1alpha1/aiteams").await, dana.get(&other.path()).await] {
        assert_eq!(refused.expect_err("a member sees other teams").code, 403);
    }
    let change = dana.merge(&team.path(), &json!({"spec": {"description": "mine"}})).await;
    assert_eq!(change.expect_err("a member changes the team").code, 403);
    let stranger = stage.somebody("stranger@example.com", &[]).await;
    assert_eq!(stranger.get(&team.path()).await.expect_err("a stranger reads the team").code, 403);
}

#[tokio::test]
async fn whoever_is_removed_is_refused_at_once() {
    let stage = stage().await;
    let team = Team::ready(stage, "revokes", everything()).await;
    let dana = dana(stage).await;
    let pods = ["first", "second"].map(|end| format!("/api/v1/namespaces/{}/pods", team.space(end)));
    until_bound(&dana, "revokes--second").await;
    for path in pods.iter().chain([&team.path()]) {
        dana.get(path).await.expect("she may, so far");
    }
    let members: Vec<Value> = everything()["members"].as_array().cloned().unwrap_or_default();
    let members: Vec<_> = members.into_iter().filter(|member| member["role"] != "DataScientist").collect();
    team.edit(json!({"members": members})).await;
    let begun = Instant::now();
    for path in pods.iter().chain([&team.path()]) {
        let refused = wait::until(format!("{path} is refused"), 30, async || match dana.get(path).await {
            Err(refused) if refused.code == 403 => Ok(()),
            other => Err(format!("{}", other.is_ok())),
        });
        refused.await.unwrap();
    }
    let taken = begun.elapsed();
    println!("measured: a removed member is refused everywhere after {} ms", taken.as_millis());
    assert!(taken < PROMISE, "refused only after {taken:?}");
}

#[tokio::test]
async fn the_operator_itself_may_not_leave_its_fence() {
    let stage = stage().await;
    let team = Team::ready(stage, "fenced", everything()).await;
    let operator = Actor::with(stage.operator.client().await);
    assert!(may(&operator, "create", "", "configmaps", "fenced--first", "").await, "the operator cannot work");
    for (verb, group, resource) in [
        ("get", "", "secrets"),
        ("list", "", "secrets"),
        ("escalate", "rbac.authorization.k8s.io", "clusterroles"),
        ("impersonate", "", "users"),
        ("create", "", "pods/exec"),
        ("create", "", "serviceaccounts/token"),
        ("*", "*", "*"),
    ] {
        assert!(!may(&operator, verb, group, resource, "", "").await, "the operator may {verb} {resource}");
    }
    let outside = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "kube-system"}, "data": {}});
    assert_eq!(operator.create(&outside).await.expect_err("written into kube-system").code, 403);
    let spec = operator.merge(&team.path(), &json!({"spec": {"managementPolicy": "Suspend"}})).await;
    assert_eq!(spec.expect_err("the operator changes a spec").code, 403);
}
