//! `Workbench`: a notebook server of one person.
#![allow(clippy::duplicated_attributes, reason = "every printer column is an attribute of the same name")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::component::small;
use super::{EngineStatus, rules, schema};
use crate::api::quantity::Quantity;
use crate::api::status::{Condition, time};

/// A notebook server of one person.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "strata-operator.dev",
    version = "v1alpha1",
    kind = "Workbench",
    plural = "workbenches",
    shortname = "wb",
    category = "ai",
    namespaced,
    status = "WorkbenchStatus",
    derive = "PartialEq",
    doc = "A notebook server of one person, with a home volume that outlives it. Lives in a Workspace namespace.",
    selectable = ".spec.owner",
    selectable = ".status.state",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
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
#[schemars(extend("x-kubernetes-validations" = rules::workbench()))]
pub struct WorkbenchSpec {
    /// The owner, as the identity provider spells them. It never changes.
    #[schemars(schema_with = "schema::owner")]
    pub owner: String,
    /// The image: a name of the team's `shared.images` or of the Blueprint's
    /// images, or a full reference to the team's own registry.
    #[schemars(schema_with = "schema::named_image")]
    pub image: String,
    /// A size of the Blueprint.
    #[serde(default = "small")]
    #[schemars(schema_with = "schema::size")]
    pub size: String,
    /// The size of the home volume. It can only grow.
    #[serde(default = "home")]
    #[schemars(default = "home")]
    pub storage: Quantity,
    /// Whether the server should run; `Running` by default. The newest of these events decides:
    /// a change of this field, an idle end, and the times in the annotations
    /// `strata-operator.dev/started-at` and `strata-operator.dev/stopped-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_state: Option<DesiredState>,
    /// The number of minutes without work after which the server stops itself. The engine's
    /// own limit counts where it is shorter, and without this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 43200))]
    pub idle_timeout_minutes: Option<i32>,
    /// The handling of the home volume when the workbench is deleted.
    #[serde(default)]
    #[schemars(default = "HomeReclaim::default")]
    pub reclaim: HomeReclaim,
    /// Datasets of Shared, or of the workbench's namespace: their volumes are
    /// mounted under `/data/<name>`, their credentials are in the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::datasets")]
    pub datasets: Vec<String>,
}

fn home() -> Quantity {
    Quantity::from("10Gi")
}

/// The state that a server should be in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DesiredState {
    /// It should run.
    #[default]
    Running,
    /// It should be stopped. The home volume stays.
    Stopped,
}

/// The handling of a home volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HomeReclaim {
    /// It stays, and is taken back by a workbench of the same name and owner.
    #[default]
    Retain,
    /// It goes with the workbench, and all that is in it.
    Delete,
}

/// The state of a notebook server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkbenchState {
    /// It is on its way up.
    #[default]
    Starting,
    /// It is up.
    Running,
    /// It is on its way down.
    Stopping,
    /// It is down.
    Stopped,
}

/// The event that decides whether a server should run: the newest one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The state that it asks for.
    pub state: DesiredState,
    /// The kind of event.
    pub cause: Cause,
    /// The time of the event.
    #[schemars(schema_with = "time")]
    pub last_transition_time: Time,
}

/// The kind of event that starts or stops a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Cause {
    /// `spec.desiredState` changed, or the Workbench was created.
    Spec,
    /// Somebody wrote the annotation `started-at` or `stopped-at`.
    Annotation,
    /// The server ended itself because nobody worked in it.
    Idle,
    /// The server was stopped when its Workbench was upgraded from a form without
    /// `desiredState`.
    Upgrade,
}

/// The way in which a team admits the owner of a workbench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OwnerMembership {
    /// The team names the owner.
    ByName,
    /// The team names a group that may have the owner.
    ByGroup,
    /// The team named the owner and no longer does.
    Left,
}

/// The state of a workbench.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkbenchStatus {
    /// The generation that this status speaks of; -1 until the operator saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// The aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The state of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<WorkbenchState>,
    /// The command with which the owner enters it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub enter: Option<String>,
    /// The image behind its name now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub image: Option<String>,
    /// The claim of its home volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub claim: Option<String>,
    /// Changes that take effect only at the next start of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub pending: Option<String>,
    /// The event that decides whether the server should run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// `spec.desiredState` as it was last observed; absent as there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_desired_state: Option<DesiredState>,
    /// The way in which the team admits the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_membership: Option<OwnerMembership>,
    /// The time at which the owner was first found to have left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub owner_left_time: Option<Time>,
    /// The engine that provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineStatus>,
}
