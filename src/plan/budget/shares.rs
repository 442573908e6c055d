//! The division of the budget among the namespaces of the plan, and what is to
//! be said of it.

use std::collections::BTreeMap;

use super::{Amounts, REQUESTS_CPU, REQUESTS_MEMORY, division, needs};
use crate::api::quantity::QuantityError;
use crate::api::team::AITeam;
use crate::api::team_status::ComponentState;
use crate::api::vocabulary::{Capability, Layer};
use crate::api::{AITeamSpec, Issue, Reason};
use crate::plan::namespaces::Place;
use crate::plan::{Facts, Instance, Problem, Scope, Share, Used, budget};

/// The share of every namespace, and the problems with it.
pub fn shares(
    team: &AITeam,
    facts: &Facts<'_>,
    places: &[Place],
    instances: &[Instance],
) -> Result<(Vec<Share>, Vec<Problem>), Issue> {
    let name = team.metadata.name.as_deref().unwrap_or_default();
    let spec = &team.spec;
    let unreadable = |error: QuantityError| Issue::new(Reason::Invalid, format!("spec.budget: {error}"));
    let mut budget = budget::budget(spec, facts.blueprint).map_err(unreadable)?;
    super::check::check_shares(spec, &budget, places)?;
    if deals_out_devices(team, instances) {
        budget.retain(|resource, _| !budget::is_device(resource));
    }
    let needs = needs::needs(instances);
    let parties = division::parties(name, spec, places, &needs).map_err(unreadable)?;
    let mut problems = Vec::new();
    let mut shares = Vec::new();
    for (place, wanted) in places.iter().zip(division::divide(&budget, &parties)) {
        problems.extend(too_small(place, &wanted, needs.get(&place.name)));
        problems.extend(nothing(spec, place, &wanted));
        let share = division::granted(&place.name, wanted, facts.usage);
        problems.extend(over(&share));
        shares.push(share);
    }
    Ok((shares, problems))
}

/// Whether a queue deals out the devices, so that quotas do not count them: its engine
/// says so, and the last pass found it ready. Until then nothing else bounds them.
#[must_use]
pub fn deals_out_devices(team: &AITeam, instances: &[Instance]) -> bool {
    let components = team.status.iter().flat_map(|status| &status.components);
    let ready = |instance: &Instance| {
        components.clone().any(|component| {
            component.capability == Capability::Queue
                && component.object.is_none()
                && component.engine == instance.id.engine
                && component.namespace == instance.id.namespace
                && component.state == ComponentState::Ready
        })
    };
    let queues = instances.iter().filter(|instance| instance.capabilities.contains(&Capability::Queue));
    queues.filter(|instance| ready(instance)).any(|instance| {
        let engine = instance.engine.as_ref().map(|engine| engine.spec());
        engine.and_then(|spec| spec.queues.as_ref()).is_some_and(|queues| queues.devices)
    })
}

/// A share below the needs of the engines there.
fn too_small(place: &Place, wanted: &Amounts, needs: Option<&Amounts>) -> Option<Problem> {
    let short = needs?.iter().filter_map(|(resource, needed)| {
        let share = wanted.get(resource)?;
        (needed > share).then(|| format!("{} {needed} (share: {share})", budget::field(resource)))
    });
    let short: Vec<String> = short.collect();
    let block = if place.layer == Layer::Backbone { "backbone" } else { "shared" };
    (!short.is_empty()).then(|| {
        let message = format!(
            "{}: the engines need more than the share of the namespace: {}. Raise spec.budget or spec.{block}.share",
            place.name,
            short.join(", ")
        );
        Problem::blocking(Scope::Namespace(place.name.clone()), Reason::Invalid, message)
    })
}

/// A project's namespace in which nothing can run.
fn nothing(spec: &AITeamSpec, place: &Place, wanted: &Amounts) -> Option<Problem> {
    let project = place.project.as_ref()?;
    let none: Vec<&str> = [REQUESTS_CPU, REQUESTS_MEMORY]
        .into_iter()
        .filter(|resource| wanted.get(*resource).copied().unwrap_or_default().is_zero())
        .collect();
    if none.is_empty() {
        return None;
    }
    let side = if place.layer == Layer::Live { "live" } else { "workspace" };
    let whose = if spec.budget.is_some() { "spec.budget" } else { "the Blueprint's budget" };
    let message = format!(
        "{} gets no {} from {whose}, so no pod can start there. Set spec.projects[{project}].{side}.share",
        place.name,
        none.join(" and no ")
    );
    Some(Problem::advice(Scope::Namespace(place.name.clone()), Reason::NoQuota, message))
}

fn over(share: &Share) -> Option<Problem> {
    let excess = share.granted.iter().filter_map(|(resource, granted)| {
        let wanted = share.wanted.get(resource)?;
        (granted > wanted).then(|| format!("{} {granted} (share: {wanted})", budget::field(resource)))
    });
    let excess: Vec<String> = excess.collect();
    share.over.then(|| {
        let message = format!(
            "{} uses more than its new share: {}. What runs is kept, and the quota shrinks as pods and volumes are \
             removed",
            share.namespace,
            excess.join(", ")
        );
        Problem::blocking(Scope::Namespace(share.namespace.clone()), Reason::OverBudget, message)
    })
}

/// What was in use in a namespace when its project left: it may stay, and nothing
/// may be added. Once frozen a quota stays as it is, or what serves could not
/// come back after a pod of it ended.
#[must_use]
pub fn frozen(namespace: &str, facts: &Facts<'_>) -> Share {
    let known = facts.usage.namespaces.get(namespace).cloned().unwrap_or_default();
    let already = facts.retained.iter().any(|retained| retained.namespace == namespace && retained.frozen);
    let kept = |used: Used| if already { used.hard } else { used.used };
    let used: BTreeMap<_, _> = known.into_iter().map(|(resource, used)| (resource, kept(used))).collect();
    Share { namespace: namespace.to_owned(), granted: used.clone(), wanted: used, over: false }
}
