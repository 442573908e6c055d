//! An operator that starts anew writes nothing where nothing changed.

use std::collections::{BTreeMap, BTreeSet};

use harness::audit::Mark;
use serde_json::{Value, json};

use crate::count::{of_work, settled};
use crate::spec::{everything, minimal};
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

/// What the operator wrote of each object, by the object.
pub type Writes = BTreeMap<String, Value>;

/// Which object it is, and what the operator wrote of it, and when. Others may write at any
/// time: the quota controller counts what is used long after the last pod came.
pub fn written(object: &Value) -> Value {
    let all = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let by: Vec<_> =
        all.filter(|entry| entry["manager"].as_str().is_some_and(|name| name.starts_with("strata"))).collect();
    json!({"uid": object["metadata"]["uid"], "by": by})
}

/// No object is another, and none was written by the operator since.
pub fn nothing_was_written(before: &Writes, after: &Writes) {
    let all: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for key in all {
        assert_eq!(after.get(key), before.get(key), "{key} was written");
    }
}

#[tokio::test]
async fn a_restart_writes_nothing() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "restarts", everything()).await;
    settled(stage).await;
    let before = writes(&team).await;
    assert!(before.values().filter(|written| written["by"] != json!([])).count() > 60, "{before:?}");
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
    nothing_was_written(&before, &writes(&team).await);
    // It does work again: it was not quiet because it stands still.
    let binding = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
    team.admin.delete(&binding).await.expect("deleted");
    team.until_there(&binding, |_| true).await;
}

async fn writes(team: &Team) -> Writes {
    team.objects().await.into_iter().map(|(key, object)| (format!("{key:?}"), written(&object))).collect()
}

#[tokio::test]
async fn glass_that_was_broken_ends_though_the_operator_was_down_then() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "glass-down", minimal()).await;
    let subject = json!({"kind": "User", "name": "eve@example.com", "apiGroup": "rbac.authorization.k8s.io"});
    let until = |seconds: u64| jiff::Timestamp::now() + std::time::Duration::from_secs(seconds);
    let over = until(4);
    for (name, until) in [("ends-meanwhile", over), ("ends-later", until(25)), ("lasts", until(3600))] {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "subjects": [subject],
            "metadata": {"name": name, "namespace": team.space("first"),
                "annotations": {"strata-operator.dev/break-glass-until": until.to_string()}},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        });
        team.admin.create(&binding).await.expect("an administrator breaks the glass");
    }
    stage.operator.kill().await.expect("killed");
    let at = |name: &str| team.object("RoleBinding", "first", name);
    while jiff::Timestamp::now() <= over {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(team.admin.find(&at("ends-meanwhile")).await.is_some(), "who removed it?");
    stage.operator.resume().await.expect("started again");
    team.until_missing(&at("ends-meanwhile")).await;
    // Of what ends after the start the new process has its own timer.
    team.until_missing(&at("ends-later")).await;
    assert!(team.admin.find(&at("lasts")).await.is_some(), "it went too soon");
    team.delete().await;
}
