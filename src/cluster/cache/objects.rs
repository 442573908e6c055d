//! Objects in compact form: each is stored once, under a number, and values that many
//! share (names, namespaces, owners) are stored once for all.
//!
//! At 100,000 objects this decides the operator's memory. It does not interpret objects;
//! [`super`] does.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU64;
use std::sync::Arc;

use hashbrown::HashTable;

use super::Entry;
use super::shared::{Name, Shared};
use super::state::StoredState;
use super::text::{Models, Packed, Text};
use super::uid::Uid;
use crate::api::ObjectKey;
use crate::api::identity::Request;

/// The number of an object. It is reused after the object's deletion.
pub type Id = u32;

/// The team and the owner of an object.
#[derive(PartialEq, Eq, Hash)]
pub struct Owner {
    pub team: String,
    pub team_uid: String,
    pub work: Request,
    pub engine: Option<String>,
    pub other_writer: Option<String>,
    pub labelled: bool,
}

/// One object. What few have stands apart: there are many of these.
pub struct Slot {
    kind: u16,
    pub deleting: bool,
    namespace: Option<Name>,
    name: Name,
    pub owner: Arc<Owner>,
    /// Its UID, if that is a number.
    uid: [u8; 16],
    pub version: u64,
    pub fingerprint: u64,
    /// The intent that it was found to hold, with its present fingerprint.
    verified: Option<NonZeroU64>,
    state: Option<Packed>,
    wakes: u64,
    rare: Option<Box<Rare>>,
}

/// Rare fields.
#[derive(Default)]
struct Rare {
    /// A UID that is no number.
    uid: Option<Box<str>>,
    controller: Option<Uid>,
    /// An intent that it was found to hold, with another fingerprint.
    verified: Option<(u64, u64)>,
    unverified: Option<Packed>,
}

impl Rare {
    const fn is_nothing(&self) -> bool {
        let Self { uid, controller, verified, unverified } = self;
        uid.is_none() && controller.is_none() && verified.is_none() && unverified.is_none()
    }
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
    names: Shared<Name>,
    owners: Shared<Arc<Owner>>,
    /// What states are compared with, ...
    states: Models,
    /// ... and what objects are that were not yet compared with an intent.
    applied: Models,
}

impl Objects {
    /// The number of an object, if it is here.
    pub fn id(&self, key: &ObjectKey) -> Option<Id> {
        let kind = self.kind(&key.group, &key.kind)?;
        let is = |id: &Id| {
            self.slot(*id).is_some_and(|slot| {
                slot.kind == kind && slot.name() == key.name && slot.namespace() == key.namespace.as_deref()
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
        Some(self.entry_of(self.slot(id)?))
    }

    /// The identity of an object.
    pub fn key(&self, id: Id) -> Option<ObjectKey> {
        let slot = self.slot(id)?;
        let (group, kind) = self.kinds.get(usize::from(slot.kind))?;
        Some(ObjectKey::new(group, kind, slot.namespace(), slot.name()))
    }

    /// An object for readers, with its identity.
    pub fn both(&self, id: Id) -> Option<(ObjectKey, Entry)> {
        Some((self.key(id)?, self.entry(id)?))
    }

    /// Whether an object is of one of these kinds of a group.
    pub fn is_any(&self, id: Id, group: &str, kinds: &[&str]) -> bool {
        let kind = self.slot(id).and_then(|slot| self.kinds.get(usize::from(slot.kind)));
        kind.is_some_and(|(of_group, kind)| of_group == group && kinds.contains(&kind.as_str()))
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

    /// Inserts or updates an object.
    pub fn insert(&mut self, key: &ObjectKey, entry: Entry) -> Id {
        let known = self.id(key);
        let kind = self.number(key);
        let namespace = key.namespace.as_deref().map(|namespace| self.names.of::<str, _>(namespace));
        let name = self.names.of::<str, _>(key.name.as_str());
        let owner = Owner {
            team: entry.team,
            team_uid: entry.team_uid,
            work: entry.work,
            engine: entry.engine,
            other_writer: entry.other_writer,
            labelled: entry.labelled,
        };
        let (uid, odd_uid) = match Uid::new(&entry.uid) {
            Uid::Number(number) => (number, None),
            Uid::Text(text) => (Default::default(), Some(text)),
        };
        let (state, wakes) = entry.state.into_parts();
        let mut slot = Box::new(Slot {
            kind,
            deleting: entry.deleting,
            namespace,
            name,
            owner: self.owners.of::<Owner, _>(owner),
            uid,
            version: entry.version,
            fingerprint: entry.fingerprint,
            verified: None,
            state: state.map(|text| self.states.pack(kind, &key.name, &text.read())),
            wakes,
            rare: None,
        });
        slot.set_rare(|rare| {
            rare.uid = odd_uid;
            rare.controller = entry.controller.map(|uid| Uid::new(&uid));
            rare.unverified = entry.unverified.map(|text| self.applied.pack(kind, &key.name, &text.read()));
        });
        slot.set_verified(entry.verified);
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
        let number = hash(&self.hasher, kind, slot.namespace(), slot.name());
        self.put(id, Some(slot));
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_key.insert_unique(number, id, |id| {
            let slot = usize::try_from(*id).ok().and_then(|at| slots.get(at)?.as_deref());
            slot.map_or(0, |slot| hash(hasher, slot.kind, slot.namespace(), slot.name()))
        });
        id
    }

    /// Removes an object, and returns its owner.
    pub fn remove(&mut self, id: Id) -> Option<Arc<Owner>> {
        let slot = self.slot(id)?;
        let number = hash(&self.hasher, slot.kind, slot.namespace(), slot.name());
        let owner = Arc::clone(&slot.owner);
        if let Ok(found) = self.by_key.find_entry(number, |other| *other == id) {
            found.remove();
        }
        self.put(id, None);
        self.free.push(id);
        self.sweep(1);
        Some(owner)
    }

    /// An object that was not compared with an intent yet.
    pub fn unverified(&self, slot: &Slot) -> Option<Text> {
        slot.rare.as_ref()?.unverified.as_ref().map(|packed| self.applied.text(packed))
    }

    fn entry_of(&self, slot: &Slot) -> Entry {
        let state = slot.state.as_ref().map(|packed| self.states.text(packed));
        Entry {
            uid: slot.uid().to_string(),
            version: slot.version,
            team: slot.owner.team.clone(),
            work: slot.owner.work.clone(),
            controller: slot.controller(),
            labelled: slot.owner.labelled,
            team_uid: slot.owner.team_uid.clone(),
            engine: slot.owner.engine.clone(),
            deleting: slot.deleting,
            fingerprint: slot.fingerprint,
            verified: slot.verified(),
            unverified: self.unverified(slot),
            state: StoredState::from_parts(state, slot.wakes),
            other_writer: slot.owner.other_writer.clone(),
        }
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
    fn number(&mut self, key: &ObjectKey) -> u16 {
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
    /// Whether an equal object triggers no pass.
    pub fn says_the_same_as(&self, entry: &Entry) -> bool {
        let owner = &self.owner;
        self.has_uid(&entry.uid)
            && self.fingerprint == entry.fingerprint
            && self.deleting == entry.deleting
            && owner.team == entry.team
            && owner.work == entry.work
            && self.controller() == entry.controller
            && owner.labelled == entry.labelled
            && owner.team_uid == entry.team_uid
            && self.wakes == entry.state.wakes()
    }

    /// Whether this is its UID.
    pub fn has_uid(&self, uid: &str) -> bool {
        self.uid() == *uid
    }

    /// Its UID.
    pub fn uid(&self) -> Uid {
        let odd = self.rare.as_ref().and_then(|rare| rare.uid.clone());
        odd.map_or(Uid::Number(self.uid), Uid::Text)
    }

    /// The intent that it was found to hold, with the fingerprint that it had then.
    pub fn verified(&self) -> Option<(u64, u64)> {
        let now = self.verified.map(|intent| (intent.get(), self.fingerprint));
        now.or_else(|| self.rare.as_ref()?.verified)
    }

    /// Records that it was found to hold this intent, with this fingerprint.
    pub fn set_verified(&mut self, verified: Option<(u64, u64)>) {
        let now = verified.filter(|(_, fingerprint)| *fingerprint == self.fingerprint);
        self.verified = now.and_then(|(intent, _)| NonZeroU64::new(intent));
        let then = verified.filter(|_| self.verified.is_none());
        if then.is_some() || self.rare.is_some() {
            self.set_rare(|rare| rare.verified = then);
        }
    }

    /// It was compared with an intent: what it is need not be known any more.
    pub fn forget_unverified(&mut self) {
        if self.rare.is_some() {
            self.set_rare(|rare| rare.unverified = None);
        }
    }

    fn set_rare(&mut self, set: impl FnOnce(&mut Rare)) {
        let mut rare = self.rare.take().unwrap_or_default();
        set(&mut rare);
        self.rare = Some(rare).filter(|rare| !rare.is_nothing());
    }

    fn namespace(&self) -> Option<&str> {
        self.namespace.as_ref().map(Borrow::borrow)
    }

    fn name(&self) -> &str {
        self.name.borrow()
    }

    fn controller(&self) -> Option<String> {
        self.rare.as_ref()?.controller.as_ref().map(ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_takes_little_room() {
        assert!(size_of::<Slot>() <= 104, "{}", size_of::<Slot>());
    }
}
