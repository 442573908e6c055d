//! `AITeam`: who the team is, which layers it has, which shares and projects.
//!
//! Structure, and it changes seldom; daily work lives in namespaced kinds.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::quantity::Quantity;
use super::{rules, schema};
use super::vocabulary::{Capability, Role};

/// An AI team: its people, its budget, its three layers and its projects.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "strata-operator.dev",
    version = "v1alpha1",
    kind = "AITeam",
    plural = "aiteams",
    shortname = "ait",
    category = "ai",
    status = "crate::api::team_status::AITeamStatus",
    derive = "PartialEq",
    doc = "An AI team. Strata provisions its Backbone, its Shared layer and its projects from it, and keeps them in place.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Projects", type_ = "string", json_path = ".status.summary.projects"),
    printcolumn(name = "Production", type_ = "string", json_path = ".status.summary.production"),
    printcolumn(name = "Failing", type_ = "string", json_path = ".status.summary.failing"),
    printcolumn(name = "Since", type_ = "date", json_path = ".status.conditions[?(@.type==\"Ready\")].lastTransitionTime"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message"),
    printcolumn(name = "Blueprint", type_ = "string", json_path = ".spec.blueprint", priority = "1"),
    printcolumn(name = "Contact", type_ = "string", json_path = ".spec.contact", priority = "1")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::shares_within_budget()))]
pub struct AITeamSpec {
    /// What the team does, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Where to reach the team, for people: a mail address, a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub contact: Option<String>,
    /// What kind of team it is.
    #[serde(rename = "type", default)]
    #[schemars(default = "TeamType::default")]
    pub type_: TeamType,
    /// The models, services or fields that the team answers for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::names")]
    pub owns: Vec<String>,
    /// Who uses what the team has in production.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub customers: Vec<Customer>,
    /// The Blueprint that says what the site allows and prefers.
    #[serde(default = "default_blueprint")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub blueprint: String,
    /// What happens to namespaces and data when the team or a project is taken away.
    #[serde(default)]
    #[schemars(default = "DeletionPolicy::default")]
    pub deletion_policy: DeletionPolicy,
    /// Whether Strata keeps the team in place or only reports what it would change.
    #[serde(default)]
    #[schemars(default = "Mode::default")]
    pub mode: Mode,
    /// Stops every write but the removal of rights.
    #[serde(default)]
    #[schemars(default = "no")]
    pub suspend: bool,
    /// Labels for the team's namespaces and pods; the Blueprint lists the allowed keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// People who may edit members, projects and shared within the Blueprint's limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads: Option<Subjects>,
    /// Who works in the whole team, by role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["role"]))]
    pub members: Vec<Member>,
    /// What the whole team may request; the Blueprint's default where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Resources>,
    /// Access, network, delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<Backbone>,
    /// What all projects of the team reuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Shared>,
    /// The team's projects, each with a Workspace and, where it says so, a Live side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub projects: Vec<Project>,
}

fn default_blueprint() -> String {
    "default".to_owned()
}

const fn no() -> bool {
    false
}

/// What kind of team it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TeamType {
    /// Owns services that other teams use.
    Infrastructure,
    /// Owns models that customers use.
    #[default]
    Applied,
    /// Owns a field of research.
    Research,
}

impl TeamType {
    /// The word as the API spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Infrastructure => "Infrastructure",
            Self::Applied => "Applied",
            Self::Research => "Research",
        }
    }
}

/// What happens when the team or a project is taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// What serves keeps serving, what stores keeps its data; rights go.
    #[default]
    Retain,
    /// Namespaces go too, with everything in them.
    Delete,
}

/// Whether Strata writes for this team.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Strata keeps the team in place.
    #[default]
    Enforce,
    /// Strata only reports.
    Observe,
}

/// People and groups, as the identity provider names them, without the prefix
/// that the API server adds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.users) && size(self.users) > 0) || (has(self.groups) && size(self.groups) > 0)",
    "message": "name at least one user or group, or leave the whole entry out"
}]))]
pub struct Subjects {
    /// Groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subjects")]
    pub groups: Vec<String>,
    /// People.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subjects")]
    pub users: Vec<String>,
}

/// The people who hold a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.users) && size(self.users) > 0) || (has(self.groups) && size(self.groups) > 0)",
    "message": "name at least one user or group for the role, or leave the whole entry out"
}]))]
pub struct Member {
    /// The role.
    pub role: Role,
    /// Groups that hold it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subjects")]
    pub groups: Vec<String>,
    /// People who hold it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subjects")]
    pub users: Vec<String>,
}

/// Someone who uses what the team has in production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.namespaces) || self.namespaces.all(n, !n.startsWith('kube-'))",
    "message": "a customer's namespaces are where its applications run, never kube-*"
}]))]
pub struct Customer {
    /// The customer's name, as a `ModelService` refers to it.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The namespaces from which the customer calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::namespaces")]
    pub namespaces: Vec<String>,
    /// The customer's people, for archetypes that hand models over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subjects")]
    pub groups: Vec<String>,
}

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
    /// What pods may request together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Compute>,
    /// What pods may use together at most.
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

/// How one capability is to be provided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapabilityBlock {
    /// Whether the capability is wanted; a block that is there says yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The engine to use; the Blueprint's preference where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub engine: Option<String>,
    /// Parameters of the engine, checked against the engine's own schema.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::parameters")]
    pub parameters: BTreeMap<String, Value>,
    /// The size of the engine's volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Quantity>,
    /// The Secret with the engine's credentials, in the namespace where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}

impl CapabilityBlock {
    /// Whether the capability is wanted.
    #[must_use]
    pub fn wanted(&self) -> bool {
        self.enabled.unwrap_or(true)
    }
}

/// Credentials by the name of the Secret that holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credentials {
    /// The Secret's name, in the namespace of the pod that uses it.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub secret: String,
}

/// The team's Backbone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Backbone {
    /// Profiles of the Blueprint that open the way out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::names")]
    pub egress: Vec<String>,
    /// The way from the team's repository into its namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Credentials by reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<CapabilityBlock>,
    /// What runs how well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<CapabilityBlock>,
    /// Who computes when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<CapabilityBlock>,
    /// What the Backbone namespace takes of the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Resources>,
}

/// The way from the team's repository into its namespaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::delivery()))]
pub struct Delivery {
    /// The repository's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), extend("x-kubernetes-validations" = [{
        "rule": "self.matches('^(https|ssh|oci)://[^\\\\s@/]+(@[^\\\\s@/]+)?(/[^\\\\s]*)?$') && !self.matches('^[a-z]+://[^/@]*:[^/@]*@')",
        "message": "a repository is written https://, ssh:// or oci://, without a password: credentials belong into a Secret"
    }]))]
    pub repository: Option<String>,
    /// The folder in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub path: Option<String>,
    /// The branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub branch: Option<String>,
    /// Whether the repository may also change the team itself.
    #[serde(default)]
    #[schemars(default = "no")]
    pub manages_team: bool,
    /// Whether delivery is wanted; a block that is there says yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The engine to use; the Blueprint's preference where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub engine: Option<String>,
    /// Parameters of the engine, checked against the engine's own schema.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::parameters")]
    pub parameters: BTreeMap<String, Value>,
}

/// The team's Shared layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::offers()))]
pub struct Shared {
    /// Images for workbenches and components: of the Blueprint by name, or the team's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub images: Vec<Image>,
    /// Tracking of experiments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiments: Option<CapabilityBlock>,
    /// The registry of models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<CapabilityBlock>,
    /// Features, online and offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_store: Option<CapabilityBlock>,
    /// Pipelines and their runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipelines: Option<CapabilityBlock>,
    /// Datasets and how they are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datasets: Option<CapabilityBlock>,
    /// Training beyond one pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<CapabilityBlock>,
    /// What other teams may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["capability"]))]
    pub offers: Vec<Offer>,
    /// What the Shared namespace takes of the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Resources>,
}

impl Shared {
    /// The capability blocks of the layer, in the order of the design.
    #[must_use]
    pub fn blocks(&self) -> Vec<(Capability, &CapabilityBlock)> {
        [
            (Capability::Experiments, &self.experiments),
            (Capability::Models, &self.models),
            (Capability::FeatureStore, &self.feature_store),
            (Capability::Pipelines, &self.pipelines),
            (Capability::Data, &self.datasets),
            (Capability::Training, &self.training),
        ]
        .into_iter()
        .filter_map(|(capability, block)| Some((capability, block.as_ref()?)))
        .collect()
    }
}

/// An image that the team's people may choose by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// The name; alone, it is one of the Blueprint's images.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The team's own image, from a registry that the Blueprint allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::image")]
    pub image: Option<String>,
}

/// A shared capability that other teams may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// The capability.
    pub capability: Capability,
    /// The teams; `*` is everyone.
    #[schemars(schema_with = "schema::teams")]
    pub to: Vec<String>,
    /// Says that an engine which knows no users is offered with writing and all.
    #[serde(default)]
    #[schemars(default = "no")]
    pub read_write: bool,
}

/// A project of the team.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::live_share_needs_live()))]
pub struct Project {
    /// The project's name; part of its namespaces' names.
    #[schemars(
        length(min = 1, max = 24),
        extend("x-kubernetes-validations" = [
            {"rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", "message": "the name of a project is part of its namespaces' names: use lower-case letters, digits and single hyphens"},
            {"rule": "!self.contains('--')", "message": "'--' separates the parts of a namespace's name: use single hyphens"},
            {"rule": "!(self in ['backbone', 'shared'])", "message": "'backbone' and 'shared' name the team's own layers: choose another name"},
            {"rule": "self != 'live'", "message": "'live' names a project's production side: choose another name"}
        ])
    )]
    pub name: String,
    /// What the project is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub purpose: Option<String>,
    /// Which project's jobs go first.
    #[serde(default)]
    #[schemars(default = "Priority::default")]
    pub priority: Priority,
    /// Who works in this project alone, by role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["role"]))]
    pub members: Vec<Member>,
    /// What the project takes of the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<ProjectShare>,
    /// Shared capabilities of other teams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub uses: Vec<Use>,
    /// Present: the project has a production side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
}

/// The production side of a project. It has no settings of its own yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Live {}

/// Which project's jobs go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Priority {
    /// Before the others.
    High,
    /// In turn.
    #[default]
    Normal,
    /// After the others.
    Low,
}

/// What a project takes of the budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectShare {
    /// The Workspace's explicit share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Resources>,
    /// The Live side's explicit share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Resources>,
    /// The Workspace's weight in what no explicit share takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000), extend("default" = 1))]
    pub weight: Option<i32>,
}

/// A shared capability of another team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Use {
    /// The prefix of its settings in `connections`.
    #[schemars(length(min = 1, max = 24), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The capability.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self in ['Experiments', 'Models', 'FeatureStore', 'Pipelines', 'Data', 'Training']",
        "message": "teams borrow from each other's Shared layer: Experiments, Models, FeatureStore, Pipelines, Data or Training"
    }]))]
    pub capability: Capability,
    /// The team that offers it.
    #[schemars(length(min = 3, max = 20), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub team: String,
}
