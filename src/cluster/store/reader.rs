//! Keeps a collection as the events of a watch say, and tells of each change. A
//! list is compared with what was there: it is no second copy, and that it came
//! is no change.

use std::collections::BTreeSet;

use kube::Resource;
use kube::runtime::watcher;

use super::Change;
use super::collection::Collection;
use super::kept::Kept;
use super::known::{Incoming, key_of};
use crate::cluster::watch::follow;

/// What reads the events of one kind.
pub(super) struct Reader<'a, K: Kept, Keep, Tell> {
    collection: &'a Collection<K>,
    keep: Keep,
    tell: Tell,
    /// What the list under way had so far.
    listed: BTreeSet<String>,
}

impl<'a, K: Kept, Keep, Tell: Fn(&Change<'_, K>)> Reader<'a, K, Keep, Tell> {
    pub fn new(collection: &'a Collection<K>, keep: Keep, tell: Tell) -> Self {
        Self { collection, keep, tell, listed: BTreeSet::new() }
    }

    /// Takes what following the kind gave. How the watch is, is its health's to say.
    pub fn take<W: Resource>(&mut self, event: follow::Change<W>)
    where
        Keep: Fn(W) -> Incoming<K>,
    {
        let follow::Change::Event(event) = event else { return };
        match event {
            watcher::Event::Init => self.listed.clear(),
            watcher::Event::InitApply(object) => {
                let key = self.there(object);
                self.listed.insert(key);
            }
            watcher::Event::InitDone => {
                for key in self.collection.complete(&std::mem::take(&mut self.listed)) {
                    self.gone(&key);
                }
            }
            watcher::Event::Apply(object) => {
                self.there(object);
            }
            watcher::Event::Delete(object) => self.gone(&key_of(object.meta())),
        }
    }

    fn there<W>(&self, object: W) -> String
    where
        Keep: Fn(W) -> Incoming<K>,
    {
        let Incoming { key, object, others } = (self.keep)(object);
        let before = self.collection.set(&key, object.clone());
        let first = !self.collection.synced();
        (self.tell)(&Change { key: &key, before: before.as_ref(), after: Some(&object), others, first });
        key
    }

    fn gone(&self, key: &str) {
        if let Some(before) = self.collection.remove(key) {
            (self.tell)(&Change { key, before: Some(&before), after: None, others: false, first: false });
        }
    }
}
