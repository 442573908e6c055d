//! A model in production: released, asked, scaled, replaced, taken back; and three
//! versions that never take traffic.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::ask::asks;
use crate::object::{condition, says};
use crate::person::Person;
use crate::pipelines;
use crate::stage::Stage;

const LIVE: &str = "loans--risk--live";
/// How long a release and its rollout may take.
const PATIENCE: u64 = 300;
/// What its status says, in columns.
const STATUS: &str = "get modelservice default-risk --namespace loans--risk--live";

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
    // READY, WANTED, SERVING, REPLICAS, AVAILABLE.
    let row = ["default-risk", "True", "1", "1", "2", "2"];
    let scaled = |seen: &str| seen.lines().any(|line| line.split_whitespace().take(6).eq(row));
    mel.sees(STATUS, PATIENCE, scaled).await;
}

/// The next version takes over while customers ask, and the one before comes back:
/// no question stays without its answer.
pub async fn it_rolls_to_the_next_version_and_back(stage: &Stage) {
    let (mel, bea) = (stage.person("mel"), stage.person("bea"));
    for version in ["2", "1"] {
        let rolled = AtomicBool::new(false);
        let rolls = async {
            wants(&mel, version).await;
            serves(&mel, version).await;
            rolled.store(true, Ordering::Relaxed);
        };
        let asking = async {
            while !rolled.load(Ordering::Relaxed) {
                assert_eq!(asks(&bea, 100, 1, 10).await, "100 answered, 0 lost\n");
            }
        };
        tokio::join!(rolls, asking);
    }
    let service = reads(&mel).await;
    assert_eq!(service["status"]["releases"].as_array().map(Vec::len), Some(2), "{}", service["status"]);
}

/// A version that is not there changes nothing that serves.
pub async fn a_missing_version_never_serves(stage: &Stage) {
    let words = ["model default-risk has no version 99", "Version 1 is still serving"];
    is_refused_and_reported(stage, "99", "ReleaseFailed", &words).await;
}

/// Whoever can write into the registry does two things: another version that nothing
/// can load, and other files in one that was released.
pub async fn ana_does_mischief(stage: &Stage) {
    let ana = stage.person("ana");
    ana.does("apply --filename deploy/tour/53-mischief.yaml").await;
    pipelines::succeeds(&ana, "mischief").await;
    let said = ana.does("logs --namespace loans--risk job/run-mischief").await;
    assert!(said.contains("registered version 3 and changed"), "{said}");
}

/// A version that cannot be loaded: its pods never become ready. Where to read why is
/// reported, and not what the model's own code said.
pub async fn a_broken_version_never_serves(stage: &Stage) {
    let words = ["which serves, ended with exit code 1", "Its log: `kubectl logs", "Version 1 is still serving"];
    is_refused_and_reported(stage, "3", "PodFailing", &words).await;
}

/// A version whose files were changed after its release: its pods do not start.
pub async fn a_changed_artefact_never_serves(stage: &Stage) {
    let words = ["version 2 of model default-risk is not what was released", "Version 1 is still serving"];
    is_refused_and_reported(stage, "2", "PodFailing", &words).await;
    let mel = stage.person("mel");
    wants(&mel, "1").await;
    serves(&mel, "1").await;
}

/// The status says why a version does not serve, and all that customers ask is answered by the one that does.
async fn is_refused_and_reported(stage: &Stage, version: &str, reason: &str, words: &[&str]) {
    let (mel, bea) = (stage.person("mel"), stage.person("bea"));
    wants(&mel, version).await;
    let reported = harness::wait::until(format!("{reason} {words:?}"), PATIENCE, async || {
        let service = reads(&mel).await;
        if says(&service, "Ready", "False", reason, words) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        Err(condition(&service, "Ready").to_string())
    });
    reported.await.unwrap_or_else(|error| panic!("{error}"));
    mel.does(&format!("{STATUS} --output=wide")).await;
    assert_eq!(asks(&bea, 10, 1, 1).await, "10 answered, 0 lost\n");
}

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
    mel.sees(STATUS, PATIENCE, row).await;
}

/// The service as it is now.
pub async fn reads(mel: &Person) -> Value {
    mel.reads("modelservice/default-risk", LIVE).await
}
