//! The budget and its shares against the Blueprint and against each other.

use std::collections::BTreeMap;

use super::division::explicit_share;
use super::{Amounts, field};
use crate::api::quantity::Amount;
use crate::api::team::Resources;
use crate::api::{AITeamSpec, BlueprintSpec, Issue};
use crate::plan::findings::Findings;
use crate::plan::namespaces::Place;

/// A budget that is more than the Blueprint allows, and amounts that cannot be read.
pub fn check_maximum(spec: &AITeamSpec, blueprint: &BlueprintSpec, findings: &mut Findings) {
    let rules = blueprint.budget.clone().unwrap_or_default();
    let site = &spec.blueprint;
    for (path, resources) in [("default", &rules.default), ("maximum", &rules.maximum)] {
        if let Some(Err(error)) = resources.as_ref().map(super::amounts) {
            findings.blueprint(format!("Blueprint {site}: spec.budget.{path}: {error}"));
        }
    }
    let Some(named) = amounts_at("spec.budget", spec.budget.as_ref(), findings) else { return };
    let Some(Ok(maximum)) = rules.maximum.as_ref().map(super::amounts) else { return };
    for (resource, amount) in named {
        let Some(most) = maximum.get(&resource).copied() else { continue };
        if amount > most {
            let field = field(&resource);
            findings.invalid(format!(
                "spec.budget.{field} is {amount}, more than the maximum {most} of Blueprint {site}. Lower it"
            ));
        }
    }
}

fn amounts_at(path: &str, resources: Option<&Resources>, findings: &mut Findings) -> Option<Amounts> {
    match super::amounts(resources?) {
        Ok(amounts) => Some(amounts),
        Err(error) => {
            findings.invalid(format!("{path}: {error}"));
            None
        }
    }
}

/// Explicit shares that are more than the budget together.
pub fn check_shares(spec: &AITeamSpec, budget: &Amounts, places: &[Place]) -> Result<(), Issue> {
    let mut findings = Findings::default();
    let mut sums: BTreeMap<String, Amount> = BTreeMap::new();
    for place in places {
        let path = format!("the share of {}", place.name);
        for (resource, amount) in amounts_at(&path, explicit_share(spec, place), &mut findings).unwrap_or_default() {
            let sum = sums.entry(resource).or_default();
            *sum = sum.plus(amount);
        }
    }
    for (resource, sum) in sums {
        let total = budget.get(&resource).copied();
        // Limits of processors apply only if the Blueprint asks for them.
        if resource == super::LIMITS_CPU && total.is_none() {
            continue;
        }
        let total = total.unwrap_or_default();
        if sum > total {
            let whose = if spec.budget.is_some() { "spec.budget" } else { "the Blueprint's budget" };
            let field = field(&resource);
            findings.invalid(format!(
                "the shares together need {field} {sum}, but {whose} has {total}. Lower a share, or raise spec.budget"
            ));
        }
    }
    findings.verdict()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_stay_within_the_budget() {
        let spec: AITeamSpec = serde_saphyr::from_str(
            "{budget: {requests: {cpu: '4'}}, projects: [{name: p, live: {share: {requests: {cpu: 5}}}}]}",
        )
        .unwrap();
        let budget = super::super::budget(&spec, &BlueprintSpec::default()).unwrap();
        let places = crate::plan::namespaces::places("fraud", &spec);
        let message = check_shares(&spec, &budget, &places).unwrap_err().message;
        assert_eq!(
            message,
            "the shares together need requests.cpu 5, but spec.budget has 4. Lower a share, or raise spec.budget"
        );
    }
}
