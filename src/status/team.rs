//! The status of a team, from its health.
//!
//! Pure: the time is handed in, and is used only where something changed.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::reason::Class;
use crate::api::status::{ConditionStatus, Finding, READY, RECONCILING, STALLED, conditions};
use crate::api::team_status::{
    AITeamStatus, ALL_FIELDS_SUPPORTED, BACKBONE_READY, BudgetStatus, ComponentState, ComponentStatus, MissingSecret,
    NamespaceStatus, PRODUCTION_READY, PROJECTS_READY, SHARED_READY, STAFFING_COMPLETE, Summary,
};
use crate::api::{AITeam, Condition, Issue, Layer, ObjectKey, Reason, text};
use crate::cluster::cache::ObjectCache;
use crate::cluster::cache::state::QuotaState;
use crate::plan::Plan;
use crate::status::health::{ComponentHealth, Health, NamespaceHealth};

/// The most entries of a list of the status, as in the schema.
const LISTED: usize = 128;

/// Facts of the cluster that go into a status unchanged.
pub struct Live<'a> {
    /// The state of the objects that Strata keeps.
    pub cache: &'a ObjectCache,
}

impl Live<'_> {
    /// The UID of a namespace, if it exists and belongs to the team.
    fn uid(&self, namespace: &str) -> Option<String> {
        let entry = self.cache.get(&ObjectKey::new("", "Namespace", None, namespace))?;
        entry.is_ours().then_some(entry.uid)
    }

    /// The quota of a namespace, if it is known.
    fn quota(&self, namespace: &str) -> QuotaState {
        let key = ObjectKey::new("", "ResourceQuota", Some(namespace), "strata-quota");
        self.cache.get(&key).and_then(|entry| entry.state.quota().ok()).unwrap_or_default()
    }
}

/// The status of a team that was planned, applied and judged.
#[must_use]
pub fn status(team: &AITeam, plan: &Plan, health: &Health, live: &Live<'_>, now: &Time) -> AITeamStatus {
    let before = team.status.clone().unwrap_or_default();
    let generation = team.metadata.generation.unwrap_or_default();
    let worst = worst(health);
    let mut findings = vec![ready(plan, health, &worst)];
    findings.extend(layers(health));
    findings.push(crate::status::production::ready(&health.work));
    findings.push(staffing(&[plan.coverage.clone(), crate::status::production::lacking(plan, &health.work)].concat()));
    findings.push(supported_fields(plan));
    findings.extend(progress(worst.first()));
    let (work, left_out) = crate::status::production::not_ready(&before.components, &health.work, now);
    let omitted = health.components.len().saturating_sub(LISTED) + left_out;
    AITeamStatus {
        observed_generation: Some(generation),
        conditions: conditions(&before.conditions, &findings, generation, now),
        summary: Some(summary(health)),
        namespaces: health.namespaces.iter().take(LISTED).map(|namespace| namespace_status(namespace, live)).collect(),
        components: [components(&before.components, &health.components, now), work].concat(),
        components_omitted: i64::try_from(omitted).ok().filter(|more| *more > 0),
        production: crate::status::production::models(&before.production, &health.work, now),
        budget: plan.budget.iter().take(LISTED).map(|share| budget(share, live)).collect(),
        missing: missing(&before.missing, health, now),
        catalog: Some(plan.catalog.clone()),
        blueprint: Some(plan.blueprint.clone()),
        operator_version: Some(crate::VERSION.to_owned()),
    }
}

/// The status of a team of which nothing can be planned, or whose writes are
/// stopped: what was known of it stays.
#[must_use]
pub fn held(team: &AITeam, failure: &Issue, now: &Time) -> AITeamStatus {
    let before = team.status.clone().unwrap_or_default();
    let generation = team.metadata.generation.unwrap_or_default();
    let mut findings = vec![Finding::new(READY, false, failure.reason, failure.message.clone())];
    findings.extend([BACKBONE_READY, SHARED_READY, PROJECTS_READY].map(|type_| Finding {
        type_,
        status: ConditionStatus::Unknown,
        reason: failure.reason,
        message: text::message(&failure.message, 1024),
    }));
    findings.extend(progress(Some(failure)));
    findings.extend(not_looked_at(&before.conditions, failure, generation));
    let mut conditions = conditions(&before.conditions, &findings, generation, now);
    // Findings on production, people and fields stay as they were.
    let advice = [PRODUCTION_READY, STAFFING_COMPLETE, ALL_FIELDS_SUPPORTED];
    let found = |known: &&Condition| findings.iter().any(|finding| finding.type_ == known.type_);
    let stays = before.conditions.iter().filter(|known| advice.contains(&known.type_.as_str()) && !found(known));
    conditions.extend(stays.cloned());
    AITeamStatus {
        observed_generation: Some(generation),
        conditions,
        operator_version: Some(crate::VERSION.to_owned()),
        ..before
    }
}

/// The failures, worst first: those that need action before those that pass.
fn worst(health: &Health) -> Vec<Issue> {
    let namespaces = health.namespaces.iter().flat_map(|namespace| namespace.failures.iter().cloned());
    let components =
        health.components.iter().filter(|component| component.state != ComponentState::Ready).map(component_failure);
    let mut all: Vec<Issue> = health.team.iter().cloned().chain(namespaces).chain(components).collect();
    all.sort_by_key(|failure| std::cmp::Reverse(failure.class()));
    all.dedup();
    all
}

fn component_failure(component: &ComponentHealth) -> Issue {
    let message = component.message.as_deref().unwrap_or("not ready yet");
    let place = format!("{} in {}", component.engine, component.namespace);
    Issue::new(component.reason, format!("{place}: {message}"))
}

fn ready(plan: &Plan, health: &Health, worst: &[Issue]) -> Finding {
    match worst {
        [] => Finding::new(
            READY,
            true,
            Reason::Ready,
            format!(
                "{} and {} in place",
                counted(plan.namespaces.iter().filter(|namespace| !namespace.retained).count(), "namespace"),
                counted(health.components.len(), "component")
            ),
        ),
        [only] => Finding::new(READY, false, only.reason, only.message.clone()),
        [first, rest @ ..] => Finding::new(
            READY,
            false,
            first.reason,
            format!("{} (and {} more)", text::message(&first.message, 900), rest.len()),
        ),
    }
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `Stalled` only for what a person has to fix; kstatus takes it for Failed.
pub(super) fn progress(worst: Option<&Issue>) -> Option<Finding> {
    let failure = worst?;
    let type_ = if failure.class() == Class::Invalid { STALLED } else { RECONCILING };
    Some(Finding::new(type_, true, failure.reason, failure.message.clone()))
}

fn layers(health: &Health) -> Vec<Finding> {
    let of = |type_, layers: &[Layer], what: &str| {
        let namespaces: Vec<_> =
            health.namespaces.iter().filter(|namespace| layers.contains(&namespace.layer)).collect();
        let components = health.components.iter().filter(|component| layers.contains(&component.layer));
        let waiting = components.filter(|component| component.state != ComponentState::Ready).map(component_failure);
        let mut failures: Vec<_> =
            namespaces.iter().flat_map(|namespace| namespace.failures.iter().cloned()).chain(waiting).collect();
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.class()));
        match failures.first() {
            Some(failure) => Finding::new(type_, false, failure.reason, failure.message.clone()),
            None if namespaces.is_empty() => {
                Finding::new(type_, true, Reason::NotRequested, format!("the team asks for no {what}"))
            }
            None => Finding::new(type_, true, Reason::Ready, format!("{what}: all in place")),
        }
    };
    vec![
        of(BACKBONE_READY, &[Layer::Backbone], "Backbone"),
        of(SHARED_READY, &[Layer::Shared], "Shared layer"),
        of(PROJECTS_READY, &[Layer::Workspace, Layer::Live], "projects"),
    ]
}

fn staffing(lacking: &[String]) -> Finding {
    match lacking {
        [] => {
            Finding::new(STAFFING_COMPLETE, true, Reason::Complete, "every layer has members with the roles it needs")
        }
        lacking => Finding::new(STAFFING_COMPLETE, false, Reason::Incomplete, lacking.join("; ")),
    }
}

fn supported_fields(plan: &Plan) -> Finding {
    let waiting: Vec<_> = plan
        .problems
        .iter()
        .filter(|problem| !problem.blocking)
        .map(|problem| problem.issue.message.as_str())
        .collect();
    if waiting.is_empty() {
        return Finding::new(ALL_FIELDS_SUPPORTED, true, Reason::Ready, "every field of the spec has an effect");
    }
    let reason = plan
        .problems
        .iter()
        .find(|problem| !problem.blocking)
        .map_or(Reason::NotImplemented, |problem| problem.issue.reason);
    Finding::new(ALL_FIELDS_SUPPORTED, false, reason, waiting.join("; "))
}

/// Of fields that nobody could look at, nothing is said: the spec changed since, or
/// something in it or around it is wrong.
fn not_looked_at(before: &[Condition], failure: &Issue, generation: i64) -> Option<Finding> {
    let known = before.iter().find(|known| known.type_ == ALL_FIELDS_SUPPORTED)?;
    let stale = known.observed_generation != Some(generation) || failure.class() == Class::Invalid;
    let message = format!("the effect of the fields of the spec is not known: {}", failure.message);
    stale.then(|| Finding {
        type_: ALL_FIELDS_SUPPORTED,
        status: ConditionStatus::Unknown,
        reason: failure.reason,
        message: text::message(&message, 1024),
    })
}

fn summary(health: &Health) -> Summary {
    let mut projects: BTreeMap<&str, bool> = BTreeMap::new();
    for namespace in health.namespaces.iter().filter(|namespace| !namespace.retained) {
        if let Some(project) = &namespace.project {
            *projects.entry(project).or_insert(true) &= namespace.failures.is_empty();
        }
    }
    for component in &health.components {
        if let Some(project) = &component.project {
            *projects.entry(project).or_insert(true) &= component.state == ComponentState::Ready;
        }
    }
    let ready = projects.values().filter(|ready| **ready).count();
    let (serving, production) = crate::status::production::counts(&health.work);
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    Summary {
        projects: format!("{ready}/{}", projects.len()),
        projects_ready: number(ready),
        projects_total: number(projects.len()),
        production: if production == 0 { "-".to_owned() } else { format!("{serving}/{production}") },
        production_ready: number(serving),
        production_total: number(production),
        failing: failing(health),
    }
}

/// The worst component, else the worst namespace.
fn failing(health: &Health) -> String {
    let component = health.components.first().filter(|component| component.state != ComponentState::Ready);
    let namespace = health.namespaces.iter().find(|namespace| !namespace.failures.is_empty());
    match (component, namespace) {
        (_, Some(namespace)) => namespace.name.clone(),
        (Some(component), None) => format!("{} ({})", component.engine, component.namespace),
        (None, None) => crate::status::production::failing(&health.work).unwrap_or_else(|| "-".to_owned()),
    }
}

fn namespace_status(namespace: &NamespaceHealth, live: &Live<'_>) -> NamespaceStatus {
    let worst = namespace.failures.first();
    let fine = if namespace.retained { Reason::Retained } else { Reason::Ready };
    NamespaceStatus {
        name: namespace.name.clone(),
        uid: live.uid(&namespace.name),
        layer: namespace.layer,
        project: namespace.project.clone(),
        ready: worst.is_none(),
        reason: worst.map_or(fine, |failure| failure.reason).name().to_owned(),
        message: worst.map(|failure| text::message(&failure.message, 512)),
    }
}

fn components(before: &[ComponentStatus], health: &[ComponentHealth], now: &Time) -> Vec<ComponentStatus> {
    health
        .iter()
        .take(LISTED)
        .map(|component| {
            let known = before.iter().find(|old| {
                old.object.is_none()
                    && old.namespace == component.namespace
                    && old.capability == component.capability
                    && old.engine == component.engine
                    && old.state == component.state
            });
            ComponentStatus {
                layer: component.layer,
                project: component.project.clone(),
                capability: component.capability,
                object: None,
                engine: component.engine.clone(),
                revision: (!component.revision.is_empty()).then(|| component.revision.clone()),
                namespace: component.namespace.clone(),
                state: component.state,
                last_transition_time: known
                    .and_then(|old| old.last_transition_time.clone())
                    .or_else(|| Some(now.clone())),
                reason: component.reason.name().to_owned(),
                message: component.message.clone().map(|message| text::message(&message, 512)),
                endpoint: component.endpoint.clone(),
            }
        })
        .collect()
}

fn budget(share: &crate::plan::Share, live: &Live<'_>) -> BudgetStatus {
    let quota = live.quota(&share.namespace);
    let granted = share.granted.iter().map(|(resource, amount)| (resource.clone(), amount.canonical())).collect();
    let used = quota.hard.keys().filter(|resource| share.granted.contains_key(*resource));
    let used_percent =
        used.map(|resource| (resource.clone(), quota.mark(resource))).filter(|(_, mark)| *mark > 0).collect();
    BudgetStatus { namespace: share.namespace.clone(), granted, used_percent }
}

fn missing(before: &[MissingSecret], health: &Health, now: &Time) -> Vec<MissingSecret> {
    let all = health.missing.iter().take(64).map(|missing| {
        let known = before.iter().find(|old| old.namespace == missing.namespace && old.secret == missing.secret);
        MissingSecret {
            namespace: missing.namespace.clone(),
            secret: missing.secret.clone(),
            wanted_by: missing.wanted_by.clone(),
            start_time: known.and_then(|old| old.start_time.clone()).or_else(|| Some(now.clone())),
        }
    });
    all.collect()
}
