//! Gaps in the staffing, by the organisation's archetype. Advice: it never
//! blocks anything.

use super::roles::{names, rights};
use crate::api::blueprint::Archetype;
use crate::api::roles::builtin;
use crate::api::team::{Member, Project, TeamType};
use crate::api::vocabulary::{Capability, Layer, Level};
use crate::api::{AITeamSpec, BlueprintSpec};

/// The gaps, one sentence each.
#[must_use]
pub fn coverage(spec: &AITeamSpec, blueprint: &BlueprintSpec) -> Vec<String> {
    let mut missing = Vec::new();
    if spec.members.is_empty() && spec.projects.iter().all(|project| project.members.is_empty()) {
        missing.push("the team has no members. Add people or groups to spec.members".to_owned());
        missing.extend(purpose(spec));
        return missing;
    }
    missing.extend(production(spec, blueprint));
    missing.extend(data(spec, blueprint));
    missing.extend(shared(spec, blueprint));
    missing.extend(purpose(spec));
    missing
}

fn may(blueprint: &BlueprintSpec, members: &[Member], layer: Layer, level: Level) -> bool {
    members.iter().any(|member| reaches(blueprint, &member.role, layer, level))
}

fn reaches(blueprint: &BlueprintSpec, role: &str, layer: Layer, level: Level) -> bool {
    rights(blueprint, role, layer).level >= Some(level)
}

/// Live sides without a member who may deploy there.
fn production(spec: &AITeamSpec, blueprint: &BlueprintSpec) -> Vec<String> {
    let live = || spec.projects.iter().filter(|project| project.live.is_some());
    let delivery = spec.backbone.as_ref().and_then(|backbone| backbone.delivery.as_ref());
    let delivered = delivery.is_some_and(|delivery| delivery.enabled.unwrap_or(true));
    let alone = |project: &&Project| {
        let able = |members: &[Member]| may(blueprint, members, Layer::Live, Level::Contribute);
        !delivered && !able(&spec.members) && !able(&project.members)
    };
    let mut missing: Vec<String> = live()
        .filter(alone)
        .map(|project| format!("project {} has a Live side, but no member may deploy there", project.name))
        .collect();
    if blueprint.archetype == Archetype::Research {
        missing.extend(live().map(|project| {
            format!(
                "project {} has a Live side, but organisations of the archetype Research rarely have people to run one",
                project.name
            )
        }));
    }
    missing
}

/// Features or data without anybody who answers for data.
fn data(spec: &AITeamSpec, blueprint: &BlueprintSpec) -> Option<String> {
    let wanted = |capability| {
        let blocks = spec.shared.as_ref().map(crate::api::team::Shared::blocks).unwrap_or_default();
        blocks.iter().any(|(known, block)| *known == capability && block.wanted())
    };
    let members = spec.members.iter().chain(spec.projects.iter().flat_map(|project| &project.members));
    // Of the built-in roles one alone brings data, whatever others may do in Shared; of the
    // site's own nothing is known but their rights.
    let brings = |role: &str| match builtin(role) {
        Some(_) => role == "DataEngineer",
        None => reaches(blueprint, role, Layer::Shared, Level::Contribute),
    };
    let engineer = members.into_iter().any(|member| brings(&member.role));
    let missed = wanted(Capability::FeatureStore) && !engineer && blueprint.archetype != Archetype::Research;
    missed.then(|| "the team has a feature store but no DataEngineer".to_owned())
}

fn shared(spec: &AITeamSpec, blueprint: &BlueprintSpec) -> Option<String> {
    let unowned = super::namespaces::shared_is_on(spec) && !may(blueprint, &spec.members, Layer::Shared, Level::Own);
    let owners = || {
        let all = names(blueprint).into_iter();
        all.filter(|role| reaches(blueprint, role, Layer::Shared, Level::Own)).collect::<Vec<_>>().join(", ")
    };
    unowned.then(|| match owners() {
        none if none.is_empty() => {
            "the Shared layer has no owner, and no role owns it. Set `shared: Own` for a role of the Blueprint"
                .to_owned()
        }
        owners => format!("the Shared layer has no owner. Add a member with one of the roles {owners}"),
    })
}

/// A team without anything that it owns, or without customers.
fn purpose(spec: &AITeamSpec) -> Vec<String> {
    let mut missing = Vec::new();
    if spec.owns.is_empty() {
        missing.push("spec.owns is empty. List the models, services or field of the team".to_owned());
    }
    let offers = spec.shared.as_ref().is_some_and(|shared| !shared.offers.is_empty());
    match spec.type_ {
        TeamType::Applied if spec.customers.is_empty() => {
            missing.push("spec.customers is empty. List the users of the team's models".to_owned());
        }
        TeamType::Infrastructure if spec.customers.is_empty() && !offers => {
            missing
                .push("the team has no customers and no offers. Set spec.customers or spec.shared.offers".to_owned());
        }
        _ => {}
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(team: &str, blueprint: &str) -> Vec<String> {
        coverage(&serde_saphyr::from_str(team).unwrap(), &serde_saphyr::from_str(blueprint).unwrap())
    }

    #[test]
    fn a_well_staffed_team_hears_nothing() {
        let team = "{owns: [m], customers: [{name: c}], shared: {featureStore: {}}, projects: [{name: p, live: {}}],
            members: [{role: MLEngineer, groups: [a]}, {role: DataEngineer, groups: [b]}]}";
        assert!(advice(team, "{}").is_empty());
    }

    #[test]
    fn what_is_missing_is_named() {
        let team = "{owns: [m], customers: [{name: c}], shared: {featureStore: {}}, projects: [{name: p, live: {}}],
            members: [{role: ProjectManager, groups: [a]}]}";
        assert_eq!(
            advice(team, "{archetype: AdHoc}"),
            [
                "project p has a Live side, but no member may deploy there",
                "the team has a feature store but no DataEngineer",
                "the Shared layer has no owner. Add a member with one of the roles MLOpsEngineer, MLEngineer",
            ]
        );
        let research = advice(team, "{archetype: Research}");
        assert!(research.iter().any(|text| text.contains("rarely have people")));
        assert!(!research.iter().any(|text| text.contains("DataEngineer")));
    }

    #[test]
    fn a_role_of_the_site_counts_by_its_rights() {
        let team = "{owns: [m], customers: [{name: c}], shared: {featureStore: {}}, projects: [{name: p, live: {}}],
            members: [{role: PlatformLead, groups: [a]}]}";
        let with = |cells: &str| advice(team, &format!("{{roles: [{{name: PlatformLead, {cells}}}]}}"));
        assert!(with("shared: Own, live: Contribute").is_empty());
        assert_eq!(
            with("shared: View, live: View"),
            [
                "project p has a Live side, but no member may deploy there",
                "the team has a feature store but no DataEngineer",
                "the Shared layer has no owner. Add a member with one of the roles MLOpsEngineer, MLEngineer",
            ]
        );
        let nobody = advice(team, "{roles: [{name: MLOpsEngineer, shared: Use}, {name: MLEngineer, shared: Use}]}");
        assert!(nobody.iter().any(|text| text.contains("no role owns it")), "{nobody:?}");
    }

    #[test]
    fn delivery_deploys_too_and_purpose_depends_on_the_type() {
        let delivered = "{owns: [m], customers: [{name: c}], projects: [{name: p, live: {}}],
            backbone: {delivery: {}}, members: [{role: ProjectManager, groups: [a]}]}";
        assert!(advice(delivered, "{}").is_empty());
        assert_eq!(
            advice("{type: Research, owns: [x], members: [{role: MLResearcher, users: [a]}]}", "{}"),
            Vec::<String>::new()
        );
        assert_eq!(advice("{}", "{}").len(), 3);
    }
}
