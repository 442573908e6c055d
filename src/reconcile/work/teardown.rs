//! Removes what was written for a deleted member's object, and then removes the object's
//! finalizer.
//!
//! Objects whose deletion has consequences have a finalizer: workbenches (nobody else may
//! enter while the pod exists), serving models, schedules.

use super::report;
use super::written::written_for;
use crate::api::identity::WorkId;
use crate::api::work::WorkKind;
use crate::api::work::workbench::HomeReclaim;
use crate::api::{Issue, Layer, ObjectKey, Reason, labels};
use crate::cluster::apply::Outcome;
use crate::plan::work::Object;
use crate::reconcile::context::Context;
use crate::reconcile::finalizer;
use crate::reconcile::requeue::Pass;
use crate::reconcile::snapshot::Planned;
use crate::reconcile::target::Target;
use crate::reconcile::teardown::kind_is_going;

/// Whether the object must stay until its written objects are deleted.
pub fn needs_finalizer(object: &Object, planned: &Planned, id: &WorkId) -> bool {
    let live = planned.plan.namespace(&id.namespace).is_some_and(|place| place.layer == Layer::Live);
    match object {
        Object::Workbench(_) | Object::ModelService(_) => true,
        Object::Pipeline(pipeline) => live && pipeline.spec.schedule.is_some(),
        Object::Component(_) | Object::Dataset(_) | Object::Run(_) => false,
    }
}

/// Deletes the written objects, and then removes the finalizer.
pub async fn teardown(context: &Context, id: &WorkId, object: &Object) -> Pass {
    if !finalizer::is_set(object.metadata()) {
        return Ok(None);
    }
    if !let_go(context, id).await? && !take_away(context, id, object).await? {
        return Ok(None);
    }
    finalizer::remove(context, &Target::work(id, object.metadata())).await?;
    context.statuses.forget(object.metadata().uid.as_deref().unwrap_or_default());
    Ok(None)
}

/// Whether we remove nothing: the namespace is being deleted with everything in it, it is
/// no team's, or the kind itself is being deleted, which nobody wants for this object.
async fn let_go(context: &Context, id: &WorkId) -> Result<bool, Issue> {
    let space = context.cache.get(&ObjectKey::new("", "Namespace", None, &id.namespace));
    if space.is_none_or(|space| space.deleting || !space.is_ours()) {
        return Ok(true);
    }
    kind_is_going(context, id.kind.plural()).await
}

/// Deletes everything. Returns whether the deletion is complete.
async fn take_away(context: &Context, id: &WorkId, object: &Object) -> Result<bool, Issue> {
    let mut outcome = Outcome::default();
    context.applier.prune_work(written_for(context, id), &std::collections::BTreeSet::new(), &mut outcome).await;
    let left = written_for(context, id).into_iter();
    let waits = match id.kind {
        // While the pod exists, the Workbench object decides who may enter it. A new pod
        // may not be known yet, but its StatefulSet is.
        WorkKind::Workbench => left.filter(|(key, _)| matches!(key.built_in(), "Pod" | "StatefulSet")).count(),
        _ => left.filter(|(key, entry)| matches!(key.built_in(), "Deployment" | "CronJob") && !entry.deleting).count(),
    };
    if let Some((_, failure)) = outcome.failures().next() {
        report::held(context, id, object, failure).await?;
        return Err(failure.clone());
    }
    if waits > 0 {
        let message = format!("waiting until the pods of {id} are gone");
        report::held(context, id, object, &Issue::new(Reason::Deleting, message)).await?;
        return Ok(false);
    }
    if let Object::Workbench(workbench) = object
        && workbench.spec.reclaim == HomeReclaim::Delete
    {
        let home = ObjectKey::new("", "PersistentVolumeClaim", Some(&id.namespace), &format!("workbench-{}", id.name));
        // A home of that name may be another's, of a workbench before this one.
        let there = context.cache.get(&home).and_then(|entry| entry.state.workload().ok().flatten());
        if there.is_some_and(|there| there.annotation(labels::OWNER) == Some(&workbench.spec.owner)) {
            context.applier.remove_one(&home, &mut outcome).await;
        }
        if let Some((_, failure)) = outcome.failures().next() {
            return Err(failure.clone());
        }
    }
    Ok(true)
}
