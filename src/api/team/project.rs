//! A project of a team's spec.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Member, Resources};
use crate::api::roles;
use crate::api::vocabulary::Capability;

/// A project of the team.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// A description of the project for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub purpose: Option<String>,
    /// Which project's jobs go first.
    #[serde(default)]
    #[schemars(default = "Priority::default")]
    pub priority: Priority,
    /// The members of this project only, by role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = roles::OF_PROJECT), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["role"]))]
    pub members: Vec<Member>,
    /// The Workspace, where its people work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Workspace>,
    /// Shared capabilities of other teams. It has no effect yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub uses: Vec<Use>,
    /// Present: the project has a production side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
}

/// The Workspace of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Workspace {
    /// Its explicit share of the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Resources>,
    /// Its weight in the part of the budget without explicit shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000), extend("default" = 1))]
    pub weight: Option<i32>,
}

/// The production side of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Live {
    /// Its explicit share of the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Resources>,
    /// Its weight in the part of the budget without explicit shares: 1 by default, or 0 if the
    /// share has requests of both cpu and memory, which are then all it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub weight: Option<i32>,
}

impl Live {
    /// The weight, with its default.
    #[must_use]
    pub fn weight(&self) -> i32 {
        let names = |resource: &str| self.share.as_ref().is_some_and(|share| share.requests.contains_key(resource));
        self.weight.unwrap_or_else(|| i32::from(!(names("cpu") && names("memory")))).max(0)
    }
}

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
