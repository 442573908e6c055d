//! What came of applying: plain data, for judging and reporting.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::error::Failure;
use crate::watch::Key;

/// What came of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Result {
    /// It was as desired.
    Unchanged,
    /// It was created, or brought to a changed wish.
    Written,
    /// Somebody had changed it, and it was put back.
    Repaired {
        /// Who had changed it, where that can be told.
        by: Option<String>,
    },
    /// It is not as desired.
    Failed(Failure),
}

/// What came of all of them.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By object.
    pub results: BTreeMap<Key, Result>,
    /// Objects that were removed.
    pub removed: Vec<Key>,
    /// Objects that could not be removed.
    pub not_removed: BTreeMap<Key, Failure>,
    /// Objects that somebody keeps changing, and who.
    pub contested: BTreeMap<Key, Option<String>>,
    /// When a contested object may be written again.
    pub again: Option<Duration>,
    /// Namespaces that were created just now: nothing of others can be in them.
    pub(super) fresh: BTreeSet<String>,
    /// Namespaces that nothing more is written into, and why.
    pub(super) blocked: BTreeMap<String, Failure>,
}

impl Outcome {
    /// Why the object is not as desired, if it is not.
    #[must_use]
    pub fn failure(&self, key: &Key) -> Option<&Failure> {
        match self.results.get(key)? {
            Result::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Why nothing more was written into a namespace.
    #[must_use]
    pub fn blocked(&self, namespace: &str) -> Option<&Failure> {
        self.blocked.get(namespace)
    }

    /// Says better why an object, and everything in the namespace that it is, failed.
    pub fn explain(&mut self, key: &Key, failure: Failure) {
        self.blocked.insert(key.name.clone(), failure.clone());
        self.results.insert(key.clone(), Result::Failed(failure));
    }

    /// Every failure, in the order of the objects.
    pub fn failures(&self) -> impl Iterator<Item = (&Key, &Failure)> {
        let failed = self.results.iter().filter_map(|(key, result)| match result {
            Result::Failed(failure) => Some((key, failure)),
            _ => None,
        });
        failed.chain(self.not_removed.iter())
    }
}
