//! Objects that were written under earlier definitions, and are read under the present
//! ones: a key that is dropped changes nothing that runs or is down.

use std::time::Duration;

use harness::wait;
use serde_json::{Value, json};

use crate::actor::path;
use crate::count::settled;
use crate::spec::at_work;
use crate::stage::alone;
use crate::starting::now;
use crate::team::{Team, condition};
use crate::work::{Work, of_ana};

/// Where the definition has the properties of the spec.
const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";

#[tokio::test]
async fn a_stopped_workbench_stays_down_when_running_is_dropped() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "upgraded", at_work()).await;
    let down = Work::create(&team, "Workbench", "first", "down", of_ana()).await;
    let up = Work::create(&team, "Workbench", "first", "up", of_ana()).await;
    for work in [&down, &up] {
        work.until_state("Running").await;
    }
    down.edit(json!({"desiredState": "Stopped"})).await;
    down.until_state("Stopped").await;
    settled(stage).await;
    let server = up.uid("Pod", "workbench-up-0").await;
    stage.operator.stop().await.expect("stopped");

    // As an operator left them that knew `running` and no `desiredState`.
    let definition = path("CustomResourceDefinition", "", "workbenches.strata-operator.dev");
    let former =
        json!([{"op": "add", "path": format!("{SPEC}/running"), "value": {"type": "boolean", "default": true}}]);
    team.admin.patch(&definition, &former).await.expect("the former definition");
    for (work, running) in [(&down, false), (&up, true)] {
        wait::until("the former key is kept", 30, async || {
            let spec = json!({"spec": {"running": running, "desiredState": null}});
            let kept = team.admin.merge(&work.path(), &spec).await.map_err(|refused| refused.message)?;
            if kept["spec"]["running"] == running { Ok(()) } else { Err(kept.to_string()) }
        })
        .await
        .unwrap();
        let status = json!({"status": {"decision": null, "observedDesiredState": null, "ownerMembership": null}});
        team.admin.merge(&format!("{}/status", work.path()), &status).await.expect("the former status");
    }

    let present = json!([{"op": "remove", "path": format!("{SPEC}/running")}]);
    team.admin.patch(&definition, &present).await.expect("the present definition");
    wait::until("the key is dropped", 30, async || {
        let read: Value = down.get().await;
        if read["spec"].get("running").is_none() { Ok(()) } else { Err(read["spec"].to_string()) }
    })
    .await
    .unwrap();
    stage.operator.resume().await.expect("started again");
    let seen = down.until("was upgraded", |object| object["status"]["decision"]["cause"] == "Upgrade").await;
    assert_eq!(seen["status"]["state"], "Stopped", "{seen}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    down.until_there("StatefulSet", "workbench-down", |set| set["spec"]["replicas"] == 0).await;
    assert!(down.written("Pod").await.is_empty(), "its server was started");
    up.until("was upgraded", |object| object["status"]["decision"]["state"] == "Running").await;
    assert_eq!(up.uid("Pod", "workbench-up-0").await, server, "the server of another was disturbed");

    let started = json!({"metadata": {"annotations": {"strata-operator.dev/started-at": now()}}});
    team.admin.merge(&down.path(), &started).await.expect("started");
    down.until_state("Running").await;
}

#[tokio::test]
async fn a_suspended_team_of_the_earlier_form_stays_suspended_until_it_is_migrated() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "unmigrated", at_work()).await;
    settled(stage).await;
    stage.operator.stop().await.expect("stopped");

    // As an operator left it that knew `suspend`: the key is dropped, the condition is there.
    let mut status = team.get().await["status"].take();
    for condition in status["conditions"].as_array_mut().expect("conditions") {
        if condition["type"] == "Ready" {
            condition["status"] = json!("False");
            condition["reason"] = json!("Suspended");
            condition["message"] = json!("spec.suspend is true: only removals of rights are written");
        }
    }
    let mut waiting = condition(&json!({"status": status}), "Ready").clone();
    waiting["type"] = json!("Reconciling");
    waiting["status"] = json!("True");
    status["conditions"].as_array_mut().expect("conditions").push(waiting);
    team.admin.merge(&format!("{}/status", team.path()), &json!({"status": status})).await.expect("the former status");
    let quota = path("ResourceQuota", "unmigrated--shared", "strata-quota");
    team.admin.delete(&quota).await.expect("deleted");
    stage.operator.resume().await.expect("started again");

    let held = team.until_not_ready("NotMigrated", "managementPolicy").await;
    assert_eq!(condition(&held, "Stalled")["status"], "True", "{held}");
    settled(stage).await;
    assert!(team.admin.get(&quota).await.is_err(), "something was written for a suspended team");
    stage.operator.stop().await.expect("stopped");
    stage.operator.resume().await.expect("started again");
    settled(stage).await;
    team.until_not_ready("NotMigrated", "managementPolicy").await;
    assert!(team.admin.get(&quota).await.is_err(), "a restart wrote for a suspended team");

    team.edit(json!({"managementPolicy": "Suspend"})).await;
    team.until_not_ready("Suspended", "managementPolicy is Suspend").await;
    team.edit(json!({"managementPolicy": null})).await;
    team.until_ready().await;
    assert!(team.admin.get(&quota).await.is_ok(), "the quota is missing");
}
