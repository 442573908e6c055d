//! Fifty teams at once.

use std::time::{Duration, Instant};

use futures::future::join_all;
use harness::wait;
use serde_json::json;

use crate::count::{is_quiet, of_work, settled, tell};
use crate::spec::minimal;
use crate::stage::alone;
use crate::team::{Team, is_ready};

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
        let ready = ready.filter(|team| is_ready(team)).count();
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
    is_quiet(stage, "fifty teams", 20).await;
}
