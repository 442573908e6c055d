//! An operator that starts anew writes nothing where nothing changed.

use harness::audit::Mark;
use serde_json::Value;

use crate::count::{of_work, settled};
use crate::spec::everything;
use crate::stage::{Stage, alone};
use crate::team::Team;

/// What an operator that was just started asks for: everything once, as a list.
pub fn only_lists(stage: &Stage, mark: Mark) {
    // It looks whether its fence stands by a write that the fence must refuse.
    let probe = |request: &harness::audit::Request| request.name == "strata-fence-probe" && request.code == 403;
    let asked = of_work(&stage.asked(mark)).filter(|request| !probe(request));
    let lists = asked.verb("list");
    assert!(lists.count() >= 15, "it did not start: {asked}");
    assert_eq!(asked.writes().count(), 0, "{}", asked.writes());
    let gets = asked.verb("get").filter(|request| !request.resource.starts_with('/'));
    assert_eq!(gets.count(), 0, "{gets}");
    println!("measured: a restart: {} lists and {} other requests", lists.count(), asked.count() - lists.count());
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
