//! A model of which somebody else has a part, or whose objects lost their labels: nothing
//! new is made beside it, and what serves goes on.

use serde_json::{Value, json};

use crate::drift::{Change, are_undone};
use crate::model_service::{LIVE, team, until_serving};
use crate::spec::at_work;
use crate::stage::stage;
use crate::team::Team;
use crate::work::{Work, served};

#[tokio::test]
async fn what_is_somebody_elses_is_neither_run_with_nor_given_out() {
    let team = team().await;
    let foreign = |kind: &str, name: &str, more: Value| {
        let mut object =
            json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "models--first--live"}});
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    };
    let scripts = foreign("ConfigMap", "service-taken", json!({"data": {"model.py": "evil"}}));
    team.admin.create(&scripts).await.expect("a stranger's ConfigMap");
    let work = Work::create(&team, "ModelService", LIVE, "taken", served("1")).await;
    work.until_not_ready("Conflict", &["service-taken"]).await;
    for kind in ["Deployment", "Job", "Service"] {
        assert!(work.written(kind).await.is_empty(), "there is a {kind} beside a stranger's ConfigMap");
    }
    let ports = json!({"spec": {"ports": [{"port": 8080}], "selector": {"app": "evil"}}});
    team.admin.create(&foreign("Service", "led-away", ports)).await.expect("a stranger's Service");
    let away = Work::create(&team, "ModelService", LIVE, "led-away", served("1")).await;
    let seen = away.until_not_ready("Conflict", &["led-away"]).await;
    assert!(seen["status"]["endpoint"].is_null(), "{seen}");
    let server = strangers_server("service-theirs", &team.space(LIVE));
    team.admin.create(&server).await.expect("a stranger's Deployment");
    let theirs = Work::create(&team, "ModelService", LIVE, "theirs", served("1")).await;
    theirs.until_not_ready("Conflict", &["Deployment", "service-theirs"]).await;
    for beside in [&away, &theirs] {
        for kind in ["Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service"] {
            assert!(beside.written(kind).await.is_empty(), "{}: there is a {kind} of ours", beside.name);
        }
    }
    for work in [work, away, theirs] {
        work.delete().await;
    }
}

#[tokio::test]
async fn what_serves_goes_on_beside_what_somebody_else_took() {
    let team = Team::ready(stage().await, "moved", at_work()).await;
    let work = Work::create(&team, "ModelService", LIVE, "moved", served("1")).await;
    until_serving(&work, "1").await;
    let server = work.child("Deployment", "service-moved");
    let before = work.uid("Deployment", "service-moved").await;
    let address = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "moved", "namespace": team.space(LIVE)},
        "spec": {"ports": [{"port": 8080}], "selector": {"app": "x"}}});
    take(&team, &work.child("Service", "moved"), &address).await;
    work.until_not_ready("Conflict", &["Service", "moved"]).await;
    assert_eq!(work.uid("Deployment", "service-moved").await, before);
    // It is kept as it is.
    let added = json!({"spec": {"template": {"spec": {"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["x"]}]}}}});
    are_undone(&team, &server, vec![("a host's address", Change::Merge(added))]).await;
    assert!(!work.written("HorizontalPodAutoscaler").await.is_empty());
    // An autoscaler of ours scales nothing of anybody else's.
    take(&team, &server, &strangers_server("service-moved", &team.space(LIVE))).await;
    work.until_missing("HorizontalPodAutoscaler", "service-moved").await;
    let theirs = team.admin.get(&server).await.expect("it is still there");
    assert!(theirs["spec"]["replicas"] == 0 && theirs["metadata"]["labels"].is_null(), "{theirs}");
    work.delete().await;
}

/// Puts a stranger's object in the place of one of ours: while the team is suspended
/// nothing that is deleted comes back.
async fn take(team: &Team, path: &str, theirs: &Value) {
    team.edit(json!({"managementPolicy": "Suspend"})).await;
    team.until_not_ready("Suspended", "managementPolicy").await;
    team.admin.delete(path).await.expect("deleted");
    let gone = async || match team.admin.find(path).await {
        None => Ok(()),
        Some(there) => Err(there["metadata"].to_string()),
    };
    harness::wait::until("it is gone", 30, gone).await.unwrap();
    team.admin.create(theirs).await.expect("a stranger's");
    team.edit(json!({"managementPolicy": "Enforce"})).await;
}

fn strangers_server(name: &str, namespace: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "main", "image": "registry.example.com/x:1"}]}},
    }})
}

#[tokio::test]
async fn an_autoscaler_stays_over_a_workload_that_lost_its_labels() {
    let team = Team::ready(stage().await, "label-taken", at_work()).await;
    let work = Work::create(&team, "ModelService", LIVE, "bare", served("1")).await;
    until_serving(&work, "1").await;
    let at = work.child("Deployment", "service-bare");
    let (labels, server) = (
        team.admin.get(&at).await.unwrap()["metadata"]["labels"].clone(),
        work.uid("Deployment", "service-bare").await,
    );
    let scaler = work.uid("HorizontalPodAutoscaler", "service-bare").await;
    let ours = |label: &&String| label.starts_with("strata-operator.dev/");
    let stripped: Value =
        labels.as_object().unwrap().keys().filter(ours).map(|label| (label.clone(), Value::Null)).collect();
    for (what, changed) in [
        ("without the team's label", json!({"strata-operator.dev/team": null})),
        ("without any label of ours", stripped),
    ] {
        team.admin.merge(&at, &json!({"metadata": {"labels": changed}})).await.expect(what);
        work.until_there("Deployment", "service-bare", |now| now["metadata"]["labels"] == labels).await;
    }
    let beside = Work::create(&team, "ModelService", LIVE, "beside", served("1")).await;
    until_serving(&beside, "1").await;
    // Neither one that does not exist takes it, nor one that does, nor that one's end.
    for other in ["other", "beside"] {
        let changed = json!({"metadata": {"labels": {"strata-operator.dev/model-service": other}}});
        team.admin.merge(&at, &changed).await.expect("labelled for another");
        work.until_not_ready(
            "Conflict",
            &["Deployment", "service-bare", "do not show that it was written for this object"],
        )
        .await;
        if other == "beside" {
            beside.edit(json!({"replicas": {"min": 2, "max": 2}})).await;
            beside
                .until_there("HorizontalPodAutoscaler", "service-beside", |now| now["spec"]["minReplicas"] == 2)
                .await;
            beside.delete().await;
        }
        assert_eq!(work.uid("HorizontalPodAutoscaler", "service-bare").await, scaler, "it went over a label");
        assert_eq!(work.uid("Deployment", "service-bare").await, server, "it went over the label {other}");
        team.admin.merge(&at, &json!({"metadata": {"labels": labels}})).await.expect("labelled again");
        work.until_ready().await;
    }
    assert_eq!(work.uid("HorizontalPodAutoscaler", "service-bare").await, scaler);
    assert_eq!(work.uid("Deployment", "service-bare").await, server);
    work.delete().await;
}

/// An autoscaler of this name over a Deployment.
fn autoscaler(team: &Team, name: &str, target: &str, owner: &Value) -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": team.space(LIVE), "ownerReferences": owner},
        "spec": {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}}})
}

#[tokio::test]
async fn another_autoscaler_over_a_model_is_named() {
    let team = Team::ready(stage().await, "rivals", at_work()).await;
    let work = Work::create(&team, "ModelService", LIVE, "rival", served("1")).await;
    until_serving(&work, "1").await;
    // Of another workload, and in another namespace.
    team.admin.create(&autoscaler(&team, "elsewhere", "other", &json!([]))).await.expect("of another workload");
    team.admin.create(&autoscaler(&team, "mine", "service-rival", &json!([]))).await.expect("a second one");
    let words = [
        "HorizontalPodAutoscaler mine scales Deployment service-rival beside that of Strata",
        "kubectl delete horizontalpodautoscaler mine --namespace rivals--first--live",
        "Version 1 is still serving",
    ];
    work.until_not_ready("Contested", &words).await;
    let owner = json!([{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "s", "uid": "u", "controller": true}]);
    team.admin
        .merge(&work.child("HorizontalPodAutoscaler", "mine"), &json!({"metadata": {"ownerReferences": owner}}))
        .await
        .expect("owned");
    work.until_not_ready("Contested", &["mine (made by ScaledObject s)", "kubectl delete scaledobject s"]).await;
    team.admin.delete(&work.child("HorizontalPodAutoscaler", "mine")).await.expect("deleted");
    let seen = work.until_ready().await;
    assert!(!seen["status"].to_string().contains("elsewhere"), "{seen}");
    work.delete().await;
}
