//! Budgets and shares of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::quantity::{Amount, Quantity};
use crate::api::{amounts, rules};

/// Amounts by the names of Kubernetes' resources.
pub type ResourceList = BTreeMap<String, Quantity>;

/// A budget, or a share of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::requests_within_limits()))]
pub struct Resources {
    /// The sum of requests of all pods, the size of all volumes together (`storage`),
    /// and devices by their resource names: `{cpu: 40, storage: 1Ti, nvidia.com/gpu: 2}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "amounts::requests")]
    pub requests: ResourceList,
    /// The sum of limits of all pods: `cpu`, `memory`, `ephemeral-storage`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "amounts::limits")]
    pub limits: ResourceList,
}

impl Resources {
    /// The names of the devices.
    pub fn devices(&self) -> impl Iterator<Item = &String> {
        self.requests.keys().filter(|name| is_device(name))
    }
}

/// Whether the resource is a device, which its node names by its vendor.
#[must_use]
pub fn is_device(resource: &str) -> bool {
    resource.contains('/')
}

/// The devices of a pod: requests and limits of one are the same, so either names it.
#[must_use]
pub fn devices(requests: &ResourceList, limits: &ResourceList) -> BTreeMap<String, Amount> {
    let all = limits.iter().chain(requests).filter(|(name, _)| is_device(name));
    all.filter_map(|(name, amount)| Some((name.clone(), amount.amount().ok()?))).collect()
}
