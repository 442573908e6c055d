//! The namespaced kinds are allowed only in their layers:
//! `templates/admission/layers.yaml`. Who tries holds every right on them everywhere.

use serde_json::{Value, json};

use crate::objects::namespace;
use crate::project::{Project, object, work_path};
use crate::stage::{LAYERS, stage};

/// One object of every kind, with the layers that it may stand in.
fn kinds() -> Vec<(&'static str, Value, &'static [&'static str])> {
    let of = |kind: &str, spec: Value| object(kind, "any", &spec);
    let model = json!({"model": {"name": "m", "version": "1"}, "runtime": "mlflow"});
    vec![
        ("components", of("Component", json!({"image": "scipy"})), &["shared", "workspace"]),
        ("datasets", of("Dataset", json!({"uri": "s3://cards/v7"})), &["shared", "workspace", "live"]),
        ("workbenches", of("Workbench", json!({"owner": "wren@example.com", "image": "scipy"})), &["workspace"]),
        ("pipelines", of("Pipeline", json!({"steps": [{"component": "train"}]})), &["workspace", "live"]),
        ("runs", of("Run", json!({"pipeline": "nightly"})), &["workspace", "live"]),
        ("modelservices", of("ModelService", model), &["live"]),
    ]
}

/// Nothing is written: what passes once may be tried again.
fn dry(path: &str) -> String {
    format!("{path}?dryRun=All")
}

#[tokio::test]
async fn every_kind_in_its_layers() {
    let stage = stage().await;
    let project = Project::set(stage, "layer").await;
    // In a Workspace a Component without an owner is for contributors.
    let writer = stage.somebody("oidc:wren@example.com", &["work", "contribute"]).await;
    for (plural, object, layers) in kinds() {
        for layer in ["backbone", "shared", "workspace", "live"] {
            let answer = writer.post(&dry(&project.work(layer, plural)), object.clone()).await;
            if layers.contains(&layer) {
                answer.passes();
            } else {
                answer.refused_by(LAYERS, "belongs in");
            }
        }
    }
    // Whoever may override puts one anywhere.
    let (_, object, _) = kinds().swap_remove(2);
    stage.admin().await.post(&dry(&work_path("default", "workbenches")), object).await.passes();
}

/// Scaling changes the spec, so it is held like any other change of it.
#[tokio::test]
async fn a_model_is_scaled_where_it_may_stand_alone() {
    let stage = stage().await;
    let project = Project::set(stage, "scaled").await;
    let (writer, admin) = (stage.writer().await, stage.admin().await);
    let three = json!({"spec": {"replicas": 3}});
    for (layer, may) in [("live", true), ("workspace", false)] {
        let (_, object, _) = kinds().swap_remove(5);
        let all = project.work(layer, "modelservices");
        admin.post(&all, object).await.passes();
        let answer = writer.patch(&format!("{all}/any/scale"), three.clone()).await;
        if may {
            answer.passes();
        } else {
            answer.refused_by(LAYERS, "a ModelService belongs in Live. Create it in scaled--pay--live");
        }
    }
    let one = format!("{}/any/scale", project.work("live", "modelservices"));
    project.person("olga", "contribute").await.patch(&one, three.clone()).await.passes();
    let zero = json!({"spec": {"replicas": 0}});
    writer.patch(&one, zero).await.refused_as_invalid("at least one pod");
}

#[tokio::test]
async fn the_message_names_the_right_namespace() {
    let stage = stage().await;
    let project = Project::set(stage, "right").await;
    let (writer, admin) = (stage.writer().await, stage.admin().await);
    let bare = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "right--bare"}});
    admin.post("/api/v1/namespaces", bare).await.passes();
    // A label that the name does not bear out.
    admin.post("/api/v1/namespaces", namespace("wrong--pay", "right")).await.passes();
    let cases = [
        ("right--pay--live", "workbenches", "a Workbench belongs in a Workspace. Create it in right--pay"),
        ("right--shared", "workbenches", "a Workbench belongs in a Workspace. Create it in right--<project>"),
        ("right--pay", "modelservices", "a ModelService belongs in Live. Create it in right--pay--live"),
        (
            "right--pay--live",
            "components",
            "a Component belongs in Shared or a Workspace. Create it in right--shared or right--pay",
        ),
        ("default", "runs", "Create it in a team's namespace such as <team>--<project> or <team>--<project>--live"),
        ("right--bare", "workbenches", "Create it in a team's namespace such as <team>--<project>"),
        ("wrong--pay", "runs", "Create it in a team's namespace such as <team>--<project>"),
    ];
    for (place, plural, says) in cases {
        let (_, object, _) = kinds().into_iter().find(|(known, _, _)| *known == plural).expect("a kind");
        writer.post(&work_path(place, plural), object.clone()).await.refused_by(LAYERS, says);
        writer.apply(&format!("{}/any", work_path(place, plural)), object).await.refused_by(LAYERS, says);
    }
    // What stands in the wrong place all the same is not changed there, but can lose a finalizer.
    let mut stray = kinds().swap_remove(2).1;
    stray["metadata"]["finalizers"] = json!(["example.com/held"]);
    let all = project.work("live", "workbenches");
    admin.post(&all, stray).await.passes();
    let grown = json!({"spec": {"storage": "20Gi"}});
    writer.patch(&format!("{all}/any"), grown).await.refused_by(LAYERS, "Create it in right--pay");
    writer.delete(&format!("{all}/any")).await.passes();
    writer.patch(&format!("{all}/any"), json!({"metadata": {"finalizers": null}})).await.passes();
    assert!(writer.get(&format!("{all}/any")).await.is_missing());
}

#[tokio::test]
async fn volumes_schedules_and_steps_where_they_fit() {
    let stage = stage().await;
    let project = Project::set(stage, "fits").await;
    let writer = stage.writer().await;
    let volume = object("Dataset", "any", &json!({"volume": {"size": "1Gi"}}));
    let pipeline = |spec: Value| object("Pipeline", "any", &spec);
    let scheduled = pipeline(json!({"steps": [{"component": "train"}], "schedule": "0 3 * * *"}));
    let own = pipeline(json!({"steps": [{"component": "train"}, {"component": "mine", "from": "Workspace"}]}));
    let cases = [
        ("datasets", volume, "shared", "workspace", "a Dataset in Shared needs a `uri`"),
        ("pipelines", scheduled, "workspace", "live", "create it in fits--pay--live"),
        ("pipelines", own, "live", "workspace", "so not mine of a Workspace. Create a Component in fits--shared"),
    ];
    for (plural, object, wrong, right, says) in cases {
        writer.post(&project.work(wrong, plural), object.clone()).await.refused_by(LAYERS, says);
        writer.post(&project.work(right, plural), object).await.passes();
        writer.delete(&format!("{}/any", project.work(right, plural))).await.passes();
    }
    // Nor later, by a change.
    let plain = pipeline(json!({"steps": [{"component": "train"}]}));
    for (layer, change, says) in [
        ("workspace", json!({"schedule": "@daily"}), "a Pipeline with a schedule belongs in Live"),
        (
            "live",
            json!({"steps": [{"component": "mine", "from": "Workspace"}]}),
            "pipelines in Live use components of Shared only",
        ),
    ] {
        writer.post(&project.work(layer, "pipelines"), plain.clone()).await.passes();
        let one = format!("{}/any", project.work(layer, "pipelines"));
        writer.patch(&one, json!({"spec": change})).await.refused_by(LAYERS, says);
        writer.patch(&one, json!({"spec": {"keep": 3}})).await.passes();
    }
}
