//! Budgets and shares of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::quantity::Quantity;
use crate::api::{rules, schema};

/// Compute as Kubernetes counts it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compute {
    /// Processors: `4`, `500m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Memory: `16Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Scratch space on nodes: `50Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<Quantity>,
}

/// A budget, or a share of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::requests_within_limits()))]
pub struct Resources {
    /// The sum of requests of all pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Compute>,
    /// The sum of limits of all pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Compute>,
    /// The size of all volumes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Quantity>,
    /// Devices by resource name: `nvidia.com/gpu: 2`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::devices")]
    pub devices: BTreeMap<String, i64>,
}
