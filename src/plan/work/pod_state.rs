//! The state of a pod: the few facts that planning and judging need, read from
//! the cache.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

/// A pod of a work object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// The kind of its controlling owner: `Job`, `StatefulSet`, `ReplicaSet`.
    pub owner_kind: String,
    /// The name of its controlling owner.
    pub owner: String,
    /// The UID of its controlling owner.
    pub owner_uid: String,
    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    pub phase: String,
    /// When it was created.
    pub created: Option<Time>,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Its containers, init containers first, in their order.
    pub containers: Vec<Container>,
    /// The node that it is on, if that does not answer any more.
    pub lost: Option<String>,
    /// Why it is not scheduled: reason and message.
    pub unscheduled: Option<(String, String)>,
    /// Why it failed as a whole, such as by an eviction: reason and message.
    pub failed: Option<(String, String)>,
    /// Annotations of our group.
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// A container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Whether it is an init container.
    pub init: bool,
    /// Why it waits: reason and message.
    pub waiting: Option<(String, String)>,
    /// Since when it runs.
    pub running: Option<Time>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// How it ended the time before, if it was started again.
    pub before: Option<Ended>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ended {
    /// The exit code.
    pub exit_code: i32,
    /// The word of Kubernetes for it: `OOMKilled`, `Error`, `Completed`.
    pub reason: String,
    /// Its termination message.
    pub message: String,
    /// When it began.
    pub started: Option<Time>,
    /// When it ended.
    pub finished: Option<Time>,
}

impl Pod {
    /// The container of this name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == name)
    }
}
