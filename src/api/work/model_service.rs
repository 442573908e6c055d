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
    scale(
        spec_replicas_path = ".spec.replicas.min",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    derive = "PartialEq",
    doc = "A model in production: which version, how many replicas, who may call it. Lives in a Live namespace.",
    selectable = ".spec.model.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Wanted", type_ = "string", json_path = ".status.wanted"),
    printcolumn(name = "Serving", type_ = "string", json_path = ".status.serving"),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "Available", type_ = "integer", json_path = ".status.readyReplicas"),
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
    /// The runtime that serves the model from the registry, by a name that an engine for
    /// Serving has in its `runtimes`: `mlflow`. Either this or `image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub runtime: Option<String>,
    /// An image that holds the model and answers on port 8080. Either this or `runtime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::named_image")]
    pub image: Option<String>,
    /// A size of the Blueprint.
    #[serde(default = "small")]
    #[schemars(schema_with = "schema::size")]
    pub size: String,
    /// How many pods serve. `kubectl scale`, and autoscalers of one's own, set `min`.
    #[serde(default)]
    #[schemars(default = "Replicas::default")]
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

/// How many pods serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::replicas()))]
pub struct Replicas {
    /// The least number of pods.
    #[serde(default = "one")]
    #[schemars(schema_with = "schema::least")]
    pub min: i32,
    /// The largest number of pods. An autoscaler then decides between `min` and `max`, by load.
    /// Without it, `min` pods serve.
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
#[serde(rename_all = "camelCase")]
pub struct Capture {
    /// The percentage of requests.
    // Absent, and so 0, in stored objects of the earlier form.
    #[serde(default)]
    #[schemars(!default, range(min = 1, max = 100))]
    pub percent: i32,
    /// The dataset of this namespace, on a volume, that they are written to.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub dataset: String,
    /// The number of days after which captured requests are deleted. Without it they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3650))]
    pub retention_days: Option<i32>,
}

/// The monitor of the model while it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monitor {
    /// The component of Shared that looks. It ends with the message
    /// `{"verdict": "ok"}` or `{"verdict": "drift", "message": "..."}`.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub component: String,
    /// The interval in minutes. One that divides neither an hour nor a day is rounded down to
    /// one that does.
    // Absent, and so 0, in stored objects of the earlier form.
    #[serde(default)]
    #[schemars(!default, range(min = 1, max = 1440))]
    pub every_minutes: i32,
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
    /// The version that is asked for, or the alias with what it stood for at release, for
    /// the column of that name: `champion (7)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub wanted: Option<String>,
    /// The version that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Requested>,
    /// The version that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub serving: Option<String>,
    /// The digest of the version that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
    /// How many pods there are to serve.
    #[serde(default, deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// How many of them are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub ready_replicas: Option<i32>,
    /// The labels of the pods that serve, as autoscalers read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub selector: Option<String>,
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
#[serde(rename_all = "camelCase")]
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
    /// When it was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub release_time: Option<Time>,
}

/// The version that a service asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requested {
    /// The version; of an alias, the one that it stood for at release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub version: Option<String>,
    /// The alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub alias: Option<String>,
}

/// How a monitor ended. The words of its own message are read too: earlier versions wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// The model behaves as expected.
    #[serde(alias = "ok")]
    Ok,
    /// The model drifts.
    #[serde(alias = "drift")]
    Drift,
    /// The monitor itself did not end as it should.
    #[serde(alias = "failed")]
    Failed,
}

/// A number; a text, which earlier versions wrote, is none.
fn number<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<i32>, D::Error> {
    let value = serde_json::Value::deserialize(source)?;
    Ok(value.as_i64().and_then(|number| i32::try_from(number).ok()))
}

/// The last verdict of a monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// How it ended.
    pub verdict: Outcome,
    /// The message of the monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// The time of the last change of the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub last_transition_time: Option<Time>,
}
