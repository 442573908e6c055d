//! What goes on by itself in production: training by schedule, and a monitor.

use crate::ask::asks;
use crate::object::condition;
use crate::production;
use crate::stage::Stage;

/// Monitor and schedule run every minute, on a machine with much else to do.
const PATIENCE: u64 = 300;

/// Whether the monitor looks, and what it found.
const MONITOR_PASSING: &str = r#"get modelservice default-risk --namespace loans--risk--live --output=jsonpath='{.status.conditions[?(@.type=="MonitorPassing")]}'"#;

/// From now on the model is trained by schedule.
pub async fn mel_writes_a_schedule(stage: &Stage) {
    stage.person("mel").does("apply --filename deploy/tour/51-schedule.yaml").await;
}

/// The schedule trained anew: another version is in the registry.
pub async fn the_schedule_trained_anew(stage: &Stage) {
    let mel = stage.person("mel");
    mel.sees("get pipeline retrain --namespace loans--risk--live", PATIENCE, |seen| seen.contains("Succeeded")).await;
    let jobs = mel
        .does("get jobs --namespace loans--risk--live --selector strata-operator.dev/pipeline=retrain --output=name")
        .await;
    let said = mel.does(&format!("logs --namespace loans--risk--live {}", jobs.lines().next().expect("a Job"))).await;
    assert!(said.contains("of default-risk"), "{said}");
    // Every minute is for watching; the node has other things to do.
    mel.does(r#"patch pipeline retrain --namespace loans--risk--live --type=merge --patch '{"spec":{"schedule":"@weekly"}}'"#).await;
}

/// What customers asked is as in training.
pub async fn the_monitor_finds_nothing(stage: &Stage) {
    verdict(stage, "Ok", "amounts are as in training").await;
}

/// Amounts are three times as large as they were.
pub async fn customers_ask_something_else(stage: &Stage) {
    assert_eq!(asks(&stage.person("bea"), 200, 3, 10).await, "200 answered, 0 lost\n");
}

/// The condition turns, and an Event tells it.
pub async fn the_monitor_finds_a_drift(stage: &Stage) {
    verdict(stage, "Drift", "the mean amount is").await;
    let mel = stage.person("mel");
    let service = production::reads(&mel).await;
    assert_eq!(condition(&service, "MonitorPassing")["reason"], "Drift", "{}", service["status"]);
    assert_eq!(condition(&service, "Ready")["status"], "True", "a drift stops nothing");
    let line = "events --for modelservice/default-risk --namespace loans--risk--live";
    mel.sees(line, 30, |seen| seen.contains("Drift")).await;
}

/// A monitor that was changed does not look at what customers asked before somebody lists
/// it. One that fails says nothing of the model, and that is what the status says.
pub async fn a_failing_monitor_is_reported(stage: &Stage) {
    let mel = stage.person("mel");
    mel.does(r#"patch component drift --namespace loans--shared --type=merge --patch '{"spec":{"args":["raise SystemExit(3)"]}}'"#).await;
    let failure = mel.sees(MONITOR_PASSING, PATIENCE, |seen| seen.contains("NotListed")).await;
    let digest = failure.split_once("digest: ").and_then(|(_, rest)| rest.split_once('}')).expect("what to write").0;
    mel.does(&format!(
        r#"patch dataset captured --namespace loans--risk--live --type=merge --patch '{{"spec":{{"usedBy":[{{"component":"drift","digest":"{digest}"}}]}}}}'"#
    ))
    .await;
    verdict(stage, "Failed", "").await;
    let service = production::reads(&mel).await;
    assert_eq!(condition(&service, "MonitorPassing")["reason"], "MonitorFailed", "{}", service["status"]);
}

/// Waits for what the monitor says.
async fn verdict(stage: &Stage, verdict: &str, words: &str) {
    let line = "get modelservice default-risk --namespace loans--risk--live --output=jsonpath={.status.monitor}";
    let says = |seen: &str| seen.contains(&format!("\"verdict\":\"{verdict}\"")) && seen.contains(words);
    stage.person("mel").sees(line, PATIENCE, says).await;
}
