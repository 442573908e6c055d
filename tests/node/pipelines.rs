//! Data, steps, and runs: those that succeed, and one that does not.

use crate::object::says;
use crate::person::Person;
use crate::stage::Stage;

/// How long a run may take on a machine with much else to do.
const PATIENCE: u64 = 300;

/// The data engineer publishes data and features, by a run of her own.
pub async fn dee_publishes_data_and_features(stage: &Stage) {
    let dee = stage.person("dee");
    dee.does("apply --filename deploy/tour/20-data.yaml").await;
    let line = "get configmap connections --namespace loans--risk --output=jsonpath={.data.DATASET_APPLICATIONS_TRAIN}";
    dee.sees(line, 60, |seen| seen == "mlflow-artifacts://mlflow.loans--shared.svc:5000/datasets/applications/2026-09")
        .await;
    dee.does("apply --filename deploy/tour/21-run-publish.yaml").await;
    succeeds(&dee, "publish").await;
}

/// The ML engineer writes the steps, and they run as one pipeline that hands on
/// files and registers a version.
pub async fn mel_writes_the_steps_and_they_run(stage: &Stage) {
    let mel = stage.person("mel");
    mel.does("apply --filename deploy/tour/30-steps.yaml").await;
    mel.does("apply --filename deploy/tour/31-run.yaml").await;
    succeeds(&mel, "first").await;
    let run = mel.reads("run/first", "loans--risk").await;
    let steps: Vec<_> = run["status"]["steps"].as_array().into_iter().flatten().map(|step| &step["name"]).collect();
    assert_eq!(steps, ["generate-dataset", "train", "evaluate"]);
    // A run's log is its project's to read. Train wrote which version it registered.
    let said = mel.does("logs --namespace loans--risk job/run-first --container train").await;
    assert!(said.contains("version 1 of default-risk"), "{said}");
}

/// The status names the step that failed, what it said, and the command that reads
/// its log; and that command does.
pub async fn a_failing_step_is_reported(stage: &Stage) {
    let mel = stage.person("mel");
    mel.does("apply --filename deploy/tour/32-run-fails.yaml").await;
    mel.sees("get run too-much --namespace loans--risk --output=wide", PATIENCE, |seen| seen.contains("Failed")).await;
    let run = mel.reads("run/too-much", "loans--risk").await;
    let words = [
        "step evaluate ended with exit code 1",
        "below 1.01",
        "kubectl logs --namespace loans--risk job/run-too-much --container evaluate",
    ];
    assert!(says(&run, "Ready", "False", "StepFailed", &words), "{run}");
    let said = mel.does("logs --namespace loans--risk job/run-too-much --container evaluate").await;
    assert!(said.contains("is below 1.01"), "{said}");
}

/// Waits until a run succeeded.
pub async fn succeeds(who: &Person, run: &str) {
    let line = format!("get run {run} --namespace loans--risk");
    let seen = who.sees(&line, PATIENCE, |seen| seen.contains("Succeeded") || seen.contains("Failed")).await;
    if !seen.contains("Succeeded") {
        let run = who.reads(&format!("run/{run}"), "loans--risk").await;
        panic!("{}", run["status"]);
    }
}
