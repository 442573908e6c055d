//! The variables of an engine's expressions for a work object:
//! names resolved, sizes expanded, no look-ups left.
//!
//! Each of the variables is null but the one of the object's kind.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// The variables of a work object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct WorkInputs {
    /// A notebook server.
    pub workbench: Option<WorkbenchInputs>,
    /// A run, or a pipeline with a schedule.
    pub run: Option<RunInputs>,
    /// A model in production.
    pub service: Option<ServiceInputs>,
    /// Data.
    pub dataset: Option<DatasetInputs>,
}

/// A size of the Blueprint, as pods spell it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SizedInputs {
    /// A container's `resources`: each limit that the quota counts is there.
    pub resources: Value,
    /// Labels of the nodes it may run on; null for any.
    pub node_selector: Value,
    /// Taints it tolerates; null for none.
    pub tolerations: Value,
    /// The runtime class.
    pub runtime_class_name: Option<String>,
    /// The priority class.
    pub priority_class_name: Option<String>,
}

/// A dataset that a pod uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MountedInputs {
    /// The dataset.
    pub name: String,
    /// Where its volume is mounted: `/data/<name>`.
    pub path: String,
    /// The claim of its volume, if it has one.
    pub claim: Option<String>,
    /// Whether the volume is mounted without the right to write.
    pub read_only: bool,
    /// The Secret whose entries are put into the environment.
    pub secret: Option<String>,
}

/// A notebook server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkbenchInputs {
    /// The Workbench.
    pub name: String,
    /// Its owner, without the prefix of the API server.
    pub owner: String,
    /// The image in full.
    pub image: String,
    /// Its size.
    pub sized: SizedInputs,
    /// The size of the home volume, as a quantity.
    pub storage: String,
    /// After how many minutes without work its server ends itself; none for as the engine
    /// says.
    pub idle_timeout_minutes: Option<i32>,
    /// The datasets that it names.
    pub datasets: Vec<MountedInputs>,
}

/// A run, or a pipeline with a schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunInputs {
    /// The name of the Job or CronJob: `run-x`, `pipeline-nightly`.
    pub name: String,
    /// The steps in the order of execution. The last is the main container.
    #[schemars(length(max = 20))]
    pub steps: Vec<StepInputs>,
    /// How often it is tried again.
    pub retries: i32,
    /// The schedule; none for a run.
    pub schedule: Option<ScheduleInputs>,
    /// Where its pod may run; the resources are those of the steps.
    pub sized: SizedInputs,
    /// The datasets that its components name.
    pub datasets: Vec<MountedInputs>,
    /// The limit of the files that are handed on, as a quantity.
    pub files: String,
    /// How long it may be under way; none for as long as it takes.
    pub active_deadline_seconds: Option<i64>,
    /// How long what a schedule made stays once it ended; none for ever, and for a run,
    /// whose Job goes with it.
    pub ttl_seconds_after_finished: Option<i64>,
}

/// A step of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct StepInputs {
    /// The step, which is the container's name.
    pub name: String,
    /// The image in full.
    pub image: String,
    /// The command; none for that of the image.
    pub command: Option<Vec<String>>,
    /// The arguments; none for those of the image.
    pub args: Option<Vec<String>>,
    /// Values and paths, their `$` doubled so that nothing in them is expanded.
    pub env: Vec<VariableInputs>,
    /// A container's `resources`.
    pub resources: Value,
    /// The datasets that its component names: no other step is given them for that.
    pub datasets: Vec<MountedInputs>,
}

/// An environment variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VariableInputs {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The schedule of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleInputs {
    /// As CronJob spells it.
    pub cron: String,
    /// The time zone; none for UTC.
    pub time_zone: Option<String>,
    /// `Forbid`, `Allow` or `Replace`.
    pub concurrency: String,
    /// Whether nothing new starts.
    pub suspend: bool,
    /// How many finished Jobs are kept.
    pub keep: i32,
}

/// A model in production.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct ServiceInputs {
    /// The `ModelService`.
    pub name: String,
    /// Its own image in full; none for a runtime.
    pub image: Option<String>,
    /// The runtime of the service, such as `mlflow`; none for an image of its own.
    pub runtime: Option<String>,
    /// Its size.
    pub sized: SizedInputs,
    /// How many pods serve.
    pub replicas: ReplicasInputs,
    /// The model.
    pub model: ModelInputs,
    /// The release to serve; none before the first one.
    pub release: Option<ReleaseInputs>,
    /// The release to look up and verify; without one, no Job is written.
    pub resolve: Option<ResolveInputs>,
    /// Which requests are kept.
    pub capture: Option<CaptureInputs>,
    /// The monitor of the model.
    pub monitor: Option<MonitorInputs>,
}

/// How many pods serve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReplicasInputs {
    /// At least.
    pub min: i32,
    /// At most, by load; none for no autoscaler.
    pub max: Option<i32>,
}

/// A model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModelInputs {
    /// Its name in the registry.
    pub name: String,
}

/// A release that is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReleaseInputs {
    /// The version.
    pub version: String,
    /// `sha256:` and the digest of its files; none for an image without one.
    pub digest: Option<String>,
}

/// A release to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ResolveInputs {
    /// The suffix of its Job's name: 8 hexadecimal digits.
    pub suffix: String,
    /// The model's name in the registry.
    pub model: String,
    /// The version, or none for an alias.
    pub version: Option<String>,
    /// The alias, or none for a version.
    pub alias: Option<String>,
}

/// Which requests are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaptureInputs {
    /// How many of a hundred.
    pub percent: i32,
    /// After how many days they are deleted; none for never.
    pub retention_days: Option<i32>,
    /// Where they are written.
    pub path: String,
    /// The claim that is mounted there.
    pub claim: String,
    /// Whether only one node mounts its volume at a time.
    pub one_node: bool,
}

/// The monitor of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct MonitorInputs {
    /// As CronJob spells it.
    pub cron: String,
    /// The command.
    pub step: StepInputs,
    /// Where its pod may run.
    pub sized: SizedInputs,
    /// The datasets that its component names.
    pub datasets: Vec<MountedInputs>,
}

/// Data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DatasetInputs {
    /// The Dataset.
    pub name: String,
    /// Its volume, if it has one.
    pub volume: Option<VolumeInputs>,
}

/// A volume for data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeInputs {
    /// Its size, as a quantity.
    pub size: String,
    /// Its `StorageClass`; none for the cluster's default.
    pub class: Option<String>,
    /// `ReadWriteMany`, `ReadWriteOnce` or `ReadOnlyMany`.
    pub access_mode: String,
}

/// Labels of nodes for expressions: null where none are set.
#[must_use]
pub fn labels(labels: &BTreeMap<String, String>) -> Value {
    if labels.is_empty() { Value::Null } else { labels.clone().into_iter().collect() }
}
