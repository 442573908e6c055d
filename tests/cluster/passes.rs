//! Passes are counted, as requests are: what nobody's plan has a part in wakes
//! nobody, and a flood in one team is that team's alone.

use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{StreamExt, stream};
use harness::wait;
use serde_json::{Value, json};

use crate::actor::{Actor, path};
use crate::count::{Passes, passes, settled};
use crate::spec::minimal;
use crate::stage::{Stage, alone};
use crate::team::Team;
use crate::work::Work;

const TEAMS: usize = 200;

/// Waits until no pass was made for a while.
async fn at_rest(stage: &Stage) -> Passes {
    settled(stage).await;
    let waited = wait::until("no more passes are made", 90, async || {
        let before = passes(stage).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let after = passes(stage).await;
        if before == after { Ok(after) } else { Err(format!("{}", after.since(&before))) }
    });
    waited.await.unwrap_or_else(|error| panic!("{error}"))
}

/// A Blueprint of its own, with so many teams that only have rights removed.
async fn crowd(stage: &'static Stage, site: &str) -> Vec<Team> {
    let admin = stage.admin().await;
    let blueprint = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": site}, "spec": {},
    });
    admin.create(&blueprint).await.expect("the Blueprint is taken");
    let names: Vec<String> = (0..TEAMS).map(|number| format!("quiet-{number:03}")).collect();
    let teams = join_all(names.iter().map(|name| Team::named(stage, name))).await;
    let mut spec = minimal();
    spec["managementPolicy"] = json!("Suspend");
    spec["blueprint"] = json!(site);
    stream::iter(&teams).map(|team| team.write(spec.clone())).buffer_unordered(16).for_each(async |_| {}).await;
    let count = format!("is used by {TEAMS}");
    teams[0].until_there(&path("Blueprint", "", site), |seen| seen["status"]["teams"] == TEAMS).await;
    println!("measured: Blueprint {site} {count}");
    teams
}

#[tokio::test]
async fn what_nobody_uses_wakes_nobody() {
    let (_turn, stage) = alone().await;
    let before = at_rest(stage).await;
    let teams = crowd(stage, "quiet").await;
    let after = at_rest(stage).await;
    let made = after.since(&before);
    println!("measured: {TEAMS} teams were brought up in passes: {made}");
    assert!(made.of("team") <= 6 * TEAMS, "{made}");
    assert!(made.of("blueprint") <= TEAMS, "{made}");

    // Somebody writes into the Blueprint's status: that is put back, and is all.
    let admin = stage.admin().await;
    let status = path("Blueprint", "", "quiet") + "/status";
    admin.merge(&status, &json!({"status": {"teams": 7}})).await.expect("the status is written");
    teams[0].until_there(&path("Blueprint", "", "quiet"), |seen| seen["status"]["teams"] == TEAMS).await;
    let counted = at_rest(stage).await;
    let made = counted.since(&after);
    println!("measured: one status of a Blueprint, passes: {made}");
    assert!((1..=5).contains(&made.all()), "{made}");

    // An engine that nobody names, prefers or uses.
    let engine = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Engine", "metadata": {"name": "unheard-of"},
        "spec": {"capabilities": ["Experiments"], "revision": "1"},
    });
    admin.create(&engine).await.expect("the engine is taken");
    let there = path("Engine", "", "unheard-of");
    teams[0].until_there(&there, |seen| seen["status"]["teams"] == 0).await;
    let made = at_rest(stage).await.since(&counted);
    println!("measured: a new Engine, passes: {made}");
    assert_eq!(made.all(), made.of("engine"), "{made}");
    assert!((1..=5).contains(&made.of("engine")), "{made}");

    admin.delete(&there).await.expect("the engine goes");
    stream::iter(&teams).map(Team::delete).buffer_unordered(16).for_each(async |()| {}).await;
    join_all(teams.iter().map(Team::until_gone)).await;
}

#[tokio::test]
async fn runs_that_are_over_cost_no_pass_at_a_start() {
    const RUNS: usize = 120;
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "overs", minimal()).await;
    at_rest(stage).await;
    // Other tests may have left members' objects behind: a start looks at that, too.
    stage.operator.restart().await.expect("started again");
    let without = at_rest(stage).await;
    stage.operator.stop().await.expect("stopped");
    let number = stream::iter(0..RUNS).map(|number| {
        let (team, name) = (&team, format!("over-{number:03}"));
        async move {
            // They stay for decades, whatever the date is.
            let spec = json!({"pipeline": "gone", "ttlSecondsAfterFinished": i32::MAX});
            let run = Work::create(team, "Run", "first", &name, spec).await;
            let finished = format!("2026-11-01T00:{:02}:{:02}Z", number / 60, number % 60);
            let status = json!({"observedGeneration": 1, "state": "Succeeded", "completionTime": finished});
            let path = run.path() + "/status";
            team.admin.merge(&path, &json!({"status": status})).await.expect("the status is written");
        }
    });
    number.buffer_unordered(16).for_each(async |()| {}).await;
    stage.operator.resume().await.expect("started again");
    let made = at_rest(stage).await;
    println!("measured: a start with {RUNS} runs that are over, passes: {made}");
    assert!(made.of("team") > 0 && made.of("work") <= without.of("work") + RUNS / 4, "{made}; without: {without}");
    // They are not looked at when what they stand on changes, either.
    team.edit(json!({"description": "another"})).await;
    team.until_ready().await;
    let after = at_rest(stage).await.since(&made);
    println!("measured: another description of their team, passes: {after}");
    assert!(after.of("team") > 0 && after.of("work") == 0, "{after}");
}

/// How long something takes in the middle of the times that were measured.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// How long a dataset's first status takes, and a plain write of the
/// same size, again and again until stopped.
async fn waits(team: &Team, prefix: &str, mut more: impl FnMut(usize) -> bool) -> (Duration, Duration) {
    let (mut waited, mut plain) = (Vec::new(), Vec::new());
    let mut number = 0;
    while more(number) {
        let name = format!("{prefix}-{number}");
        let begun = Instant::now();
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"},
            "metadata": {"name": name, "namespace": "default"}});
        team.admin.create(&config).await.expect("a plain write");
        plain.push(begun.elapsed());
        let begun = Instant::now();
        let dataset = Work::create(team, "Dataset", "first", &name, json!({"uri": "s3://one"})).await;
        dataset.until("is reported", |seen| !seen["status"]["conditions"].is_null()).await;
        waited.push(begun.elapsed());
        number += 1;
    }
    (median(waited), median(plain))
}

async fn all_at_once(admin: &Actor, paths: Vec<String>) {
    let deleted = stream::iter(paths).map(|path| async move { admin.delete(&path).await.expect("deleted") });
    deleted.buffer_unordered(16).for_each(async |_| {}).await;
}

#[tokio::test]
async fn a_flood_in_one_team_holds_up_no_other() {
    const COMPONENTS: usize = 500;
    const DATASETS: usize = 300;
    let (_turn, stage) = alone().await;
    let flooded = Team::ready(stage, "flooded", minimal()).await;
    let other = Team::ready(stage, "bystander", minimal()).await;
    let write = |kind: &'static str, count: usize, spec: Value| {
        let flooded = &flooded;
        stream::iter(0..count)
            .map(move |number| {
                let (spec, name) = (spec.clone(), format!("{}-{number}", kind.to_lowercase()));
                async move { Work::create(flooded, kind, "first", &name, spec).await.path() }
            })
            .buffer_unordered(16)
            .collect::<Vec<String>>()
    };
    write("Component", COMPONENTS, json!({"image": "scipy"})).await;
    let datasets = write("Dataset", DATASETS, json!({"uri": "s3://flood"})).await;
    let before = at_rest(stage).await;
    let (quiet, quiet_plain) = waits(&other, "before", |number| number < 9).await;
    let admin = stage.admin().await;
    let flood = tokio::spawn(async move { all_at_once(&admin, datasets).await });
    let (busy, busy_plain) = waits(&other, "meanwhile", |number| number < 5 || !flood.is_finished()).await;
    let made = at_rest(stage).await.since(&before);
    let ratio = |wait: Duration, plain: Duration| wait.as_secs_f64() / plain.as_secs_f64();
    let (alone, among) = (ratio(quiet, quiet_plain), ratio(busy, busy_plain));
    println!(
        "measured: another team's dataset has a status after {quiet:?} ({alone:.1} plain writes), \
         while {DATASETS} datasets beside {COMPONENTS} components go after {busy:?} ({among:.1}); passes: {made}"
    );
    assert!(among <= 5.0 * alone.max(4.0), "{among:.1} plain writes instead of {alone:.1}");
    // Nothing names what went.
    assert!(made.of("work") <= DATASETS + 100, "{made}");
}
