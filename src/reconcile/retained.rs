//! Keeps the guardrails of a deleted team, from its record: nobody has rights in its
//! namespaces, models keep serving, stores keep their data, and nothing new starts.
//! Objects that the record does not have are left as they are.

use std::collections::BTreeSet;

use crate::api::identity::Request;
use crate::api::{AITeam, Issue};
use crate::cluster::apply::{Outcome, PruneScope};
use crate::cluster::cache::Entry;
use crate::objects::record::Record;
use crate::objects::{Stage, desired};
use crate::plan::{DatasetSettings, Plan, Usage, retained_only};
use crate::reconcile::context::Context;
use crate::reconcile::observe;
use crate::reconcile::observe::{Observed, Recorded};
use crate::reconcile::publish::publish;
use crate::reconcile::requeue::{Pass, guarded};
use crate::reconcile::snapshot::TeamSnapshot;

/// Keeps the retained namespaces of a team, if it has any.
pub async fn reconcile(context: &Context, name: &str) -> Pass {
    let namespaces = observe::namespaces(name, &context.cache);
    let snapshot = context.snapshot(name);
    let recorded = Recorded { cache: &context.cache, snapshot: snapshot.as_deref() };
    let (Some((record, is_lost)), false) = (recorded.retained(name), namespaces.is_empty()) else {
        context.queue.forget(&Request::Team(name.to_owned()));
        if namespaces.is_empty() {
            context.forget(name, "");
        }
        return unrecorded(context, name).await;
    };
    // The team's object may be missing because its kind is being deleted, or is not yet
    // restored: only a recorded withdrawal removes rights.
    if !record.withdrawn {
        return Ok(None);
    }
    let Some((team, plan)) = retained_plan(context, name, &record)? else { return Ok(None) };
    let stages = [Stage::Namespace, Stage::Guardrail, Stage::Identity];
    let mut objects: Vec<_> =
        desired(&plan).objects.into_iter().filter(|desired| stages.contains(&desired.stage)).collect();
    let has_place = namespaces.get(&format!("{name}--backbone")).is_some_and(|backbone| !backbone.deleting);
    objects.extend((is_lost && has_place).then(|| record.desired(&plan.identity)));
    let mut outcome = Outcome::default();
    let owner = Request::Team(name.to_owned());
    context.applier.remove_bindings(name, &mut outcome).await;
    context.applier.remove_foreign_bindings(name, &namespaces.keys().cloned().collect(), &mut outcome).await;
    context.applier.apply(&owner, &objects, &stages, &mut outcome).await;
    let keep = PruneScope {
        desired: objects.iter().map(|desired| desired.key.clone()).collect(),
        retained: namespaces.keys().cloned().collect::<BTreeSet<_>>(),
        ..PruneScope::default()
    };
    context.applier.prune_bindings(name, &keep, &mut outcome).await;
    // Its work stops or goes on as it is: nothing new starts.
    publish(context, name, TeamSnapshot::planned(&team, plan, &outcome).retained(record));
    guarded(&outcome, None)
}

/// Without a record the policies and quotas are unknown, so they stay as they are. The
/// namespaces are still marked as withdrawn, so nobody gets in.
async fn unrecorded(context: &Context, name: &str) -> Pass {
    let namespaces = observe::namespaces(name, &context.cache);
    let is_left = |entry: &Entry| entry.state.namespace().is_ok_and(|state| state.is_retained());
    if namespaces.is_empty() || !namespaces.values().all(is_left) {
        return Ok(None);
    }
    let mut outcome = Outcome::default();
    context.applier.remove_bindings(name, &mut outcome).await;
    context.applier.remove_foreign_bindings(name, &namespaces.keys().cloned().collect(), &mut outcome).await;
    guarded(&outcome, None)
}

/// The plan of a team of which only the guardrails are left.
fn retained_plan(context: &Context, name: &str, record: &Record) -> Result<Option<(AITeam, Plan)>, Issue> {
    let Some((team, blueprint)) = record.guarded(name) else { return Ok(None) };
    let namespaces = observe::namespaces(name, &context.cache).into_iter();
    let retained =
        namespaces.filter(|(_, entry)| !entry.deleting).map(|(name, entry)| observe::retained(&name, &entry));
    let mut observed = Observed {
        upgrades: false,
        blueprint,
        blueprint_generation: 0,
        catalogue: context.store.catalogue(),
        served: context.store.served(),
        choices: record.choices.clone(),
        usage: Usage::default(),
        datasets: DatasetSettings::new(),
        going: Vec::new(),
        retained: retained.collect::<Result<_, _>>()?,
        prefixes: context.prefixes.clone().unwrap_or_default(),
        written: observe::written_prefixes(name, &context.cache),
        api_server: context.cache.api_server.all(),
        work_engines: context.store.work.engines(name),
        record: None,
    };
    observed.usage = observe::usage(name, &context.cache, false)?;
    let plan = retained_only(&team, &observed.facts()).ok();
    Ok(plan.map(|plan| (team, plan)))
}
