//! The parts of a work pod: an image by its name, a size of the
//! Blueprint. Each failure names both sides.

use serde_json::{Map, Value};

use super::{WorkFacts, invalid};
use crate::api::Issue;
use crate::api::blueprint::Size;
use crate::api::quantity::Amount;
use crate::api::team::{ResourceList, is_device};
use crate::api::vocabulary::Layer;
use crate::engine::work::{SizedInputs, labels};
use crate::plan::budget;
use crate::plan::budget::needs::DEFAULTS;
use crate::plan::check::allowed_registries;

/// The image that a name stands for: the team's own, or the Blueprint's; a full
/// reference stands for itself, if its registry is allowed.
pub fn image(field: &str, name: &str, facts: &WorkFacts<'_>) -> Result<String, Issue> {
    let (spec, site) = (&facts.team.spec, &facts.plan.site);
    if name.contains('/') {
        let registries = allowed_registries(&facts.plan.identity.name, site);
        if registries.is_empty() || registries.iter().any(|prefix| name.starts_with(prefix)) {
            return Ok(name.to_owned());
        }
        return Err(invalid(format!(
            "{field} is '{name}', which is in no registry that Blueprint {} allows. Allowed: {}",
            spec.blueprint,
            registries.join(", ")
        )));
    }
    let own = spec.shared.iter().flat_map(|shared| &shared.images).find(|image| image.name == name);
    if let Some(image) = own.and_then(|own| own.image.clone()) {
        return Ok(image);
    }
    if let Some(image) = site.images.get(name) {
        return Ok(image.clone());
    }
    let owned = spec.shared.iter().flat_map(|shared| &shared.images).filter(|image| image.image.is_some());
    let known: Vec<&str> =
        owned.map(|image| image.name.as_str()).chain(site.images.keys().map(String::as_str)).collect();
    Err(invalid(format!(
        "{field} is '{name}', which is neither in the team's shared.images nor in Blueprint {}. Available: {}",
        spec.blueprint,
        listed(&known)
    )))
}

/// The size of this name, as pods spell it, where one pod of it may run.
pub fn sized(field: &str, name: &str, facts: &WorkFacts<'_>) -> Result<SizedInputs, Issue> {
    let size = any_size(field, name, facts)?;
    devices_are_granted(field, name, facts)?;
    Ok(size)
}

/// That the namespace has the devices of a size at all: no pod of it would ever start.
fn devices_are_granted(field: &str, name: &str, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let (here, plan) = (facts.namespace, facts.plan);
    let Some(share) = plan.budget.iter().find(|share| share.namespace == here.name) else { return Ok(()) };
    let mut devices = plan.site.size(name).into_iter().flat_map(Size::devices);
    let missing = |(device, count): &(String, Amount)| {
        // Resources of a queue are in no quota.
        let granted = share.granted.get(&budget::device(device));
        granted.filter(|granted| *granted < count).copied()
    };
    let Some(((device, count), granted)) = devices.find_map(|size| missing(&size).map(|granted| (size, granted)))
    else {
        return Ok(());
    };
    let side = if here.layer == Layer::Live { "live" } else { "workspace" };
    let field_of = here
        .project
        .as_ref()
        .map_or_else(|| "spec.shared.share".to_owned(), |project| format!("spec.projects[{project}].{side}.share"));
    Err(invalid(format!(
        "{field} '{name}' needs {count} of {device}, but {} has {granted}. Raise {field_of}.requests[{device}] of the \
         team, or choose another size",
        here.name
    )))
}

/// The size of this name, as pods spell it.
pub fn any_size(field: &str, name: &str, facts: &WorkFacts<'_>) -> Result<SizedInputs, Issue> {
    let blueprint = &facts.plan.site;
    let Some(size) = blueprint.size(name) else {
        let known: Vec<&str> = blueprint.sizes.iter().map(|size| size.name.as_str()).collect();
        return Err(invalid(format!(
            "{field} is '{name}', which is no size of Blueprint {}. Available: {}",
            facts.team.spec.blueprint,
            listed(&known)
        )));
    };
    let tolerations = if size.tolerations.is_empty() {
        Value::Null
    } else {
        // A typed list with string keys has no failing case.
        serde_json::to_value(&size.tolerations).unwrap_or_default()
    };
    Ok(SizedInputs {
        resources: resources(size, facts),
        node_selector: labels(&size.node_selector),
        tolerations,
        runtime_class_name: size.runtime_class_name.clone(),
        priority_class_name: priority_class(facts),
    })
}

/// The priority class of pods in this namespace: its project's.
fn priority_class(facts: &WorkFacts<'_>) -> Option<String> {
    let project =
        facts.team.spec.projects.iter().find(|project| Some(&project.name) == facts.namespace.project.as_ref());
    let priority = project.map(|project| project.priority).unwrap_or_default();
    facts.plan.site.priority_classes.as_ref()?.of(priority).cloned()
}

/// The words joined for a message, or `none`.
#[must_use]
pub fn listed(words: &[&str]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// A container's resources: those of the size, the site's defaults for the rest,
/// and each limit that quotas count.
fn resources(size: &Size, facts: &WorkFacts<'_>) -> Value {
    let (mut requests, mut limits) = (compute(&size.requests), compute(&size.limits));
    for (resource, amount) in DEFAULTS {
        let (part, name) = resource.split_once('.').unwrap_or(("requests", resource));
        let (own, other) = if part == "requests" { (&mut requests, &limits) } else { (&mut limits, &requests) };
        if !own.contains_key(name) {
            // A default must not contradict the size's value on the other side.
            let said = other.get(name).and_then(Value::as_str).and_then(|text| Amount::parse(text).ok());
            let default = Amount::parse(amount).unwrap_or(Amount::ZERO);
            let fits = said.is_none_or(|said| if part == "requests" { default <= said } else { default >= said });
            let value = if fits { default.canonical() } else { said.unwrap_or(default).canonical() };
            own.insert(name.to_owned(), Value::from(value));
        }
    }
    let counts_cpu = facts.plan.site.budget.as_ref().is_some_and(|budget| budget.cpu_limits);
    if counts_cpu && !limits.contains_key("cpu") {
        limits.insert("cpu".to_owned(), requests["cpu"].clone());
    }
    for (device, count) in size.devices() {
        requests.insert(device.clone(), Value::from(count.to_string()));
        limits.insert(device, Value::from(count.to_string()));
    }
    serde_json::json!({"requests": requests, "limits": limits})
}

/// What the size names, without devices: those are on both sides.
fn compute(list: &ResourceList) -> Map<String, Value> {
    let own = list.iter().filter(|(name, _)| !is_device(name));
    own.map(|(name, amount)| (name.clone(), Value::from(amount.text()))).collect()
}
