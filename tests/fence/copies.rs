//! Nobody clones or snapshots a home: the policy `copies` of
//! `templates/admission/homes.yaml`. The kinds of snapshots are made up by the
//! stage; the platform, which holds every right on them, tries.

use serde_json::{Value, json};

use crate::project::{Project, claim, home, until_refused};
use crate::stage::{COPIES, stage};

#[tokio::test]
async fn homes_are_not_cloned() {
    let stage = stage().await;
    let project = Project::set(stage, "clone").await;
    stage
        .operator()
        .await
        .post(&project.core("workspace", "persistentvolumeclaims"), home("ana", "ana"))
        .await
        .passes();
    let contributor = project.person("bo", "contribute").await;
    let controller =
        stage.somebody("system:serviceaccount:kube-system:ephemeral-volume-controller", &["platform"]).await;
    let dry = &format!("{}?dryRun=All", project.core("workspace", "persistentvolumeclaims"));
    let of = |field: &str, source: Value| claim("copy", &json!({field: source}));
    let source = |name: &str| json!({"kind": "PersistentVolumeClaim", "name": name});
    let says = "denied request: workbench-ana in clone--pay is the home of a workbench, which may not be cloned";
    for actor in [&contributor, &controller] {
        for field in ["dataSource", "dataSourceRef"] {
            actor.post(dry, of(field, source("workbench-ana"))).await.refused_by(COPIES, says);
            actor.post(dry, of(field, source("mine"))).await.passes();
        }
        // An empty namespace is the claim's own.
        let mut here = source("workbench-ana");
        here["namespace"] = json!("");
        actor.post(dry, of("dataSourceRef", here)).await.refused_by(COPIES, says);
    }
    stage.admin().await.post(dry, of("dataSource", source("workbench-ana"))).await.passes();
    // From another namespace, which the API server may let through.
    let mut across = source("workbench-ana");
    across["namespace"] = project.namespace("workspace").into();
    let elsewhere = "/api/v1/namespaces/default/persistentvolumeclaims?dryRun=All";
    let answer = stage.platform().await.post(elsewhere, of("dataSourceRef", across)).await;
    // Where that is not switched on, the server drops the namespace, and with it the danger.
    if answer.went_through() {
        assert_eq!(answer.passes()["spec"]["dataSourceRef"]["namespace"], Value::Null);
    } else {
        answer.refused_by(COPIES, "workbench-ana in clone--pay");
    }
    // In namespaces of nobody's team a claim may have any name.
    stage.platform().await.post(elsewhere, of("dataSource", source("workbench-ana"))).await.passes();
}

/// A snapshot that a backup took, or whatever a populator fills a claim from, may be
/// anybody's home: its source stands in no request.
#[tokio::test]
async fn no_claim_is_made_from_what_may_be_a_home() {
    let stage = stage().await;
    let project = Project::set(stage, "origin").await;
    let source = |group: &str, kind: &str| json!({"apiGroup": group, "kind": kind, "name": "backup-7"});
    let sources = [
        source("snapshot.storage.k8s.io", "VolumeSnapshot"),
        source("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshot"),
        source("volsync.backube", "ReplicationDestination"),
        // A populator that calls its kind like the core's.
        source("populators.example.com", "PersistentVolumeClaim"),
    ];
    let actors = [
        project.person("bo", "contribute").await,
        project.person("olga", "own").await,
        stage.somebody("system:serviceaccount:kube-system:ephemeral-volume-controller", &["platform"]).await,
        stage.somebody("system:serviceaccount:kube-system:statefulset-controller", &["platform"]).await,
    ];
    let says = "backup-7 in origin--pay may be a copy of the home of a workbench, so no claim may be made from it";
    let dry = &format!("{}?dryRun=All", project.core("workspace", "persistentvolumeclaims"));
    for from in &sources {
        // The older field takes claims and snapshots alone: the server drops what else stands there.
        let older = from["apiGroup"] == "snapshot.storage.k8s.io";
        for field in ["dataSourceRef", "dataSource"].iter().take(if older { 2 } else { 1 }) {
            let copy = claim("copy", &json!({*field: from}));
            for actor in &actors {
                actor.post(dry, copy.clone()).await.refused_by(COPIES, says);
            }
            stage.keeper().await.post(dry, copy.clone()).await.passes();
            let elsewhere = "/api/v1/namespaces/default/persistentvolumeclaims?dryRun=All";
            stage.platform().await.post(elsewhere, copy.clone()).await.passes();
            for layer in ["shared", "live"] {
                let there = format!("{}?dryRun=All", project.core(layer, "persistentvolumeclaims"));
                stage.platform().await.post(&there, copy.clone()).await.passes();
            }
        }
    }
    // The label that says Workspace, stripped: it is still none of the others.
    let namespace = format!("/api/v1/namespaces/{}", project.namespace("workspace"));
    let stripped =
        json!({"metadata": {"labels": {"strata-operator.dev/layer": null, "strata-operator.dev/team": null}}});
    stage.admin().await.patch(&namespace, stripped).await.passes();
    let copy = claim("copy", &json!({"dataSourceRef": sources[0]}));
    stage.platform().await.post(dry, copy).await.refused_by(COPIES, says);
}

#[tokio::test]
async fn a_workspace_grants_no_reference() {
    let stage = stage().await;
    let project = Project::set(stage, "grant").await;
    let grant = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant", "metadata": {"name": "any"},
        "spec": {"from": [{"group": "", "kind": "PersistentVolumeClaim", "namespace": "default"}], "to": [{"group": "", "kind": "PersistentVolumeClaim"}]},
    });
    let path =
        |place: &str| format!("/apis/gateway.networking.k8s.io/v1/namespaces/{place}/referencegrants?dryRun=All");
    let platform = stage.platform().await;
    let says = "a ReferenceGrant in grant--pay would allow other namespaces to use its objects";
    platform.post(&path(&project.namespace("workspace")), grant.clone()).await.refused_by(COPIES, says);
    for place in [project.namespace("live"), project.namespace("shared"), "default".to_owned()] {
        platform.post(&path(&place), grant.clone()).await.passes();
    }
}

#[tokio::test]
async fn homes_are_not_snapshotted() {
    let stage = stage().await;
    let project = Project::set(stage, "snap").await;
    let platform = stage.platform().await;
    let path = |group: &str, layer: &str, plural: &str| {
        format!("/apis/{group}/v1/namespaces/{}/{plural}?dryRun=All", project.namespace(layer))
    };
    let object = |version: &str, kind: &str, source: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "any"}, "spec": {"source": source}});
    let group = "snapshot.storage.k8s.io";
    let snapshot = |claim: &str| {
        object("snapshot.storage.k8s.io/v1", "VolumeSnapshot", json!({"persistentVolumeClaimName": claim}))
    };
    let snapshots = &path(group, "workspace", "volumesnapshots");
    platform.post(snapshots, snapshot("workbench-ana")).await.refused_by(COPIES, "may not be cloned or snapshotted");
    platform.post(snapshots, snapshot("dataset-cards")).await.passes();
    stage.keeper().await.post(snapshots, snapshot("workbench-ana")).await.passes();
    let content = object("snapshot.storage.k8s.io/v1", "VolumeSnapshot", json!({"volumeSnapshotContentName": "any"}));
    platform.post(snapshots, content).await.passes();
    let outside = format!("/apis/{group}/v1/namespaces/default/volumesnapshots?dryRun=All");
    platform.post(&outside, snapshot("workbench-ana")).await.passes();
    // Several at once, by a selector.
    let version = "groupsnapshot.storage.k8s.io/v1";
    let several = object(version, "VolumeGroupSnapshot", json!({"selector": {"matchLabels": {}}}));
    let groups = |layer: &str| path("groupsnapshot.storage.k8s.io", layer, "volumegroupsnapshots");
    platform.post(&groups("workspace"), several.clone()).await.refused_by(COPIES, "may not be snapshotted by selector");
    platform.post(&groups("live"), several.clone()).await.passes();
    // Without the label that says so, no namespace is known to be another than a Workspace.
    let bare = json!({"metadata": {"labels": {"strata-operator.dev/layer": null, "strata-operator.dev/team": null}}});
    for layer in ["workspace", "live"] {
        let namespace = format!("/api/v1/namespaces/{}", project.namespace(layer));
        stage.admin().await.patch(&namespace, bare.clone()).await.passes();
    }
    until_refused(COPIES, async || platform.post(&groups("live"), several.clone()).await).await;
    platform.post(&groups("workspace"), several).await.refused_by(COPIES, "may not be snapshotted by selector");
}
