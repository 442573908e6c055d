//! Takes rights away while nothing else may be written: under `suspend`, or
//! with the Blueprint missing. Revoking is never stopped; nothing is added.
//!
//! Pure: it says what the bindings should shrink to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::team::{AITeamSpec, Member};
use crate::plan::WrittenPrefixes;
use crate::watch::{Entry, Key};

/// What one binding should become.
#[derive(Clone, Debug, PartialEq)]
pub enum Revocation {
    /// It keeps these subjects.
    Keep(Value),
    /// Nobody is left in it.
    Remove,
}

/// The bindings of a team that name somebody whom the spec no longer names. Where it
/// is not known what stands before names, nobody can be told from somebody else, and
/// stays.
#[must_use]
pub fn revocations(
    team: &str,
    spec: &AITeamSpec,
    prefixes: &WrittenPrefixes,
    objects: &[(Key, Entry)],
) -> Vec<(Key, Entry, Revocation)> {
    objects
        .iter()
        .filter(|(key, entry)| {
            entry.is_ours() && !entry.deleting && matches!(key.kind.as_str(), "RoleBinding" | "ClusterRoleBinding")
        })
        .filter_map(|(key, entry)| {
            let allowed = allowed(team, spec, prefixes, key);
            let state = entry.view.state();
            let subjects = state["subjects"].as_array()?;
            let kept: Vec<_> = subjects.iter().filter(|subject| stays(subject, prefixes, &allowed)).cloned().collect();
            match kept.len() {
                same if same == subjects.len() => None,
                0 => Some((key.clone(), entry.clone(), Revocation::Remove)),
                _ => Some((key.clone(), entry.clone(), Revocation::Keep(json!(kept)))),
            }
        })
        .collect()
}

type Allowed = BTreeSet<(&'static str, String)>;

fn stays(subject: &Value, prefixes: &WrittenPrefixes, allowed: &Allowed) -> bool {
    let name = subject["name"].as_str().unwrap_or_default().to_owned();
    match subject["kind"].as_str() {
        Some("User") => prefixes.user.is_none() || allowed.contains(&("User", name)),
        Some("Group") => prefixes.group.is_none() || allowed.contains(&("Group", name)),
        // Identities of work are no people.
        _ => true,
    }
}

/// Everybody whom the spec still names for this binding.
fn allowed(team: &str, spec: &AITeamSpec, prefixes: &WrittenPrefixes, key: &Key) -> Allowed {
    let mut allowed = Allowed::new();
    let everywhere = spec.members.iter();
    let project = key.namespace.as_deref().and_then(|namespace| project(team, namespace));
    let in_projects = spec.projects.iter().filter(|candidate| match (&key.namespace, project) {
        // What is not a project's own is open to the members of every project.
        (None, _) | (_, None) => true,
        (_, Some(project)) => candidate.name == project,
    });
    let members = everywhere.chain(in_projects.flat_map(|project| project.members.iter()));
    for member in members.filter(|member| holds_role(member, key)) {
        add(&mut allowed, prefixes, &member.users, &member.groups);
    }
    if let (None, Some(leads)) = (&key.namespace, &spec.leads) {
        add(&mut allowed, prefixes, &leads.users, &leads.groups);
    }
    allowed
}

fn add(allowed: &mut Allowed, prefixes: &WrittenPrefixes, users: &[String], groups: &[String]) {
    let spelled = |prefix: &Option<String>, name: &String| Some(format!("{}{name}", prefix.as_ref()?));
    allowed.extend(users.iter().filter_map(|user| Some(("User", spelled(&prefixes.user, user)?))));
    allowed.extend(groups.iter().filter_map(|group| Some(("Group", spelled(&prefixes.group, group)?))));
}

/// A binding in a namespace is of one role, by its name.
fn holds_role(member: &Member, key: &Key) -> bool {
    let of_role = format!("strata-{}-", member.role.kebab());
    key.namespace.is_none() || key.name.strip_prefix(&of_role).is_some_and(|rest| !rest.contains('-'))
}

fn project<'a>(team: &str, namespace: &'a str) -> Option<&'a str> {
    let rest = namespace.strip_prefix(team)?.strip_prefix("--")?;
    let project = rest.strip_suffix("--live").unwrap_or(rest);
    (!matches!(project, "backbone" | "shared")).then_some(project)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::vocabulary::Role;
    use crate::kinds::Keeping;
    use crate::watch::Mirror;

    fn binding(subjects: &Value) -> Vec<(Key, Entry)> {
        let mirror = Mirror::default();
        let key = Key::new("rbac.authorization.k8s.io", "RoleBinding", Some("a--p"), "strata-ml-engineer-own");
        let object = json!({"metadata": {"name": key.name, "namespace": "a--p", "uid": "u", "resourceVersion": "1",
            "labels": {"strata-operator.dev/team": "a", "strata-operator.dev/team-uid": "t"}}, "subjects": subjects});
        mirror.observe(key, &object, Keeping::Whole(&["subjects"]));
        mirror.team("a")
    }

    fn spec(users: &[&str]) -> AITeamSpec {
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        AITeamSpec { members: vec![Member { role: Role::MLEngineer, groups: vec![], users }], ..AITeamSpec::default() }
    }

    #[test]
    fn whoever_left_the_spec_leaves_the_bindings() {
        let prefixes = WrittenPrefixes { user: Some("oidc:".to_owned()), group: Some(String::new()) };
        let both = binding(&json!([{"kind": "User", "name": "oidc:ana"}, {"kind": "User", "name": "oidc:bo"}]));
        assert!(revocations("a", &spec(&["ana", "bo"]), &prefixes, &both).is_empty());
        let left = revocations("a", &spec(&["ana"]), &prefixes, &both);
        assert_eq!(left[0].2, Revocation::Keep(json!([{"kind": "User", "name": "oidc:ana"}])));
        assert_eq!(revocations("a", &spec(&[]), &prefixes, &both)[0].2, Revocation::Remove);
    }

    #[test]
    fn nobody_is_taken_out_while_the_prefix_is_not_known() {
        let both = binding(&json!([{"kind": "User", "name": "oidc:ana"}, {"kind": "Group", "name": "g:ml"}]));
        assert!(revocations("a", &spec(&[]), &WrittenPrefixes::default(), &both).is_empty());
        let users = WrittenPrefixes { user: Some(String::new()), group: None };
        let left = revocations("a", &spec(&["ana"]), &users, &both);
        assert_eq!(left[0].2, Revocation::Keep(json!([{"kind": "Group", "name": "g:ml"}])));
    }

    #[test]
    fn identities_of_work_are_no_people() {
        let account = binding(&json!([{"kind": "ServiceAccount", "name": "deployer", "namespace": "a--backbone"}]));
        assert!(revocations("a", &spec(&[]), &WrittenPrefixes::default(), &account).is_empty());
    }

    #[test]
    fn the_project_is_read_from_the_namespace() {
        assert_eq!(project("a", "a--p--live"), Some("p"));
        assert_eq!(project("a", "a--shared"), None);
        assert_eq!(project("a", "b--p"), None);
    }
}
