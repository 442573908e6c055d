//! The division of a team's budget among its namespaces.
//!
//! Explicit shares first, the rest by weight:
//!
//! - a Workspace and a Live side have the weight that the project names, 1 where
//!   it names none; a Live side whose share names processors and memory has that
//!   alone; Shared has the weight 1, and at least what its engines need;
//! - the Backbone has no weight: nobody runs anything there, so it gets what
//!   its engines need, and more only by an explicit share;
//! - devices only by explicit share. Limits that an explicit share
//!   leaves out follow its requests in the budget's own ratio, and scratch
//!   space its memory: a pod without either would be refused by the quota.
//!
//! The shares wanted never exceed the budget. What weights leave over by
//! rounding (a thousandth of a processor, a mebibyte) stays undivided.

use std::collections::BTreeMap;

use super::{
    Amounts, LIMITS_CPU, PAIRS, REQUESTS_CPU, REQUESTS_EPHEMERAL, REQUESTS_MEMORY, amounts, is_device, scaled,
};
use crate::api::AITeamSpec;
use crate::api::quantity::{Amount, QuantityError};
use crate::api::team::{Live, Project, Resources};
use crate::api::vocabulary::Layer;
use crate::plan::namespaces::Place;
use crate::plan::{Share, Usage, namespaces};

/// One namespace at the division.
#[derive(Clone, Debug)]
pub struct Party {
    /// Which one.
    pub place: Place,
    /// The amounts of its explicit share.
    pub explicit: Amounts,
    /// Its weight in the rest after explicit shares.
    pub weight: i32,
    /// The needs of its engines, with or without an explicit share.
    pub needs: Amounts,
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
    match place.layer {
        Layer::Backbone => spec.backbone.as_ref()?.share.as_ref(),
        Layer::Shared => spec.shared.as_ref()?.share.as_ref(),
        Layer::Workspace => project(spec, place)?.workspace.as_ref()?.share.as_ref(),
        Layer::Live => project(spec, place)?.live.as_ref()?.share.as_ref(),
    }
}

fn project<'a>(spec: &'a AITeamSpec, place: &Place) -> Option<&'a Project> {
    spec.projects.iter().find(|project| Some(&project.name) == place.project.as_ref())
}

fn weight(spec: &AITeamSpec, place: &Place) -> i32 {
    let project = project(spec, place);
    match place.layer {
        Layer::Backbone => 0,
        Layer::Shared => 1,
        Layer::Workspace => project.and_then(|project| project.workspace.as_ref()?.weight).unwrap_or(1).max(0),
        Layer::Live => project.and_then(|project| project.live.as_ref()).map_or(0, Live::weight),
    }
}

/// The share of each party, in their order.
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
        if share.is_none()
            && let Some(amount) = follows(resource, budget, party)
        {
            give(share, amount);
        }
    }
    let open: Vec<usize> =
        (0..parties.len()).filter(|index| shares[*index].is_none() && !is_device(resource)).collect();
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
    Some(rounded(resource, scaled(led, *budget.get(resource)?, *budget.get(leader)?)))
}

/// The rest by weight; parties whose needs exceed their weight come first.
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

/// Rounds down to readable amounts: a thousandth of a processor, a mebibyte.
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
