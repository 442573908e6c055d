//! Objects in as little room as they take: each is here once, under a number, and
//! what many have in common (names, namespaces, whose they are) is here once for all.
//!
//! At 100,000 objects that room is what the operator holds. It decides nothing:
//! what an object means, and to whom, is [`super`]'s.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use super::Entry;
use super::state::View;
use super::text::{Models, Text};
use super::uid::Uid;
use crate::api::identity::Key as Work;
use crate::cluster::key::Key;

/// The number of an object. It may be another's once the object is gone.
pub type Id = u32;

/// Whose an object is, and what for.
#[derive(PartialEq, Eq, Hash)]
pub struct Owner {
    pub team: String,
    pub team_uid: String,
    pub work: Work,
    pub engine: Option<String>,
    pub other_writer: Option<String>,
    pub labelled: bool,
}

/// One object.
pub struct Slot {
    kind: u16,
    namespace: Option<Arc<str>>,
    name: Arc<str>,
    pub owner: Arc<Owner>,
    pub uid: Uid,
    pub version: u64,
    pub controller: Option<Box<Uid>>,
    pub deleting: bool,
    pub fingerprint: u64,
    pub verified: Option<(u64, u64)>,
    pub unverified: Option<Text>,
    pub view: View,
}

/// All objects.
#[derive(Default)]
pub struct Objects {
    /// Group and kind, by the number that stands for them. They are few.
    kinds: Vec<(String, String)>,
    slots: Vec<Option<Box<Slot>>>,
    free: Vec<Id>,
    by_key: HashTable<Id>,
    hasher: RandomState,
    names: Shared<str>,
    owners: Shared<Owner>,
    /// What views are compared with, ...
    views: Models,
    /// ... and what objects are that were not yet compared with an intent.
    applied: Models,
}

impl Objects {
    /// The number of an object, if it is here.
    pub fn id(&self, key: &Key) -> Option<Id> {
        let kind = self.kind(&key.group, &key.kind)?;
        let is = |id: &Id| {
            self.slot(*id).is_some_and(|slot| {
                slot.kind == kind && *slot.name == *key.name && slot.namespace.as_deref() == key.namespace.as_deref()
            })
        };
        self.by_key.find(hash(&self.hasher, kind, key.namespace.as_deref(), &key.name), is).copied()
    }

    /// An object as it is kept.
    pub fn slot(&self, id: Id) -> Option<&Slot> {
        self.slots.get(usize::try_from(id).ok()?)?.as_deref()
    }

    /// An object as it is kept, to change it.
    pub fn slot_mut(&mut self, id: Id) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(id).ok()?)?.as_deref_mut()
    }

    /// An object as others see it.
    pub fn entry(&self, id: Id) -> Option<Entry> {
        self.slot(id).map(Slot::entry)
    }

    /// What names an object.
    pub fn key(&self, id: Id) -> Option<Key> {
        let slot = self.slot(id)?;
        let (group, kind) = self.kinds.get(usize::from(slot.kind))?;
        Some(Key::new(group, kind, slot.namespace.as_deref(), &slot.name))
    }

    /// An object as others see it, with what names it.
    pub fn both(&self, id: Id) -> Option<(Key, Entry)> {
        Some((self.key(id)?, self.entry(id)?))
    }

    /// Whether an object is of one of these kinds, whatever their group.
    pub fn is_any(&self, id: Id, kinds: &[&str]) -> bool {
        let kind = self.slot(id).and_then(|slot| self.kinds.get(usize::from(slot.kind)));
        kind.is_some_and(|(_, kind)| kinds.contains(&kind.as_str()))
    }

    /// The numbers of all objects.
    pub fn ids(&self) -> impl Iterator<Item = Id> + '_ {
        self.by_key.iter().copied()
    }

    /// The numbers of all objects of a kind.
    pub fn of_kind(&self, group: &str, kind: &str) -> Vec<Id> {
        let Some(kind) = self.kind(group, kind) else { return Vec::new() };
        self.ids().filter(|id| self.slot(*id).is_some_and(|slot| slot.kind == kind)).collect()
    }

    /// Takes an object in, or what it is now.
    pub fn insert(&mut self, key: &Key, entry: Entry) -> Id {
        let known = self.id(key);
        let kind = self.number(key);
        let namespace = key.namespace.as_deref().map(|namespace| self.names.of(namespace));
        let name = self.names.of(key.name.as_str());
        let owner = Owner {
            team: entry.team,
            team_uid: entry.team_uid,
            work: entry.work,
            engine: entry.engine,
            other_writer: entry.other_writer,
            labelled: entry.labelled,
        };
        let slot = Box::new(Slot {
            kind,
            namespace,
            name,
            owner: self.owners.of(owner),
            uid: Uid::new(&entry.uid),
            version: entry.version,
            controller: entry.controller.map(|uid| Box::new(Uid::new(&uid))),
            deleting: entry.deleting,
            fingerprint: entry.fingerprint,
            verified: entry.verified,
            unverified: entry.unverified.map(|text| self.applied.pack(kind, &key.name, text)),
            view: entry.view.packed(|text| self.views.pack(kind, &key.name, text)),
        });
        if let Some(id) = known {
            self.put(id, Some(slot));
            self.sweep(1);
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // As many as this program could ever hold.
            Id::try_from(self.slots.len() - 1).unwrap_or(Id::MAX)
        });
        let number = hash(&self.hasher, kind, slot.namespace.as_deref(), &slot.name);
        self.put(id, Some(slot));
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_key.insert_unique(number, id, |id| {
            let slot = usize::try_from(*id).ok().and_then(|at| slots.get(at)?.as_deref());
            slot.map_or(0, |slot| hash(hasher, slot.kind, slot.namespace.as_deref(), &slot.name))
        });
        id
    }

    /// Lets an object go, and says whose it was.
    pub fn remove(&mut self, id: Id) -> Option<Arc<Owner>> {
        let slot = self.slot(id)?;
        let number = hash(&self.hasher, slot.kind, slot.namespace.as_deref(), &slot.name);
        let owner = Arc::clone(&slot.owner);
        if let Ok(found) = self.by_key.find_entry(number, |other| *other == id) {
            found.remove();
        }
        self.put(id, None);
        self.free.push(id);
        self.sweep(1);
        Some(owner)
    }

    fn put(&mut self, id: Id, slot: Option<Box<Slot>>) {
        if let Some(place) = usize::try_from(id).ok().and_then(|at| self.slots.get_mut(at)) {
            *place = slot;
        }
    }

    fn sweep(&mut self, left: usize) {
        self.names.left(left);
        self.owners.left(left);
    }

    fn kind(&self, group: &str, kind: &str) -> Option<u16> {
        let at = self.kinds.iter().position(|(of_group, of_kind)| of_kind == kind && of_group == group)?;
        u16::try_from(at).ok()
    }

    /// The number of a kind, which gets one if it has none.
    fn number(&mut self, key: &Key) -> u16 {
        self.kind(&key.group, &key.kind).unwrap_or_else(|| {
            self.kinds.push((key.group.clone(), key.kind.clone()));
            // A cluster has hundreds of kinds at the most.
            u16::try_from(self.kinds.len() - 1).unwrap_or(u16::MAX)
        })
    }
}

fn hash(hasher: &RandomState, kind: u16, namespace: Option<&str>, name: &str) -> u64 {
    hasher.hash_one((kind, namespace, name))
}

impl Slot {
    /// Whether an object that is like this gives nobody a reason to look again.
    pub fn says_the_same_as(&self, entry: &Entry) -> bool {
        let owner = &self.owner;
        self.uid == *entry.uid
            && self.fingerprint == entry.fingerprint
            && self.deleting == entry.deleting
            && owner.team == entry.team
            && owner.work == entry.work
            && self.controller.as_ref().map(ToString::to_string) == entry.controller
            && owner.labelled == entry.labelled
            && owner.team_uid == entry.team_uid
            && self.view.wakes_as(&entry.view)
    }

    fn entry(&self) -> Entry {
        Entry {
            uid: self.uid.to_string(),
            version: self.version,
            team: self.owner.team.clone(),
            work: self.owner.work.clone(),
            controller: self.controller.as_ref().map(ToString::to_string),
            labelled: self.owner.labelled,
            team_uid: self.owner.team_uid.clone(),
            engine: self.owner.engine.clone(),
            deleting: self.deleting,
            fingerprint: self.fingerprint,
            verified: self.verified,
            unverified: self.unverified.clone(),
            view: self.view.clone(),
            other_writer: self.owner.other_writer.clone(),
        }
    }
}

/// Values of which each is here once, however many use it.
struct Shared<T: ?Sized> {
    values: HashSet<Arc<T>>,
    /// How many uses ended since those were looked for that nobody uses.
    left: usize,
}

impl<T: ?Sized> Default for Shared<T> {
    fn default() -> Self {
        Self { values: HashSet::new(), left: 0 }
    }
}

impl<T: ?Sized + Hash + Eq> Shared<T> {
    /// The one that equals this value.
    fn of<V>(&mut self, value: V) -> Arc<T>
    where
        V: Into<Arc<T>> + std::borrow::Borrow<T>,
    {
        if let Some(known) = self.values.get(value.borrow()) {
            return Arc::clone(known);
        }
        let value: Arc<T> = value.into();
        self.values.insert(Arc::clone(&value));
        value
    }

    /// So many uses ended: when they are as many as half of the values, those go that
    /// nobody uses.
    fn left(&mut self, count: usize) {
        self.left += count;
        if self.left > self.values.len() / 2 + 64 {
            self.left = 0;
            self.values.retain(|value| Arc::strong_count(value) > 1);
        }
    }
}
