//! The Backbone and the Shared layer of a team's spec.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Resources, no};
use crate::api::quantity::Quantity;
use crate::api::vocabulary::Capability;
use crate::api::{rules, schema};

/// How one capability is to be provided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapabilityBlock {
    /// Whether the team uses the capability; true where the block is present.
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
    #[schemars(extend("x-kubernetes-validations" = rules::size_of_volume()))]
    pub storage: Option<Quantity>,
    /// The Secret with the engine's credentials, in the namespace where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}

impl CapabilityBlock {
    /// Whether the team uses the capability.
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
    /// Metrics of workloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<CapabilityBlock>,
    /// Who computes when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<CapabilityBlock>,
    /// The share of the Backbone namespace in the budget.
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
    #[schemars(schema_with = "schema::repository")]
    pub repository: Option<String>,
    /// The folder in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), extend("x-kubernetes-validations" = [{
        "rule": "!self.matches('(^|/)[.][.](/|$)') && !self.startsWith('/') && !self.matches('[[:cntrl:]]')",
        "message": "the folder is one of the repository: deploy/prod, without '..', a slash before it or a line break"
    }]))]
    pub path: Option<String>,
    /// The branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = [{
        "rule": r"!self.matches('[[:cntrl:]\\s~^:?*\\[\\\\]|[.][.]|@[{]|//|/[.]|[.]lock(/|$)|[./]$|^[-./]|^@?$')",
        "message": "a branch is named as git takes it: main, release/1.2, without spaces, '..', '//', '@{' or one of ~^:?*[\\, without '-', '/' or '.' at the beginning, and without '/', '.' or '.lock' at the end"
    }]))]
    pub branch: Option<String>,
    /// Whether the repository may also change the team itself. It has no effect yet.
    #[serde(default)]
    #[schemars(default = "no")]
    pub manages_team: bool,
    /// Whether the team uses delivery; true where the block is present.
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
    /// The capabilities that other teams may use. It has no effect yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["capability"]))]
    pub offers: Vec<Offer>,
    /// The share of the Shared namespace in the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Resources>,
}

impl Shared {
    /// The capability blocks of the layer, in the order of their fields.
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
    /// The name; without `image`, the name of one of the Blueprint's images.
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
    /// Confirms that an engine without users is offered with write access.
    #[serde(default)]
    #[schemars(default = "no")]
    pub read_write: bool,
}
