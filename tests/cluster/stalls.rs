//! Namespaces that are being deleted and do not go: what holds them is named.

use serde_json::{Value, json};

use crate::spec::minimal;
use crate::stage::stage;
use crate::team::{Team, condition};

/// Something that a finalizer holds in a namespace of the team.
async fn held(team: &Team, end: &str, kind: &str, name: &str) -> String {
    let mut object = json!({
        "apiVersion": "v1", "kind": kind,
        "metadata": {"name": name, "namespace": team.space(end), "finalizers": ["example.com/hold"]},
    });
    if kind == "Pod" {
        object["spec"] = json!({
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "main", "image": "registry.example.com/work:1",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                "resources": {
                    "requests": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "1Mi"},
                    "limits": {"memory": "64Mi", "ephemeral-storage": "1Mi"},
                },
            }],
        });
    }
    team.admin.create(&object).await.expect("something that is held");
    team.object(kind, end, name)
}

#[tokio::test]
async fn what_a_finalizer_holds_is_named_while_a_team_is_deleted() {
    let mut spec = minimal();
    spec["deletionPolicy"] = json!("Delete");
    let team = Team::ready(stage().await, "stalls", spec).await;
    let kinds = [("Pod", "stuck"), ("ConfigMap", "kept"), ("Secret", "hidden")];
    let mut holders = Vec::new();
    for (kind, name) in kinds {
        holders.push(held(&team, "first", kind, name).await);
    }
    team.admin
        .merge(&team.space_path("first"), &json!({"metadata": {"finalizers": ["example.com/whole"]}}))
        .await
        .expect("held");
    team.delete().await;
    let says = |object: &str, finalizer: &str| {
        format!("{object} waits for the removal of the finalizer {finalizer} by the controller that set it")
    };
    // Pods go first, and nothing else is looked at by Kubernetes until they are gone.
    team.until_not_ready("Deleting", &says("Pod stuck", "example.com/hold")).await;
    team.admin.merge(&holders[0], &json!({"metadata": {"finalizers": null}})).await.expect("let go");
    team.until_not_ready("Deleting", &says("ConfigMap kept", "example.com/hold")).await;
    // Of what the operator may not list Kubernetes tells the kind.
    team.until_not_ready("Deleting", "secrets. has 1 resource instances").await;
    for holder in &holders[1..] {
        team.admin.merge(holder, &json!({"metadata": {"finalizers": null}})).await.expect("let go");
    }
    team.until_not_ready("Deleting", &says("Namespace stalls--first", "example.com/whole")).await;
    team.admin.merge(&team.space_path("first"), &json!({"metadata": {"finalizers": null}})).await.expect("let go");
    team.until_gone().await;
}

#[tokio::test]
async fn what_a_finalizer_holds_is_named_while_a_project_is_deleted() {
    let mut spec = minimal();
    spec["deletionPolicy"] = json!("Delete");
    spec["projects"] = json!([{"name": "first"}, {"name": "second"}]);
    let team = Team::ready(stage().await, "lingers", spec).await;
    let pod = held(&team, "second", "Pod", "stuck").await;
    let allowed = json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "lingers--second"}}});
    team.admin.merge(&team.path(), &allowed).await.expect("allowed");
    team.edit(json!({"projects": [{"name": "first"}]})).await;
    let named = |team: &Value| {
        let message = condition(team, "AllFieldsSupported")["message"].as_str().unwrap_or_default().to_owned();
        message.contains("namespace lingers--second: Pod stuck waits for the removal of the finalizer example.com/hold")
    };
    let seen = team.until("names what is held", named).await;
    assert_eq!(condition(&seen, "Ready")["status"], "True", "the rest of the team is well");
    team.admin.merge(&pod, &json!({"metadata": {"finalizers": null}})).await.expect("let go");
    team.until_missing(&team.space_path("second")).await;
    team.until("has nothing to tell any more", |team| condition(team, "AllFieldsSupported")["status"] == "True").await;
}
