//! Triggers of changes that people make. It compares an object before and after a change,
//! and enqueues the requests whose plan depends on it. Changes that Strata itself reports
//! trigger nothing.
//!
//! It returns requests without reasons, writes nothing and makes no API calls. It runs on
//! the tasks of the watches, which all teams share, so work that grows with a team is left
//! to the queue, where teams take turns ([`dependents`]).

pub mod causes;
pub mod compare;
pub mod dependents;

use std::sync::Arc;

use crate::api::identity::{Request, WorkId, team_of};
use crate::api::team_status::Conditions;
use crate::api::work::WorkKind;
use crate::api::{AITeam, Blueprint, Engine, ObjectKey};
use crate::cluster::store::{self, Change, Definition, Known, Listener, followed};
use crate::plan::work::Object;
use crate::plan::work::run::is_over;
use crate::reconcile::context::Context;
use causes::Cause;
use compare::{
    concerns_itself, concerns_others, expires_anew, gives_otherwise, has_dependents, means_the_same, metadata,
};

/// Enqueues the requests that a change concerns. The first lists enqueue nothing: when
/// they are complete, everything is enqueued ([`crate::operator::controller`]).
pub struct Triggers(pub Arc<Context>);

impl Listener for Triggers {
    fn team(&self, change: &Change<'_, AITeam>) {
        let (context, key) = (&self.0, Request::Team(change.key.to_owned()));
        if change.after.is_some() {
            context.queue.know(key.clone());
        }
        if let Some(team) = change.after {
            context.statuses.was_read(metadata(team));
        }
        if change.first {
            return;
        }
        if concerns_itself(change) {
            context.queue.add(key);
        }
        self.count_references(change);
        if conditions_of(change.before) != conditions_of(change.after) {
            context.queue.add_readiness();
        }
    }

    fn blueprint(&self, change: &Change<'_, Blueprint>) {
        if change.first {
            return;
        }
        let queue = &self.0.queue;
        if concerns_itself(change) {
            queue.add(Request::Blueprint(change.key.to_owned()));
        }
        if !concerns_others(change) {
            return;
        }
        for (name, team) in self.0.store.teams.forms() {
            if team.blueprint.as_deref() == Some(change.key) {
                queue.add(Request::Team(name));
            }
        }
    }

    fn engine(&self, change: &Change<'_, Engine>) {
        if change.first {
            return;
        }
        if concerns_itself(change) {
            self.0.queue.add(Request::Engine(change.key.to_owned()));
        }
        if concerns_others(change) {
            self.0.follow_kinds(&[]);
            self.engine_changed(change.key);
            if needs_api_server(change.before) != needs_api_server(change.after) {
                self.way_changed(change.key);
            }
        }
    }

    fn definition(&self, change: &Change<'_, Definition>) {
        let (before, after) = (facts(change.before), facts(change.after));
        if change.first || before == after {
            return;
        }
        self.0.follow_kinds(&[]);
        self.0.follow_recorded();
        let Some(definition) = after.or(before) else { return };
        let (group, kind) = (definition.group.as_str(), definition.kind.as_str());
        let catalogue = self.0.store.catalogue();
        let engines = catalogue.iter().filter(|(_, engine)| engine.kinds().contains(&(group, kind)));
        engines.for_each(|(name, _)| self.engine_changed(name));
        for (team, snapshot) in self.0.snapshots() {
            if snapshot.kinds.contains(&(group.to_owned(), kind.to_owned())) {
                self.0.queue.add(Request::Team(team));
            }
        }
    }

    fn turned(&self, plural: &str) {
        let context = &self.0;
        let Some(kind) = WorkKind::ALL.iter().copied().find(|kind| kind.plural() == plural) else {
            return context.store.teams.names().into_iter().for_each(|team| context.queue.add(Request::Team(team)));
        };
        if kind == WorkKind::Run {
            // A first list that came late has armed no timer.
            context.snapshots().into_iter().for_each(|(team, _)| context.queue.add_expiry(&team));
        }
        for (name, object) in context.store.work_objects(kind).all() {
            if let Some(id) = id(kind, &name).filter(|id| !has_ended(context, id, &object)) {
                context.queue.add(Request::Work(id));
            }
        }
    }

    fn work(&self, kind: WorkKind, change: &Change<'_, Object>) {
        let Some(id) = id(kind, change.key) else { return };
        if let Some(object) = change.after {
            self.0.statuses.was_read(metadata(object));
        }
        if change.first {
            return;
        }
        self.wake_itself(&id, change);
        let Some(team) = team_of(&id.namespace) else { return };
        if kind != WorkKind::Run && !means_the_same(change.before, change.after) {
            self.0.queue.add_summary(team);
        }
        if kind == WorkKind::Dataset && gives_otherwise(change) {
            self.0.queue.add_settings(team);
        }
        if kind == WorkKind::Run && expires_anew(change) {
            self.0.queue.add_expiry(team);
        }
        if has_dependents(kind, change) {
            let team = team.to_owned();
            self.changed(&team, Cause::Object(id));
        }
    }
}

impl Triggers {
    /// Has those looked for who depend on what changed, once this replica works.
    fn changed(&self, team: &str, cause: Cause) {
        if self.0.queue.is_open() {
            self.0.causes.add(team, cause);
            self.0.queue.add_dependents(team);
        }
    }

    /// Counts again how many teams use what the team uses, and which roles they name, where
    /// that changed.
    fn count_references(&self, change: &Change<'_, AITeam>) {
        let references = |team: Option<&Known<AITeam>>| Some((followed(team?)?.to_owned(), store::roles(team?)));
        let (before, after) = (references(change.before), references(change.after));
        if before != after {
            let blueprints = before.into_iter().chain(after).map(|(blueprint, _)| blueprint);
            blueprints.for_each(|name| self.0.queue.add_count(Request::Blueprint(name)));
        }
        if change.after.is_none() {
            self.0.store.engines.names().into_iter().for_each(|name| self.0.queue.add_count(Request::Engine(name)));
        }
    }

    /// Wakes the teams whose plan looked at the engine, and what it provides.
    fn engine_changed(&self, engine: &str) {
        for (team, snapshot) in self.0.snapshots() {
            let looked_at = snapshot.engines.contains(engine);
            if looked_at {
                self.0.queue.add(Request::Team(team.clone()));
            }
            if looked_at || snapshot.work_engines.contains(engine) || self.0.store.work.uses(&team, engine) {
                self.changed(&team, Cause::Engine(engine.to_owned()));
            }
        }
    }

    /// Enqueues the teams whose members' objects gain or lose access to the API server by
    /// this engine: that access is written for the team as a whole.
    fn way_changed(&self, engine: &str) {
        for (team, snapshot) in self.0.snapshots() {
            if snapshot.work_engines.contains(engine) || self.0.store.work.uses(&team, engine) {
                self.0.queue.add(Request::Team(team));
            }
        }
    }

    fn wake_itself(&self, id: &WorkId, change: &Change<'_, Object>) {
        let key = Request::Work(id.clone());
        let Some(after) = change.after else {
            if let Some(uid) = change.before.and_then(|object| metadata(object).uid.as_deref()) {
                self.0.statuses.forget(uid);
            }
            self.0.refused.passed(id).into_iter().for_each(|next| self.0.queue.add(Request::Work(next)));
            return self.0.queue.forget(&key);
        };
        if concerns_itself(change) && !has_ended(&self.0, id, after) {
            self.0.queue.add(key);
        }
    }
}

/// Whether nothing is left to do for an object: a run that is over.
#[must_use]
pub fn has_ended(context: &Context, id: &WorkId, object: &Known<Object>) -> bool {
    match object.as_deref() {
        Ok(Object::Run(run)) => is_over(run, has_job(context, id)),
        _ => false,
    }
}

/// Whether the Job of a run exists.
fn has_job(context: &Context, run: &WorkId) -> bool {
    let job = ObjectKey::new("batch", "Job", Some(&run.namespace), &format!("run-{}", run.name));
    context.cache.get(&job).is_some()
}

/// The object that the store keeps under this name.
#[must_use]
pub fn id(kind: WorkKind, key: &str) -> Option<WorkId> {
    let (namespace, name) = key.split_once('/')?;
    Some(WorkId { kind, namespace: namespace.to_owned(), name: name.to_owned() })
}

fn needs_api_server(known: Option<&Known<Engine>>) -> bool {
    known.and_then(|known| known.as_ref().ok()).is_some_and(|engine| engine.spec.needs_api_server)
}

fn facts(known: Option<&Known<Definition>>) -> Option<&Definition> {
    known?.as_deref().ok()
}

/// The condition `Ready` of a team, for the count of teams.
#[must_use]
fn conditions_of(team: Option<&Known<AITeam>>) -> Option<Conditions> {
    team.map(store::conditions)
}

#[cfg(test)]
mod tests;
