//! The deletion guard: `templates/admission/deletion.yaml`, against cluster-admin,
//! whom a mistaken prune acts as.

use serde_json::{Value, json};

use crate::attempt::Actor;
use crate::stage::{DELETION, stage};

const API: &str = "/apis/strata-operator.dev/v1alpha1";

/// Creates one object with a status.
async fn with_status(admin: &Actor, plural: &str, kind: &str, name: &str, status: Value) {
    let spec = match kind {
        "Engine" => json!({"capabilities": ["Experiments"], "revision": "1"}),
        _ => json!({}),
    };
    let metadata = json!({"name": name, "labels": {"tests": "deletion"}});
    let object =
        json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec});
    admin.post(&format!("{API}/{plural}"), object).await.passes();
    admin.patch(&format!("{API}/{plural}/{name}/status"), json!({"status": status})).await.passes();
}

#[tokio::test]
async fn what_is_in_use_is_not_deleted_by_mistake() {
    let stage = stage().await;
    let admin = stage.admin().await;
    let namespaces = json!([{"name": "guarded--shared", "layer": "Shared", "ready": true, "reason": "Ready"}]);
    let cases = [
        ("aiteams", "AITeam", json!({"namespaces": namespaces}), json!({"namespaces": []}), "1 namespaces"),
        ("blueprints", "Blueprint", json!({"teams": 2}), json!({"teams": 0}), "2 teams"),
        ("engines", "Engine", json!({"teams": 1}), json!({"observedGeneration": 1}), "1 teams"),
    ];
    for (plural, kind, used, unused, says) in cases {
        with_status(&admin, plural, kind, "guarded", used).await;
        with_status(&admin, plural, kind, "unused", unused).await;
        let one = &format!("{API}/{plural}/guarded");
        admin.delete(one).await.refused_by(DELETION, says);
        let how =
            format!("kubectl annotate {plural}.strata-operator.dev guarded strata-operator.dev/allow-deletion=true");
        admin.delete(one).await.refused_by(DELETION, &how);
        stage
            .somebody("system:serviceaccount:kube-system:generic-garbage-collector", &["system:masters"])
            .await
            .delete(one)
            .await
            .refused_by(DELETION, says);
        // A collection: the name stands in no request, and still it holds.
        admin.delete(&format!("{API}/{plural}?labelSelector=tests%3Ddeletion")).await.refused_by(DELETION, says);
        admin.get(one).await.passes();
        // Only the word that is asked for.
        let annotation =
            |value: &str| json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": value}}});
        admin.patch(one, annotation("false")).await.passes();
        admin.delete(one).await.refused_by(DELETION, says);
        admin.patch(one, annotation("true")).await.passes();
        admin.delete(one).await.passes();
    }
}

#[tokio::test]
async fn what_is_not_in_use_is_deleted_freely() {
    let stage = stage().await;
    let admin = stage.admin().await;
    for (plural, kind) in [("aiteams", "AITeam"), ("blueprints", "Blueprint"), ("engines", "Engine")] {
        with_status(&admin, plural, kind, "free", json!({"observedGeneration": 1})).await;
        admin.delete(&format!("{API}/{plural}/free")).await.passes();
    }
}
