//! Brings the objects of one team to the state of its spec, in six steps: observe,
//! plan, desire, apply, judge, report.
//!
//! Level-triggered: it does not know why it was called, assumes nothing, and may be
//! stopped after any step.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::allowed::Allowed;
use crate::api::identity::Request;
use crate::api::kinds::built_in;
use crate::api::team::DeletionPolicy;
use crate::api::work::WorkKind;
use crate::api::{AITeam, AITeamSpec, Issue, ObjectKey, Reason, labels};
use crate::cluster::apply::outcome::soonest;
use crate::cluster::apply::{Outcome, PruneScope, Result as Written, acts_on_anothers};
use crate::cluster::cache::{Entry, ObjectCache};
use crate::cluster::queue::RequeueAfter;
use crate::objects::record::Record;
use crate::objects::stores::{Claim, Volumes};
use crate::objects::{Desired, Desires, Stage, desired, stores, volumes as sizes};
use crate::plan::budget::shares;
use crate::plan::choice::looked_at;
use crate::plan::work::engine::candidates;
use crate::plan::{Plan, Problem, Retained, Scope, management, plan};
use crate::reconcile::context::{Context, LOWERING};
use crate::reconcile::hold::{hold, unreadable};
use crate::reconcile::observe::{Observed, Recorded, observe};
use crate::reconcile::publish::publish;
use crate::reconcile::report::{held, now, report, tell_of_losses, tell_of_repairs, with_newest_status};
use crate::reconcile::requeue::{self, Pass, RECHECK};
use crate::reconcile::snapshot::TeamSnapshot;
use crate::reconcile::target::Target;
use crate::reconcile::work::written::of_work;
use crate::reconcile::{engine_kinds, finalizer, observe, retained, stalled, teardown, upgrades, usage};
use crate::status::health::summary::WorkHealth;
use crate::status::health::{Health, LiveState, Missing, health, summary, troubles};
use crate::status::team::{Live, status};

/// Reconciles the team of this name, whether its object exists or not.
pub async fn reconcile(context: &Context, name: &str) -> Pass {
    let team = match context.store.teams.get(name) {
        None => return retained::reconcile(context, name).await,
        Some(Ok(team)) => with_newest_status(context, Arc::unwrap_or_clone(team)),
        Some(Err(object)) => return Box::pin(unreadable(context, name, &object)).await,
    };
    if team.metadata.deletion_timestamp.is_some() {
        return teardown::teardown(context, &team).await;
    }
    Box::pin(present(context, &team)).await
}

async fn present(context: &Context, team: &AITeam) -> Pass {
    let suspended = management::held(team);
    if let Some(failure) = context.store.unknown().filter(|_| suspended.is_none()) {
        return hold(context, team, &failure).await;
    }
    finalizer::add(context, &Target::of::<AITeam>(&team.metadata)).await?;
    if let Some(failure) = suspended {
        return hold(context, team, &failure).await;
    }
    let name = team.name();
    // 1 observe
    let (snapshot, prefixes) = (context.snapshot(name), context.prefixes.as_ref());
    let known = Recorded { cache: &context.cache, snapshot: snapshot.as_deref() };
    let mut observed = match observe(team, &context.store, &known, context.may_lower(name), prefixes) {
        Ok(observed) => observed,
        Err(failure) => return hold(context, team, &failure).await,
    };
    observed.upgrades = upgrades::turn(context, team, &observed);
    // While no ConfigMap can be watched, a missing record proves nothing.
    if let Some(failure) = observe::unwatched(context, "", "ConfigMap").filter(|_| observed.record.is_none()) {
        return hold(context, team, &failure).await;
    }
    if let Some(failure) = taken(context, team, &observed) {
        return hold(context, team, &failure).await;
    }
    // 2 plan
    let mut plan = match planned(context, team, &mut observed) {
        Ok(plan) => plan,
        Err(refusal) => return hold(context, team, &refusal).await,
    };
    // 3 desire
    let desires = desires(&context.cache, &mut plan);
    plan.forget_objects();
    plan.problems.extend(replaced(context, &desires, &observed));
    // 4 apply
    let outcome = write(context, team, &plan, &desires, &observed).await;
    let (holding, later) = stalled::of_team(context, name).await;
    plan.problems.extend(holding);
    publish_snapshot(context, team, &plan, &desires, &observed, &outcome);
    usage::chose(context, observed.record.as_ref().map(|record| &record.choices), &plan.choices());
    tell_of_repairs(context, team, &outcome);
    tell_of_losses(context, team, &observed.retained, &outcome);
    // 5 judge
    let health = judge(context, name, &plan, &desires, &outcome);
    // 6 report
    let new_status = status(team, &plan, &health, &Live { cache: &context.cache }, &now());
    let dealt = shares::deals_out_devices(team, &plan.instances);
    let judged = AITeam { status: Some(new_status.clone()), ..AITeam::new(name, AITeamSpec::default()) };
    report(context, team, new_status).await?;
    upgrades::settle(context, &judged, &plan.choices(), &observed);
    if dealt != shares::deals_out_devices(&judged, &plan.instances) {
        // Quotas count the devices until the queue is ready to hand them out, and again when it is not.
        context.queue.add(Request::Team(name.to_owned()));
    }
    next(context, name, &plan, &health, &outcome, later)
}

/// The objects, with existing volumes kept at their size.
pub(crate) fn desires(cache: &ObjectCache, plan: &mut Plan) -> Desires {
    let mut desires = desired(plan);
    let live = |desired: &Desired| cache.get(&desired.key)?.live();
    let problems = sizes::keep(plan, &mut desires.objects, live);
    plan.problems.extend(problems);
    desires
}

/// The stores with another volume than the recorded one.
fn replaced(context: &Context, desires: &Desires, observed: &Observed) -> Vec<Problem> {
    let Some(record) = &observed.record else { return Vec::new() };
    stores::replaced(&record.volumes, &desires.all(), |desired| claim(context, desired))
}

fn claim(context: &Context, desired: &Desired) -> Option<Claim> {
    let entry = context.cache.get(&desired.key).filter(|entry| !entry.deleting)?;
    let there = entry.state.workload().ok().flatten();
    let accepted = there.and_then(|there| there.annotation(labels::ACCEPT_VOLUME).map(str::to_owned));
    Some(Claim { accepted, uid: entry.uid })
}

/// Publishes the snapshot of the team. Engines that changed since the plan read them
/// enqueued nobody who was not known to use them, so those are enqueued here.
fn publish_snapshot(
    context: &Context,
    team: &AITeam,
    plan: &Plan,
    desires: &Desires,
    observed: &Observed,
    outcome: &Outcome,
) {
    let engines = looked_at(&team.spec, &observed.facts());
    let objects = desires.objects.iter().chain(&desires.held).filter(|desired| !is_built_in(desired));
    let kinds = objects.map(|desired| (desired.key.group.clone(), desired.key.kind.clone())).collect();
    let snapshot = TeamSnapshot::planned(team, plan.clone(), outcome);
    let snapshot = snapshot.recorded(observed.record.as_ref()).looked_at(engines, kinds);
    let engines = snapshot.engines.clone();
    publish(context, team.name(), snapshot);
    if observed.is_outdated(&engines, &context.store) {
        context.queue.add(Request::Team(team.name().to_owned()));
    }
}

fn is_built_in(desired: &Desired) -> bool {
    built_in(&desired.key.group, &desired.key.kind).is_some()
}

/// Whether the namespaces were retained from an earlier team of this name, and the
/// Blueprint requires that the AITeam names that team before it takes them over.
fn taken(context: &Context, team: &AITeam, observed: &Observed) -> Option<Issue> {
    if observed.blueprint.reclaim != crate::api::blueprint::Reclaim::Explicit {
        return None;
    }
    let uid = team.metadata.uid.as_deref().unwrap_or_default();
    let named = team.metadata.annotations.as_ref().and_then(|all| all.get(labels::RECLAIM));
    let namespaces = observe::namespaces(team.name(), &context.cache);
    let earlier = namespaces.values().map(|entry| entry.team_uid.as_str()).find(|other| *other != uid)?;
    (named.map(String::as_str) != Some(earlier)).then(|| {
        Issue::new(
            Reason::Conflict,
            format!(
                "namespaces of an earlier team of this name are retained. To take them over, set the annotation {}: \
                 {earlier}",
                labels::RECLAIM
            ),
        )
    })
}

/// The plan, with the guardrails of namespaces that the spec no longer asks for.
pub(crate) fn planned(context: &Context, team: &AITeam, observed: &mut Observed) -> Result<Plan, Issue> {
    let first = plan(team, &observed.facts())?;
    let wanted: BTreeSet<_> = first.namespaces.iter().map(|namespace| namespace.name.clone()).collect();
    let leftover = observe::namespaces(team.name(), &context.cache)
        .into_iter()
        .filter(|(name, entry)| !wanted.contains(name) && !entry.deleting);
    let (deletes, allowed) = (team.spec.deletion_policy == DeletionPolicy::Delete, Allowed::of(team));
    for (name, entry) in leftover {
        // Namespaces that were retained under `Retain` stay, whatever the policy is now.
        let left_before = entry.state.namespace()?.is_retained();
        if allowed.namespace(&name) && !left_before {
            observed.going.push(name);
        } else {
            let waits = deletes && !left_before;
            observed.retained.push(Retained { waits, ..observe::retained(&name, &entry)? });
        }
    }
    let mut plan = if observed.retained.is_empty() { first } else { plan(team, &observed.facts())? };
    plan.problems.extend(observed.retained.iter().filter(|left| left.waits).map(kept));
    Ok(plan)
}

fn kept(left: &Retained) -> Problem {
    let message = format!(
        "namespace {} left the spec and is retained with its data. Put it back, or allow its deletion by the \
         annotation {}={} (several names with commas between them)",
        left.namespace,
        labels::ALLOW_DELETION,
        left.namespace,
    );
    Problem::advice(Scope::Namespace(left.namespace.clone()), Reason::Retained, message)
}

const BEFORE_WORKLOADS: [Stage; 2] = [Stage::Identity, Stage::Configuration];

async fn write(context: &Context, team: &AITeam, plan: &Plan, desires: &Desires, observed: &Observed) -> Outcome {
    let name = team.name();
    let mut outcome = Outcome::default();
    let owner = Request::Team(name.to_owned());
    context.follow_kinds(&desires.objects);
    let mut keep = keep(team, plan, desires);
    // Rights are revoked before anything else happens.
    context.applier.prune_bindings(name, &keep, &mut outcome).await;
    // The fence refuses it where a namespace lost its label.
    if outcome.failures().next().is_some() && context.applier.relabel_namespaces(name, &mut outcome).await {
        outcome.not_removed.clear();
        context.applier.prune_bindings(name, &keep, &mut outcome).await;
    }
    let bound = known_bindings(context, &desires.objects);
    context.applier.apply(&owner, &bound, &[Stage::Binding], &mut outcome).await;
    context.applier.apply(&owner, &desires.objects, &[Stage::Namespace], &mut outcome).await;
    explain_lost_labels(context, name, observed, &mut outcome);
    let record = record(context, team, plan, desires, observed);
    let record = record.desired(&plan.identity);
    match observe::newer(name, &context.cache) {
        // It came during this pass; the next holds the team.
        Some(failure) => drop(outcome.results.insert(record.key.clone(), Written::Failed(failure))),
        None => context.applier.apply(&owner, &[record], &[Stage::Guardrail], &mut outcome).await,
    }
    // The names of guardrails are reserved, so they need no look at other owners first.
    context.applier.apply(&owner, &desires.objects, &[Stage::Guardrail], &mut outcome).await;
    context.applier.look(&owner, &desires.objects, &mut outcome).await;
    let free = context.applier.without_conflicts(&desires.objects, &outcome);
    context.applier.apply(&owner, &free, &BEFORE_WORKLOADS, &mut outcome).await;
    let rest = context.applier.without_conflicts(&desires.objects, &outcome);
    context.applier.apply(&owner, &rest, &[Stage::Workload, Stage::Binding], &mut outcome).await;
    let namespaces = plan.namespaces.iter().map(|namespace| namespace.name.clone()).collect();
    context.applier.remove_foreign_bindings(name, &namespaces, &mut outcome).await;
    let scaled = desires.objects.iter().filter(|desired| acts_on_anothers(desired, &desires.objects, &outcome));
    keep.desired = &keep.desired - &scaled.map(|desired| desired.key.clone()).collect();
    keep.desired.extend(of_work(&context.store, &context.cache, name));
    context.applier.prune(name, &keep, &mut outcome).await;
    context.applier.note_unknown(&desires.held, &mut outcome);
    if !observed.going.is_empty() {
        context.applier.relabel_namespaces(name, &mut outcome).await;
    }
    context.applier.remove_namespaces(name, &observed.going, &mut outcome).await;
    outcome
}

/// Explains failures of namespaces that are the team's by their recorded UID and lost our
/// label: the fence refuses their writes.
fn explain_lost_labels(context: &Context, team: &str, observed: &Observed, outcome: &mut Outcome) {
    for (namespace, uid) in observed.record.iter().flat_map(|record| &record.namespaces) {
        let key = ObjectKey::new("", "Namespace", None, namespace);
        let lost = context.cache.get(&key).is_some_and(|entry| entry.uid == *uid && !entry.is_ours());
        if lost && outcome.failure(&key).is_some() {
            outcome.explain(&key, observe::lost_label(team, namespace));
        }
    }
}

fn known_bindings<'a>(context: &Context, objects: &'a [Desired]) -> Vec<&'a Desired> {
    let bindings = objects.iter().filter(|desired| desired.stage == Stage::Binding);
    bindings.filter(|desired| context.cache.get(&desired.key).is_some()).collect()
}

/// The objects that must stay.
pub(crate) fn keep(team: &AITeam, plan: &Plan, desires: &Desires) -> PruneScope {
    // The objects of a held component stay, also those of its previous engine.
    let held = plan.instances.iter().filter(|instance| instance.hold.is_some()).flat_map(|instance| {
        let before = instance.choice.iter().map(|choice| choice.engine.clone());
        let engines = before.chain([instance.id.engine.clone()]);
        engines.map(|engine| (instance.id.namespace.clone(), engine))
    });
    let retained = plan.namespaces.iter().filter(|namespace| namespace.retained);
    PruneScope {
        desired: desires.objects.iter().chain(&desires.held).map(|desired| desired.key.clone()).collect(),
        held: held.collect(),
        retained: retained.map(|namespace| namespace.name.clone()).collect(),
        claims: Allowed::of(team),
    }
}

/// The record of the team.
fn record(context: &Context, team: &AITeam, plan: &Plan, desires: &Desires, observed: &Observed) -> Record {
    let mut engines = observed.work_engines.clone();
    let candidates = WorkKind::ALL.iter().flat_map(|kind| candidates(plan, kind.capability()));
    engines.extend(candidates.map(str::to_owned));
    let objects = desires.objects.iter().chain(&desires.held);
    let kinds = engine_kinds::to_record(&context.store, objects, &engines, observed.record.as_ref());
    let namespaces = observe::namespaces(team.name(), &context.cache);
    Record {
        uid: team.metadata.uid.clone().unwrap_or_default(),
        namespaces: namespaces.into_iter().map(|(name, entry)| (name, entry.uid)).collect(),
        volumes: volumes(context, plan, desires, observed),
        choices: plan.choices(),
        removed: observed.retained.clone(),
        prefixes: Some(plan.prefixes.clone()),
        kinds,
        ..Record::of(team.name(), &team.spec, &plan.site)
    }
    .with_unread(observed.record.as_ref())
}

/// The claims of the team's stores. A recorded claim stays recorded while it exists, and
/// while an instance there is held, because its claims are then unknown.
fn volumes(context: &Context, plan: &Plan, desires: &Desires, observed: &Observed) -> Volumes {
    let before = observed.record.as_ref().map(|record| record.volumes.clone()).unwrap_or_default();
    let unknown = |namespace: &str| {
        plan.instances.iter().any(|instance| instance.id.namespace == namespace && instance.objects.is_empty())
    };
    let stays = |path: &str| {
        let Some((namespace, name)) = path.split_once('/') else { return false };
        let key = ObjectKey::new("", "PersistentVolumeClaim", Some(namespace), name);
        context.cache.get(&key).is_some_and(|entry| !entry.deleting) || unknown(namespace)
    };
    stores::remembered(&before, &desires.all(), |desired| claim(context, desired), stays)
}

/// Judges a team by the cache.
#[must_use]
pub fn judge(context: &Context, name: &str, plan: &Plan, desires: &Desires, outcome: &Outcome) -> Health {
    let pods = context.cache.team(name).into_iter().filter(|(key, _)| key.built_in() == "Pod");
    let probes = &context.watches.probes;
    let live_state = LiveState {
        live: &|key| context.cache.get(key)?.live(),
        troubles: pods
            .flat_map(|(key, entry)| troubles(&key, &entry.state.pod().unwrap_or_default(), probes.of(&entry.uid)))
            .collect(),
        work: work_healths(context, plan),
        waiting: context.cache.work_pods(name).iter().flat_map(|(_, entry)| waiting(entry)).collect(),
    };
    health(plan, desires, outcome, &live_state)
}

/// The work in the team's namespaces, as it reports itself; runs never.
fn work_healths(context: &Context, plan: &Plan) -> Vec<WorkHealth> {
    let kinds = WorkKind::ALL.iter().filter(|kind| **kind != WorkKind::Run);
    let places = kinds.flat_map(|kind| plan.namespaces.iter().map(|place| (*kind, place)));
    let all = places.flat_map(|(kind, place)| {
        let objects = context.store.work_of_namespace(kind, &place.name).into_iter();
        objects.filter_map(|(id, object)| match object {
            Ok(object) if summary::settles(&object) => None,
            Ok(object) => Some(summary::of(&id, place, &object)),
            Err(object) => Some(summary::unreadable(&id, place, &object.error)),
        })
    });
    all.collect()
}

/// Secrets that a work pod waits for.
fn waiting(entry: &Entry) -> Vec<Missing> {
    let Request::Work(id) = &entry.work else { return Vec::new() };
    let pod = entry.state.work_pod().ok().flatten();
    pod.map(|pod| summary::missing(id, &pod)).unwrap_or_default()
}

/// Reports in the status why a reconcile did not finish.
pub async fn report_failure(context: &Context, name: &str, failure: &Issue) -> Result<(), Issue> {
    let Some(Ok(team)) = context.store.teams.get(name) else { return Ok(()) };
    let team = with_newest_status(context, Arc::unwrap_or_clone(team));
    held(context, &team, failure).await
}

fn next(context: &Context, name: &str, plan: &Plan, health: &Health, outcome: &Outcome, later: RequeueAfter) -> Pass {
    let over = plan.budget.iter().any(|share| share.over);
    if over && context.may_lower(name) {
        context.remember_lowering(name);
    }
    let to_fix =
        outcome.failures().next().is_some() || health.namespaces.iter().any(|namespace| !namespace.failures.is_empty());
    requeue::written(outcome, soonest([over.then_some(LOWERING), later]), to_fix.then_some(RECHECK))
}
