//! From one work object, the plan of its team and the observed state to
//! its desired objects.
//!
//! Pure: no client, no clock. An object that cannot be as it asks is held, with
//! a message that names both sides: nothing of it is started, changed or removed.

pub mod autoscaler;
pub mod component;
pub mod data;
pub mod dataset;
pub mod decision;
pub mod engine;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod graph;
pub mod lookup;
pub mod model_service;
pub mod node;
pub mod pipeline;
pub mod pod;
pub mod pod_state;
pub mod release;
pub mod run;
#[cfg(test)]
pub(crate) mod serving_stage;
pub mod steps;
pub mod values;
pub mod workbench;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::api::identity::WorkId;
use crate::api::status::Condition;
use crate::api::work::dataset::UsedBy;
use crate::api::work::model_service::Release;
use crate::api::work::{Component, Dataset, ModelService, Pipeline, Run, WorkKind, Workbench};
use crate::api::{Issue, Layer, Reason};
use crate::engine::work::WorkInputs;
use crate::engine::{CompiledEngine, Inputs, RenderedObject};
pub use lookup::{Lookup, ObjectLookup, WorkFacts, unreadable};

/// A work object, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A reusable pipeline step.
    Component(Box<Component>),
    /// Data with its splits.
    Dataset(Box<Dataset>),
    /// A notebook server of one person.
    Workbench(Box<Workbench>),
    /// Components in order.
    Pipeline(Box<Pipeline>),
    /// One execution of a pipeline.
    Run(Box<Run>),
    /// A model in production.
    ModelService(Box<ModelService>),
}

/// The same expression for whatever kind an object is of.
macro_rules! of_each {
    ($object:expr, $inner:ident => $expression:expr) => {
        match $object {
            Object::Component($inner) => $expression,
            Object::Dataset($inner) => $expression,
            Object::Workbench($inner) => $expression,
            Object::Pipeline($inner) => $expression,
            Object::Run($inner) => $expression,
            Object::ModelService($inner) => $expression,
        }
    };
}

/// The resolved spec of a kind, with all references found.
#[derive(Clone, Debug, Default)]
pub struct ResolvedSpec {
    /// The variables of the engine's expressions.
    pub work: WorkInputs,
    /// Whether the engine's objects are to be written at all. Without it, those
    /// that are there stay as they are (a run that has started, what is retained).
    pub write: bool,
    /// How many replicas a `StatefulSet` of this template is to have. They are never
    /// applied: they are changed by themselves, when they differ.
    pub scale: Option<Scale>,
    /// Who may connect to it from outside of its namespace.
    pub callers: Option<Callers>,
    /// Facts for its status.
    pub detail: Detail,
}

/// The number of replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The id of the engine's template.
    pub template: String,
    /// The number.
    pub replicas: i64,
}

/// Who may connect to a model in production.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers {
    /// Namespaces of the customers that it names: sorted, each once.
    pub namespaces: Vec<String>,
    /// The port.
    pub port: i32,
}

/// Facts of a kind for its status.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// Of a component.
    Component {
        /// The image in full.
        image: String,
        /// The digest of its content.
        digest: String,
        /// Advice: the needs of projects that use it.
        advice: Option<String>,
    },
    /// Of a dataset.
    Dataset {
        /// The settings that those who may use it get.
        connections: BTreeMap<String, String>,
        /// How these reach them.
        reach: dataset::Reach,
        /// The claim of its volume.
        claim: Option<String>,
    },
    /// Of a workbench.
    Workbench(workbench::WorkbenchDetail),
    /// Of a pipeline.
    Pipeline {
        /// The steps in their order.
        order: Vec<String>,
        /// Advice: differences of this engine from the graph.
        advice: Option<String>,
    },
    /// Of a run.
    Run(run::RunDetail),
    /// Of a model in production.
    ModelService {
        /// The releases to be recorded, the newest first.
        releases: Vec<Release>,
        /// Why the newest one that is asked for failed.
        failed: Option<String>,
        /// Whether one is under way.
        releasing: bool,
        /// The component of the monitor as it is pinned.
        monitored: Option<UsedBy>,
        /// Why the monitor may not have its datasets.
        withheld: Option<Issue>,
    },
}

/// The desired state of one work object.
#[derive(Clone, Debug)]
pub struct WorkPlan {
    /// The identity of the planned object.
    pub id: WorkId,
    /// Its UID.
    pub uid: String,
    /// The layer of its namespace.
    pub layer: Layer,
    /// The project of its namespace.
    pub project: Option<String>,
    /// Whether its team or project was taken away: nothing new starts.
    pub retained: bool,
    /// While a pod of it waits: the Secrets that datasets name as their credentials,
    /// each with the dataset.
    pub credentials: BTreeMap<String, String>,
    /// The engine, if it is in the catalogue and sound.
    pub engine: Option<Arc<CompiledEngine>>,
    /// The engine's name and revision, as they are to be recorded.
    pub choice: Option<(String, String)>,
    /// The variables of the engine's expressions.
    pub inputs: Option<Inputs>,
    /// Its objects.
    pub objects: Vec<RenderedObject>,
    /// Present: nothing of it is written or removed.
    pub hold: Option<Issue>,
    /// The resolved spec of the kind.
    pub draft: ResolvedSpec,
}

/// Why something cannot be as it is asked.
pub(crate) fn invalid(message: impl Into<String>) -> Issue {
    Issue::new(Reason::Invalid, message)
}

impl Object {
    /// The object of this kind, from its JSON.
    pub fn read(kind: WorkKind, value: &serde_json::Value) -> Result<Self, String> {
        fn of<K: serde::de::DeserializeOwned>(value: &serde_json::Value) -> Result<Box<K>, String> {
            K::deserialize(value).map(Box::new).map_err(|error| error.to_string())
        }
        Ok(match kind {
            WorkKind::Component => Self::Component(of(value)?),
            WorkKind::Dataset => Self::Dataset(of(value)?),
            WorkKind::Workbench => Self::Workbench(of(value)?),
            WorkKind::Pipeline => Self::Pipeline(of(value)?),
            WorkKind::Run => Self::Run(of(value)?),
            WorkKind::ModelService => Self::ModelService(of(value)?),
        })
    }

    /// The object's metadata.
    #[must_use]
    pub fn metadata(&self) -> &kube::api::ObjectMeta {
        of_each!(self, object => &object.metadata)
    }

    /// The object's status as JSON; empty where there is none.
    #[must_use]
    pub fn status(&self) -> serde_json::Value {
        // A typed status has string keys and finite numbers only: writing it has no failing case.
        of_each!(self, object => serde_json::json!(object.status.clone().unwrap_or_default()))
    }

    /// The object with this status.
    pub fn with_status(&self, status: serde_json::Value) -> Result<Self, String> {
        let mut object = self.clone();
        of_each!(&mut object, object => {
            object.status = serde_json::from_value(status).map_err(|error| error.to_string())?;
        });
        Ok(object)
    }

    /// The conditions of its status.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        of_each!(self, object => object.status.as_ref().map_or(&[], |status| &status.conditions))
    }

    /// The generation that its status speaks of.
    #[must_use]
    pub fn observed_generation(&self) -> Option<i64> {
        of_each!(self, object => object.status.as_ref()?.observed_generation)
    }

    /// Whether both ask for the same.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Component(one), Self::Component(other)) => one.spec == other.spec,
            (Self::Dataset(one), Self::Dataset(other)) => one.spec == other.spec,
            (Self::Workbench(one), Self::Workbench(other)) => one.spec == other.spec,
            (Self::Pipeline(one), Self::Pipeline(other)) => one.spec == other.spec,
            (Self::Run(one), Self::Run(other)) => one.spec == other.spec,
            (Self::ModelService(one), Self::ModelService(other)) => one.spec == other.spec,
            _ => false,
        }
    }

    /// Whether both have the same status.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Component(one), Self::Component(other)) => one.status == other.status,
            (Self::Dataset(one), Self::Dataset(other)) => one.status == other.status,
            (Self::Workbench(one), Self::Workbench(other)) => one.status == other.status,
            (Self::Pipeline(one), Self::Pipeline(other)) => one.status == other.status,
            (Self::Run(one), Self::Run(other)) => one.status == other.status,
            (Self::ModelService(one), Self::ModelService(other)) => one.status == other.status,
            _ => false,
        }
    }

    /// The recorded engine that provides it.
    #[must_use]
    pub fn recorded_engine(&self) -> Option<&crate::api::work::EngineStatus> {
        match self {
            Self::Component(_) => None,
            Self::Dataset(object) => object.status.as_ref()?.engine.as_ref(),
            Self::Workbench(object) => object.status.as_ref()?.engine.as_ref(),
            Self::Pipeline(object) => object.status.as_ref()?.engine.as_ref(),
            Self::Run(object) => object.status.as_ref()?.engine.as_ref(),
            Self::ModelService(object) => object.status.as_ref()?.engine.as_ref(),
        }
    }
}

/// Plans the object.
#[must_use]
pub fn plan(id: &WorkId, object: &Object, facts: &WorkFacts<'_>) -> WorkPlan {
    let mut plan = WorkPlan {
        id: id.clone(),
        uid: object.metadata().uid.clone().unwrap_or_default(),
        layer: facts.namespace.layer,
        project: facts.namespace.project.clone(),
        retained: facts.namespace.retained,
        credentials: credentials(facts),
        engine: None,
        choice: object.recorded_engine().map(|engine| (engine.name.clone(), engine.revision.clone())),
        inputs: None,
        objects: Vec::new(),
        hold: None,
        draft: ResolvedSpec::default(),
    };
    if let Err(hold) = fill(&mut plan, object, facts) {
        plan.hold = Some(hold);
        if let Object::ModelService(service) = object {
            plan.draft.callers = Some(model_service::still_known(service, facts));
        }
    }
    plan
}

/// The datasets whose credentials a pod may wait for; looked up only while a pod waits.
fn credentials(facts: &WorkFacts<'_>) -> BTreeMap<String, String> {
    let waits = facts.pods.iter().flat_map(|pod| &pod.containers).any(|container| container.waiting.is_some());
    if !waits {
        return BTreeMap::new();
    }
    let mut all = facts.neighbours.credentials(&facts.namespace.name);
    let of_shared = facts.neighbours.credentials(&facts.shared()).into_values();
    all.extend(of_shared.map(|dataset| (data::consent(&dataset), dataset)));
    all
}

fn fill(plan: &mut WorkPlan, object: &Object, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    in_its_layer(&plan.id, facts)?;
    plan.draft = match object {
        Object::Component(object) => component::draft(object, facts)?,
        Object::Dataset(object) => dataset::draft(object, facts)?,
        Object::Workbench(object) => workbench::draft(object, facts)?,
        Object::Pipeline(object) => pipeline::draft(object, facts)?,
        Object::Run(object) => run::draft(object, facts)?,
        Object::ModelService(object) => model_service::draft(object, facts)?,
    };
    if plan.id.kind == WorkKind::Component {
        // A component has no objects: pipelines pass it to their engine.
        return Ok(());
    }
    engine::fill(plan, object, facts)?;
    beside_extras(plan, facts)
}

/// An object that the Blueprint adds to the namespace keeps its name: no object of a
/// member takes its place.
fn beside_extras(plan: &WorkPlan, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let name = |object: &Value| {
        let group = object["apiVersion"].as_str().and_then(|version| version.split_once('/')).map(|(group, _)| group);
        (group.map(str::to_owned), object["kind"].clone(), object["metadata"]["name"].clone())
    };
    let here = facts.plan.extras.iter().filter(|extra| extra.namespace == plan.id.namespace);
    let extras: Vec<_> = here.map(|extra| name(&extra.object)).collect();
    let taken = plan.objects.iter().map(|rendered| name(&rendered.object)).find(|name| extras.contains(name));
    let Some((_, kind, name)) = taken else { return Ok(()) };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Err(Issue::new(
        Reason::Conflict,
        format!(
            "{} {}/{} is an object that Blueprint {} adds to the namespace, so {} cannot have one of that name. Give \
             the {} another name",
            text(&kind),
            plan.id.namespace,
            text(&name),
            facts.plan.blueprint.name,
            plan.id,
            plan.id.kind,
        ),
    ))
}

/// Each kind belongs in its own layers; an admission policy checks this first.
fn in_its_layer(id: &WorkId, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let layers = id.kind.layers();
    if layers.contains(&facts.namespace.layer) {
        return Ok(());
    }
    let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
    Err(invalid(format!(
        "a {} belongs in a namespace of layer {}, but {} is {}. Create it in one of that layer",
        id.kind,
        names.join(" or "),
        id.namespace,
        facts.namespace.layer.name()
    )))
}
