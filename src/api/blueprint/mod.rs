//! `Blueprint`: the reference architecture of a site. What it allows, what it
//! prefers, and everything that differs from one site to the next.

#![allow(clippy::duplicated_attributes, reason = "columns of one type are not the same column")]

mod access;
mod network;
mod pods;

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::Condition;
use super::team::Resources;
use super::vocabulary::Layer;
use super::{roles, rules, schema};

pub use access::{Addition, Cell, LabelRules, LeadLimits, Role, ServiceAccounts};
pub use network::{EgressProfile, Gateway, Ingress, MetricsIngress};
pub use pods::{
    Limits, PodRules, PriorityClasses, Registries, Size, StorageClasses, TaintEffect, Toleration, TolerationOperator,
    TrustBundle,
};

/// The built-in Blueprint `default`, as its file has it: for use without a cluster.
pub const DEFAULT_BLUEPRINT: &str = include_str!("../../../blueprints/default.yaml");

/// The rules and preferences of a site.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "strata-operator.dev",
    version = "v1alpha1",
    kind = "Blueprint",
    plural = "blueprints",
    shortname = "bp",
    category = "ai",
    status = "BlueprintStatus",
    derive = "PartialEq",
    doc = "A reference architecture: the rules and preferences of a site for its AI teams.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Archetype", type_ = "string", json_path = ".spec.archetype"),
    printcolumn(name = "Teams", type_ = "integer", json_path = ".status.teams"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintSpec {
    /// How the organisation does machine learning; it decides who answers for data and for production.
    #[serde(default)]
    #[schemars(default = "Archetype::default")]
    pub archetype: Archetype,
    /// Roles whose rights differ here, and roles of the site's own. The built-in roles are there without being named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = roles::ENTRIES), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"], "x-kubernetes-validations" = rules::role_names()))]
    pub roles: Vec<Role>,
    /// The rights of team leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads: Option<LeadLimits>,
    /// The version of the Pod Security standards, pinned so that an upgrade of the server changes nothing.
    #[serde(default = "pod_security_version")]
    #[schemars(length(max = 16), regex(pattern = "^(latest|v1[.][0-9]{1,3})$"))]
    pub pod_security_version: String,
    /// The policy for taking over the namespaces of a removed team.
    #[serde(default)]
    #[schemars(default = "Reclaim::default")]
    pub reclaim: Reclaim,
    /// Labels that teams must and may set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelRules>,
    /// Where images come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registries: Option<Registries>,
    /// The catalogue of images, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::images")]
    pub images: BTreeMap<String, String>,
    /// The catalogue of sizes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "x-kubernetes-validations" = schema::name_keys("a size")))]
    pub sizes: BTreeMap<String, Size>,
    /// Devices, tolerations and priorities of pods beside those of sizes; admission refuses all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<PodRules>,
    /// The priority classes of pods. They must exist before the Blueprint names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_classes: Option<PriorityClasses>,
    /// How much one namespace may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Storage classes by purpose; the cluster's default where one is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_classes: Option<StorageClasses>,
    /// Certificates of the site, for pods to trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_bundle: Option<TrustBundle>,
    /// Profiles that open the way out of a namespace, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "x-kubernetes-validations" = schema::name_keys("an egress profile")))]
    pub egress: BTreeMap<String, EgressProfile>,
    /// From where connections come in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
    /// Annotations and pull Secrets of the ServiceAccounts of teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_accounts: Option<ServiceAccounts>,
    /// Preferred engines by capability, the first that the cluster can run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "engine_preferences")]
    pub engines: BTreeMap<String, Vec<String>>,
    /// Default parameters of engines by the engines' names: images, idle times.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "engine_parameters")]
    pub parameters: BTreeMap<String, BTreeMap<String, Value>>,
    /// Engines that run with rights of their own and are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::names")]
    pub accept_privileged_engines: Vec<String>,
    /// Budgets of teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetRules>,
    /// Default times for which Runs may run, and are kept after their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<RunRules>,
    /// Objects that every namespace of a layer gets, in the template language of engines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub extras: Vec<Extra>,
}

/// The default version of the Pod Security standards.
#[must_use]
pub fn pod_security_version() -> String {
    "v1.36".to_owned()
}

fn engine_preferences(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object", "maxProperties": 12,
        "additionalProperties": {
            "type": "array", "maxItems": 8, "x-kubernetes-list-type": "set",
            "items": {"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
        },
        "x-kubernetes-validations": [{
            "rule": "self.all(c, c in ['Delivery', 'Secrets', 'Queue', 'Metrics', 'Experiments', 'Models', 'FeatureStore', 'Pipelines', 'Data', 'Training', 'Notebook', 'Serving'])",
            "message": "a key is a capability: Delivery, Secrets, Queue, Metrics, Experiments, Models, FeatureStore, Pipelines, Data, Training, Notebook or Serving"
        }]
    })
}

fn engine_parameters(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": schema::parameters(generator),
        "x-kubernetes-validations": [{
            "rule": "self.all(name, name.matches('^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$'))",
            "message": "a key is the name of an engine: mlflow"
        }]
    })
}

/// How an organisation does machine learning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Archetype {
    /// Rarely done, or only when needed.
    AdHoc,
    /// Research before engineering; models are rarely deployed.
    Research,
    /// Engineering before research; everyone productionises their own models.
    #[default]
    ProductEmbedded,
    /// Engineering and research together; models are handed to business lines and maintained.
    Division,
    /// Company-wide data infrastructure; users operate the models they are handed.
    MLFirst,
}

const fn no() -> bool {
    false
}

/// The policy for taking over the namespaces of a removed team.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Reclaim {
    /// A team of the same name.
    #[default]
    ByName,
    /// A team that names the UID of the one before.
    Explicit,
}

/// Budgets of teams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::default_within_maximum()))]
pub struct BudgetRules {
    /// The budget of a team that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Resources>,
    /// The most that a team may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Resources>,
    /// Whether quotas also bound CPU limits. Pods then must set them.
    #[serde(default)]
    #[schemars(default = "no")]
    pub cpu_limits: bool,
}

/// How long Runs, and executions by schedule, may be under way and stay afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRules {
    /// The default time limit of a Run without one of its own or of its pipeline. None
    /// where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::active_deadline")]
    pub active_deadline_seconds: Option<i64>,
    /// The default time for which an ended Run is kept. For ever where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::ttl")]
    pub ttl_seconds_after_finished: Option<i64>,
}

/// An object that every namespace of a layer gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Extra {
    /// The extra's name, for messages.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z][-A-Za-z0-9]*$"))]
    pub id: String,
    /// The layer.
    pub layer: Layer,
    /// The object, with `${CEL}` expressions.
    #[schemars(schema_with = "schema::template")]
    pub template: Value,
}

/// The state of a Blueprint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintStatus {
    /// The generation that this status speaks of; -1 until the operator saw the Blueprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// The aspects of the Blueprint's state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How many teams use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub teams: Option<i64>,
}
