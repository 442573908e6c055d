//! The record of a team: what must be known when its object, a project or its
//! Blueprint is gone. A ConfigMap `strata-record` in the Backbone namespace,
//! written before each change takes effect.
//!
//! It holds no people: whoever takes the record over gets nobody's rights. Its
//! format is its own and not the API's, so that no change of the API makes it
//! unreadable ([`format`]). Pure.

mod format;
mod former;
mod site;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use site::{Customer, Site, TeamValues};

use crate::api::team::AITeam;
use crate::api::{AITeamSpec, BlueprintSpec, Layer, Prefixes, labels};
use crate::engine::kinds::ObjectKind;
use crate::objects::{Desired, Stage};
use crate::plan::roles::Table;
use crate::plan::{Choices, Identity, Retained};

const ENTRY: &str = "record.json";

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// A newer version of Strata wrote it, for this reason not to be read here.
    #[error("{0}")]
    Newer(String),
    /// No version wrote it like this: somebody changed it.
    #[error("{0}")]
    Damaged(String),
}

/// The record of a team.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The UID of the team's object.
    pub uid: String,
    /// Whether the object was deleted and its namespaces were retained.
    pub withdrawn: bool,
    /// The part of the last applied spec that guardrails need.
    pub team: TeamValues,
    /// The team's namespaces with their UIDs.
    pub namespaces: BTreeMap<String, String>,
    /// The claims of engines that store, as `namespace/name`, with their UIDs.
    pub volumes: BTreeMap<String, String>,
    /// The engines that were chosen, with their revisions.
    pub choices: Choices,
    /// Choices that this program cannot read, as they were written: kept for one
    /// that can.
    pub unread_choices: Vec<Value>,
    /// The part of the Blueprint that guardrails need; absent where it is not known.
    pub site: Option<Site>,
    /// The role table that rights were given by; absent where it is not known.
    pub rights: Option<Table>,
    /// What stood before the names of people and groups; absent where it is not
    /// known.
    pub prefixes: Option<Prefixes>,
    /// Namespaces of projects that were taken away, one entry each.
    pub removed: Vec<Retained>,
    /// The kinds, beside Kubernetes' own, of which objects were written for the team: they
    /// are watched though the engine that wrote them is gone.
    pub kinds: BTreeSet<ObjectKind>,
}

impl Record {
    /// The record in the data of its ConfigMap, or why it cannot be read.
    pub fn read(data: &BTreeMap<String, String>) -> Result<Self, Unread> {
        let text = data.get(ENTRY).ok_or_else(|| Unread::Damaged(format!("it has no entry {ENTRY}")))?;
        let value: Value = serde_json::from_str(text).map_err(|error| Unread::Damaged(error.to_string()))?;
        if value["version"].is_null() {
            return former::read(&value).map_err(Unread::Damaged);
        }
        format::read(&value).map_err(if format::is_newer(&value) { Unread::Newer } else { Unread::Damaged })
    }

    /// The record of a team under a Blueprint.
    #[must_use]
    pub fn of(name: &str, spec: &AITeamSpec, site: &BlueprintSpec) -> Self {
        Self {
            team: TeamValues::of(spec),
            site: Some(Site::of(name, spec, site)),
            rights: Some(Table::of(site)),
            ..Self::default()
        }
    }

    /// Takes over choices of the earlier record that this version cannot read.
    #[must_use]
    pub fn with_unread(mut self, before: Option<&Self>) -> Self {
        let known = |choice: &&Value| {
            let capabilities = choice["namespace"].as_str().and_then(|namespace| self.choices.0.get(namespace));
            capabilities.is_some_and(|all| all.keys().any(|capability| choice["capability"] == capability.name()))
        };
        let before = before.iter().flat_map(|record| &record.unread_choices);
        self.unread_choices = before.filter(|choice| !known(choice)).cloned().collect();
        self
    }

    /// The team and its Blueprint as far as guardrails need them, if both are known.
    #[must_use]
    pub fn guarded(&self, name: &str) -> Option<(AITeam, BlueprintSpec)> {
        let site = self.site.as_ref()?;
        let mut team = AITeam::new(name, self.team.spec(site));
        team.metadata.uid = Some(self.uid.clone());
        Some((team, site.blueprint(&self.team.labels)))
    }

    /// The engines that the team runs on, or ran on.
    #[must_use]
    pub fn engines(&self) -> BTreeSet<String> {
        let read = self.choices.0.values().flat_map(BTreeMap::values).map(|choice| choice.engine.as_str());
        let unread = self.unread_choices.iter().filter_map(|choice| choice["engine"].as_str());
        read.chain(unread).map(str::to_owned).collect()
    }

    /// The record as the object that is to be.
    #[must_use]
    pub fn desired(&self, team: &Identity) -> Desired {
        let namespace = format!("{}--backbone", team.name);
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
            "data": {ENTRY: format::write(self)},
        });
        Desired::new(Stage::Guardrail, object)
    }
}

#[cfg(test)]
mod tests;
