//! `ModelService`: a model in production.
#![allow(clippy::duplicated_attributes, reason = "every printer column is an attribute of the same name")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::component::small;
use super::dataset::UsedBy;
use super::{EngineStatus, rules, schema};
use crate::api::status::{Condition, time};

/// The last verdict of the monitor is ok. Apart from `Ready`: a model that drifts still serves.
pub const MONITOR_PASSING: &str = "MonitorPassing";

/// A model in production.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "strata-operator.dev",
    version = "v1alpha1",
    kind = "ModelService",
    plural = "modelservices",
    shortname = "ms",
    category = "ai",
    namespaced,
    status = "ModelServiceStatus",
    derive = "PartialEq",
    doc = "A model in production: which version, how many replicas, who may call it. Lives in a Live namespace.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Wanted", type_ = "string", json_path = ".status.wanted"),
    printcolumn(name = "Serving", type_ = "string", json_path = ".status.serving"),
    printcolumn(name = "Replicas", type_ = "string", json_path = ".status.replicas"),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.endpoint"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::model_service()))]
pub struct ModelServiceSpec {
    /// The model and which version of it.
    pub model: ModelReference,
    /// The runtime that serves the model from the registry. Either this or `image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// An image that holds the model and answers on port 8080. Either this or `runtime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::named_image")]
    pub image: Option<String>,
    /// A size of the Blueprint.
    #[serde(default = "small")]
    #[schemars(schema_with = "schema::size")]
    pub size: String,
    /// How many pods serve.
    #[serde(default)]
    pub replicas: Replicas,
    /// The team's customers that may call. Besides them only the Blueprint's gateway may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::names")]
    pub customers: Vec<String>,
    /// Which requests are kept for later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
    /// The monitor of the model while it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Monitor>,
}

/// A model and which version of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::model()))]
pub struct ModelReference {
    /// The model's name in the registry.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_. ]*[A-Za-z0-9])?$"))]
    pub name: String,
    /// The version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"))]
    pub version: Option<String>,
    /// An alias in the registry; the version it stands for is looked up once, at release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"))]
    pub alias: Option<String>,
}

/// A runtime that serves a model from the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Runtime {
    /// The scoring server of `MLflow`.
    #[serde(rename = "mlflow")]
    Mlflow,
}

/// How many pods serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::replicas()))]
pub struct Replicas {
    /// At least so many.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100), default = "one")]
    pub min: i32,
    /// At most so many, by load; as many as `min` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max: Option<i32>,
}

impl Default for Replicas {
    fn default() -> Self {
        Self { min: one(), max: None }
    }
}

const fn one() -> i32 {
    1
}

/// Which requests are kept for later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capture {
    /// How many of a hundred.
    #[schemars(range(min = 1, max = 100))]
    pub sample: i32,
    /// The dataset of this namespace, on a volume, that they are written to.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub dataset: String,
}

/// The monitor of the model while it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Monitor {
    /// The component of Shared that looks. It ends with the message
    /// `{"verdict": "ok"}` or `{"verdict": "drift", "message": "..."}`.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub component: String,
    /// How often: `1m`, `2m`, `5m`, `10m`, `15m`, `20m`, `30m`, `1h`, `2h`, `3h`, `4h`, `6h`, `8h`, `12h`, or `24h`.
    #[schemars(schema_with = "schema::every")]
    pub every: String,
}

/// The state of a model in production.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelServiceStatus {
    /// The generation that this status speaks of; -1 until the operator saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// The aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The version that is asked for, or the alias with what it stood for at release: `champion (7)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub wanted: Option<String>,
    /// The version that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub serving: Option<String>,
    /// The digest of the version that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
    /// Ready pods of all pods of the spec: `2/2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub replicas: Option<String>,
    /// Where its customers reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub endpoint: Option<String>,
    /// The releases, the newest first. The first is serving or being rolled out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "atomic"))]
    pub releases: Vec<Release>,
    /// The last verdict of the monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Verdict>,
    /// The component of the monitor as it was when the service first named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitored: Option<UsedBy>,
    /// The engine that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineStatus>,
}

/// A release, pinned by digest, so that a change in the registry does not change Live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// The model, as the registry names it; the image for one that is served by its own image.
    #[schemars(length(max = 1024))]
    pub model: String,
    /// The version.
    #[schemars(length(max = 128))]
    pub version: String,
    /// The alias that it was released by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub alias: Option<String>,
    /// The generation of the spec that it was released for first.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// `sha256:` and the digest of its files, or of its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
    /// When.
    #[schemars(schema_with = "time")]
    pub time: Time,
}

/// The last verdict of a monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// `ok`, `drift`, or `failed` when the monitor itself did not end as it should.
    #[schemars(length(max = 16))]
    pub verdict: String,
    /// The message of the monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// The time of the last change of the verdict.
    #[schemars(schema_with = "time")]
    pub since: Time,
}
