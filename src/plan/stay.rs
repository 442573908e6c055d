//! Who may stay in the bindings of a team while nothing else may be written for
//! it: the people to whom the plan's own grants give the bound right. Nothing
//! is guessed: where the people are not known, no binding changes.

use std::collections::BTreeSet;

use super::access::{Cells, given, readers};
use super::namespaces::places;
use super::{Grant, Right, Subject};
use crate::api::Prefixes;
use crate::api::team::Readable;
use crate::api::vocabulary::Level;

/// What stood before the names of people and of groups when bindings were written:
/// each that may have. Empty: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPrefixes {
    /// Before the names of people.
    pub users: BTreeSet<String>,
    /// Before the names of groups.
    pub groups: BTreeSet<String>,
}

/// Who may stay. All names are without prefixes.
#[derive(Clone, Debug, Default)]
pub struct Stay {
    prefixes: KnownPrefixes,
    /// By namespace and ClusterRole.
    rights: BTreeSet<(String, String, Subject)>,
    /// Readers of the team's own object.
    readers: BTreeSet<Subject>,
    /// People who keep their rights in a namespace: the rights of their role there
    /// cannot be read.
    unread: BTreeSet<(String, Subject)>,
    /// Names in entries of the spec that cannot be read: they keep all they have.
    unread_names: BTreeSet<String>,
}

impl Stay {
    /// Who may stay of the team of this name by its spec, as far as that and the role
    /// table can be read.
    #[must_use]
    pub fn of(team: &str, people: &Readable, cells: &Cells<'_>, prefixes: KnownPrefixes) -> Self {
        let spec = &people.spec;
        let given = given(spec, cells, &Prefixes::default(), &places(team, spec));
        let mut rights = BTreeSet::new();
        for grant in &given.grants {
            for role in roles(grant) {
                let here = |subject: &Subject| (grant.namespace.clone(), role.clone(), subject.clone());
                rights.extend(grant.subjects.iter().map(here));
            }
        }
        Self {
            rights,
            readers: readers(spec, &Prefixes::default()).into_iter().collect(),
            unread: given.unread,
            unread_names: people.unread.clone(),
            prefixes,
        }
    }

    /// Whether a subject of a binding may stay.
    #[must_use]
    pub fn may(&self, namespace: Option<&str>, cluster_role: &str, subject: &Subject) -> bool {
        let (known, name) = match subject {
            Subject::User(name) => (&self.prefixes.users, name),
            Subject::Group(name) => (&self.prefixes.groups, name),
        };
        let bare = known.iter().filter_map(|prefix| name.strip_prefix(prefix.as_str()));
        known.is_empty() || bare.into_iter().any(|bare| self.stays(namespace, cluster_role, subject, bare))
    }

    fn stays(&self, namespace: Option<&str>, cluster_role: &str, subject: &Subject, bare: &str) -> bool {
        let one = match subject {
            Subject::User(_) => Subject::User(bare.to_owned()),
            Subject::Group(_) => Subject::Group(bare.to_owned()),
        };
        if self.unread_names.contains(bare) {
            return true;
        }
        match namespace {
            None => self.readers.contains(&one),
            Some(namespace) => {
                self.unread.contains(&(namespace.to_owned(), one.clone()))
                    || self.rights.contains(&(namespace.to_owned(), cluster_role.to_owned(), one))
            }
        }
    }
}

/// The ClusterRoles that hold no more than a grant: a level holds every level below
/// it.
fn roles(grant: &Grant) -> Vec<String> {
    let Right::Level(most) = grant.right else { return vec![grant.right.cluster_role(grant.layer)] };
    let levels = Level::ALL.iter().filter(|level| **level <= most);
    levels.map(|level| Right::Level(*level).cluster_role(grant.layer)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::BlueprintSpec;
    use crate::api::vocabulary::Layer;
    use crate::plan::roles::{Rights, rights};
    use serde_json::{Value, json};

    fn prefixes(users: &[&str]) -> KnownPrefixes {
        let users = users.iter().map(|prefix| (*prefix).to_owned()).collect();
        KnownPrefixes { users, groups: [String::new()].into() }
    }

    fn stay(spec: &Value, users: &[&str]) -> Stay {
        let site = BlueprintSpec::default();
        Stay::of("abc", &Readable::of(spec), &|role: &str, layer| Some(rights(&site, role, layer)), prefixes(users))
    }

    fn user(name: &str) -> Subject {
        Subject::User(name.to_owned())
    }

    const OWN: &str = "strata:workspace:own";
    const CONTRIBUTE: &str = "strata:workspace:contribute";

    fn here(stay: &Stay, role: &str, name: &str) -> bool {
        stay.may(Some("abc--p"), role, &user(name))
    }

    #[test]
    fn whoever_is_not_given_the_right_any_more_leaves() {
        let spec = json!({"projects": [{"name": "p"}, {"name": "q", "members": [{"role": "MLEngineer", "users": ["bo"]}]}],
            "members": [{"role": "MLEngineer", "users": ["ana"]}, {"role": "DataScientist", "users": ["cy"]}],
            "leads": {"users": ["zoe"]}});
        let stay = stay(&spec, &["oidc:"]);
        assert!(
            here(&stay, OWN, "oidc:ana") && here(&stay, CONTRIBUTE, "oidc:ana") && here(&stay, CONTRIBUTE, "oidc:cy")
        );
        assert!(!here(&stay, OWN, "oidc:cy") && !here(&stay, OWN, "oidc:bo") && !here(&stay, OWN, "ana"));
        assert!(stay.may(Some("abc--q"), OWN, &user("oidc:bo")));
        for reader in ["oidc:ana", "oidc:bo", "oidc:cy", "oidc:zoe"] {
            assert!(stay.may(None, "strata:team:abc", &user(reader)), "{reader}");
        }
        assert!(!stay.may(None, "strata:team:abc", &user("oidc:eve")));
        // A project that left the spec keeps no subject.
        assert!(!stay.may(Some("abc--gone"), OWN, &user("oidc:ana")));
    }

    #[test]
    fn without_a_known_prefix_nobody_leaves() {
        let none = stay(&json!({}), &[]);
        assert!(here(&none, OWN, "oidc:eve"));
        assert!(!none.may(Some("abc--p"), OWN, &Subject::Group("g".to_owned())), "of groups it is known");
        let two = stay(
            &json!({"projects": [{"name": "p"}], "members": [{"role": "MLEngineer", "users": ["ana"]}]}),
            &["old:", "new:"],
        );
        assert!(here(&two, OWN, "old:ana") && here(&two, OWN, "new:ana") && !here(&two, OWN, "ana"));
    }

    #[test]
    fn unreadable_entries_revoke_nobody_and_unnamed_people_leave() {
        let spec = json!({
            "deletionPolicy": "Shred", "projects": [{"name": "p", "priority": "Utmost"}],
            "members": [{"role": ["Dreamer"], "users": ["ana"]}, {"role": "MLEngineer", "people": [{"name": "bo"}]},
                {"role": "MLEngineer", "users": ["cy"]}],
        });
        let stay = stay(&spec, &["oidc:"]);
        assert!(here(&stay, OWN, "oidc:ana") && here(&stay, OWN, "oidc:bo") && here(&stay, OWN, "oidc:cy"));
        assert!(!here(&stay, OWN, "oidc:eve"));
    }

    #[test]
    fn a_role_that_nobody_defined_keeps_nothing() {
        let spec = json!({"projects": [{"name": "p"}], "members": [{"role": "Wizard", "users": ["ana"]}]});
        let defined = stay(&spec, &[""]);
        assert!(!here(&defined, OWN, "ana") && defined.may(None, "strata:team:abc", &user("ana")));
        // By a record: the role may have been added after it was written.
        let table = crate::plan::roles::Table::of(&BlueprintSpec::default());
        let cells = |role: &str, layer| table.rights(role, layer);
        let recorded = Stay::of("abc", &Readable::of(&spec), &cells, prefixes(&[""]));
        assert!(here(&recorded, OWN, "ana") && !here(&recorded, OWN, "bo"));
    }

    #[test]
    fn a_cell_that_cannot_be_read_costs_nobody_in_its_layer() {
        let spec = json!({"projects": [{"name": "p"}], "shared": {"models": {}},
            "members": [{"role": "MLEngineer", "users": ["ana"]}, {"role": "DataScientist", "users": ["cy"]}]});
        let cells = |role: &str, layer| (role != "MLEngineer" || layer != Layer::Workspace).then(Rights::default);
        let stay = Stay::of("abc", &Readable::of(&spec), &cells, prefixes(&[""]));
        assert!(here(&stay, OWN, "ana") && !here(&stay, OWN, "cy"));
        assert!(!stay.may(Some("abc--shared"), "strata:shared:own", &user("ana")));
    }
}
