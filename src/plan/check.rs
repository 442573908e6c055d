//! The spec against its Blueprint: faults of the spec as a whole.
//!
//! Rules on one object are checked by the API server; this module checks
//! rules across two, and files without an API server. Every
//! message names the field and both sides.

use std::collections::BTreeSet;

use super::budget::check::check_maximum;
use super::findings::Findings;
use super::{cidr, units};
use crate::api::blueprint::EgressPeer;
use crate::api::team::{AITeam, Member};
use crate::api::{AITeamSpec, BlueprintSpec, Issue};

/// Everything that keeps the spec as a whole from being planned.
pub fn check(team: &AITeam, blueprint: &BlueprintSpec) -> Result<(), Issue> {
    let mut findings = Findings::default();
    let spec = &team.spec;
    check_names(team, &mut findings);
    check_labels(spec, blueprint, &mut findings);
    check_subjects(spec, &mut findings);
    check_egress(spec, blueprint, &mut findings);
    check_images(team, blueprint, &mut findings);
    check_maximum(spec, blueprint, &mut findings);
    for message in units::missing(spec) {
        findings.invalid(message);
    }
    findings.verdict()
}

fn check_names(team: &AITeam, findings: &mut Findings) {
    let name = team.metadata.name.as_deref().unwrap_or_default();
    if !(3..=20).contains(&name.len()) || !is_name(name) || ["backbone", "shared"].contains(&name) {
        findings.invalid(format!(
            "metadata.name is '{name}': a team's name has 3 to 20 lower-case letters, digits and single hyphens, \
             and is not 'backbone' or 'shared'"
        ));
    }
    let mut names = BTreeSet::new();
    for project in &team.spec.projects {
        let name = &project.name;
        if name.len() > 24 || !is_name(name) || ["backbone", "shared", "live"].contains(&name.as_str()) {
            findings.invalid(format!(
                "spec.projects has '{name}': a project's name has at most 24 lower-case letters, digits and single \
                 hyphens, and is not 'backbone', 'shared' or 'live'"
            ));
        }
        if !names.insert(name) {
            findings.invalid(format!("spec.projects has '{name}' twice. Rename or remove one"));
        }
    }
}

/// A part of a namespace's name.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(inner)
        && text.ends_with(inner)
        && !text.contains("--")
        && text.chars().all(|c| inner(c) || c == '-')
}

fn check_labels(spec: &AITeamSpec, blueprint: &BlueprintSpec, findings: &mut Findings) {
    let rules = blueprint.labels.clone().unwrap_or_default();
    for key in rules.required.iter().filter(|key| !spec.labels.contains_key(*key)) {
        findings.invalid(format!("spec.labels lacks '{key}', which Blueprint {} requires", spec.blueprint));
    }
    let allowed: BTreeSet<&String> = rules.required.iter().chain(&rules.allowed).collect();
    for key in spec.labels.keys().filter(|key| !allowed.contains(key)) {
        let list = if allowed.is_empty() { "none".to_owned() } else { joined(allowed.iter().copied()) };
        findings.invalid(format!(
            "spec.labels has '{key}', which Blueprint {} does not allow. Allowed: {list}",
            spec.blueprint
        ));
    }
    for key in allowed.into_iter().filter(|key| is_reserved_label(key)) {
        findings.blueprint(format!(
            "Blueprint {} lets teams set the label '{key}', which belongs to Kubernetes or Strata. Remove it from \
             spec.labels",
            spec.blueprint
        ));
    }
}

fn is_reserved_label(key: &str) -> bool {
    let Some((prefix, _)) = key.split_once('/') else { return false };
    let of = |domain: &str| prefix == domain || prefix.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    of("kubernetes.io") || of("k8s.io") || of("strata-operator.dev")
}

fn check_subjects(spec: &AITeamSpec, findings: &mut Findings) {
    let members = spec.members.iter().map(|member| ("spec.members".to_owned(), member));
    let of_projects = spec.projects.iter().flat_map(|project| {
        project.members.iter().map(move |member| (format!("spec.projects[{}].members", project.name), member))
    });
    for (path, Member { role, groups, users }) in members.chain(of_projects) {
        if groups.is_empty() && users.is_empty() {
            findings.invalid(format!("{path}[{role}] has no user and no group. Add at least one, or remove the entry"));
        }
        for name in groups.iter().chain(users).filter(|name| name.is_empty() || name.starts_with("system:")) {
            findings.invalid(format!(
                "{path}[{role}] has '{name}', which is no user or group of an identity provider. Replace it"
            ));
        }
    }
}

fn check_egress(spec: &AITeamSpec, blueprint: &BlueprintSpec, findings: &mut Findings) {
    for name in spec.backbone.iter().flat_map(|backbone| &backbone.egress) {
        let Some(profile) = blueprint.egress_profile(name) else {
            let known = joined(blueprint.egress.iter().map(|profile| &profile.name));
            let known = if known.is_empty() { "none".to_owned() } else { known };
            findings.invalid(format!(
                "spec.backbone.egress has '{name}', which is no profile of Blueprint {}. Available: {known}",
                spec.blueprint
            ));
            continue;
        };
        for problem in profile.to.iter().filter_map(wrong_peer) {
            findings.blueprint(format!("Blueprint {}: spec.egress[{name}].to: {problem}", spec.blueprint));
        }
    }
}

/// Why a way cannot lead there, if it cannot.
#[must_use]
pub fn wrong_peer(peer: &EgressPeer) -> Option<String> {
    match (&peer.cidr, &peer.namespace) {
        (Some(block), None) => cidr::parse(block).err().map(|error| error.to_string()),
        (None, Some(namespace)) => namespace.contains("--").then(|| {
            format!("'{namespace}' is a namespace of a team. Let that team offer its service under `shared.offers`")
        }),
        _ => Some("an entry has either `cidr` or `namespace`".to_owned()),
    }
}

fn check_images(team: &AITeam, blueprint: &BlueprintSpec, findings: &mut Findings) {
    let registries = allowed_registries(team.metadata.name.as_deref().unwrap_or_default(), blueprint);
    for entry in team.spec.shared.iter().flat_map(|shared| &shared.images) {
        let path = format!("spec.shared.images[{}]", entry.name);
        let site = &team.spec.blueprint;
        match &entry.image {
            None if !blueprint.images.contains_key(&entry.name) => {
                let known =
                    if blueprint.images.is_empty() { "none".to_owned() } else { joined(blueprint.images.keys()) };
                findings.invalid(format!(
                    "{path} has no image of its own and is no image of Blueprint {site}. Available: {known}"
                ));
            }
            Some(image) if !registries.is_empty() && !registries.iter().any(|prefix| image.starts_with(prefix)) => {
                findings.invalid(format!(
                    "{path}.image is '{image}', which is in no registry that Blueprint {site} allows. Allowed: {}",
                    joined(&registries)
                ));
            }
            _ => {}
        }
    }
}

/// From where a team's images may come, each ending in a slash; empty where the
/// Blueprint says nothing.
#[must_use]
pub fn allowed_registries(team: &str, blueprint: &BlueprintSpec) -> Vec<String> {
    let registries = blueprint.registries.iter();
    let prefixes = registries.flat_map(|registries| {
        let own = registries.team.iter().map(|own| own.replace("${team}", team));
        own.chain(registries.mirrors.values().cloned()).collect::<Vec<_>>()
    });
    let slashed = prefixes.map(|prefix| format!("{}/", prefix.trim_end_matches('/')));
    slashed.collect::<BTreeSet<_>>().into_iter().collect()
}

fn joined<'a>(items: impl IntoIterator<Item = &'a String>) -> String {
    items.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(team: &str, blueprint: &str) -> String {
        let mut object = AITeam::new("fraud", serde_saphyr::from_str(team).unwrap());
        object.metadata.uid = Some("1".to_owned());
        let blueprint = serde_saphyr::from_str(blueprint).unwrap();
        check(&object, &blueprint).err().map(|refusal| refusal.message).unwrap_or_default()
    }

    #[test]
    fn messages_name_the_field_and_both_sides() {
        let cases = [
            (
                "{}",
                "{labels: {required: [cost-center]}}",
                "spec.labels lacks 'cost-center', which Blueprint default requires",
            ),
            (
                "{labels: {a: b}}",
                "{labels: {allowed: [env]}}",
                "spec.labels has 'a', which Blueprint default does not allow. Allowed: env",
            ),
            ("{labels: {a: b}}", "{}", "spec.labels has 'a', which Blueprint default does not allow. Allowed: none"),
            (
                "{backbone: {egress: [web]}}",
                "{egress: [{name: objects}]}",
                "spec.backbone.egress has 'web', which is no profile of Blueprint default. Available: objects",
            ),
            (
                "{shared: {images: [{name: x}]}}",
                "{images: {scipy: a}}",
                "spec.shared.images[x] has no image of its own and is no image of Blueprint default. Available: scipy",
            ),
            (
                "{shared: {images: [{name: x, image: evil/x}]}}",
                "{registries: {team: 'r/${team}/'}}",
                "spec.shared.images[x].image is 'evil/x', which is in no registry that Blueprint default allows. \
                 Allowed: r/fraud/",
            ),
            (
                "{budget: {requests: {cpu: 9}}}",
                "{budget: {maximum: {requests: {cpu: '8'}}}}",
                "spec.budget.requests.cpu is 9, more than the maximum 8 of Blueprint default. Lower it",
            ),
            (
                "{budget: {requests: {nvidia.com/gpu: 2}}}",
                "{budget: {maximum: {requests: {nvidia.com/gpu: 1}}}}",
                "spec.budget.requests[nvidia.com/gpu] is 2, more than the maximum 1 of Blueprint default. Lower it",
            ),
            (
                "{members: [{role: MLEngineer, groups: ['system:masters']}]}",
                "{}",
                "spec.members[MLEngineer] has 'system:masters', which is no user or group of an identity provider. \
                 Replace it",
            ),
            (
                "{projects: [{name: a--b}]}",
                "{}",
                "spec.projects has 'a--b': a project's name has at most 24 lower-case letters, digits and single hyphens, and is not 'backbone', 'shared' or 'live'",
            ),
            (
                "{shared: {images: [{name: scipy}, {name: x, image: r/fraud/x}]}}",
                "{images: {scipy: a}, registries: {team: 'r/${team}/'}}",
                "",
            ),
        ];
        for (team, blueprint, expected) in cases {
            assert_eq!(refused(team, blueprint), expected, "{team} {blueprint}");
        }
    }
}
