//! What is reserved inside the namespaces of teams: names and tokens
//! (`templates/admission/reserved.yaml`), and Services (`services.yaml`). The member
//! who tries is an owner there: no level holds more. Labels are in `labels`.

use harness::wait;
use serde_json::{Value, json};

use crate::attempt::Actor;
use crate::objects::{OURS, apps, config_map, core, deployment};
use crate::project::Project;
use crate::stage::{RESERVED, SERVICES, stage};

#[tokio::test]
async fn reserved_names_are_the_operators() {
    let stage = stage().await;
    stage.team("names").await;
    let (member, operator) = (stage.member().await, stage.operator().await);
    let maps = &core("names", "configmaps");
    let says = "is reserved for the operator, like all names strata-* and connections";
    for name in ["strata-record", "connections"] {
        member.post(maps, config_map(name)).await.refused_by(RESERVED, says);
        member.apply(&format!("{maps}/{name}"), config_map(name)).await.refused_by(RESERVED, says);
        operator.post(maps, config_map(name)).await.passes();
        let preload = json!({"data": {"LD_PRELOAD": "/data/x.so"}});
        member.patch(&format!("{maps}/{name}"), preload).await.refused_by(RESERVED, says);
        member.delete(&format!("{maps}/{name}")).await.refused_by(RESERVED, says);
    }
    let generated = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "strata-"}});
    member.post(maps, generated).await.refused_by(RESERVED, says);
    // Their own pass, by the same requests.
    for name in ["mine", "my-connections", "strata"] {
        member.post(maps, config_map(name)).await.passes();
        member.patch(&format!("{maps}/{name}"), json!({"data": {"A": "b"}})).await.passes();
    }
    member.delete(&format!("{maps}/strata")).await.passes();
    // A collection goes object by object: the reserved ones stay.
    member.delete(maps).await.refused_by(RESERVED, says);
    operator.get(&format!("{maps}/connections")).await.passes();
    // Nor does an object that is being deleted slip through.
    let mut held = config_map("strata-held");
    held["metadata"]["finalizers"] = json!(["example.com/held"]);
    operator.post(maps, held).await.passes();
    operator.delete(&format!("{maps}/strata-held")).await.passes();
    let let_go = json!({"metadata": {"finalizers": null}});
    member.patch(&format!("{maps}/strata-held"), let_go.clone()).await.refused_by(RESERVED, says);
    operator.patch(&format!("{maps}/strata-held"), let_go).await.passes();
}

#[tokio::test]
async fn reserved_names_hold_for_subresources() {
    let stage = stage().await;
    stage.team("parts").await;
    let (member, operator, platform) = (stage.member().await, stage.operator().await, stage.platform().await);
    let says = "is reserved for the operator, like all names strata-* and connections";
    let two = json!({"spec": {"replicas": 2}});
    for name in ["strata-web", "web"] {
        operator.post(&apps("parts", "deployments"), deployment(name, &json!({"app": name}))).await.passes();
    }
    member
        .patch(&format!("{}/strata-web/scale", apps("parts", "deployments")), two.clone())
        .await
        .refused_by(RESERVED, says);
    member.patch(&format!("{}/web/scale", apps("parts", "deployments")), two).await.passes();
    let status = json!({"status": {"observedGeneration": 1}});
    platform
        .patch(&format!("{}/strata-web/status", apps("parts", "deployments")), status)
        .await
        .refused_by(RESERVED, says);
    for name in ["strata-web", "web"] {
        let eviction =
            json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": format!("{name}-1")}});
        let answer = platform.post(&format!("{}/{name}-1/eviction", core("parts", "pods")), eviction).await;
        if name == "web" {
            answer.refused_by_no_policy();
        } else {
            answer.refused_by(RESERVED, says);
        }
    }
    // An event about a reserved object may be named after it.
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "strata-quota.1"},
        "involvedObject": {"kind": "ResourceQuota", "name": "strata-quota", "namespace": "parts--shared"},
    });
    platform.post(&core("parts", "events"), event).await.passes();
}

#[tokio::test]
async fn the_cluster_itself_goes_on() {
    let stage = stage().await;
    stage.team("goes").await;
    let (member, operator) = (stage.member().await, stage.operator().await);
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "strata-quota"},
        "spec": {"hard": {"count/configmaps": "20", "pods": "20"}},
    });
    operator.post(&core("goes", "resourcequotas"), quota).await.passes();
    // Controllers copy our labels from templates to replica sets and pods, which get reserved names.
    let labels = json!({"app": "strata-web", OURS: "goes"});
    operator.post(&apps("goes", "deployments"), deployment("strata-web", &labels)).await.passes();
    wait::until("a pod with our label", 60, async || {
        let pods = operator.get(&format!("{}?labelSelector={OURS}=goes", core("goes", "pods"))).await.passes();
        if pods["items"].as_array().is_some_and(|items| items.len() == 1) { Ok(()) } else { Err(pods.to_string()) }
    })
    .await
    .expect("a pod");
    // The API server itself writes the use into the quota when a member creates something.
    let used = async || {
        let quota = operator.get(&format!("{}/strata-quota", core("goes", "resourcequotas"))).await.passes();
        quota["status"]["used"]["count/configmaps"].as_str().and_then(|used| used.parse::<u32>().ok())
    };
    let before = wait::until("the quota is counted", 60, async || used().await.ok_or_else(|| "nothing".to_owned()))
        .await
        .expect("a count");
    member.post(&core("goes", "configmaps"), config_map("mine")).await.passes();
    assert_eq!(used().await, Some(before + 1));
    // Garbage collection: the replica set and its pod follow the Deployment.
    operator.delete(&format!("{}/strata-web?propagationPolicy=Background", apps("goes", "deployments"))).await.passes();
    wait::until("the replica set is gone", 60, async || {
        let sets = operator_sees_replica_sets(&stage.admin().await).await;
        if sets == 0 { Ok(()) } else { Err(format!("{sets} left")) }
    })
    .await
    .expect("garbage collection");
}

async fn operator_sees_replica_sets(admin: &Actor) -> usize {
    admin.get(&apps("goes", "replicasets")).await.passes()["items"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn no_tokens_for_service_accounts() {
    let stage = stage().await;
    stage.team("token").await;
    let (member, platform) = (stage.member().await, stage.platform().await);
    let says = "tokens of ServiceAccounts may not be made by hand";
    let secret = |name: &str, kind: &str| {
        let metadata = json!({"name": name, "annotations": {"kubernetes.io/service-account.name": "default"}});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind})
    };
    let typed = secret("minted", "kubernetes.io/service-account-token");
    member.post(&core("token", "secrets"), typed.clone()).await.refused_by(RESERVED, says);
    member.post(&core("token", "secrets"), secret("mine", "Opaque")).await.passes();
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let path = &core("token", "serviceaccounts/default/token");
    member.post(path, request.clone()).await.refused_by_rights();
    platform.post(path, request.clone()).await.refused_by(RESERVED, says);
    // Elsewhere the platform may; here nodes and controllers may.
    platform.post("/api/v1/namespaces/default/serviceaccounts/default/token", request.clone()).await.passes();
    let node = stage.somebody("system:node:node-1", &["system:nodes", "platform"]).await;
    node.post(path, request.clone()).await.passes();
    let controller = stage.somebody("system:serviceaccount:kube-system:any-controller", &["platform"]).await;
    controller.post(&core("token", "secrets"), typed).await.passes();
    // The name of a node without the group that its certificate gives it.
    let pretender = stage.somebody("system:node:node-1", &["platform"]).await;
    pretender.post(path, request).await.refused_by(RESERVED, says);
}

#[tokio::test]
async fn services_are_addresses_inside_the_cluster() {
    let stage = stage().await;
    stage.team("ports").await;
    let member = stage.member().await;
    let service = |name: &str, spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec});
    let ports = json!([{"port": 80}]);
    let path = &core("ports", "services");
    let says = "have type ClusterIP and no externalIPs";
    for kind in ["NodePort", "LoadBalancer"] {
        member.post(path, service("open", json!({"type": kind, "ports": ports}))).await.refused_by(SERVICES, says);
    }
    let foreign = json!({"type": "ExternalName", "externalName": "example.com"});
    member.post(path, service("open", foreign)).await.refused_by(SERVICES, says);
    let stolen = json!({"externalIPs": ["203.0.113.7"], "ports": ports});
    member.post(path, service("open", stolen.clone())).await.refused_by(SERVICES, says);
    member.post(path, service("mine", json!({"ports": ports}))).await.passes();
    member.post(path, service("headless", json!({"clusterIP": "None", "ports": ports}))).await.passes();
    let changed = json!({"spec": {"externalIPs": ["203.0.113.7"]}});
    member.patch(&format!("{path}/mine"), changed).await.refused_by(SERVICES, says);
    // Other namespaces are not ours to rule.
    stage.platform().await.post("/api/v1/namespaces/default/services", service("ports", stolen)).await.passes();
}

/// The label of a namespace, stripped by somebody who may override, opens nothing
/// while it is off: the name is that of a team all the same.
#[tokio::test]
async fn a_stripped_label_opens_nothing() {
    let stage = stage().await;
    let project = Project::set(stage, "bare").await;
    let place = project.namespace("workspace");
    let labels = json!({"strata-operator.dev/team": null, "strata-operator.dev/layer": null});
    let bare = json!({"metadata": {"labels": labels}});
    stage.admin().await.patch(&format!("/api/v1/namespaces/{place}"), bare).await.passes();
    let olga = project.person("olga", "own").await;
    let token = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "token", "annotations": {"kubernetes.io/service-account.name": "default"}},
    });
    olga.post(&project.core("workspace", "secrets"), token)
        .await
        .refused_by(RESERVED, "tokens of ServiceAccounts may not be made");
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "open"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]},
    });
    olga.post(&project.core("workspace", "services"), service).await.refused_by(SERVICES, "have type ClusterIP");
    olga.post(&project.core("workspace", "configmaps"), config_map("mine")).await.passes();
}
