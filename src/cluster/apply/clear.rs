//! Takes out of an applied object what others added to it.
//!
//! It writes the answer to our own apply once more, in its version. Additions that are
//! in that write's answer too come from admission, or cannot be removed any more: they
//! are remembered while the process lives, reported once, and left, so that no two
//! writers fight.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::write::{CONFLICT, INVALID, Writer};
use crate::api::kinds::clearing::Clearing;
use crate::api::{Issue, ObjectKey, Reason};
use crate::cluster::cache::added::{Addition, additions, without};
use crate::cluster::cache::fingerprint::holds;
use crate::cluster::watch::Watched;

/// The number of attempts while the object's controller writes it at the same time.
const TRIES: usize = 3;
/// So many objects are known without a look at which of them are gone.
const FEW: usize = 1024;

/// The additions that stay, by a hash of their object. Few objects have any.
#[derive(Default)]
pub struct Left {
    numbers: RandomState,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    marks: HashMap<u64, HashSet<u64>>,
    /// How many objects may be known before it is tidied up.
    tidy_at: usize,
}

impl Left {
    fn lock(&self) -> MutexGuard<'_, Known> {
        // Marks are added one by one: none can be left half-written.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are not to be left.
    fn new_ones(&self, key: &ObjectKey, mut found: Vec<Addition>) -> Vec<Addition> {
        if let Some(marks) = self.lock().marks.get(&self.numbers.hash_one(key)) {
            found.retain(|addition| !marks.contains(&addition.mark));
        }
        found
    }

    fn leave(&self, key: &ObjectKey, found: &[Addition]) {
        if !found.is_empty() {
            let marks = found.iter().map(|addition| addition.mark);
            self.lock().marks.entry(self.numbers.hash_one(key)).or_default().extend(marks);
        }
    }

    /// Forgets objects that no longer exist, if many are known. `each` visits the existing
    /// ones.
    pub fn tidy(&self, each: impl FnOnce(&mut dyn FnMut(&ObjectKey))) {
        let mut known = self.lock();
        if known.marks.len() < known.tidy_at.max(FEW) {
            return;
        }
        let mut there = HashSet::new();
        each(&mut |key| {
            there.insert(self.numbers.hash_one(key));
        });
        known.marks.retain(|number, _| there.contains(number));
        known.tidy_at = known.marks.len() * 2;
    }
}

/// An object as it is after a write, and the names of what is left in it from now on.
pub struct Cleared {
    /// The object.
    pub live: Value,
    /// What is left in it, and was not known before.
    pub left: Vec<String>,
}

/// One object that was applied just now, and what it takes to clear it.
pub struct Clearer<'a> {
    pub writer: &'a Writer,
    pub left: &'a Left,
    pub kind: &'a Watched,
    pub key: &'a ObjectKey,
    pub clearing: &'a Clearing,
    pub intent: &'a Value,
}

impl Clearer<'_> {
    /// Removes the additions of others.
    pub async fn clear(&self, live: Value) -> Result<Cleared, Issue> {
        let found = self.added(&live);
        if found.is_empty() {
            return Ok(Cleared { live, left: Vec::new() });
        }
        let marks: Vec<u64> = found.iter().map(|addition| addition.mark).collect();
        let live = match self.without(live, &marks).await? {
            // One of them cannot be taken out: the others still can.
            Taken::Refused(mut live) if marks.len() > 1 => {
                for mark in marks {
                    live = match self.without(live, &[mark]).await? {
                        Taken::Out(live) | Taken::Refused(live) => live,
                    };
                }
                live
            }
            Taken::Out(live) | Taken::Refused(live) => live,
        };
        let stays = self.added(&live);
        self.left.leave(self.key, &stays);
        let left = stays.into_iter().map(|addition| addition.name).collect();
        Ok(Cleared { live, left })
    }

    fn added(&self, live: &Value) -> Vec<Addition> {
        self.left.new_ones(self.key, additions(live, self.intent, self.clearing))
    }

    /// The object without these additions, or as it is if that cannot be.
    async fn without(&self, mut live: Value, marks: &[u64]) -> Result<Taken, Issue> {
        for _ in 0..TRIES {
            let found = self.added(&live);
            let out: Vec<_> = found.iter().filter(|addition| marks.contains(&addition.mark)).collect();
            if out.is_empty() {
                return Ok(Taken::Out(live));
            }
            match self.writer.put(self.kind, self.key, &without(&live, out.into_iter())).await {
                Ok(answer) => return Ok(Taken::Out(answer)),
                Err(failed) if failed.code == INVALID => return Ok(Taken::Refused(live)),
                // Its controller was quicker.
                Err(failed) if failed.code == CONFLICT => match self.writer.get(self.kind, self.key).await? {
                    Some(now) if is_same(&now, &live) && holds(&now, self.intent) => live = now,
                    _ => return Err(failed.failure),
                },
                Err(failed) => return Err(failed.failure),
            }
        }
        let message = format!("failed to update {}: it keeps changing. The write is tried again", self.key);
        Err(Issue::new(Reason::Progressing, message))
    }
}

/// An object after an attempt.
enum Taken {
    Out(Value),
    Refused(Value),
}

fn is_same(now: &Value, before: &Value) -> bool {
    now["metadata"]["uid"] == before["metadata"]["uid"]
}
