//! `Dataset`: data with its splits, and how it is reached.
#![allow(clippy::duplicated_attributes, reason = "every printer column is an attribute of the same name")]

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EngineStatus, rules, schema};
use crate::api::quantity::Quantity;
use crate::api::status::Condition;
use crate::api::team::Credentials;

/// Data with its splits, and how it is reached.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "strata-operator.dev",
    version = "v1alpha1",
    kind = "Dataset",
    plural = "datasets",
    shortname = "dset",
    category = "ai",
    namespaced,
    status = "DatasetStatus",
    derive = "PartialEq",
    doc = "Data with its splits, by an address or on a volume. Lives in a Shared (by address), Workspace or Live \
           namespace; a volume can only be read in its own namespace.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.uri"),
    printcolumn(name = "Volume", type_ = "string", json_path = ".spec.volume.size"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::dataset()))]
pub struct DatasetSpec {
    /// Where the data is, without credentials: `s3://cards/v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::data_uri")]
    pub uri: Option<String>,
    /// A volume that holds the data, in the dataset's own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// The parts of the data by name, each a path below the address or volume.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::splits")]
    pub splits: BTreeMap<String, String>,
    /// Whether the volume is mounted without the right to write.
    #[serde(default)]
    #[schemars(default = "no")]
    pub read_only: bool,
    /// The Secret with the credentials, in the dataset's own namespace; its entries
    /// are in the environment of what uses it. Of a dataset of Shared, each Workspace
    /// that is to use it has a Secret `dataset-<name>` of its own instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// In Live: the components that are given the credentials and the volume, each as
    /// it was looked at. Without `uri` and `volume`, the dataset stands for the one of
    /// its name in Shared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["component"]))]
    pub used_by: Vec<UsedBy>,
}

/// A component as it was reviewed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsedBy {
    /// Its name, in Shared.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub component: String,
    /// The digest of its content, from its own `status.digest`. One that changed is
    /// another.
    #[schemars(length(min = 71, max = 71), regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub digest: String,
}

const fn no() -> bool {
    false
}

/// A volume for data. It stays when the dataset is deleted, and is taken back by a dataset of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its size. It can only grow.
    pub size: Quantity,
    /// Its `StorageClass`; that of the Blueprint for its access mode where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub class: Option<String>,
    /// How many nodes may mount it at once.
    #[serde(default)]
    #[schemars(default = "AccessMode::default")]
    pub access_mode: AccessMode,
}

/// How many nodes may mount a volume at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessMode {
    /// Many, reading and writing.
    #[default]
    ReadWriteMany,
    /// One, reading and writing.
    ReadWriteOnce,
    /// Many, reading.
    ReadOnlyMany,
}

impl AccessMode {
    /// The word as Kubernetes spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadWriteMany => "ReadWriteMany",
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadOnlyMany => "ReadOnlyMany",
        }
    }
}

/// The state of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatasetStatus {
    /// The generation that this status speaks of; -1 until the operator saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// The aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The settings that the namespaces which may use it find in `connections`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::strings")]
    pub connections: BTreeMap<String, String>,
    /// The claim of its volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub claim: Option<String>,
    /// The UID of the claim that holds its data. A claim that was made again is recorded once it is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub volume: Option<String>,
    /// The engine that provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineStatus>,
}
