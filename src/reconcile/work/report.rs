//! Writes the status of a member's object, and Events for changes that a person should
//! notice. Unchanged facts are not written again.

use kube::runtime::events::{Event, EventType};
use serde_json::{Value, json};

use crate::api::identity::WorkId;
use crate::api::status::{Condition, ConditionStatus, READY};
use crate::api::work::model_service::MONITOR_PASSING;
use crate::api::{GROUP, Issue, ObjectKey, Reason, VERSION};
use crate::cluster::apply::Outcome;
use crate::cluster::store::Unreadable;
use crate::plan::work::Object;
use crate::reconcile::context::Context;
use crate::reconcile::report::{event, now, tell_of_left, turned};
use crate::reconcile::requeue::Pass;
use crate::reconcile::status_cache::version;
use crate::reconcile::status_writer::StatusWriter;
use crate::reconcile::target::Target;
use crate::reconcile::triggers::compare::metadata;
use crate::status::work::held as held_status;

/// The object with the newest status that is known of it.
pub fn with_newest_status(context: &Context, object: Object) -> Object {
    let newest = context.statuses.newer(object.metadata());
    newest.and_then(|status| object.with_status(status).ok()).unwrap_or(object)
}

/// Writes the status, if it changed, and Events for transitions.
pub async fn report(context: &Context, id: &WorkId, object: &Object, status: Value) -> Result<(), Issue> {
    let writer = StatusWriter { target: Target::work(id, object.metadata()), before: object.status(), turns };
    let read = || context.store.work_object(id).map(|object| version(metadata(&object)));
    writer.write(context, &status, read).await
}

/// Records that a field, which is not applied, was put back from one value to another.
pub fn repaired(
    context: &Context,
    id: &WorkId,
    object: &Object,
    key: &ObjectKey,
    (field, from, to): (&str, &Value, &Value),
    by: Option<&str>,
) {
    context.metrics.repairs.inc();
    let [from, to] = [from, to].map(|value| if value.is_null() { "none".to_owned() } else { value.to_string() });
    let by = by.map_or_else(String::new, |by| format!(", last written by {by}"));
    let note = format!("put spec.{field} of {key} back from {from} to {to}{by}");
    context.events.record(Target::work(id, object.metadata()).reference(), event(EventType::Warning, "Repaired", note));
}

/// Records that a version is no longer serving, whatever `Ready` was before.
fn stopped(before: &Value, after: &Value) -> Option<Event> {
    let was = before["serving"].as_str().filter(|_| after.get("releases").is_some() && after["serving"].is_null())?;
    let why = condition(after, READY).map_or_else(String::new, |ready| format!(": {}", ready.message));
    Some(event(EventType::Warning, "NothingServes", format!("version {was} is no longer serving{why}")))
}

/// Records once the fields that admission adds to its objects.
pub fn left(context: &Context, id: &WorkId, object: &Object, outcome: &Outcome) {
    tell_of_left(context, &Target::work(id, object.metadata()).reference(), outcome);
}

/// The transitions between two statuses, as Events: the object's readiness, and
/// the verdict of its monitor.
fn turns(before: &Value, after: &Value) -> Vec<Event> {
    let both = |type_: &str| [before, after].map(|status| condition(status, type_));
    let ([was, is], [said, says]) = (both(READY), both(MONITOR_PASSING));
    let mut events: Vec<Event> = turned(was.as_ref(), is.as_ref()).into_iter().collect();
    events.extend(stopped(before, after));
    let passes = says.as_ref().is_some_and(|says| says.status == ConditionStatus::True);
    // A passing monitor is news only after it failed.
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

/// Reports that nothing is written for the object now, and why; the other facts in its
/// status stay.
pub async fn held(context: &Context, id: &WorkId, object: &Object, failure: &Issue) -> Result<(), Issue> {
    report(context, id, object, held_status(object, failure, &now())).await
}

/// The same, of an object that goes on changing while it is held: `shown` has it as it is.
pub async fn held_as(
    context: &Context,
    id: &WorkId,
    object: &Object,
    shown: &Object,
    failure: &Issue,
) -> Result<(), Issue> {
    report(context, id, object, held_status(shown, failure, &now())).await
}

/// An object that this version cannot read is not changed, and its status says so.
pub async fn unreadable(context: &Context, id: &WorkId, known: &Unreadable) -> Pass {
    let message = format!("this version of Strata cannot read the object: {}", known.error);
    // Where even a bare object of the kind is unreadable, nothing can be reported.
    if let Some(object) = bare(id, known) {
        let object = with_newest_status(context, object);
        held(context, id, &object, &Issue::new(Reason::Invalid, message)).await?;
    }
    Ok(None)
}

/// The object without its spec, with the status that it has.
pub fn bare(id: &WorkId, known: &Unreadable) -> Option<Object> {
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
    let bare = Object::read(id.kind, &bare).ok()?;
    Some(bare.with_status(known.status.clone()).unwrap_or(bare))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::{Finding, conditions};

    #[test]
    fn an_unreadable_object_of_each_kind_has_a_bare_form() {
        for kind in crate::api::work::WorkKind::ALL.iter().copied() {
            let id = WorkId { kind, namespace: "abc--p".to_owned(), name: "x".to_owned() };
            let known = Unreadable { spec: json!({"steps": 7}), status: json!({"x": 1}), ..Unreadable::default() };
            assert!(bare(&id, &known).is_some(), "{kind}");
        }
    }

    fn status(monitor: Option<(bool, Reason)>) -> Value {
        let ready = Finding::new(READY, true, Reason::Ready, "version 1 serves");
        let monitor = monitor.map(|(passes, reason)| Finding::new(MONITOR_PASSING, passes, reason, "said"));
        let findings: Vec<Finding> = std::iter::once(ready).chain(monitor).collect();
        json!({"conditions": conditions(&[], &findings, 1, &now())})
    }

    #[test]
    fn a_verdict_is_reported_when_it_turns() {
        let (ok, drift) = (Some((true, Reason::Ready)), Some((false, Reason::Drift)));
        let failed = Some((false, Reason::MonitorFailed));
        for (before, after, expected) in [
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
            assert_eq!(reasons, expected.into_iter().collect::<Vec<_>>(), "{before:?} {after:?}");
        }
    }

    #[test]
    fn the_end_of_serving_is_reported_whatever_was_ready() {
        let service = |serving: Option<&str>| {
            let mut status = status(None);
            status["releases"] = json!([{"version": "1"}]);
            status["serving"] = json!(serving);
            status
        };
        let reasons = |before: Option<&str>, after: Option<&str>| {
            let events = turns(&service(before), &service(after)).into_iter();
            events.map(|event| event.reason).collect::<Vec<_>>()
        };
        assert_eq!(reasons(Some("1"), None), ["NothingServes"]);
        for (before, after) in [(None, None), (None, Some("1")), (Some("1"), Some("1")), (Some("1"), Some("2"))] {
            assert!(reasons(before, after).is_empty(), "{before:?} {after:?}");
        }
    }
}
