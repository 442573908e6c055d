//! The work objects in a team's status: production apart from all
//! others, and a bounded list of objects that are not ready.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::reason::Class;
use crate::api::status::Finding;
use crate::api::team_status::{ComponentState, ComponentStatus, PRODUCTION_READY, ProductionStatus};
use crate::api::work::WorkKind;
use crate::api::{Layer, Reason, text};
use crate::plan::Plan;
use crate::status::health::summary::WorkHealth;

/// How many work objects a team's status lists.
const LISTED: usize = 100;
/// How many models in production a team's status lists.
const PRODUCTION: usize = 128;

/// Whether all models and schedules in production are as asked.
#[must_use]
pub fn ready(work: &[WorkHealth]) -> Finding {
    let production: Vec<&WorkHealth> = work.iter().filter(|object| object.in_production()).collect();
    let failing: Vec<&&WorkHealth> = production.iter().filter(|object| !object.ready).collect();
    let Some(first) = failing.first() else {
        let models = production.iter().filter(|object| object.id.kind == WorkKind::ModelService).count();
        return match production.len() {
            0 => Finding::new(PRODUCTION_READY, true, Reason::NotRequested, "nothing is in production yet"),
            all => Finding::new(
                PRODUCTION_READY,
                true,
                Reason::Ready,
                format!("{} and {} in production", counted(models, "model"), counted(all - models, "schedule")),
            ),
        };
    };
    let more = if failing.len() > 1 { format!(" (and {} more)", failing.len() - 1) } else { String::new() };
    let message = format!("{}: {}{more}", first.id, text::message(&first.message, 800));
    Finding::new(PRODUCTION_READY, false, first.known_reason(), message)
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// How many models and schedules in production are ready, and how many there are.
#[must_use]
pub fn counts(work: &[WorkHealth]) -> (usize, usize) {
    let production = work.iter().filter(|object| object.in_production());
    production.fold((0, 0), |(ready, all), object| (ready + usize::from(object.ready), all + 1))
}

/// The worst object in production, if any is not ready.
#[must_use]
pub fn failing(work: &[WorkHealth]) -> Option<String> {
    let worst = work.iter().find(|object| object.in_production() && !object.ready)?;
    Some(format!("{} ({})", worst.id.name, worst.id.namespace))
}

/// The models in production, those that are not ready first.
#[must_use]
pub fn models(before: &[ProductionStatus], work: &[WorkHealth], now: &Time) -> Vec<ProductionStatus> {
    let models = work.iter().filter(|object| object.id.kind == WorkKind::ModelService && object.layer == Layer::Live);
    models
        .take(PRODUCTION)
        .map(|model| {
            let project = model.project.clone().unwrap_or_default();
            let known = before
                .iter()
                .find(|old| old.project == project && old.name == model.id.name && old.ready == model.ready);
            let [wanted, serving, digest, endpoint] = model.serving.clone();
            ProductionStatus {
                last_transition_time: known
                    .and_then(|old| old.last_transition_time.clone())
                    .or_else(|| model.since.clone())
                    .or_else(|| Some(now.clone())),
                name: model.id.name.clone(),
                project,
                wanted,
                serving,
                digest,
                ready: model.ready,
                endpoint,
            }
        })
        .collect()
}

/// The work objects that are not ready, and how many of them are left out.
#[must_use]
pub fn not_ready(before: &[ComponentStatus], work: &[WorkHealth], now: &Time) -> (Vec<ComponentStatus>, usize) {
    let failing: Vec<&WorkHealth> = work.iter().filter(|object| !object.ready).collect();
    let listed = failing.iter().take(LISTED).map(|object| component(before, object, now)).collect();
    (listed, failing.len().saturating_sub(LISTED))
}

fn component(before: &[ComponentStatus], work: &WorkHealth, now: &Time) -> ComponentStatus {
    let object = Some(format!("{} {}", work.id.kind, work.id.name));
    let state = if work.class() == Class::Invalid { ComponentState::Failed } else { ComponentState::Progressing };
    let known =
        before.iter().find(|old| old.object == object && old.namespace == work.id.namespace && old.state == state);
    ComponentStatus {
        layer: work.layer,
        project: work.project.clone(),
        capability: work.id.kind.capability(),
        object,
        engine: work.engine.clone(),
        revision: None,
        namespace: work.id.namespace.clone(),
        state,
        last_transition_time: known
            .and_then(|old| old.last_transition_time.clone())
            .or_else(|| work.since.clone())
            .or_else(|| Some(now.clone())),
        reason: work.reason.clone(),
        message: Some(text::message(&work.message, 256)),
        endpoint: None,
    }
}

/// Gaps in production, as advice.
#[must_use]
pub fn lacking(plan: &Plan, work: &[WorkHealth]) -> Vec<String> {
    let live = plan.namespaces.iter().filter(|place| place.layer == Layer::Live && !place.retained);
    let empty =
        live.filter(|place| !work.iter().any(|object| object.id.namespace == place.name && object.in_production()));
    let empty = empty.map(|place| {
        let project = place.project.as_deref().unwrap_or_default();
        format!("project {project} has a Live side without a model or a schedule")
    });
    let gateway = plan.site.ingress.as_ref().is_some_and(|ingress| ingress.gateway.is_some());
    let uncalled = work.iter().filter(move |object| {
        object.id.kind == WorkKind::ModelService && object.layer == Layer::Live && !object.called && !gateway
    });
    let uncalled = uncalled.map(|object| format!("{} has no customers, so no pod may call it", object.id));
    empty.chain(uncalled).take(16).collect()
}
