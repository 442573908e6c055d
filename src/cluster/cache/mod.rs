//! The cache of every relevant object: its identity, its owner, one hash of the fields
//! that we own, and the state of the few kinds that are judged.
//!
//! Its input are the watches and the answers to our own writes; its readers are `observe`,
//! `apply` and `health`. It makes no API calls.

pub mod added;
pub(crate) mod compact;
pub(crate) mod container;
pub(crate) mod entry;
pub mod fingerprint;
pub(crate) mod index;
pub(crate) mod objects;
pub mod packed;
pub(crate) mod pod;
pub(crate) mod reduce;
pub(crate) mod restored;
pub(crate) mod shared;
pub mod state;
pub mod text;
pub(crate) mod tombstones;
pub(crate) mod uid;
pub mod values;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use serde_json::Value;

use super::watch::api_server::ApiServers;
use crate::api::ObjectKey;
use crate::api::identity::{Request, team_of};
use crate::api::kinds::{RBAC, WriteStrategy};
use compact::holds_as_text;
pub use entry::Entry;
use entry::{entry, version};
use fingerprint::fingerprint;
use index::{Index, Listing};
use objects::Slot;
use values::digest;

/// The requests that follow.
pub type Wake = Vec<Request>;

/// The source of an object's state.
#[derive(PartialEq, Eq)]
enum From {
    Watch,
    /// A watch that lists anew: what it says is so, whatever was known.
    List,
    /// The API server, of a write of ours; of a whole intent, with its digest.
    Answer(Option<u64>),
}

/// The cache of every relevant object.
#[derive(Default)]
pub struct ObjectCache {
    index: RwLock<Index>,
    /// Where the API server is reached.
    pub api_server: Arc<ApiServers>,
}

impl ObjectCache {
    fn read(&self) -> RwLockReadGuard<'_, Index> {
        // Code under the lock cannot panic half-way, except in a failing allocator, which
        // ends the process.
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry of one object.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<Entry> {
        let index = self.read();
        index.objects.entry(index.objects.id(key)?)
    }

    /// Shows which objects anything is known of.
    pub fn each_key(&self, look: &mut dyn FnMut(&ObjectKey)) {
        let index = self.read();
        index.objects.ids().filter_map(|id| index.objects.key(id)).for_each(|key| look(&key));
    }

    /// Everything that was written for a team itself, in the order of its keys.
    #[must_use]
    pub fn team(&self, team: &str) -> Vec<(ObjectKey, Entry)> {
        self.of(&Request::Team(team.to_owned()))
    }

    /// Every object that was written for a team or for a member's object, in the order of
    /// the keys.
    #[must_use]
    pub fn of(&self, work: &Request) -> Vec<(ObjectKey, Entry)> {
        let index = self.read();
        index.sorted(index.works.get(work).into_iter().flatten().copied())
    }

    /// Every binding in a team's namespaces and of the team itself, whatever its purpose,
    /// in the order of the keys.
    #[must_use]
    pub fn bindings(&self, team: &str) -> Vec<(ObjectKey, Entry)> {
        let index = self.read();
        let of_team = index.works.iter().filter(|(work, _)| match work {
            Request::Team(name) => name == team,
            Request::Work(id) => team_of(&id.namespace) == Some(team),
            _ => false,
        });
        let ids = of_team.flat_map(|(_, ids)| ids).copied();
        index.sorted(ids.filter(|id| index.objects.is_any(*id, RBAC, &["RoleBinding", "ClusterRoleBinding"])))
    }

    /// What anything is known of.
    #[must_use]
    pub fn works(&self) -> Vec<Request> {
        self.read().works.keys().cloned().collect()
    }

    /// The pods of a team's work.
    #[must_use]
    pub fn work_pods(&self, team: &str) -> Vec<(ObjectKey, Entry)> {
        let index = self.read();
        index.sorted(index.pods.get(team).into_iter().flatten().copied())
    }

    /// Whether an object, as it is, holds this intent. Remembers that it does.
    pub fn holds(&self, key: &ObjectKey, intent: &Value, write_strategy: WriteStrategy) -> bool {
        let index = self.read();
        let Some(known) = index.known(key) else { return false };
        let (known, unverified) = match write_strategy {
            WriteStrategy::Replace(_) => return known.fingerprint == fingerprint(intent, write_strategy),
            WriteStrategy::Apply | WriteStrategy::ApplyAndClear(_) => {
                ((known.verified(), known.fingerprint), index.unverified(known))
            }
        };
        drop(index);
        let wanted = Some((digest(intent), known.1));
        if known.0 == wanted {
            return true;
        }
        let holds = unverified.is_some_and(|live| holds_as_text(&live, intent, write_strategy));
        if holds && let Some(known) = self.write().known_mut(key).filter(|now| now.fingerprint == known.1) {
            known.set_verified(wanted);
            known.forget_unverified();
        }
        holds
    }

    /// Records an object of a watch. Returns the requests to enqueue: none if nothing
    /// relevant changed.
    pub fn observe(&self, key: &ObjectKey, object: &Value, write_strategy: WriteStrategy) -> Wake {
        self.take(key, object, write_strategy, &From::Watch)
    }

    /// Records an object of a list. Its version counts, even if it is older than the known
    /// one: the cluster may have been restored from a backup.
    pub fn listed(&self, key: &ObjectKey, object: &Value, write_strategy: WriteStrategy) -> Wake {
        self.take(key, object, write_strategy, &From::List)
    }

    /// An object that a list names and another watch of its kind takes.
    pub fn still_there(&self, key: &ObjectKey) {
        let mut index = self.write();
        if let Some(id) = index.objects.id(key) {
            index.note(key, id, false);
        }
    }

    /// The answer to a write of ours that changed some of an object.
    pub fn changed(&self, key: &ObjectKey, object: &Value, write_strategy: WriteStrategy) {
        self.take(key, object, write_strategy, &From::Answer(None));
    }

    /// The answer to our own write of an intent: it holds it, by definition.
    pub fn wrote(&self, key: &ObjectKey, object: &Value, write_strategy: WriteStrategy, intent: &Value) {
        self.take(key, object, write_strategy, &From::Answer(Some(digest(intent))));
    }

    fn take(&self, key: &ObjectKey, object: &Value, write_strategy: WriteStrategy, from: &From) -> Wake {
        let Some(mut entry) = entry(key, object, write_strategy) else {
            return self.write().forget(key);
        };
        let mut index = self.write();
        let intent = match from {
            From::Watch | From::List => None,
            // The object was deleted before this answer arrived. The delete event already
            // enqueued its owner; do not restore the entry from an old answer.
            From::Answer(_) if index.gone.outdates(&entry.uid, entry.version) => return Wake::new(),
            From::Answer(intent) => *intent,
        };
        let answered = matches!(from, From::Answer(_));
        let id = index.objects.id(key);
        let older = id.is_some_and(|id| index.may_be_older(key, id));
        let anew = *from == From::List && !older;
        if let Some(id) = id
            && let Some(known) = index.objects.slot_mut(id).filter(|known| known.has_uid(&entry.uid))
            && (known.version > entry.version || known.version == entry.version && intent.is_none())
            && !(anew && (known.version, known.fingerprint) != (entry.version, entry.fingerprint))
        {
            // The watch was faster than the answer to our own write: its state is newer,
            // so the answer only adds the intent that we wrote.
            if let Some(intent) = intent {
                known.set_verified(Some((intent, entry.fingerprint)));
            }
            index.note(key, id, answered);
            return Wake::new();
        }
        let before = id.and_then(|id| index.objects.slot(id));
        // The label that names a member's object may have been removed: its objects are
        // still its own, and get the label back.
        if let Some(known) = before.filter(|known| known.has_uid(&entry.uid) && known.owner.team == entry.team)
            && matches!((&known.owner.work, &entry.work), (Request::Work(_), Request::Team(_)))
            && entry.labelled
        {
            entry.work = known.owner.work.clone();
        }
        let same = before.is_some_and(|before| before.says_the_same_as(&entry));
        let known = before.filter(|before| before.has_uid(&entry.uid)).and_then(Slot::verified);
        entry.verified = intent.map(|intent| (intent, entry.fingerprint)).or(known);
        if entry.verified.is_some_and(|(_, verified)| verified == entry.fingerprint) {
            entry.unverified = None;
        }
        let mut wake: Wake = before.map(|before| before.owner.work.clone()).into_iter().collect();
        if wake.first() != Some(&entry.work) {
            if let (Some(old), Some(id)) = (wake.first(), id) {
                index.leave(old, key, id);
            }
            wake.push(entry.work.clone());
        }
        let work = entry.work.clone();
        let id = index.objects.insert(key, entry);
        index.enter(&work, key, id);
        index.note(key, id, answered);
        if same { Wake::new() } else { wake }
    }

    /// Removes an object that a watch reports as deleted, unless its name belongs to
    /// another object by now.
    pub fn removed(&self, key: &ObjectKey, object: &Value) -> Wake {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        let mut index = self.write();
        index.gone.add(uid, version(object).unwrap_or(u64::MAX), Instant::now());
        let other = index.known(key).is_some_and(|known| !known.has_uid(uid));
        if other { Wake::new() } else { index.forget(key) }
    }

    /// Whether this object was a team's until a moment ago: its watch lost it although it
    /// still exists, so its label was removed.
    #[must_use]
    pub fn was_ours(&self, key: &ObjectKey, uid: &str) -> bool {
        key.namespace.as_deref().is_some_and(|namespace| team_of(namespace).is_some()) && self.read().gone.knows(uid)
    }

    /// The API server accepted our deletion of the object with this UID. An object that
    /// has its name by now is another one.
    pub fn deleted(&self, key: &ObjectKey, uid: &str) {
        if let Some(entry) = self.write().known_mut(key).filter(|entry| entry.has_uid(uid)) {
            entry.deleting = true;
        }
    }

    /// A list of this kind begins, in this version.
    pub fn list_begins(&self, group: &str, kind: &str, version: &str) {
        self.write().listing.insert((group.to_owned(), kind.to_owned(), version.to_owned()), Listing::default());
    }

    /// Forgets a kind that is no longer watched.
    pub fn forget_kind(&self, group: &str, kind: &str) -> Wake {
        let mut index = self.write();
        index.listing.retain(|(of_group, of_kind, _), _| of_group != group || of_kind != kind);
        let keys = index.keys(&index.objects.of_kind(group, kind));
        keys.iter().flat_map(|(id, key)| index.let_go(key, *id)).collect()
    }

    /// Ends the list of this kind: an object that is not in it is gone.
    pub fn list_ends(&self, group: &str, kind: &str, version: &str) -> Wake {
        let mut index = self.write();
        let name = (group.to_owned(), kind.to_owned(), version.to_owned());
        let Some(Listing { listed, .. }) = index.listing.remove(&name) else { return Wake::new() };
        let mut gone = index.objects.of_kind(group, kind);
        gone.retain(|id| !listed.contains(id));
        let now = Instant::now();
        let mut wake = Wake::new();
        for (id, key) in index.keys(&gone) {
            if let Some(uid) = index.objects.slot(id).map(|slot| slot.uid().to_string()) {
                index.gone.add(&uid, u64::MAX, now);
            }
            wake.extend(index.let_go(&key, id));
        }
        wake
    }
}

#[cfg(test)]
mod tests;
