//! The record of a team: what must be known when its object, a project or its
//! Blueprint is gone. A ConfigMap `strata-record` in the Backbone namespace,
//! written before each change takes effect.
//!
//! It holds no people: whoever takes the record over gets nobody's rights.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::blueprint::Identity as Prefixes;
use crate::api::labels;
use crate::api::team::{AITeamSpec, Mode};
use crate::api::team_status::BlueprintReference;
use crate::api::{BlueprintSpec, Layer};
use crate::desired::{Desired, ObjectKey, Ownership, Stage};
use crate::plan::{Choices, Identity, Retained};

const ENTRY: &str = "record.json";

/// What is remembered of a team.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The UID of the team's object.
    pub uid: String,
    /// Whether the object was deleted and what it owned was retained.
    #[serde(default)]
    pub withdrawn: bool,
    /// The spec last applied, less people.
    pub spec: AITeamSpec,
    /// The team's namespaces with their UIDs.
    pub namespaces: BTreeMap<String, String>,
    /// The engines that were chosen, with their revisions.
    pub choices: Choices,
    /// The Blueprint that was applied.
    pub blueprint: BlueprintReference,
    /// What it said.
    pub site: BlueprintSpec,
    /// Namespaces of projects that were taken away, one entry each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Retained>,
}

impl Record {
    /// The record in the data of its ConfigMap, if it can be read.
    #[must_use]
    pub fn read(data: &Value) -> Option<Self> {
        serde_json::from_str(data[ENTRY].as_str()?).ok()
    }

    /// What the API server put before the names of people and groups.
    #[must_use]
    pub fn prefixes(&self) -> Prefixes {
        self.site.identity.clone().unwrap_or_default()
    }

    /// The record as the object that is to be.
    #[must_use]
    pub fn desired(&self, team: &Identity) -> Desired {
        let namespace = format!("{}--backbone", team.name);
        // A record has string keys and finite numbers only: it can be written.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": labels::RECORD,
                "namespace": namespace,
                "labels": {
                    labels::MANAGED_BY: labels::MANAGER,
                    labels::TEAM: team.name,
                    labels::TEAM_UID: team.uid,
                    labels::LAYER: Layer::Backbone.name(),
                },
            },
            "data": {ENTRY: text},
        });
        Desired {
            stage: Stage::Guardrail,
            ownership: Ownership::Whole,
            key: ObjectKey {
                group: String::new(),
                version: "v1".to_owned(),
                kind: "ConfigMap".to_owned(),
                namespace: Some(namespace),
                name: labels::RECORD.to_owned(),
            },
            component: None,
            template: None,
            object,
        }
    }
}

/// The spec less everybody's name.
#[must_use]
pub fn without_people(spec: &AITeamSpec) -> AITeamSpec {
    let mut spec = spec.clone();
    spec.leads = None;
    spec.members.clear();
    spec.mode = Mode::default();
    for project in &mut spec.projects {
        project.members.clear();
    }
    for customer in &mut spec.customers {
        customer.groups.clear();
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::team::Member;
    use crate::api::vocabulary::Role;

    #[test]
    fn a_record_reads_back_and_names_nobody() {
        let ana = Member { role: Role::MLEngineer, groups: vec![], users: vec!["ana".to_owned()] };
        let spec = AITeamSpec { members: vec![ana], ..AITeamSpec::default() };
        let record = Record { uid: "u".to_owned(), spec: without_people(&spec), ..Record::default() };
        let written = record.desired(&Identity { name: "a".to_owned(), uid: "u".to_owned() });
        let data = &written.object["data"];
        assert!(!data.to_string().contains("ana"));
        assert_eq!(Record::read(data), Some(record));
    }
}
