//! Rights: roles and their cells, leads, names, labels.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::no;
use crate::api::vocabulary::{AddedRight, Layer, Level};
use crate::api::{roles, rules, schema};

/// The rights of a role. A built-in one keeps the cells that are not named here; a role of
/// the site's own has None there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::role()))]
pub struct Role {
    /// The role's name: a built-in one, which this entry changes, or another, which it adds.
    #[schemars(schema_with = "roles::name")]
    pub name: String,
    /// The level in Backbone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<Cell>,
    /// The level in Shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Cell>,
    /// The level in Workspaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Cell>,
    /// The level in Live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Cell>,
    /// Rights beside the levels, each in a layer in which the role has a level. They come on
    /// top of those that a built-in role has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["layer", "right"]))]
    pub add: Vec<Addition>,
}

impl Role {
    /// The cell of a layer, if it is named.
    #[must_use]
    pub const fn cell(&self, layer: Layer) -> Option<Cell> {
        match layer {
            Layer::Backbone => self.backbone,
            Layer::Shared => self.shared,
            Layer::Workspace => self.workspace,
            Layer::Live => self.live,
        }
    }
}

/// The level of the role in this layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Cell {
    /// No right in the layer, not even a built-in one.
    None,
    /// Read everything but Secrets.
    View,
    /// View, and write access to own objects.
    Use,
    /// Use, and every Strata kind of the layer.
    Contribute,
    /// Contribute, and Secrets, Roles and bindings of the layer's identities.
    Own,
}

impl Cell {
    /// The level, if there is one.
    #[must_use]
    pub const fn level(self) -> Option<Level> {
        match self {
            Self::None => None,
            Self::View => Some(Level::View),
            Self::Use => Some(Level::Use),
            Self::Contribute => Some(Level::Contribute),
            Self::Own => Some(Level::Own),
        }
    }
}

/// A right beside a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Addition {
    /// The layer in which it holds.
    pub layer: Layer,
    /// The right.
    pub right: AddedRight,
}

/// The rights of team leads. They have no effect yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeadLimits {
    /// Roles that leads may give and take, built-in ones or those in `roles`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "roles::names")]
    pub may_grant: Vec<String>,
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
