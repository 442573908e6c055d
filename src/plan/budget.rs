//! The budget and its division among the team's namespaces.
//!
//! Explicit shares first, the rest by weight:
//!
//! - a Workspace has the weight that its project's share names, 1 where it
//!   names none; Shared has the weight 1, and at least what its engines need;
//! - the Backbone has no weight: nobody runs anything there, so it gets what
//!   its engines need, and more only by an explicit share;
//! - Live and devices only by explicit share. Limits that an explicit share
//!   leaves out follow its requests in the budget's own ratio, and scratch
//!   space its memory: a pod without either would be refused by the quota.
//!
//! The shares wanted never exceed the budget. What weights leave over by
//! rounding (a thousandth of a processor, a mebibyte) stays undivided.

use std::collections::BTreeMap;

use super::namespaces::{self, Place};
use super::{Share, Usage};
use crate::api::quantity::{Amount, Quantity};
pub use crate::api::quantity::QuantityError;
use crate::api::team::{Compute, Resources};
use crate::api::vocabulary::Layer;
use crate::api::{AITeamSpec, BlueprintSpec};

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

/// What is requested, what is the limit of it, and how it is called in a spec.
const PAIRS: &[(&str, &str)] =
    &[(REQUESTS_CPU, LIMITS_CPU), (REQUESTS_MEMORY, LIMITS_MEMORY), (REQUESTS_EPHEMERAL, LIMITS_EPHEMERAL)];

/// A resource's name in the spec: `requests.cpu`, `storage`, `devices.nvidia.com/gpu`.
#[must_use]
pub fn field(resource: &str) -> String {
    match resource {
        STORAGE => "storage".to_owned(),
        REQUESTS_EPHEMERAL => "requests.ephemeralStorage".to_owned(),
        LIMITS_EPHEMERAL => "limits.ephemeralStorage".to_owned(),
        device if is_device(device) => format!("devices[{}]", device.trim_start_matches("requests.")),
        other => other.to_owned(),
    }
}

/// Whether the quota's resource is a device.
#[must_use]
pub fn is_device(resource: &str) -> bool {
    resource.starts_with("requests.") && resource.contains('/')
}

/// The quota's name for a device.
#[must_use]
pub fn device(name: &str) -> String {
    format!("requests.{name}")
}

/// What the resources name, by the quota's names.
pub fn amounts(resources: &Resources) -> Result<Amounts, QuantityError> {
    let mut amounts = Amounts::new();
    let mut put = |name: &str, quantity: &Option<Quantity>| -> Result<(), QuantityError> {
        if let Some(quantity) = quantity {
            amounts.insert(name.to_owned(), quantity.amount()?);
        }
        Ok(())
    };
    let none = Compute::default();
    let requests = resources.requests.as_ref().unwrap_or(&none);
    let limits = resources.limits.as_ref().unwrap_or(&none);
    put(REQUESTS_CPU, &requests.cpu)?;
    put(REQUESTS_MEMORY, &requests.memory)?;
    put(REQUESTS_EPHEMERAL, &requests.ephemeral_storage)?;
    put(LIMITS_CPU, &limits.cpu)?;
    put(LIMITS_MEMORY, &limits.memory)?;
    put(LIMITS_EPHEMERAL, &limits.ephemeral_storage)?;
    put(STORAGE, &resources.storage)?;
    amounts.extend(resources.devices.iter().map(|(name, count)| (device(name), Amount::whole(*count))));
    Ok(amounts)
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
    let budgets = rules.flat_map(|rules| rules.default.iter().chain(&rules.maximum)).flat_map(|budget| budget.devices.keys());
    let sizes = blueprint.sizes.values().flat_map(|size| size.devices.keys());
    let known = KNOWN_DEVICES.iter().map(|name| device(name));
    budgets.chain(sizes).map(|name| device(name)).chain(known).collect()
}

/// `amount * numerator / denominator`, rounded down as a share is.
fn scaled(amount: Amount, numerator: Amount, denominator: Amount) -> Amount {
    let (mut above, mut below) = (numerator.thousandths(), denominator.thousandths());
    // Keeps the product within 128 bits for any amount there can be.
    while above > 1 << 48 {
        above /= 2;
        below = below / 2 + below % 2;
    }
    amount.part(above, below)
}

/// One namespace at the division.
#[derive(Clone, Debug)]
pub struct Party {
    /// Which one.
    pub place: Place,
    /// What its explicit share names.
    pub explicit: Amounts,
    /// Its weight in what explicit shares leave.
    pub weight: i32,
    /// What its engines need, explicit share or not.
    pub needs: Amounts,
}

impl Party {
    /// Whether it gets anything but by an explicit share.
    fn only_explicit(&self, resource: &str) -> bool {
        is_device(resource) || self.place.layer == Layer::Live
    }
}

/// The parties to the division, with their explicit shares and weights. `needs`
/// is what the engines of each namespace need.
pub fn parties(
    team: &str,
    spec: &AITeamSpec,
    places: &[Place],
    needs: &BTreeMap<String, Amounts>,
) -> Result<Vec<Party>, QuantityError> {
    places
        .iter()
        .map(|place| {
            let explicit = explicit_share(spec, place).map(amounts).transpose()?.unwrap_or_default();
            let needs = needs.get(&place.name).cloned().unwrap_or_default();
            debug_assert_eq!(place.name, namespaces::name(team, place.layer, place.project.as_deref()));
            Ok(Party { place: place.clone(), explicit, weight: weight(spec, place), needs })
        })
        .collect()
}

/// The explicit share of a namespace.
#[must_use]
pub fn explicit_share<'a>(spec: &'a AITeamSpec, place: &Place) -> Option<&'a Resources> {
    let project = || spec.projects.iter().find(|project| Some(&project.name) == place.project.as_ref())?.share.as_ref();
    match place.layer {
        Layer::Backbone => spec.backbone.as_ref()?.share.as_ref(),
        Layer::Shared => spec.shared.as_ref()?.share.as_ref(),
        Layer::Workspace => project()?.workspace.as_ref(),
        Layer::Live => project()?.live.as_ref(),
    }
}

fn weight(spec: &AITeamSpec, place: &Place) -> i32 {
    match place.layer {
        Layer::Backbone | Layer::Live => 0,
        Layer::Shared => 1,
        Layer::Workspace => {
            let project = spec.projects.iter().find(|project| Some(&project.name) == place.project.as_ref());
            project.and_then(|project| project.share.as_ref()?.weight).unwrap_or(1).max(0)
        }
    }
}

/// What each party is to have, in their order.
#[must_use]
pub fn divide(budget: &Amounts, parties: &[Party]) -> Vec<Amounts> {
    let mut shares = vec![Amounts::new(); parties.len()];
    for (resource, total) in budget {
        let divided = divide_one(resource, *total, budget, parties);
        for (share, amount) in shares.iter_mut().zip(divided) {
            share.insert(resource.clone(), amount);
        }
    }
    shares
}

fn divide_one(resource: &str, total: Amount, budget: &Amounts, parties: &[Party]) -> Vec<Amount> {
    let mut shares = vec![None; parties.len()];
    let mut rest = total;
    let mut give = |share: &mut Option<Amount>, amount: Amount| {
        let given = amount.min(rest);
        rest = rest.minus(given);
        *share = Some(given);
    };
    for (share, party) in shares.iter_mut().zip(parties) {
        if let Some(amount) = party.explicit.get(resource) {
            give(share, *amount);
        }
    }
    for (share, party) in shares.iter_mut().zip(parties) {
        if share.is_none() && let Some(amount) = follows(resource, budget, party) {
            give(share, amount);
        }
    }
    let open: Vec<usize> =
        (0..parties.len()).filter(|index| shares[*index].is_none() && !parties[*index].only_explicit(resource)).collect();
    for (index, amount) in by_weight(resource, rest, open, parties) {
        shares[index] = Some(amount);
    }
    shares.into_iter().map(Option::unwrap_or_default).collect()
}

/// Limits that an explicit share leaves out while it names the requests, and
/// scratch space while it names memory.
fn follows(resource: &str, budget: &Amounts, party: &Party) -> Option<Amount> {
    let leader = if resource == REQUESTS_EPHEMERAL {
        REQUESTS_MEMORY
    } else {
        PAIRS.iter().find(|(_, limits)| *limits == resource)?.0
    };
    let led = party.explicit.get(leader).copied().or_else(|| follows(leader, budget, party))?;
    Some(scaled(led, *budget.get(resource)?, *budget.get(leader)?))
}

/// The rest by weight, whoever needs more than its weight gives coming first.
fn by_weight(resource: &str, mut rest: Amount, mut open: Vec<usize>, parties: &[Party]) -> Vec<(usize, Amount)> {
    let needs = |index: usize| parties[index].needs.get(resource).copied().unwrap_or_default();
    let weight = |index: usize| i128::from(parties[index].weight);
    let mut given = Vec::new();
    loop {
        let total: i128 = open.iter().map(|index| weight(*index)).sum();
        let part = |index: usize| rounded(resource, rest.part(weight(index), total));
        let Some(position) = open.iter().position(|index| part(*index) < needs(*index)) else {
            given.extend(open.iter().map(|index| (*index, part(*index))));
            return given;
        };
        let index = open.remove(position);
        let amount = needs(index).min(rest);
        rest = rest.minus(amount);
        given.push((index, amount));
    }
}

/// Down to what people read easily: a thousandth of a processor, a mebibyte.
fn rounded(resource: &str, amount: Amount) -> Amount {
    if resource == REQUESTS_CPU || resource == LIMITS_CPU {
        return amount;
    }
    let mebibytes = amount.thousandths() / 1000 / (1 << 20);
    Amount::parse(&format!("{mebibytes}Mi")).unwrap_or_default()
}

/// What quotas grant now: what is wanted, or what is in use while that is more,
/// lowered only when the facts say that it may be.
#[must_use]
pub fn granted(namespace: &str, wanted: Amounts, usage: &Usage) -> Share {
    let mut over = false;
    let granted = wanted
        .iter()
        .map(|(resource, wanted)| {
            let known = usage.of(namespace, resource);
            let grant = if known.used <= *wanted {
                *wanted
            } else if usage.may_lower {
                known.used
            } else {
                known.used.max(known.hard)
            };
            over |= grant > *wanted;
            (resource.clone(), grant)
        })
        .collect();
    Share { namespace: namespace.to_owned(), granted, wanted, over }
}

#[cfg(test)]
mod tests;
