//! The fence around the operator's account: sentences 2, 5 and 11 of
//! `templates/admission/fence.yaml`, about the namespaced kinds.

use serde_json::{Value, json};

use crate::objects::{config_map, pod_template};
use crate::project::{Project, object, workbench};
use crate::stage::{FENCE, stage};

#[tokio::test]
async fn of_namespaced_kinds_only_status_and_finalizers() {
    let stage = stage().await;
    let project = Project::set(stage, "work").await;
    let (operator, unbounded, admin) = (stage.operator().await, stage.unbounded().await, stage.admin().await);
    let model = json!({"model": {"name": "m", "version": "1"}, "runtime": "mlflow"});
    let kinds = [
        (
            "workspace",
            "components",
            object("Component", "any", &json!({"image": "scipy"})),
            json!({"image": "pytorch"}),
        ),
        ("workspace", "datasets", object("Dataset", "any", &json!({"uri": "s3://a/b"})), json!({"uri": "s3://c/d"})),
        ("workspace", "workbenches", workbench("any", "ana"), json!({"desiredState": "Stopped"})),
        (
            "workspace",
            "pipelines",
            object("Pipeline", "any", &json!({"steps": [{"component": "a"}]})),
            json!({"keep": 3}),
        ),
        ("workspace", "runs", object("Run", "any", &json!({"pipeline": "any"})), Value::Null),
        ("live", "modelservices", object("ModelService", "any", &model), json!({"size": "large"})),
    ];
    let says = "may only write status and finalizers";
    for (layer, plural, object, changed) in kinds {
        let all = project.work(layer, plural);
        let one = &format!("{all}/any");
        operator.post(&all, object.clone()).await.refused_by_rights();
        unbounded.post(&all, object.clone()).await.refused_by(FENCE, says);
        admin.post(&all, object).await.passes();
        operator.patch(one, json!({"metadata": {"finalizers": ["strata-operator.dev/teardown"]}})).await.passes();
        operator.patch(&format!("{one}/status"), json!({"status": {"observedGeneration": 1}})).await.passes();
        let mut attempts =
            vec![json!({"metadata": {"labels": {"a": "b"}}}), json!({"metadata": {"annotations": {"a": "b"}}})];
        if changed.is_object() {
            attempts.push(json!({"spec": changed}));
        }
        for attempt in attempts {
            operator.patch(one, attempt).await.refused_by(FENCE, says);
        }
        if plural == "runs" {
            // It ended for nobody yet.
            operator.delete(one).await.refused_by(FENCE, RUNS);
            unbounded.delete(&all).await.refused_by(FENCE, RUNS);
        } else {
            operator.delete(one).await.refused_by_rights();
            unbounded.delete(one).await.refused_by(FENCE, says);
            unbounded.delete(&all).await.refused_by(FENCE, says);
        }
        operator.patch(one, json!({"metadata": {"finalizers": null}})).await.passes();
        admin.delete(one).await.passes();
    }
    // Where no team is, not even that.
    let stray = "/apis/strata-operator.dev/v1alpha1/namespaces/default/workbenches";
    admin.post(stray, workbench("stray", "ana")).await.passes();
    let status = json!({"status": {"observedGeneration": 1}});
    operator
        .patch(&format!("{stray}/stray/status"), status)
        .await
        .refused_by(FENCE, "only write in namespaces of teams");
    admin.delete(&format!("{stray}/stray")).await.passes();
}

/// What the sentence on the deletion of Runs says.
const RUNS: &str = "may delete a Run only by its UID, after it ended, and if neither Argo CD nor Flux tracks it";

#[tokio::test]
async fn a_run_goes_by_its_uid_once_it_ended_and_if_nobody_tracks_it() {
    let stage = stage().await;
    let project = Project::set(stage, "ended").await;
    let (operator, unbounded, admin) = (stage.operator().await, stage.unbounded().await, stage.admin().await);
    let all = project.work("workspace", "runs");
    let make = async |name: &str, state: &str, metadata: Value| -> (String, Value) {
        let mut run = object("Run", name, &json!({"pipeline": "any"}));
        for (field, value) in metadata.as_object().into_iter().flatten() {
            run["metadata"][field] = value.clone();
        }
        let made = admin.post(&all, run).await.passes();
        let path = format!("{all}/{name}");
        operator.patch(&format!("{path}/status"), json!({"status": {"state": state}})).await.passes();
        (path, json!({"preconditions": {"uid": made["metadata"]["uid"]}}))
    };
    for state in ["Pending", "Running"] {
        let (path, by_uid) = make(&state.to_lowercase(), state, Value::Null).await;
        operator.delete_with(&path, by_uid).await.refused_by(FENCE, RUNS);
    }
    let label = |key: &str| json!({"labels": {key: "any"}});
    let tracked = [
        json!({"annotations": {"argocd.argoproj.io/tracking-id": "app:strata-operator.dev/Run:a/b"}}),
        label("app.kubernetes.io/instance"),
        label("argocd.argoproj.io/instance"),
        label("kustomize.toolkit.fluxcd.io/name"),
        label("helm.toolkit.fluxcd.io/name"),
    ];
    for (number, metadata) in tracked.into_iter().enumerate() {
        let (path, by_uid) = make(&format!("tracked-{number}"), "Succeeded", metadata).await;
        operator.delete_with(&path, by_uid).await.refused_by(FENCE, RUNS);
    }
    for state in ["Succeeded", "Failed"] {
        let (path, by_uid) = make(&state.to_lowercase(), state, json!({"labels": {"of": state}})).await;
        operator.delete(&path).await.refused_by(FENCE, RUNS);
        // Neither all at once, by whatever UID.
        let many = format!("{all}?labelSelector=of%3D{state}");
        operator.delete_with(&many, by_uid.clone()).await.refused_by_rights();
        unbounded.delete_with(&many, by_uid.clone()).await.refused_by(FENCE, RUNS);
        operator.delete_with(&path, by_uid).await.passes();
    }
    // What ended of another kind stays people's.
    let pipelines = project.work("workspace", "pipelines");
    let pipeline =
        admin.post(&pipelines, object("Pipeline", "any", &json!({"steps": [{"component": "a"}]}))).await.passes();
    let by_uid = json!({"preconditions": {"uid": pipeline["metadata"]["uid"]}});
    unbounded
        .delete_with(&format!("{pipelines}/any"), by_uid)
        .await
        .refused_by(FENCE, "may only write status and finalizers");
}

#[tokio::test]
async fn nothing_is_owned_but_a_job_by_its_run() {
    let stage = stage().await;
    let project = Project::set(stage, "owned").await;
    let operator = stage.operator().await;
    let owned = |mut object: Value, kind: &str| {
        let version = if kind == "ConfigMap" { "v1" } else { "strata-operator.dev/v1alpha1" };
        let reference =
            json!({"apiVersion": version, "kind": kind, "name": "any", "uid": "1", "blockOwnerDeletion": false});
        object["metadata"]["ownerReferences"] = json!([reference]);
        object
    };
    let mut template = pod_template(&json!({}));
    template["spec"]["restartPolicy"] = "Never".into();
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "run-any"}, "spec": {"template": template}});
    let jobs = &format!("/apis/batch/v1/namespaces/{}/jobs?dryRun=All", project.namespace("workspace"));
    let maps = &project.core("workspace", "configmaps");
    let says = "may set an object of Strata as an owner only on the Job of a Run";
    operator.post(jobs, owned(job.clone(), "Run")).await.passes();
    operator.post(jobs, owned(job, "Pipeline")).await.refused_by(FENCE, says);
    operator.post(maps, owned(config_map("any"), "Run")).await.refused_by(FENCE, says);
    operator.post(maps, owned(config_map("theirs"), "ConfigMap")).await.passes();
    operator.post(maps, config_map("any")).await.passes();
    let one = &format!("{maps}/any");
    // One that is there, or the garbage collector would settle the matter.
    let made =
        stage.admin().await.post(&project.work("workspace", "workbenches"), workbench("any", "ana")).await.passes();
    let mut reference = owned(config_map("any"), "Workbench")["metadata"]["ownerReferences"].clone();
    reference[0]["uid"] = made["metadata"]["uid"].clone();
    let taken = json!({"metadata": {"ownerReferences": reference}});
    operator.patch(one, taken.clone()).await.refused_by(FENCE, says);
    // What somebody else made so does not keep the operator from fixing the rest.
    stage.admin().await.patch(one, taken).await.passes();
    operator.patch(one, json!({"data": {"a": "b"}})).await.passes();
}
