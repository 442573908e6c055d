//! Amounts of bytes with a missing unit: `storage: "100"` is a hundred bytes.

use crate::api::AITeamSpec;
use crate::api::quantity::{Amount, Quantity};
use crate::api::team::Resources;

/// The least that anybody means.
const LEAST: &str = "1Mi";

/// The message for each amount without its unit.
#[must_use]
pub fn missing(spec: &AITeamSpec) -> Vec<String> {
    let of_projects = spec.projects.iter().flat_map(|project| {
        let share = project.share.as_ref();
        let of = move |place: &str| format!("spec.projects[{}].share.{place}", project.name);
        [
            (of("workspace"), share.and_then(|share| share.workspace.as_ref())),
            (of("live"), share.and_then(|share| share.live.as_ref())),
        ]
    });
    let backbone = spec.backbone.as_ref().and_then(|backbone| backbone.share.as_ref());
    let shared = spec.shared.as_ref();
    let own = [
        ("spec.budget".to_owned(), spec.budget.as_ref()),
        ("spec.backbone.share".to_owned(), backbone),
        ("spec.shared.share".to_owned(), shared.and_then(|shared| shared.share.as_ref())),
    ];
    let amounts = own.into_iter().chain(of_projects).filter_map(|(path, resources)| Some((path, resources?)));
    let of_shares = amounts.flat_map(|(path, resources)| of(&path, resources));
    let blocks = shared.into_iter().flat_map(|shared| shared.blocks());
    let of_blocks = blocks.filter_map(|(capability, block)| {
        Some((format!("spec.shared: storage of {}", capability.name()), block.storage.as_ref()?))
    });
    of_shares.chain(of_blocks).filter_map(|(path, amount)| unit_missing(&path, amount)).collect()
}

fn of<'a>(path: &str, resources: &'a Resources) -> Vec<(String, &'a Quantity)> {
    let mut all: Vec<(String, &Quantity)> =
        resources.storage.iter().map(|amount| (format!("{path}.storage"), amount)).collect();
    for (part, compute) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        let Some(compute) = compute else { continue };
        let memory = compute.memory.iter().map(|amount| (format!("{path}.{part}.memory"), amount));
        let scratch =
            compute.ephemeral_storage.iter().map(|amount| (format!("{path}.{part}.ephemeralStorage"), amount));
        all.extend(memory.chain(scratch));
    }
    all
}

fn unit_missing(path: &str, amount: &Quantity) -> Option<String> {
    let (Ok(bytes), Ok(least)) = (Amount::parse(&amount.0), Amount::parse(LEAST)) else { return None };
    let few = bytes > Amount::ZERO && bytes < least;
    few.then(|| {
        format!("{path} is {}, which is less than {LEAST}. If the unit is missing, write {}Gi", amount.0, amount.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_of_bytes_has_a_unit() {
        for (spec, message) in [
            (
                "{budget: {storage: '100'}}",
                "spec.budget.storage is 100, which is less than 1Mi. If the unit is missing, write 100Gi",
            ),
            (
                "{budget: {requests: {memory: '64'}}}",
                "spec.budget.requests.memory is 64, which is less than 1Mi. If the unit is missing, write 64Gi",
            ),
            (
                "{projects: [{name: p, share: {live: {limits: {ephemeralStorage: '8'}}}}]}",
                "spec.projects[p].share.live.limits.ephemeralStorage is 8, which is less than 1Mi. If the unit is \
                 missing, write 8Gi",
            ),
            (
                "{shared: {experiments: {storage: '20'}}}",
                "spec.shared: storage of Experiments is 20, which is less than 1Mi. If the unit is missing, write 20Gi",
            ),
            ("{budget: {storage: 1Mi, requests: {memory: '0', cpu: '8'}}}", ""),
        ] {
            let spec: AITeamSpec = serde_saphyr::from_str(spec).unwrap();
            assert_eq!(missing(&spec).join("; "), message);
        }
    }
}
