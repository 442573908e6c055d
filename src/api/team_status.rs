//! The status of a team.
//!
//! Times stand here only for changes of state, and nothing counts up: a status
//! is written only when it changed.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::{Condition, ConditionStatus, READY, RECONCILING, STALLED, time};
use super::vocabulary::{Capability, Layer};

/// The Backbone is as the team asks.
pub const BACKBONE_READY: &str = "BackboneReady";
/// The Shared layer is as the team asks.
pub const SHARED_READY: &str = "SharedReady";
/// Every project is as the team asks.
pub const PROJECTS_READY: &str = "ProjectsReady";
/// All models and schedules in production are as asked. Apart from `Ready`.
pub const PRODUCTION_READY: &str = "ProductionReady";
/// Every layer has members with the roles it needs. Advice: it never blocks.
pub const STAFFING_COMPLETE: &str = "StaffingComplete";
/// Every field of the spec has an effect. Advice: it never blocks.
pub const ALL_FIELDS_SUPPORTED: &str = "AllFieldsSupported";
/// The conditions of a team, in the order of docs/status.md.
pub const CONDITIONS: [&str; 9] = [
    READY,
    RECONCILING,
    STALLED,
    BACKBONE_READY,
    SHARED_READY,
    PROJECTS_READY,
    PRODUCTION_READY,
    STAFFING_COMPLETE,
    ALL_FIELDS_SUPPORTED,
];
/// The status of each condition of a team, in the order of [`CONDITIONS`]; none of one that it
/// does not have.
pub type Conditions = [Option<ConditionStatus>; CONDITIONS.len()];

/// The state of a team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AITeamStatus {
    /// The generation that this status speaks of; -1 until the operator saw the team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// The aspects of the team's state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The team's namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub namespaces: Vec<NamespaceStatus>,
    /// What provides the team's capabilities, worst first; after it, at most 100
    /// members' objects that are not ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "atomic"))]
    pub components: Vec<ComponentStatus>,
    /// How many components are not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub components_omitted: Option<i64>,
    /// The team's models in production.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "atomic"))]
    pub production: Vec<ProductionStatus>,
    /// The division of the budget.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["namespace"]))]
    pub budget: Vec<BudgetStatus>,
    /// Secrets that pods wait for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub missing: Vec<MissingSecret>,
    /// The names that the spec and members' objects may use, because members cannot read the Blueprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Catalog>,
    /// The Blueprint that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint: Option<BlueprintReference>,
    /// The operator that wrote this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub operator_version: Option<String>,
}

/// The columns of `kubectl get`, and their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Projects that are ready, of all, for the column: `2/3`.
    #[schemars(length(max = 16))]
    pub projects: String,
    /// How many projects are ready.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub projects_ready: i32,
    /// How many projects there are.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub projects_total: i32,
    /// Models and schedules in production that are ready, of all, for the column: `1/1`.
    #[schemars(length(max = 16))]
    pub production: String,
    /// How many models and schedules in production are ready.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub production_ready: i32,
    /// How many models and schedules are in production.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub production_total: i32,
    /// The worst component and where it is; empty when none fails.
    #[schemars(length(max = 128))]
    pub failing: String,
}

/// The names that the Blueprint and the cluster offer to a team: sorted, each list bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Catalog {
    /// Roles for `members`: the built-in ones and the Blueprint's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::schema::offered")]
    pub roles: Vec<String>,
    /// Images for `image` of Workbenches and Components, the team's own and the Blueprint's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::schema::offered")]
    pub images: Vec<String>,
    /// Sizes for `size` of Workbenches, Components and ModelServices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::schema::offered")]
    pub sizes: Vec<String>,
    /// Profiles for `spec.backbone.egress`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::schema::offered")]
    pub egress: Vec<String>,
    /// Engines for `engine` of a capability: those that the team runs on or names, that the
    /// Blueprint prefers or has parameters for, and the built-in ones for what the spec asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::schema::offered")]
    pub engines: Vec<String>,
}

/// One namespace of the team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceStatus {
    /// Its name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Its UID, by which Strata knows it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub uid: Option<String>,
    /// The layer of the namespace.
    pub layer: Layer,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub project: Option<String>,
    /// Whether everything that Strata keeps in it is in place.
    pub ready: bool,
    /// Why, as one word of a closed set.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why, for a person, where it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// How a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ComponentState {
    /// It cannot become ready without a person.
    Failed,
    /// Not ready, which can pass without action.
    Progressing,
    /// It is ready.
    Ready,
}

/// The component that provides one capability in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// The layer of its namespace.
    pub layer: Layer,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub project: Option<String>,
    /// The capability it provides.
    pub capability: Capability,
    /// The member's object that it is, if it is one: `Workbench ana`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub object: Option<String>,
    /// The engine that was chosen. The choice sticks.
    #[schemars(length(max = 63))]
    pub engine: String,
    /// The revision of the engine that is in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub revision: Option<String>,
    /// Its namespace.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// How it is.
    pub state: ComponentState,
    /// When its state changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub last_transition_time: Option<Time>,
    /// Why, as one word of a closed set.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// Where its consumers reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub endpoint: Option<String>,
}

/// A model in production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductionStatus {
    /// The project it belongs to.
    #[schemars(length(max = 24))]
    pub project: String,
    /// The `ModelService`'s name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// The version that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub wanted: Option<String>,
    /// The version that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub serving: Option<String>,
    /// The digest of the version that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
    /// Whether the version asked for answers with all its replicas.
    pub ready: bool,
    /// When `ready` changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub last_transition_time: Option<Time>,
    /// Where its customers reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub endpoint: Option<String>,
}

/// The part of the budget that one namespace has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetStatus {
    /// The namespace.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// The amounts of its quota, by the quota's resource names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::schema::strings")]
    pub granted: BTreeMap<String, String>,
    /// How much of each amount is used, in steps: 50, 80 or 100 percent, and 101 for more
    /// than is granted. Absent below 50.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::schema::percentages")]
    pub used_percent: BTreeMap<String, u8>,
}

/// A Secret that pods wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MissingSecret {
    /// The namespace it is missed in.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Its name.
    #[schemars(length(max = 253))]
    pub secret: String,
    /// The component that waits for it.
    #[schemars(length(max = 253))]
    pub wanted_by: String,
    /// When it was first missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub start_time: Option<Time>,
}

/// The Blueprint that was applied, in the generation that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlueprintReference {
    /// Its name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Its generation.
    #[schemars(range(min = 0))]
    pub generation: i64,
}
