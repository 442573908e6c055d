//! Disruption budgets leave the platform a drain (`templates/admission/drains.yaml`),
//! and the Secrets of the operator's ServiceAccounts stay (`accounts.yaml`).

use serde_json::{Value, json};

use crate::project::Project;
use crate::stage::{ACCOUNTS, DRAINS, stage};

#[tokio::test]
async fn a_disruption_budget_leaves_a_drain() {
    let stage = stage().await;
    let project = Project::set(stage, "drains").await;
    let budget = |spec: Value| {
        let mut object = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "all"}, "spec": spec});
        object["spec"]["selector"] = json!({"matchLabels": {"app": "x"}});
        object
    };
    let path = |place: &str| format!("/apis/policy/v1/namespaces/{place}/poddisruptionbudgets");
    let says = "disruption budget all could block the drain of a node. Set `maxUnavailable: 1`";
    for (layer, level) in [("workspace", "contribute"), ("live", "own"), ("shared", "own")] {
        let person = project.person("bo", level).await;
        let all = &path(&project.namespace(layer));
        let dry = &format!("{all}?dryRun=All");
        for spec in [
            json!({"maxUnavailable": 0}),
            json!({"maxUnavailable": "0%"}),
            json!({"maxUnavailable": "00%"}),
            json!({"minAvailable": "100%"}),
            json!({"minAvailable": "99%"}),
            json!({"minAvailable": 1}),
            json!({"minAvailable": 400}),
        ] {
            person.post(dry, budget(spec)).await.refused_by(DRAINS, says);
        }
        for spec in [
            json!({"maxUnavailable": 1}),
            json!({"maxUnavailable": "1%"}),
            json!({"maxUnavailable": "100%"}),
            json!({"minAvailable": 0}),
            json!({}),
        ] {
            person.post(dry, budget(spec)).await.passes();
        }
        person.post(all, budget(json!({"maxUnavailable": 1}))).await.passes();
        let one = &format!("{all}/all");
        person.patch(one, json!({"spec": {"maxUnavailable": 0}})).await.refused_by(DRAINS, says);
        person
            .patch(one, json!({"spec": {"maxUnavailable": null, "minAvailable": "100%"}}))
            .await
            .refused_by(DRAINS, says);
        // One from before may be given a label, and fixed.
        stage.admin().await.patch(one, json!({"spec": {"maxUnavailable": 0}})).await.passes();
        person.patch(one, json!({"metadata": {"labels": {"a": "b"}}})).await.passes();
        person.patch(one, json!({"spec": {"maxUnavailable": 2}})).await.passes();
    }
    stage
        .platform()
        .await
        .post(&format!("{}?dryRun=All", path("default")), budget(json!({"maxUnavailable": 0})))
        .await
        .passes();
}

#[tokio::test]
async fn the_operators_accounts_keep_their_secrets() {
    let stage = stage().await;
    let project = Project::set(stage, "accounts").await;
    let (operator, owner) = (stage.operator().await, project.person("olga", "own").await);
    let account = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "labels": labels}});
    let cloud = stage.somebody("exempt@example.com", &["platform"]).await;
    for layer in ["shared", "workspace", "live"] {
        let all = &project.core(layer, "serviceaccounts");
        operator.post(all, account("mlflow", json!({"strata-operator.dev/team": project.team}))).await.passes();
        let one = &format!("{all}/mlflow");
        let says = "ServiceAccount mlflow is managed by Strata. Its Secrets and its token come from the Blueprint";
        for change in [
            json!({"imagePullSecrets": [{"name": "mine"}]}),
            json!({"secrets": [{"name": "mine"}]}),
            json!({"automountServiceAccountToken": false}),
        ] {
            owner.patch(one, change).await.refused_by(ACCOUNTS, says);
        }
        owner.patch(one, json!({"metadata": {"annotations": {"a": "b"}}})).await.passes();
        cloud.patch(one, json!({"imagePullSecrets": [{"name": "cloud"}]})).await.passes();
        owner.patch(one, json!({"metadata": {"annotations": {"a": "c"}}})).await.passes();
        owner.patch(one, json!({"imagePullSecrets": null})).await.refused_by(ACCOUNTS, says);
        stage.keeper().await.patch(one, json!({"imagePullSecrets": null})).await.passes();
        // Nor are they made again with other Secrets under the same name.
        let kept = "ServiceAccount mlflow is managed by Strata and may not be deleted";
        owner.delete(one).await.refused_by(ACCOUNTS, kept);
        owner.post(all, account("own", json!({}))).await.passes();
        owner.patch(&format!("{all}/own"), json!({"imagePullSecrets": [{"name": "mine"}]})).await.passes();
        owner.delete(&format!("{all}/own")).await.passes();
        operator.delete(one).await.passes();
    }
}
