//! The fence around the operator's account: sentences 2, 5 and 11 of
//! `templates/admission/fence.yaml`, about the kinds of daily work.

use serde_json::{Value, json};

use crate::objects::{config_map, pod_template};
use crate::project::{Project, object, workbench};
use crate::stage::{FENCE, stage};

#[tokio::test]
async fn of_daily_work_only_status_and_finalizers() {
    let stage = stage().await;
    let project = Project::set(stage, "daily").await;
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
        ("workspace", "workbenches", workbench("any", "ana"), json!({"running": false})),
        (
            "workspace",
            "pipelines",
            object("Pipeline", "any", &json!({"steps": [{"component": "a"}]})),
            json!({"keep": 3}),
        ),
        ("workspace", "runs", object("Run", "any", &json!({"pipeline": "any"})), Value::Null),
        ("live", "modelservices", object("ModelService", "any", &model), json!({"size": "large"})),
    ];
    let says = "status and finalizers alone";
    for (layer, plural, object, changed) in kinds {
        let all = project.daily(layer, plural);
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
        operator.delete(one).await.refused_by_rights();
        unbounded.delete(one).await.refused_by(FENCE, says);
        unbounded.delete(&all).await.refused_by(FENCE, says);
        operator.patch(one, json!({"metadata": {"finalizers": null}})).await.passes();
        admin.delete(one).await.passes();
    }
    // Where no team is, not even that.
    let stray = "/apis/strata-operator.dev/v1alpha1/namespaces/default/workbenches";
    admin.post(stray, workbench("stray", "ana")).await.passes();
    let status = json!({"status": {"observedGeneration": 1}});
    operator.patch(&format!("{stray}/stray/status"), status).await.refused_by(FENCE, "only in namespaces of teams");
    admin.delete(&format!("{stray}/stray")).await.passes();
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
    let says = "gives nothing an owner of its own kinds, but a Job its Run";
    operator.post(jobs, owned(job.clone(), "Run")).await.passes();
    operator.post(jobs, owned(job, "Pipeline")).await.refused_by(FENCE, says);
    operator.post(maps, owned(config_map("any"), "Run")).await.refused_by(FENCE, says);
    operator.post(maps, owned(config_map("theirs"), "ConfigMap")).await.passes();
    operator.post(maps, config_map("any")).await.passes();
    let one = &format!("{maps}/any");
    // One that is there, or the garbage collector would settle the matter.
    let made =
        stage.admin().await.post(&project.daily("workspace", "workbenches"), workbench("any", "ana")).await.passes();
    let mut reference = owned(config_map("any"), "Workbench")["metadata"]["ownerReferences"].clone();
    reference[0]["uid"] = made["metadata"]["uid"].clone();
    let taken = json!({"metadata": {"ownerReferences": reference}});
    operator.patch(one, taken.clone()).await.refused_by(FENCE, says);
    // What somebody else made so does not keep the operator from mending the rest.
    stage.admin().await.patch(one, taken).await.passes();
    operator.patch(one, json!({"data": {"a": "b"}})).await.passes();
}
