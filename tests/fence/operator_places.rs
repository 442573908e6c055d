//! The fence around the operator's account: sentences 3 and 4 of
//! `templates/admission/fence.yaml`, about where it writes.

use serde_json::{Value, json};

use crate::objects::{config_map, deployment, event, namespace};
use crate::stage::{FENCE, stage};

const ALL: &str = "/api/v1/namespaces";
const SAYS: &str = "only write Namespaces of teams";

/// What sets, or with null takes away, the team of a namespace.
fn team(value: &Value) -> Value {
    json!({"metadata": {"labels": {"strata-operator.dev/team": value}}})
}

#[tokio::test]
async fn namespaces_only_of_teams() {
    let stage = stage().await;
    let (operator, admin) = (stage.operator().await, stage.admin().await);
    // Create: a name with `--`, and the label of the team that it begins with.
    operator.post(ALL, namespace("space--shared", "space")).await.passes();
    operator.apply(&format!("{ALL}/space--backbone"), namespace("space--backbone", "space")).await.passes();
    operator.post(ALL, namespace("plain", "space")).await.refused_by(FENCE, SAYS);
    operator.post(ALL, namespace("space--other", "spice")).await.refused_by(FENCE, SAYS);
    operator.post(ALL, namespace("space--empty", "")).await.refused_by(FENCE, SAYS);
    let bare = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "space--bare"}});
    operator.post(ALL, bare.clone()).await.refused_by(FENCE, SAYS);
    // Change: only where the label was there before.
    let level = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    operator.patch(&format!("{ALL}/space--shared"), level.clone()).await.passes();
    operator.patch(&format!("{ALL}/space--shared"), team(&Value::Null)).await.refused_by(FENCE, SAYS);
    operator.patch(&format!("{ALL}/space--shared"), team(&"spice".into())).await.refused_by(FENCE, SAYS);
    admin.post(ALL, bare).await.passes();
    operator.patch(&format!("{ALL}/space--bare"), team(&"space".into())).await.refused_by(FENCE, SAYS);
    operator.delete(&format!("{ALL}/space--bare")).await.refused_by(FENCE, SAYS);
    operator.patch(&format!("{ALL}/kube-system"), level).await.refused_by(FENCE, SAYS);
    operator.delete(&format!("{ALL}/argocd")).await.refused_by(FENCE, SAYS);
    operator.delete(&format!("{ALL}/space--shared")).await.passes();
}

#[tokio::test]
async fn a_namespace_that_was_there_only_by_its_owners_leave() {
    let stage = stage().await;
    let (operator, admin) = (stage.operator().await, stage.admin().await);
    let bare = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "leave--bare"}});
    admin.post(ALL, bare).await.passes();
    let adopt = |team: &str| json!({"metadata": {"annotations": {"strata-operator.dev/adopt": team}}});
    admin.patch(&format!("{ALL}/leave--bare"), adopt("spice")).await.passes();
    operator.patch(&format!("{ALL}/leave--bare"), team(&"leave".into())).await.refused_by(FENCE, SAYS);
    admin.patch(&format!("{ALL}/leave--bare"), adopt("leave")).await.passes();
    operator.delete(&format!("{ALL}/leave--bare")).await.refused_by(FENCE, SAYS);
    operator.patch(&format!("{ALL}/leave--bare"), team(&"leave".into())).await.passes();
    admin.patch(&format!("{ALL}/argocd"), adopt("leave")).await.passes();
    operator.patch(&format!("{ALL}/argocd"), team(&"leave".into())).await.refused_by(FENCE, SAYS);
}

/// Whoever may override took the label off: it comes back where another word of ours is
/// left, which nobody else may write.
#[tokio::test]
async fn a_namespace_that_was_stripped_only_by_another_word_of_ours() {
    let stage = stage().await;
    let (operator, admin) = (stage.operator().await, stage.admin().await);
    let at = format!("{ALL}/torn--shared");
    operator.post(ALL, namespace("torn--shared", "torn")).await.passes();
    let mark = |part: &str, word: &str, value: Value| json!({"metadata": {part: {word: value}}});
    for (part, word) in [("labels", "strata-operator.dev/layer"), ("annotations", "strata-operator.dev/user-prefix")] {
        admin.patch(&at, mark(part, word, "x".into())).await.passes();
        admin.patch(&at, team(&Value::Null)).await.passes();
        operator.patch(&at, team(&"spice".into())).await.refused_by(FENCE, SAYS);
        operator.delete(&at).await.refused_by(FENCE, SAYS);
        operator.patch(&at, team(&"torn".into())).await.passes();
        admin.patch(&at, mark(part, word, Value::Null)).await.passes();
    }
    admin.patch(&at, team(&Value::Null)).await.passes();
    operator.patch(&at, team(&"torn".into())).await.refused_by(FENCE, SAYS);
}

#[tokio::test]
async fn of_namespaces_no_subresource() {
    let stage = stage().await;
    stage.team("whole").await;
    let unbounded = stage.unbounded().await;
    let status = json!({"status": {"conditions": [{"type": "Any", "status": "True"}]}});
    unbounded.patch(&format!("{ALL}/whole--shared/status"), status).await.refused_by(FENCE, "/namespaces/status");
    let whole = unbounded.get(&format!("{ALL}/whole--shared")).await.passes();
    unbounded.put(&format!("{ALL}/whole--shared/finalize"), whole).await.refused_by(FENCE, "/namespaces/finalize");
}

#[tokio::test]
async fn namespaced_objects_only_where_it_belongs() {
    let stage = stage().await;
    stage.team("where").await;
    let (unbounded, operator, admin) = (stage.unbounded().await, stage.operator().await, stage.admin().await);
    let maps = |namespace: &str| format!("/api/v1/namespaces/{namespace}/configmaps");
    operator.post(&maps("where--shared"), config_map("any")).await.passes();
    // A name without the label, the label without a name, and another team's label.
    let bare = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    admin.post("/api/v1/namespaces", bare("where--bare")).await.passes();
    admin.post("/api/v1/namespaces", namespace("nowhere", "nowhere")).await.passes();
    admin.post("/api/v1/namespaces", namespace("where--stolen", "elsewhere")).await.passes();
    for place in ["where--bare", "nowhere", "where--stolen", "default", "kube-system", "strata-system", "argocd"] {
        let says = "only write in namespaces of teams";
        operator.post(&maps(place), config_map("any")).await.refused_by(FENCE, says);
        unbounded
            .post(&format!("/apis/apps/v1/namespaces/{place}/deployments"), deployment("web", &json!({"app": "web"})))
            .await
            .refused_by(FENCE, says);
    }
    operator
        .delete(&format!("{}/kube-root-ca.crt", maps("kube-system")))
        .await
        .refused_by(FENCE, "only write in namespaces of teams");
    // Its own Lease and no other.
    let lease =
        |name: &str| json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}});
    let leases = |namespace: &str| format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
    operator.post(&leases("strata-system"), lease("strata-operator")).await.passes();
    let renewed = json!({"spec": {"holderIdentity": "strata-0"}});
    operator.patch(&format!("{}/strata-operator", leases("strata-system")), renewed).await.passes();
    operator.post(&leases("strata-system"), lease("other")).await.refused_by(FENCE, "coordination.k8s.io/leases");
    for place in ["kube-system", "where--shared"] {
        unbounded.post(&leases(place), lease("strata-operator")).await.refused_by(FENCE, "coordination.k8s.io/leases");
    }
    // Events of cluster-scoped objects go to `default`.
    operator.post("/apis/events.k8s.io/v1/namespaces/default/events", event("default", "where-1")).await.passes();
    operator
        .post("/apis/events.k8s.io/v1/namespaces/kube-system/events", event("kube-system", "where-1"))
        .await
        .refused_by(FENCE, "only write in namespaces of teams");
}
