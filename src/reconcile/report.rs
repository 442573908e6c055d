//! Writes the status of a team, and Events for changes that a person should notice.
//! Unchanged facts are not written again.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::runtime::events::{Event, EventType};
use tracing::info;

use crate::api::kinds::built_in;
use crate::api::reason::Class;
use crate::api::status::{Condition, READY};
use crate::api::team_status::ComponentState;
use crate::api::{AITeam, AITeamStatus, Issue, ObjectKey, Reason};
use crate::plan::Retained;
use crate::reconcile::context::Context;
use crate::reconcile::status_cache::version;
use crate::reconcile::status_writer::StatusWriter;
use crate::reconcile::target::Target;
use crate::reconcile::triggers::compare::metadata;
use crate::status::team::held as held_status;

/// The current time, to the second, as in conditions.
#[must_use]
pub fn now() -> Time {
    let now = k8s_openapi::jiff::Timestamp::now();
    Time(k8s_openapi::jiff::Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// The team with the newest status that is known of it.
#[must_use]
pub fn with_newest_status(context: &Context, mut team: AITeam) -> AITeam {
    let newest = context.statuses.newer(&team.metadata);
    team.status = newest.and_then(|status| serde_json::from_value(status).ok()).or(team.status);
    team
}

/// Writes the status of a team, if it changed, and Events for the conditions that turned.
pub async fn report(context: &Context, team: &AITeam, status: AITeamStatus) -> Result<(), Issue> {
    let target = Target::of::<AITeam>(&team.metadata);
    let writer = StatusWriter { target, before: team.status.clone().unwrap_or_default(), turns };
    let read = || context.store.teams.get(team.name()).map(|team| version(metadata(&team)));
    writer.write(context, &status, read).await
}

/// Reports that the team is held, with the cause; the rest of its status stays.
pub async fn held(context: &Context, team: &AITeam, issue: &Issue) -> Result<(), Issue> {
    report(context, team, held_status(team, issue, &now())).await
}

/// The transitions between two statuses, as Events.
fn turns(before: &AITeamStatus, after: &AITeamStatus) -> Vec<Event> {
    let mut events = Vec::new();
    let ready = |status: &AITeamStatus| status.conditions.iter().find(|condition| condition.type_ == READY).cloned();
    let (old, new) = (ready(before), ready(after));
    events.extend(turned(old.as_ref(), new.as_ref()));
    let failed = |status: &AITeamStatus| -> BTreeSet<(String, String)> {
        let failed = status
            .components
            .iter()
            // Work has Events of its own.
            .filter(|component| component.state == ComponentState::Failed && component.object.is_none());
        failed.map(|component| (component.namespace.clone(), component.engine.clone())).collect()
    };
    for (namespace, engine) in failed(after).difference(&failed(before)) {
        let component =
            after.components.iter().find(|component| component.namespace == *namespace && component.engine == *engine);
        let message = component.and_then(|component| component.message.clone()).unwrap_or_default();
        events.push(event(EventType::Warning, "ComponentFailed", format!("{engine} in {namespace}: {message}")));
    }
    events
}

/// The Event of a condition that turned, if that is news.
#[must_use]
pub fn turned(old: Option<&Condition>, new: Option<&Condition>) -> Option<Event> {
    let new = new.filter(|new| is_news(&new.reason))?;
    old.is_none_or(|old| old.status != new.status || old.reason != new.reason).then(|| of_condition(new))
}

fn known(word: &str) -> Option<Reason> {
    Reason::ALL.iter().map(|(reason, _)| *reason).find(|reason| reason.name() == word)
}

/// The first transitions of every new team are not recorded.
fn is_news(word: &str) -> bool {
    !matches!(known(word), Some(Reason::Progressing | Reason::TeamNotReady | Reason::Unschedulable | Reason::ApiError))
}

fn of_condition(condition: &Condition) -> Event {
    let type_ = match known(&condition.reason) {
        Some(Reason::Suspended | Reason::Deleting) => EventType::Normal,
        Some(reason) if reason.class() == Class::Fine => EventType::Normal,
        _ => EventType::Warning,
    };
    event(type_, &condition.reason, condition.message.clone())
}

/// An Event of a finding of a reconcile.
#[must_use]
pub fn event(type_: EventType, reason: &str, note: impl Into<String>) -> Event {
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(crate::api::text::message(&note.into(), 1000)),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

/// Records repaired objects.
pub fn tell_of_repairs(context: &Context, team: &AITeam, outcome: &crate::cluster::apply::Outcome) {
    let name = team.metadata.name.as_deref().unwrap_or_default();
    for (key, by) in crate::status::health::repaired(outcome) {
        context.metrics.repairs.inc();
        let by = by.map_or_else(String::new, |by| format!(", last written by {by}"));
        info!(team = name, object = %key, "put back{by}");
        let recorded = Event {
            secondary: Some(reference(key)),
            ..event(EventType::Normal, "Repaired", format!("put back {key}{by}"))
        };
        context.events.record_repeating(team.object_ref(&()), recorded);
    }
    tell_of_left(context, &team.object_ref(&()), outcome);
    for key in outcome
        .removed
        .iter()
        .filter(|key| key.built_in() == "RoleBinding" && !crate::cluster::apply::has_reserved_name(key))
    {
        let note = format!("removed {key}: only the AITeam gives rights to people");
        let recorded =
            Event { secondary: Some(reference(key)), ..event(EventType::Warning, "ForeignBindingRemoved", note) };
        context.events.record_repeating(team.object_ref(&()), recorded);
    }
}

/// Records namespaces and components that left the spec, retained or deleted.
pub fn tell_of_losses(context: &Context, team: &AITeam, left: &[Retained], outcome: &crate::cluster::apply::Outcome) {
    let kept = left.iter().filter(|left| !left.frozen);
    let kept = kept.map(|left| {
        let key = ObjectKey::new("", "Namespace", None, &left.namespace);
        let note = format!("{key} left the spec: it is retained with its data, and people lose their rights there");
        (key, EventType::Warning, "LeftSpec", note)
    });
    let stores = |key: &&ObjectKey| {
        matches!(key.built_in(), "Namespace" | "PersistentVolumeClaim" | "StatefulSet" | "Deployment")
    };
    let gone = outcome.removed.iter().filter(stores);
    let gone = gone.map(|key| {
        (key.clone(), EventType::Warning, "Removed", format!("removed {key}: the spec no longer asks for it"))
    });
    for (key, type_, reason, note) in kept.chain(gone) {
        let recorded = Event { secondary: Some(reference(&key)), ..event(type_, reason, note) };
        context.events.record(team.object_ref(&()), recorded);
    }
}

/// Records once the fields that admission adds to objects.
pub fn tell_of_left(context: &Context, about: &ObjectReference, outcome: &crate::cluster::apply::Outcome) {
    for (key, fields) in &outcome.left {
        let fields = fields.join(", ");
        info!(object = %key, fields, "admission adds fields, which are kept");
        let note = format!("admission adds fields to {key}, which are kept: {fields}");
        let recorded = Event { secondary: Some(reference(key)), ..event(EventType::Normal, "AdditionLeft", note) };
        context.events.record_repeating(about.clone(), recorded);
    }
}

/// The object that an Event is also about. It keeps Events of the same reason apart.
fn reference(key: &ObjectKey) -> ObjectReference {
    ObjectReference {
        api_version: built_in(&key.group, &key.kind).map(|kind| match kind.group {
            "" => kind.version.to_owned(),
            group => format!("{group}/{}", kind.version),
        }),
        kind: Some(key.kind.clone()),
        namespace: key.namespace.clone(),
        name: Some(key.name.clone()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::status::{Finding, conditions};

    fn status(reason: Reason, message: &str) -> AITeamStatus {
        let finding = Finding::new(READY, reason == Reason::Ready, reason, message);
        AITeamStatus { conditions: conditions(&[], &[finding], 1, &now()), ..AITeamStatus::default() }
    }

    /// While Events get no answer, a status does.
    #[tokio::test(start_paused = true)]
    async fn three_hundred_events_do_not_delay_a_status() {
        let client = crate::cluster::fake_api::client(|asked| async move {
            let team =
                serde_json::json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam", "metadata": {}});
            if asked.path.ends_with("/events") { std::future::pending().await } else { (200, team) }
        });
        let context =
            Context::new(client, "test".to_owned(), Arc::default(), std::time::Duration::from_secs(200), None);
        let (events, client, reporter) = context.posting();
        let posting = tokio::spawn(async move { events.post(client, reporter).await });
        let team = AITeam::new("a", crate::api::AITeamSpec::default());
        let mut outcome = crate::cluster::apply::Outcome::default();
        for number in 0..300 {
            let key = ObjectKey::new("", "ConfigMap", Some("a--first"), &format!("m{number}"));
            outcome.results.insert(key, crate::cluster::apply::Result::Repaired { by: None });
        }
        let begun = tokio::time::Instant::now();
        tell_of_repairs(&context, &team, &outcome);
        report(&context, &team, status(Reason::Conflict, "d")).await.unwrap();
        assert_eq!(begun.elapsed(), std::time::Duration::ZERO, "it waited for an Event");
        posting.abort();
    }

    #[test]
    fn only_turned_conditions_are_reported() {
        let progressing = status(Reason::Progressing, "a");
        assert!(turns(&AITeamStatus::default(), &progressing).is_empty());
        assert!(turns(&progressing, &status(Reason::Progressing, "b")).is_empty());
        assert_eq!(turns(&progressing, &status(Reason::Ready, "c"))[0].reason, "Ready");
        let conflict = turns(&progressing, &status(Reason::Conflict, "d"));
        assert!(matches!(conflict[0].type_, EventType::Warning));
    }
}
