//! One object reduced to its owner, its purpose, and one hash of the fields that we own.
//! It reads objects of watches and of answers; [`super`] keeps them. It makes no API
//! calls.

use crate::api::identity::team_of;
use serde_json::{Map, Value, json};

use super::compact::{applied_part, difference_as_text, text};
use super::fingerprint::{fingerprint, other_writer};
use super::reduce;
use super::state::StoredState;
use super::text::Text;
use crate::api::ObjectKey;
use crate::api::identity::{Request, WorkId};
use crate::api::kinds::WriteStrategy;
use crate::api::labels;
use crate::api::work::WorkKind;

/// The entry of one object.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its UID.
    pub uid: String,
    /// Its resource version, which etcd counts up over all objects.
    pub version: u64,
    /// The team by its label, or else by its namespace's name.
    pub team: String,
    /// Its owner: the team itself, or a work object.
    pub work: Request,
    /// The UID of the object that controls it, if one does: a Job made by a `CronJob`.
    pub controller: Option<String>,
    /// Whether it is the team's by its label, which only we may write, or, for a
    /// namespace, by another label or annotation of ours.
    pub(super) labelled: bool,
    /// The team's UID by the label; empty where there is none.
    pub team_uid: String,
    /// The engine it was written for.
    pub engine: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The fields we own, as one number.
    pub fingerprint: u64,
    /// The intent that the object was found to hold, with the fingerprint it had then.
    pub(super) verified: Option<(u64, u64)>,
    /// An applied object that was not yet compared with an intent, as text: the input of
    /// [`super::compact::holds_as_text`].
    pub(super) unverified: Option<Text>,
    /// Its state for judging.
    pub state: StoredState,
    /// Who changed it last, besides us.
    pub other_writer: Option<String>,
}

impl Entry {
    /// Whether our label is on it.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.labelled
    }

    /// The state that engines' rules read, if any is kept. An unreadable state counts as
    /// an object without fields.
    #[must_use]
    pub fn live(&self) -> Option<Value> {
        match self.state.workload() {
            Ok(workload) => Some(workload?.into_value()),
            Err(_) => Some(json!({})),
        }
    }

    /// The first field in which an applied object is not as intended, if it is known.
    #[must_use]
    pub fn difference(&self, intent: &Value, write_strategy: WriteStrategy) -> Option<String> {
        difference_as_text(self.unverified.as_ref()?, intent, write_strategy)
    }
}

/// The object reduced to its relevant fields; none if it is irrelevant.
pub(super) fn entry(key: &ObjectKey, object: &Value, write_strategy: WriteStrategy) -> Option<Entry> {
    let metadata = &object["metadata"];
    let label = |name: &str| metadata["labels"][name].as_str().map(str::to_owned);
    let team_uid = label(labels::TEAM_UID).unwrap_or_default();
    let by_label =
        label(labels::TEAM).filter(|team| may_belong(team, key, metadata["labels"][labels::ENGINE].is_string()));
    let labelled = by_label.is_some() || is_marked(key, metadata);
    let team = match by_label {
        Some(team) => team,
        None => team_of_namespace(key)?.to_owned(),
    };
    let work = work_of(key, &metadata["labels"]).filter(|_| labelled);
    let state = reduce::of(key, object)?;
    Some(Entry {
        uid: metadata["uid"].as_str().unwrap_or_default().to_owned(),
        version: version(object).unwrap_or_default(),
        work: work.map_or_else(|| Request::Team(team.clone()), Request::Work),
        controller: controller(metadata),
        team,
        labelled,
        team_uid,
        engine: label(labels::ENGINE),
        deleting: metadata["deletionTimestamp"].is_string(),
        fingerprint: fingerprint(object, write_strategy),
        verified: None,
        unverified: (write_strategy.is_applied() && !key.is_only_read()).then(|| text(&applied_part(object))),
        state,
        other_writer: other_writer(object),
    })
}

/// Whether it is a team's namespace by its name and by another label or annotation of
/// ours: its team label was removed or changed. Only we may write these, except
/// [`labels::ADOPT`].
fn is_marked(key: &ObjectKey, metadata: &Value) -> bool {
    let words = ["labels", "annotations"].into_iter().filter_map(|part| metadata[part].as_object());
    let mut ours = words.flat_map(Map::keys).filter(|word| word.starts_with(labels::PREFIX));
    key.built_in() == "Namespace" && team_of(&key.name).is_some() && ours.any(|word| word != labels::ADOPT)
}

/// Its resource version, a number since Kubernetes 1.35 by its contract and before by use.
pub(super) fn version(object: &Value) -> Option<u64> {
    object["metadata"]["resourceVersion"].as_str()?.parse().ok()
}

/// The member's object for which an object in its namespace was written, by its label.
fn work_of(key: &ObjectKey, labels: &Value) -> Option<WorkId> {
    let namespace = key.namespace.clone()?;
    let named = |kind: &WorkKind| Some((*kind, labels[kind.label()].as_str()?.to_owned()));
    let (kind, name) = WorkKind::ALL.iter().find_map(named)?;
    Some(WorkId { kind, namespace, name })
}

/// The UID of the object's controlling owner.
fn controller(metadata: &Value) -> Option<String> {
    let owners = metadata["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)?["uid"].as_str().map(str::to_owned)
}

/// Whether an object with this key can be the team's. Outside of namespaces of teams
/// anybody may write the label, so it counts only for objects that an engine may place
/// there: named after the team, and of a kind that is not only read.
pub(super) fn may_belong(team: &str, key: &ObjectKey, of_engine: bool) -> bool {
    let is_teams = |name: &str| name.strip_prefix(team).is_some_and(|rest| rest.starts_with("--"));
    let namespace = if key.built_in() == "Namespace" { Some(&key.name) } else { key.namespace.as_ref() };
    let named = key.name == team || is_teams(&key.name);
    let placed = of_engine && named && !key.is_only_read();
    match namespace {
        Some(namespace) => is_teams(namespace) || placed && key.built_in() != "Namespace",
        None => placed || key.name.strip_prefix("strata:team:") == Some(team),
    }
}

/// The team by the name of the object's namespace, or of the namespace itself.
fn team_of_namespace(key: &ObjectKey) -> Option<&str> {
    let namespace = if key.built_in() == "Namespace" { Some(&key.name) } else { key.namespace.as_ref() };
    team_of(namespace?)
}
