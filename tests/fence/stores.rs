//! What a team keeps: claims of engines and Datasets, `templates/admission/stores.yaml`.

use harness::wait;
use serde_json::{Value, json};

use crate::project::{Project, claim, home};
use crate::stage::{FENCE, HOMES, STORES, stage};

/// A claim as the operator writes it, with this label of ours.
fn store(name: &str, label: &str, value: &str) -> Value {
    let mut store = claim(name, &Value::Null);
    store["metadata"]["labels"] = json!({
        "strata-operator.dev/team": "any", format!("strata-operator.dev/{label}"): value,
    });
    store
}

fn owned_by(kind: &str, uid: &str) -> Value {
    let version = if kind == "ConfigMap" { "v1" } else { "apps/v1" };
    json!({"metadata": {"ownerReferences": [{"apiVersion": version, "kind": kind, "name": "mine", "uid": uid}]}})
}

#[tokio::test]
async fn a_store_is_deleted_by_whoever_says_so() {
    let stage = stage().await;
    let project = Project::set(stage, "stores").await;
    let (operator, admin) = (stage.operator().await, stage.admin().await);
    let actors = [project.person("olga", "own").await, stage.platform().await, stage.admin().await];
    for (layer, name, label, keeper) in [
        ("shared", "mlflow", "engine", "engine mlflow"),
        ("workspace", "dataset-cards", "dataset", "Dataset mlflow"),
        ("live", "dataset-cards", "dataset", "Dataset mlflow"),
    ] {
        let all = &project.core(layer, "persistentvolumeclaims");
        let one = &format!("{all}/{name}");
        let written = store(name, label, "mlflow");
        for actor in &actors {
            operator.post(all, written.clone()).await.passes();
            let says = format!("claim {name} holds the data of {keeper}, which is lost when the claim is deleted");
            actor.delete(one).await.refused_by(STORES, &says);
            let how = format!(
                "kubectl annotate persistentvolumeclaim {name} --namespace {} strata-operator.dev/allow-deletion=true",
                project.namespace(layer)
            );
            actor
                .delete(&format!("{one}?gracePeriodSeconds=0&propagationPolicy=Foreground"))
                .await
                .refused_by(STORES, &how);
            let every = format!("{all}?labelSelector=strata-operator.dev%2F{label}");
            actor.delete(&every).await.refused_by(STORES, "is lost when the claim is deleted");
            let allowed =
                |word: &str| json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": word}}});
            actor.patch(one, allowed("yes")).await.passes();
            actor.delete(one).await.refused_by(STORES, &says);
            actor.patch(one, allowed("true")).await.passes();
            actor.delete(one).await.passes();
            admin.patch(one, json!({"metadata": {"finalizers": null}})).await.refused_by_no_policy();
            wait::until("the claim is gone", 30, async || {
                if admin.get(one).await.is_missing() { Ok(()) } else { Err("it is there".to_owned()) }
            })
            .await
            .expect("no claim");
        }
        // The operator, and the controllers that empty a namespace.
        for actor in [
            &operator,
            &stage.somebody("system:serviceaccount:kube-system:namespace-controller", &["system:masters"]).await,
        ] {
            operator.post(&format!("{all}?dryRun=All"), written.clone()).await.passes();
            admin.post(all, store("goes", label, "x")).await.passes();
            actor.delete(&format!("{all}/goes")).await.passes();
            admin.patch(&format!("{all}/goes"), json!({"metadata": {"finalizers": null}})).await.refused_by_no_policy();
            wait::until("the claim is gone", 30, async || {
                if admin.get(&format!("{all}/goes")).await.is_missing() {
                    Ok(())
                } else {
                    Err("it is there".to_owned())
                }
            })
            .await
            .expect("no claim");
        }
        // What people made themselves is theirs.
        admin.post(all, claim("mine", &Value::Null)).await.passes();
        actors[0].delete(&format!("{all}/mine")).await.passes();
    }
}

#[tokio::test]
async fn nothing_becomes_the_owner_of_a_store() {
    let stage = stage().await;
    let project = Project::set(stage, "ownerless").await;
    let operator = stage.operator().await;
    let all = &project.core("workspace", "persistentvolumeclaims");
    operator.post(all, store("dataset-cards", "dataset", "cards")).await.passes();
    operator.post(all, home("ana", "ana")).await.passes();
    let controllers = ["generic-garbage-collector", "statefulset-controller"];
    let mut actors = vec![stage.admin().await, stage.unbounded().await];
    for name in controllers {
        actors.push(stage.somebody(&format!("system:serviceaccount:kube-system:{name}"), &["system:masters"]).await);
    }
    actors.push(stage.somebody("exempt@example.com", &["platform"]).await);
    for (at, actor) in actors.iter().enumerate() {
        for kind in ["ConfigMap", "StatefulSet"] {
            let says = "claim dataset-cards holds the data of Dataset cards and would be deleted together with";
            actor.patch(&format!("{all}/dataset-cards"), owned_by(kind, "1")).await.refused_by(STORES, says);
            for name in ["dataset-cards", "workbench-ana"] {
                let answer = actor.patch(&format!("{all}/{name}/status"), owned_by(kind, "1")).await;
                // The operator writes no status of claims whatever is in it.
                assert!(answer.by(STORES) || (at == 1 && answer.by(FENCE)), "{answer:?}");
            }
            // Of homes another policy says it, which who may override passes, and the operator.
            if at > 1 {
                let answer = actor.patch(&format!("{all}/workbench-ana"), owned_by(kind, "1")).await;
                assert!(answer.by(HOMES), "{answer:?}");
            }
        }
    }
    let free = project.person("bo", "contribute").await;
    free.post(all, claim("mine", &Value::Null)).await.passes();
    free.patch(&format!("{all}/mine"), owned_by("ConfigMap", "1")).await.passes();
    // Storage controllers, wherever they run, write everything else.
    let csi = stage.somebody("system:serviceaccount:storage:csi-snapshotter", &["platform"]).await;
    let one = &format!("{all}/dataset-cards");
    csi.patch(
        one,
        json!({"metadata": {
            "annotations": {"volume.kubernetes.io/storage-provisioner": "x"}, "labels": {"a": "b"},
            "finalizers": ["snapshot.storage.kubernetes.io/pvc-as-source-protection"],
        }}),
    )
    .await
    .passes();
    csi.patch(&format!("{one}/status"), json!({"status": {"phase": "Pending"}})).await.passes();
    csi.patch(one, json!({"metadata": {"finalizers": null}})).await.passes();
}

/// The two ways past a rule that spares controllers, with the controllers themselves.
#[tokio::test]
async fn a_stateful_set_does_not_take_a_store_along() {
    let stage = stage().await;
    let project = Project::set(stage, "along").await;
    let (operator, bo) = (stage.operator().await, project.person("bo", "contribute").await);
    let all = &project.core("workspace", "persistentvolumeclaims");
    operator.post(all, store("dataset-cards-0", "dataset", "cards-0")).await.passes();
    let labels = json!({"app": "cards"});
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "cards"},
        "spec": {
            "serviceName": "cards", "replicas": 1, "selector": {"matchLabels": labels},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "registry.example.com/x:1"}]}},
            "volumeClaimTemplates": [claim("dataset", &Value::Null), claim("own", &Value::Null)],
        },
    });
    let sets = project.apps("workspace", "statefulsets");
    bo.post(&sets, set).await.passes();
    wait::until("the set's own claim", 60, async || {
        let own = bo.get(&format!("{all}/own-cards-0")).await;
        if own.went_through() { Ok(()) } else { Err(format!("{own:?}")) }
    })
    .await
    .expect("a claim");
    bo.delete(&format!("{sets}/cards?propagationPolicy=Foreground")).await.passes();
    wait::until("the set is gone", 60, async || {
        if bo.get(&format!("{sets}/cards")).await.is_missing() { Ok(()) } else { Err("it is there".to_owned()) }
    })
    .await
    .expect("no set");
    let kept = bo.get(&format!("{all}/dataset-cards-0")).await.passes();
    assert_eq!(kept["metadata"]["ownerReferences"], Value::Null);
    assert_eq!(kept["metadata"]["deletionTimestamp"], Value::Null);
}

#[tokio::test]
async fn another_volume_is_accepted_by_an_administrator() {
    let stage = stage().await;
    let project = Project::set(stage, "accepted").await;
    let (operator, admin, own) = (stage.operator().await, stage.admin().await, project.person("olga", "own").await);
    let all = &project.core("shared", "persistentvolumeclaims");
    let one = &format!("{all}/mlflow");
    operator.post(all, store("mlflow", "engine", "mlflow")).await.passes();
    let accepts =
        |uid: &Value| json!({"metadata": {"annotations": {"strata-operator.dev/accept-volume": uid, "note": "x"}}});
    let says = "administrator (who may override guardrails) may set it";
    own.patch(one, accepts(&json!("any"))).await.refused_by(STORES, says);
    let mut new = claim("other", &Value::Null);
    new["metadata"]["annotations"] = json!({"strata-operator.dev/accept-volume": "any"});
    // It accepts nothing: the UID comes with the claim. A backup may bring the annotation along.
    own.post(all, new).await.passes();
    own.patch(one, json!({"metadata": {"annotations": {"note": "x"}}})).await.passes();
    admin.patch(one, accepts(&json!("any"))).await.passes();
    // What is there already does not keep anybody from other changes.
    own.patch(one, json!({"metadata": {"annotations": {"note": "y"}}})).await.passes();
    own.patch(one, accepts(&json!("another"))).await.refused_by(STORES, says);
    own.patch(one, accepts(&Value::Null)).await.passes();
}
