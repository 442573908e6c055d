//! From where and to where connections are tried.

use harness::node::{ADDRESS, MACHINE};
use serde_json::Value;

use crate::stage::Stage;

/// The namespaces that a probe stands in, by the columns of the matrix.
pub const NAMESPACES: [&str; 8] =
    ["red--shared", "red--one", "red--one--live", "blue--shared", "blue--one", "blue--one--live", "checkout", "nobody"];
/// Where a cloud tells a node its secrets.
pub const METADATA: &str = "169.254.169.254";
/// What the way out of team red opens.
pub const OPENED: u16 = 18443;
/// What no way out opens.
pub const UNOPENED: u16 = 18444;
/// On which port every probe listens, and no engine does.
const PROBE: u16 = 8888;

/// A probe in a namespace, as strict as Pod Security wants it.
pub fn probe_pod(namespace: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: probe, namespace: {namespace}}}
spec:
  automountServiceAccountToken: false
  securityContext: {{runAsNonRoot: true, runAsUser: 1000, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
  - name: probe
    image: registry.invalid/strata/probe:1
    args: [listen, \"{PROBE}\"]
    securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
    resources: {{requests: {{cpu: 10m, memory: 16Mi, ephemeral-storage: 1Mi}}, limits: {{memory: 32Mi, ephemeral-storage: 1Mi}}}}
---
"
    )
}

/// Where each row of the matrix leads, in the form of the probe.
pub async fn targets(stage: &Stage) -> Vec<(&'static str, String)> {
    let service = async |namespace: &str, name: &str, port: u16| {
        let seen = stage.get(namespace, &format!("service/{name}")).await.expect("the Service is there");
        format!("{}:{port}", text(&seen["spec"]["clusterIP"]))
    };
    let pod = async |namespace: &str, selector: &str, port: u16| {
        let command = ["get", "pods", "--namespace", namespace, "--selector", selector, "--output=json"];
        let seen: Value = serde_json::from_str(&stage.node.kubectl(command).await.expect("pods")).expect("JSON");
        format!("{}:{port}", text(&seen["items"][0]["status"]["podIP"]))
    };
    let probe = async |namespace: &str| {
        let seen = stage.get(namespace, "pod/probe").await.expect("the probe is there");
        format!("{}:{PROBE}", text(&seen["status"]["podIP"]))
    };
    let dns = service("kube-system", "kube-dns", 53).await;
    vec![
        ("red: MLflow", service("red--shared", "mlflow", 5000).await),
        ("red: MLflow, its pod", pod("red--shared", "app.kubernetes.io/name=mlflow", 5000).await),
        ("red: Feast, online", service("red--shared", "feast", 6566).await),
        ("red: Feast, registry", service("red--shared", "feast", 6570).await),
        ("red: Feast, offline", service("red--shared", "feast", 8815).await),
        ("red: Shared, any port", probe("red--shared").await),
        ("red: Workspace", probe("red--one").await),
        ("red: Live, a model", service("red--one--live", "score", 8080).await),
        ("red: Live, its pod", pod("red--one--live", "strata-operator.dev/model-service=score", 8080).await),
        ("red: Live, any port", probe("red--one--live").await),
        ("blue: MLflow", service("blue--shared", "mlflow", 5000).await),
        ("blue: Shared, any port", probe("blue--shared").await),
        ("blue: Workspace", probe("blue--one").await),
        ("blue: Live", probe("blue--one--live").await),
        ("customers", probe("checkout").await),
        ("nobody's", probe("nobody").await),
        ("names, by datagram", format!("udp:{dns}")),
        ("names, by stream", dns),
        ("API server, by Service", service("default", "kubernetes", 443).await),
        ("API server, on the node", format!("{ADDRESS}:6443")),
        ("kubelet", format!("{ADDRESS}:10250")),
        ("metadata", format!("{METADATA}:80")),
        ("metadata, opened port", format!("{METADATA}:{OPENED}")),
        ("beyond, opened port", format!("{MACHINE}:{OPENED}")),
        ("beyond, another port", format!("{MACHINE}:{UNOPENED}")),
    ]
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
