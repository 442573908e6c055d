//! A dataset: settings for those who may use it, or a volume that outlives it.

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::drift::{Change, are_undone};
use crate::spec::at_work;
use crate::stage::stage;
use crate::team::{Team, condition};
use crate::work::Work;

async fn team() -> Team {
    static READY: OnceCell<()> = OnceCell::const_new();
    let team = Team::named(stage().await, "datasets").await;
    READY.get_or_init(|| async { drop(Team::ready(team.stage, "datasets", at_work()).await) }).await;
    team
}

fn holds(word: &'static str) -> impl Fn(&Value) -> bool {
    move |map| map["data"].as_object().is_some_and(|data| data.values().any(|value| value == word))
}

#[tokio::test]
async fn an_address_reaches_everybody_who_may_use_it() {
    let team = team().await;
    let spec = json!({"uri": "s3://cards/v7", "splits": {"train": "months/01", "test": "months/02"}});
    let work = Work::create(&team, "Dataset", "shared", "cards", spec).await;
    let seen = work.until_ready().await;
    let told = seen["status"]["connections"].as_object().expect("what it gives").clone();
    for value in ["s3://cards/v7", "s3://cards/v7/months/01", "s3://cards/v7/months/02"] {
        assert!(told.values().any(|told| told == value), "{value} is not among {told:?}");
    }
    for end in ["first", "first--live"] {
        let settings = team.object("ConfigMap", end, "connections");
        let live = team.until_there(&settings, holds("s3://cards/v7/months/02")).await;
        for (key, value) in &told {
            assert_eq!(&live["data"][key], value, "{key} in {end}");
        }
    }
    work.edit(json!({"uri": "s3://cards/v8", "splits": {"test": null}})).await;
    let settings = team.object("ConfigMap", "first", "connections");
    let live = team.until_there(&settings, holds("s3://cards/v8")).await;
    assert!(!holds("s3://cards/v7/months/02")(&live), "{live}");
    work.delete().await;
    team.until_there(&settings, |map| !holds("s3://cards/v8")(map)).await;
    team.until_there(&settings, |map| !holds("s3://cards/v8/months/01")(map)).await;
}

#[tokio::test]
async fn a_volume_outlives_its_dataset() {
    let team = team().await;
    let spec = json!({"volume": {"size": "1Gi"}});
    let work = Work::create(&team, "Dataset", "first", "payments", spec.clone()).await;
    let seen = work.until_ready().await;
    assert_eq!(seen["status"]["claim"], "dataset-payments");
    let claim = work.until_there("PersistentVolumeClaim", "dataset-payments", |_| true).await;
    assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteMany"]));
    assert_eq!(claim["metadata"]["labels"]["strata-operator.dev/dataset"], "payments");
    let before = work.uid("PersistentVolumeClaim", "dataset-payments").await;
    let at = work.child("PersistentVolumeClaim", "dataset-payments");
    let stripped = json!({"metadata": {"labels": {"strata-operator.dev/dataset": null}}});
    are_undone(&team, &at, vec![("a stripped label of a volume", Change::Merge(stripped))]).await;

    work.edit(json!({"volume": {"size": "2Gi"}})).await;
    let size = |claim: &Value| claim["spec"]["resources"]["requests"]["storage"] == "2Gi";
    work.until_there("PersistentVolumeClaim", "dataset-payments", size).await;
    let shrunk = team.admin.merge(&work.path(), &json!({"spec": {"volume": {"size": "1Gi"}}})).await;
    assert!(shrunk.expect_err("a volume shrinks").message.contains("can only grow"));

    work.delete().await;
    assert_eq!(work.uid("PersistentVolumeClaim", "dataset-payments").await, before);
    let mut spec = spec;
    spec["volume"]["size"] = json!("2Gi");
    let again = Work::create(&team, "Dataset", "first", "payments", spec).await;
    again.until_ready().await;
    assert_eq!(again.uid("PersistentVolumeClaim", "dataset-payments").await, before);
}

#[tokio::test]
async fn a_volume_that_the_quota_does_not_take_is_told() {
    let team = team().await;
    let spec = json!({"volume": {"size": "100Ti"}});
    let work = Work::create(&team, "Dataset", "first", "enormous", spec).await;
    work.until_not_ready("Refused", &["exceeded quota", "dataset-enormous"]).await;
    assert!(team.admin.find(&work.child("PersistentVolumeClaim", "dataset-enormous")).await.is_none());
    // It turns nobody else red.
    assert_eq!(condition(&team.get().await, "Ready")["status"], "True");
    work.delete().await;
}

#[tokio::test]
async fn a_volume_stands_beside_the_work_and_not_in_shared() {
    let team = team().await;
    let work = Work::named(&team, "Dataset", "shared", "misplaced");
    match work.write(&team.admin, json!({"volume": {"size": "1Gi"}})).await {
        Err(refused) => assert!(refused.message.contains("uri"), "{refused:?}"),
        Ok(_) => drop(work.until_not_ready("Invalid", &["datasets--shared", "uri"]).await),
    }
    assert!(team.admin.find(&work.child("PersistentVolumeClaim", "dataset-misplaced")).await.is_none());
}
