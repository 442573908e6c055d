//! `Blueprint`: the reference architecture of a site. What it allows, what it
//! prefers, and everything that differs from one site to the next.

#![allow(clippy::duplicated_attributes, reason = "columns of one type are not the same column")]

mod access;
mod engines;
mod namespaces;
mod network;
mod pods;

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::Condition;
use super::team::Resources;
use super::vocabulary::{Capability, Layer};
use super::{roles, rules, schema};

pub use access::{Addition, Cell, LabelRules, LeadLimits, Role, ServiceAccounts};
pub use engines::{EngineParameters, EnginePreference, EngineRules, EngineUpgrades, UpgradePolicy};
pub use namespaces::{LayerMetadata, NamespaceRules};
pub use network::{Dns, EgressPeer, EgressPort, EgressProfile, Gateway, Ingress, MetricsIngress, Protocol};
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
    /// The rights of team leads. They have no effect yet.
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
    /// Labels and annotations of the namespaces of teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<NamespaceRules>,
    /// Where images come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registries: Option<Registries>,
    /// The catalogue of images, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::images")]
    pub images: BTreeMap<String, String>,
    /// The catalogue of sizes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub sizes: Vec<Size>,
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
    /// Where the name servers of the cluster are. `kube-system`, port 53, where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// Profiles that open ways out of the namespaces of teams that choose them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub egress: Vec<EgressProfile>,
    /// From where connections come in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
    /// Annotations and pull Secrets of the ServiceAccounts of teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_accounts: Option<ServiceAccounts>,
    /// Which engines provide the capabilities, and with which parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engines: Option<EngineRules>,
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

impl BlueprintSpec {
    /// The size of this name.
    #[must_use]
    pub fn size(&self, name: &str) -> Option<&Size> {
        self.sizes.iter().find(|size| size.name == name)
    }

    /// The egress profile of this name.
    #[must_use]
    pub fn egress_profile(&self, name: &str) -> Option<&EgressProfile> {
        self.egress.iter().find(|profile| profile.name == name)
    }

    /// The engines that are preferred for the capability, if the Blueprint names any.
    #[must_use]
    pub fn preferred_engines(&self, capability: Capability) -> Option<&[String]> {
        let mut preferences = self.engines.iter().flat_map(|engines| &engines.prefer);
        preferences.find(|entry| entry.capability == capability).map(|entry| entry.engines.as_slice())
    }

    /// The parameters of engines, with the names of the engines.
    #[must_use]
    pub fn engine_parameters(&self) -> &[EngineParameters] {
        self.engines.as_ref().map(|engines| engines.parameters.as_slice()).unwrap_or_default()
    }

    /// The parameters of this engine, if the Blueprint has any.
    #[must_use]
    pub fn parameters_of(&self, engine: &str) -> Option<&BTreeMap<String, Value>> {
        self.engine_parameters().iter().find(|entry| entry.engine == engine).map(|entry| &entry.values)
    }

    /// Whether the engine may run with rights of its own.
    #[must_use]
    pub fn accepts_privileged(&self, engine: &str) -> bool {
        self.engines.iter().flat_map(|engines| &engines.accept_privileged).any(|name| name == engine)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_the_earlier_form_cannot_be_read() {
        for earlier in ["{sizes: {small: {}}}", "{egress: {web: {cidrs: [203.0.113.0/24]}}}"] {
            assert!(serde_saphyr::from_str::<BlueprintSpec>(earlier).is_err(), "{earlier}");
        }
    }

    #[test]
    fn entries_of_lists_are_found_by_their_keys() {
        let site: BlueprintSpec = serde_saphyr::from_str(
            "{sizes: [{name: a}, {name: b, runtimeClassName: c}], egress: [{name: web, env: {A: b}}],
              engines: {prefer: [{capability: Data, engines: [x, y]}], acceptPrivileged: [x],
                        parameters: [{engine: x, values: {n: 1}}]}}",
        )
        .unwrap();
        assert_eq!(site.size("b").unwrap().runtime_class_name.as_deref(), Some("c"));
        assert!(site.size("c").is_none() && site.egress_profile("web").is_some());
        assert_eq!(site.preferred_engines(Capability::Data).unwrap(), ["x", "y"]);
        assert_eq!(site.preferred_engines(Capability::Queue), None);
        assert_eq!(site.parameters_of("x").unwrap()["n"], 1);
        assert!(site.parameters_of("y").is_none() && site.accepts_privileged("x") && !site.accepts_privileged("y"));
        assert!(!BlueprintSpec::default().accepts_privileged("x"));
    }
}
