//! What is not known is not believed: an operator that cannot watch a kind any more
//! says so, everywhere where somebody looks, and knows again once it can.

use std::time::Duration;

use harness::audit::Mark;
use harness::wait;
use serde_json::{Value, json};

use crate::actor::{Actor, path};
use crate::spec::minimal;
use crate::stage::{Stage, brief, stage};
use crate::team::{PATIENCE, Team, condition};
use crate::work::Work;

/// The operator's role without `watch` on a resource, and how it was.
pub async fn without_watch(admin: &Actor, resource: &str) -> Value {
    let role = admin.get(&path("ClusterRole", "", "strata:operator")).await.expect("the role");
    let mut rules = role["rules"].clone();
    for rule in rules.as_array_mut().expect("rules") {
        let of_resource = |rule: &Value| rule["resources"].as_array().is_some_and(|all| all.contains(&json!(resource)));
        if of_resource(rule) {
            rule["verbs"].as_array_mut().expect("verbs").retain(|verb| verb != "watch");
        }
    }
    admin.merge(&path("ClusterRole", "", "strata:operator"), &json!({"rules": rules})).await.expect("the role changes");
    role["rules"].clone()
}

pub async fn heal(admin: &Actor, rules: &Value) {
    admin
        .merge(&path("ClusterRole", "", "strata:operator"), &json!({"rules": rules}))
        .await
        .expect("the role is whole");
}

/// Waits until `/readyz` refuses, and says this of the kind.
async fn until_unready(stage: &Stage, kind: &str, words: &str) {
    let waited = wait::until(format!("/readyz names {kind}"), PATIENCE, async || {
        let (code, body) = stage.operator.get("/readyz").await.map_err(|error| error.to_string())?;
        if code == 503 && body.contains(kind) && body.contains(words) { Ok(()) } else { Err(format!("{code} {body}")) }
    });
    waited.await.unwrap_or_else(|error| panic!("{error}"));
}

/// How long ago the watch of a kind was last known to be good.
async fn age(stage: &Stage, kind: &str) -> f64 {
    let (_, metrics) = stage.operator.get("/metrics").await.expect("metrics");
    let name = format!("strata_watch_age_seconds{{kind=\"{kind}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("{kind}: {metrics}")).parse().expect("a number")
}

#[tokio::test]
async fn a_kind_of_which_nothing_changes_is_listed_once() {
    let stage = stage().await;
    // Nothing makes the API server say a word of such a kind for longer than that.
    let age = Duration::from_secs(130);
    tokio::time::sleep(age.saturating_sub(stage.begun.elapsed())).await;
    let asked = stage.asked(Mark::START);
    // Autoscalers have two watches: those of Strata, and those of other owners.
    for (resource, watches) in [("cronjobs", 1), ("horizontalpodautoscalers", 2), ("poddisruptionbudgets", 1)] {
        let lists = asked.resource(resource).filter(|request| request.verb == "list");
        assert_eq!(lists.count(), watches, "{resource}: {lists}");
    }
}

#[tokio::test]
async fn a_kind_that_cannot_be_watched_is_not_believed() {
    let (_turn, stage) = brief().await;
    let (kind, admin) = ("networkpolicies.networking.k8s.io", stage.admin().await);
    let team = Team::ready(stage, "blinded", minimal()).await;
    let rules = without_watch(&admin, "networkpolicies").await;
    until_unready(stage, kind, "RightsMissing").await;
    let policy = team.object("NetworkPolicy", "first", "strata-default-deny");
    team.admin.delete(&policy).await.expect("deleted");
    let seen = team.until_not_ready("RightsMissing", "Grant the operator list and watch").await;
    assert_eq!(condition(&seen, "Stalled")["status"], "True");
    let before = age(stage, kind).await;
    wait::until("its age grows", PATIENCE, async || {
        let now = age(stage, kind).await;
        if now > before + 4.0 { Ok(()) } else { Err(format!("{now} s, after {before} s")) }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}"));
    assert!(age(stage, "configmaps").await < age(stage, kind).await, "one kind ages another");

    heal(&admin, &rules).await;
    team.until_there(&policy, |_| true).await;
    team.until_ready().await;
    stage.operator.wait_ready(PATIENCE).await.expect("ready again");
}

/// Teams whose own kind cannot be watched: what people write is not seen, so nothing
/// is written, and every status says so.
#[tokio::test]
async fn teams_that_cannot_be_watched_are_held_and_say_so() {
    let (_turn, stage) = brief().await;
    let (kind, admin) = ("aiteams", stage.admin().await);
    let team = Team::ready(stage, "frozen", minimal()).await;
    let rules = without_watch(&admin, kind).await;
    until_unready(stage, kind, "RightsMissing").await;
    let seen = team.until_not_ready("RightsMissing", "aiteams.strata-operator.dev cannot be watched").await;
    assert_eq!(condition(&seen, "Stalled")["status"], "True");
    let policy = team.object("NetworkPolicy", "first", "strata-default-deny");
    team.admin.delete(&policy).await.expect("deleted");
    // Written while nobody sees it: it counts once it is seen.
    let mut spec = minimal();
    spec["projects"].as_array_mut().expect("projects").push(json!({"name": "second"}));
    team.edit(spec).await;

    heal(&admin, &rules).await;
    team.until_there(&policy, |_| true).await;
    team.until_there(&team.object("NetworkPolicy", "second", "strata-default-deny"), |_| true).await;
    team.until_ready().await;
    stage.operator.wait_ready(PATIENCE).await.expect("ready again");
}

/// A namespaced kind that cannot be watched: its objects say so, their team and the
/// settings that they gave stay.
#[tokio::test]
async fn work_that_cannot_be_watched_says_so() {
    let (_turn, stage) = brief().await;
    let admin = stage.admin().await;
    let team = Team::ready(stage, "unseen", minimal()).await;
    let dataset = Work::create(&team, "Dataset", "first", "cards", json!({"uri": "s3://cards"})).await;
    let given = dataset.until_ready().await["status"]["connections"].clone();
    let rules = without_watch(&admin, "datasets").await;
    until_unready(stage, "datasets", "RightsMissing").await;
    let seen = dataset.until_not_ready("RightsMissing", &["datasets.strata-operator.dev cannot be watched"]).await;
    assert_eq!(seen["status"]["connections"], given, "what reads it loses nothing");
    team.until_ready().await;

    heal(&admin, &rules).await;
    dataset.until_ready().await;
    stage.operator.wait_ready(PATIENCE).await.expect("ready again");
}
