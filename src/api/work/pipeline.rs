//! `Pipeline`: components in order or as a graph.
#![allow(clippy::duplicated_attributes, reason = "every printer column is an attribute of the same name")]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::RunState;
use super::{EngineStatus, Parameter, rules, schema};
use crate::api::status::{Condition, time};

/// Components in order or as a graph, with arguments; in Live also on a schedule.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "strata-operator.dev",
    version = "v1alpha1",
    kind = "Pipeline",
    plural = "pipelines",
    shortname = "pipe",
    category = "ai",
    namespaced,
    status = "PipelineStatus",
    derive = "PartialEq",
    doc = "Components in order or as a graph, with arguments. Lives in a Workspace or Live namespace; in Live it may have a schedule.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Schedule", type_ = "string", json_path = ".spec.schedule"),
    printcolumn(name = "Last", type_ = "string", json_path = ".status.last.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::pipeline()))]
pub struct PipelineSpec {
    /// The values that a Run may give. Arguments of steps refer to them: `$(epochs)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub parameters: Vec<Parameter>,
    /// The steps. Without `inputs` and `after` anywhere they follow each other as
    /// they are written; else each comes after those that it names.
    #[schemars(length(min = 1, max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub steps: Vec<Step>,
    /// When it runs by itself, in Live alone: minute, hour, day, month and
    /// weekday, `0 3 * * 1-5`, or @hourly, @daily, @weekly, @monthly, @yearly.
    /// There is no @every: it would say how often, and not when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::schedule")]
    pub schedule: Option<String>,
    /// The time zone of the schedule: `Europe/Berlin`. UTC where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time_zone")]
    pub time_zone: Option<String>,
    /// Whether the schedule is suspended. Earlier runs stay, with their logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// The handling of a due schedule while the pipeline still runs by schedule.
    #[serde(default)]
    #[schemars(default = "Concurrency::default")]
    pub concurrency: Concurrency,
    /// Of how many finished Runs, and of how many by schedule, pods and logs are kept.
    #[serde(default = "kept")]
    #[schemars(range(min = 1, max = 50), default = "kept")]
    pub keep: i32,
    /// How often a Run is tried again from its first step when one fails.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10), default = "none")]
    pub retries: i32,
    /// How long one execution may be under way, tries included, as a Job counts it: by
    /// schedule, and of a Run that says nothing. The Blueprint's where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::api::schema::active_deadline")]
    pub active_deadline_seconds: Option<i64>,
    /// How long pods and logs of an execution by schedule stay once it ended. The
    /// Blueprint's where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::api::schema::ttl")]
    pub ttl_seconds_after_finished: Option<i64>,
}

const fn kept() -> i32 {
    10
}

const fn none() -> i32 {
    0
}

/// One step of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its name; the component's where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,
    /// The component.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub component: String,
    /// The layer of the component. The other layer is never searched.
    #[serde(default)]
    #[schemars(default = "From::default")]
    pub from: From,
    /// Values for the component's parameters. `$(name)` stands for a parameter
    /// of the pipeline, `$$` for `$`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::arguments")]
    pub arguments: BTreeMap<String, String>,
    /// Which file of which step each input of the component is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub inputs: Vec<StepInput>,
    /// Steps that must have ended before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::step_names")]
    pub after: Vec<String>,
}

impl Step {
    /// The step's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.component)
    }
}

/// Where a step's component is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum From {
    /// In the team's Shared namespace.
    #[default]
    Shared,
    /// In the Workspace where the pipeline is.
    Workspace,
}

/// A file that a step gets from one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepInput {
    /// The input of the component.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z]([a-z0-9_]*[a-z0-9])?$"))]
    pub name: String,
    /// The step that makes the file.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub step: String,
    /// The output of that step's component.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z]([a-z0-9_]*[a-z0-9])?$"))]
    pub output: String,
}

/// The handling of a due schedule while the pipeline still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Concurrency {
    /// The new one is left out.
    #[default]
    Forbid,
    /// Both run.
    Allow,
    /// The old one is stopped.
    Replace,
}

impl Concurrency {
    /// The word as CronJob spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forbid => "Forbid",
            Self::Allow => "Allow",
            Self::Replace => "Replace",
        }
    }
}

/// The state of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineStatus {
    /// The generation that this status speaks of; -1 until the operator saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// The aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The steps in the order in which they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::ordered_steps")]
    pub steps: Vec<String>,
    /// The last execution by schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Execution>,
    /// The engine that provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineStatus>,
}

/// One execution by schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// The Job.
    #[schemars(length(max = 253))]
    pub job: String,
    /// The state of the execution.
    pub state: RunState,
    /// When its state last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub last_transition_time: Option<Time>,
    /// Why it failed, as a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    /// The cause of the failure: the step and its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}
