//! The engine of workbenches, as it is rendered for one.

use serde_json::{Value, json};

use super::tests::{builtin, find};
use crate::api::vocabulary::{Capability, Layer};
use crate::engine::work::{MountedInputs, SizedInputs, WorkInputs, WorkbenchInputs};
use crate::engine::{Inputs, RenderedObject};

/// A workbench; with datasets, a node pool and the limit of CPU where `rich`.
pub(super) fn inputs(rich: bool) -> Inputs {
    let mut resources = json!({
        "requests": {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "256Mi"},
        "limits": {"memory": "2Gi", "ephemeral-storage": "2Gi"}
    });
    let mut sized = SizedInputs::default();
    let mut datasets = Vec::new();
    if rich {
        resources["limits"]["cpu"] = json!("1");
        sized.node_selector = json!({"pool": "a100"});
        sized.tolerations = json!([{"key": "gpu", "operator": "Exists"}]);
        sized.runtime_class_name = Some("nvidia".to_owned());
        sized.priority_class_name = Some("ai-high".to_owned());
        let mounted = |name: &str, claim: Option<&str>, secret: Option<&str>| MountedInputs {
            name: name.to_owned(),
            path: format!("/data/{name}"),
            claim: claim.map(str::to_owned),
            read_only: true,
            secret: secret.map(str::to_owned),
        };
        datasets =
            vec![mounted("cards", Some("dataset-cards"), None), mounted("ratings", None, Some("ratings-reader"))];
    }
    let workbench = WorkbenchInputs {
        name: "ana".to_owned(),
        owner: "ana@example.com".to_owned(),
        image: "quay.io/jupyter/scipy-notebook:2026-08-01".to_owned(),
        sized: SizedInputs { resources, ..sized },
        storage: "10Gi".to_owned(),
        idle_timeout_minutes: None,
        datasets,
    };
    Inputs {
        work: WorkInputs { workbench: Some(workbench), ..WorkInputs::default() },
        ..super::tests::inputs(Layer::Workspace, &[Capability::Notebook], json!({}))
    }
}

fn rendered(rich: bool) -> Vec<RenderedObject> {
    builtin("jupyterlab").render(&inputs(rich).to_value()).unwrap_or_else(|error| panic!("{error}"))
}

fn server(objects: &[RenderedObject]) -> &Value {
    &find(objects, "StatefulSet").unwrap()["spec"]
}

#[test]
fn nothing_that_is_applied_disturbs_a_running_kernel() {
    let objects = rendered(false);
    let kinds: Vec<_> = objects.iter().map(|rendered| rendered.object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["PersistentVolumeClaim", "ConfigMap", "StatefulSet"]);
    assert!(objects.iter().all(|rendered| rendered.object["metadata"]["name"] == "workbench-ana"));
    let spec = server(&objects);
    assert!(spec.get("replicas").is_none());
    assert!(spec.get("volumeClaimTemplates").is_none());
    assert_eq!(spec["updateStrategy"], json!({"type": "OnDelete"}));
    assert_eq!(spec["selector"]["matchLabels"]["strata-operator.dev/workbench"], "ana");
    // A mount of one file is not refreshed while the pod runs.
    let mounts = spec["template"]["spec"]["containers"][0]["volumeMounts"].as_array().unwrap();
    let script = mounts.iter().find(|mount| mount["name"] == "script").unwrap();
    assert_eq!((&script["subPath"], &script["readOnly"]), (&json!("workbench.py"), &json!(true)));
}

#[test]
fn a_workbench_shortens_the_idle_time_and_never_lengthens_it() {
    for (asked, most, minutes) in
        [(None, 120, "120"), (Some(30), 120, "30"), (Some(500), 120, "120"), (Some(30), 0, "30"), (None, 0, "0")]
    {
        let mut inputs = inputs(false);
        inputs.work.workbench.as_mut().unwrap().idle_timeout_minutes = asked;
        inputs.parameters["idleMinutes"] = json!(most);
        let objects = builtin("jupyterlab").render(&inputs.to_value()).unwrap();
        let env = server(&objects)["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
        let set = env.iter().find(|set| set["name"] == "STRATA_IDLE_MINUTES").unwrap();
        assert_eq!(set["value"], minutes, "{asked:?} {most}");
    }
}

#[test]
fn the_home_says_whose_it_is() {
    let objects = rendered(true);
    let claim = find(&objects, "PersistentVolumeClaim").unwrap();
    assert_eq!(claim["metadata"]["annotations"][crate::api::labels::OWNER], "ana@example.com");
    assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteOnce"]));
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "10Gi");
    let volumes = server(&objects)["template"]["spec"]["volumes"].as_array().unwrap();
    assert_eq!(volumes[0]["persistentVolumeClaim"]["claimName"], "workbench-ana");
}

#[test]
fn the_server_is_on_loopback_and_its_token_is_never_an_argument() {
    let objects = rendered(false);
    let script = find(&objects, "ConfigMap").unwrap()["data"]["workbench.py"].as_str().unwrap();
    for held in [
        "\"ip\": \"127.0.0.1\"",
        "\"port_retries\": 0",
        "\"allow_origin\": \"\"",
        "\"allow_remote_access\": False",
        "\"allow_unauthenticated_access\": False",
        "\"disable_check_xsrf\": False",
        "\"identity_provider_class\": \"jupyter_server.auth.identity.IdentityProvider\"",
        "initialize_server(argv=[])",
        "not name.startswith(\"JUPYTER_TOKEN\")",
        "secrets.token_urlsafe(32)",
        "0o600",
    ] {
        assert!(script.contains(held), "{held}");
    }
    assert!(!script.contains("0.0.0.0") && !script.contains("token={token}"));
    let spec = &server(&objects)["template"]["spec"];
    let container = &spec["containers"][0];
    assert!(container.get("ports").is_none() && container.get("args").is_none());
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let command = container[probe]["exec"]["command"].as_array().unwrap();
        assert_eq!(command.last().unwrap(), "probe");
        let keys: Vec<_> = container[probe].as_object().unwrap().keys().map(String::as_str).collect();
        assert!(!keys.contains(&"httpGet") && !keys.contains(&"tcpSocket"), "the kubelet is not on loopback");
    }
    assert!(!container["command"].to_string().contains("token"));
    assert!(!container["env"].to_string().to_lowercase().contains("token"));
}

#[test]
fn sizes_datasets_and_credentials_reach_the_pod() {
    let objects = rendered(true);
    let spec = &server(&objects)["template"]["spec"];
    let container = &spec["containers"][0];
    assert_eq!(spec["nodeSelector"], json!({"pool": "a100"}));
    assert_eq!(spec["tolerations"][0]["key"], "gpu");
    assert_eq!(spec["runtimeClassName"], "nvidia");
    assert_eq!(spec["priorityClassName"], "ai-high");
    assert_eq!(
        container["envFrom"],
        json!([{"configMapRef": {"name": "connections"}}, {"secretRef": {"name": "ratings-reader"}}])
    );
    let mounts = container["volumeMounts"].as_array().unwrap();
    assert!(mounts.contains(&json!({"name": "dataset-cards", "mountPath": "/data/cards", "readOnly": true})));
    assert!(!mounts.iter().any(|mount| mount["mountPath"] == "/data/ratings"));
    let plain = rendered(false);
    let spec = &server(&plain)["template"]["spec"];
    let placed = ["nodeSelector", "tolerations", "runtimeClassName", "priorityClassName"];
    assert!(placed.iter().all(|field| spec.get(field).is_none()));
    assert_eq!(spec["containers"][0]["envFrom"], json!([{"configMapRef": {"name": "connections"}}]));
}

#[test]
fn how_long_a_server_may_idle_is_a_parameter() {
    let mut inputs = inputs(false);
    inputs.parameters = json!({"idleMinutes": 15, "scratch": "1Gi"});
    let value = inputs.to_value();
    let engine = builtin("jupyterlab");
    assert_eq!(engine.parameters_valid(&value["parameters"]), Vec::<String>::new());
    let objects = engine.render(&value).unwrap();
    let spec = &server(&objects)["template"]["spec"];
    let idle = json!({"name": "STRATA_IDLE_MINUTES", "value": "15"});
    assert!(spec["containers"][0]["env"].as_array().unwrap().contains(&idle));
    let temporary = spec["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "temporary").unwrap();
    assert_eq!(temporary["emptyDir"]["sizeLimit"], "1Gi");
    assert_ne!(engine.parameters_valid(&json!({"idleMinutes": -1})), Vec::<String>::new());
    // For people it is reached by a port-forward, and no other pod reaches it.
    assert_eq!(engine.endpoint(&value).unwrap(), None);
    assert!(engine.connections(&value).unwrap().is_empty() && engine.spec().ports.is_empty());
}
