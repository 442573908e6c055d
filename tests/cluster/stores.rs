//! What stores: a claim that was deleted and made again is not taken for the one before.

use harness::wait;
use serde_json::json;

use crate::actor::path;
use crate::spec::everything;
use crate::stage::stage;
use crate::team::{Team, component};

#[tokio::test]
async fn an_emptied_store_is_not_ready_until_it_is_accepted() {
    let team = Team::ready(stage().await, "vanished", everything()).await;
    let claim = path("PersistentVolumeClaim", "vanished--shared", "mlflow");
    let before = team.admin.get(&claim).await.expect("the claim")["metadata"]["uid"].clone();
    wait::until("the claim is recorded", 30, async || {
        let record = team.admin.get(&path("ConfigMap", "vanished--backbone", "strata-record")).await;
        let text = record.expect("the record")["data"]["record.json"].to_string();
        if text.contains(before.as_str().unwrap()) { Ok(()) } else { Err(text) }
    })
    .await
    .unwrap();
    let annotated = |name: &str, value: &str| json!({"metadata": {"annotations": {(name): value}}});
    team.admin.merge(&claim, &annotated("strata-operator.dev/allow-deletion", "true")).await.expect("allowed");
    team.admin.delete(&claim).await.expect("deleted");
    // No pod is to hold the claim back.
    team.admin.merge(&claim, &json!({"metadata": {"finalizers": null}})).await.ok();
    let uid = wait::until("the team says that the volume is another one", 60, async || {
        let seen = team.get().await;
        let found = component(&seen, "Experiments");
        let message = found["message"].as_str().unwrap_or_default();
        let uid = message.split("accept-volume=").nth(1).unwrap_or_default().to_owned();
        if found["reason"] == "VolumeReplaced" && !uid.is_empty() { Ok(uid) } else { Err(found.to_string()) }
    })
    .await
    .unwrap();
    // The record is written again, and forgets nothing.
    let record = path("ConfigMap", "vanished--backbone", "strata-record");
    team.admin.delete(&record).await.expect("deleted by somebody who may override");
    wait::until("the record is there again", 30, async || {
        let text = team.admin.get(&record).await.map(|record| record["data"]["record.json"].to_string());
        if text.as_ref().is_ok_and(|text| text.contains(before.as_str().unwrap())) {
            Ok(())
        } else {
            Err(format!("{text:?}"))
        }
    })
    .await
    .unwrap();
    assert_eq!(component(&team.get().await, "Experiments")["reason"], "VolumeReplaced");
    let live = team.admin.get(&claim).await.expect("it was made again");
    assert_eq!(live["metadata"]["uid"], uid.as_str());
    assert_ne!(live["metadata"]["uid"], before);
    let lead = team.stage.somebody("somebody", &[]).await;
    lead.merge(&claim, &annotated("strata-operator.dev/accept-volume", &uid)).await.expect_err("no right at all");
    team.admin.merge(&claim, &annotated("strata-operator.dev/accept-volume", &uid)).await.expect("accepted");
    team.until_ready().await;
    let seen = team.get().await;
    assert_eq!(component(&seen, "Experiments")["state"], "Ready", "{}", seen["status"]);
}
