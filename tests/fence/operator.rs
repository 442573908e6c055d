//! The fence around the operator's account: sentences 1 and 2 of
//! `templates/admission/fence.yaml`, about what it writes at all. What passes is
//! tried with the operator's real token and rights; what is refused, with every
//! right there is besides.

use serde_json::{Value, json};

use crate::objects::{config_map, deployment, event, pod_template, role_binding};
use crate::stage::{FENCE, RBAC, stage};

#[tokio::test]
async fn it_connects_to_nothing() {
    let stage = stage().await;
    stage.team("connect").await;
    let paths = [
        "/api/v1/namespaces/connect--shared/pods/any/exec?command=ls",
        "/api/v1/namespaces/connect--shared/pods/any/attach",
        "/api/v1/namespaces/connect--shared/pods/any/portforward",
        "/api/v1/namespaces/connect--shared/pods/any/proxy",
        "/api/v1/namespaces/connect--shared/services/any/proxy",
    ];
    for path in paths {
        stage.unbounded().await.post(path, Value::Null).await.refused_by(FENCE, "may not send CONNECT requests");
        stage.operator().await.post(path, Value::Null).await.refused_by_rights();
        // There is no such pod, but nothing stands in the way of asking.
        stage.admin().await.post(path, Value::Null).await.refused_by_no_policy();
    }
}

#[tokio::test]
async fn it_writes_the_kinds_on_its_list() {
    let stage = stage().await;
    stage.team("kinds").await;
    let operator = stage.operator().await;
    for (group, plural, object) in its_kinds() {
        let path = format!("{group}/namespaces/kinds--shared/{plural}");
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        operator.post(&path, object.clone()).await.passes();
        if plural == "events" {
            continue;
        }
        let labelled = json!({"metadata": {"labels": {"a": "b"}}});
        operator.patch(&format!("{path}/{name}"), labelled).await.passes();
        operator.delete(&format!("{path}/{name}")).await.passes();
        // Creating by apply, too.
        operator.apply(&format!("{path}/{name}"), object).await.passes();
    }
    // A question about its rights, which it asks before it says RightsMissing.
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
    });
    operator.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review).await.passes();
    // Kinds of engines are for its rights to decide, which come with the engine.
    let queue = json!({"apiVersion": "kueue.x-k8s.io/v1", "kind": "LocalQueue", "metadata": {"name": "default"}});
    let path = "/apis/kueue.x-k8s.io/v1/namespaces/kinds--shared/localqueues";
    operator.post(path, queue.clone()).await.refused_by_rights();
    stage.unbounded().await.post(path, queue).await.passes();
}

#[tokio::test]
async fn it_writes_no_other_kind() {
    let stage = stage().await;
    stage.team("others").await;
    let unbounded = stage.unbounded().await;
    let core = |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "any"}});
    let shared = "/api/v1/namespaces/others--shared";
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"}, "spec": pod_template(&json!({}))["spec"]});
    let rules =
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "any"}, "rules": []});
    let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "any"}, "webhooks": [],
    });
    let attempts = [
        (format!("{shared}/secrets"), core("Secret")),
        (format!("{shared}/pods"), pod),
        (format!("{shared}/endpoints"), core("Endpoints")),
        (format!("{shared}/serviceaccounts/default/token"), token),
        (format!("{RBAC}/namespaces/others--shared/roles"), rules),
        ("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations".to_owned(), webhook),
        ("/api/v1/nodes".to_owned(), core("Node")),
    ];
    for (path, object) in attempts {
        unbounded.post(&path, object).await.refused_by(FENCE, "the operator may not write");
    }
    // Subresources of kinds that are on the list are not.
    unbounded.post(&format!("{shared}/configmaps"), config_map("any")).await.passes();
    let apps = "/apis/apps/v1/namespaces/others--shared/deployments";
    unbounded.post(apps, deployment("web", &json!({"app": "web"}))).await.passes();
    let two = json!({"spec": {"replicas": 2}});
    unbounded.patch(&format!("{apps}/web/scale"), two).await.refused_by(FENCE, "apps/deployments/scale");
    let status = json!({"status": {"observedGeneration": 7}});
    unbounded.patch(&format!("{apps}/web/status"), status).await.refused_by(FENCE, "apps/deployments/status");
    // Deleting is writing.
    unbounded
        .delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/aiteams.strata-operator.dev")
        .await
        .refused_by(FENCE, "customresourcedefinitions");
    unbounded.delete(&format!("{shared}/secrets/any")).await.refused_by_no_policy();
}

/// One object of every built-in kind that the operator writes in teams' namespaces.
fn its_kinds() -> Vec<(&'static str, &'static str, Value)> {
    let of = |version: &str, kind: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "any"}, "spec": spec});
    let labels = json!({"app": "any"});
    let mut template = pod_template(&labels);
    let selector = json!({"matchLabels": labels});
    let server = json!({"selector": selector, "serviceName": "any", "template": template});
    template["spec"]["restartPolicy"] = "Never".into();
    let job = json!({"template": template});
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "any"});
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let subjects = json!([{"kind": "Group", "name": "science", "apiGroup": "rbac.authorization.k8s.io"}]);
    let core = "/api/v1";
    vec![
        (core, "configmaps", config_map("any")),
        (core, "limitranges", of("v1", "LimitRange", json!({"limits": []}))),
        (core, "resourcequotas", of("v1", "ResourceQuota", json!({"hard": {"pods": "5"}}))),
        (core, "persistentvolumeclaims", of("v1", "PersistentVolumeClaim", claim)),
        (core, "serviceaccounts", json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "any"}})),
        (core, "services", of("v1", "Service", json!({"ports": [{"port": 80}]}))),
        ("/apis/apps/v1", "deployments", deployment("any", &labels)),
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
        (
            "/apis/autoscaling/v2",
            "horizontalpodautoscalers",
            of("autoscaling/v2", "HorizontalPodAutoscaler", json!({"scaleTargetRef": target, "maxReplicas": 2})),
        ),
        (
            "/apis/networking.k8s.io/v1",
            "networkpolicies",
            of(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
            ),
        ),
        (RBAC, "rolebindings", role_binding("any", "strata:shared:view", &subjects)),
        ("/apis/events.k8s.io/v1", "events", event("kinds--shared", "any")),
    ]
}
