//! Labels and annotations that a site needs on the namespaces of its teams.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;
use crate::api::vocabulary::Layer;

/// Labels and annotations of the namespaces of teams, for meshes, backups and tools that count costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceRules {
    /// Labels of every namespace. They replace a team's own labels of the same keys; pods keep those of the team.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::site_labels")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of every namespace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::site_annotations")]
    pub annotations: BTreeMap<String, String>,
    /// Labels and annotations of the namespaces of one layer. They replace those of every namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["layer"]))]
    pub layers: Vec<LayerMetadata>,
}

/// Labels and annotations of the namespaces of one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LayerMetadata {
    /// The layer.
    pub layer: Layer,
    /// Labels of its namespaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::site_labels")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of its namespaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::site_annotations")]
    pub annotations: BTreeMap<String, String>,
}

impl NamespaceRules {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty() && self.layers.is_empty()
    }

    /// The labels of a namespace of this layer.
    #[must_use]
    pub fn labels_of(&self, layer: Layer) -> BTreeMap<String, String> {
        let own = self.layers.iter().filter(|entry| entry.layer == layer).flat_map(|entry| &entry.labels);
        self.labels.iter().chain(own).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The annotations of a namespace of this layer.
    #[must_use]
    pub fn annotations_of(&self, layer: Layer) -> BTreeMap<String, String> {
        let own = self.layers.iter().filter(|entry| entry.layer == layer).flat_map(|entry| &entry.annotations);
        self.annotations.iter().chain(own).map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}
