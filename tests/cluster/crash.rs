//! An operator that is killed, in the middle of its work and at rest: what was left
//! undone is done, what was changed meanwhile is put right.

use futures::future::join_all;
use harness::wait;
use serde_json::json;

use crate::count::settled;
use crate::spec::everything;
use crate::stage::alone;
use crate::team::{Team, is_ready};

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
    let unfinished = join_all(teams.iter().map(Team::get)).await.iter().filter(|team| !is_ready(team)).count();
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
