//! Labels of our group inside the namespaces of teams, on objects and on the pods
//! and claims they are templates of: `templates/admission/reserved.yaml`.

use serde_json::{Value, json};

use crate::objects::{OURS, apps, core, deployment, pod_template};
use crate::stage::{RESERVED, stage};

#[tokio::test]
async fn labels_of_our_group_are_the_operators() {
    let stage = stage().await;
    stage.team("tags").await;
    let member = stage.member().await;
    let says = "labels strata-operator.dev/* are written by the operator only";
    for (path, plain, labelled) in workloads() {
        let path =
            format!("{path}/namespaces/tags--shared/{}", plain["kind"].as_str().expect("a kind").to_lowercase() + "s");
        member.post(&path, labelled).await.refused_by(RESERVED, says);
        member.post(&path, plain).await.passes();
    }
    let label = |value: Value| json!({"metadata": {"labels": {OURS: value}}});
    let one = &format!("{}/mine", apps("tags", "deployments"));
    member.patch(one, label("risk".into())).await.refused_by(RESERVED, says);
    let template = json!({"spec": {"template": label("risk".into())}});
    member.patch(one, template).await.refused_by(RESERVED, says);
    member.patch(one, json!({"metadata": {"labels": {"app.kubernetes.io/name": "mine"}}})).await.passes();
    // What the operator labelled may be used, as long as the labels stay.
    let labels = json!({"app": "mlflow", OURS: "tags"});
    let mut server = deployment("mlflow", &labels);
    server["metadata"]["labels"] = labels;
    stage.operator().await.post(&apps("tags", "deployments"), server).await.passes();
    let server = &format!("{}/mlflow", apps("tags", "deployments"));
    let restart =
        json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}});
    member.patch(server, restart).await.passes();
    member.patch(server, label(Value::Null)).await.refused_by(RESERVED, says);
    member.patch(server, label("risk".into())).await.refused_by(RESERVED, says);
    member.patch(server, json!({"spec": {"template": label(Value::Null)}})).await.refused_by(RESERVED, says);
    // Controllers that the platform named may copy labels.
    let exempt = stage.somebody("exempt@example.com", &["platform"]).await;
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "copied", "labels": {OURS: "tags"}}});
    pod["spec"] = pod_template(&json!({}))["spec"].clone();
    exempt.post(&core("tags", "pods"), pod).await.passes();
}

/// Everything that is, or becomes, a pod or a claim: without and with our label.
fn workloads() -> Vec<(&'static str, Value, Value)> {
    let mut all = Vec::new();
    let mut add = |path, kind: &str, version: &str, spec: &dyn Fn(&Value) -> Value| {
        let object = |labels: &Value| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "mine"}, "spec": spec(labels)});
        all.push((path, object(&json!({"app": "mine"})), object(&json!({"app": "mine", OURS: "risk"}))));
    };
    let selector = json!({"matchLabels": {"app": "mine"}});
    let ending = |labels: &Value| {
        let mut template = pod_template(labels);
        template["spec"]["restartPolicy"] = "Never".into();
        template
    };
    let job = |labels: &Value| json!({"template": ending(labels)});
    add(
        "/apis/apps/v1",
        "Deployment",
        "apps/v1",
        &|labels| json!({"selector": selector, "template": pod_template(labels)}),
    );
    add("/apis/apps/v1", "StatefulSet", "apps/v1", &|labels| {
        let claim = json!({
            "metadata": {"name": "data", "labels": labels},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        let template = pod_template(&json!({"app": "mine"}));
        json!({"serviceName": "mine", "selector": selector, "template": template, "volumeClaimTemplates": [claim]})
    });
    add("/apis/batch/v1", "Job", "batch/v1", &job);
    add(
        "/apis/batch/v1",
        "CronJob",
        "batch/v1",
        &|labels| json!({"schedule": "0 2 * * *", "jobTemplate": {"spec": job(labels)}}),
    );
    all.extend([("ConfigMap", Value::Null), ("Pod", pod_template(&Value::Null)["spec"].clone())].map(|(kind, spec)| {
        let object = |labels: Value| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "mine", "labels": labels}, "spec": spec});
        ("/api/v1", object(json!({})), object(json!({OURS: "risk"})))
    }));
    all
}
