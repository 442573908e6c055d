//! The UIDs of deleted objects, kept while an answer to one of our writes may still
//! arrive. Such an answer shows how an object was, not that it still exists.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Longer than any request may take ([`crate::cluster::apply`] gives up after ten seconds).
const LATEST: Duration = Duration::from_secs(60);

/// Deleted objects, each with the resource version of its deletion.
#[derive(Default)]
pub struct Tombstones {
    versions: HashMap<String, u64>,
    since: VecDeque<(Instant, String)>,
}

impl Tombstones {
    /// The object with this UID went in this version.
    pub fn add(&mut self, uid: &str, version: u64, now: Instant) {
        while let Some((at, old)) = self.since.front()
            && now.duration_since(*at) > LATEST
        {
            self.versions.remove(old);
            self.since.pop_front();
        }
        if self.versions.insert(uid.to_owned(), version).is_none() {
            self.since.push_back((now, uid.to_owned()));
        }
    }

    /// Whether the object with this UID went not long ago.
    #[must_use]
    pub fn knows(&self, uid: &str) -> bool {
        self.versions.contains_key(uid)
    }

    /// Whether this version is from before the deletion. (An object that only lost the
    /// label of its watch may have got it back since.)
    #[must_use]
    pub fn outdates(&self, uid: &str, version: u64) -> bool {
        self.versions.get(uid).is_some_and(|gone| version <= *gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_known_for_a_while_and_takes_no_room_for_ever() {
        let (mut gone, begun) = (Tombstones::default(), Instant::now());
        gone.add("a", 5, begun);
        gone.add("b", 7, begun + LATEST);
        assert!(gone.outdates("a", 5) && !gone.outdates("a", 6) && gone.outdates("b", 6) && !gone.outdates("c", 1));
        gone.add("a", 8, begun + LATEST);
        assert!(gone.outdates("a", 6));
        gone.add("c", 9, begun + LATEST + Duration::from_secs(1));
        assert!(!gone.outdates("a", 5) && gone.outdates("b", 7) && gone.outdates("c", 9));
        assert_eq!(gone.since.len(), gone.versions.len());
    }
}
