//! The replicas of a model in production: by its spec, the subresource `scale` and an
//! autoscaler, and after somebody scaled its Deployment to zero.

use serde_json::json;

use crate::model_service::{LIVE, team, until_serving};
use crate::work::{Work, served};

#[tokio::test]
async fn scaling_a_model_sets_how_many_serve() {
    let team = team().await;
    let spec = json!({"model": {"name": "score", "version": "1"}, "runtime": "mlflow"});
    let work = Work::create(&team, "ModelService", LIVE, "scaled", spec).await;
    until_serving(&work, "1").await;
    let scale = format!("{}/scale", work.path());
    let live = "models--first--live";
    let scaled = team.stage.plane.kubectl(["scale", "ms/scaled", "--replicas=3", "-n", live]).await;
    scaled.expect("kubectl scales it");
    let seen = work.until("has three", |seen| seen["status"]["readyReplicas"] == 3).await;
    assert_eq!(seen["spec"]["replicas"], json!({"min": 3}));
    work.until_there("Deployment", "service-scaled", |now| now["spec"]["replicas"] == 3).await;
    let read = team.admin.get(&scale).await.expect("the subresource");
    assert_eq!((&read["spec"]["replicas"], &read["status"]["replicas"]), (&json!(3), &json!(3)), "{read}");
    let selector = read["status"]["selector"].as_str().expect("a selector").to_owned();
    let pods = format!("/api/v1/namespaces/{live}/pods?labelSelector={}", selector.replace('=', "%3D"));
    assert_eq!(team.admin.list(&pods).await.len(), 3, "{selector}");
    // No autoscaler of ours fights one of somebody's own.
    assert!(work.written("HorizontalPodAutoscaler").await.is_empty());
    let refused = team.admin.merge(&scale, &json!({"spec": {"replicas": 0}})).await.expect_err("none at all");
    assert!(refused.message.contains("at least one pod"), "{refused:?}");
    // Who writes ModelServices scales them; somebody else does not.
    let mia = team.stage.somebody("mia@example.com", &[]).await;
    let zoe = team.stage.somebody("zoe@example.com", &[]).await;
    let two = json!({"spec": {"replicas": 2}});
    assert_eq!(zoe.merge(&scale, &two).await.expect_err("zoe is nobody here").code, 403);
    mia.merge(&scale, &two).await.expect("mia writes in Live");
    work.until_there("Deployment", "service-scaled", |now| now["spec"]["replicas"] == 2).await;
    // With a most, the number is the autoscaler's, and nothing is disturbed.
    work.edit(json!({"replicas": {"max": 4}})).await;
    work.until_there("HorizontalPodAutoscaler", "service-scaled", |now| now["spec"]["maxReplicas"] == 4).await;
    assert_eq!(team.admin.get(&work.child("Deployment", "service-scaled")).await.unwrap()["spec"]["replicas"], 2);
    work.delete().await;
}

#[tokio::test]
async fn a_service_scaled_to_zero_is_restored_and_reported() {
    let team = team().await;
    let mut spec = served("1");
    spec["replicas"] = json!({"min": 2, "max": 3});
    let work = Work::create(&team, "ModelService", LIVE, "woken", spec).await;
    until_serving(&work, "1").await;
    work.until("has two", |seen| seen["status"]["readyReplicas"] == 2).await;
    let at = work.child("Deployment", "service-woken");
    team.admin.merge(&at, &json!({"spec": {"replicas": 0}})).await.expect("scaled");
    work.until_there("Deployment", "service-woken", |now| now["spec"]["replicas"] == 2).await;
    until_serving(&work, "1").await;
    let event = harness::wait::until("an Event tells it", 30, async || {
        let events = team.admin.list("/api/v1/namespaces/models--first--live/events").await;
        let of_service = events.iter().filter(|event| event["involvedObject"]["name"] == "woken");
        let seen: Vec<_> = of_service.map(|event| (event["type"].clone(), event["reason"].clone())).collect();
        if seen.contains(&(json!("Warning"), json!("Repaired"))) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    event.await.unwrap();
    // So does one of which something else cannot be as it is asked.
    work.edit(json!({"customers": ["nobody"]})).await;
    work.until_not_ready("Invalid", &["'nobody'"]).await;
    team.admin.merge(&at, &json!({"spec": {"replicas": 0}})).await.expect("scaled");
    work.until_there("Deployment", "service-woken", |now| now["spec"]["replicas"] == 2).await;
    work.delete().await;
}

#[tokio::test]
async fn model_scaled_to_zero_again_is_restored_at_a_pace() {
    let team = team().await;
    let work = Work::create(&team, "ModelService", LIVE, "fought", served("1")).await;
    until_serving(&work, "1").await;
    let at = work.child("Deployment", "service-fought");
    let scale = async || team.admin.merge(&at, &json!({"spec": {"replicas": 0}})).await.expect("scaled");
    // The first one is no repair yet: nothing was written before.
    for _ in 0..6 {
        scale().await;
        work.until_there("Deployment", "service-fought", |now| now["spec"]["replicas"] == 1).await;
    }
    scale().await;
    work.until_not_ready("Contested", &["Deployment", "service-fought", "spec.replicas"]).await;
    let mark = team.mark();
    for _ in 0..5 {
        team.admin
            .merge(&at, &json!({"metadata": {"annotations": {"example.com/look": "again"}}}))
            .await
            .expect("seen");
        scale().await;
    }
    let written = team.asked(mark).writes().filter(|request| request.name == "service-fought").count();
    assert!(written <= 1, "{written} writes while it is fought over");
    work.delete().await;
}
