//! Writes what was found of a work object: its status, and an Event
//! where a person should notice. Unchanged facts are not written again.

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ObjectMeta, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use serde_json::{Value, json};

use crate::api::identity::WorkId;
use crate::api::status::{Condition, ConditionStatus, READY};
use crate::api::work::model_service::MONITOR_PASSING;
use crate::api::{GROUP, Reason, VERSION, labels};
use crate::cluster::apply::Outcome;
use crate::cluster::error::Failure;
use crate::cluster::key::ObjectKey;
use crate::cluster::queue::RequeueAfter;
use crate::cluster::request::request;
use crate::cluster::store::Unreadable;
use crate::plan::work::Object;
use crate::reconcile::context::Context;
use crate::reconcile::report::{event, now, tell_of_left, turned};
use crate::status::work::held as held_status;

/// How the kind of the object is reached.
pub fn resource(id: &WorkId) -> ApiResource {
    let gvk = GroupVersionKind::gvk(GROUP, VERSION, id.kind.name());
    ApiResource::from_gvk_with_plural(&gvk, id.kind.plural())
}

fn version(metadata: &ObjectMeta) -> u64 {
    let version = metadata.resource_version.as_deref();
    version.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The object with the newest status that is known of it.
pub fn with_newest_status(context: &Context, object: Object) -> Object {
    let uid = object.metadata().uid.as_deref().unwrap_or_default();
    let newest = context.told.newer(uid, version(object.metadata()));
    newest.and_then(|status| object.with_status(status).ok()).unwrap_or(object)
}

/// Writes the status, if it changed, and Events for transitions.
pub async fn report(context: &Context, id: &WorkId, object: &Object, status: Value) -> Result<(), Failure> {
    let before = object.status();
    if before == status {
        return Ok(());
    }
    let uid = object.metadata().uid.clone().unwrap_or_default();
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &id.namespace, &resource(id));
    let patch = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": id.kind.name(),
        "metadata": {"name": id.name, "namespace": id.namespace, "uid": uid}, "status": status,
    });
    let parameters = PatchParams::apply(labels::STATUS_FIELD_MANAGER).force();
    let patch = Patch::Apply(&patch);
    let write = api.patch_status(&id.name, &parameters, &patch);
    let written = match request(&context.metrics.requests, "apply status", id.kind.name(), write).await {
        Ok(written) => written,
        // It went meanwhile: there is nobody left to tell.
        Err(error) if error.is_missing() => return Ok(()),
        Err(error) => return Err(error.failure(&format!("write the status of {id}"))),
    };
    let read = || match context.store.work_object(id) {
        Some(Ok(object)) => version(object.metadata()),
        Some(Err(object)) => version(&object.metadata),
        // It is gone by now, and there is nothing to be remembered of it.
        None => u64::MAX,
    };
    context.told.remember(&uid, version(&written.metadata), status.clone(), read);
    for event in turns(&before, &status) {
        context.events.record(reference(id, object), event);
    }
    Ok(())
}

/// Records that a service had been scaled to 0 and was put back.
pub fn repaired(context: &Context, id: &WorkId, object: &Object, key: &ObjectKey, replicas: i32, by: Option<&str>) {
    context.metrics.repairs.inc();
    let by = by.map_or_else(String::new, |by| format!(", last written by {by}"));
    let note = format!("put {key} back to {replicas} replicas, from 0{by}");
    context.events.record(reference(id, object), event(EventType::Warning, "Repaired", note));
}

/// Records that a version is no longer serving, whatever `Ready` was before.
fn stopped(before: &Value, after: &Value) -> Option<Event> {
    let was = before["serving"].as_str().filter(|_| after.get("releases").is_some() && after["serving"].is_null())?;
    let why = condition(after, READY).map_or_else(String::new, |ready| format!(": {}", ready.message));
    Some(event(EventType::Warning, "NothingServes", format!("version {was} is no longer serving{why}")))
}

/// Records once the fields that admission adds to its objects.
pub fn left(context: &Context, id: &WorkId, object: &Object, outcome: &Outcome) {
    tell_of_left(context, &reference(id, object), outcome);
}

/// The transitions between two statuses, as Events: the object's readiness, and
/// the verdict of its monitor.
fn turns(before: &Value, after: &Value) -> Vec<Event> {
    let both = |type_: &str| [before, after].map(|status| condition(status, type_));
    let ([was, is], [said, says]) = (both(READY), both(MONITOR_PASSING));
    let mut events: Vec<Event> = turned(was.as_ref(), is.as_ref()).into_iter().collect();
    events.extend(stopped(before, after));
    let passes = says.as_ref().is_some_and(|says| says.status == ConditionStatus::True);
    // That a monitor finds nothing is news only after it found something.
    if !(passes && said.is_none())
        && let Some(mut event) = turned(said.as_ref(), says.as_ref())
    {
        if passes {
            MONITOR_PASSING.clone_into(&mut event.reason);
        }
        events.push(event);
    }
    events
}

fn condition(status: &Value, type_: &str) -> Option<Condition> {
    let conditions: Vec<Condition> = serde_json::from_value(status["conditions"].clone()).ok()?;
    conditions.into_iter().find(|condition| condition.type_ == type_)
}

/// The object as Events name it.
fn reference(id: &WorkId, object: &Object) -> k8s_openapi::api::core::v1::ObjectReference {
    k8s_openapi::api::core::v1::ObjectReference {
        api_version: Some(format!("{GROUP}/{VERSION}")),
        kind: Some(id.kind.name().to_owned()),
        namespace: Some(id.namespace.clone()),
        name: Some(id.name.clone()),
        uid: object.metadata().uid.clone(),
        ..Default::default()
    }
}

/// Says that nothing is written for the object now, and why; what was known of
/// it stays.
pub async fn held(context: &Context, id: &WorkId, object: &Object, failure: &Failure) -> Result<(), Failure> {
    report(context, id, object, held_status(object, failure, &now())).await
}

/// The same, of an object that goes on changing while it is held: `shown` has it as it is.
pub async fn held_as(
    context: &Context,
    id: &WorkId,
    object: &Object,
    shown: &Object,
    failure: &Failure,
) -> Result<(), Failure> {
    report(context, id, object, held_status(shown, failure, &now())).await
}

/// An object that this version cannot read is not changed, and its status says so.
pub async fn unreadable(context: &Context, id: &WorkId, known: &Unreadable) -> Result<RequeueAfter, Failure> {
    let message = format!("this version of Strata cannot read the object: {}", known.error);
    let mut bare = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": id.kind.name(), "metadata": known.metadata, "spec": {},
    });
    for (field, filler) in [
        ("image", json!("-")),
        ("owner", json!("-")),
        ("pipeline", json!("-")),
        ("steps", json!([])),
        ("model", json!({"name": "-"})),
    ] {
        bare["spec"][field] = filler;
    }
    // What even a bare object of the kind cannot carry cannot be told.
    if let Ok(bare) = Object::read(id.kind, &bare) {
        let object = bare.with_status(known.status.clone()).unwrap_or(bare);
        let object = with_newest_status(context, object);
        held(context, id, &object, &Failure::new(Reason::Invalid, message)).await?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::{Finding, conditions};

    fn status(monitor: Option<(bool, Reason)>) -> Value {
        let ready = Finding::new(READY, true, Reason::Ready, "version 1 serves");
        let monitor = monitor.map(|(passes, reason)| Finding::new(MONITOR_PASSING, passes, reason, "said"));
        let findings: Vec<Finding> = std::iter::once(ready).chain(monitor).collect();
        json!({"conditions": conditions(&[], &findings, 1, &now())})
    }

    #[test]
    fn what_a_monitor_says_is_told_when_it_turns() {
        let (ok, drift) = (Some((true, Reason::Ready)), Some((false, Reason::Drift)));
        let failed = Some((false, Reason::MonitorFailed));
        for (before, after, told) in [
            (None, ok, None),
            (None, drift, Some("Drift")),
            (ok, ok, None),
            (ok, drift, Some("Drift")),
            (drift, drift, None),
            (drift, failed, Some("MonitorFailed")),
            (failed, ok, Some("MonitorPassing")),
            (drift, None, None),
        ] {
            let events = turns(&status(before), &status(after));
            let reasons: Vec<&str> = events.iter().map(|event| event.reason.as_str()).collect();
            assert_eq!(reasons, told.into_iter().collect::<Vec<_>>(), "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_does_not_serve_any_more_is_told_whatever_was_ready() {
        let service = |serving: Option<&str>| {
            let mut status = status(None);
            status["releases"] = json!([{"version": "1"}]);
            status["serving"] = json!(serving);
            status
        };
        let told = |before: Option<&str>, after: Option<&str>| {
            let events = turns(&service(before), &service(after)).into_iter();
            events.map(|event| event.reason).collect::<Vec<_>>()
        };
        assert_eq!(told(Some("1"), None), ["NothingServes"]);
        for (before, after) in [(None, None), (None, Some("1")), (Some("1"), Some("1")), (Some("1"), Some("2"))] {
            assert!(told(before, after).is_empty(), "{before:?} {after:?}");
        }
    }
}
