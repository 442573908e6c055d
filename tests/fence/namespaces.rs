//! Namespaces of teams belong to the operator: each sentence of
//! `templates/admission/namespaces.yaml`, on every subresource, by real requests.

use harness::wait;
use serde_json::{Value, json};

use crate::objects::{config_map, namespace};
use crate::stage::{NAMESPACES, stage};

const ALL: &str = "/api/v1/namespaces";

fn bare(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

#[tokio::test]
async fn nobody_else_creates_a_name_of_a_team() {
    let stage = stage().await;
    let platform = stage.platform().await;
    platform
        .post(ALL, bare("create--x"))
        .await
        .refused_by(NAMESPACES, "namespace names with -- are reserved for teams");
    platform.apply(&format!("{ALL}/create--x"), bare("create--x")).await.refused_by(NAMESPACES, "add its team");
    platform.post(ALL, bare("create-x")).await.passes();
    platform.delete(&format!("{ALL}/create-x")).await.passes();
    stage.operator().await.post(ALL, namespace("create--x", "create")).await.passes();
}

#[tokio::test]
async fn others_write_their_own_labels_and_annotations_and_nothing_else() {
    let stage = stage().await;
    stage.team("meshed").await;
    let platform = stage.platform().await;
    let one = &format!("{ALL}/meshed--shared");
    let label = |key: &str, value: Value| json!({"metadata": {"labels": {key: value}}});
    let note = |key: &str, value: Value| json!({"metadata": {"annotations": {key: value}}});
    for key in ["istio.io/rev", "linkerd.io/inject", "velero.io/backup", "cost"] {
        for value in [json!("a"), json!("b"), Value::Null] {
            platform.patch(one, label(key, value.clone())).await.passes();
            platform.patch(one, note(key, value)).await.passes();
        }
    }
    let says = "you may only set labels and annotations of your own";
    stage.operator().await.patch(one, label("pod-security.kubernetes.io/enforce", "restricted".into())).await.passes();
    for (key, value) in [("enforce", "privileged".into()), ("enforce", Value::Null), ("warn", "privileged".into())] {
        let key = format!("pod-security.kubernetes.io/{key}");
        platform.patch(one, label(&key, value)).await.refused_by(NAMESPACES, says);
    }
    let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": "a", "uid": "1"}]);
    for metadata in [json!({"finalizers": ["example.com/stay"]}), json!({"ownerReferences": owner})] {
        platform.patch(one, json!({"metadata": metadata})).await.refused_by(NAMESPACES, says);
    }
    platform.patch(one, label("strata-operator.dev/layer", "Live".into())).await.refused_by(NAMESPACES, "");
    // What is there already of both stands in nobody's way.
    platform.patch(one, label("cost", "c".into())).await.passes();
    platform.patch(&format!("{one}/status"), label("cost", "d".into())).await.refused_by(NAMESPACES, says);
}

#[tokio::test]
async fn nobody_else_changes_or_deletes_one() {
    let stage = stage().await;
    stage.team("change").await;
    let (platform, operator) = (stage.platform().await, stage.operator().await);
    let one = &format!("{ALL}/change--shared");
    let says = "belongs to team change";
    let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}});
    let stripped = json!({"metadata": {"labels": {"strata-operator.dev/team": null}}});
    platform.patch(one, label.clone()).await.refused_by(NAMESPACES, says);
    platform.patch(one, stripped.clone()).await.refused_by(NAMESPACES, "written by the operator only");
    platform.patch(one, json!({"metadata": {"finalizers": ["example.com/stay"]}})).await.refused_by(NAMESPACES, says);
    platform.delete(one).await.refused_by(NAMESPACES, says);
    // Every subresource, whatever it would have kept of the change.
    for part in ["status", "finalize"] {
        let path = format!("{one}/{part}");
        let mut whole = platform.get(one).await.passes();
        platform.put(&path, whole.clone()).await.refused_by(NAMESPACES, says);
        whole["metadata"]["labels"] = json!({});
        whole["spec"]["finalizers"] = json!([]);
        platform.put(&path, whole).await.refused_by(NAMESPACES, says);
    }
    platform.patch(&format!("{one}/status"), stripped).await.refused_by(NAMESPACES, says);
    operator.patch(one, label.clone()).await.passes();
    // A name alone does not make it ours, nor does a label.
    let admin = stage.admin().await;
    admin.post(ALL, bare("change--bare")).await.passes();
    admin.post(ALL, namespace("changeling", "change")).await.passes();
    for name in ["change--bare", "changeling"] {
        platform.patch(&format!("{ALL}/{name}"), label.clone()).await.passes();
        platform.delete(&format!("{ALL}/{name}")).await.passes();
    }
}

#[tokio::test]
async fn nobody_else_writes_labels_of_our_group() {
    let stage = stage().await;
    let (platform, admin) = (stage.platform().await, stage.admin().await);
    let says = "written by the operator only";
    platform.post(ALL, namespace("labels", "labels")).await.refused_by(NAMESPACES, says);
    platform.post(ALL, bare("labels")).await.passes();
    let one = &format!("{ALL}/labels");
    let layer = |value: Value| json!({"metadata": {"labels": {"strata-operator.dev/layer": value}}});
    platform.patch(one, layer("Live".into())).await.refused_by(NAMESPACES, says);
    platform.patch(&format!("{one}/status"), layer("Live".into())).await.refused_by(NAMESPACES, says);
    let mut whole = platform.get(one).await.passes();
    whole["metadata"]["labels"]["strata-operator.dev/team"] = "labels".into();
    platform.put(&format!("{one}/finalize"), whole).await.refused_by(NAMESPACES, says);
    // A label that is there is neither changed nor taken away, but it does not stand in the way.
    admin.patch(one, layer("Live".into())).await.passes();
    platform.patch(one, layer("Shared".into())).await.refused_by(NAMESPACES, says);
    platform.patch(one, layer(Value::Null)).await.refused_by(NAMESPACES, says);
    platform.patch(one, json!({"metadata": {"labels": {"example.com/a": "b"}}})).await.passes();
}

#[tokio::test]
async fn nobody_else_writes_annotations_of_our_group() {
    let stage = stage().await;
    stage.team("noted").await;
    let (platform, admin) = (stage.platform().await, stage.admin().await);
    let note =
        |key: &str, value: Value| json!({"metadata": {"annotations": {format!("strata-operator.dev/{key}"): value}}});
    let one = &format!("{ALL}/noted--shared");
    let says = "annotations strata-operator.dev/* of namespace noted--shared";
    platform.patch(one, note("user-prefix", "".into())).await.refused_by(NAMESPACES, says);
    stage.operator().await.patch(one, note("user-prefix", "oidc:".into())).await.passes();
    platform.patch(one, note("user-prefix", Value::Null)).await.refused_by(NAMESPACES, says);
    // Nor before a team adopts it: what stood there would be believed afterwards.
    let says = "annotations strata-operator.dev/* of namespace notes";
    let mut early = bare("notes");
    early["metadata"]["annotations"] = note("user-prefix", "evil:".into())["metadata"]["annotations"].clone();
    platform.post(ALL, early).await.refused_by(NAMESPACES, says);
    platform.post(ALL, bare("notes")).await.passes();
    let one = &format!("{ALL}/notes");
    for path in [one, &format!("{one}/status")] {
        platform.patch(path, note("user-prefix", "evil:".into())).await.refused_by(NAMESPACES, says);
    }
    platform.patch(one, note("adopt", "noted".into())).await.passes();
    platform.patch(one, note("adopt", Value::Null)).await.passes();
    admin.patch(one, note("retained", "true".into())).await.passes();
    platform.patch(one, note("retained", Value::Null)).await.refused_by(NAMESPACES, says);
    platform.patch(one, json!({"metadata": {"annotations": {"example.com/a": "b"}}})).await.passes();
}

#[tokio::test]
async fn a_team_namespace_goes_when_the_operator_deletes_it() {
    let stage = stage().await;
    stage.team("gone").await;
    let operator = stage.operator().await;
    let maps = format!("{ALL}/gone--shared/configmaps");
    for name in ["connections", "strata-record"] {
        operator.post(&maps, config_map(name)).await.passes();
    }
    operator.delete(&format!("{ALL}/gone--shared")).await.passes();
    // The namespace controller deletes the reserved objects and writes status and finalize.
    wait::until("the namespace is gone", 60, async || {
        let answer = operator.get(&format!("{ALL}/gone--shared")).await;
        if answer.is_missing() { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
    .expect("a namespace without traces");
}

#[tokio::test]
async fn breaking_the_glass_passes_and_is_written_down() {
    let stage = stage().await;
    stage.team("glass").await;
    let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/warn": "baseline"}}});
    stage
        .platform()
        .await
        .patch(&format!("{ALL}/glass--shared"), label.clone())
        .await
        .refused_by(NAMESPACES, "belongs to team glass");
    stage.keeper().await.patch(&format!("{ALL}/glass--shared"), label).await.passes();
    stage.keeper().await.post(&format!("{ALL}/glass--shared/configmaps"), config_map("strata-repair")).await.passes();
    wait::until("the audit log says so", 10, async || {
        let log = stage.audit_log();
        // A refused attempt (of the platform's, above) carries the annotation too, and its code.
        let says = |words: &str| {
            let of = |line: &str| {
                line.contains("/break-glass\":\"kim@example.com needs override for") && line.contains(words)
            };
            log.lines().any(|line| of(line) && !line.contains("\"code\":403"))
        };
        if says("UPDATE namespace glass--shared") && says("CREATE configmaps glass--shared/strata-repair") {
            Ok(())
        } else {
            Err(log.lines().filter(|line| line.contains("break-glass")).collect())
        }
    })
    .await
    .expect("two entries");
}
