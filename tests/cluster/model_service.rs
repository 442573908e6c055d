//! A model in production: what is released is pinned, and serves until something
//! else does.

use harness::audit::Mark;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::drift::{Change, are_undone};
use crate::spec::at_work;
use crate::stage::stage;
use crate::team::{Team, condition};
use crate::work::{Work, component, served};

pub const LIVE: &str = "first--live";

pub async fn team() -> Team {
    static READY: OnceCell<()> = OnceCell::const_new();
    let team = Team::named(stage().await, "models").await;
    READY.get_or_init(|| async { drop(Team::ready(team.stage, "models", at_work()).await) }).await;
    team
}

/// How many release Jobs were made since a mark. (Once their word is recorded, they go.)
fn releases(work: &Work<'_>, mark: Mark) -> usize {
    let jobs = format!("service-{}-release-", work.name);
    let space = work.team.space(LIVE);
    let made = |request: &harness::audit::Request| {
        request.code == 201 && request.namespace == space && request.name.starts_with(&jobs)
    };
    work.team.stage.asked(mark).resource("jobs").filter(made).count()
}

pub async fn until_serving(work: &Work<'_>, version: &str) -> Value {
    let good = |seen: &Value| condition(seen, "Ready")["status"] == "True" && seen["status"]["serving"] == version;
    work.until(&format!("serves {version}"), good).await
}

#[tokio::test]
async fn a_release_is_pinned_and_going_back_needs_no_other() {
    let team = team().await;
    let work = Work::named(&team, "ModelService", LIVE, "score");
    let mia = team.stage.somebody("mia@example.com", &[]).await;
    let mut spec = served("1");
    spec["replicas"] = json!({"min": 2, "max": 4});
    let mark = team.mark();
    work.write(&mia, spec).await.expect("who owns Live releases");
    let first = until_serving(&work, "1").await;
    let status = &first["status"];
    assert_eq!(status["wanted"], "1");
    assert_eq!((&status["replicas"], &status["readyReplicas"]), (&json!(2), &json!(2)));
    assert_eq!(status["requested"], json!({"version": "1"}));
    assert_eq!(status["endpoint"], "http://score.models--first--live.svc:8080");
    let digest = status["digest"].clone();
    assert!(digest.as_str().is_some_and(|digest| digest.len() == 71 && digest.starts_with("sha256:")), "{status}");
    assert_eq!(status["releases"].as_array().map(Vec::len), Some(1), "{status}");
    assert_eq!(status["releases"][0]["digest"], digest);
    for (kind, name) in [
        ("Service", "score"),
        ("HorizontalPodAutoscaler", "service-score"),
        ("PodDisruptionBudget", "service-score"),
        ("ConfigMap", "service-score"),
        ("Deployment", "service-score"),
    ] {
        let object = work.until_there(kind, name, |_| true).await;
        assert!(object["metadata"]["ownerReferences"].is_null(), "{kind} goes with another object");
        assert_eq!(object["metadata"]["labels"]["strata-operator.dev/model-service"], "score", "{kind}");
    }
    assert_eq!(releases(&work, mark), 1);

    work.edit(json!({"model": {"version": "2"}})).await;
    let second = until_serving(&work, "2").await;
    assert_ne!(second["status"]["digest"], digest);
    assert_eq!(second["status"]["releases"][0]["version"], "2");
    assert_eq!(second["status"]["releases"][1]["version"], "1");
    assert_eq!(releases(&work, mark), 2);

    work.edit(json!({"model": {"version": "1"}})).await;
    let back = until_serving(&work, "1").await;
    assert_eq!(back["status"]["digest"], digest);
    assert_eq!(releases(&work, mark), 2, "a Job was made to go back");
    let serves = |team: &Value| {
        let models = team["status"]["production"].as_array().into_iter().flatten();
        let mut score = models.filter(|model| model["name"] == "score");
        score.any(|model| (&model["serving"], &model["ready"]) == (&json!("1"), &json!(true)))
    };
    team.until("tells what serves", serves).await;
    // Only who deploys may: a data scientist does here, somebody else does not.
    let eve = team.stage.somebody("eve@example.com", &[]).await;
    let change = eve.merge(&work.path(), &json!({"spec": {"model": {"version": "2"}}})).await;
    assert_eq!(change.expect_err("a stranger releases").code, 403);
}

#[tokio::test]
async fn a_release_that_fails_changes_nothing_that_serves() {
    let team = team().await;
    let work = Work::create(&team, "ModelService", LIVE, "steady", served("1")).await;
    until_serving(&work, "1").await;
    let before = team.admin.get(&work.child("Deployment", "service-steady")).await.unwrap();
    let pods = work.pods_named("service-steady-release-");
    let annotations = [("simulate/exit-code", "1"), ("simulate/message", "model score has no version 9")];
    team.stage.plane.simulate(&pods, &annotations).await.unwrap();
    work.edit(json!({"model": {"version": "9"}})).await;
    let seen = work.until_not_ready("ReleaseFailed", &["model score has no version 9"]).await;
    assert_eq!((&seen["status"]["wanted"], &seen["status"]["serving"]), (&json!("9"), &json!("1")), "{seen}");
    assert_eq!(condition(&seen, "Stalled")["status"], "True", "{seen}");
    let after = team.admin.get(&work.child("Deployment", "service-steady")).await.unwrap();
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"], "what serves was changed");
    let red = team.until("is reported", |team| condition(team, "ProductionReady")["status"] == "False").await;
    assert_eq!(condition(&red, "Ready")["status"], "True", "{}", red["status"]);
    // Back to what serves: nothing to release.
    let mark = team.mark();
    work.edit(json!({"model": {"version": "1"}})).await;
    until_serving(&work, "1").await;
    assert_eq!(releases(&work, mark), 0, "a Job was made to go back");
    let after = team.admin.get(&work.child("Deployment", "service-steady")).await.unwrap();
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"], "what serves was changed");
    work.delete().await;
}

#[tokio::test]
async fn nothing_is_deployed_while_nothing_was_ever_released() {
    let team = team().await;
    let work = Work::named(&team, "ModelService", LIVE, "never");
    let pods = work.pods_named("service-never-release-");
    team.stage.plane.simulate(&pods, &[("simulate/exit-code", "1"), ("simulate/message", "no model")]).await.unwrap();
    work.write(&team.admin, served("1")).await.expect("created");
    let seen = work.until_not_ready("ReleaseFailed", &["no model"]).await;
    assert!(seen["status"]["serving"].is_null(), "{seen}");
    assert!(work.written("Deployment").await.is_empty());
    // Asked for again with another version, it is tried again.
    team.stage.plane.simulate_nothing(&pods).await.unwrap();
    work.edit(json!({"model": {"version": "2"}})).await;
    until_serving(&work, "2").await;
    work.delete().await;
}

#[tokio::test]
async fn an_alias_is_looked_up_once() {
    let team = team().await;
    let mut spec = served("1");
    spec["model"] = json!({"name": "score", "alias": "champion"});
    let work = Work::create(&team, "ModelService", LIVE, "champion", spec).await;
    let seen = until_serving(&work, "7").await;
    assert_eq!(seen["status"]["wanted"], "champion (7)");
    assert_eq!(seen["status"]["releases"][0]["alias"], "champion");
    let mark = team.mark();
    work.edit(json!({"replicas": {"min": 2, "max": 2}})).await;
    work.until("has two", |seen| seen["status"]["readyReplicas"] == 2).await;
    assert_eq!(releases(&work, mark), 0, "the alias was looked up again");
    work.delete().await;
}

#[tokio::test]
async fn an_image_of_ones_own_serves_without_a_registry() {
    let team = team().await;
    let image = format!("registry.example.com/ai/models/routes@sha256:{}", "a".repeat(64));
    let spec = json!({"model": {"name": "routes", "version": "3"}, "image": image, "customers": ["checkout"]});
    let mark = team.mark();
    let work = Work::create(&team, "ModelService", LIVE, "routes", spec).await;
    let seen = until_serving(&work, "3").await;
    assert_eq!(seen["status"]["endpoint"], "http://routes.models--first--live.svc:8080");
    assert_eq!(releases(&work, mark), 0, "an image needs no release Job");
    let deployment = team.admin.get(&work.child("Deployment", "service-routes")).await.unwrap();
    assert!(deployment.to_string().contains(&image), "{deployment}");
    work.delete().await;
}

#[tokio::test]
async fn only_the_named_customers_may_call() {
    let team = team().await;
    let work = Work::create(&team, "ModelService", LIVE, "guarded", served("1")).await;
    until_serving(&work, "1").await;
    let policy = work.until_there("NetworkPolicy", "strata-service-guarded", |_| true).await;
    let text = policy["spec"].to_string();
    assert!(text.contains("checkout-prod") && text.contains("checkout-staging"), "{text}");
    assert!(!text.contains("\"disputes\"") && !text.contains("podSelector\":{},"), "{text}");
    assert_eq!(policy["spec"]["podSelector"]["matchLabels"]["strata-operator.dev/model-service"], "guarded", "{text}");
    let at = work.child("NetworkPolicy", "strata-service-guarded");
    let changes = vec![
        ("a way in for everybody", Change::Merge(json!({"spec": {"ingress": [{}]}}))),
        ("a deleted way in", Change::Delete),
    ];
    are_undone(&team, &at, changes).await;
    work.edit(json!({"customers": ["disputes"]})).await;
    let other =
        |policy: &Value| policy.to_string().contains("\"disputes\"") && !policy.to_string().contains("checkout-prod");
    work.until_there("NetworkPolicy", "strata-service-guarded", other).await;
    work.edit(json!({"customers": ["nobody"]})).await;
    work.until_not_ready("Invalid", &["'nobody'", "checkout"]).await;
    assert!(
        team.admin.find(&work.child("Deployment", "service-guarded")).await.is_some(),
        "it does not serve any more"
    );
    let closed = |policy: Option<Value>| policy.is_none_or(|policy| !policy.to_string().contains("disputes"));
    let shut = async || {
        let shut = harness::wait::until("no pod may call", 60, async || {
            if closed(team.admin.find(&at).await) { Ok(()) } else { Err("somebody may") }.map_err(ToOwned::to_owned)
        });
        shut.await.unwrap();
    };
    // What is held serves on, but not to those that it names no more.
    shut().await;
    work.edit(json!({"customers": []})).await;
    until_serving(&work, "1").await;
    shut().await;
    work.delete().await;
    team.until_missing(&at).await;
}

#[tokio::test]
async fn what_serves_is_kept() {
    let team = team().await;
    let mut spec = served("1");
    spec["replicas"] = json!({"min": 1, "max": 3});
    let work = Work::create(&team, "ModelService", LIVE, "kept", spec).await;
    until_serving(&work, "1").await;
    let mark = team.mark();
    let at = work.child("Deployment", "service-kept");
    let before = work.uid("Deployment", "service-kept").await;
    let image =
        json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil.example.com/x:1"}]);
    let stripped = json!({"metadata": {"labels": {"strata-operator.dev/model-service": null}}});
    let changes = vec![
        ("another image in production", Change::Patch(image)),
        ("a stripped name in production", Change::Merge(stripped)),
    ];
    are_undone(&team, &at, changes).await;
    assert_eq!(work.uid("Deployment", "service-kept").await, before, "a label took down what serves");
    team.admin.delete(&at).await.expect("deleted");
    work.until_there("Deployment", "service-kept", |now| now["status"]["readyReplicas"] == 1).await;
    are_undone(&team, &work.child("Service", "kept"), vec![("a deleted address", Change::Delete)]).await;
    // How many serve is the autoscaler's to say.
    team.admin.merge(&at, &json!({"spec": {"replicas": 3}})).await.expect("scaled");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(team.admin.get(&at).await.unwrap()["spec"]["replicas"], 3, "the autoscaler is fought");
    assert_eq!(releases(&work, mark), 0, "it was released again");
    until_serving(&work, "1").await;
    work.delete().await;
    for (kind, name) in [
        ("Deployment", "service-kept"),
        ("Service", "kept"),
        ("HorizontalPodAutoscaler", "service-kept"),
        ("PodDisruptionBudget", "service-kept"),
        ("ConfigMap", "service-kept"),
    ] {
        work.until_missing(kind, name).await;
    }
}

#[tokio::test]
async fn a_runtime_that_no_engine_has_is_refused_with_those_that_there_are() {
    let team = team().await;
    let spec = json!({"model": {"name": "score", "version": "1"}, "runtime": "vllm"});
    let work = Work::create(&team, "ModelService", LIVE, "other-runtime", spec).await;
    work.until_not_ready("Invalid", &["'vllm'", "Runtimes: mlflow"]).await;
    assert!(work.written("Deployment").await.is_empty());
    work.delete().await;
}

#[tokio::test]
async fn a_monitor_speaks_and_the_model_goes_on_serving() {
    let team = Team::ready(stage().await, "watched", at_work()).await;
    component(&team, "drift").await;
    let mut spec = served("1");
    spec["monitor"] = json!({"component": "drift", "everyMinutes": 30});
    let work = Work::create(&team, "ModelService", LIVE, "score", spec).await;
    until_serving(&work, "1").await;
    let cron = work.until_there("CronJob", "service-score-monitor", |_| true).await;
    assert_eq!(cron["spec"]["schedule"].as_str().map(|cron| cron.split(' ').count()), Some(5), "{cron}");
    let look = async |number: &str| {
        let name = format!("service-score-monitor-{number}");
        let from = "--from=cronjob/service-score-monitor";
        team.stage.plane.kubectl(["create", "job", &name, from, "--namespace=watched--first--live"]).await.unwrap();
    };
    let passing = |status: &'static str, reason: &'static str| {
        move |seen: &Value| {
            let passing = condition(seen, "MonitorPassing");
            passing["status"] == status && (reason.is_empty() || passing["reason"] == reason)
        }
    };
    look("1").await;
    let seen = work.until("passes", passing("True", "")).await;
    assert_eq!(seen["status"]["monitor"]["verdict"], "Ok");
    let pods = work.pods_named("service-score-monitor-");
    let annotations = [("simulate/message", "{\"verdict\": \"drift\", \"message\": \"amounts have doubled\"}")];
    team.stage.plane.simulate(&pods, &annotations).await.unwrap();
    look("2").await;
    let seen = work.until("drifts", passing("False", "Drift")).await;
    assert_eq!(seen["status"]["monitor"]["message"], "amounts have doubled");
    assert_eq!(condition(&seen, "Ready")["status"], "True", "a model that drifts serves: {seen}");
    team.stage.plane.simulate(&pods, &[("simulate/exit-code", "1"), ("simulate/message", "no data")]).await.unwrap();
    look("3").await;
    let seen = work.until("its monitor fails", passing("False", "MonitorFailed")).await;
    assert_eq!(seen["status"]["monitor"]["verdict"], "Failed", "{seen}");
    work.edit(json!({"monitor": {"component": "nothing"}})).await;
    work.until_not_ready("Invalid", &["'nothing'", "watched--shared"]).await;
    work.edit(json!({"monitor": null})).await;
    work.until_missing("CronJob", "service-score-monitor").await;
    until_serving(&work, "1").await;
}

#[tokio::test]
async fn it_serves_while_its_team_is_away() {
    let team = Team::ready(stage().await, "serves-on", at_work()).await;
    let work = Work::create(&team, "ModelService", LIVE, "score", served("1")).await;
    let bench = Work::create(&team, "Workbench", "first", "ana", crate::work::of_ana()).await;
    until_serving(&work, "1").await;
    bench.until_state("Running").await;
    let before = work.uid("Deployment", "service-score").await;
    let home = bench.uid("PersistentVolumeClaim", "workbench-ana").await;
    let mark = team.mark();
    team.delete().await;
    team.until_gone().await;
    bench.until_there("StatefulSet", "workbench-ana", |set| set["spec"]["replicas"] == 0).await;
    assert_eq!(work.uid("Deployment", "service-score").await, before);
    let deployment = team.admin.get(&work.child("Deployment", "service-score")).await.unwrap();
    assert_eq!(deployment["status"]["readyReplicas"], 1, "{deployment}");
    // Its customers reach it as before.
    let policy = work.child("NetworkPolicy", "strata-service-score");
    assert!(team.admin.find(&policy).await.is_some(), "its customers are shut out");

    team.write(at_work()).await;
    team.until_ready().await;
    until_serving(&work, "1").await;
    bench.until_state("Running").await;
    assert_eq!(work.uid("Deployment", "service-score").await, before);
    assert_eq!(bench.uid("PersistentVolumeClaim", "workbench-ana").await, home);
    assert_eq!(releases(&work, mark), 0, "it was released again");
}
