//! `Run`: one execution of a pipeline.
#![allow(clippy::duplicated_attributes, reason = "every printer column is an attribute of the same name")]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EngineStatus, rules, schema};
use crate::api::status::{Condition, ConditionStatus, time};

/// One execution of a pipeline. Deleting it stops it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "strata-operator.dev",
    version = "v1alpha1",
    kind = "Run",
    plural = "runs",
    shortname = "run",
    category = "ai",
    namespaced,
    status = "RunStatus",
    derive = "PartialEq",
    doc = "One execution of a pipeline of the same namespace, with values for the parameters that it declares. Its spec never changes; deleting it stops it.",
    selectable = ".spec.pipeline",
    selectable = ".status.state",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Pipeline", type_ = "string", json_path = ".spec.pipeline"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Step", type_ = "string", json_path = ".status.step"),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::run()))]
pub struct RunSpec {
    /// The pipeline, in the same namespace.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub pipeline: String,
    /// Values for parameters that the pipeline declares.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::arguments")]
    pub parameters: BTreeMap<String, String>,
    /// How long it may be under way, tries included, as a Job counts it. Where it is
    /// absent, its pipeline decides, or else the Blueprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::api::schema::active_deadline")]
    pub active_deadline_seconds: Option<i64>,
    /// How long it stays once it ended: then it is deleted, with pods and logs. Where
    /// it is absent, the Blueprint decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::api::schema::ttl")]
    pub ttl_seconds_after_finished: Option<i64>,
}

/// It ended as it should; Job's own condition.
pub const COMPLETE: &str = "Complete";
/// It ended otherwise; Job's own condition.
pub const FAILED: &str = "Failed";
/// The run is due to be deleted, but stays.
pub const EXPIRED: &str = "Expired";

/// How far a run, or a step of one, has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunState {
    /// It has not begun.
    #[default]
    Pending,
    /// It is under way.
    Running,
    /// It ended as it should.
    Succeeded,
    /// It ended otherwise.
    Failed,
}

/// The state of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunStatus {
    /// The generation that this status speaks of; -1 until the operator saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// The aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How far it has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RunState>,
    /// The step that is under way, or that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub step: Option<String>,
    /// When its first step began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub start_time: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub completion_time: Option<Time>,
    /// How long it took, once it ended: `1h2m3s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub duration: Option<String>,
    /// The steps in their order, with image and command as they were when it started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<StepStatus>,
    /// The Job that executes it; absent once its pods and logs are deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub job: Option<String>,
    /// Where the log of the step is that is under way or failed, or else of the last: a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub logs: Option<String>,
    /// The engine that executes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineStatus>,
}

impl RunStatus {
    /// When it ended: of one that ended before `completionTime` was recorded, when that
    /// was first reported.
    #[must_use]
    pub fn end(&self) -> Option<&Time> {
        let reported = || {
            let ended = matches!(self.state, Some(RunState::Succeeded | RunState::Failed));
            let mut conditions = self.conditions.iter().filter(|_| ended);
            conditions.find(|known| {
                [COMPLETE, FAILED].contains(&known.type_.as_str()) && known.status == ConditionStatus::True
            })
        };
        self.completion_time.as_ref().or_else(|| Some(&reported()?.last_transition_time))
    }
}

/// One step of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// The step.
    #[schemars(length(max = 40))]
    pub name: String,
    /// Its image, as it was when the run started.
    #[schemars(length(max = 1024))]
    pub image: String,
    /// Its command and arguments, as they were when the run started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::recorded_words")]
    pub command: Vec<String>,
    /// How far it has come.
    #[serde(default)]
    #[schemars(default = "RunState::default")]
    pub state: RunState,
    /// The exit code, if it is not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The last message of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}
