//! What is known of every object that matters: who it is, whose it is, one
//! number for the fields we own, and for the few that are judged, their state.
//!
//! Fed by the watches and by the answers to our own writes; read by `observe`,
//! `apply` and `health`. It never asks the cluster anything.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use serde_json::Value;

use super::api_server::ApiServers;
use super::compact::holds_as_text;
use super::entry::{Entry, entry, team_of, version};
use super::fingerprint::{digest, fingerprint};
use super::gone::Gone;
use super::key::Key;
use crate::kinds::Keeping;
use crate::queue::Key as Work;

/// What has to be looked at again.
pub type Wake = Vec<Work>;

/// Who says how an object is.
#[derive(PartialEq, Eq)]
enum From {
    Watch,
    /// A watch that lists anew: what it says is so, whatever was known.
    List,
    /// The API server, of a write of ours; of a whole intent, with its digest.
    Answer(Option<u64>),
}

#[derive(Default)]
struct Index {
    entries: HashMap<Key, Entry>,
    works: HashMap<Work, HashSet<Key>>,
    /// The pods of daily work, by team.
    pods: HashMap<String, HashSet<Key>>,
    /// The lists under way, by group, kind and version.
    listing: HashMap<(String, String, String), Listing>,
    gone: Gone,
}

/// A list under way.
#[derive(Default)]
struct Listing {
    /// What it named, or what was written since it began.
    seen: HashSet<Key>,
    /// What was written since it began: of that the list may be older.
    answered: HashSet<Key>,
}

impl Index {
    /// Notes in the lists under way that there is an object, and says whether one of
    /// them may be older than what is known of it.
    fn note(&mut self, key: &Key, answered: bool) -> bool {
        let of_kind = self.listing.iter_mut().filter(|((group, kind, _), _)| *group == key.group && *kind == key.kind);
        let mut older = false;
        for (_, listing) in of_kind {
            listing.seen.insert(key.clone());
            if answered {
                listing.answered.insert(key.clone());
            }
            older |= listing.answered.contains(key);
        }
        older
    }

    fn forget(&mut self, key: &Key) -> Wake {
        let Some(entry) = self.entries.remove(key) else { return Wake::new() };
        self.leave(&entry.work, key);
        vec![entry.work]
    }

    fn leave(&mut self, work: &Work, key: &Key) {
        remove(&mut self.works, work, key);
        if let Some(team) = team_of_pod(work, key) {
            remove(&mut self.pods, team, key);
        }
    }

    fn enter(&mut self, work: &Work, key: &Key) {
        self.works.entry(work.clone()).or_default().insert(key.clone());
        if let Some(team) = team_of_pod(work, key) {
            self.pods.entry(team.to_owned()).or_default().insert(key.clone());
        }
    }
}

/// Removes a key, and its set with the last one.
fn remove<K, Q>(sets: &mut HashMap<K, HashSet<Key>>, of: &Q, key: &Key)
where
    K: Hash + Eq + Borrow<Q>,
    Q: Hash + Eq + ?Sized,
{
    if let Some(keys) = sets.get_mut(of) {
        keys.remove(key);
        if keys.is_empty() {
            sets.remove(of);
        }
    }
}

/// The team whose daily work the pod is for.
fn team_of_pod<'a>(work: &'a Work, key: &Key) -> Option<&'a str> {
    match work {
        Work::Daily(id) if key.kind == "Pod" => team_of(&id.namespace),
        _ => None,
    }
}

/// What is known of every object that matters.
#[derive(Default)]
pub struct Mirror {
    index: RwLock<Index>,
    /// Where the API server is reached.
    pub api_server: Arc<ApiServers>,
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

    /// Shows which objects anything is known of.
    pub fn each_key(&self, look: &mut dyn FnMut(&Key)) {
        self.read().entries.keys().for_each(look);
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

    /// Every binding in a team's namespaces and of the team itself, whatever it was
    /// written for, in the order of their keys.
    #[must_use]
    pub fn bindings(&self, team: &str) -> Vec<(Key, Entry)> {
        let index = self.read();
        let of_team = index.works.iter().filter(|(work, _)| match work {
            Work::Team(name) => name == team,
            Work::Daily(id) => team_of(&id.namespace) == Some(team),
            _ => false,
        });
        let keys = of_team.flat_map(|(_, keys)| keys);
        let bindings = keys.filter(|key| matches!(key.kind.as_str(), "RoleBinding" | "ClusterRoleBinding"));
        let mut found: Vec<_> =
            bindings.filter_map(|key| Some((key.clone(), index.entries.get(key)?.clone()))).collect();
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
        let keys = index.pods.get(team).into_iter().flatten();
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
        let holds = entry.unverified.as_deref().is_some_and(|live| holds_as_text(live, intent));
        if holds && let Some(entry) = self.write().entries.get_mut(key) {
            entry.verified = Some((wanted, entry.fingerprint));
            entry.unverified = None;
        }
        holds
    }

    /// An object as a watch gives it. Returns who has to look again: nobody if
    /// nothing that matters changed.
    pub fn observe(&self, key: Key, object: &Value, keeping: Keeping) -> Wake {
        self.take(key, object, keeping, &From::Watch)
    }

    /// An object as a list gives it: its version counts, even if it is older than what
    /// was known (the cluster may have been restored from a backup).
    pub fn listed(&self, key: Key, object: &Value, keeping: Keeping) -> Wake {
        self.take(key, object, keeping, &From::List)
    }

    /// An object that a list names and another watch of its kind takes.
    pub fn still_there(&self, key: &Key) {
        self.write().note(key, false);
    }

    /// The answer to a write of ours that changed some of an object.
    pub fn changed(&self, key: Key, object: &Value, keeping: Keeping) {
        self.take(key, object, keeping, &From::Answer(None));
    }

    /// The answer to our own write of an intent: it holds it, by definition.
    pub fn wrote(&self, key: Key, object: &Value, keeping: Keeping, intent: &Value) {
        self.take(key, object, keeping, &From::Answer(Some(digest(intent))));
    }

    fn take(&self, key: Key, object: &Value, keeping: Keeping, from: &From) -> Wake {
        let Some(mut entry) = entry(&key, object, keeping) else {
            return self.write().forget(&key);
        };
        let mut index = self.write();
        let intent = match from {
            From::Watch | From::List => None,
            // Somebody deleted it before its answer came, and whoever it was written
            // for looks again already: what is not there must not seem to be.
            From::Answer(_) if index.gone.outdates(&entry.uid, entry.version) => return Wake::new(),
            From::Answer(intent) => *intent,
        };
        let older = index.note(&key, matches!(from, From::Answer(_)));
        let anew = *from == From::List && !older;
        if let Some(known) = index.entries.get_mut(&key).filter(|known| known.uid == entry.uid)
            && (known.version > entry.version || known.version == entry.version && intent.is_none())
            && !(anew && (known.version, known.fingerprint) != (entry.version, entry.fingerprint))
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
        index.enter(&entry.work, &key);
        index.entries.insert(key, entry);
        if same { Wake::new() } else { wake }
    }

    /// The object is gone, as a watch says, unless its name is another's by now.
    pub fn removed(&self, key: &Key, object: &Value) -> Wake {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        let mut index = self.write();
        index.gone.add(uid, version(object).unwrap_or(u64::MAX), Instant::now());
        let other = index.entries.get(key).is_some_and(|entry| entry.uid != uid);
        if other { Wake::new() } else { index.forget(key) }
    }

    /// We asked for the deletion of the object with this UID and the API server
    /// agreed. What has its name by now is another object.
    pub fn deleted(&self, key: &Key, uid: &str) {
        if let Some(entry) = self.write().entries.get_mut(key).filter(|entry| entry.uid == uid) {
            entry.deleting = true;
        }
    }

    /// A list of this kind begins, in this version.
    pub fn list_begins(&self, group: &str, kind: &str, version: &str) {
        self.write().listing.insert((group.to_owned(), kind.to_owned(), version.to_owned()), Listing::default());
    }

    /// The kind is not watched any more: nothing is known of it.
    pub fn forget_kind(&self, group: &str, kind: &str) -> Wake {
        let mut index = self.write();
        index.listing.retain(|(of_group, of_kind, _), _| of_group != group || of_kind != kind);
        let of_kind = index.entries.keys().filter(|key| key.group == group && key.kind == kind);
        let keys: Vec<Key> = of_kind.cloned().collect();
        keys.iter().flat_map(|key| index.forget(key)).collect()
    }

    /// A list of this kind is complete: what it did not name is gone.
    pub fn list_ends(&self, group: &str, kind: &str, version: &str) -> Wake {
        let mut index = self.write();
        let name = (group.to_owned(), kind.to_owned(), version.to_owned());
        let Some(Listing { seen, .. }) = index.listing.remove(&name) else { return Wake::new() };
        let of_kind = index.entries.iter().filter(|(key, _)| key.group == group && key.kind == kind);
        let gone: Vec<_> = of_kind.filter(|(key, _)| !seen.contains(*key)).collect();
        let gone: Vec<_> = gone.into_iter().map(|(key, entry)| (key.clone(), entry.uid.clone())).collect();
        let now = Instant::now();
        let forget = |(key, uid): (Key, String)| {
            index.gone.add(&uid, u64::MAX, now);
            index.forget(&key)
        };
        gone.into_iter().flat_map(forget).collect()
    }
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
