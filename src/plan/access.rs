//! The rights of people by namespace: the members of the spec met with the role table.
//!
//! Members of the team hold their role in every namespace of the team. Members
//! of one project hold it in that project's namespaces, and reach what the team
//! shares at their role's level there, at most `Use`: the project's work needs
//! the shared components, and its people are no owners of what other projects
//! rely on. The Backbone has no members of single projects.

use std::collections::{BTreeMap, BTreeSet};

use super::namespaces::Place;
use super::roles::{Rights, rights};
use super::{Grant, Right, Subject};
use crate::api::roles::BUILTIN;
use crate::api::team::{Member, Subjects};
use crate::api::vocabulary::{Layer, Level};
use crate::api::{AITeamSpec, BlueprintSpec, Prefixes};

/// The subjects of each role and right in one namespace.
type Holders<'a> = BTreeMap<(Rank<'a>, Right), BTreeSet<Subject>>;

/// A role's name after its place among the roles: the built-in ones in their order, then the
/// site's own by name.
type Rank<'a> = (usize, &'a str);

/// The cells of the role table; nothing for one that cannot be read.
pub type Cells<'a> = dyn Fn(&str, Layer) -> Option<Rights> + 'a;

/// The rights of members, as far as the role table can be read.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The grants, namespace by namespace, then by role and right.
    pub grants: Vec<Grant>,
    /// Members with the namespaces in which their rights cannot be read.
    pub unread: BTreeSet<(String, Subject)>,
}

/// Every grant, namespace by namespace, then by role and right.
#[must_use]
pub fn grants(spec: &AITeamSpec, blueprint: &BlueprintSpec, prefixes: &Prefixes, places: &[Place]) -> Vec<Grant> {
    let cells = |role: &str, layer| Some(rights(blueprint, role, layer));
    given(spec, &cells, prefixes, places).grants
}

/// The rights of the members of a spec by a role table: the one place where that
/// is decided, for writing bindings and for taking people out of them.
#[must_use]
pub fn given(spec: &AITeamSpec, cells: &Cells<'_>, prefixes: &Prefixes, places: &[Place]) -> Given {
    let mut given = Given::default();
    for place in places {
        let grants = grants_in(place, spec, cells, prefixes, &mut given.unread);
        given.grants.extend(grants);
    }
    given
}

fn grants_in(
    place: &Place,
    spec: &AITeamSpec,
    cells: &Cells<'_>,
    prefixes: &Prefixes,
    unread: &mut BTreeSet<(String, Subject)>,
) -> Vec<Grant> {
    let mut holders = Holders::new();
    for (member, here) in members_of(place, spec) {
        let subjects = subjects(&member.groups, &member.users, prefixes);
        match cells(&member.role, place.layer) {
            Some(full) => add(&mut holders, &member.role, &subjects, if here { full } else { capped(full) }),
            None => unread.extend(subjects.into_iter().map(|subject| (place.name.clone(), subject))),
        }
    }
    holders
        .into_iter()
        .filter(|(_, subjects)| !subjects.is_empty())
        .map(|(((_, role), right), subjects)| Grant {
            namespace: place.name.clone(),
            layer: place.layer,
            role: role.to_owned(),
            right,
            subjects: subjects.into_iter().collect(),
        })
        .collect()
}

/// Who holds a role in a place, and whether as in a place of their own.
fn members_of<'a>(place: &'a Place, spec: &'a AITeamSpec) -> impl Iterator<Item = (&'a Member, bool)> {
    let of_projects = spec.projects.iter().flat_map(move |project| {
        let here = place.project.as_ref() == Some(&project.name);
        let members = project.members.iter().filter(move |_| here || place.layer == Layer::Shared);
        members.map(move |member| (member, here))
    });
    spec.members.iter().map(|member| (member, true)).chain(of_projects)
}

/// The rights of the members of one project in the team's shared namespaces.
fn capped(rights: Rights) -> Rights {
    Rights { level: rights.level.map(|level| level.min(Level::Use)), ..Rights::default() }
}

fn add<'a>(holders: &mut Holders<'a>, role: &'a str, subjects: &[Subject], rights: Rights) {
    let given = [
        rights.level.map(Right::Level),
        rights.guardrails.then_some(Right::Guardrails),
        rights.pipelines.then_some(Right::Pipelines),
    ];
    for right in given.into_iter().flatten() {
        holders.entry((rank(role), right)).or_default().extend(subjects.iter().cloned());
    }
}

fn rank(role: &str) -> Rank<'_> {
    (BUILTIN.iter().position(|known| known.name == role).unwrap_or(BUILTIN.len()), role)
}

/// People and groups as the API server knows them. What belongs to Kubernetes
/// itself is left out, wherever it came from.
fn subjects(groups: &[String], users: &[String], prefixes: &Prefixes) -> Vec<Subject> {
    let named = |prefix: &str, name: &String| {
        let full = format!("{prefix}{name}");
        (!name.is_empty() && !full.starts_with("system:")).then_some(full)
    };
    let groups = groups.iter().filter_map(|name| named(&prefixes.group, name)).map(Subject::Group);
    let users = users.iter().filter_map(|name| named(&prefixes.user, name)).map(Subject::User);
    groups.chain(users).collect()
}

/// Everyone who may read the team's own object: members, projects' members and
/// leads.
#[must_use]
pub fn readers(spec: &AITeamSpec, prefixes: &Prefixes) -> Vec<Subject> {
    let members = spec.members.iter().chain(spec.projects.iter().flat_map(|project| &project.members));
    let leads = spec.leads.iter().map(|Subjects { groups, users }| (groups, users));
    let all = members.map(|member| (&member.groups, &member.users)).chain(leads);
    let readers: BTreeSet<Subject> = all.flat_map(|(groups, users)| subjects(groups, users, prefixes)).collect();
    readers.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::namespaces::places;

    fn summary(yaml: &str) -> Vec<String> {
        let spec: AITeamSpec = serde_saphyr::from_str(yaml).unwrap();
        let blueprint: BlueprintSpec = serde_saphyr::from_str("{archetype: AdHoc}").unwrap();
        let prefixes = Prefixes { user: "oidc:".to_owned(), group: "g:".to_owned() };
        grants(&spec, &blueprint, &prefixes, &places("abc", &spec))
            .into_iter()
            .map(|grant| format!("{} {} {:?} {:?}", grant.namespace, grant.role, grant.right, grant.subjects))
            .collect()
    }

    #[test]
    fn members_of_a_project_share_at_most_use() {
        let lines = summary(
            "{shared: {models: {}}, projects: [{name: p, members: [{role: MLEngineer, users: [bo]}]}, {name: q}],
              members: [{role: MLEngineer, groups: [ml, ml], users: [ana]}]}",
        );
        assert_eq!(
            lines,
            [
                r#"abc--backbone MLEngineer Level(View) [Group("g:ml"), User("oidc:ana")]"#,
                r#"abc--shared MLEngineer Level(Use) [User("oidc:bo")]"#,
                r#"abc--shared MLEngineer Level(Own) [Group("g:ml"), User("oidc:ana")]"#,
                r#"abc--p MLEngineer Level(Own) [Group("g:ml"), User("oidc:ana"), User("oidc:bo")]"#,
                r#"abc--q MLEngineer Level(Own) [Group("g:ml"), User("oidc:ana")]"#,
            ]
        );
    }

    #[test]
    fn nothing_of_kubernetes_own_is_ever_a_subject() {
        let prefixed = Prefixes { user: "system:".to_owned(), group: String::new() };
        assert!(subjects(&[], &["anyone".to_owned()], &prefixed).is_empty());
        assert!(subjects(&["system:authenticated".to_owned()], &[], &Prefixes::default()).is_empty());
        assert!(subjects(&[String::new()], &[], &prefixed).is_empty());
    }
}
