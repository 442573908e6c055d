//! Homes of workbenches: who mounts and who writes them, the policy `homes` of
//! `templates/admission/homes.yaml`. Copies of them are in `copies`.

use harness::wait;
use serde_json::{Value, json};

use crate::objects::pod_template;
use crate::project::{Project, claim, home, mounting, server, workbench};
use crate::stage::{HOMES, RESERVED, stage};

fn pod(name: &str, labels: &Value, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec})
}

#[tokio::test]
async fn a_home_is_mounted_by_its_own_pod() {
    let stage = stage().await;
    let project = Project::set(stage, "homes").await;
    let operator = stage.operator().await;
    for name in ["ana", "bo"] {
        operator.post(&project.core("workspace", "persistentvolumeclaims"), home(name, name)).await.passes();
    }
    let pods = &project.core("workspace", "pods");
    let dry = &format!("{pods}?dryRun=All");
    let says = "workbench-ana is the home of a workbench, and only that workbench may mount it";
    // Whoever asks: a contributor, the controllers that make pods of workloads, and a controller with every right.
    let controllers = "system:serviceaccount:kube-system:statefulset-controller";
    let actors = [
        project.person("bo", "contribute").await,
        stage.somebody(controllers, &["platform"]).await,
        stage.somebody("system:kube-controller-manager", &["system:masters"]).await,
    ];
    let ours = json!({"strata-operator.dev/workbench": "ana"});
    let theirs = json!({"strata-operator.dev/workbench": "bo"});
    for actor in &actors {
        actor.post(dry, pod("thief", &json!({}), &mounting("workbench-ana"))).await.refused_by(HOMES, says);
        actor.post(dry, pod("free", &json!({}), &mounting("dataset-cards"))).await.passes();
    }
    for actor in &actors[1..] {
        // The name without the label, the label without the name, and another's name and label.
        for (name, labels) in [("thief", &ours), ("workbench-bo-0", &theirs), ("workbench-ana-1", &ours)] {
            let answer = actor.post(dry, pod(name, labels, &mounting("workbench-ana"))).await;
            assert!(answer.by(HOMES), "{name}: {answer:?}");
        }
        let two = json!({"containers": [{"name": "main", "image": "registry.example.com/x:1"}], "volumes": [
            {"name": "a", "persistentVolumeClaim": {"claimName": "workbench-bo"}},
            {"name": "b", "persistentVolumeClaim": {"claimName": "workbench-ana"}},
        ]});
        actor.post(dry, pod("workbench-bo-0", &theirs, &two)).await.refused_by(HOMES, "request: workbench-ana is");
        let twice = json!({"containers": [{"name": "main", "image": "registry.example.com/x:1"}], "volumes": [
            {"name": "a", "persistentVolumeClaim": {"claimName": "workbench-ana"}},
            {"name": "b", "persistentVolumeClaim": {"claimName": "workbench-ana"}},
        ]});
        actor.post(dry, pod("thief", &json!({}), &twice)).await.refused_by(HOMES, "request: workbench-ana is");
        let other = "pod names workbench-* are reserved for Workbenches";
        let plain = pod_template(&json!({}))["spec"].clone();
        for (name, labels) in
            [("workbench-ana-0", &json!({})), ("workbench-ana-0", &theirs), ("workbench--0", &json!({}))]
        {
            actor.post(dry, pod(name, labels, &plain)).await.refused_by(HOMES, other);
        }
        actor.post(dry, pod("workbench-ana-0", &ours, &mounting("workbench-ana"))).await.passes();
    }
    // Who may override rescues what is in one.
    stage.admin().await.post(dry, pod("rescue", &json!({}), &mounting("workbench-ana"))).await.passes();
}

#[tokio::test]
async fn the_controllers_are_held_and_the_workbench_runs() {
    let stage = stage().await;
    let project = Project::set(stage, "server").await;
    let (operator, bo) = (stage.operator().await, project.person("bo", "contribute").await);
    operator.post(&project.core("workspace", "persistentvolumeclaims"), home("ana", "ana")).await.passes();
    operator.post(&project.apps("workspace", "statefulsets"), server("ana")).await.passes();
    let pods = &project.core("workspace", "pods");
    wait::until("the workbench's pod", 60, async || {
        let pod = operator.get(&format!("{pods}/workbench-ana-0")).await;
        if pod.went_through() { Ok(()) } else { Err(format!("{pod:?}")) }
    })
    .await
    .expect("a pod");
    // A contributor may write the Deployment; what comes of it is refused, and the event says why.
    let labels = json!({"app": "thief"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "thief"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": mounting("workbench-ana")}},
    });
    bo.post(&project.apps("workspace", "deployments"), deployment).await.passes();
    wait::until("the event", 60, async || {
        let events = bo.get(&project.core("workspace", "events?fieldSelector=reason%3DFailedCreate")).await.passes();
        let said = events.to_string();
        if said.contains("workbench-ana is the home of a workbench") { Ok(()) } else { Err(said) }
    })
    .await
    .expect("an event");
    let all = bo.get(&format!("{pods}?labelSelector=app%3Dthief")).await.passes();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(0));
    // Nor is anything of it in the way when the whole namespace goes.
    let of_ana = workbench("ana", "ana");
    stage.admin().await.post(&project.work("workspace", "workbenches"), of_ana).await.passes();
    let place = format!("/api/v1/namespaces/{}", project.namespace("workspace"));
    operator.delete(&place).await.passes();
    wait::until("the namespace is gone", 90, async || {
        let answer = operator.get(&place).await;
        if answer.is_missing() { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
    .expect("a namespace without traces");
}

#[tokio::test]
async fn homes_are_written_by_the_operator() {
    let stage = stage().await;
    let project = Project::set(stage, "claims").await;
    let (operator, bo) = (stage.operator().await, project.person("bo", "contribute").await);
    let (ana, owns) = (project.person("ana", "contribute").await, project.person("olga", "own").await);
    let controller = stage.somebody("system:serviceaccount:kube-system:statefulset-controller", &["platform"]).await;
    let all = &project.core("workspace", "persistentvolumeclaims");
    let squat = claim("workbench-cy", &Value::Null);
    for actor in [&bo, &owns, &controller] {
        actor.post(all, squat.clone()).await.refused_by(HOMES, "Choose another name for the claim");
    }
    for name in ["ana", "bo", "left"] {
        operator.post(all, home(name, name)).await.passes();
    }
    let one = &format!("{all}/workbench-ana");
    let taken = json!({"metadata": {"annotations": {"strata-operator.dev/owner": "bo@example.com"}}});
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    for actor in [&ana, &bo, &owns] {
        actor.patch(one, taken.clone()).await.refused_by(HOMES, "Raise `storage` of the Workbench");
        actor.patch(one, labelled.clone()).await.refused_by(HOMES, "only Strata may write it");
    }
    // Contributors may delete claims, but no homes: neither one nor all.
    for actor in [&ana, &bo] {
        actor.delete(one).await.refused_by(HOMES, "ask a member with Own in claims--pay");
    }
    let homes = format!("{all}?labelSelector=strata-operator.dev%2Fworkbench");
    bo.delete(&homes).await.refused_by(HOMES, "is the home of a workbench");
    // The cluster itself goes on, but makes nothing the owner of a home.
    controller
        .patch(one, json!({"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "node-1"}}}))
        .await
        .passes();
    let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "thief", "uid": "1"}]);
    controller
        .patch(one, json!({"metadata": {"ownerReferences": owner}}))
        .await
        .refused_by(HOMES, "only Strata may write it");
    operator.patch(one, taken).await.passes();
    // The homes of people who left; the operator removes what says so; who may override does anything.
    owns.delete(&format!("{all}/workbench-left")).await.passes();
    operator.delete(&format!("{all}/workbench-bo")).await.passes();
    stage.admin().await.post(all, squat).await.passes();
    // Claims of other names are a contributor's.
    bo.post(all, claim("mine", &Value::Null)).await.passes();
    bo.delete(&format!("{all}/mine")).await.passes();
}

#[tokio::test]
async fn pods_of_workbenches_are_left_to_drains_and_plugins() {
    let stage = stage().await;
    let project = Project::set(stage, "drain").await;
    let pods = &project.core("workspace", "pods");
    let ours = json!({"strata-operator.dev/workbench": "ana"});
    let made = pod("workbench-ana-0", &ours, &pod_template(&json!({}))["spec"]);
    stage.admin().await.post(pods, made).await.passes();
    let platform = stage.platform().await;
    let one = &format!("{pods}/workbench-ana-0");
    let address = json!({"metadata": {"annotations": {"cni.example.com/address": "192.0.2.7"}}});
    platform.patch(&format!("{one}/status"), address.clone()).await.passes();
    platform
        .patch(one, address)
        .await
        .refused_by(RESERVED, "is reserved for Workbenches, like all names workbench and workbench-*");
    project.person("bo", "contribute").await.delete(one).await.refused_by(RESERVED, "`desiredState: Stopped` stops it");
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "workbench-ana-0"}});
    platform.post(&format!("{one}/eviction"), eviction.clone()).await.passes();
    project.person("olga", "own").await.post(&format!("{one}/eviction"), eviction).await.refused_by_rights();
}
