//! The spec of a team as far as it can be read. A program that is older than what
//! was written must still know who left and who did not.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{AITeamSpec, CapabilityBlock, DeletionPolicy, Live, Member, Project, Shared, Subjects};

/// A spec, or the readable parts of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readable {
    /// The spec. Of one that cannot be read as a whole: the Blueprint's name, the
    /// people, the projects with whether they have a production side, and whether
    /// anything is shared.
    pub spec: AITeamSpec,
    /// Every text in unreadable entries for people: possible names.
    pub unread: BTreeSet<String>,
    /// The field whose names cannot be read at all.
    pub lost: Option<&'static str>,
    /// The deletion policy of the team, if it can be read.
    pub deletion_policy: Option<DeletionPolicy>,
}

impl From<&AITeamSpec> for Readable {
    fn from(spec: &AITeamSpec) -> Self {
        Self { spec: spec.clone(), deletion_policy: Some(spec.deletion_policy), ..Self::default() }
    }
}

impl Readable {
    /// Reads the readable parts of this spec.
    #[must_use]
    pub fn of(spec: &Value) -> Self {
        if let Some(whole) = read::<AITeamSpec>(spec) {
            return Self::from(&whole);
        }
        let mut found = Self::default();
        spec["blueprint"].as_str().unwrap_or("default").clone_into(&mut found.spec.blueprint);
        found.deletion_policy = match &spec["deletionPolicy"] {
            Value::Null => Some(DeletionPolicy::default()),
            word => read(word),
        };
        found.spec.members = found.members("spec.members", &spec["members"]);
        found.spec.leads = read::<Subjects>(&spec["leads"]);
        if found.spec.leads.is_none() {
            texts(&spec["leads"], &mut found.unread);
        }
        found.projects(&spec["projects"]);
        found.spec.shared = is_shared(&spec["shared"])
            .then(|| Shared { datasets: Some(CapabilityBlock::default()), ..Shared::default() });
        found
    }

    fn members(&mut self, field: &'static str, list: &Value) -> Vec<Member> {
        match list {
            Value::Null => Vec::new(),
            Value::Array(entries) => entries.iter().filter_map(|entry| self.member(field, entry)).collect(),
            _ => {
                self.lost = Some(field);
                Vec::new()
            }
        }
    }

    fn member(&mut self, field: &'static str, entry: &Value) -> Option<Member> {
        // An entry without names may have its people in fields unknown to this version.
        let member = read::<Member>(entry).filter(|member| !(member.users.is_empty() && member.groups.is_empty()));
        if member.is_none() {
            let mut names = BTreeSet::new();
            let besides = entry.as_object().into_iter().flatten().filter(|(key, _)| *key != "role");
            besides.for_each(|(_, value)| texts(value, &mut names));
            // Or the API server dropped them on the way, with a field that it does not know.
            if names.is_empty() {
                self.lost = Some(field);
            }
            texts(entry, &mut self.unread);
        }
        member
    }

    fn projects(&mut self, list: &Value) {
        match list {
            Value::Null => {}
            Value::Array(entries) => {
                for entry in entries {
                    self.project(entry);
                }
            }
            _ => self.lost = Some("spec.projects"),
        }
    }

    fn project(&mut self, entry: &Value) {
        let Some(name) = entry["name"].as_str() else {
            self.lost = Some("spec.projects");
            return;
        };
        let members = self.members("spec.projects", &entry["members"]);
        let live = (!entry["live"].is_null()).then(Live::default);
        self.spec.projects.push(Project { name: name.to_owned(), members, live, ..Project::default() });
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

/// Every text in a value, at any depth; the API server bounds that.
fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.insert(text.clone());
        }
        Value::Array(all) => all.iter().for_each(|one| texts(one, found)),
        Value::Object(all) => all.iter().for_each(|(key, one)| {
            found.insert(key.clone());
            texts(one, found);
        }),
        _ => {}
    }
}

/// Whether the Shared layer has a block that is not switched off.
fn is_shared(shared: &Value) -> bool {
    let blocks = shared.as_object().into_iter().flatten();
    let mut blocks = blocks.filter(|(name, _)| !matches!(name.as_str(), "images" | "offers" | "share"));
    blocks.any(|(_, block)| block.is_object() && block["enabled"] != false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_spec_that_can_be_read_is_read_whole() {
        let spec =
            json!({"members": [{"role": "MLEngineer", "users": ["ana"]}], "deletionPolicy": "Delete", "contact": "x"});
        let found = Readable::of(&spec);
        assert_eq!((found.spec.contact.as_deref(), found.deletion_policy), (Some("x"), Some(DeletionPolicy::Delete)));
        assert!(found.unread.is_empty() && found.lost.is_none());
    }

    #[test]
    fn of_what_cannot_be_read_whole_people_are_read_one_by_one() {
        let spec = json!({
            "deletionPolicy": "Shred", "contact": "eve", "blueprint": "site", "shared": {"moons": {}},
            "members": [{"role": "MLEngineer", "users": ["ana"]}, {"role": ["Dreamer"], "users": ["bo"]}],
            "projects": [{"name": "p", "live": {"moon": 1}, "members": [{"role": "MLEngineer", "who": {"cy": true}}]}],
        });
        let found = Readable::of(&spec);
        assert_eq!((found.spec.members.len(), found.spec.blueprint.as_str()), (1, "site"));
        assert!(found.spec.projects[0].live.is_some() && found.spec.shared.is_some());
        assert!(found.unread.contains("bo") && found.unread.contains("cy") && !found.unread.contains("eve"));
        assert_eq!((found.lost, found.deletion_policy), (None, None));
    }

    #[test]
    fn an_unreadable_list_of_people_is_reported_as_such() {
        for spec in [
            json!({"members": {"MLEngineer": ["ana"]}}),
            json!({"projects": {"p": {}}}),
            json!({"projects": [{"title": "p"}]}),
            json!({"projects": [{"name": "p", "members": "everybody"}]}),
            json!({"type": "?", "members": [{"role": "MLEngineer"}]}),
            json!({"type": "?", "projects": [{"name": "p", "members": [{"role": "MLEngineer", "users": {}}]}]}),
        ] {
            assert!(Readable::of(&spec).lost.is_some(), "{spec}");
        }
    }
}
