//! The server of a workbench starts and stops: by its spec, by annotations, when nobody
//! works in it, when its owner leaves.

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::spec::at_work;
use crate::stage::stage;
use crate::team::{Team, condition};
use crate::work::{Work, of_ana};
use crate::workbench::{replicas, running, team};

#[tokio::test]
async fn it_stops_and_starts_as_its_spec_says() {
    let team = team().await;
    let work = running(&team, "switched", &json!({})).await;
    let home = work.uid("PersistentVolumeClaim", "workbench-switched").await;
    work.edit(json!({"desiredState": "Stopped"})).await;
    let seen = work.until_state("Stopped").await;
    assert_eq!(condition(&seen, "Ready")["reason"], "Stopped", "{seen}");
    work.until_missing("Pod", "workbench-switched-0").await;
    work.until_there("StatefulSet", "workbench-switched", replicas(0)).await;
    work.edit(json!({"desiredState": "Running"})).await;
    work.until_state("Running").await;
    work.until_there("Pod", "workbench-switched-0", |_| true).await;
    assert_eq!(work.uid("PersistentVolumeClaim", "workbench-switched").await, home);
}

/// The server says that nobody used it, and ends.
async fn falls_idle(work: &Work<'_>) {
    let pod = work.child("Pod", &format!("workbench-{}-0", work.name));
    // Nothing ends in the second in which it was started.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let annotations = json!({"metadata": {"annotations": {"simulate/message": "{\"ended\": \"idle\"}"}}});
    work.team.admin.merge(&pod, &annotations).await.expect("the annotation is written");
    let seen = work.until_state("Stopped").await;
    assert_eq!(condition(&seen, "Ready")["reason"], "Idle", "{seen}");
    work.team.until_missing(&pod).await;
    work.until_there("StatefulSet", &format!("workbench-{}", work.name), replicas(0)).await;
}

#[tokio::test]
async fn after_an_idle_end_it_stays_down_until_it_is_asked_for_again() {
    let team = team().await;
    let work = running(&team, "idle", &json!({})).await;
    falls_idle(&work).await;
    assert_eq!(work.get().await["status"]["decision"]["cause"], "Idle");
    // Something else changes: it stays down.
    work.edit(json!({"size": "medium"})).await;
    let seen = work.until("was seen", |_| true).await;
    assert_eq!(seen["status"]["state"], "Stopped", "{seen}");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    work.until_there("StatefulSet", "workbench-idle", replicas(0)).await;

    let ana = team.stage.somebody("ana@example.com", &[]).await;
    notes(&ana, &work, "started-at", "2099-01-01T00:00:00Z").await;
    work.until("tells of the future", |object| says(object, "in the future")).await;
    notes(&ana, &work, "started-at", "tuesday").await;
    let seen = work.until("tells of no time", |object| says(object, "'tuesday', which is not a time")).await;
    assert_eq!(
        (seen["status"]["state"].as_str(), &condition(&seen, "Ready")["reason"]),
        (Some("Stopped"), &json!("Idle"))
    );
    notes(&ana, &work, "started-at", &now()).await;
    let seen = work.until_state("Running").await;
    assert_eq!(seen["status"]["decision"]["cause"], "Annotation", "{seen}");
    falls_idle(&work).await;
    // Or off and on again.
    work.edit(json!({"desiredState": "Stopped"})).await;
    work.until("was seen down", |object| condition(object, "Ready")["reason"] == "Stopped").await;
    work.edit(json!({"desiredState": "Running"})).await;
    work.until_state("Running").await;
}

/// Whether the message of its readiness has these words.
fn says(object: &Value, words: &str) -> bool {
    condition(object, "Ready")["message"].as_str().is_some_and(|message| message.contains(words))
}

/// Somebody writes an annotation of ours.
async fn notes(who: &Actor, work: &Work<'_>, key: &str, value: &str) {
    let annotation = json!({"metadata": {"annotations": {format!("strata-operator.dev/{key}"): value}}});
    who.merge(&work.path(), &annotation).await.expect("one's own workbench");
}

/// The current time, as `date` prints it.
pub fn now() -> String {
    let now = k8s_openapi::jiff::Timestamp::now();
    k8s_openapi::jiff::Timestamp::from_second(now.as_second()).unwrap().to_string()
}

#[tokio::test]
async fn git_and_an_owner_who_starts_and_stops_do_not_fight() {
    let team = team().await;
    let work = Work::named(&team, "Workbench", "first", "delivered");
    let delivered = async |desired: &str| {
        let mut spec = of_ana();
        spec["desiredState"] = json!(desired);
        let manifest = json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "Workbench", "spec": spec,
            "metadata": {"name": "delivered", "namespace": "benches--first"}});
        team.admin.apply("argocd-controller", &manifest).await.expect("applied without a conflict");
    };
    let stays = async |state: &str| {
        delivered("Running").await;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        delivered("Running").await;
        assert_eq!(work.get().await["status"]["state"], state);
    };
    let ana = team.stage.somebody("ana@example.com", &[]).await;
    delivered("Running").await;
    work.until_state("Running").await;
    falls_idle(&work).await;
    stays("Stopped").await;
    notes(&ana, &work, "started-at", &now()).await;
    work.until_state("Running").await;
    stays("Running").await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    notes(&ana, &work, "stopped-at", &now()).await;
    work.until_state("Stopped").await;
    stays("Stopped").await;
    // What changes in Git is newer than both.
    delivered("Stopped").await;
    work.until("is down by its spec", |object| object["status"]["decision"]["cause"] == "Spec").await;
    delivered("Running").await;
    work.until_state("Running").await;
    let seen = work.get().await;
    let annotations = &seen["metadata"]["annotations"];
    assert!(annotations["strata-operator.dev/started-at"].is_string(), "{annotations}");
}

#[tokio::test]
async fn it_stops_when_its_owner_leaves() {
    let team = Team::ready(stage().await, "leavers", at_work()).await;
    let work = running(&team, "ana", &json!({})).await;
    assert_eq!(work.get().await["status"]["ownerMembership"], "ByName");
    let members = |people: Value| json!({"members": [{"role": "MLEngineer", "users": ["mia@example.com"]}, {"role": "DataScientist", "users": people}]});
    team.edit(members(json!(["bo@example.com"]))).await;
    let seen = work.until_not_ready("OwnerLeft", &["ana@example.com"]).await;
    assert_eq!(condition(&seen, "Stalled")["status"], "True", "{seen}");
    work.until_state("Stopped").await;
    work.until_missing("Pod", "workbench-ana-0").await;
    assert!(team.admin.find(&work.child("PersistentVolumeClaim", "workbench-ana")).await.is_some());
    team.edit(members(json!(["ana@example.com", "bo@example.com"]))).await;
    work.until_state("Running").await;
}

#[tokio::test]
async fn one_that_is_to_be_down_goes_down_while_its_team_is_held() {
    let team = Team::ready(stage().await, "paused-work", at_work()).await;
    let work = running(&team, "ana", &json!({})).await;
    team.edit(json!({"managementPolicy": "Suspend"})).await;
    team.until_not_ready("Suspended", "managementPolicy").await;
    work.edit(json!({"desiredState": "Stopped"})).await;
    work.until_there("StatefulSet", "workbench-ana", replicas(0)).await;
    work.until_state("Stopped").await;
}
