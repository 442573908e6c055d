//! What pods of teams may ask for: the policies `pods` and `priorities` of
//! `templates/admission/pods.yaml`. What makes a pod a Job's is in `jobs`.

use harness::wait;
use serde_json::{Value, json};

use crate::attempt::Actor;
use crate::objects::pod_template;
use crate::project::{Project, annotated, until_refused};
use crate::stage::{PODS, PRIORITIES, Stage, stage};

/// The spec of a pod, with this of its own.
pub fn spec(more: &Value) -> Value {
    let mut spec = pod_template(&json!({}))["spec"].clone();
    merge(&mut spec, more);
    spec
}

/// The spec of a pod whose container has this.
fn container(more: &Value) -> Value {
    let mut spec = spec(&json!({}));
    merge(&mut spec["containers"][0], more);
    spec
}

fn merge(into: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}

pub fn pod(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}

/// Each kind that makes pods, with the path after the namespace's.
pub fn workloads(spec: &Value) -> Vec<(&'static str, &'static str, Value)> {
    let labels = json!({"app": "x"});
    let template = json!({"metadata": {"labels": labels}, "spec": spec});
    let selected = json!({"selector": {"matchLabels": labels}, "template": template});
    let mut of_job = template.clone();
    of_job["spec"]["restartPolicy"] = "Never".into();
    let set = json!({"serviceName": "x", "selector": {"matchLabels": labels}, "template": template});
    let object = |version: &str, kind: &str, field: &str, value: Value| {
        let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}});
        object[field] = value;
        object
    };
    vec![
        ("apps/v1", "deployments", object("apps/v1", "Deployment", "spec", selected.clone())),
        ("apps/v1", "daemonsets", object("apps/v1", "DaemonSet", "spec", selected.clone())),
        ("apps/v1", "replicasets", object("apps/v1", "ReplicaSet", "spec", selected)),
        ("apps/v1", "statefulsets", object("apps/v1", "StatefulSet", "spec", set)),
        ("batch/v1", "jobs", object("batch/v1", "Job", "spec", json!({"template": of_job}))),
        (
            "batch/v1",
            "cronjobs",
            object(
                "batch/v1",
                "CronJob",
                "spec",
                json!({"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": of_job}}}),
            ),
        ),
        ("v1", "podtemplates", object("v1", "PodTemplate", "template", template.clone())),
        (
            "v1",
            "replicationcontrollers",
            object("v1", "ReplicationController", "spec", json!({"selector": labels, "template": template})),
        ),
    ]
}

pub fn path(version: &str, namespace: &str, plural: &str) -> String {
    let root = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
    format!("{root}/namespaces/{namespace}/{plural}")
}

/// Somebody with every right on workloads, and the controllers that make pods of them.
async fn everybody(stage: &Stage) -> [Actor; 3] {
    [
        stage.platform().await,
        stage.somebody("system:serviceaccount:kube-system:replicaset-controller", &["platform"]).await,
        stage.somebody("system:kube-controller-manager", &["system:masters"]).await,
    ]
}

/// This is refused on pods whoever makes them, on the template of each kind that
/// people write, and nowhere else; that passes on all of them.
async fn holds(stage: &Stage, namespace: &str, policy: &str, words: &str, refused: &Value, passes: &Value) {
    let pods = &format!("/api/v1/namespaces/{namespace}/pods?dryRun=All");
    for actor in everybody(stage).await {
        actor.post(pods, pod("x", refused)).await.refused_by(policy, words);
        actor.post(pods, pod("x", passes)).await.passes();
    }
    let people = stage.platform().await;
    for (version, plural, object) in workloads(refused) {
        let dry = &format!("{}?dryRun=All", path(version, namespace, plural));
        people.post(dry, object.clone()).await.refused_by(policy, words);
        // The cluster's own controllers copy templates; their pods are held.
        everybody(stage).await[1].post(dry, object).await.refused_by_no_policy();
    }
    for (version, plural, object) in workloads(passes) {
        people.post(&format!("{}?dryRun=All", path(version, namespace, plural)), object).await.passes();
    }
    // Who may override, and everybody outside of teams.
    stage.admin().await.post(pods, pod("x", refused)).await.refused_by_no_policy();
    people.post("/api/v1/namespaces/default/pods?dryRun=All", pod("x", refused)).await.refused_by_no_policy();
}

#[tokio::test]
async fn a_priority_class_is_one_of_the_list() {
    let stage = stage().await;
    let project = Project::set(stage, "prio").await;
    let place = &project.namespace("workspace");
    let platform = stage.admin().await;
    let classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let class = |name: &str, default: bool| {
        json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
            "value": 1000, "globalDefault": default,
        })
    };
    for name in ["prio-high", "prio-other"] {
        platform.post(classes, class(name, false)).await.passes();
    }
    let of = |class: &str| spec(&json!({"priorityClassName": class}));
    let pods = &format!("{}?dryRun=All", project.core("workspace", "pods"));
    let people = stage.platform().await;
    until_refused(PRIORITIES, async || people.post(pods, pod("x", &of("prio-high"))).await).await;
    // Without a list none but none.
    let says = "has priority class system-cluster-critical, which is not allowed for pods of prio--pay. Remove \
                `priorityClassName`.";
    holds(stage, place, PRIORITIES, says, &of("system-cluster-critical"), &spec(&json!({}))).await;
    annotated(stage, place, "priority-classes", "prio-low,prio-high").await;
    let says = "or set one of prio-low, prio-high. A platform engineer adds classes in the Blueprint";
    for refused in ["prio-other", "system-node-critical"] {
        holds(stage, place, PRIORITIES, says, &of(refused), &of("prio-high")).await;
    }
    // The cluster's default class is on every pod that names none, before policies see it: it shuts nobody out.
    platform.post(classes, class("prio-default", true)).await.passes();
    let made = wait::until("the default is in force", 60, async || {
        let made = people.post(pods, pod("x", &spec(&json!({})))).await.passes();
        if made["spec"]["priorityClassName"] == "prio-default" { Ok(()) } else { Err(made.to_string()) }
    })
    .await;
    holds(stage, place, PRIORITIES, says, &of("prio-other"), &spec(&json!({}))).await;
    holds(stage, place, PRIORITIES, says, &of("prio-other"), &of("prio-default")).await;
    platform.delete(&format!("{classes}/prio-default")).await.passes();
    made.expect("a default class");
}

#[tokio::test]
async fn a_device_is_one_of_the_list() {
    let stage = stage().await;
    let project = Project::set(stage, "device").await;
    let place = &project.namespace("workspace");
    let asks = |name: &str| container(&json!({"resources": {"limits": {name: "1"}, "requests": {name: "1"}}}));
    let plain = container(&json!({"resources": {
        "requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}, "limits": {"memory": "1Gi"},
    }}));
    let says = "requests nvidia.com/mig-1g.10gb, which is not allowed for pods of device--pay. Allowed beside cpu, \
                memory and ephemeral-storage: none.";
    holds(stage, place, PODS, says, &asks("nvidia.com/mig-1g.10gb"), &plain).await;
    annotated(stage, place, "devices", "nvidia.com/gpu,example.com/fpga").await;
    let pods = &format!("{}?dryRun=All", project.core("workspace", "pods"));
    let controller = &everybody(stage).await[1];
    for name in ["nvidia.com/gpu.shared", "nvidia.com/gp", "deviceclass.resource.kubernetes.io/gpu", "hugepages-2Mi"] {
        let says = format!("requests {name}, which is not allowed for pods of device--pay");
        let mut spec = asks(name);
        if name.starts_with("hugepages") {
            let some = json!({name: "2Mi", "memory": "1Gi"});
            spec["containers"][0]["resources"] = json!({"limits": some, "requests": some});
        }
        controller.post(pods, pod("x", &spec)).await.refused_by(PODS, &says);
    }
    holds(
        stage,
        place,
        PODS,
        "and ephemeral-storage: nvidia.com/gpu, example.com/fpga.",
        &asks("nvidia.com/gpu.shared"),
        &asks("nvidia.com/gpu"),
    )
    .await;
    // The second container, one that goes before, one that stays beside, and the pod as a whole.
    let other = asks("example.com/other")["containers"][0].clone();
    let named = |name: &str| {
        let mut other = other.clone();
        other["name"] = name.into();
        other
    };
    let mut beside = named("beside");
    beside["restartPolicy"] = "Always".into();
    let second = json!([spec(&json!({}))["containers"][0], named("second")]);
    let cases = [
        json!({"containers": second}),
        json!({"initContainers": [named("before")]}),
        json!({"initContainers": [beside]}),
        json!({"resources": {"requests": {"hugepages-2Mi": "2Mi", "memory": "1Gi"}, "limits": {"hugepages-2Mi": "2Mi", "memory": "1Gi"}}}),
    ];
    for case in cases {
        let answer = controller.post(pods, pod("x", &spec(&case))).await;
        assert!(answer.by(PODS), "{case}: {answer:?}");
    }
    // As many as there can be are still counted.
    let many: Vec<Value> = (0..200)
        .map(|n| {
            let mut each = asks("nvidia.com/gpu")["containers"][0].clone();
            each["name"] = format!("c{n}").into();
            each
        })
        .collect();
    controller.post(pods, pod("x", &spec(&json!({"containers": many})))).await.passes();
}

#[tokio::test]
async fn a_pod_is_placed_by_the_scheduler() {
    let stage = stage().await;
    let project = Project::set(stage, "placed").await;
    let place = &project.namespace("workspace");
    let onto = |node: &str| spec(&json!({"nodeName": node}));
    let says = "has `nodeName` node-9, which bypasses the scheduler. Remove it, and choose nodes by `nodeSelector`";
    holds(stage, place, PODS, says, &onto("node-9"), &spec(&json!({"nodeSelector": {"pool": "a"}}))).await;
}

/// Between an upgrade and the operator's first pass, and for teams that are suspended, a
/// node may go: what ran comes back. The label alone says that there is such a time.
#[tokio::test]
async fn nothing_is_refused_by_lists_that_are_not_written_yet() {
    let stage = stage().await;
    let project = Project::set(stage, "early").await;
    let place = project.namespace("workspace");
    let unwritten = json!({"metadata": {"annotations": {"strata-operator.dev/devices": null}}});
    stage.operator().await.patch(&format!("/api/v1/namespaces/{place}"), unwritten).await.passes();
    let pods = &format!("{}?dryRun=All", project.core("workspace", "pods"));
    let mut asks =
        container(&json!({"resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}}));
    asks["tolerations"] = json!([{"key": "gpu", "operator": "Exists"}]);
    let controller = &everybody(stage).await[1];
    controller.post(pods, pod("x", &asks)).await.passes();
    let placed = spec(&json!({"nodeName": "node-1"}));
    controller.post(pods, pod("x", &placed)).await.refused_by(PODS, "nodeName");
    annotated(stage, &place, "devices", "").await;
    until_refused(PODS, async || controller.post(pods, pod("x", &asks)).await).await;
}

#[tokio::test]
async fn a_toleration_is_one_of_the_list() {
    let stage = stage().await;
    let project = Project::set(stage, "taint").await;
    let place = &project.namespace("workspace");
    let with = |tolerations: Value| spec(&json!({"tolerations": tolerations}));
    let built_in = with(json!([
        {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
        {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
        {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"},
    ]));
    let everything = with(json!([{"operator": "Exists"}]));
    holds(
        stage,
        place,
        PODS,
        "tolerates every taint, which is not allowed for pods of taint--pay",
        &everything,
        &built_in,
    )
    .await;
    // What a device plugin taints its nodes with is called like the device.
    let of_device = with(json!([{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]));
    holds(stage, place, PODS, "tolerates nvidia.com/gpu, which", &of_device, &built_in).await;
    annotated(stage, place, "devices", "nvidia.com/gpu").await;
    let of_another = with(json!([{"key": "example.com/fpga", "operator": "Exists"}]));
    holds(stage, place, PODS, "tolerates example.com/fpga, which", &of_another, &of_device).await;
    annotated(stage, place, "tolerations", "pool|Equal|gpu|NoSchedule,batch|Exists||").await;
    let passes = with(json!([
        {"key": "pool", "value": "gpu", "effect": "NoSchedule"}, {"key": "batch", "operator": "Exists"},
        {"key": "batch", "value": "night", "effect": "NoExecute"},
    ]));
    let refused = [
        json!({"key": "pool", "value": "cpu", "effect": "NoSchedule"}),
        json!({"key": "pool", "value": "gpu", "effect": "NoExecute"}),
        json!({"key": "pool", "value": "gpu"}),
        json!({"key": "pool", "operator": "Exists", "effect": "NoSchedule"}),
        json!({"key": "pools", "operator": "Exists"}),
        json!({"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}),
        json!({"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}),
    ];
    let pods = &format!("{}?dryRun=All", project.core("workspace", "pods"));
    let controller = &everybody(stage).await[1];
    for toleration in refused {
        let answer = controller.post(pods, pod("x", &with(json!([toleration])))).await;
        assert!(answer.by(PODS), "{toleration}: {answer:?}");
    }
    // Those of a RuntimeClass are the pod's by the time policies see it.
    let class = json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "taint-sandbox"}, "handler": "sandbox",
        "scheduling": {"tolerations": [{"key": "sandbox", "operator": "Exists"}]},
    });
    stage.admin().await.post("/apis/node.k8s.io/v1/runtimeclasses", class).await.passes();
    let sandboxed = pod("x", &spec(&json!({"runtimeClassName": "taint-sandbox"})));
    until_refused(PODS, async || controller.post(pods, sandboxed.clone()).await).await;
    controller.post(pods, sandboxed).await.refused_by(PODS, "tolerates sandbox, which");
    let says = "tolerates pool, which is not allowed for pods of taint--pay. Remove that toleration";
    holds(stage, place, PODS, says, &with(json!([{"key": "pool", "operator": "Exists"}])), &passes).await;
}

#[tokio::test]
async fn an_image_is_pulled() {
    let stage = stage().await;
    let project = Project::set(stage, "pull").await;
    let place = &project.namespace("workspace");
    let with = |policy: &str| container(&json!({"imagePullPolicy": policy}));
    let says = "has `imagePullPolicy: Never` in container main";
    for passes in ["IfNotPresent", "Always"] {
        holds(stage, place, PODS, says, &with("Never"), &with(passes)).await;
    }
    let mut before = with("Never")["containers"][0].clone();
    before["name"] = "before".into();
    let pods = &format!("{}?dryRun=All", project.core("workspace", "pods"));
    let controller = &everybody(stage).await[1];
    let answer = controller.post(pods, pod("x", &spec(&json!({"initContainers": [before]})))).await;
    answer.refused_by(PODS, "in container before");
    // A volume that is an image is pulled as one that runs.
    let volume = |policy: &str| {
        let image = json!({"reference": "registry.example.com/data:1", "pullPolicy": policy});
        spec(&json!({"volumes": [{"name": "data", "image": image}]}))
    };
    let says = "has `pullPolicy: Never` in volume data";
    holds(stage, place, PODS, says, &volume("Never"), &volume("IfNotPresent")).await;
}
