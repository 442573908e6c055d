//! What is counted to the last request, and what becomes of teams when the
//! operator ends, however it ends: one test at a time, on a stage of their own.

use std::time::{Duration, Instant};

use futures::future::join_all;
use harness::audit::{Mark, Requests};
use harness::wait;
use serde_json::{Value, json};

use crate::spec::{everything, minimal};
use crate::stage::{Stage, alone};
use crate::team::Team;

/// How long nothing may happen.
const QUIET: Duration = Duration::from_secs(20);

/// Waits until the operator asks for nothing any more: what a burst of changes set
/// off (counts, usage, Events) is over.
async fn settled(stage: &Stage) {
    let waited = wait::until("the operator is at rest", 60, async || {
        let mark = stage.plane.audit().mark();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let asked = of_work(&stage.asked(mark));
        if asked.count() == 0 { Ok(()) } else { Err(asked.to_string()) }
    });
    waited.await.unwrap_or_else(|error| panic!("{error}"));
}

/// All but the Lease, which says that the operator lives.
fn of_work(requests: &Requests) -> Requests {
    requests.filter(|request| request.resource != "leases")
}

/// Nothing changes, and nothing is asked: but watches and the Lease.
async fn is_quiet(stage: &Stage, what: &str) {
    let mark = stage.plane.audit().mark();
    tokio::time::sleep(QUIET).await;
    let all = stage.asked(mark);
    assert!(all.resource("leases").count() > 0, "the audit log tells nothing of the operator");
    let asked = of_work(&all);
    println!(
        "measured: {what}: {} requests but watches and the Lease in {} quiet seconds",
        asked.count(),
        QUIET.as_secs()
    );
    assert_eq!(asked.count(), 0, "{asked}");
}

/// How many requests were made for how many objects.
fn tell(what: &str, objects: usize, asked: &Requests, begun: Instant) {
    let asked = of_work(asked);
    let creates = asked.filter(|request| request.code == 201 && request.resource != "events").count();
    let events = asked.resource("events").count();
    let status = asked.filter(|request| request.resource.ends_with("/status")).count();
    let other = asked.writes().count() - creates - events - status;
    println!(
        "measured: {what}: {objects} objects in {:.1} s; {} requests: {creates} creates, {other} other writes, {status} of status, {events} of Events, {} reads; by kind: {:?}",
        begun.elapsed().as_secs_f32(),
        asked.count(),
        asked.reads().count(),
        asked.by_resource(),
    );
}

/// What an operator that was just started asks for: everything once, as a list.
fn only_lists(stage: &Stage, mark: Mark) {
    let asked = of_work(&stage.asked(mark));
    let lists = asked.verb("list");
    assert!(lists.count() >= 15, "it did not start: {asked}");
    assert_eq!(asked.writes().count(), 0, "{}", asked.writes());
    let gets = asked.verb("get").filter(|request| !request.resource.starts_with('/'));
    assert_eq!(gets.count(), 0, "{gets}");
    println!("measured: a restart: {} lists and {} other requests", lists.count(), asked.count() - lists.count());
}

#[tokio::test]
async fn the_largest_example_in_numbers() {
    let (_turn, stage) = alone().await;
    let examples = harness::repository().join("deploy/examples");
    for file in ["03-blueprint-division.yaml", "60-atlas.yaml"] {
        let text = std::fs::read_to_string(examples.join(file)).expect("the example");
        if file.starts_with("60") {
            settled(stage).await;
            let (mark, begun) = (stage.plane.audit().mark(), Instant::now());
            stage.plane.apply(&text).await.expect("applied");
            let team = Team::named(stage, "atlas").await;
            team.until_ready().await;
            let ready = begun;
            settled(stage).await;
            let objects = team.objects().await.len();
            let asked = stage.asked(mark);
            tell("the largest example (until it rests)", objects, &asked, ready);
            assert!(objects > 150, "{objects} objects");
            let refused = of_work(&asked).refused();
            assert_eq!(refused.count(), 0, "{refused}");
            let asked = of_work(&asked).filter(|request| request.resource != "events");
            assert!(
                asked.count() <= objects + objects / 5,
                "{} requests for {objects} objects: {asked}",
                asked.count()
            );
        } else {
            stage.plane.apply(&text).await.expect("applied");
        }
    }
    is_quiet(stage, "the largest example").await;
}

#[tokio::test]
async fn fifty_teams_at_once() {
    let (_turn, stage) = alone().await;
    settled(stage).await;
    let mut spec = minimal();
    spec["projects"] = json!([{"name": "first"}, {"name": "second"}]);
    spec["shared"] = json!({"experiments": {"storage": "2Gi"}});
    let names: Vec<_> = (1..=50).map(|number| format!("many-{number:02}")).collect();
    let teams = join_all(names.iter().map(|name| Team::named(stage, name))).await;
    let (mark, begun) = (stage.plane.audit().mark(), Instant::now());
    join_all(teams.iter().map(|team| team.write(spec.clone()))).await;
    let all_ready = wait::until("fifty teams are ready", 240, async || {
        let list = teams[0].admin.list("/apis/strata-operator.dev/v1alpha1/aiteams").await;
        let ready =
            list.iter().filter(|team| team["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("many-")));
        let ready = ready.filter(|team| crate::team::is_ready(team)).count();
        // Looking costs the API server much more than the operator does.
        tokio::time::sleep(Duration::from_millis(400)).await;
        if ready == 50 { Ok(()) } else { Err(format!("{ready} are ready")) }
    });
    all_ready.await.unwrap();
    let ready = begun.elapsed();
    settled(stage).await;
    let mut objects = 0;
    for team in &teams {
        objects += team.objects().await.len();
    }
    let asked = stage.asked(mark);
    tell("fifty teams", objects, &asked, begun);
    println!("measured: fifty teams were ready after {:.1} s", ready.as_secs_f32());
    let asked = of_work(&asked).filter(|request| request.resource != "events");
    assert!(asked.count() <= objects + objects / 4, "{} requests for {objects} objects: {asked}", asked.count());
    is_quiet(stage, "fifty teams").await;
}

#[tokio::test]
async fn a_restart_writes_nothing() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "restarts", everything()).await;
    settled(stage).await;
    let before = versions(&team).await;
    assert!(before.len() > 60);
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
    assert_eq!(versions(&team).await, before, "something was written");
    // It does work again: it was not quiet because it stands still.
    let binding = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
    team.admin.delete(&binding).await.expect("deleted");
    team.until_there(&binding, |_| true).await;
}

async fn versions(team: &Team) -> Vec<(String, Value)> {
    let all = team.objects().await.into_iter();
    all.map(|(key, object)| (format!("{key:?}"), object["metadata"]["resourceVersion"].clone())).collect()
}

#[tokio::test]
async fn what_was_changed_while_it_was_away_is_put_right() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "absent", everything()).await;
    settled(stage).await;
    stage.operator.kill().await.expect("killed");
    let policy = team.object("NetworkPolicy", "first", "strata-default-deny");
    let server = team.object("Deployment", "shared", "mlflow");
    let gone = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
    let space = team.space_path("first");
    team.admin.merge(&policy, &json!({"spec": {"egress": [{}]}})).await.expect("changed");
    team.admin.merge(&server, &json!({"spec": {"revisionHistoryLimit": 9}})).await.expect("changed");
    team.admin
        .merge(&space, &json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}))
        .await
        .expect("changed");
    team.admin.delete(&gone).await.expect("deleted");
    team.edit(json!({"projects": [everything()["projects"][0]]})).await;
    stage.operator.resume().await.expect("started again");
    team.until_there(&policy, |policy| policy["spec"]["egress"].is_null()).await;
    team.until_there(&server, |server| server["spec"]["revisionHistoryLimit"] == 2).await;
    team.until_there(&space, |space| space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted")
        .await;
    team.until_there(&gone, |_| true).await;
    team.until_missing(&team.object("RoleBinding", "second", "strata-data-scientist-contribute")).await;
    team.until_ready().await;
}

#[tokio::test]
async fn killed_in_the_middle_it_goes_on_where_it_was() {
    let (_turn, stage) = alone().await;
    settled(stage).await;
    let teams =
        join_all((1..=10).map(|number| async move { Team::named(stage, &format!("crash-{number:02}")).await })).await;
    let mark = stage.plane.audit().mark();
    join_all(teams.iter().map(|team| team.write(everything()))).await;
    let middle = wait::until("it is in the middle", 60, async || {
        let created = stage.asked(mark).filter(|request| request.code == 201).count();
        if created > 150 { Ok(created) } else { Err(format!("{created} are created")) }
    });
    let created = middle.await.unwrap();
    stage.operator.kill().await.expect("killed");
    let unfinished =
        join_all(teams.iter().map(Team::get)).await.iter().filter(|team| !crate::team::is_ready(team)).count();
    println!("measured: killed after {created} creates, with {unfinished} of 10 teams unfinished");
    assert!(unfinished > 0, "too late: nothing was left to do");
    stage.operator.resume().await.expect("started again");
    for team in &teams {
        team.until_ready().await;
    }
    settled(stage).await;
    let (rendered, live) = (teams[0].rendered().await, teams[0].objects().await);
    let missing: Vec<_> = rendered.keys().filter(|key| !live.contains_key(*key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn a_deleted_definition_takes_nothing_along() {
    let (_turn, stage) = alone().await;
    let retained = Team::ready(stage, "survives", everything()).await;
    let mut spec = everything();
    spec["deletionPolicy"] = json!("Delete");
    let deleted = Team::ready(stage, "survives-too", spec.clone()).await;
    settled(stage).await;
    let uids = async || {
        let mut all = Vec::new();
        for team in [&retained, &deleted] {
            let objects = team.objects().await.into_iter();
            all.extend(objects.map(|(key, object)| (key, object["metadata"]["uid"].clone())));
        }
        all
    };
    let before = uids().await;
    assert!(before.len() > 120);
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/aiteams.strata-operator.dev";
    retained.admin.delete(definition).await.expect("the definition is deleted");
    retained.until_missing(definition).await;
    settled(stage).await;
    assert_eq!(uids().await, before, "something went along");

    let crds = std::fs::read_to_string(harness::repository().join("crds/aiteams.yaml"));
    let crds =
        crds.or_else(|_| std::fs::read_to_string(harness::repository().join("crds/aiteams.strata-operator.dev.yaml")));
    stage.plane.apply(&crds.expect("the definition's file")).await.expect("the definition again");
    stage
        .plane
        .kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd/aiteams.strata-operator.dev"])
        .await
        .unwrap();
    wait::until("the kind is served", 60, async || {
        retained
            .admin
            .get("/apis/strata-operator.dev/v1alpha1/aiteams")
            .await
            .map(drop)
            .map_err(|refused| refused.message)
    })
    .await
    .unwrap();
    retained.write(everything()).await;
    deleted.write(spec).await;
    retained.until_ready().await;
    deleted.until_ready().await;
    assert_eq!(uids().await, before, "something was made anew");
}
