//! The names `workbench` and `workbench-*` in the namespaces of teams, on every
//! kind and by every route: sentences 2 and 3 of `templates/admission/reserved.yaml`.

use serde_json::{Value, json};

use crate::objects::{config_map, deployment, pod_template};
use crate::project::{Project, component, object, server};
use crate::stage::{HOMES, RESERVED, stage};

const SAYS: &str = "is reserved for Workbenches, like all names workbench and workbench-*";

/// One object of every kind that an owner may create, under this name.
fn kinds(name: &str) -> Vec<(&'static str, &'static str, Value)> {
    let of = |version: &str, kind: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec});
    let labels = json!({"app": name});
    let selector = json!({"matchLabels": labels});
    let mut ending = pod_template(&labels);
    ending["spec"]["restartPolicy"] = "Never".into();
    let job = json!({"template": ending});
    let server = json!({"serviceName": name, "selector": selector, "template": pod_template(&labels)});
    vec![
        ("/api/v1", "configmaps", config_map(name)),
        ("/api/v1", "services", of("v1", "Service", json!({"ports": [{"port": 80}]}))),
        ("/api/v1", "secrets", json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}})),
        ("/api/v1", "pods", of("v1", "Pod", pod_template(&json!({}))["spec"].clone())),
        ("/apis/apps/v1", "deployments", deployment(name, &labels)),
        ("/apis/apps/v1", "statefulsets", of("apps/v1", "StatefulSet", server)),
        ("/apis/batch/v1", "jobs", of("batch/v1", "Job", job.clone())),
        (
            "/apis/batch/v1",
            "cronjobs",
            of("batch/v1", "CronJob", json!({"schedule": "0 2 * * *", "jobTemplate": {"spec": job}})),
        ),
        (
            "/apis/policy/v1",
            "poddisruptionbudgets",
            of("policy/v1", "PodDisruptionBudget", json!({"selector": selector})),
        ),
    ]
}

#[tokio::test]
async fn names_of_workbenches_are_the_operators() {
    let stage = stage().await;
    let project = Project::set(stage, "wbnames").await;
    let owns = project.person("olga", "own").await;
    let path =
        |base: &str, plural: &str| format!("{base}/namespaces/{}/{plural}?dryRun=All", project.namespace("workspace"));
    for name in ["workbench", "workbench-ana", "workbench-ana-0"] {
        for (base, plural, object) in kinds(name) {
            let answer = owns.post(&path(base, plural), object).await;
            // Of pods the policy on homes says so as well; which of the two answers is not foreseeable.
            if plural == "pods" && answer.by(HOMES) {
                continue;
            }
            answer.refused_by(RESERVED, SAYS);
        }
    }
    for (base, plural, object) in kinds("my-workbench") {
        owns.post(&path(base, plural), object).await.passes();
    }
    // Objects of namespaced kinds may have any name.
    let components = &project.work("workspace", "components");
    for name in ["workbench-ana", "strata-step", "connections"] {
        owns.post(&format!("{components}?dryRun=All"), component(name, Some("olga"))).await.passes();
    }
    let pipeline = object("Pipeline", "workbench-ana", &json!({"steps": [{"component": "train"}]}));
    owns.post(&format!("{}?dryRun=All", project.work("workspace", "pipelines")), pipeline).await.passes();
}

#[tokio::test]
async fn what_is_there_is_neither_changed_nor_scaled() {
    let stage = stage().await;
    let project = Project::set(stage, "wbscale").await;
    let (operator, owns) = (stage.operator().await, project.person("olga", "own").await);
    let sets = &project.apps("workspace", "statefulsets");
    let mut stopped = server("ana");
    stopped["spec"]["replicas"] = 0.into();
    operator.post(sets, stopped).await.passes();
    let one = &format!("{sets}/workbench-ana");
    let up = json!({"spec": {"replicas": 1}});
    owns.patch(one, up.clone()).await.refused_by(RESERVED, "`desiredState: Stopped` stops it");
    owns.patch(&format!("{one}/scale"), up.clone()).await.refused_by(RESERVED, SAYS);
    owns.delete(one).await.refused_by(RESERVED, SAYS);
    owns.delete(sets).await.refused_by(RESERVED, SAYS);
    // Nor by an autoscaler, which scales for whoever wrote it.
    let scalers =
        format!("/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers", project.namespace("workspace"));
    let scaler = |target: &str| {
        let reference = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": target});
        let spec = json!({"scaleTargetRef": reference, "maxReplicas": 3});
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "mine"}, "spec": spec})
    };
    for target in ["workbench-ana", "strata-web", "workbench"] {
        owns.post(&scalers, scaler(target)).await.refused_by(RESERVED, "may only be scaled by the operator");
    }
    owns.post(&scalers, scaler("web")).await.passes();
    let moved = json!({"spec": scaler("workbench-ana")["spec"]});
    owns.patch(&format!("{scalers}/mine"), moved)
        .await
        .refused_by(RESERVED, "workbench-ana may only be scaled by the operator");
    operator.patch(one, up).await.passes();
}

/// A pod with the label is a workbench's to the other policies, so the label is
/// nobody's to give, on whatever makes pods.
#[tokio::test]
async fn the_label_of_a_workbench_is_nobodys_to_give() {
    let stage = stage().await;
    let project = Project::set(stage, "wblabel").await;
    let platform = stage.platform().await;
    let ours = json!({"app": "any", "strata-operator.dev/workbench": "ana"});
    let selector = json!({"matchLabels": {"app": "any"}});
    let mut ending = pod_template(&ours);
    ending["spec"]["restartPolicy"] = "Never".into();
    let job = json!({"template": ending});
    let template = pod_template(&ours);
    let makers = [
        ("/apis/apps/v1", "replicasets", "apps/v1", "ReplicaSet", json!({"selector": selector, "template": template})),
        ("/apis/apps/v1", "daemonsets", "apps/v1", "DaemonSet", json!({"selector": selector, "template": template})),
        ("/apis/apps/v1", "deployments", "apps/v1", "Deployment", json!({"selector": selector, "template": template})),
        (
            "/apis/apps/v1",
            "statefulsets",
            "apps/v1",
            "StatefulSet",
            json!({"serviceName": "any", "selector": selector, "template": template}),
        ),
        (
            "/api/v1",
            "replicationcontrollers",
            "v1",
            "ReplicationController",
            json!({"selector": {"app": "any"}, "template": template}),
        ),
        ("/apis/batch/v1", "jobs", "batch/v1", "Job", job.clone()),
        (
            "/apis/batch/v1",
            "cronjobs",
            "batch/v1",
            "CronJob",
            json!({"schedule": "0 2 * * *", "jobTemplate": {"spec": job}}),
        ),
    ];
    for (base, plural, version, kind, spec) in makers {
        let path = format!("{base}/namespaces/{}/{plural}", project.namespace("workspace"));
        let maker = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "any"}, "spec": spec});
        platform.post(&path, maker).await.refused_by(RESERVED, "labels strata-operator.dev/*");
    }
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any", "labels": ours}, "spec": template["spec"],
    });
    platform.post(&project.core("workspace", "pods"), pod).await.refused_by(RESERVED, "labels strata-operator.dev/*");
}
