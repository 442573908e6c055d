//! The budget of a team, by the resource names of a quota. How it is divided is
//! in [`super::budget::division`].

pub mod check;
pub mod division;
pub mod needs;
pub mod shares;

use std::collections::BTreeMap;

use super::Usage;
use crate::api::quantity::{Amount, QuantityError};
use crate::api::team::Resources;
use crate::api::vocabulary::Layer;
use crate::api::{AITeamSpec, BlueprintSpec, GROUP};

/// Amounts by the quota's resource names: `requests.cpu`, `limits.memory`.
pub type Amounts = BTreeMap<String, Amount>;

/// Processors that pods request.
pub const REQUESTS_CPU: &str = "requests.cpu";
/// Memory that pods request.
pub const REQUESTS_MEMORY: &str = "requests.memory";
/// Scratch space that pods request.
pub const REQUESTS_EPHEMERAL: &str = "requests.ephemeral-storage";
/// Processors that pods use at most.
pub const LIMITS_CPU: &str = "limits.cpu";
/// Memory that pods use at most.
pub const LIMITS_MEMORY: &str = "limits.memory";
/// Scratch space that pods use at most.
pub const LIMITS_EPHEMERAL: &str = "limits.ephemeral-storage";
/// The size of all volumes.
pub const STORAGE: &str = "requests.storage";

/// Devices that a team gets only by its budget, whether or not the Blueprint
/// knows them: a quota bounds nothing that it does not name.
const KNOWN_DEVICES: &[&str] = &["amd.com/gpu", "google.com/tpu", "nvidia.com/gpu"];

/// The budget of a team where neither it nor its Blueprint names one: enough
/// for small engines and a few people, and a bound all the same.
const FALLBACK: &[(&str, &str)] = &[(REQUESTS_CPU, "8"), (REQUESTS_MEMORY, "32Gi"), (STORAGE, "200Gi")];

/// The resource of requests, the resource of limits, and the field of a spec.
pub(super) const PAIRS: &[(&str, &str)] =
    &[(REQUESTS_CPU, LIMITS_CPU), (REQUESTS_MEMORY, LIMITS_MEMORY), (REQUESTS_EPHEMERAL, LIMITS_EPHEMERAL)];

/// A resource's name in the spec: `requests.cpu`, `requests[nvidia.com/gpu]`.
#[must_use]
pub fn field(resource: &str) -> String {
    match resource.split_once('.') {
        Some((side, device)) if is_device(resource) => format!("{side}[{device}]"),
        _ => resource.to_owned(),
    }
}

/// Whether the quota's resource is a device.
#[must_use]
pub fn is_device(resource: &str) -> bool {
    resource.starts_with("requests.") && resource.contains('/')
}

/// The quota's name for the number of objects of a work kind, by its plural.
#[must_use]
pub fn count(plural: &str) -> String {
    format!("count/{plural}.{GROUP}")
}

/// Whether the quota's resource is such a number.
#[must_use]
pub fn is_count(resource: &str) -> bool {
    resource.strip_prefix("count/").is_some_and(|kind| kind.ends_with(GROUP))
}

/// The counts that a namespace's quota holds by this Blueprint. Creating an object is
/// refused while a quota names a kind that the quota controller does not know yet, which
/// takes minutes after a definition is installed; so the Backbone's quota, where nobody
/// creates any, names them first.
#[must_use]
pub fn counts(blueprint: &BlueprintSpec, layer: Layer, usage: &Usage) -> BTreeMap<String, i64> {
    let objects = blueprint.limits.iter().flat_map(|limits| &limits.objects);
    let all = objects.map(|(plural, most)| (count(plural), *most));
    all.filter(|(resource, _)| layer == Layer::Backbone || usage.counted.contains(resource)).collect()
}

/// The quota's name for a device.
#[must_use]
pub fn device(name: &str) -> String {
    format!("requests.{name}")
}

/// The amounts of the resources, by the quota's names.
pub fn amounts(resources: &Resources) -> Result<Amounts, QuantityError> {
    let sides = [("requests", &resources.requests), ("limits", &resources.limits)];
    let all = sides.into_iter().flat_map(|(side, list)| list.iter().map(move |(name, amount)| (side, name, amount)));
    all.map(|(side, name, amount)| Ok((format!("{side}.{name}"), amount.amount()?))).collect()
}

/// The amounts that the Blueprint's budget names, or none where it names none.
/// That its quantities are quantities was checked before.
fn of_blueprint(resources: Option<&Resources>) -> Amounts {
    resources.and_then(|resources| amounts(resources).ok()).unwrap_or_default()
}

/// The budget of a team: what it names itself, else the Blueprint's default,
/// else [`FALLBACK`]. Limits that are left out follow the requests as the
/// Blueprint's default has them, else twice the requests; scratch space is as
/// much as memory. What was filled in stays within the Blueprint's maximum.
pub fn budget(spec: &AITeamSpec, blueprint: &BlueprintSpec) -> Result<Amounts, QuantityError> {
    let rules = blueprint.budget.clone().unwrap_or_default();
    let named = spec.budget.as_ref().map(amounts).transpose()?.unwrap_or_default();
    let default = of_blueprint(rules.default.as_ref());
    let mut budget = named.clone();
    for (resource, amount) in FALLBACK {
        let filled = default.get(*resource).copied().or_else(|| Amount::parse(amount).ok()).unwrap_or_default();
        budget.entry((*resource).to_owned()).or_insert(filled);
    }
    fill_scratch_and_limits(&mut budget, &named, &default);
    if spec.budget.is_none() {
        budget.extend(default.iter().filter(|(name, _)| is_device(name)).map(|(name, amount)| (name.clone(), *amount)));
    }
    for name in known_devices(blueprint) {
        budget.entry(name).or_insert(Amount::ZERO);
    }
    for (resource, most) in of_blueprint(rules.maximum.as_ref()) {
        if let Some(amount) = budget.get_mut(&resource).filter(|_| !named.contains_key(&resource)) {
            *amount = (*amount).min(most);
        }
    }
    if !rules.cpu_limits {
        budget.remove(LIMITS_CPU);
    }
    Ok(budget)
}

fn fill_scratch_and_limits(budget: &mut Amounts, named: &Amounts, default: &Amounts) {
    let of = |amounts: &Amounts, resource: &str| amounts.get(resource).copied();
    if !budget.contains_key(REQUESTS_EPHEMERAL) {
        let own_memory = of(named, REQUESTS_MEMORY).is_some();
        let filled = of(default, REQUESTS_EPHEMERAL).filter(|_| !own_memory);
        let memory = of(budget, REQUESTS_MEMORY).unwrap_or_default();
        budget.insert(REQUESTS_EPHEMERAL.to_owned(), filled.unwrap_or(memory));
    }
    for (requests, limits) in PAIRS {
        let requested = of(budget, requests).unwrap_or_default();
        let (known, bound) = (of(default, requests), of(default, limits));
        let follows = match (known, bound) {
            (Some(known), Some(bound)) if !known.is_zero() => scaled(requested, bound, known),
            _ => requested.plus(requested),
        };
        budget.entry((*limits).to_owned()).or_insert(follows.max(requested));
    }
}

/// Every device that the Blueprint speaks of, and the well-known ones.
fn known_devices(blueprint: &BlueprintSpec) -> Vec<String> {
    let rules = blueprint.budget.iter();
    let budgets = rules.flat_map(|rules| rules.default.iter().chain(&rules.maximum)).flat_map(Resources::devices);
    let sizes = blueprint.sizes.iter().flat_map(|size| size.devices().into_keys());
    let pods = blueprint.pods.iter().flat_map(|pods| &pods.devices).filter(|name| name.contains('/'));
    let known = KNOWN_DEVICES.iter().map(|name| device(name));
    budgets.chain(pods).map(|name| device(name)).chain(sizes.map(|name| device(&name))).chain(known).collect()
}

/// `amount * numerator / denominator`, rounded down as a share is.
pub(super) fn scaled(amount: Amount, numerator: Amount, denominator: Amount) -> Amount {
    let (mut above, mut below) = (numerator.thousandths(), denominator.thousandths());
    // Keeps the product within 128 bits for any amount there can be.
    while above > 1 << 48 {
        above /= 2;
        below = below / 2 + below % 2;
    }
    amount.part(above, below)
}
