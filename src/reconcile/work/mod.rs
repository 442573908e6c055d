//! Brings one member's object to the state of its spec, in the same six steps as a team:
//! observe, plan, desire, apply, judge, report.
//!
//! Level-triggered like a team. It uses the plan of its team, and never makes that plan
//! itself.

pub mod aside;
pub mod expiry;
mod jobs;
mod observe;
pub mod refused;
mod report;
mod teardown;
pub mod written;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::api::identity::{Request, WorkId};
use crate::api::work::workbench::WorkbenchState;
use crate::api::{Issue, ObjectKey, Reason};
use crate::cluster::apply::outcome::{merged, soonest};
use crate::cluster::apply::{Outcome, acts_on_anothers};
use crate::cluster::queue::RequeueAfter;
use crate::engine::{Verdict, objects_input};
use crate::objects::work::desired;
use crate::objects::{Desired, Stage};
use crate::plan::volume;
use crate::plan::work::decision;
use crate::plan::work::workbench::WorkbenchDetail;
use crate::plan::work::{Detail, Object, WorkFacts, WorkPlan, plan, run};
use crate::reconcile::context::Context;
use crate::reconcile::finalizer;
use crate::reconcile::report::now;
use crate::reconcile::requeue::{self, Pass, RECHECK};
use crate::reconcile::snapshot::Planned;
use crate::reconcile::target::Target;
use crate::reconcile::triggers::has_ended;
use crate::status::work::{Judged, status};
use observe::{Observed, Standing};
use written::written_for;

/// The longest wait for a time in the future: a day later it is looked at again.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// Reconciles one work object, whether it exists or not.
pub async fn reconcile(context: &Context, id: &WorkId) -> Pass {
    // A missing object removes nothing: its kind may be gone, or not yet restored. Its
    // finalizer does the removal.
    let Some(known) = context.store.work_object(id) else { return Ok(None) };
    if let Ok(object) = &known {
        expiry::tell_that_it_stays(context, id, object).await?;
    }
    if has_ended(context, id, &known) {
        return Ok(None);
    }
    let object = match known {
        Ok(object) => report::with_newest_status(context, (*object).clone()),
        Err(unreadable) if unreadable.metadata.deletion_timestamp.is_some() => {
            // Its removal needs nothing of the spec, and must not wait for one.
            let Some(bare) = report::bare(id, &unreadable) else { return Ok(None) };
            return teardown::teardown(context, id, &report::with_newest_status(context, bare)).await;
        }
        Err(unreadable) => return report::unreadable(context, id, &unreadable).await,
    };
    if object.metadata().deletion_timestamp.is_some() {
        return teardown::teardown(context, id, &object).await;
    }
    if let Some(failure) = context.store.unknown_kind(id.kind.plural()).filter(|_| !is_at_its_end(&object)) {
        report::held(context, id, &object, &failure).await?;
        return Ok(requeue::held(&failure));
    }
    match observe::standing(context, id) {
        Standing::Unknown => Ok(None),
        // A reported end is final.
        Standing::Held(_) if is_at_its_end(&object) => Ok(None),
        Standing::Held(failure) => {
            let shown = down_all_the_same(context, id, object.clone()).await?;
            report::held_as(context, id, &object, &shown, &failure).await?;
            Ok(requeue::held(&failure))
        }
        Standing::On(snapshot) => match &snapshot.planned {
            Some(planned) => present(context, id, &object, planned).await,
            None => Ok(None),
        },
    }
}

/// Stops a workbench that should not run, even if its team is held. The returned object
/// has the progress in its status, and the event that decides.
async fn down_all_the_same(context: &Context, id: &WorkId, object: Object) -> Result<Object, Issue> {
    let Object::Workbench(workbench) = &object else { return Ok(object) };
    let space = context.cache.get(&ObjectKey::new("", "Namespace", None, &id.namespace));
    let now = now();
    let mut shown = workbench.clone();
    shown.status = Some(decision::recorded(workbench, &now));
    let runs = decision::decide(workbench, &[], &now).runs();
    if runs || !space.is_some_and(|space| space.is_ours() && !space.deleting) {
        return Ok(Object::Workbench(shown));
    }
    let mut outcome = Outcome::default();
    stop(context, id, &mut outcome).await;
    if let Some((_, failure)) = outcome.failures().next() {
        return Err(failure.clone());
    }
    let pods = Observed::of(context, id, workbench.metadata.uid.as_deref())?.pods;
    let state = if pods.is_empty() { WorkbenchState::Stopped } else { WorkbenchState::Stopping };
    shown.status.get_or_insert_default().state = Some(state);
    Ok(Object::Workbench(shown))
}

fn is_at_its_end(object: &Object) -> bool {
    matches!(object, Object::Run(run) if run.status.as_ref().is_some_and(run::has_ended))
}

async fn present(context: &Context, id: &WorkId, object: &Object, planned: &Planned) -> Pass {
    if teardown::needs_finalizer(object, planned, id) {
        finalizer::add(context, &Target::work(id, object.metadata())).await?;
    }
    // 1 observe
    let uid = object.metadata().uid.as_deref();
    let observed = Observed::of(context, id, uid)?;
    // 2 plan
    let Some(plan) = plan_of(context, id, object, planned, &observed) else { return Ok(None) };
    // 3 desire
    let desires = desired(&planned.plan, &plan);
    // 4 apply
    let mut outcome = write(context, id, &plan, &desires).await;
    if let Object::ModelService(service) = object {
        bring_back(context, id, object, service.spec.replicas.min, &mut outcome).await;
    }
    jobs::put_back(context, id, object, &mut outcome).await;
    report::left(context, id, object, &outcome);
    // 5 judge
    let status = judge(object, &plan, &desires, &outcome, &Observed::of(context, id, uid)?);
    // 6 report
    let awaited = soonest([awaits_its_pods(&plan, &observed, &status), starts_later(&plan)]);
    report::report(context, id, object, status).await?;
    next(context, id, &plan, &outcome, awaited)
}

/// The plan of the object, from the snapshot of its team.
fn plan_of(
    context: &Context,
    id: &WorkId,
    object: &Object,
    planned: &Planned,
    observed: &Observed,
) -> Option<WorkPlan> {
    let facts = WorkFacts {
        team: &planned.team(),
        plan: &planned.plan,
        namespace: planned.plan.namespace(&id.namespace)?,
        catalogue: &context.store.catalogue(),
        served: &context.store.served(),
        neighbours: &observe::InStore(&context.store),
        live: &|kind, name| observed.live(kind, name),
        pods: &observed.pods,
        now: &now(),
    };
    Some(plan(id, object, &facts))
}

/// Writes the objects, and removes those that are no longer asked for.
async fn write(context: &Context, id: &WorkId, plan: &WorkPlan, desires: &[Desired]) -> Outcome {
    let mut outcome = Outcome::default();
    let owner = Request::Work(id.clone());
    if let Detail::Run(run) = &plan.draft.detail
        && run.surplus
    {
        let job = ObjectKey::new("batch", "Job", Some(&id.namespace), &run.job);
        context.applier.remove_one(&job, &mut outcome).await;
    }
    if plan.hold.is_some() || !plan.draft.write {
        guard(context, &owner, desires, &mut outcome).await;
        if plan.draft.scale.as_ref().is_some_and(|scale| scale.replicas == 0) {
            stop(context, id, &mut outcome).await;
        }
        let withheld = |hold: &Issue| matches!(hold.reason, Reason::NotListed | Reason::Conflict);
        if plan.retained || plan.hold.as_ref().is_some_and(withheld) {
            suspend(context, id, &mut outcome).await;
        }
        return outcome;
    }
    context.follow_kinds(desires);
    let wanted: Vec<&Desired> = desires.iter().filter(|desired| is_due(context, plan, desired)).collect();
    // The names of guardrails are reserved, so they need no look at other owners first.
    context.applier.apply(&owner, &wanted, &[Stage::Guardrail], &mut outcome).await;
    context.applier.look(&owner, &wanted, &mut outcome).await;
    let free = context.applier.without_conflicts(&wanted, &outcome);
    let before = [Stage::Identity, Stage::Configuration];
    context.applier.apply(&owner, &free, &before, &mut outcome).await;
    // Nothing runs with objects that others created meanwhile.
    let free = context.applier.without_conflicts(&wanted, &outcome);
    context.applier.apply(&owner, &free, &[Stage::Workload], &mut outcome).await;
    if let Some(scale) = &plan.draft.scale {
        let scaled = wanted.iter().find(|desired| is_template(desired, &scale.template));
        if let Some(desired) = scaled {
            context.applier.set(&desired.key, "replicas", &Value::from(scale.replicas), &mut outcome).await;
        }
    }
    let stays = desires.iter().filter(|desired| !acts_on_anothers(desired, desires, &outcome));
    let keep: BTreeSet<ObjectKey> = stays.map(|desired| desired.key.clone()).collect();
    context.applier.prune_work(written_for(context, id), &keep, &mut outcome).await;
    outcome
}

/// Restricts the callers of held or retained services to the customers that the team still lists.
async fn guard(context: &Context, owner: &Request, desires: &[Desired], outcome: &mut Outcome) {
    let walls = desires.iter().filter(|desired| desired.stage == Stage::Guardrail);
    let there = walls.filter(|desired| context.cache.get(&desired.key).is_some());
    let there: Vec<&Desired> = there.collect();
    context.applier.apply(owner, &there, &[Stage::Guardrail], outcome).await;
}

/// Stops what must not run, even if nothing else may change: its engine may be missing, or
/// its team may be gone.
async fn stop(context: &Context, id: &WorkId, outcome: &mut Outcome) {
    for (key, _) in written_for(context, id).iter().filter(|(key, _)| key.built_in() == "StatefulSet") {
        context.applier.set(key, "replicas", &Value::from(0), outcome).await;
    }
}

/// Restores a serving model that was scaled to zero, even while it is held: an autoscaler
/// never scales up from zero, and without one nothing is written while the service is held.
async fn bring_back(context: &Context, id: &WorkId, object: &Object, least: i32, outcome: &mut Outcome) {
    let there = written_for(context, id);
    let scaled_by_us = matches!(object, Object::ModelService(service) if service.spec.replicas.max.is_none());
    if !scaled_by_us && !there.iter().any(|(key, _)| key.built_in() == "HorizontalPodAutoscaler") {
        return;
    }
    let scaled_to_nothing = |key: &ObjectKey, entry: &crate::cluster::cache::Entry| {
        let workload = || entry.state.workload().ok().flatten();
        key.built_in() == "Deployment" && entry.is_ours() && workload().is_some_and(|live| *live.spec("replicas") == 0)
    };
    for (key, entry) in there.iter().filter(|(key, entry)| scaled_to_nothing(key, entry)) {
        context.applier.set(key, "replicas", &Value::from(least), outcome).await;
        if outcome.failure(key).is_none() {
            let (from, to) = (&Value::from(0), &Value::from(least));
            report::repaired(context, id, object, key, ("replicas", from, to), entry.other_writer.as_deref());
        }
    }
}

/// Suspends schedules in removed teams and projects, and those that may no longer have
/// their datasets or would mount those of another owner.
async fn suspend(context: &Context, id: &WorkId, outcome: &mut Outcome) {
    // A monitor continues as long as its model serves.
    let schedules = written_for(context, id).into_iter().filter(|(key, _)| key.name.starts_with("pipeline-"));
    for (key, _) in schedules.filter(|(key, _)| key.built_in() == "CronJob") {
        context.applier.set(&key, "suspend", &Value::Bool(true), outcome).await;
    }
}

/// An object whose replicas are to be 0 is not created: it would start with one. An
/// existing Job is left as it is, because a Job cannot change.
fn is_due(context: &Context, plan: &WorkPlan, desired: &Desired) -> bool {
    if desired.key.built_in() == "Job" && context.cache.get(&desired.key).is_some_and(|entry| entry.is_ours()) {
        return false;
    }
    let down = plan.draft.scale.as_ref().filter(|scale| scale.replicas == 0);
    down.is_none_or(|scale| !is_template(desired, &scale.template) || context.cache.get(&desired.key).is_some())
}

fn is_template(desired: &Desired, template: &str) -> bool {
    desired.template.as_ref().is_some_and(|id| id.id == template)
}

/// How the object is, as its status.
fn judge(object: &Object, plan: &WorkPlan, desires: &[Desired], outcome: &Outcome, observed: &Observed) -> Value {
    // An instance held only by an available revision is judged as it runs.
    let held = plan.hold.clone().filter(|hold| hold.reason != Reason::UpgradeAvailable);
    let (ungrown, failures): (Vec<_>, Vec<_>) =
        outcome.failures().partition(|(key, failure)| is_of_growth(key, failure, desires, observed));
    let mut unwritten = merged(failures.into_iter());
    unwritten.sort_by_key(|failure| std::cmp::Reverse(failure.class()));
    let judged = Judged {
        plan,
        failure: held.or_else(|| unwritten.into_iter().next()),
        verdict: verdict(plan, desires, observed),
        live: &|kind, name| observed.live(kind, name),
        pods: &observed.pods,
        refused: observed.refused.clone(),
        ungrown: ungrown.first().map(|(_, failure)| failure.message.clone()),
        autoscalers: &observed.autoscalers,
        now: &now(),
    };
    status(object, &judged)
}

/// Whether the API server refused a size for a volume that exists: it is used as it is.
fn is_of_growth(key: &ObjectKey, failure: &Issue, desires: &[Desired], observed: &Observed) -> bool {
    let Some(live) = observed.state(key) else { return false };
    let grows = |desired: &Desired| desired.key == *key && volume::is_growth(&desired.object, &live);
    key.kind == "PersistentVolumeClaim" && failure.reason == Reason::Refused && desires.iter().any(grows)
}

/// The verdict of the engine's rules on the live objects.
fn verdict(plan: &WorkPlan, desires: &[Desired], observed: &Observed) -> Verdict {
    let (Some(engine), Some(inputs)) = (&plan.engine, &plan.inputs) else { return Verdict::Ready };
    let objects = objects_input(&plan.objects, |rendered| {
        observed.state(&desires.iter().find(|desired| desired.is_of(rendered))?.key)
    });
    engine.judge(&inputs.with_objects(objects))
}

/// Waits a while for the pods of a run whose Job is complete while its steps are not.
fn awaits_its_pods(plan: &WorkPlan, observed: &Observed, status: &Value) -> RequeueAfter {
    let Detail::Run(run) = &plan.draft.detail else { return None };
    let live = observed.live("Job", &run.job)?;
    let mut conditions = live["status"]["conditions"].as_array()?.iter();
    let complete = conditions.any(|condition| condition["type"] == "Complete" && condition["status"] == "True");
    (complete && status["completionTime"].is_null()).then_some(RECHECK)
}

/// A workbench with an annotation that lies in the future: until then.
fn starts_later(plan: &WorkPlan) -> RequeueAfter {
    let Detail::Workbench(WorkbenchDetail { due: Some(due), .. }) = &plan.draft.detail else { return None };
    let wait = due.0.duration_since(now().0);
    // The next second begins at the end of this one.
    Some(wait.unsigned_abs().min(FAR) + Duration::from_secs(1))
}

fn next(context: &Context, id: &WorkId, plan: &WorkPlan, outcome: &Outcome, awaited: RequeueAfter) -> Pass {
    if outcome.failures().any(|(_, failure)| failure.reason == Reason::Refused) {
        return requeue::written(outcome, None, Some(context.refused.refused(id)));
    }
    let to_fix = plan.hold.is_some() || outcome.failures().next().is_some();
    if plan.hold.is_some() {
        context.refused.forget(id);
    } else if !to_fix {
        context.refused.passed(id).into_iter().for_each(|next| context.queue.add(Request::Work(next)));
    }
    requeue::written(outcome, awaited, to_fix.then_some(RECHECK))
}
