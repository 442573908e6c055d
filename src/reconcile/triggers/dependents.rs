//! Dependents of a change: objects that name the changed one, and objects that name those.
//!
//! One pass handles all changes of a team since the last one, in the team's turn: a flood
//! of changes costs one look at the team's objects, and delays no other team.

use std::collections::{BTreeMap, BTreeSet};

use super::causes::Cause;
use super::has_ended;
use crate::api::identity::{Request, WorkId};
use crate::api::status::{ConditionStatus, READY};
use crate::api::work::WorkKind;
use crate::api::work::pipeline::Step;
use crate::cluster::store::Known;
use crate::plan::Plan;
use crate::plan::work::Object;
use crate::plan::work::dataset::{SHADOWED, rivals};
use crate::plan::work::engine::candidates;
use crate::plan::work::run::kept;
use crate::reconcile::context::Context;

/// The objects of a kind in a team.
type Of<'a> = dyn Fn(WorkKind) -> Vec<(WorkId, Known<Object>)> + 'a;

/// Requests passes for the dependents of changes in a team.
pub fn reconcile(context: &Context, team: &str) {
    let causes = context.causes.take(team);
    let of = |kind| context.store.work_of_team(kind, team);
    let (mut changed, mut engines) = (BTreeSet::new(), BTreeSet::new());
    for cause in causes {
        match cause {
            Cause::Object(id) => {
                changed.insert(id);
            }
            Cause::Engine(name) => {
                engines.insert(name);
            }
        }
    }
    let mut found = dependents(team, &changed, &of);
    found.extend(outnumbered(context, &changed));
    if let Some(snapshot) = context.snapshot(team).filter(|_| !engines.is_empty()) {
        found.extend(provided_by(&engines, snapshot.planned.as_ref().map(|planned| &planned.plan), &of));
    }
    for id in found {
        context.queue.add(Request::Work(id));
    }
}

/// Has all work of a team looked at that anything is left to do for.
pub fn all_of(context: &Context, team: &str) {
    for kind in WorkKind::ALL {
        for (id, object) in context.store.work_of_team(*kind, team) {
            if !has_ended(context, &id, &object) {
                context.queue.add(Request::Work(id));
            }
        }
    }
}

/// Enqueues the objects of a team that wait for settings: runs that have not started, and
/// datasets whose status does not match the settings.
pub fn waiting_of(context: &Context, team: &str) {
    let runs = context.store.work_of_team(WorkKind::Run, team).into_iter();
    runs.filter(|(_, run)| is_waiting(run)).for_each(|(id, _)| context.queue.add(Request::Work(id)));
    let Some(snapshot) = context.snapshot(team) else { return };
    let Some(planned) = &snapshot.planned else { return };
    for (id, dataset) in context.store.work_of_team(WorkKind::Dataset, team) {
        if dataset.is_ok_and(|dataset| is_unsettled(&id, &dataset, &planned.plan)) {
            context.queue.add(Request::Work(id));
        }
    }
}

/// Whether a dataset is not ready, or is left out somewhere, or reports that it is: its
/// planned settings may have changed.
fn is_unsettled(id: &WorkId, dataset: &Object, plan: &Plan) -> bool {
    let ready = dataset.conditions().iter().find(|condition| condition.type_ == READY);
    let settled = ready.is_some_and(|ready| ready.status == ConditionStatus::True && !ready.message.contains(SHADOWED));
    let me = (id.namespace.clone(), id.name.clone());
    !settled || plan.namespaces.iter().any(|place| place.datasets.left_out.contains_key(&me))
}

/// Objects by kind and place, as others name them.
#[derive(Default)]
struct Named(BTreeMap<WorkKind, BTreeSet<(String, String)>>);

impl Named {
    fn extend<'a>(&mut self, all: impl IntoIterator<Item = &'a WorkId>) {
        for id in all {
            self.0.entry(id.kind).or_default().insert((id.namespace.clone(), id.name.clone()));
        }
    }

    fn any(&self, kind: WorkKind) -> bool {
        self.0.contains_key(&kind)
    }

    /// Those of a kind.
    fn of(&self, kind: WorkKind) -> impl Iterator<Item = &(String, String)> {
        self.0.get(&kind).into_iter().flatten()
    }

    /// Whether the name means one of them in one of these namespaces.
    fn has(&self, kind: WorkKind, places: &[&str], name: &str) -> bool {
        let Some(names) = self.0.get(&kind) else { return false };
        places.iter().any(|place| names.contains(&((*place).to_owned(), name.to_owned())))
    }
}

/// The objects that name a changed one, and the objects that name those.
fn dependents(team: &str, changed: &BTreeSet<WorkId>, of: &Of<'_>) -> BTreeSet<WorkId> {
    use WorkKind::{Component, Dataset, ModelService, Pipeline, Run, Workbench};
    let shared = format!("{team}--shared");
    let mut named = Named::default();
    named.extend(changed.iter().filter(|id| id.kind != Run));
    let mut found = BTreeSet::new();
    let look = |kind: WorkKind, named: &Named| -> Vec<WorkId> {
        let dependent = |(id, object): (WorkId, Known<Object>)| {
            object.is_ok_and(|object| names_any(&object, &id, &shared, named)).then_some(id)
        };
        of(kind).into_iter().filter_map(dependent).collect()
    };
    if named.any(Dataset) {
        // One that gives its settings or not is the same dataset to those who name it.
        found.extend(look(Dataset, &named));
        found.extend(look(Workbench, &named));
        let components = look(Component, &named);
        // One of Shared runs in the namespace of a dataset too, and means that one there.
        let there = of(Component).into_iter().filter(|(id, _)| id.namespace == shared);
        let there: Vec<WorkId> = there.flat_map(|(id, object)| runs_beside(&id, &object, &named)).collect();
        named.extend(components.iter().chain(&there));
        found.extend(components);
    }
    if named.any(Dataset) || named.any(Component) {
        found.extend(look(ModelService, &named));
        let pipelines = look(Pipeline, &named);
        named.extend(&pipelines);
        found.extend(pipelines);
    }
    if named.any(Pipeline) {
        let runs = of(Run).into_iter().filter(|(_, run)| is_waiting(run));
        let of_them = runs.filter(|(id, run)| {
            matches!(run.as_deref(), Ok(Object::Run(run)) if named.has(Pipeline, &[&id.namespace], &run.spec.pipeline))
        });
        found.extend(of_them.map(|(id, _)| id));
    }
    found
}

/// The component as it stands in the namespaces of those of these datasets that it names.
fn runs_beside(id: &WorkId, object: &Known<Object>, named: &Named) -> Vec<WorkId> {
    let Ok(Object::Component(component)) = object.as_deref() else { return Vec::new() };
    let of = |name: &String| component.spec.datasets.contains(name);
    let places = named.of(WorkKind::Dataset).filter(|(place, name)| *place != id.namespace && of(name));
    places.map(|(place, _)| WorkId { namespace: place.clone(), ..id.clone() }).collect()
}

/// Whether the object names any of these. What is in Shared is named everywhere.
fn names_any(object: &Object, id: &WorkId, shared: &str, named: &Named) -> bool {
    let places = [shared, id.namespace.as_str()];
    let dataset = |name: &String| named.has(WorkKind::Dataset, &places, name);
    let component = |name: &str| named.has(WorkKind::Component, &places, name);
    match object {
        Object::Component(component) => component.spec.datasets.iter().any(dataset),
        Object::Dataset(own) => rivals(own, &id.name).iter().any(dataset),
        Object::Workbench(workbench) => workbench.spec.datasets.iter().any(dataset),
        Object::Pipeline(pipeline) => pipeline.spec.steps.iter().any(|step: &Step| component(&step.component)),
        Object::ModelService(service) => {
            service.spec.capture.as_ref().is_some_and(|capture| dataset(&capture.dataset))
                || service.spec.monitor.as_ref().is_some_and(|monitor| component(&monitor.component))
        }
        Object::Run(_) => false,
    }
}

/// Whether a run has not begun: what it names may still change what it becomes.
fn is_waiting(run: &Known<Object>) -> bool {
    let Ok(Object::Run(run)) = run.as_deref() else { return false };
    run.status.as_ref().is_none_or(|status| status.job.is_none() && status.end().is_none())
}

/// The runs whose Job may now be beyond `keep`, because another run of the pipeline ended
/// or the pipeline keeps fewer.
fn outnumbered(context: &Context, changed: &BTreeSet<WorkId>) -> Vec<WorkId> {
    let pipelines = changed.iter().filter_map(|id| match id.kind {
        WorkKind::Pipeline => Some((&id.namespace, id.name.clone())),
        WorkKind::Run => match context.store.work_object(id)?.as_deref() {
            Ok(Object::Run(run)) => Some((&id.namespace, run.spec.pipeline.clone())),
            _ => None,
        },
        _ => None,
    });
    let pipelines: BTreeSet<(&String, String)> = pipelines.collect();
    let of = |(namespace, name): (&String, String)| -> Vec<WorkId> {
        let id = WorkId { kind: WorkKind::Pipeline, namespace: namespace.clone(), name };
        let keep = match context.store.work_object(&id).as_ref().map(|known| known.as_deref()) {
            Some(Ok(Object::Pipeline(pipeline))) => kept(Some(pipeline)),
            Some(_) => return Vec::new(),
            None => kept(None),
        };
        let runs = context.store.work.outnumbered(namespace, &id.name, keep).into_iter();
        runs.map(|name| WorkId { kind: WorkKind::Run, namespace: namespace.clone(), name }).collect()
    };
    pipelines.into_iter().flat_map(of).collect()
}

/// The capabilities of one of these engines.
fn provided_by(engines: &BTreeSet<String>, plan: Option<&Plan>, of: &Of<'_>) -> Vec<WorkId> {
    let mut found = Vec::new();
    for kind in WorkKind::ALL.iter().filter(|kind| **kind != WorkKind::Component) {
        let would = plan.map(|plan| candidates(plan, kind.capability())).unwrap_or_default();
        let would = would.iter().any(|name| engines.contains(*name));
        found.extend(of(*kind).into_iter().filter_map(|(id, object)| {
            let object = object.ok()?;
            let recorded = object.recorded_engine().map(|engine| engines.contains(&engine.name));
            let begun = matches!(&*object, Object::Run(run) if run.status.as_ref().is_some_and(|status| status.end().is_some()));
            (recorded.unwrap_or(would) && !begun).then_some(id)
        }));
    }
    found
}

#[cfg(test)]
#[path = "dependents_tests.rs"]
mod tests;
