//! The last written statuses that no watch has delivered yet: until then, the watch's
//! state is older.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::api::ObjectMeta;
use serde_json::Value;

/// Statuses by the UID of their object, each with its resource version.
#[derive(Debug, Default)]
pub struct StatusCache {
    written: Mutex<HashMap<String, (u64, Value)>>,
}

impl StatusCache {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (u64, Value)>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status that was written since the object was read with this metadata.
    #[must_use]
    pub fn newer(&self, metadata: &ObjectMeta) -> Option<Value> {
        let read = version(metadata);
        self.lock().get(uid(metadata)).filter(|(written, _)| *written > read).map(|(_, status)| status.clone())
    }

    /// Remembers a written status, unless the watch was faster or the object is gone:
    /// `known` returns the version that the watch delivered last.
    pub fn remember(&self, written: &ObjectMeta, status: Value, known: impl FnOnce() -> Option<u64>) {
        let mut all = self.lock();
        // Asked under the lock, so that it cannot pass by between the two.
        if known().is_some_and(|known| known < version(written)) {
            all.insert(uid(written).to_owned(), (version(written), status));
        }
    }

    /// A watch gave the object with this metadata.
    pub fn was_read(&self, metadata: &ObjectMeta) {
        let mut all = self.lock();
        if all.get(uid(metadata)).is_some_and(|(written, _)| *written <= version(metadata)) {
            all.remove(uid(metadata));
        }
    }

    /// Forgets a deleted object.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }
}

fn uid(metadata: &ObjectMeta) -> &str {
    metadata.uid.as_deref().unwrap_or_default()
}

/// The resource version as a number.
#[must_use]
pub fn version(metadata: &ObjectMeta) -> u64 {
    metadata.resource_version.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: u64) -> ObjectMeta {
        ObjectMeta { uid: Some("u".to_owned()), resource_version: Some(version.to_string()), ..ObjectMeta::default() }
    }

    #[test]
    fn a_status_is_remembered_until_a_watch_gives_it_back() {
        let (cache, written) = (StatusCache::default(), Value::from("written"));
        cache.remember(&at(5), written.clone(), || Some(4));
        assert_eq!((cache.newer(&at(4)), cache.newer(&at(5))), (Some(written.clone()), None));
        cache.was_read(&at(4));
        assert_eq!(cache.newer(&at(4)), Some(written.clone()));
        cache.was_read(&at(5));
        assert_eq!(cache.newer(&at(4)), None);
        // A watch that was quicker leaves nothing behind, nor does an object that is gone.
        for known in [Some(7), None] {
            cache.remember(&at(7), written.clone(), || known);
            assert_eq!(cache.newer(&at(4)), None);
        }
    }
}
