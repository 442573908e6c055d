//! Deletes the ended runs of a team when their time is over.
//!
//! One pass handles all of them, with one timer until the next is due: an ended run costs
//! nothing before its time. A run is deleted only in its known state, by UID and resource
//! version, and never if a GitOps tool would create it again: that run's own pass reports
//! it, so that two passes never write one status. A run whose deletion fails is set aside
//! for a while, and the others continue.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Preconditions};
use serde_json::json;
use tracing::{info, warn};

use super::report;
use crate::api::Issue;
use crate::api::identity::{Request, WorkId, team_of};
use crate::api::reason::Class;
use crate::api::work::{Run, WorkKind};
use crate::cluster::apply::outcome::soonest;
use crate::cluster::request::request;
use crate::plan::work::Object;
use crate::plan::work::run::{expires, is_kept, tracker};
use crate::reconcile::context::Context;
use crate::reconcile::requeue::{Failure, Pass};
use crate::reconcile::snapshot::Planned;
use crate::reconcile::target::Target;
use crate::reconcile::triggers;
use crate::status::work::run::kept;

/// How many runs go in one pass. The rest of a burst takes its turn.
const AT_ONCE: usize = 128;
/// How many requests are under way.
const IN_FLIGHT: usize = 8;
/// The time until a deletion is known to the cache.
const SETTLE: Duration = Duration::from_secs(1);
/// The longest sleep: the clock may be set meanwhile, and timers do not follow that.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// Deletes the due runs in the team's namespaces, and requeues for the next one.
pub async fn reconcile(context: &Context, team: &str) -> Pass {
    let Some(snapshot) = context.snapshot(team) else { return Ok(None) };
    // No run of a held team is deleted.
    let Some(planned) = &snapshot.planned else { return Ok(None) };
    let default = default(planned);
    let (begun, aside) = (Timestamp::now(), context.aside.of(team));
    let may = |key: &str| may_go(planned, key) && !aside.contains_key(key);
    let due = context.store.work.due(team, begun.as_second(), default, AT_ONCE, may);
    let gone = futures::stream::iter(due.runs).map(|key| async move {
        let result = one(context, &key, default, begun).await;
        (key, result)
    });
    let results: Vec<(String, Result<(), Issue>)> = gone.buffer_unordered(IN_FLIGHT).collect().await;
    let mut failing = None;
    for (key, result) in results {
        let Err(failure) = result else { continue };
        context.aside.put(team, &key);
        if failure.class() == Class::Transient {
            failing = Some(failure);
        } else {
            warn!(run = key, reason = %failure.reason, "{failure}");
        }
    }
    let next = due.next.map(|next| pause(next, Timestamp::now()));
    let next = soonest([next, context.aside.first(team)]);
    failing.map_or(Ok(next), |issue| Err(Failure { issue, again: next }))
}

/// Reports once why a run stays after its time.
pub async fn tell_that_it_stays(context: &Context, id: &WorkId, object: &Object) -> Result<(), Issue> {
    let object = report::with_newest_status(context, object.clone());
    let Object::Run(run) = &object else { return Ok(()) };
    let Some(tool) = tracker(run).filter(|_| run.metadata.deletion_timestamp.is_none() && !is_kept(run)) else {
        return Ok(());
    };
    let snapshot = team_of(&id.namespace).and_then(|team| context.snapshot(team));
    let Some(planned) = snapshot.as_ref().and_then(|snapshot| snapshot.planned.as_ref()) else { return Ok(()) };
    let is_over = expires(run, default(planned)).is_some_and(|time| time <= Timestamp::now().as_second());
    if !is_over || !may_go(planned, &format!("{}/{}", id.namespace, id.name)) {
        return Ok(());
    }
    report::report(context, id, &object, json!(kept(run, tool, &crate::reconcile::report::now()))).await
}

/// The default time for which runs are kept.
fn default(planned: &Planned) -> Option<i64> {
    planned.plan.site.runs.as_ref().and_then(|rules| rules.ttl_seconds_after_finished)
}

/// How long it is until this second.
fn pause(next: i64, now: Timestamp) -> Duration {
    let left = next.saturating_mul(1000).saturating_sub(now.as_millisecond());
    Duration::from_millis(u64::try_from(left).unwrap_or(0)).clamp(SETTLE, LONGEST)
}

/// Whether anything is deleted in the run's namespace: not in a removed project, whose
/// objects are kept.
fn may_go(planned: &Planned, key: &str) -> bool {
    let Some((namespace, _)) = key.split_once('/') else { return false };
    let stays = planned.plan.namespace(namespace).is_none_or(|place| place.retained);
    !stays && !planned.blocked.contains_key(namespace)
}

/// Deletes one run, or requests its own pass to report why it stays.
async fn one(context: &Context, key: &str, default: Option<i64>, now: Timestamp) -> Result<(), Issue> {
    let Some(id) = triggers::id(WorkKind::Run, key) else { return Ok(()) };
    let Some(Ok(object)) = context.store.work_object(&id) else { return Ok(()) };
    let object = report::with_newest_status(context, (*object).clone());
    let Object::Run(run) = &object else { return Ok(()) };
    if expires(run, default).is_none_or(|time| time > now.as_second()) {
        return Ok(());
    }
    if tracker(run).is_some() {
        context.queue.add(Request::Work(id));
        return Ok(());
    }
    delete(context, &id, run).await
}

async fn delete(context: &Context, id: &WorkId, run: &Run) -> Result<(), Issue> {
    let api = Target::work(id, &run.metadata).api(context);
    let preconditions =
        Preconditions { uid: run.metadata.uid.clone(), resource_version: run.metadata.resource_version.clone() };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
    let deletion = api.delete(&id.name, &parameters);
    match request(&context.metrics.requests, "delete", id.kind.name(), deletion).await {
        Ok(_) => info!(run = %id, "deleted a run that ended and is past its time"),
        Err(error) if error.is_missing() => {}
        Err(error) => return Err(error.failure(&format!("delete {id}, which ended and is past its time"))),
    }
    Ok(())
}

#[cfg(test)]
#[path = "expiry_tests.rs"]
mod tests;
