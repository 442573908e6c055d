//! Two hundred workbenches and five hundred runs in one team: its status stays
//! small and still, and another team is not slowed.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use harness::wait;
use serde_json::{Value, json};

use crate::actor::collection;
use crate::count::{is_quiet, of_work, settled, tell};
use crate::spec::{at_work, minimal};
use crate::stage::alone;
use crate::team::{Team, condition};
use crate::work::{Work, of_ana, pipeline};

const BENCHES: usize = 200;
const RUNS: usize = 500;

/// Makes objects, many at a time.
async fn flood(team: &Team, kind: &'static str, count: usize, spec: &Value) {
    let work = stream::iter(0..count).map(|number| {
        let name = format!("{}-{number:03}", kind.to_lowercase());
        async move { Work::create(team, kind, "first", &name, spec.clone()).await }
    });
    work.buffer_unordered(16).for_each(async |_| {}).await;
}

/// All objects of a kind in the Workspace.
async fn all(team: &Team, kind: &str) -> Vec<Value> {
    team.admin.list(&collection(kind, Some(&team.space("first")))).await
}

/// Waits until all objects of a kind have this state.
async fn until_all(team: &Team, kind: &str, count: usize, state: &str) {
    let waited = wait::until(format!("{count} objects of kind {kind} are {state}"), 240, async || {
        let all = all(team, kind).await;
        let good = all.iter().filter(|object| object["status"]["state"] == state).count();
        // Looking costs the API server much more than the operator does.
        tokio::time::sleep(Duration::from_millis(500)).await;
        if good == count { Ok(()) } else { Err(format!("{good} of {}", all.len())) }
    });
    waited.await.unwrap();
}

#[tokio::test]
async fn two_hundred_workbenches_and_five_hundred_runs() {
    let (_turn, stage) = alone().await;
    let mut spec = at_work();
    spec["budget"] =
        json!({"requests": {"cpu": "250", "memory": "900Gi"}, "limits": {"memory": "1800Gi"}, "storage": "9Ti"});
    // All of these workbenches are one person's, which no site would allow.
    let admin = stage.admin().await;
    let mut site = admin.get(&crate::actor::path("Blueprint", "", "default")).await.expect("the default Blueprint");
    site["metadata"] = json!({"name": "crowd"});
    site["spec"].as_object_mut().expect("a spec").remove("limits");
    admin.create(&site).await.expect("the Blueprint is taken");
    spec["blueprint"] = json!("crowd");
    let team = Team::ready(stage, "crowd", spec).await;
    let other = Team::ready(stage, "neighbour", minimal()).await;
    pipeline(&team, "experiment", &json!({"keep": 10})).await.until_ready().await;
    settled(stage).await;
    let alone_takes = starts(&other, "before").await;
    settled(stage).await;

    let (mark, begun) = (stage.plane.audit().mark(), Instant::now());
    flood(&team, "Workbench", BENCHES, &of_ana()).await;
    flood(&team, "Run", RUNS, &json!({"pipeline": "experiment"})).await;
    let among_takes = starts(&other, "meanwhile").await;
    let undone = all(&team, "Run").await.iter().filter(|run| run["status"]["state"] != "Succeeded").count();
    until_all(&team, "Workbench", BENCHES, "Running").await;
    until_all(&team, "Run", RUNS, "Succeeded").await;
    println!("measured: {BENCHES} workbenches and {RUNS} runs done after {:.1} s", begun.elapsed().as_secs_f32());
    settled(stage).await;
    let asked = stage.asked(mark);
    tell("workbenches and runs", BENCHES + RUNS, &asked, begun);
    let of_team = asked.filter(|request| request.resource == "aiteams/status" && request.name == "crowd");
    println!("measured: the team's status was written {} times meanwhile", of_team.count());
    println!("measured: a workbench of another team starts in {alone_takes:?}, among the crowd in {among_takes:?}");
    assert!(undone > RUNS / 10, "another team waited until all but {undone} runs of the crowd were done");
    // A burst of changes is reported once.
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap_or(usize::MAX);
    assert!(of_team.count() <= seconds, "the team's status was written {} times", of_team.count());

    let seen = team.get().await;
    assert_eq!(condition(&seen, "Ready")["status"], "True", "{}", seen["status"]);
    let bytes = seen["status"].to_string().len();
    println!("measured: the team's status has {bytes} bytes");
    assert!(bytes < 32 * 1024, "the team's status has {bytes} bytes");
    let jobs = all(&team, "Job").await.len();
    assert!(jobs <= 10, "{jobs} Jobs are kept");
    let asked = of_work(&asked).filter(|request| request.resource != "events");
    let each = asked.count() / (BENCHES + RUNS);
    println!("measured: {each} requests for each of them, Events left out");
    assert!(each <= 12, "{each} requests for each object");
    is_quiet(stage, "a crowd", 20).await;
}

/// How long a workbench of a team takes to start.
async fn starts(team: &Team, name: &str) -> Duration {
    let begun = Instant::now();
    let work = Work::create(team, "Workbench", "first", name, of_ana()).await;
    work.until("is known", |seen| !seen["status"]["state"].is_null()).await;
    work.until_there("StatefulSet", &format!("workbench-{name}"), |_| true).await;
    begun.elapsed()
}
