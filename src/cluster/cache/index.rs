//! Finds objects by their key, by their purpose, and in the lists that are in progress.
//! [`super`] decides which data to believe.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::objects::{Id, Objects, Slot};
use super::text::Text;
use super::tombstones::Tombstones;
use super::{Entry, Wake};
use crate::api::ObjectKey;
use crate::api::identity::{Request, team_of};

/// The indexes of known objects.
#[derive(Default)]
pub struct Index {
    pub objects: Objects,
    pub works: HashMap<Request, HashSet<Id>>,
    /// The work pods, by team.
    pub pods: HashMap<String, HashSet<Id>>,
    /// The lists under way, by group, kind and version.
    pub listing: HashMap<(String, String, String), Listing>,
    pub gone: Tombstones,
}

/// A list under way.
#[derive(Default)]
pub struct Listing {
    /// The objects in the list, and those written since it began.
    pub listed: HashSet<Id>,
    /// The objects written since it began: the list may have older versions of them.
    pub answered: HashSet<Id>,
}

impl Index {
    pub fn known(&self, key: &ObjectKey) -> Option<&Slot> {
        self.objects.slot(self.objects.id(key)?)
    }

    pub fn known_mut(&mut self, key: &ObjectKey) -> Option<&mut Slot> {
        self.objects.slot_mut(self.objects.id(key)?)
    }

    /// An object that was not compared with an intent yet.
    pub fn unverified(&self, slot: &Slot) -> Option<Text> {
        self.objects.unverified(slot)
    }

    /// These objects with their identities.
    pub fn keys(&self, ids: &[Id]) -> Vec<(Id, ObjectKey)> {
        ids.iter().filter_map(|id| Some((*id, self.objects.key(*id)?))).collect()
    }

    /// The lists of a kind that are under way.
    pub fn lists_of<'a>(&'a mut self, key: &'a ObjectKey) -> impl Iterator<Item = &'a mut Listing> {
        let all = self.listing.iter_mut();
        all.filter(|((group, kind, _), _)| *group == key.group && *kind == key.kind).map(|(_, listing)| listing)
    }

    /// Notes in the lists under way that there is an object.
    pub fn note(&mut self, key: &ObjectKey, id: Id, answered: bool) {
        for listing in self.lists_of(key) {
            listing.listed.insert(id);
            if answered {
                listing.answered.insert(id);
            }
        }
    }

    /// Whether a list in progress may be older than the known version of the object.
    pub fn may_be_older(&mut self, key: &ObjectKey, id: Id) -> bool {
        self.lists_of(key).any(|listing| listing.answered.contains(&id))
    }

    pub fn forget(&mut self, key: &ObjectKey) -> Wake {
        self.objects.id(key).map(|id| self.let_go(key, id)).unwrap_or_default()
    }

    /// Forgets an object. Its number may be another's from now on.
    pub fn let_go(&mut self, key: &ObjectKey, id: Id) -> Wake {
        for listing in self.lists_of(key) {
            listing.listed.remove(&id);
            listing.answered.remove(&id);
        }
        let Some(owner) = self.objects.remove(id) else { return Wake::new() };
        self.leave(&owner.work, key, id);
        vec![owner.work.clone()]
    }

    pub fn leave(&mut self, work: &Request, key: &ObjectKey, id: Id) {
        remove(&mut self.works, work, id);
        if let Some(team) = team_of_pod(work, key) {
            remove(&mut self.pods, team, id);
        }
    }

    pub fn enter(&mut self, work: &Request, key: &ObjectKey, id: Id) {
        if let Some(ids) = self.works.get_mut(work) {
            ids.insert(id);
        } else {
            self.works.insert(work.clone(), HashSet::from([id]));
        }
        if let Some(team) = team_of_pod(work, key) {
            self.pods.entry(team.to_owned()).or_default().insert(id);
        }
    }

    /// These objects, in the order of their keys.
    pub fn sorted(&self, ids: impl Iterator<Item = Id>) -> Vec<(ObjectKey, Entry)> {
        let mut found: Vec<_> = ids.filter_map(|id| self.objects.both(id)).collect();
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        found
    }
}

/// Removes a number, and its set with the last one.
fn remove<K, Q>(sets: &mut HashMap<K, HashSet<Id>>, of: &Q, id: Id)
where
    K: Hash + Eq + Borrow<Q>,
    Q: Hash + Eq + ?Sized,
{
    if let Some(ids) = sets.get_mut(of) {
        ids.remove(&id);
        if ids.is_empty() {
            sets.remove(of);
        }
    }
}

/// The team whose work the pod is for.
fn team_of_pod<'a>(work: &'a Request, key: &ObjectKey) -> Option<&'a str> {
    match work {
        Request::Work(id) if key.built_in() == "Pod" => team_of(&id.namespace),
        _ => None,
    }
}
