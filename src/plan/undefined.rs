//! Roles that members have and that nobody defined. They grant nothing; everything else of
//! the team goes on, so this is advice: a word in one entry costs nobody else their rights.

use std::collections::{BTreeMap, BTreeSet};

use super::roles::{is_defined, names};
use super::{Problem, Scope};
use crate::api::roles::builtin;
use crate::api::{AITeamSpec, BlueprintSpec, Reason};

/// How many roles a message names.
const NAMED: usize = 5;
/// How many places of each.
const PLACES: usize = 2;

/// Roles that are not defined, each with the places where it is named.
type Found<'a> = BTreeMap<&'a str, Vec<String>>;

/// The problem of a team with such roles: their names, where they stand, and which roles
/// there are.
#[must_use]
pub fn undefined(spec: &AITeamSpec, site: &BlueprintSpec) -> Option<Problem> {
    let mut found = Found::new();
    for (role, place) in members(spec).filter(|(role, _)| !is_defined(site, role)) {
        found.entry(role).or_default().push(place);
    }
    let message = message(&found, site, &format!("Blueprint {}", spec.blueprint))?;
    Some(Problem::advice(Scope::Team, Reason::RoleUndefined, message))
}

/// The same for a Blueprint: the roles that its leads may give, and those that its teams
/// name and that are not built in.
#[must_use]
pub fn undefined_in(site: &BlueprintSpec, teams: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let mut found = Found::new();
    let leads = site.leads.iter().flat_map(|leads| &leads.may_grant);
    let leads = leads.map(|role| (role, "spec.leads.mayGrant".to_owned()));
    let of_teams = teams.iter().flat_map(|(team, roles)| roles.iter().map(move |role| (role, format!("team {team}"))));
    for (role, place) in leads.chain(of_teams).filter(|(role, _)| !is_defined(site, role)) {
        found.entry(role).or_default().push(place);
    }
    message(&found, site, "the Blueprint")
}

fn message(found: &Found<'_>, site: &BlueprintSpec, blueprint: &str) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    let known = names(site);
    let said = found.iter().take(NAMED).map(|(role, places)| said(role, places, &known));
    let more = more(found.len()).map(|more| format!("{more} roles"));
    let said = said.chain(more).collect::<Vec<_>>().join("; ");
    let known = known.join(", ");
    Some(format!(
        "a role that is not defined grants nothing but reading the team's AITeam. Write a role that exists, or add it \
         to `roles` of {blueprint}: {said}. Roles: {known}"
    ))
}

/// The roles that a team names and that are not built in, each once.
#[must_use]
pub fn named(spec: &AITeamSpec) -> Vec<String> {
    let own: BTreeSet<&str> = members(spec).map(|(role, _)| role).filter(|role| builtin(role).is_none()).collect();
    own.into_iter().map(str::to_owned).collect()
}

/// The role of each member with its place.
fn members(spec: &AITeamSpec) -> impl Iterator<Item = (&str, String)> {
    let of_projects = spec.projects.iter().flat_map(|project| {
        let place = move || format!("spec.projects[{}].members", project.name);
        project.members.iter().map(move |member| (member.role.as_str(), place()))
    });
    spec.members.iter().map(|member| (member.role.as_str(), "spec.members".to_owned())).chain(of_projects)
}

fn said(role: &str, places: &[String], known: &[&str]) -> String {
    let mut named: Vec<&str> = places.iter().take(PLACES).map(String::as_str).collect();
    let more = places.len().checked_sub(PLACES).filter(|more| *more > 0).map(|more| format!("{more} more"));
    named.extend(more.as_deref());
    let found = format!("{role} in {}", named.join(", "));
    nearest(role, known).map_or_else(|| found.clone(), |near| format!("{found} (did you mean {near}?)"))
}

fn more(found: usize) -> Option<String> {
    found.checked_sub(NAMED).filter(|more| *more > 0).map(|more| format!("{more} more"))
}

/// The known name that was probably meant: another case, or one slip in about four
/// letters.
#[must_use]
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let far = known.iter().map(|known| (distance(&lower, &known.to_lowercase()), *known));
    let (slips, near) = far.min()?;
    (slips * 4 <= lower.chars().count()).then_some(near)
}

/// How many letters must be added, removed or replaced.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, against) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *against);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(team: &str, site: &str) -> Option<String> {
        let problem = undefined(&serde_saphyr::from_str(team).unwrap(), &serde_saphyr::from_str(site).unwrap())?;
        assert!(!problem.blocking && problem.issue.reason == Reason::RoleUndefined);
        Some(problem.issue.message)
    }

    const ANALYST: &str = "{roles: [{name: Analyst, shared: Use}]}";

    #[test]
    fn a_role_that_is_defined_is_no_problem() {
        let team = "{members: [{role: MLEngineer, users: [a]}, {role: Analyst, users: [b]}]}";
        assert_eq!(message(team, ANALYST), None);
    }

    #[test]
    fn a_role_that_nobody_defined_is_named_with_its_place_and_those_that_there_are() {
        let team = "{members: [{role: Analist, users: [a]}, {role: MLEngineer, users: [b]}],
            projects: [{name: p, members: [{role: Wizard, users: [c]}, {role: Analist, users: [d]}]}]}";
        assert_eq!(
            message(team, ANALYST).unwrap(),
            "a role that is not defined grants nothing but reading the team's AITeam. Write a role that exists, or add \
             it to `roles` of Blueprint default: Analist in spec.members, spec.projects[p].members (did you mean \
             Analyst?); Wizard in spec.projects[p].members. Roles: CloudSecurityEngineer, DevOpsEngineer, MLOpsEngineer, \
             MLEngineer, DataEngineer, DataScientist, CitizenDataScientist, MLResearcher, FullStackEngineer, \
             ProjectManager, Analyst"
        );
    }

    #[test]
    fn a_blueprint_learns_who_names_what_it_lacks() {
        let site: BlueprintSpec = serde_saphyr::from_str("{leads: {mayGrant: [Analyst, MLEngineer]}}").unwrap();
        let team = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
        let teams = BTreeMap::from([("atlas".to_owned(), team(&["Analyst"])), ("fraud".to_owned(), team(&["Wizard"]))]);
        let message = undefined_in(&site, &teams).unwrap();
        let roles = "the Blueprint: Analyst in spec.leads.mayGrant, team atlas; Wizard in team fraud. Roles: ";
        assert!(message.contains(roles), "{message}");
        let defined = serde_saphyr::from_str("{roles: [{name: Analyst}, {name: Wizard}]}").unwrap();
        assert_eq!(undefined_in(&defined, &teams), None);
        let spec = "{members: [{role: MLEngineer}, {role: Wizard}], projects: [{name: p, members: [{role: Wizard}]}]}";
        assert_eq!(named(&serde_saphyr::from_str(spec).unwrap()), ["Wizard"]);
    }

    #[test]
    fn many_of_them_are_counted() {
        let members: Vec<String> = (0..50).map(|n| format!("{{role: Wizard{n}, users: [a]}}")).collect();
        let message = message(&format!("{{members: [{}]}}", members.join(", ")), "{}").unwrap();
        assert!(message.contains("45 more roles") && message.len() < 1024, "{message}");
    }

    #[test]
    fn what_was_meant_differs_little() {
        let known = ["MLEngineer", "DataEngineer", "Analyst", "SRE"];
        for (name, meant) in [
            ("MlEngineer", Some("MLEngineer")),
            ("MLEnginer", Some("MLEngineer")),
            ("DataEngeneer", Some("DataEngineer")),
            ("Analysts", Some("Analyst")),
            ("Sre", Some("SRE")),
            ("SRF", None),
            ("Wizard", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, &known), meant, "{name}");
        }
        assert_eq!(nearest("Any", &[]), None);
    }
}
