//! `AITeam`: who the team is, which layers it has, which shares and projects.
//!
//! Structure, and it changes seldom; the work of members is in namespaced kinds.

#![allow(clippy::duplicated_attributes, reason = "columns of one type are not the same column")]

pub mod blocks;
mod layers;
mod people;
mod project;
mod readable;
mod resources;

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{roles, rules, schema};

pub use layers::{Backbone, CapabilityBlock, Credentials, Delivery, Image, Offer, Shared};
pub use people::{Customer, Member, Subjects};
pub use project::{Live, Priority, Project, Use, Workspace};
pub use readable::Readable;
pub(crate) use resources::of_any_form;
pub use resources::{ResourceList, Resources, devices, is_device};

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
    selectable = ".spec.blueprint",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Projects", type_ = "string", json_path = ".status.summary.projects"),
    printcolumn(name = "Production", type_ = "string", json_path = ".status.summary.production"),
    printcolumn(name = "Failing", type_ = "string", json_path = ".status.summary.failing"),
    printcolumn(
        name = "Since",
        type_ = "date",
        json_path = ".status.conditions[?(@.type==\"Ready\")].lastTransitionTime"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message"),
    printcolumn(name = "Blueprint", type_ = "string", json_path = ".spec.blueprint", priority = "1"),
    printcolumn(name = "Contact", type_ = "string", json_path = ".spec.contact", priority = "1")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::shares_within_budget()))]
pub struct AITeamSpec {
    /// A description of the team for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Where to reach the team, for people: a mail address, a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::line")]
    pub contact: Option<String>,
    /// The type of the team.
    #[serde(rename = "type", default)]
    #[schemars(default = "TeamType::default")]
    pub type_: TeamType,
    /// The models, services or fields that the team answers for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::names")]
    pub owns: Vec<String>,
    /// The customers of the team's production.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub customers: Vec<Customer>,
    /// The Blueprint with the rules and preferences of the site.
    #[serde(default = "default_blueprint")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub blueprint: String,
    /// The handling of namespaces and data when the team or a project is removed.
    #[serde(default)]
    #[schemars(default = "DeletionPolicy::default")]
    pub deletion_policy: DeletionPolicy,
    /// What Strata writes for the team; Enforce where it is absent.
    // No default in the schema: a team of the earlier form, which lost its `suspend`, is
    // told from one that says Enforce (`plan/management.rs`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<ManagementPolicy>,
    /// Labels for the team's namespaces and pods; the Blueprint lists the allowed keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// People who lead the team. They may read its AITeam; changes by them have no effect yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads: Option<Subjects>,
    /// Who works in the whole team, by role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = roles::MOST), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["role"]))]
    pub members: Vec<Member>,
    /// The budget of the whole team; the Blueprint's default where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Resources>,
    /// Access, network, delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<Backbone>,
    /// The layer that all projects of the team reuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Shared>,
    /// The team's projects, each with a Workspace and, with `live`, a Live side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub projects: Vec<Project>,
}

impl AITeam {
    /// The team's name; the API server gives every object one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

fn default_blueprint() -> String {
    "default".to_owned()
}

const fn no() -> bool {
    false
}

/// The type of the team.
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

/// The handling of data when the team or a project is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Services keep serving and volumes keep their data; rights are removed.
    #[default]
    Retain,
    /// Namespaces go too, with everything in them.
    Delete,
}

/// What Strata writes for a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ManagementPolicy {
    /// Strata keeps the team in place.
    Enforce,
    /// Strata only reports what Enforce would change; rights of people who left are removed.
    Observe,
    /// Strata writes nothing but the removal of rights.
    Suspend,
}
