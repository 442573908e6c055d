//! The work objects of a team, by their own status.
//!
//! Pure. An object's own status counts and is not judged again.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Missing, missing_secret};
use crate::api::identity::WorkId;
use crate::api::reason::Class;
use crate::api::status::{ConditionStatus, READY, STALLED};
use crate::api::work::WorkKind;
use crate::api::{Layer, Reason};
use crate::plan::NamespacePlan;
use crate::plan::work::Object;
use crate::plan::work::dataset::SETTLING;
use crate::plan::work::pod_state::Pod;

/// The health of a work object, by its own status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct WorkHealth {
    /// Which object.
    pub id: WorkId,
    /// The layer of its namespace.
    pub layer: Layer,
    /// The project of its namespace.
    pub project: Option<String>,
    /// The engine that provides it.
    pub engine: String,
    /// Whether it is ready in its present generation.
    pub ready: bool,
    /// Whether a person has to fix it.
    pub stalled: bool,
    /// Why it is as it is, as a word.
    pub reason: String,
    /// Why, for a person.
    pub message: String,
    /// Since when.
    pub since: Option<Time>,
    /// Whether it is a schedule in production.
    pub scheduled: bool,
    /// Whether anybody may call it: a model with customers.
    pub called: bool,
    /// Of a model in production: wanted, serving, digest, endpoint.
    pub serving: [Option<String>; 4],
}

/// The status of an object.
#[must_use]
pub fn of(id: &WorkId, place: &NamespacePlan, object: &Object) -> WorkHealth {
    let conditions = object.conditions();
    let find = |type_: &str| conditions.iter().find(|condition| condition.type_ == type_);
    let ready = find(READY);
    let observed = object.observed_generation() == object.metadata().generation;
    let (mut called, mut serving) = (false, [const { None }; 4]);
    if let Object::ModelService(service) = object {
        called = !service.spec.customers.is_empty();
        let status = service.status.clone().unwrap_or_default();
        serving = [status.wanted, status.serving, status.digest, status.endpoint];
    }
    WorkHealth {
        id: id.clone(),
        layer: place.layer,
        project: place.project.clone(),
        engine: object.recorded_engine().map(|engine| engine.name.clone()).unwrap_or_default(),
        ready: observed && ready.is_some_and(|ready| ready.status == ConditionStatus::True),
        stalled: observed && find(STALLED).is_some(),
        reason: ready.map_or_else(|| Reason::Progressing.name().to_owned(), |ready| ready.reason.clone()),
        message: ready.map_or_else(|| "not looked at yet".to_owned(), |ready| ready.message.clone()),
        since: ready.map(|ready| ready.last_transition_time.clone()),
        scheduled: matches!(object, Object::Pipeline(pipeline) if pipeline.spec.schedule.is_some()),
        called,
        serving,
    }
}

/// Whether a dataset waits for its settings alone. The pass over its team writes them, and
/// it is ready in a moment: there is nothing to tell.
#[must_use]
pub fn settles(object: &Object) -> bool {
    let mut said = object.conditions().iter().filter(|condition| condition.type_ == READY);
    matches!(object, Object::Dataset(_)) && said.any(|ready| ready.message.starts_with(SETTLING))
}

/// The summary of an object that this version cannot read.
#[must_use]
pub fn unreadable(id: &WorkId, place: &NamespacePlan, error: &str) -> WorkHealth {
    WorkHealth {
        id: id.clone(),
        layer: place.layer,
        project: place.project.clone(),
        engine: String::new(),
        ready: false,
        stalled: true,
        reason: Reason::Invalid.name().to_owned(),
        message: format!("this version of Strata cannot read the object: {error}"),
        since: None,
        scheduled: false,
        called: false,
        serving: [const { None }; 4],
    }
}

impl WorkHealth {
    /// Whether it is part of production: a model, or a schedule.
    #[must_use]
    pub fn in_production(&self) -> bool {
        self.layer == Layer::Live && (self.id.kind == WorkKind::ModelService || self.scheduled)
    }

    /// The class of the reason.
    #[must_use]
    pub fn class(&self) -> Class {
        if self.stalled { Class::Invalid } else { Class::Waiting }
    }

    /// The reason, if it is one of the closed set.
    #[must_use]
    pub fn known_reason(&self) -> Reason {
        super::known_reason(&self.reason)
    }
}

/// Objects that need action, then those that are not ready, then the rest.
#[must_use]
pub fn worst_first(mut all: Vec<WorkHealth>) -> Vec<WorkHealth> {
    all.sort_by(|left, right| (!left.stalled, left.ready, &left.id).cmp(&(!right.stalled, right.ready, &right.id)));
    all
}

/// Secrets that a pod of an object waits for.
#[must_use]
pub fn missing(id: &WorkId, pod: &Pod) -> Vec<Missing> {
    let waiting = pod.containers.iter().filter_map(|container| container.waiting.as_ref());
    let secrets = waiting.filter_map(|(_, message)| missing_secret(message));
    secrets
        .map(|secret| Missing {
            namespace: id.namespace.clone(),
            secret: secret.to_owned(),
            wanted_by: format!("{} {}", id.kind, id.name),
        })
        .collect()
}
