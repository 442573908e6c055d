//! A workbench: the server of one person, its home, and who may have it up.

use harness::wait;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::actor::path;
use crate::drift::{Change, are_undone};
use crate::spec::at_work;
use crate::stage::stage;
use crate::team::{Team, condition};
use crate::work::{Work, of_ana};

/// The team of most of these. Each test has a workbench of its own.
pub async fn team() -> Team {
    static READY: OnceCell<()> = OnceCell::const_new();
    let team = Team::named(stage().await, "benches").await;
    READY.get_or_init(|| async { drop(Team::ready(team.stage, "benches", at_work()).await) }).await;
    team
}

pub async fn running<'a>(team: &'a Team, name: &str, more: &Value) -> Work<'a> {
    let mut spec = of_ana();
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let work = Work::create(team, "Workbench", "first", name, spec).await;
    work.until_state("Running").await;
    work
}

pub fn replicas(count: u8) -> impl Fn(&Value) -> bool {
    move |set| set["spec"]["replicas"] == count
}

#[tokio::test]
async fn its_owner_gets_a_server_with_a_home() {
    let team = team().await;
    let ana = team.stage.somebody("ana@example.com", &[]).await;
    let work = Work::named(&team, "Workbench", "first", "mine");
    let created = work.write(&ana, of_ana()).await.expect("a workbench of one's own");
    assert_eq!(created["status"]["observedGeneration"], -1, "{}", created["status"]);
    let seen = work.until_ready().await;
    let status = &seen["status"];
    assert_eq!(status["state"], "Running");
    assert_eq!(status["claim"], "workbench-mine");
    assert!(status["image"].as_str().is_some_and(|image| image.contains("scipy-notebook")), "{status}");
    assert!(status["enter"].as_str().is_some_and(|enter| enter.contains("port-forward")), "{status}");
    assert!(status["engine"]["name"].is_string() && status["engine"]["revision"].is_string(), "{status}");

    let set = work.until_there("StatefulSet", "workbench-mine", replicas(1)).await;
    let claim = work.until_there("PersistentVolumeClaim", "workbench-mine", |_| true).await;
    assert_eq!(claim["metadata"]["annotations"]["strata-operator.dev/owner"], "ana@example.com");
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "1Gi");
    let [pod] = &work.written("Pod").await[..] else { panic!("not one pod") };
    assert_eq!(pod["metadata"]["name"], "workbench-mine-0");
    for object in [&set, &claim, pod] {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["strata-operator.dev/team"], "benches", "{labels}");
        assert_eq!(labels["strata-operator.dev/layer"], "Workspace", "{labels}");
        assert_eq!(labels["strata-operator.dev/project"], "first", "{labels}");
    }
    for object in [&set, &claim] {
        assert!(object["metadata"]["ownerReferences"].is_null(), "it goes with another object: {object}");
    }
    let shown = team.stage.plane.kubectl(["get", "wb", "mine", "-n", "benches--first", "--no-headers"]).await.unwrap();
    let columns: Vec<_> = shown.split_whitespace().take(6).collect();
    assert_eq!(columns, ["mine", "True", "Running", "scipy", "small", "ana@example.com"], "{shown}");
}

#[tokio::test]
async fn a_server_labelled_for_another_workbench_goes_on() {
    let team = team().await;
    let (work, other) = (running(&team, "kept", &json!({})).await, running(&team, "taker", &json!({})).await);
    let at = work.child("StatefulSet", "workbench-kept");
    let labels = team.admin.get(&at).await.unwrap()["metadata"]["labels"].clone();
    let server = work.uid("StatefulSet", "workbench-kept").await;
    let changed = json!({"metadata": {"labels": {"strata-operator.dev/workbench": "taker"}}});
    team.admin.merge(&at, &changed).await.expect("labelled for another");
    work.until_not_ready("Conflict", &["StatefulSet", "workbench-kept"]).await;
    // Neither what the other is asked for reaches it, nor the other's end.
    other.edit(json!({"desiredState": "Stopped"})).await;
    other.until_state("Stopped").await;
    other.delete().await;
    let there = team.admin.get(&at).await.expect("it is still there");
    assert_eq!(there["metadata"]["uid"], server, "it was made again");
    assert!(there["metadata"]["deletionTimestamp"].is_null() && there["spec"]["replicas"] == 1, "{there}");
    team.admin.merge(&at, &json!({"metadata": {"labels": labels}})).await.expect("labelled again");
    work.until_state("Running").await;
    assert_eq!(work.uid("StatefulSet", "workbench-kept").await, server);
    work.delete().await;
}

#[tokio::test]
async fn a_server_without_room_is_reported_and_not_started() {
    let team = team().await;
    let wrong = [
        ("no-image", json!({"image": "fortran"}), vec!["'fortran'", "Blueprint default", "scipy"]),
        ("no-size", json!({"size": "colossal"}), vec!["'colossal'", "Blueprint default", "small"]),
        ("no-data", json!({"datasets": ["nothing"]}), vec!["'nothing'", "benches--first", "benches--shared"]),
    ];
    for (name, field, words) in wrong {
        let mut spec = of_ana();
        for (key, value) in field.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let work = Work::create(&team, "Workbench", "first", name, spec).await;
        let seen = work.until_not_ready("Invalid", &words).await;
        assert_eq!(condition(&seen, "Stalled")["status"], "True", "{seen}");
        for kind in ["StatefulSet", "Pod", "PersistentVolumeClaim"] {
            assert!(work.written(kind).await.is_empty(), "{name}: there is a {kind}");
        }
        work.edit(json!({"image": "scipy", "size": "small", "datasets": []})).await;
        work.until_state("Running").await;
        work.delete().await;
    }
}

#[tokio::test]
async fn a_changed_setting_does_not_disturb_who_works() {
    let team = team().await;
    let work = running(&team, "settled", &json!({})).await;
    let before = work.uid("Pod", "workbench-settled-0").await;
    work.edit(json!({"size": "medium"})).await;
    let cpu = "/spec/template/spec/containers/0/resources/requests/cpu";
    work.until_there("StatefulSet", "workbench-settled", |set| set.pointer(cpu) == Some(&json!("2"))).await;
    let seen = work.until("tells what waits", |object| object["status"]["pending"].is_string()).await;
    assert_eq!(seen["status"]["state"], "Running", "{seen}");
    assert_eq!(work.uid("Pod", "workbench-settled-0").await, before, "the server was disturbed");
    work.edit(json!({"desiredState": "Stopped"})).await;
    work.until_state("Stopped").await;
    work.edit(json!({"desiredState": "Running"})).await;
    let seen = work.until_state("Running").await;
    assert!(seen["status"]["pending"].is_null(), "{seen}");
    let pod = work.until_there("Pod", "workbench-settled-0", |pod| pod["metadata"]["uid"] != before).await;
    assert_eq!(pod.pointer("/spec/containers/0/resources/requests/cpu"), Some(&json!("2")));
}

#[tokio::test]
async fn what_was_written_for_it_is_kept() {
    let team = team().await;
    let work = running(&team, "kept", &json!({})).await;
    let set = work.child("StatefulSet", "workbench-kept");
    let image =
        json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil.example.com/x:1"}]);
    let changes = vec![
        ("another image of a server", Change::Patch(image)),
        ("a server that is scaled by hand", Change::Merge(json!({"spec": {"replicas": 0}}))),
        ("a deleted server", Change::Delete),
    ];
    are_undone(&team, &set, changes).await;
    work.until_state("Running").await;
    // Whose a home is stands on it: nobody who works here changes that.
    let claim = work.child("PersistentVolumeClaim", "workbench-kept");
    let of = |owner: &str| json!({"metadata": {"annotations": {"strata-operator.dev/owner": owner}}});
    let bo = team.stage.somebody("bo@example.com", &[]).await;
    assert_eq!(bo.merge(&claim, &of("bo@example.com")).await.expect_err("a home is taken").code, 403);
    team.admin.merge(&claim, &of("bo@example.com")).await.expect("an administrator may");
    work.until_not_ready("Conflict", &["bo@example.com", "ana@example.com"]).await;
    team.admin.merge(&claim, &of("ana@example.com")).await.expect("an administrator may");
    work.until_state("Running").await;
    let stripped = json!({"metadata": {"labels": {"strata-operator.dev/workbench": null}}});
    for kind in ["StatefulSet", "PersistentVolumeClaim"] {
        let before = work.uid(kind, "workbench-kept").await;
        let at = work.child(kind, "workbench-kept");
        are_undone(&team, &at, vec![("a stripped name", Change::Merge(stripped.clone()))]).await;
        assert_eq!(work.uid(kind, "workbench-kept").await, before, "a label took away a {kind}");
    }
}

#[tokio::test]
async fn its_home_outlives_it_and_is_its_owners() {
    let team = team().await;
    let work = running(&team, "homely", &json!({})).await;
    let home = work.uid("PersistentVolumeClaim", "workbench-homely").await;
    work.delete().await;
    work.until_missing("StatefulSet", "workbench-homely").await;
    assert!(team.admin.find(&work.child("Pod", "workbench-homely-0")).await.is_none(), "gone before its pod was");
    assert_eq!(work.uid("PersistentVolumeClaim", "workbench-homely").await, home);

    // Somebody else does not move in.
    let mut other = of_ana();
    other["owner"] = json!("bo@example.com");
    // Nor do they take it along when they leave.
    other["reclaim"] = json!("Delete");
    let theirs = Work::create(&team, "Workbench", "first", "homely", other).await;
    theirs.until_not_ready("Conflict", &["workbench-homely", "ana@example.com"]).await;
    for kind in ["StatefulSet", "Pod"] {
        assert!(theirs.written(kind).await.is_empty(), "there is a {kind} on somebody else's home");
    }
    theirs.delete().await;
    assert_eq!(work.uid("PersistentVolumeClaim", "workbench-homely").await, home);

    let again = running(&team, "homely", &json!({})).await;
    assert_eq!(again.uid("PersistentVolumeClaim", "workbench-homely").await, home);
    // And it goes where that is asked for.
    again.edit(json!({"reclaim": "Delete"})).await;
    again.until("was seen", |_| true).await;
    again.delete().await;
    again.until_missing("PersistentVolumeClaim", "workbench-homely").await;
}

#[tokio::test]
async fn it_waits_for_its_server_and_not_for_its_pod_alone() {
    let team = team().await;
    let work = running(&team, "held", &json!({})).await;
    let set = team.object("StatefulSet", "first", "workbench-held");
    let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    team.admin.merge(&set, &hold).await.expect("held");
    team.admin.delete(&work.path()).await.expect("deleted");
    team.until_missing(&team.object("Pod", "first", "workbench-held-0")).await;
    team.until_there(&set, |set| set["metadata"]["deletionTimestamp"].is_string()).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(team.admin.find(&work.path()).await.is_some(), "it went before its server did");
    team.admin.merge(&set, &json!({"metadata": {"finalizers": null}})).await.expect("let go");
    team.until_missing(&work.path()).await;
}

#[tokio::test]
async fn a_broken_one_is_its_owners_trouble_alone() {
    let team = Team::ready(stage().await, "unpulled", at_work()).await;
    let work = Work::named(&team, "Workbench", "first", "broken");
    let annotations = [("simulate/waiting", "ImagePullBackOff"), ("simulate/waiting-message", "manifest unknown")];
    team.stage.plane.simulate(&work.pods_named(""), &annotations).await.unwrap();
    work.write(&team.admin, of_ana()).await.expect("created");
    work.until_not_ready("PodFailing", &["manifest unknown"]).await;
    let seen = team.until("lists it", |team| listed(team, "broken")).await;
    assert_eq!(condition(&seen, "Ready")["status"], "True", "{}", seen["status"]);
    work.delete().await;
    team.until("lists it no more", |team| !listed(team, "broken")).await;
}

#[tokio::test]
async fn one_that_never_came_up_takes_what_was_corrected() {
    let team = Team::ready(stage().await, "mistakes", at_work()).await;
    let work = Work::named(&team, "Workbench", "first", "mistaken");
    let annotations = [("simulate/waiting", "ImagePullBackOff"), ("simulate/waiting-message", "manifest unknown")];
    team.stage.plane.simulate(&work.pods_named(""), &annotations).await.unwrap();
    work.write(&team.admin, of_ana()).await.expect("created");
    work.until_not_ready("PodFailing", &["manifest unknown"]).await;
    let before = work.uid("Pod", "workbench-mistaken-0").await;
    team.stage.plane.simulate_nothing(&work.pods_named("")).await.unwrap();
    work.edit(json!({"size": "medium"})).await;
    work.until_state("Running").await;
    let pod = work.until_there("Pod", "workbench-mistaken-0", |_| true).await;
    assert_ne!(pod["metadata"]["uid"], before);
    work.delete().await;
}

fn listed(team: &Value, name: &str) -> bool {
    let components = team["status"]["components"].as_array().into_iter().flatten();
    components.into_iter().any(|component| component["object"] == format!("Workbench {name}"))
}

#[tokio::test]
async fn a_missing_secret_of_a_dataset_is_named() {
    let team = Team::ready(stage().await, "secret-work", at_work()).await;
    let spec = json!({"uri": "s3://cards/v7", "credentials": {"secret": "cards-reader"}});
    Work::create(&team, "Dataset", "shared", "cards", spec).await.until_ready().await;
    let mut spec = of_ana();
    spec["datasets"] = json!(["cards"]);
    let work = Work::create(&team, "Workbench", "first", "reader", spec).await;
    work.until_not_ready(
        "SecretMissing",
        &["Secret dataset-cards", "Dataset cards names the Secret", "workbench-reader-0"],
    )
    .await;
    let seen = team.until("names the Secret", |team| team["status"]["missing"][0]["secret"] == "dataset-cards").await;
    let missing = &seen["status"]["missing"][0];
    assert_eq!(missing["namespace"], "secret-work--first", "{missing}");
    assert!(missing["wantedBy"].as_str().is_some_and(|by| by.contains("reader")), "{missing}");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dataset-cards", "namespace": "secret-work--first"},
        "stringData": {"AWS_ACCESS_KEY_ID": "x"},
    });
    team.admin.create(&secret).await.expect("the Secret");
    work.until_state("Running").await;
    team.until("misses nothing", |team| team["status"]["missing"].as_array().is_none_or(Vec::is_empty)).await;
}

#[tokio::test]
async fn it_does_not_hold_up_a_namespace_that_goes() {
    let mut spec = at_work();
    spec["deletionPolicy"] = json!("Delete");
    let team = Team::ready(stage().await, "hurried", spec).await;
    let work = running(&team, "ana", &json!({})).await;
    let space = path("Namespace", "", "hurried--first");
    let before = team.admin.get(&space).await.unwrap()["metadata"]["uid"].clone();
    team.admin.delete(&space).await.expect("deleted");
    let gone = wait::until("the namespace goes", 60, async || match team.admin.find(&space).await {
        Some(now) if now["metadata"]["uid"] == before => Err(now["status"].to_string()),
        _ => Ok(()),
    });
    gone.await.unwrap();
    team.until_ready().await;
    assert!(team.admin.find(&work.path()).await.is_none(), "the workbench came again by itself");
    // A team that goes takes its work along.
    running(&team, "ana", &json!({})).await;
    team.delete().await;
    team.until_gone().await;
    team.until_missing(&space).await;
}
