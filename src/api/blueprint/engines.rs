//! Engines at a site: which are preferred, their parameters, which are accepted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::schema;
use crate::api::vocabulary::Capability;

/// Which engines provide the capabilities, and with which parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineRules {
    /// The preferred engines of a capability.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["capability"]))]
    pub prefer: Vec<EnginePreference>,
    /// Default parameters of engines: images, idle times. A team's own go before them, field by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["engine"]))]
    pub parameters: Vec<EngineParameters>,
    /// Engines that run with rights of their own and are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::names")]
    pub accept_privileged: Vec<String>,
}

/// The preferred engines of a capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnginePreference {
    /// The capability.
    pub capability: Capability,
    /// The engines, best first. A team gets the first one that the cluster can run.
    #[schemars(schema_with = "schema::engines")]
    pub engines: Vec<String>,
}

/// Default parameters of an engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EngineParameters {
    /// The engine's name.
    #[schemars(schema_with = "schema::engine")]
    pub engine: String,
    /// The parameters. Their schema is in the engine, under `spec.parameters`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::parameters")]
    pub values: BTreeMap<String, Value>,
}
