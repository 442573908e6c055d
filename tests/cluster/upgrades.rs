//! Automatic upgrades of engines, so many teams at a time.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::actor::path;
use crate::count::settled;
use crate::spec::with_experiments;
use crate::stage::alone;
use crate::team::{Team, component};

const NAMES: [&str; 3] = ["pace-a", "pace-b", "pace-c"];

/// An engine that writes its revision. Its objects are ready, or those of revision 2 never are.
fn engine(revision: &str, ready: bool) -> Value {
    let when = if ready { "true" } else { "objects.tracker.data.revision != '2'" };
    json!({
        "description": "An engine of a test", "capabilities": ["Experiments"], "revision": revision,
        "objects": [{"id": "tracker", "template": {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tracker"}, "data": {"revision": revision},
        }}],
        "ready": [{"when": when, "message": "the tracker does not start"}],
    })
}

/// The teams that have the object of revision 2.
async fn moved(teams: &[Team]) -> Vec<String> {
    let mut found = Vec::new();
    for team in teams {
        let tracker = team.admin.get(&team.object("ConfigMap", "shared", "tracker")).await.expect("the tracker");
        if tracker["data"]["revision"] == "2" {
            found.push(team.name.clone());
        }
    }
    found
}

#[tokio::test]
async fn a_revision_that_fails_stops_at_so_many_teams() {
    let (_turn, stage) = alone().await;
    let admin = stage.admin().await;
    let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let upgrades = json!({"engines": {"upgrades": {"policy": "Automatic", "teamsAtOnce": 1}}});
    admin.create(&object("Blueprint", "paced", upgrades)).await.expect("a Blueprint");
    admin.create(&object("Engine", "paced", engine("1", true))).await.expect("an engine");
    let spec = with_experiments(&json!({"blueprint": "paced", "shared": {"experiments": {"engine": "paced"}}}));
    let teams = join_all(NAMES.map(|name| Team::ready(stage, name, spec.clone()))).await;

    let at = path("Engine", "", "paced");
    admin.merge(&at, &json!({"spec": engine("2", false)})).await.expect("a revision that fails");
    let waits = |team: &Value| component(team, "Experiments")["reason"] == "UpgradeAvailable";
    for _ in 0..2 {
        settled(stage).await;
        let first = moved(&teams).await;
        assert_eq!(first.len(), 1, "{first:?}");
        for team in teams.iter().filter(|team| team.name != first[0]) {
            let seen = team.until("waits for its turn", waits).await;
            let said = component(&seen, "Experiments")["message"].as_str().unwrap_or_default().to_owned();
            assert!(said.contains("when no other team is being upgraded"), "{said}");
            assert_eq!(component(&seen, "Experiments")["state"], "Ready", "{seen}");
        }
        // After a restart the team that failed still has the only place.
        stage.operator.restart().await.expect("restarted");
    }

    admin.merge(&at, &json!({"spec": engine("2", true)})).await.expect("it is ready now");
    for team in &teams {
        team.until("has the newest revision", |seen| component(seen, "Experiments")["revision"] == "2").await;
        team.until_ready().await;
    }
    assert_eq!(moved(&teams).await, NAMES);
}
