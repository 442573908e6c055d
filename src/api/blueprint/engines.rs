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
    /// How teams move to a newer revision of an engine; by default on request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrades: Option<EngineUpgrades>,
}

impl EngineRules {
    /// How many teams may be upgraded at the same time; none where upgrades are on request.
    #[must_use]
    pub fn teams_at_once(&self) -> Option<usize> {
        let upgrades = self.upgrades.as_ref().filter(|upgrades| upgrades.policy == UpgradePolicy::Automatic)?;
        let asked = upgrades.teams_at_once.unwrap_or(TEAMS_AT_ONCE);
        Some(usize::try_from(asked).unwrap_or(0).max(1))
    }
}

/// How many teams are upgraded at the same time where the Blueprint does not say.
const TEAMS_AT_ONCE: i32 = 5;

/// How teams move to a newer revision of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = crate::api::rules::upgrades()))]
pub struct EngineUpgrades {
    /// Who begins an upgrade.
    #[serde(default)]
    #[schemars(default = "UpgradePolicy::default")]
    pub policy: UpgradePolicy,
    /// How many teams of this Blueprint are upgraded at the same time, for Automatic: 5 where it
    /// is absent. A team that does not become ready keeps its place, so a bad revision stops there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub teams_at_once: Option<i32>,
}

/// Who begins an upgrade of an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpgradePolicy {
    /// A person, by the annotation in the message of the component.
    #[default]
    OnRequest,
    /// Strata. ModelServices stay on request.
    Automatic,
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
