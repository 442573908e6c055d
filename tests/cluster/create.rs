//! A new team: everything it asks for is there as `strata render` says, nothing
//! else is, and the status tells it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::actor::path_of;
use crate::compare::lacking;
use crate::spec::{everything, minimal};
use crate::stage::stage;
use crate::team::{Named, TEAM, Team, component, condition, is_ready};

/// What is owned whole: it is there to the letter.
const WHOLE: [&str; 7] =
    ["ResourceQuota", "LimitRange", "NetworkPolicy", "ConfigMap", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];

#[tokio::test]
async fn a_team_with_everything_becomes_what_render_says() {
    let team = Team::ready(stage().await, "everything", everything()).await;
    let (rendered, live) = (team.rendered().await, team.objects().await);
    assert!(rendered.len() > 60, "only {} objects are rendered", rendered.len());
    for (key, wanted) in &rendered {
        let Some(there) = live.get(key) else { panic!("{key:?} is not there, or not labelled") };
        let wanted = if WHOLE.contains(&key.0.as_str()) { content_of(wanted) } else { labels_of(wanted) };
        assert_eq!(lacking(&wanted, there), None, "{key:?}");
        assert!(there["metadata"]["ownerReferences"].is_null(), "{key:?} goes with another object");
    }
    let record: Named = ("ConfigMap".into(), "everything--backbone".into(), "strata-record".into());
    let surplus: Vec<_> = live.keys().filter(|key| !rendered.contains_key(*key) && **key != record).collect();
    assert!(surplus.is_empty(), "nobody asked for {surplus:?}");
    assert!(live.contains_key(&record), "there is no record");
}

/// All of an object but its kind, which the items of a list do not tell.
fn content_of(object: &Value) -> Value {
    let mut object = object.clone();
    for field in ["apiVersion", "kind"] {
        object[field] = Value::Null;
    }
    object
}

fn labels_of(object: &Value) -> Value {
    json!({"metadata": {"labels": object["metadata"]["labels"], "annotations": object["metadata"]["annotations"]}})
}

#[tokio::test]
async fn a_status_tells_every_aspect_and_where_everything_is() {
    let team = Team::create(stage().await, "aspects", everything()).await;
    let seen = team.until_ready().await;
    for type_ in ["BackboneReady", "SharedReady", "ProjectsReady", "ProductionReady"] {
        assert_eq!(condition(&seen, type_)["status"], "True", "{type_}: {}", seen["status"]);
    }
    let covered = condition(&seen, "StaffingComplete");
    assert!(["True", "False"].iter().any(|status| covered["status"] == *status), "{covered}");
    let spaces: BTreeSet<_> = names(&seen["status"]["namespaces"], "name").into_iter().collect();
    let wanted = ["backbone", "shared", "first", "first--live", "second"].map(|end| team.space(end));
    assert_eq!(spaces, wanted.into_iter().collect());
    for space in seen["status"]["namespaces"].as_array().unwrap() {
        let live = team.admin.get(&format!("/api/v1/namespaces/{}", space["name"].as_str().unwrap())).await.unwrap();
        assert_eq!(space["uid"], live["metadata"]["uid"], "{space}");
        assert_eq!((&space["ready"], &space["reason"]), (&json!(true), &json!("Ready")), "{space}");
    }
    for capability in ["Delivery", "Experiments", "Models", "FeatureStore"] {
        let component = component(&seen, capability);
        assert_eq!(component["state"], "Ready", "{capability}: {component}");
    }
    assert_eq!(component(&seen, "Experiments")["endpoint"], "http://mlflow.aspects--shared.svc:5000");
    assert_eq!(seen["status"]["summary"]["projects"], "2/2");
    assert_eq!(seen["status"]["blueprint"]["name"], "default");
    assert_eq!(names(&seen["status"]["budget"], "namespace").len(), 5);
}

fn names(list: &Value, field: &str) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|item| item[field].as_str().map(Into::into)).collect()
}

#[tokio::test]
async fn a_team_that_nobody_saw_yet_is_not_taken_for_ready() {
    let team = Team::named(stage().await, "unseen").await;
    let created = team.write(minimal()).await;
    assert_eq!(created["status"]["observedGeneration"], -1, "{}", created["status"]);
    assert!(!is_ready(&created));
    let ready = team.until_ready().await;
    assert_eq!(ready["status"]["observedGeneration"], 1);
    // kstatus, by its own program.
    let waited = team.stage.plane.kubectl(["wait", "--for=condition=Ready", "--timeout=10s", "aiteam/unseen"]).await;
    waited.expect("kubectl wait");
    let shown = team.stage.plane.kubectl(["get", "ait", "unseen", "--no-headers"]).await.expect("kubectl get");
    let columns: Vec<_> = shown.split_whitespace().take(5).collect();
    assert_eq!(columns, ["unseen", "True", "Applied", "1/1", "-"], "{shown}");
}

/// The commands of the page for scripts, as it has them for the team `fraud`.
fn waits() -> Vec<String> {
    let page = std::fs::read_to_string(harness::repository().join("docs/status.md")).expect("docs/status.md");
    page.lines().filter(|line| line.starts_with("kubectl wait aiteam/fraud ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_waits_of_the_page_end_on_a_ready_team() {
    let team = Team::ready(stage().await, "waited", everything()).await;
    let waits = waits();
    assert!(waits.len() > 4, "docs/status.md has {waits:?}");
    for command in waits {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let words = words.into_iter().map(|word| if word == "aiteam/fraud" { "aiteam/waited" } else { word });
        let waited = team.stage.plane.kubectl(words).await;
        assert_eq!(waited.is_ok(), !command.contains("Stalled"), "{command}: {waited:?}");
    }
}

#[tokio::test]
async fn what_a_team_runs_carries_its_labels_down_to_the_pods() {
    let team = Team::ready(stage().await, "labelled", everything()).await;
    let uid = team.get().await["metadata"]["uid"].clone();
    let objects = team.objects().await;
    for object in objects.values() {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/managed-by"], "strata", "{}", path_of(object));
        assert_eq!(labels["strata-operator.dev/team-uid"], uid, "{}", path_of(object));
    }
    let pods =
        team.admin.list(&format!("/api/v1/namespaces/labelled--shared/pods?labelSelector={TEAM}=labelled")).await;
    assert!(!pods.is_empty(), "no pod runs");
    for pod in &pods {
        let labels = &pod["metadata"]["labels"];
        assert_eq!(labels["strata-operator.dev/layer"], "Shared", "{labels}");
        assert_eq!(labels["cost-center"], "4711", "{labels}");
        assert!(labels["strata-operator.dev/engine"].is_string(), "{labels}");
    }
}
