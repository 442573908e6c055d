//! The statuses last written that no watch has given back yet: until it does,
//! what it gave before is older than what is known.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Statuses by the UID of their object, each with its resource version.
#[derive(Debug)]
pub struct StatusCache<S> {
    written: Mutex<HashMap<String, (u64, S)>>,
}

impl<S> Default for StatusCache<S> {
    fn default() -> Self {
        Self { written: Mutex::default() }
    }
}

impl<S: Clone> StatusCache<S> {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u64, S)>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status that was written since the object was read in this version.
    #[must_use]
    pub fn newer(&self, uid: &str, version: u64) -> Option<S> {
        self.lock().get(uid).filter(|(written, _)| *written > version).map(|(_, status)| status.clone())
    }

    /// Remembers a status that was written, unless the watch was quicker: `known`
    /// says which version it gave last.
    pub fn remember(&self, uid: &str, version: u64, status: S, known: impl FnOnce() -> u64) {
        let mut written = self.lock();
        // Asked under the lock, so that it cannot pass by between the two.
        if known() < version {
            written.insert(uid.to_owned(), (version, status));
        }
    }

    /// A watch gave the object in this version.
    pub fn was_read(&self, uid: &str, version: u64) {
        let mut written = self.lock();
        if written.get(uid).is_some_and(|(written, _)| *written <= version) {
            written.remove(uid);
        }
    }

    /// Forgets a deleted object.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_remembered_until_a_watch_gives_it_back() {
        let cache = StatusCache::default();
        cache.remember("u", 5, "written", || 4);
        assert_eq!((cache.newer("u", 4), cache.newer("u", 5)), (Some("written"), None));
        cache.was_read("u", 4);
        assert_eq!(cache.newer("u", 4), Some("written"));
        cache.was_read("u", 5);
        assert_eq!(cache.newer("u", 4), None);
        // A watch that was quicker leaves nothing behind.
        cache.remember("u", 7, "written", || 7);
        assert_eq!(cache.newer("u", 4), None);
    }
}
