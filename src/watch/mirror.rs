//! What is known of every object that matters: who it is, whose it is, one
//! number for the fields we own, and for the few that are judged, their state.
//!
//! Fed by the watches and by the answers to our own writes; read by `observe`,
//! `apply` and `health`. It never asks the cluster anything.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;

use super::fingerprint::{digest, fingerprint, holds, other_writer};
use super::key::Key;
use super::view::{self, View};
use crate::api::daily::DailyKind;
use crate::api::labels;
use crate::kinds::Keeping;
use crate::plan::daily::DailyId;
use crate::queue::Key as Work;

/// What is known of one object.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its UID.
    pub uid: String,
    /// Its resource version, which etcd counts up over all objects.
    pub version: u64,
    /// The team that its label, or else its namespace's name, says.
    pub team: String,
    /// What it was written for: the team itself, or an object of its daily work.
    pub work: Work,
    /// The UID of the object that controls it, if one does: a Job made by a `CronJob`.
    pub controller: Option<String>,
    /// Whether it is the team's by its label, which only we may write.
    labelled: bool,
    /// The team's UID by the label; empty where there is none.
    pub team_uid: String,
    /// The engine it was written for.
    pub engine: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The fields we own, as one number.
    pub fingerprint: u64,
    /// The intent that the object was seen to hold, with the fingerprint it had then.
    verified: Option<(u64, u64)>,
    /// An applied object that was not yet compared with an intent.
    unverified: Option<Arc<Value>>,
    /// What judging needs of it.
    pub view: View,
    /// Who changed it last, besides us.
    pub other_writer: Option<String>,
}

impl Entry {
    /// Whether our label is on it.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.labelled
    }
}

/// What has to be looked at again.
pub type Wake = Vec<Work>;

#[derive(Default)]
struct Index {
    entries: HashMap<Key, Entry>,
    works: HashMap<Work, HashSet<Key>>,
    /// Keys seen since a list began, by kind.
    listing: HashMap<(String, String), HashSet<Key>>,
}

impl Index {
    fn leave(&mut self, work: &Work, key: &Key) {
        if let Some(keys) = self.works.get_mut(work) {
            keys.remove(key);
            if keys.is_empty() {
                self.works.remove(work);
            }
        }
    }
}

/// What is known of every object that matters.
#[derive(Default)]
pub struct Mirror {
    index: RwLock<Index>,
}

impl Mirror {
    fn read(&self) -> RwLockReadGuard<'_, Index> {
        // A panic while the lock was held cannot leave an entry half-written:
        // entries are replaced whole.
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of one object.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Entry> {
        self.read().entries.get(key).cloned()
    }

    /// Everything that was written for a team itself, in the order of its keys.
    #[must_use]
    pub fn team(&self, team: &str) -> Vec<(Key, Entry)> {
        self.of(&Work::Team(team.to_owned()))
    }

    /// Everything that was written for a team itself or for an object of daily
    /// work, in the order of its keys.
    #[must_use]
    pub fn of(&self, work: &Work) -> Vec<(Key, Entry)> {
        let index = self.read();
        let keys = index.works.get(work).into_iter().flatten();
        let mut found: Vec<_> = keys.filter_map(|key| Some((key.clone(), index.entries.get(key)?.clone()))).collect();
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        found
    }

    /// What anything is known of.
    #[must_use]
    pub fn works(&self) -> Vec<Work> {
        self.read().works.keys().cloned().collect()
    }

    /// The pods of a team's daily work.
    #[must_use]
    pub fn daily_pods(&self, team: &str) -> Vec<(Key, Entry)> {
        let index = self.read();
        let of_team = index
            .works
            .iter()
            .filter(|(work, _)| matches!(work, Work::Daily(id) if team_of(&id.namespace) == Some(team)));
        let keys = of_team.flat_map(|(_, keys)| keys).filter(|key| key.kind == "Pod");
        keys.filter_map(|key| Some((key.clone(), index.entries.get(key)?.clone()))).collect()
    }

    /// Whether an object, as it is, holds this intent. Remembers that it does.
    pub fn holds(&self, key: &Key, intent: &Value, keeping: Keeping) -> bool {
        let wanted = match keeping {
            Keeping::Whole(_) => {
                return self.get(key).is_some_and(|entry| entry.fingerprint == fingerprint(intent, keeping));
            }
            Keeping::Applied => digest(intent),
        };
        let Some(entry) = self.get(key) else { return false };
        if entry.verified == Some((wanted, entry.fingerprint)) {
            return true;
        }
        let holds = entry.unverified.as_ref().is_some_and(|live| holds(live, intent));
        if holds && let Some(entry) = self.write().entries.get_mut(key) {
            entry.verified = Some((wanted, entry.fingerprint));
            entry.unverified = None;
        }
        holds
    }

    /// An object as a watch or an answer gives it. Returns who has to look again:
    /// nobody if nothing that matters changed.
    pub fn observe(&self, key: Key, object: &Value, keeping: Keeping) -> Wake {
        self.take(key, object, keeping, None)
    }

    /// The answer to our own write of an intent: it holds it, by definition.
    pub fn wrote(&self, key: Key, object: &Value, keeping: Keeping, intent: &Value) {
        self.take(key, object, keeping, Some(digest(intent)));
    }

    fn take(&self, key: Key, object: &Value, keeping: Keeping, intent: Option<u64>) -> Wake {
        let Some(mut entry) = entry(&key, object, keeping) else {
            return self.forget(&key, None);
        };
        let mut index = self.write();
        let kind = (key.group.clone(), key.kind.clone());
        if let Some(seen) = index.listing.get_mut(&kind) {
            seen.insert(key.clone());
        }
        if let Some(known) = index.entries.get_mut(&key).filter(|known| known.uid == entry.uid)
            && (known.version > entry.version || known.version == entry.version && intent.is_none())
        {
            // The watch was quicker than the answer to our own write: what it says
            // is newer, and all that the answer adds is what we wrote.
            if let Some(intent) = intent {
                known.verified = Some((intent, entry.fingerprint));
            }
            return Wake::new();
        }
        let before = index.entries.get(&key);
        // The label that names an object of daily work may have been taken off: what
        // was written for it is still its own, and gets the label back.
        if let Some(known) = before.filter(|known| known.uid == entry.uid && known.team == entry.team)
            && matches!((&known.work, &entry.work), (Work::Daily(_), Work::Team(_)))
            && entry.labelled
        {
            entry.work = known.work.clone();
        }
        let same = before.is_some_and(|before| {
            before.uid == entry.uid
                && before.fingerprint == entry.fingerprint
                && before.deleting == entry.deleting
                && before.team == entry.team
                && before.work == entry.work
                && before.controller == entry.controller
                && before.labelled == entry.labelled
                && before.team_uid == entry.team_uid
                && before.view.wakes_as(&entry.view)
        });
        let known = before.filter(|before| before.uid == entry.uid).and_then(|before| before.verified);
        entry.verified = intent.map(|intent| (intent, entry.fingerprint)).or(known);
        if entry.verified.is_some_and(|(_, verified)| verified == entry.fingerprint) {
            entry.unverified = None;
        }
        let mut wake: Wake = before.map(|before| before.work.clone()).into_iter().collect();
        if wake.first() != Some(&entry.work) {
            if let Some(old) = wake.first() {
                index.leave(old, &key);
            }
            wake.push(entry.work.clone());
        }
        index.works.entry(entry.work.clone()).or_default().insert(key.clone());
        index.entries.insert(key, entry);
        if same { Wake::new() } else { wake }
    }

    /// The object is gone. With a UID, only if it was that object.
    pub fn forget(&self, key: &Key, uid: Option<&str>) -> Wake {
        let mut index = self.write();
        let Some(entry) = index.entries.get(key) else { return Wake::new() };
        if uid.is_some_and(|uid| uid != entry.uid) {
            return Wake::new();
        }
        let work = entry.work.clone();
        index.entries.remove(key);
        index.leave(&work, key);
        vec![work]
    }

    /// We asked for the deletion of the object with this UID and the API server
    /// agreed. What has its name by now is another object.
    pub fn deleted(&self, key: &Key, uid: &str) {
        if let Some(entry) = self.write().entries.get_mut(key).filter(|entry| entry.uid == uid) {
            entry.deleting = true;
        }
    }

    /// A list of this kind begins.
    pub fn list_begins(&self, group: &str, kind: &str) {
        self.write().listing.insert((group.to_owned(), kind.to_owned()), HashSet::new());
    }

    /// A list of this kind is complete: what it did not name is gone.
    pub fn list_ends(&self, group: &str, kind: &str) -> Wake {
        let gone: Vec<Key> = {
            let mut index = self.write();
            let Some(seen) = index.listing.remove(&(group.to_owned(), kind.to_owned())) else { return Wake::new() };
            let of_kind = index.entries.keys().filter(|key| key.group == group && key.kind == kind);
            of_kind.filter(|key| !seen.contains(key)).cloned().collect()
        };
        gone.iter().flat_map(|key| self.forget(key, None)).collect()
    }
}

/// The object reduced to what matters; nothing if it does not matter at all.
fn entry(key: &Key, object: &Value, keeping: Keeping) -> Option<Entry> {
    let metadata = &object["metadata"];
    let label = |name: &str| metadata["labels"][name].as_str().map(str::to_owned);
    let team_uid = label(labels::TEAM_UID).unwrap_or_default();
    let by_label =
        label(labels::TEAM).filter(|team| may_belong(team, key, metadata["labels"][labels::ENGINE].is_string()));
    let labelled = by_label.is_some();
    let team = match by_label {
        Some(team) => team,
        None => team_of_namespace(key)?.to_owned(),
    };
    let daily = daily(key, &metadata["labels"]).filter(|_| labelled);
    let view = view::of(key, object)?;
    Some(Entry {
        uid: metadata["uid"].as_str().unwrap_or_default().to_owned(),
        version: metadata["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default(),
        work: daily.map_or_else(|| Work::Team(team.clone()), Work::Daily),
        controller: controller(metadata),
        team,
        labelled,
        team_uid,
        engine: label(labels::ENGINE),
        deleting: metadata["deletionTimestamp"].is_string(),
        fingerprint: fingerprint(object, keeping),
        verified: None,
        unverified: (keeping == Keeping::Applied && key.kind != "Pod").then(|| Arc::new(object.clone())),
        view,
        other_writer: other_writer(object),
    })
}

/// The object of daily work that something in its namespace was written for, by
/// its label.
fn daily(key: &Key, labels: &Value) -> Option<DailyId> {
    let namespace = key.namespace.clone()?;
    let named = |kind: &DailyKind| Some((*kind, labels[kind.label()].as_str()?.to_owned()));
    let (kind, name) = DailyKind::ALL.iter().find_map(named)?;
    Some(DailyId { kind, namespace, name })
}

/// The UID of the object's controlling owner.
fn controller(metadata: &Value) -> Option<String> {
    let owners = metadata["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)?["uid"].as_str().map(str::to_owned)
}

/// Whether an object in this place can be the team's. Outside of namespaces of
/// teams anybody may write the label, so it is believed only of what an engine
/// may place there: named after the team, and never a pod.
fn may_belong(team: &str, key: &Key, of_engine: bool) -> bool {
    let is_teams = |name: &str| name.strip_prefix(team).is_some_and(|rest| rest.starts_with("--"));
    let namespace = if key.kind == "Namespace" { Some(&key.name) } else { key.namespace.as_ref() };
    let named = key.name == team || is_teams(&key.name);
    let placed = of_engine && named && key.kind != "Pod";
    match namespace {
        Some(namespace) => is_teams(namespace) || placed && key.kind != "Namespace",
        None => placed || key.name.strip_prefix("strata:team:") == Some(team),
    }
}

/// The team by the name of the object's namespace, or of the namespace itself.
fn team_of_namespace(key: &Key) -> Option<&str> {
    let namespace = if key.kind == "Namespace" { Some(&key.name) } else { key.namespace.as_ref() };
    team_of(namespace?)
}

/// The team whose namespace this would be, by its name.
#[must_use]
pub fn team_of(namespace: &str) -> Option<&str> {
    namespace.split_once("--").map(|(team, _)| team)
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
