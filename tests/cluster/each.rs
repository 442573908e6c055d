//! What one object of a member costs, to the last request, and that none is
//! written when the operator starts anew or its definition goes.

use std::time::Instant;

use serde_json::{Value, json};

use crate::actor::path;
use crate::count::{of_work, settled, tell};
use crate::restart::{Writes, nothing_was_written, only_lists, written};
use crate::spec::at_work;
use crate::stage::{Stage, alone};
use crate::team::{Team, condition};
use crate::work::{Work, component, of_ana, pipeline, run, served};

/// How many requests each object may cost from nothing to ready, Events left out. Of a
/// model a slow machine shows more steps on the way, each with a status.
const BOUNDS: &[(&str, usize)] =
    &[("Component", 2), ("Dataset", 10), ("Workbench", 14), ("Pipeline", 4), ("Run", 10), ("ModelService", 28)];

async fn costs(stage: &Stage, work: &Work<'_>, spec: Value) {
    settled(stage).await;
    let (mark, begun) = (stage.plane.audit().mark(), Instant::now());
    work.write(&work.team.admin, spec).await.expect("created");
    work.until_ready().await;
    settled(stage).await;
    let asked = stage.asked(mark);
    tell(&format!("one {}", work.kind), 1, &asked, begun);
    let asked = of_work(&asked).filter(|request| request.resource != "events");
    let bound = BOUNDS.iter().find(|(kind, _)| *kind == work.kind).map_or(0, |(_, bound)| *bound);
    assert!(asked.count() > 0, "{}: nothing was asked for", work.kind);
    assert!(asked.count() <= bound, "{}: {} requests: {asked}", work.kind, asked.count());
    // Whether something else has the name is looked at before it is taken.
    let refused = asked.refused().filter(|request| request.code != 404);
    assert_eq!(refused.count(), 0, "{refused}");
}

#[tokio::test]
async fn each_kind_costs_a_handful_of_requests() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "costs", at_work()).await;
    let named = |kind: &'static str, end: &str, name: &str| Work::named(&team, kind, end, name);
    costs(stage, &named("Component", "shared", "plain"), json!({"image": "scipy"})).await;
    costs(stage, &named("Dataset", "first", "data"), json!({"volume": {"size": "1Gi"}})).await;
    costs(stage, &named("Workbench", "first", "ana"), of_ana()).await;
    costs(stage, &named("Pipeline", "first", "simple"), json!({"steps": [{"component": "plain"}]})).await;
    costs(stage, &named("Run", "first", "once"), json!({"pipeline": "simple"})).await;
    costs(stage, &named("ModelService", "first--live", "score"), served("1")).await;
}

/// One of each kind, in the states in which they may rest.
async fn everything_at_rest(team: &Team) -> Vec<Work<'_>> {
    let mut all = vec![component(team, "drift").await, pipeline(team, "experiment", &json!({})).await];
    all.push(Work::create(team, "Dataset", "first", "data", json!({"volume": {"size": "1Gi"}})).await);
    all.push(Work::create(team, "Dataset", "shared", "cards", json!({"uri": "s3://cards/v7"})).await);
    all.push(Work::create(team, "Workbench", "first", "ana", of_ana()).await);
    let mut stopped = of_ana();
    stopped["desiredState"] = json!("Stopped");
    all.push(Work::create(team, "Workbench", "first", "stopped", stopped).await);
    let mut broken = of_ana();
    broken["image"] = json!("fortran");
    all.push(Work::create(team, "Workbench", "first", "broken", broken).await);
    all.push(run(team, "good", "experiment").await);
    let bad = Work::named(team, "Run", "first", "bad");
    team.stage.plane.simulate(&bad.pods_named(""), &[("simulate/exit-code", "1")]).await.unwrap();
    bad.write(&team.admin, json!({"pipeline": "experiment"})).await.expect("created");
    all.push(bad);
    let nightly = json!({"steps": [{"component": "train"}], "schedule": "0 3 1 1 *"});
    all.push(Work::create(team, "Pipeline", "first--live", "nightly", nightly).await);
    let mut score = served("1");
    score["replicas"] = json!({"min": 1, "max": 3});
    score["monitor"] = json!({"component": "drift", "everyMinutes": 1440});
    all.push(Work::create(team, "ModelService", "first--live", "score", score).await);
    for work in &all {
        let bad = ["broken", "bad"].contains(&work.name.as_str());
        let rested = |seen: &Value| {
            let state = &seen["status"]["state"];
            let on_the_way = ["Pending", "Starting", "Stopping"].iter().any(|word| state == word)
                || (work.kind == "Run" && state == "Running");
            condition(seen, "Ready")["status"] == if bad { "False" } else { "True" } && !on_the_way
        };
        work.until("rests", rested).await;
    }
    all
}

/// What the operator wrote of these, and of everything that it wrote for the team.
async fn writes(team: &Team, all: &[Work<'_>]) -> Writes {
    let mut writes = Writes::new();
    for work in all {
        writes.insert(work.path(), written(&work.get().await));
    }
    let objects = team.objects().await.into_iter();
    writes.extend(objects.map(|(key, object)| (format!("{key:?}"), written(&object))));
    writes
}

#[tokio::test]
async fn a_restart_writes_no_object_of_members() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "restarts-too", at_work()).await;
    let all = everything_at_rest(&team).await;
    settled(stage).await;
    let before = writes(&team, &all).await;
    for how in ["stopped", "killed"] {
        match how {
            "stopped" => stage.operator.stop().await.expect("stopped"),
            _ => stage.operator.kill().await.expect("killed"),
        }
        let mark = stage.plane.audit().mark();
        stage.operator.resume().await.expect("started again");
        settled(stage).await;
        only_lists(stage, mark);
    }
    nothing_was_written(&before, &writes(&team, &all).await);
    // It does work again: it was not quiet because it stands still.
    let set = team.object("StatefulSet", "first", "workbench-ana");
    team.admin.delete(&set).await.expect("deleted");
    team.until_there(&set, |_| true).await;
}

#[tokio::test]
async fn changes_while_the_operator_is_down_are_noticed_afterwards() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "unwatched", at_work()).await;
    let bench = Work::create(&team, "Workbench", "first", "ana", of_ana()).await;
    let slow = Work::named(&team, "Run", "first", "slow");
    pipeline(&team, "experiment", &json!({})).await.until_ready().await;
    let annotations = [("simulate/duration", "3s"), ("simulate/exit-code", "4"), ("simulate/message", "too late")];
    stage.plane.simulate(&slow.pods_named(""), &annotations).await.unwrap();
    slow.write(&team.admin, json!({"pipeline": "experiment"})).await.expect("created");
    bench.until_state("Running").await;
    slow.until_state("Running").await;
    stage.operator.stop().await.expect("stopped");
    let idle = json!({"metadata": {"annotations": {"simulate/message": "{\"ended\": \"idle\"}"}}});
    team.admin.merge(&bench.child("Pod", "workbench-ana-0"), &idle).await.expect("the annotation is written");
    team.until_there(&slow.child("Job", "run-slow"), |job| job["status"]["failed"] == 1).await;
    let ended = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"] == 1;
    team.until_there(&bench.child("Pod", "workbench-ana-0"), ended).await;
    stage.operator.resume().await.expect("started again");
    let seen = slow.until_state("Failed").await;
    assert!(
        condition(&seen, "Ready")["message"].as_str().is_some_and(|message| message.contains("too late")),
        "{seen}"
    );
    let seen = bench.until_state("Stopped").await;
    assert_eq!(condition(&seen, "Ready")["reason"], "Idle", "{seen}");
}

#[tokio::test]
async fn a_deleted_definition_stops_nothing_that_serves() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "undefined", at_work()).await;
    let bench = Work::create(&team, "Workbench", "first", "ana", of_ana()).await;
    component(&team, "plain").await;
    let nightly = json!({"steps": [{"component": "plain"}], "schedule": "0 3 1 1 *"});
    let cron = Work::create(&team, "Pipeline", "first--live", "nightly", nightly.clone()).await;
    let model = Work::create(&team, "ModelService", "first--live", "score", served("1")).await;
    bench.until_state("Running").await;
    cron.until_ready().await;
    model.until_ready().await;
    settled(stage).await;
    let kept = [
        (&bench, "StatefulSet", "workbench-ana"),
        (&bench, "PersistentVolumeClaim", "workbench-ana"),
        (&bench, "Pod", "workbench-ana-0"),
        (&cron, "CronJob", "pipeline-nightly"),
        (&model, "Deployment", "service-score"),
        (&model, "Service", "score"),
        (&model, "NetworkPolicy", "strata-service-score"),
    ];
    let uids = async || {
        let mut all = Vec::new();
        for (work, kind, name) in &kept {
            all.push((*name, work.uid(kind, name).await));
        }
        all
    };
    let before = uids().await;
    for plural in ["workbenches", "pipelines", "modelservices"] {
        let definition = path("CustomResourceDefinition", "", &format!("{plural}.strata-operator.dev"));
        team.admin.delete(&definition).await.expect("the definition is deleted");
        team.until_missing(&definition).await;
    }
    settled(stage).await;
    assert_eq!(uids().await, before, "something went along");
    assert_eq!(condition(&team.get().await, "Ready")["status"], "True");
    // What guards them is repaired all the same.
    let policy = team.object("NetworkPolicy", "first--live", "strata-default-deny");
    team.admin.delete(&policy).await.expect("deleted");
    team.until_there(&policy, |_| true).await;

    for plural in ["workbenches", "pipelines", "modelservices"] {
        let file = harness::repository().join(format!("crds/{plural}.yaml"));
        stage.plane.apply(&std::fs::read_to_string(file).unwrap()).await.expect("the definition again");
        let crd = format!("crd/{plural}.strata-operator.dev");
        stage.plane.kubectl(["wait", "--for=condition=Established", "--timeout=60s", &crd]).await.unwrap();
    }
    for (work, spec) in [(&bench, of_ana()), (&cron, nightly), (&model, served("1"))] {
        let made = harness::wait::until("the kind is served", 60, async || {
            work.write(&team.admin, spec.clone()).await.map(drop).map_err(|refused| refused.message)
        });
        made.await.unwrap();
        work.until_ready().await;
    }
    assert_eq!(uids().await, before, "something was made anew");
}
