//! A pipeline: steps that fit together, or a condition that says which do not;
//! in production also a schedule.

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::drift::{Change, are_undone};
use crate::spec::at_work;
use crate::stage::stage;
use crate::team::{Team, condition};
use crate::work::{Work, component};

async fn team() -> Team {
    static READY: OnceCell<()> = OnceCell::const_new();
    let team = Team::named(stage().await, "pipes").await;
    READY
        .get_or_init(|| async {
            let team = Team::ready(team.stage, "pipes", at_work()).await;
            let file = |name: &str| json!([{"name": name}]);
            let part = |inputs: Value, outputs: Value| json!({"image": "scipy", "inputs": inputs, "outputs": outputs});
            Work::create(&team, "Component", "shared", "make", part(json!([]), file("data"))).await;
            Work::create(&team, "Component", "shared", "fit", part(file("data"), file("model"))).await;
            component(&team, "plain").await;
        })
        .await;
    team
}

async fn of_steps<'a>(team: &'a Team, name: &str, steps: Value) -> Work<'a> {
    Work::create(team, "Pipeline", "first", name, json!({"steps": steps})).await
}

#[tokio::test]
async fn steps_stand_in_the_order_in_which_they_run() {
    let team = team().await;
    let fit = json!({"component": "fit", "inputs": [{"name": "data", "step": "make", "output": "data"}]});
    let work = of_steps(&team, "graph", json!([fit, {"component": "make"}])).await;
    assert_eq!(work.until_ready().await["status"]["steps"], json!(["make", "fit"]));
    work.edit(json!({"steps": [{"component": "make"}, {"name": "last", "component": "plain"}]})).await;
    let seen = work.until("has its new order", |seen| seen["status"]["steps"] == json!(["make", "last"])).await;
    assert_eq!(condition(&seen, "Ready")["status"], "True", "{seen}");
    assert!(work.written("Job").await.is_empty() && work.written("CronJob").await.is_empty());
    work.delete().await;
}

#[tokio::test]
async fn a_contradiction_of_two_objects_names_both_sides() {
    let team = team().await;
    let input = |step: &str, output: &str| json!([{"name": "data", "step": step, "output": output}]);
    let wrong = [
        ("no-component", json!([{"component": "nothing"}]), vec!["component nothing", "pipes--shared"]),
        (
            "of-workspace",
            json!([{"component": "plain", "from": "Workspace"}]),
            vec!["component plain", "pipes--first", "pipes--shared"],
        ),
        (
            "argument",
            json!([{"component": "plain", "arguments": {"speed": "9"}}]),
            vec!["'speed'", "pipes--shared/plain", "epochs"],
        ),
        ("no-input", json!([{"component": "make"}, {"component": "fit"}]), vec!["'data'", "step fit"]),
        (
            "output",
            json!([{"component": "make"}, {"component": "fit", "inputs": input("make", "dust")}]),
            vec!["'dust'", "step make"],
        ),
        (
            "parameter",
            json!([{"component": "plain", "arguments": {"epochs": "$(many)"}}]),
            vec!["$(many)", "step plain"],
        ),
    ];
    for (name, steps, words) in wrong {
        let work = of_steps(&team, name, steps).await;
        let seen = work.until_not_ready("Invalid", &words).await;
        assert_eq!(condition(&seen, "Stalled")["status"], "True", "{seen}");
        let run = Work::create(&team, "Run", "first", name, json!({"pipeline": name})).await;
        run.until_not_ready("Invalid", &[name]).await;
        assert!(run.written("Job").await.is_empty(), "{name}: it was started");
        run.delete().await;
        work.delete().await;
    }
    let circle = json!([
        {"name": "a", "component": "plain", "after": ["b"]}, {"name": "b", "component": "plain", "after": ["a"]},
    ]);
    of_steps(&team, "circle", circle).await.until_not_ready("Invalid", &["a", "b"]).await;
}

#[tokio::test]
async fn it_recovers_when_what_it_waits_for_is_there() {
    let team = team().await;
    let work = of_steps(&team, "early", json!([{"component": "late"}])).await;
    work.until_not_ready("Invalid", &["component late"]).await;
    let late = component(&team, "late").await;
    work.until_ready().await;
    late.delete().await;
    work.until_not_ready("Invalid", &["component late"]).await;
    work.delete().await;
}

fn nightly() -> Value {
    json!({"steps": [{"component": "plain"}], "schedule": "0 3 * * *", "timeZone": "Europe/Berlin", "keep": 3})
}

#[tokio::test]
async fn a_schedule_is_a_cron_job_in_production() {
    let team = team().await;
    let work = Work::create(&team, "Pipeline", "first--live", "nightly", nightly()).await;
    work.until_ready().await;
    let cron = work.until_there("CronJob", "pipeline-nightly", |_| true).await;
    assert_eq!(cron["spec"]["schedule"], "0 3 * * *");
    assert_eq!(cron["spec"]["timeZone"], "Europe/Berlin");
    assert_eq!(cron["spec"]["concurrencyPolicy"], "Forbid");
    assert_eq!(cron["spec"]["suspend"], false);
    assert!(cron["metadata"]["ownerReferences"].is_null(), "{cron}");
    let at = work.child("CronJob", "pipeline-nightly");
    let changes = vec![
        ("another hour", Change::Merge(json!({"spec": {"schedule": "0 4 * * *"}}))),
        ("a schedule suspended by hand", Change::Merge(json!({"spec": {"suspend": true}}))),
        ("a deleted schedule", Change::Delete),
    ];
    are_undone(&team, &at, changes).await;
    work.edit(json!({"schedule": "30 5 * * 1", "timeZone": null, "concurrency": "Replace"})).await;
    let moved = |cron: &Value| cron["spec"]["schedule"] == "30 5 * * 1" && cron["spec"]["timeZone"] == "Etc/UTC";
    let cron = work.until_there("CronJob", "pipeline-nightly", moved).await;
    assert_eq!(cron["spec"]["concurrencyPolicy"], "Replace");
    work.edit(json!({"schedule": null})).await;
    work.until_missing("CronJob", "pipeline-nightly").await;
    work.edit(json!({"schedule": "@daily"})).await;
    work.until_there("CronJob", "pipeline-nightly", |_| true).await;
    work.delete().await;
    work.until_missing("CronJob", "pipeline-nightly").await;
}

#[tokio::test]
async fn a_schedule_rests_while_its_pipeline_says_so() {
    let team = Team::ready(stage().await, "rests", at_work()).await;
    component(&team, "first").await;
    let mut spec = nightly();
    spec["steps"] = json!([{"component": "first"}]);
    let work = Work::create(&team, "Pipeline", "first--live", "nightly", spec).await;
    work.until_ready().await;
    due(&work, "pipeline-nightly-1").await;
    work.until("tells of success", |seen| seen["status"]["last"]["state"] == "Succeeded").await;
    work.edit(json!({"suspend": true})).await;
    work.until_there("CronJob", "pipeline-nightly", |cron| cron["spec"]["suspend"] == true).await;
    let rests = |seen: &Value| condition(seen, "Ready")["reason"] == "Stopped";
    let seen = work.until("says that it rests", rests).await;
    assert_eq!(condition(&seen, "Ready")["status"], "True", "{seen}");
    // What ran stays, and so does its status.
    assert_eq!(seen["status"]["last"]["state"], "Succeeded", "{seen}");
    assert!(team.admin.find(&work.child("Job", "pipeline-nightly-1")).await.is_some(), "its Job went");
    let resumed = Change::Merge(json!({"spec": {"suspend": false}}));
    are_undone(&team, &work.child("CronJob", "pipeline-nightly"), vec![("a schedule that somebody resumes", resumed)])
        .await;
    work.edit(json!({"suspend": false})).await;
    work.until_there("CronJob", "pipeline-nightly", |cron| cron["spec"]["suspend"] == false).await;
    work.until("goes on", |seen| condition(seen, "Ready")["reason"] == "Ready").await;
}

#[tokio::test]
async fn a_workspace_has_no_schedule() {
    let team = team().await;
    let work = Work::named(&team, "Pipeline", "first", "nightly");
    match work.write(&team.admin, nightly()).await {
        Err(refused) => assert!(refused.message.contains("Live"), "{refused:?}"),
        Ok(_) => drop(work.until_not_ready("Invalid", &["schedule", "Live"]).await),
    }
    assert!(work.written("CronJob").await.is_empty());
}

/// One execution, as the schedule would start it.
async fn due(work: &Work<'_>, job: &str) {
    let (space, cron) = (work.team.space(&work.end), format!("--from=cronjob/pipeline-{}", work.name));
    work.team.stage.plane.kubectl(["create", "job", job, &cron, "--namespace", &space]).await.expect("a Job");
}

#[tokio::test]
async fn a_failing_schedule_is_reported_and_turns_production_red() {
    let team = Team::ready(stage().await, "schedules", at_work()).await;
    component(&team, "first").await;
    component(&team, "second").await;
    let mut spec = nightly();
    spec["steps"] = json!([{"component": "first"}, {"component": "second"}]);
    let work = Work::create(&team, "Pipeline", "first--live", "nightly", spec).await;
    work.until_ready().await;
    due(&work, "pipeline-nightly-1").await;
    work.until("tells of success", |seen| seen["status"]["last"]["state"] == "Succeeded").await;
    team.until("has a production side", |team| condition(team, "ProductionReady")["status"] == "True").await;

    let annotations =
        [("simulate/step", "first"), ("simulate/exit-code", "2"), ("simulate/message", "no payments today")];
    let pods = work.pods_named("");
    team.stage.plane.simulate(&pods, &annotations).await.unwrap();
    due(&work, "pipeline-nightly-2").await;
    let seen = work.until("tells of failure", |seen| seen["status"]["last"]["state"] == "Failed").await;
    let last = &seen["status"]["last"];
    assert_eq!(last["job"], "pipeline-nightly-2");
    // The words of a step in production may be of customers: they stay in its log.
    let message = last["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("step first ended with exit code 2. Log: kubectl logs"), "{last}");
    assert!(!seen.to_string().contains("no payments today"), "{seen}");
    let cron = work.until_there("CronJob", "pipeline-nightly", |_| true).await.to_string();
    assert!(
        cron.contains("\"terminationMessagePolicy\":\"File\"") && !cron.contains("FallbackToLogsOnError"),
        "{cron}"
    );
    let red = team.until("is reported", |team| condition(team, "ProductionReady")["status"] == "False").await;
    assert_eq!(condition(&red, "Ready")["status"], "True", "{}", red["status"]);
    assert!(
        condition(&red, "ProductionReady")["message"].as_str().is_some_and(|message| message.contains("nightly")),
        "{red}"
    );
    assert!(!red["status"].to_string().contains("no payments today"), "{red}");

    team.stage.plane.simulate_nothing(&pods).await.unwrap();
    due(&work, "pipeline-nightly-3").await;
    work.until("tells of success again", |seen| seen["status"]["last"]["state"] == "Succeeded").await;
    team.until("is well again", |team| condition(team, "ProductionReady")["status"] == "True").await;
}

#[tokio::test]
async fn a_schedule_sleeps_while_its_team_is_away() {
    let team = Team::ready(stage().await, "sleepers", at_work()).await;
    component(&team, "plain").await;
    let work = Work::create(&team, "Pipeline", "first--live", "nightly", nightly()).await;
    work.until_ready().await;
    let suspended = |wanted: bool| move |cron: &Value| cron["spec"]["suspend"] == wanted;
    work.until_there("CronJob", "pipeline-nightly", suspended(false)).await;
    let before = work.uid("CronJob", "pipeline-nightly").await;
    team.delete().await;
    team.until_gone().await;
    work.until_there("CronJob", "pipeline-nightly", suspended(true)).await;
    team.write(at_work()).await;
    team.until_ready().await;
    work.until_there("CronJob", "pipeline-nightly", suspended(false)).await;
    assert_eq!(work.uid("CronJob", "pipeline-nightly").await, before);
    // A project that is taken away is the same.
    team.edit(json!({"projects": [{"name": "other"}]})).await;
    work.until_there("CronJob", "pipeline-nightly", suspended(true)).await;
}
