//! Rights: cells of the role table, leads, names, labels.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::no;
use crate::api::vocabulary::{Layer, Level, Role};
use crate::api::{rules, schema};

/// One cell of the role table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::cell()))]
pub struct Cell {
    /// The row.
    pub role: Role,
    /// The column.
    pub layer: Layer,
    /// The level of the role there; absent, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Whether it may also read the guardrails there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrails: Option<bool>,
    /// Whether it may also write pipelines and create runs there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipelines: Option<bool>,
}

/// The rights of team leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeadLimits {
    /// Roles that leads may give and take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "set"))]
    pub may_grant: Vec<Role>,
    /// Whether leads may add groups.
    #[serde(default)]
    #[schemars(default = "no")]
    pub may_add_groups: bool,
    /// Whether leads may delete projects.
    #[serde(default)]
    #[schemars(default = "no")]
    pub may_delete: bool,
}

/// Labels that teams must and may set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelRules {
    /// Keys that every team must set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::label_keys")]
    pub required: Vec<String>,
    /// Keys that a team may set, besides the required ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::label_keys")]
    pub allowed: Vec<String>,
}

/// Annotations and pull Secrets of the ServiceAccounts of teams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceAccounts {
    /// Annotations, with `${team}`, `${project}` and `${identity}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,
}
