//! A dataset: settings for those who may use it, or a volume that outlives it.

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::drift::{Change, are_undone};
use crate::spec::at_work;
use crate::stage::stage;
use crate::team::{Team, condition};
use crate::work::{Work, of_ana};

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
    let given = seen["status"]["connections"].as_object().expect("what it gives").clone();
    for value in ["s3://cards/v7", "s3://cards/v7/months/01", "s3://cards/v7/months/02"] {
        assert!(given.values().any(|setting| setting == value), "{value} is not among {given:?}");
    }
    for end in ["first", "first--live"] {
        let settings = team.object("ConfigMap", end, "connections");
        let live = team.until_there(&settings, holds("s3://cards/v7/months/02")).await;
        for (key, value) in &given {
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
async fn a_claim_of_somebody_else_is_given_to_nobody() {
    let team = team().await;
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "dataset-taken", "namespace": team.space("first")},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}});
    team.admin.create(&claim).await.expect("a stranger's claim");
    let work = Work::create(&team, "Dataset", "first", "taken", json!({"volume": {"size": "1Gi"}})).await;
    let seen = work.until_not_ready("Conflict", &["PersistentVolumeClaim", "dataset-taken"]).await;
    assert!(seen["status"]["connections"].as_object().is_none_or(serde_json::Map::is_empty), "{}", seen["status"]);
    let step = json!({"image": "scipy", "datasets": ["taken"]});
    let component = Work::create(&team, "Component", "shared", "takes", step).await;
    let pipeline = Work::create(&team, "Pipeline", "first", "takes", json!({"steps": [{"component": "takes"}]})).await;
    let run = Work::create(&team, "Run", "first", "takes", json!({"pipeline": "takes"})).await;
    let conflict = ["datasets--first/taken is not mounted", "dataset-taken"];
    run.until_not_ready("Conflict", &conflict).await;
    assert!(run.written("Job").await.is_empty(), "it runs on a stranger's claim");
    let mut server = of_ana();
    server["datasets"] = json!(["taken"]);
    let bench = Work::create(&team, "Workbench", "first", "takes", server).await;
    bench.until_not_ready("Conflict", &conflict).await;
    assert!(bench.written("StatefulSet").await.is_empty(), "its server has a stranger's claim");
    // Once the claim is gone, there is one of its own.
    let at = work.child("PersistentVolumeClaim", "dataset-taken");
    let strangers = work.uid("PersistentVolumeClaim", "dataset-taken").await;
    team.admin.delete(&at).await.expect("deleted");
    let gone = async || match team.admin.find(&at).await {
        Some(there) if there["metadata"]["uid"] == strangers => Err(there["metadata"].to_string()),
        _ => Ok(()),
    };
    harness::wait::until("the stranger's claim is gone", 30, gone).await.unwrap();
    work.edit(json!({"readOnly": true})).await;
    work.until_ready().await;
    run.until_there("Job", "run-takes", |_| true).await;
    bench.until_state("Running").await;
    for work in [bench, run, pipeline, component, work] {
        work.delete().await;
    }
}

#[tokio::test]
async fn a_volume_over_the_quota_is_reported() {
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
async fn a_volume_that_cannot_grow_says_so_and_stays_in_use() {
    let team = team().await;
    let work = Work::create(&team, "Dataset", "first", "rigid", json!({"volume": {"size": "1Gi"}})).await;
    work.until_ready().await;
    // The quota has no room for more, as a class that does not expand would let no more in.
    work.edit(json!({"volume": {"size": "100Ti"}})).await;
    let words = ["spec.volume.size is 100Ti, but volume dataset-rigid keeps its 1Gi", "exceeded quota"];
    let told = |seen: &Value| {
        let ready = condition(seen, "Ready");
        let message = ready["message"].as_str().unwrap_or_default();
        ready["status"] == "True" && words.iter().all(|word| message.contains(word))
    };
    work.until("is in use as it is", told).await;
    // A home that its owner takes back for less.
    let mut spec = of_ana();
    spec["storage"] = json!("2Gi");
    let bench = Work::create(&team, "Workbench", "first", "roomy", spec).await;
    bench.until_state("Running").await;
    bench.delete().await;
    let bench = Work::create(&team, "Workbench", "first", "roomy", of_ana()).await;
    let less = "spec.storage is 1Gi, less than the 2Gi of volume workbench-roomy, which is kept";
    let told = |seen: &Value| {
        let ready = condition(seen, "Ready");
        ready["status"] == "True" && ready["message"].as_str().is_some_and(|message| message.contains(less))
    };
    bench.until("runs with its larger home", told).await;
    for work in [bench, work] {
        work.delete().await;
    }
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

/// The Secrets that a Job or CronJob loads into the environment of its pods.
fn secrets(workload: &Value) -> Vec<String> {
    let job = if workload["kind"] == "CronJob" { &workload["spec"]["jobTemplate"] } else { workload };
    let containers = job.pointer("/spec/template/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let sources = containers.flat_map(|container| container["envFrom"].as_array().into_iter().flatten());
    sources.filter_map(|source| source["secretRef"]["name"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn in_live_a_component_is_given_what_lists_it_as_it_is() {
    let team = team().await;
    let spec = json!({"uri": "s3://ledger", "credentials": {"secret": "prod-db"}});
    Work::create(&team, "Dataset", "shared", "ledger", spec).await.until_ready().await;
    let leak =
        Work::create(&team, "Component", "shared", "leak", json!({"image": "scipy", "datasets": ["ledger"]})).await;
    let digest = leak.until_ready().await["status"]["digest"].clone();
    let steps = json!([{"component": "leak"}]);
    let nightly = json!({"steps": steps, "schedule": "0 3 * * *"});
    let nightly = Work::create(&team, "Pipeline", "first--live", "nightly", nightly).await;
    nightly.until_not_ready("NotListed", &["component leak", "dataset ledger", "usedBy"]).await;
    assert!(nightly.written("CronJob").await.is_empty());
    let early = Work::create(&team, "Run", "first--live", "early", json!({"pipeline": "nightly"})).await;
    early.until_not_ready("NotListed", &["component leak"]).await;
    assert!(early.written("Job").await.is_empty(), "it was started");

    // The Live side lists it: with its own Secret, whatever Shared names.
    let listed = json!({"credentials": {"secret": "reader"}, "usedBy": [{"component": "leak", "digest": digest}]});
    let own = Work::create(&team, "Dataset", "first--live", "ledger", listed).await;
    assert_eq!(own.until_ready().await["status"]["connections"]["DATASET_LEDGER_URI"], "s3://ledger");
    nightly.until_ready().await;
    let cron = nightly.until_there("CronJob", "pipeline-nightly", |_| true).await;
    assert_eq!((secrets(&cron), &cron["spec"]["suspend"]), (vec!["reader".to_owned()], &json!(false)));
    let job = early.until_there("Job", "run-early", |_| true).await;
    assert_eq!(secrets(&job), ["reader"]);

    // Changed in Shared, it is another: nothing of it starts until it is listed again.
    leak.edit(json!({"args": ["--tell"]})).await;
    nightly
        .until_not_ready("NotListed", &["component leak changed since dataset datasets--first--live/ledger listed it"])
        .await;
    nightly.until_there("CronJob", "pipeline-nightly", |cron| cron["spec"]["suspend"] == true).await;
    let late = Work::create(&team, "Run", "first--live", "late", json!({"pipeline": "nightly"})).await;
    late.until_not_ready("NotListed", &["component leak"]).await;
    assert!(late.written("Job").await.is_empty(), "it was started");
    leak.edit(json!({"args": null})).await;
    nightly.until_ready().await;
    nightly.until_there("CronJob", "pipeline-nightly", |cron| cron["spec"]["suspend"] == false).await;
    // What it lists no more is given nothing more.
    own.edit(json!({"uri": "s3://ledger", "usedBy": null})).await;
    nightly.until_not_ready("NotListed", &["component leak is not listed by dataset"]).await;
    nightly.until_there("CronJob", "pipeline-nightly", |cron| cron["spec"]["suspend"] == true).await;
}

#[tokio::test]
async fn workspace_needs_its_own_secret_for_shared_credentials() {
    let team = team().await;
    let spec = json!({"uri": "s3://rows", "credentials": {"secret": "prod-db"}});
    Work::create(&team, "Dataset", "shared", "rows", spec).await.until_ready().await;
    let reader = json!({"image": "scipy", "datasets": ["rows"]});
    Work::create(&team, "Component", "shared", "reader", reader).await.until_ready().await;
    let steps = json!({"steps": [{"component": "reader"}]});
    Work::create(&team, "Pipeline", "first", "reads", steps).await.until_ready().await;
    let run = Work::create(&team, "Run", "first", "reads", json!({"pipeline": "reads"})).await;
    let job = run.until_there("Job", "run-reads", |_| true).await;
    assert_eq!(secrets(&job), ["dataset-rows"]);
}

#[tokio::test]
async fn a_newcomer_in_shared_takes_no_address_from_live() {
    let team = team().await;
    let own = Work::create(&team, "Dataset", "first--live", "rates", json!({"uri": "s3://live/rates"})).await;
    own.until_ready().await;
    let settings = team.object("ConfigMap", "first--live", "connections");
    team.until_there(&settings, holds("s3://live/rates")).await;
    let newcomer = Work::create(&team, "Dataset", "shared", "rates", json!({"uri": "s3://evil/rates"})).await;
    let seen = newcomer.until_ready().await;
    let message = condition(&seen, "Ready")["message"].clone();
    let shadowed = "shadowed in datasets--first--live, where the namespace's own dataset rates comes first";
    assert!(message.as_str().is_some_and(|message| message.contains(shadowed)), "{message}");
    // The Workspace has none of its own.
    team.until_there(&team.object("ConfigMap", "first", "connections"), holds("s3://evil/rates")).await;
    let live = team.until_there(&settings, holds("s3://live/rates")).await;
    assert!(!holds("s3://evil/rates")(&live), "{live}");
    assert_eq!(condition(&own.get().await, "Ready")["status"], "True");
    // What goes first may go: then the other one is found.
    own.delete().await;
    team.until_there(&settings, holds("s3://evil/rates")).await;
    newcomer.delete().await;
}

#[tokio::test]
async fn a_dataset_that_does_not_fit_says_so_and_touches_nobody() {
    let team = Team::ready(stage().await, "hoarders", at_work()).await;
    let long = |letter: &str| letter.repeat(500);
    let splits: serde_json::Map<String, Value> = (0..16).map(|split| (format!("s{split}"), json!(long("t")))).collect();
    let spec = json!({"uri": format!("s3://{}", long("b")), "splits": splits});
    let (mut refused, mut newest) = (None, None);
    for number in 0..60 {
        let work = Work::create(&team, "Dataset", "first", &format!("large-{number}"), spec.clone()).await;
        let settled =
            |seen: &Value| condition(seen, "Ready")["reason"] != "Progressing" && !condition(seen, "Ready").is_null();
        let seen = work.until("is settled", settled).await;
        if condition(&seen, "Ready")["status"] == "False" {
            refused = Some(seen);
            break;
        }
        newest = Some(number);
    }
    let refused = refused.expect("there is a bound");
    let message = condition(&refused, "Ready")["message"].clone();
    assert!(message.as_str().is_some_and(|message| message.contains("has no room for the")), "{message}");
    assert_eq!(condition(&team.get().await, "Ready")["status"], "True");
    assert_eq!(condition(&Work::named(&team, "Dataset", "first", "large-0").get().await, "Ready")["status"], "True");
    let small = Work::create(&team, "Dataset", "first--live", "small", json!({"uri": "s3://small"})).await;
    small.until_ready().await;
    // Shared has its half, there as elsewhere; the newest of the namespace gives way.
    let shared = Work::create(&team, "Dataset", "shared", "of-all", spec).await;
    let seen = shared.until_ready().await;
    let told = seen["status"]["connections"]["DATASET_OF_ALL_URI"].clone();
    for place in ["first", "first--live"] {
        let found = team.object("ConfigMap", place, "connections");
        team.until_there(&found, |map| map["data"]["DATASET_OF_ALL_URI"] == told).await;
    }
    let newest = Work::named(&team, "Dataset", "first", &format!("large-{}", newest.expect("one fits")));
    newest
        .until_not_ready("Invalid", &["`connections` of hoarders--first has no room", "datasets of hoarders--first"])
        .await;
    assert_eq!(condition(&shared.get().await, "Ready")["status"], "True");
}

#[tokio::test]
async fn a_status_of_an_earlier_object_is_refused() {
    let team = team().await;
    let work = Work::create(&team, "Dataset", "first", "again", json!({"uri": "s3://again"})).await;
    let seen = work.until_ready().await;
    // As the operator writes it, and as the API server answers: see `is_another`.
    let of = |uid: &Value| json!([{"op": "test", "path": "/metadata/uid", "value": uid}, {"op": "add", "path": "/status", "value": seen["status"]}]);
    let at = format!("{}/status", work.path());
    team.admin.patch(&at, &of(&seen["metadata"]["uid"])).await.expect("of the object itself");
    let refused =
        team.admin.patch(&at, &of(&json!("00000000-0000-4000-8000-000000000000"))).await.expect_err("of another");
    assert_eq!(refused.code, 422, "{refused:?}");
    work.delete().await;
}
