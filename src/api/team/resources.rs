//! Budgets and shares of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

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
    #[serde(default, deserialize_with = "of_any_form", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "amounts::requests")]
    pub requests: ResourceList,
    /// The sum of limits of all pods: `cpu`, `memory`, `ephemeral-storage`.
    #[serde(default, deserialize_with = "of_any_form", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "amounts::limits")]
    pub limits: ResourceList,
}

/// Reads amounts in which `ephemeral-storage` may have its earlier name: the API server
/// drops no key of a map from stored objects.
pub(crate) fn of_any_form<'de, D: Deserializer<'de>>(reader: D) -> Result<ResourceList, D::Error> {
    let mut list = ResourceList::deserialize(reader)?;
    if let Some(amount) = list.remove("ephemeralStorage") {
        list.entry("ephemeral-storage".to_owned()).or_insert(amount);
    }
    Ok(list)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_space_of_an_earlier_form_is_read() {
        let read = |text: &str| serde_json::from_str::<Resources>(text).unwrap().requests;
        let now = read(r#"{"requests": {"ephemeral-storage": "5Gi", "cpu": 1}}"#);
        assert_eq!(read(r#"{"requests": {"ephemeralStorage": "5Gi", "cpu": 1}}"#), now);
        let both = read(r#"{"requests": {"ephemeralStorage": "9Gi", "ephemeral-storage": "5Gi", "cpu": 1}}"#);
        assert_eq!(both, now);
    }
}
