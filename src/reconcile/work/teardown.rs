//! Takes away what was written for a work object that is deleted, and
//! lets the object go once that is done.
//!
//! A finalizer is on those whose deletion means something: a workbench (nobody
//! else may come in while its pod is there), what serves, what is scheduled.

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::json;

use super::{has_finalizer, report};
use crate::api::identity::{Request, WorkId};
use crate::api::work::WorkKind;
use crate::api::work::workbench::HomeReclaim;
use crate::api::{Layer, Reason, labels};
use crate::cluster::apply::Outcome;
use crate::cluster::error::Failure;
use crate::cluster::key::ObjectKey;
use crate::cluster::queue::RequeueAfter;
use crate::cluster::request::request;
use crate::plan::work::Object;
use crate::reconcile::context::Context;
use crate::reconcile::snapshot::Planned;
use crate::reconcile::teardown::kind_is_going;

/// Whether the object must stay until its written objects are deleted.
pub fn needs_finalizer(object: &Object, planned: &Planned, id: &WorkId) -> bool {
    let live = planned.plan.namespace(&id.namespace).is_some_and(|place| place.layer == Layer::Live);
    let wanted = match object {
        Object::Workbench(_) | Object::ModelService(_) => true,
        Object::Pipeline(pipeline) => live && pipeline.spec.schedule.is_some(),
        Object::Component(_) | Object::Dataset(_) | Object::Run(_) => false,
    };
    wanted && !has_finalizer(object)
}

/// Sets the finalizer before the first write, so that no object is left behind.
pub async fn add(context: &Context, id: &WorkId, object: &Object) -> Result<(), Failure> {
    let mut all = object.metadata().finalizers.clone().unwrap_or_default();
    all.push(labels::FINALIZER.to_owned());
    set(context, id, object, &all).await
}

async fn set(context: &Context, id: &WorkId, object: &Object, finalizers: &[String]) -> Result<(), Failure> {
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &id.namespace, &report::resource(id));
    let metadata = object.metadata();
    let patch = json!({"metadata": {
        "finalizers": finalizers, "uid": metadata.uid, "resourceVersion": metadata.resource_version,
    }});
    let parameters = PatchParams { field_manager: Some(labels::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(&patch);
    let set = api.patch_metadata(&id.name, &parameters, &patch);
    match request(&context.metrics.requests, "patch", id.kind.name(), set).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_missing() => Ok(()),
        Err(error) => Err(error.failure(&format!("set the finalizer of {id}"))),
    }
}

/// Deletes the written objects, and then removes the finalizer.
pub async fn teardown(context: &Context, id: &WorkId, object: &Object) -> Result<RequeueAfter, Failure> {
    if !has_finalizer(object) {
        return Ok(None);
    }
    if !let_go(context, id).await? && !take_away(context, id, object).await? {
        return Ok(None);
    }
    let rest = object.metadata().finalizers.iter().flatten().filter(|known| *known != labels::FINALIZER);
    set(context, id, object, &rest.cloned().collect::<Vec<_>>()).await?;
    context.told.forget(object.metadata().uid.as_deref().unwrap_or_default());
    Ok(None)
}

/// Whether nothing is to be removed by us: the namespace takes everything along,
/// it is no team's, or the kind itself is being removed, which is nobody's wish
/// for this object.
async fn let_go(context: &Context, id: &WorkId) -> Result<bool, Failure> {
    let space = context.cache.get(&ObjectKey::new("", "Namespace", None, &id.namespace));
    if space.is_none_or(|space| space.deleting || !space.is_ours()) {
        return Ok(true);
    }
    kind_is_going(context, id.kind.plural()).await
}

/// Deletes everything. Returns whether the deletion is complete.
async fn take_away(context: &Context, id: &WorkId, object: &Object) -> Result<bool, Failure> {
    let owner = Request::Work(id.clone());
    let mut outcome = Outcome::default();
    context.applier.prune_daily(&owner, &std::collections::BTreeSet::new(), &mut outcome).await;
    let left = context.cache.of(&owner).into_iter();
    let waits = match id.kind {
        // Whoever is in the pod of a workbench is let in by the rule on this object. A
        // pod made a moment ago may not be known yet, and its StatefulSet is.
        WorkKind::Workbench => left.filter(|(key, _)| matches!(key.kind.as_str(), "Pod" | "StatefulSet")).count(),
        _ => {
            left.filter(|(key, entry)| matches!(key.kind.as_str(), "Deployment" | "CronJob") && !entry.deleting).count()
        }
    };
    if let Some((_, failure)) = outcome.failures().next() {
        report::held(context, id, object, failure).await?;
        return Err(failure.clone());
    }
    if waits > 0 {
        let message = format!("waiting until the pods of {id} are gone");
        report::held(context, id, object, &Failure::new(Reason::Deleting, message)).await?;
        return Ok(false);
    }
    if let Object::Workbench(workbench) = object
        && workbench.spec.reclaim == HomeReclaim::Delete
    {
        let home = ObjectKey::new("", "PersistentVolumeClaim", Some(&id.namespace), &format!("workbench-{}", id.name));
        // A home of that name may be another's, of a workbench before this one.
        let whose =
            context.cache.get(&home).map(|entry| entry.view.state()["metadata"]["annotations"][labels::OWNER].clone());
        if whose.is_some_and(|whose| whose == workbench.spec.owner) {
            context.applier.remove_one(&home, &mut outcome).await;
        }
        if let Some((_, failure)) = outcome.failures().next() {
            return Err(failure.clone());
        }
    }
    Ok(true)
}
