//! A node with two teams on it, whose services run. The operator runs beside the
//! node, under its own account. Nothing is tested here.

use harness::operator::Install;
use harness::{Node, NodeOptions, Operator, image, programs, wait};
use serde_json::Value;

use crate::reports::Reports;

/// How long anything may take that a node does: an image is there, a server starts.
const PATIENCE: u64 = 420;

/// The node, and what was reported on it.
pub struct Stage {
    pub node: Node,
    pub reports: Reports,
    _operator: Operator,
}

impl Stage {
    /// Starts everything, and waits until both teams are ready.
    pub async fn start() -> Self {
        // First, so that no node waits for what is built.
        let probe = programs::probe().await.expect("the probe is built");
        let images = [image::application().await, image::small("probe", &probe).await];
        let node = Node::start(NodeOptions::default()).await.expect("the node starts");
        for archive in images {
            node.import(&archive.expect("the image is made")).await.expect("the image is imported");
        }
        Operator::install(&node, &Install::default()).await.expect("the charts install");
        let operator = Operator::start(&node, env!("CARGO_BIN_EXE_strata")).await.expect("the operator starts");
        let stage = Self { node, reports: Reports::default(), _operator: operator };
        stage.apply(include_str!("site.yaml")).await;
        for team in ["red", "blue"] {
            stage.until_ready("default", &format!("aiteam/{team}")).await;
        }
        stage
    }

    /// Applies as the administrator; a kind that was installed a moment ago may not be served yet.
    pub async fn apply(&self, manifests: &str) {
        wait::until("it is applied", 30, async || self.node.apply(manifests).await.map_err(|error| error.to_string()))
            .await
            .expect("it is applied");
    }

    /// Merges into an object.
    pub async fn patch(&self, namespace: &str, object: &str, patch: &Value) {
        let patch = format!("--patch={patch}");
        let command = ["patch", object, "--namespace", namespace, "--type=merge", &patch];
        self.node.kubectl(command).await.expect("it is patched");
    }

    /// An object, as it is.
    pub async fn get(&self, namespace: &str, object: &str) -> Result<Value, String> {
        let command = ["get", object, "--namespace", namespace, "--output=json"];
        let read = self.node.kubectl(command).await.map_err(|error| error.to_string())?;
        serde_json::from_str(&read).map_err(|error| error.to_string())
    }

    /// Runs the probe in a pod.
    pub async fn probe(&self, namespace: &str, pod: &str, order: &[&str]) -> String {
        self.inside(namespace, pod, &[&["/probe"], order].concat()).await
    }

    /// Runs a command in a pod, to its good end.
    pub async fn inside(&self, namespace: &str, pod: &str, command: &[&str]) -> String {
        let exec = [&["exec", "--namespace", namespace, pod, "--"], command].concat();
        self.node.kubectl(exec).await.unwrap_or_else(|error| panic!("in {namespace}/{pod}: {error}"))
    }

    /// Waits until the object is ready in its present generation.
    pub async fn until_ready(&self, namespace: &str, object: &str) -> Value {
        self.until(namespace, object, "is ready", |seen| {
            condition(seen, "Ready")["status"] == "True"
                && seen["status"]["observedGeneration"] == seen["metadata"]["generation"]
        })
        .await
    }

    /// Waits until the object is as it should be.
    pub async fn until(&self, namespace: &str, object: &str, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        wait::until(format!("{object} in {namespace} {what}"), PATIENCE, async || {
            let seen = self.get(namespace, object).await?;
            if good(&seen) { Ok(seen) } else { Err(seen["status"].to_string()) }
        })
        .await
        .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// The condition of this type, or null.
pub fn condition<'a>(object: &'a Value, type_: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == type_).unwrap_or(&Value::Null)
}
