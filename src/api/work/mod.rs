//! The namespaced kinds: small namespaced objects that people make in the
//! layers, so that Kubernetes' own RBAC decides who may.
//!
//! Types only. The consequences of an object are decided in `plan`.

pub mod component;
pub mod dataset;
pub mod model_service;
pub mod pipeline;
pub mod rules;
pub mod run;
pub mod schema;
pub mod workbench;

use std::fmt;

pub use component::{Component, ComponentSpec};
pub use dataset::{Dataset, DatasetSpec};
pub use model_service::{ModelService, ModelServiceSpec};
pub use pipeline::{Pipeline, PipelineSpec};
pub use run::{Run, RunSpec};
pub use workbench::{Workbench, WorkbenchSpec};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::vocabulary::{Capability, Layer};

/// A namespaced kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkKind {
    /// A reusable pipeline step.
    Component,
    /// Data with its splits.
    Dataset,
    /// A notebook server of one person.
    Workbench,
    /// Components in order.
    Pipeline,
    /// One execution of a pipeline.
    Run,
    /// A model in production.
    ModelService,
}

impl WorkKind {
    /// Every kind; kinds that others refer to come first.
    pub const ALL: &'static [Self] =
        &[Self::Component, Self::Dataset, Self::Workbench, Self::Pipeline, Self::Run, Self::ModelService];

    /// The kind of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind as Kubernetes spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Component => "Component",
            Self::Dataset => "Dataset",
            Self::Workbench => "Workbench",
            Self::Pipeline => "Pipeline",
            Self::Run => "Run",
            Self::ModelService => "ModelService",
        }
    }

    /// The name in URLs and rules.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Component => "components",
            Self::Dataset => "datasets",
            Self::Workbench => "workbenches",
            Self::Pipeline => "pipelines",
            Self::Run => "runs",
            Self::ModelService => "modelservices",
        }
    }

    /// The label by which what is written for an object of this kind, pods
    /// included, names that object.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Component => "strata-operator.dev/component",
            Self::Dataset => "strata-operator.dev/dataset",
            Self::Workbench => "strata-operator.dev/workbench",
            Self::Pipeline => "strata-operator.dev/pipeline",
            Self::Run => "strata-operator.dev/run",
            Self::ModelService => "strata-operator.dev/model-service",
        }
    }

    /// What begins the names of the objects that are written for one of this kind.
    #[must_use]
    pub const fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Component => None,
            Self::Dataset => Some("dataset-"),
            Self::Workbench => Some("workbench-"),
            Self::Pipeline => Some("pipeline-"),
            Self::Run => Some("run-"),
            Self::ModelService => Some("service-"),
        }
    }

    /// The layers that objects of this kind stand in.
    #[must_use]
    pub const fn layers(self) -> &'static [Layer] {
        match self {
            Self::Component => &[Layer::Shared, Layer::Workspace],
            Self::Dataset => &[Layer::Shared, Layer::Workspace, Layer::Live],
            Self::Workbench => &[Layer::Workspace],
            Self::Pipeline | Self::Run => &[Layer::Workspace, Layer::Live],
            Self::ModelService => &[Layer::Live],
        }
    }

    /// The capability whose engine provides the kind.
    #[must_use]
    pub const fn capability(self) -> Capability {
        match self {
            Self::Component | Self::Pipeline | Self::Run => Capability::Pipelines,
            Self::Dataset => Capability::Data,
            Self::Workbench => Capability::Notebook,
            Self::ModelService => Capability::Serving,
        }
    }
}

impl fmt::Display for WorkKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The engine that provides an object, as it is in place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EngineStatus {
    /// Its name. The choice sticks.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Its revision.
    #[schemars(length(max = 63))]
    pub revision: String,
}

/// A parameter that values are given for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Parameter {
    /// Its name, by which commands and arguments refer to it: `$(epochs)`.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z]([a-z0-9_]*[a-z0-9])?$"))]
    pub name: String,
    /// Its value where none is given. Without one, a value must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub default: Option<String>,
}

/// A file that a step reads or writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its name, by which commands and arguments refer to its path: `$(model)`.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z]([a-z0-9_]*[a-z0-9])?$"))]
    pub name: String,
}
