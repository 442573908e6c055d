//! `Component`: a reusable step of pipelines.
#![allow(clippy::duplicated_attributes, reason = "every printer column is an attribute of the same name")]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{File, Parameter, rules, schema};
use crate::api::status::Condition;

/// A reusable step of pipelines.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "strata-operator.dev",
    version = "v1alpha1",
    kind = "Component",
    plural = "components",
    shortname = "comp",
    category = "ai",
    namespaced,
    status = "ComponentStatus",
    derive = "PartialEq",
    doc = "A reusable step of pipelines: an image, a command, its inputs and outputs. Lives in a Shared or Workspace namespace.",
    selectable = ".spec.owner",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image"),
    printcolumn(name = "Size", type_ = "string", json_path = ".spec.size"),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::component()))]
pub struct ComponentSpec {
    /// The owner, as the identity provider spells them. It never
    /// changes. Without one it is the team's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::owner")]
    pub owner: Option<String>,
    /// The image: a name of the team's `shared.images` or of the Blueprint's
    /// images, or a full reference to the team's own registry.
    #[schemars(schema_with = "schema::named_image")]
    pub image: String,
    /// The command, never through a shell. `$(name)` stands for the value of a
    /// parameter and for the path of an input or output, `$$` for `$`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::words")]
    pub command: Vec<String>,
    /// The arguments of the command, as `command` is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::words")]
    pub args: Vec<String>,
    /// A size of the Blueprint.
    #[serde(default = "small")]
    #[schemars(schema_with = "schema::size")]
    pub size: String,
    /// The values that it takes. Each is in the environment under its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub parameters: Vec<Parameter>,
    /// The files that it reads. The path of each is in the environment under its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub inputs: Vec<File>,
    /// The files that it writes. The path of each is in the environment under its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub outputs: Vec<File>,
    /// Datasets of Shared, or of the namespace it runs in: their volumes are
    /// mounted under `/data/<name>`, their credentials are in the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::datasets")]
    pub datasets: Vec<String>,
}

/// The size of pods that name none.
pub(super) fn small() -> String {
    "small".to_owned()
}

/// The state of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// The generation that this status speaks of; -1 until the operator saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// The aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The image behind its name now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub image: Option<String>,
    /// The digest of its content: a dataset of Live lists it by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71))]
    pub digest: Option<String>,
}
