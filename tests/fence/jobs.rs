//! Whose pod is a Job's: the fifth sentence of `templates/admission/pods.yaml`. By
//! label and owner a pod is counted for a Job, so only the Job controller gives them.

use harness::wait;
use serde_json::{Value, json};

use crate::objects::pod_template;
use crate::project::Project;
use crate::stage::{PODS, stage};

fn pod(metadata: &Value) -> Value {
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_template(&json!({}))["spec"]});
    pod["metadata"]["name"] = "forged".into();
    pod
}

fn owner(controller: bool) -> Value {
    json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "run-x", "uid": "1", "controller": controller}])
}

#[tokio::test]
async fn a_pod_is_made_a_jobs_by_the_job_controller_alone() {
    let stage = stage().await;
    let project = Project::set(stage, "forge").await;
    let pods = &project.core("workspace", "pods");
    let dry = &format!("{pods}?dryRun=All");
    let actors = [
        project.person("bo", "contribute").await,
        stage.platform().await,
        // Whatever else makes pods from what people wrote.
        stage.somebody("system:serviceaccount:kube-system:replicaset-controller", &["platform"]).await,
        stage.unbounded().await,
    ];
    let labels = [
        "batch.kubernetes.io/controller-uid",
        "controller-uid",
        "batch.kubernetes.io/job-name",
        "job-name",
        "batch.kubernetes.io/job-completion-index",
    ];
    for actor in &actors[..3] {
        for label in labels {
            let says = format!("label {label} of pod forged is reserved for pods of Jobs");
            actor.post(dry, pod(&json!({"labels": {label: "1"}}))).await.refused_by(PODS, &says);
        }
        let says = "pod forged has Job run-x as its controller, which only the Job controller may set";
        actor.post(dry, pod(&json!({"ownerReferences": owner(true)}))).await.refused_by(PODS, says);
        actor.post(dry, pod(&json!({"labels": {"job": "1", "app.kubernetes.io/name": "job-name"}}))).await.passes();
    }
    let of_set = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": "1", "controller": true}]);
    actors[2].post(dry, pod(&json!({"ownerReferences": of_set}))).await.passes();
    let job_controllers = [
        stage.somebody("system:serviceaccount:kube-system:job-controller", &["platform"]).await,
        stage.somebody("system:kube-controller-manager", &["system:masters"]).await,
    ];
    let whole = pod(&json!({"labels": {labels[0]: "1", labels[2]: "run-x"}, "ownerReferences": owner(true)}));
    for actor in &job_controllers {
        actor.post(dry, whole.clone()).await.passes();
    }
    stage.admin().await.post(dry, whole.clone()).await.passes();
}

/// The same a moment later, by each way on which a pod gets labels and owners.
#[tokio::test]
async fn nor_is_a_pod_made_one_afterwards() {
    let stage = stage().await;
    let project = Project::set(stage, "later").await;
    let pods = &project.core("workspace", "pods");
    let (platform, admin) = (stage.platform().await, stage.admin().await);
    platform.post(pods, pod(&json!({}))).await.passes();
    let one = &format!("{pods}/forged");
    let label = json!({"metadata": {"labels": {"batch.kubernetes.io/controller-uid": "1"}}});
    for path in [one.clone(), format!("{one}/status")] {
        platform.patch(&path, label.clone()).await.refused_by(PODS, "is reserved for pods of Jobs");
        platform.patch(&path, json!({"metadata": {"labels": {"a": "b"}}})).await.passes();
    }
    platform.patch(one, json!({"metadata": {"ownerReferences": owner(true)}})).await.refused_by(PODS, "has Job run-x");
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "forged", "labels": {"job-name": "run-x"}},
        "target": {"kind": "Node", "name": "node-9"},
    });
    for path in [format!("{one}/binding"), project.core("workspace", "bindings")] {
        platform.post(&path, binding.clone()).await.refused_by(PODS, "label job-name of pod forged");
    }
    // What a Job's pod carries stays on it, whoever writes something else, and comes off.
    admin.patch(one, label).await.passes();
    admin.patch(one, json!({"metadata": {"labels": {"controller-uid": "1"}}})).await.passes();
    platform.patch(one, json!({"metadata": {"annotations": {"a": "b"}}})).await.passes();
    platform
        .patch(one, json!({"metadata": {"labels": {"controller-uid": "2"}}}))
        .await
        .refused_by(PODS, "label controller-uid");
    platform.patch(one, json!({"metadata": {"labels": {"controller-uid": null}}})).await.passes();
}

/// The API server writes these labels into the templates of Jobs, and the
/// controller's pods carry them: a rule on templates would refuse every Job.
#[tokio::test]
async fn a_job_of_a_contributor_gets_its_pod() {
    let stage = stage().await;
    let project = Project::set(stage, "honest").await;
    let bo = project.person("bo", "contribute").await;
    let mut template = pod_template(&json!({}));
    template["spec"]["restartPolicy"] = "Never".into();
    let job = |name: &str| json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template}});
    let schedule = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
        "spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}},
    });
    let place = format!("/apis/batch/v1/namespaces/{}", project.namespace("workspace"));
    bo.post(&format!("{place}/cronjobs"), schedule).await.passes();
    bo.post(&format!("{place}/jobs"), job("honest")).await.passes();
    let all = format!("{}?labelSelector=job-name%3Dhonest", project.core("workspace", "pods"));
    wait::until("the Job's pod", 60, async || {
        let pods = bo.get(&all).await.passes();
        if pods["items"].as_array().is_some_and(|pods| pods.len() == 1) { Ok(()) } else { Err(pods.to_string()) }
    })
    .await
    .expect("a pod");
}
