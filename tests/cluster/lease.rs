//! Two operators at once: one writes, the other knows everything and waits; when
//! the one ends, however it ends, the other goes on.

use harness::{Operator, wait};

use crate::count::settled;
use crate::proxy::Proxy;
use crate::spec::minimal;
use crate::stage::{Stage, alone};
use crate::team::Team;

/// A Lease that nobody renews is held for 15 s more.
const TAKEOVER: u64 = 60;

/// A connection that is silent for half a minute longer than a watch lasts, two minutes,
/// has ended.
const UNHEARD: u64 = 180;

/// Whether the operator says that it is the one that writes.
async fn writes(operator: &Operator) -> Result<bool, String> {
    let (_, text) = operator.get("/metrics").await.map_err(|error| error.to_string())?;
    let line = text.lines().find(|line| line.starts_with("strata_leader ")).ok_or("no strata_leader")?;
    Ok(line.ends_with(" 1"))
}

async fn until_it_writes(operator: &Operator) {
    let taken = wait::until("it holds the lease", TAKEOVER, async || {
        if writes(operator).await? { Ok(()) } else { Err("it waits".to_owned()) }
    });
    taken.await.unwrap_or_else(|error| panic!("{error}"));
}

async fn is_repaired(stage: &Stage, team: &Team) {
    let policy = team.object("NetworkPolicy", "first", "strata-default-deny");
    team.admin.delete(&policy).await.expect("deleted");
    team.until_there(&policy, |_| true).await;
    assert!(stage.plane.stopped().is_ok());
}

#[tokio::test]
async fn of_two_operators_one_writes_and_the_other_takes_over() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "replicas", minimal()).await;
    settled(stage).await;
    let program = env!("CARGO_BIN_EXE_strata");
    let second = Operator::start_with(&stage.plane, program, &[]).await.expect("it starts");
    second.wait_ready(60).await.expect("it is ready before it may write");
    assert!(writes(&stage.operator).await.unwrap());
    assert!(!writes(&second).await.unwrap());
    is_repaired(stage, &team).await;
    assert!(!writes(&second).await.unwrap(), "the second did it");

    stage.operator.kill().await.expect("killed");
    until_it_writes(&second).await;
    is_repaired(stage, &team).await;

    stage.operator.resume().await.expect("started again");
    assert!(!writes(&stage.operator).await.unwrap(), "there are two");
    second.stop().await.expect("it ends on request");
    until_it_writes(&stage.operator).await;
    is_repaired(stage, &team).await;
}

#[tokio::test]
async fn a_standby_whose_connections_hang_takes_over() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "hanging", minimal()).await;
    settled(stage).await;
    let proxy = Proxy::to(stage.plane.port().expect("it is on this machine")).await;
    let program = env!("CARGO_BIN_EXE_strata");
    let standby = Operator::start_through(&stage.plane, program, proxy.port).await.expect("it starts");
    standby.wait_ready(60).await.expect("it is ready before it may write");
    assert!(!writes(&standby).await.unwrap());

    proxy.hang();
    stage.operator.kill().await.expect("killed");
    until_it_writes(&standby).await;
    // Its watches hang as well, and are opened anew.
    let policy = team.object("NetworkPolicy", "first", "strata-default-deny");
    let uid = team.admin.find(&policy).await.expect("it is there")["metadata"]["uid"].clone();
    team.admin.delete(&policy).await.expect("deleted");
    let repaired = wait::until("the policy is put back", UNHEARD, async || match team.admin.find(&policy).await {
        Some(object) if object["metadata"]["uid"] != uid => Ok(()),
        _ => Err("it is not there".to_owned()),
    });
    repaired.await.unwrap();

    stage.operator.resume().await.expect("started again");
    standby.stop().await.expect("it ends on request");
    until_it_writes(&stage.operator).await;
}
