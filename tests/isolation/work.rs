//! Failures of members' objects, reported by the object itself: limits of memory, of
//! processors and of disk, the quota, Pod Security, an image that comes late.

use harness::{image, programs};
use serde_json::{Value, json};

use crate::stage::Stage;

/// All of it, in the Workspace of team red.
pub async fn of_red(stage: &Stage) {
    stage.apply(include_str!("work.yaml")).await;
    tokio::join!(steps(stage), a_late_image(stage), the_quota(stage));
    let plain = "{apiVersion: v1, kind: Pod, metadata: {name: plain, namespace: red--one}, \
                 spec: {containers: [{name: main, image: any}]}}";
    let refused = stage.node.apply(plain).await.expect_err("a pod without any care").to_string();
    assert!(refused.contains("violates PodSecurity \"restricted:v1.36\""), "{refused}");
}

/// Steps that take more than they may.
async fn steps(stage: &Stage) {
    let words = ["step hold took more memory than the limit of 64Mi", "OOMKilled"];
    stage.object_tells("a step beyond its memory", "red--one", "run/hold", "StepFailed", &words).await;
    // It counted itself how often it was held back, and fails if it was not.
    stage.until_ready("red--one", "run/burn").await;
    let words = ["step fill was stopped with its pod: Evicted", "more ephemeral storage"];
    stage.object_tells("a step that fills its disk", "red--one", "run/fill", "StepFailed", &words).await;
}

/// Its run goes on by itself as soon as the image can be had.
async fn a_late_image(stage: &Stage) {
    let words = ["image registry.invalid/strata/late:1 cannot be pulled"];
    stage.object_tells("an image that comes late", "red--one", "run/late", "PodFailing", &words).await;
    let probe = programs::probe().await.expect("the probe");
    let late = image::small("late", &probe).await.expect("the image is made");
    stage.node.import(&late).await.expect("the image is imported");
    stage.until_ready("red--one", "run/late").await;
}

/// Two workbenches, and room for one: the second starts by itself when the first stops.
async fn the_quota(stage: &Stage) {
    stage.until_ready("red--one", "workbench/first").await;
    let second = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Workbench",
        "metadata": {"name": "second", "namespace": "red--one"},
        "spec": {"owner": "ana@example.com", "image": "ai", "size": "half", "storage": "64Mi"},
    });
    stage.apply(&second.to_string()).await;
    let words = ["exceeded quota: strata-quota", "requests.memory"];
    stage.object_tells("more than the quota has", "red--one", "workbench/second", "Refused", &words).await;
    stage.patch("red--one", "workbench/first", &json!({"spec": {"desiredState": "Stopped"}})).await;
    let up = |seen: &Value| seen["status"]["state"] == "Running";
    stage.until("red--one", "workbench/second", "runs", up).await;
    stage.until_ready("red--one", "workbench/second").await;
}
