//! A model in production: released, asked, scaled, replaced, taken back; and two
//! versions that never take traffic.

use serde_json::Value;

use crate::ask::asks;
use crate::notebook;
use crate::object::says;
use crate::person::Person;
use crate::stage::Stage;

const LIVE: &str = "loans--risk--live";
/// How long a release and its rollout may take.
const PATIENCE: u64 = 300;

/// The version that was asked for is looked up once, its digest recorded, and what
/// serves says that it is that one.
pub async fn mel_releases_version_1(stage: &Stage) {
    let mel = stage.person("mel");
    mel.does("apply --filename deploy/tour/50-live.yaml").await;
    mel.does("wait --for=condition=Ready modelservice/default-risk --namespace loans--risk--live --timeout=300s").await;
    let service = reads(&mel).await;
    let digest = service["status"]["digest"].as_str().unwrap_or_default();
    assert!(digest.starts_with("sha256:"), "{}", service["status"]);
    assert_eq!(service["status"]["releases"][0]["digest"], digest);
    let pods = mel.reads("pods", LIVE).await;
    let serving = pods["items"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|pod| pod["metadata"]["labels"]["app.kubernetes.io/component"] == "server");
    let annotations = &serving.expect("a pod that serves")["metadata"]["annotations"];
    assert_eq!(annotations["strata-operator.dev/model-digest"], digest);
}

/// Two pods instead of one, and both answer.
pub async fn it_scales(stage: &Stage) {
    let mel = stage.person("mel");
    mel.does(r#"patch modelservice default-risk --namespace loans--risk--live --type=merge --patch '{"spec":{"replicas":{"min":2}}}'"#).await;
    mel.sees("get modelservice default-risk --namespace loans--risk--live", PATIENCE, |seen| seen.contains("2/2"))
        .await;
}

/// The next version takes over while customers ask, and the one before comes back:
/// no question stays without its answer.
pub async fn it_rolls_to_the_next_version_and_back(stage: &Stage) {
    let (mel, bea) = (stage.person("mel"), stage.person("bea"));
    for version in ["2", "1"] {
        let asking = {
            let bea = bea.clone();
            tokio::spawn(async move { asks(&bea, 500, 1, 100).await })
        };
        wants(&mel, version).await;
        serves(&mel, version).await;
        assert_eq!(asking.await.expect("bea asks"), "500 answered, 0 lost\n");
    }
    let jobs = mel.does("get jobs --namespace loans--risk--live --selector app.kubernetes.io/component=release").await;
    println!("{jobs}");
}

/// A version that is not there changes nothing that serves.
pub async fn a_bad_version_never_serves(stage: &Stage) {
    let mel = stage.person("mel");
    wants(&mel, "99").await;
    let words = ["model default-risk has no version 99", "Version 1 goes on serving"];
    tells(&mel, "ReleaseFailed", &words).await;
    assert_eq!(asks(&stage.person("bea"), 10, 1, 1).await, "10 answered, 0 lost\n");
}

/// Whoever can write into the registry cannot change what is live: pods of a version
/// whose files were changed after its release do not start, and the one that serves
/// stays.
pub async fn a_changed_artefact_never_serves(stage: &Stage) {
    let (mel, ana) = (stage.person("mel"), stage.person("ana"));
    notebook::runs_on(&ana, "wednesday", TAMPER).await;
    wants(&mel, "2").await;
    let words = ["version 2 of model default-risk is not what was released", "Version 1 goes on serving"];
    tells(&mel, "", &words).await;
    assert_eq!(asks(&stage.person("bea"), 10, 1, 1).await, "10 answered, 0 lost\n");
    wants(&mel, "1").await;
    serves(&mel, "1").await;
}

/// Another file in version 2.
const TAMPER: &str = include_str!("../../deploy/tour/53-tamper.py");

/// Asks for a version.
pub async fn wants(mel: &Person, version: &str) {
    mel.does(&format!(
        "patch modelservice default-risk --namespace loans--risk--live --type=merge --patch '{{\"spec\":{{\"model\":{{\"version\":\"{version}\"}}}}}}'"
    ))
    .await;
}

/// Waits until that version answers with all its pods.
async fn serves(mel: &Person, version: &str) {
    let row = |seen: &str| {
        let columns: Vec<_> = seen.lines().nth(1).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        columns.get(1..4).is_some_and(|columns| columns == ["True", version, version])
    };
    mel.sees("get modelservice default-risk --namespace loans--risk--live", PATIENCE, row).await;
}

/// Waits until the service is not ready, for this reason if one is given, and says all of these.
async fn tells(mel: &Person, reason: &str, words: &[&str]) {
    let what = format!("{reason} {words:?}");
    let told = harness::wait::until(what, PATIENCE, async || {
        let service = reads(mel).await;
        let ready = crate::object::condition(&service, "Ready");
        let of_reason = reason.is_empty() || ready["reason"] == reason;
        let said = ready["reason"].as_str().unwrap_or_default().to_owned();
        if of_reason && says(&service, "Ready", "False", &said, words) { Ok(()) } else { Err(ready.to_string()) }
    });
    told.await.unwrap_or_else(|error| panic!("{error}"));
}

/// The service as it is now.
pub async fn reads(mel: &Person) -> Value {
    mel.reads("modelservice/default-risk", LIVE).await
}
