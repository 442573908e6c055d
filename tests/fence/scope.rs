//! Where the policies on pods, claims, budgets and accounts hold: in the namespaces of
//! teams, by label or by name, and not for what was there before.

use harness::wait;
use serde_json::{Value, json};

use crate::objects::namespace;
use crate::pods::{path, pod, spec, workloads};
use crate::project::{Project, claim, until_refused};
use crate::stage::{ACCOUNTS, COPIES, DRAINS, PODS, PRIORITIES, STORES, stage};

/// The label that somebody stripped, and a namespace without `--` that has one.
#[tokio::test]
async fn a_namespace_is_a_teams_by_its_label_or_its_name() {
    let stage = stage().await;
    let project = Project::set(stage, "strip").await;
    let (admin, people) = (stage.admin().await, stage.platform().await);
    let place = project.namespace("workspace");
    let spec = spec(&json!({"nodeName": "node-9"}));
    let try_in =
        async |place: &str| people.post(&format!("/api/v1/namespaces/{place}/pods?dryRun=All"), pod("x", &spec)).await;
    let label = |value: Value| json!({"metadata": {"labels": {"strata-operator.dev/team": value}}});
    admin.patch(&format!("/api/v1/namespaces/{place}"), label(Value::Null)).await.passes();
    try_in(&place).await.refused_by(PODS, "bypasses the scheduler");
    admin.post("/api/v1/namespaces", namespace("strip-dev", "strip")).await.passes();
    until_refused(PODS, async || try_in("strip-dev").await).await;
    admin.patch("/api/v1/namespaces/strip-dev", label(Value::Null)).await.passes();
    wait::until("the label is off", 30, async || {
        let answer = try_in("strip-dev").await;
        if answer.by(PODS) { Err(format!("{answer:?}")) } else { Ok(()) }
    })
    .await
    .expect("a namespace of nobody");
}

/// So it is for claims, disruption budgets, accounts and priority classes.
#[tokio::test]
async fn other_policies_go_by_the_label_too() {
    let stage = stage().await;
    let (admin, people) = (stage.admin().await, stage.platform().await);
    let mut labelled = namespace("label-only", "label");
    labelled["metadata"]["annotations"] = json!({"strata-operator.dev/devices": ""});
    admin.post("/api/v1/namespaces", labelled).await.passes();
    let at = |version: &str, plural: &str| path(version, "label-only", plural);
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "any"}, "spec": {"maxUnavailable": 0},
    });
    let budgets = format!("{}?dryRun=All", at("policy/v1", "poddisruptionbudgets"));
    until_refused(DRAINS, async || people.post(&budgets, budget.clone()).await).await;
    let class = pod("any", &spec(&json!({"priorityClassName": "system-cluster-critical"})));
    let pods = format!("{}?dryRun=All", at("v1", "pods"));
    until_refused(PRIORITIES, async || people.post(&pods, class.clone()).await).await;
    let ours = json!({"strata-operator.dev/team": "label", "strata-operator.dev/dataset": "cards"});
    let mut store = claim("dataset-cards", &Value::Null);
    store["metadata"]["labels"] = ours.clone();
    admin.post(&at("v1", "persistentvolumeclaims"), store).await.passes();
    let store = format!("{}/dataset-cards", at("v1", "persistentvolumeclaims"));
    people.delete(&store).await.refused_by(STORES, "is lost when the claim is deleted");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mlflow", "labels": ours}});
    admin.post(&at("v1", "serviceaccounts"), account).await.passes();
    let mine = json!({"imagePullSecrets": [{"name": "mine"}]});
    people
        .patch(&format!("{}/mlflow", at("v1", "serviceaccounts")), mine)
        .await
        .refused_by(ACCOUNTS, "is managed by Strata");
    let snapshot = json!({"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "backup-7"});
    let copy = claim("copy", &json!({"dataSource": snapshot}));
    people
        .post(&at("v1", "persistentvolumeclaims"), copy)
        .await
        .refused_by(COPIES, "may be a copy of the home of a workbench");
}

/// What stands there from before is not locked in.
#[tokio::test]
async fn what_was_there_before_is_still_changed_and_scaled() {
    let stage = stage().await;
    let project = Project::set(stage, "before").await;
    let (admin, people) = (stage.admin().await, stage.platform().await);
    let refused = spec(&json!({"nodeName": "node-9"}));
    let (version, plural, mut object) = workloads(&refused).swap_remove(0);
    object["spec"]["replicas"] = 0.into();
    let all = path(version, &project.namespace("workspace"), plural);
    admin.post(&all, object).await.passes();
    let one = &format!("{all}/x");
    people.patch(one, json!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 1}})).await.passes();
    let scale = json!({"spec": {"replicas": 0}});
    people.patch(&format!("{one}/scale"), scale).await.passes();
    let touched = json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}});
    people.patch(one, touched).await.refused_by(PODS, "bypasses the scheduler");
    people.patch(one, json!({"spec": {"template": {"spec": {"nodeName": null}}}})).await.passes();
    let pods = project.core("workspace", "pods");
    admin.post(&pods, pod("old", &refused)).await.passes();
    people.patch(&format!("{pods}/old"), json!({"metadata": {"labels": {"a": "b"}, "finalizers": []}})).await.passes();
}
