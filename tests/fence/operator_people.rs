//! The fence around the operator's account: sentences 5 and 6 of
//! `templates/admission/fence.yaml`, about what people wrote and whom it binds.

use serde_json::{Value, json};

use crate::objects::role_binding;
use crate::stage::{FENCE, RBAC, stage};

#[tokio::test]
async fn of_what_people_wrote_only_status_and_finalizers() {
    let stage = stage().await;
    let (unbounded, operator, admin) = (stage.unbounded().await, stage.operator().await, stage.admin().await);
    let all = "/apis/strata-operator.dev/v1alpha1/aiteams";
    let one = &format!("{all}/theirs");
    let says = "may only write status and finalizers";
    let team = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam",
        "metadata": {"name": "theirs"}, "spec": {"description": "before"},
    });
    unbounded.post(all, team.clone()).await.refused_by(FENCE, says);
    admin.post(all, team.clone()).await.passes();
    let finalizers = json!({"metadata": {"finalizers": ["strata-operator.dev/teardown"]}});
    operator.patch(one, finalizers).await.passes();
    operator.patch(&format!("{one}/status"), json!({"status": {"observedGeneration": 1}})).await.passes();
    let applied = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam", "metadata": {"name": "theirs"},
        "status": {"observedGeneration": 2},
    });
    operator.apply(&format!("{one}/status"), applied).await.passes();
    let owner = json!([{"apiVersion": "v1", "kind": "Namespace", "name": "default", "uid": "1"}]);
    let attempts = [
        json!({"spec": {"description": "after"}}),
        json!({"metadata": {"labels": {"a": "b"}}}),
        json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "true"}}}),
        json!({"metadata": {"ownerReferences": owner}}),
    ];
    for attempt in attempts {
        operator.patch(one, attempt).await.refused_by(FENCE, says);
    }
    unbounded.delete(one).await.refused_by(FENCE, says);
    operator.delete(one).await.refused_by_rights();
    operator.patch(one, json!({"metadata": {"finalizers": null}})).await.passes();
    admin.delete(one).await.passes();
    // The same of what the teams refer to.
    let blueprints = "/apis/strata-operator.dev/v1alpha1/blueprints";
    let blueprint = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": "theirs"}, "spec": {},
    });
    unbounded.post(blueprints, blueprint.clone()).await.refused_by(FENCE, says);
    admin.post(blueprints, blueprint).await.passes();
    let theirs = &format!("{blueprints}/theirs");
    operator.patch(theirs, json!({"spec": {"archetype": "Research"}})).await.refused_by(FENCE, says);
    operator.patch(&format!("{theirs}/status"), json!({"status": {"teams": 0}})).await.passes();
    unbounded.delete(theirs).await.refused_by(FENCE, says);
}

#[tokio::test]
async fn bindings_name_people_and_the_teams_own_accounts() {
    let stage = stage().await;
    stage.team("bind").await;
    let operator = stage.operator().await;
    let people = "/namespaces/bind--shared/rolebindings";
    let subject = |kind: &str, name: &str, namespace: &str| {
        let group = if kind == "ServiceAccount" { "" } else { "rbac.authorization.k8s.io" };
        let mut subject = json!({"kind": kind, "name": name, "apiGroup": group});
        if !namespace.is_empty() {
            subject["namespace"] = namespace.into();
        }
        subject
    };
    let bind = |subject: Value| role_binding("any", "strata:shared:use", &json!([subject]));
    let fine = [
        subject("User", "ana@example.com", ""),
        subject("Group", "oidc:science", ""),
        subject("ServiceAccount", "deployer", "bind--backbone"),
    ];
    for (number, subject) in fine.into_iter().enumerate() {
        let mut binding = bind(subject);
        binding["metadata"]["name"] = format!("strata-{number}").into();
        operator.post(&format!("{RBAC}{people}"), binding).await.passes();
    }
    operator.delete(&format!("{RBAC}{people}/strata-0")).await.passes();
    let refused = [
        subject("ServiceAccount", "strata", "strata-system"),
        subject("User", "system:serviceaccount:strata-system:strata", ""),
        subject("User", "system:kube-scheduler", ""),
        subject("Group", "system:authenticated", ""),
        subject("Group", "system:masters", ""),
        subject("Group", "system:serviceaccounts:bind--shared", ""),
        subject("ServiceAccount", "deployer", "binder--backbone"),
        subject("ServiceAccount", "default", "kube-system"),
    ];
    for subject in refused {
        operator
            .post(&format!("{RBAC}{people}"), bind(subject.clone()))
            .await
            .refused_by(FENCE, "the operator may only bind people");
        let more = json!({"subjects": [subject]});
        operator
            .patch(&format!("{RBAC}{people}/strata-1"), more)
            .await
            .refused_by(FENCE, "the operator may only bind people");
    }
}
