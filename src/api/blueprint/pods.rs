//! The parts of pods: images, sizes, volumes, certificates.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::quantity::Amount;
use crate::api::team::{Priority, ResourceList, devices, of_any_form};
use crate::api::{amounts, rules, schema};

/// Where images come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registries {
    /// Registries of the site that stand for public ones: `quay.io: registry.example.com/quay`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::mirrors")]
    pub mirrors: BTreeMap<String, String>,
    /// Where a team's own images come from; `${team}` is the team's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::registry")]
    pub team: Option<String>,
    /// Secrets that pods pull with, by their names in each namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::object_names")]
    pub pull_secrets: Vec<String>,
}

/// How large a pod is and where it may run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::size()))]
pub struct Size {
    /// The size's name.
    #[schemars(schema_with = "schema::size_name")]
    pub name: String,
    /// The requests of the pod, devices among them: `{cpu: 4, memory: 16Gi, nvidia.com/gpu: 1}`.
    #[serde(default, deserialize_with = "of_any_form", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "amounts::of_pod")]
    pub requests: ResourceList,
    /// The limits of the pod.
    #[serde(default, deserialize_with = "of_any_form", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "amounts::of_pod")]
    pub limits: ResourceList,
    /// Labels of the nodes it may run on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::strings")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints it tolerates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub tolerations: Vec<Toleration>,
    /// The runtime class: `nvidia`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
}

impl Size {
    /// Its devices with their numbers.
    #[must_use]
    pub fn devices(&self) -> BTreeMap<String, Amount> {
        devices(&self.requests, &self.limits)
    }
}

/// The devices, tolerations and priorities of pods beside those of sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodRules {
    /// Priority classes that pods may name; absent, none but the cluster's default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::object_names")]
    pub priority_classes: Vec<String>,
    /// Resources that containers may ask for beside processors, memory, scratch space and the devices of sizes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::device_names")]
    pub devices: Vec<String>,
    /// Taints that pods may tolerate beside those of sizes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub tolerations: Vec<Toleration>,
}

/// The priority classes of pods: by what a project's priority means, and of what serves
/// in production. A namespace allows those of its own project alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PriorityClasses {
    /// Of Workbenches, Runs and monitors in projects of low priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub low: Option<String>,
    /// Of those in projects of normal priority, and in Shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub normal: Option<String>,
    /// Of those in projects of high priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub high: Option<String>,
    /// Of models that serve.
    #[serde(default, rename = "production", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub production: Option<String>,
}

impl PriorityClasses {
    /// The class of a project of this priority.
    #[must_use]
    pub const fn of(&self, priority: Priority) -> Option<&String> {
        match priority {
            Priority::Low => self.low.as_ref(),
            Priority::Normal => self.normal.as_ref(),
            Priority::High => self.high.as_ref(),
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        [&self.low, &self.normal, &self.high, &self.production].into_iter().flatten()
    }
}

/// How much one namespace may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The maximum of objects by the plural of their kind: `runs: 2000`. Other kinds are not counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::counts")]
    pub objects: BTreeMap<String, i64>,
    /// How many Workbenches of one owner there may be in a namespace. Without end where
    /// it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub workbenches_per_person: Option<i32>,
}

/// A taint that a pod tolerates, as Kubernetes spells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::toleration()))]
pub struct Toleration {
    /// The taint's key; empty with `Exists` for every taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub key: Option<String>,
    /// `Exists` or `Equal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// The taint's value, with `Equal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// The effect; absent, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
}

/// How a toleration meets a taint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// Any value.
    Exists,
    /// This value.
    Equal,
}

/// The effect of a taint on pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// No new pods.
    NoSchedule,
    /// New pods only where no other node takes them.
    PreferNoSchedule,
    /// Running pods leave.
    NoExecute,
}

/// Storage classes by purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StorageClasses {
    /// For volumes of one pod: homes, databases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub home: Option<String>,
    /// For volumes of many pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub shared: Option<String>,
}

/// Certificates of the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustBundle {
    /// A ConfigMap of this name with key `ca.crt`, present in each namespace.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = [{
        "rule": "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$') && self != 'connections' && !self.startsWith('strata-')",
        "message": "name a ConfigMap of the site: lower-case letters, digits, '-' and '.', not `connections` or `strata-...`, which are Strata's own"
    }]))]
    pub config_map: String,
}
