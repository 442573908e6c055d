//! Pods that are refused: workload controllers say so in Events alone, and that
//! is believed only while a pod is missing.

use serde_json::json;

use crate::spec::at_work;
use crate::stage::stage;
use crate::team::{Team, condition};
use crate::work::{Work, component, of_ana};

#[tokio::test]
async fn a_server_over_the_quota_is_reported_until_it_fits() {
    let team = Team::ready(stage().await, "cramped", at_work()).await;
    let mut spec = of_ana();
    spec["size"] = json!("large");
    let work = Work::create(&team, "Workbench", "first", "ample", spec).await;
    work.until_not_ready("Refused", &["exceeded quota"]).await;
    assert_eq!(condition(&team.get().await, "Ready")["status"], "True");
    work.edit(json!({"size": "small"})).await;
    work.until_state("Running").await;
    work.until_ready().await;
}

#[tokio::test]
async fn a_step_over_the_quota_is_reported() {
    let team = Team::ready(stage().await, "cramped-too", at_work()).await;
    component(&team, "huge").await.edit(json!({"size": "large"})).await;
    let steps = json!({"steps": [{"component": "huge"}]});
    Work::create(&team, "Pipeline", "first", "ample", steps).await.until_ready().await;
    let run = Work::create(&team, "Run", "first", "ample", json!({"pipeline": "ample"})).await;
    run.until_not_ready("Refused", &["exceeded quota"]).await;
    run.delete().await;
}
