//! Detects other writers of the fields that we own.
//!
//! After five repairs in a minute an object is contested: a guardrail is then repaired at
//! a bounded rate without end, any other object at a slow pace. So there are no write
//! wars, and no guardrail stays open.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::api::{Issue, ObjectKey};

/// So many repairs within [`WINDOW`] make an object contested.
const ROUNDS: usize = 5;
/// How far back repairs count.
const WINDOW: Duration = Duration::from_secs(60);
/// How often a contested guardrail is repaired.
const GUARDRAIL: Duration = Duration::from_secs(1);
/// How often anything else that is contested is repaired.
const OTHER: Duration = Duration::from_secs(60);
/// Guardrails count as contested until they were left alone for this long.
const QUIET: usize = 5;
/// So many objects are known without a look at which of them are gone.
const FEW: usize = 1024;

/// The facts about objects, by a hash of the object: there are many objects, and for most
/// of them only the last written intent is known.
#[derive(Default)]
struct Known {
    /// The intent that was written.
    intents: HashMap<u64, u64>,
    /// When those that were repaired were.
    repairs: HashMap<u64, VecDeque<Instant>>,
    /// The field that had changed in each of the repaired objects.
    fields: HashMap<u64, String>,
    /// The issue of the last repair, for objects whose last repair failed.
    failures: HashMap<u64, Issue>,
    /// How many may be known before it is tidied up.
    tidy_at: usize,
}

/// The repairs of the last minute, by object. It holds at most twice as many objects as
/// exist or were repaired in that minute.
#[derive(Default)]
pub struct ContentionTracker {
    numbers: RandomState,
    known: Mutex<Known>,
}

/// Whether an object may be repaired now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteDecision {
    /// It is written because what we want changed, or for the first time.
    Update,
    /// It is written because somebody changed it.
    Repair {
        /// Whether that happens again and again.
        contested: bool,
    },
    /// It is contested, and not written before so much time has passed.
    Wait(Duration),
}

impl ContentionTracker {
    fn lock(&self) -> MutexGuard<'_, Known> {
        // Rounds are counted one by one: none can be left half-written.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides whether an object that differs from the intent may be written now. `field`
    /// is the field that differs, if it is known.
    pub fn ask(&self, key: &ObjectKey, intent: u64, guardrail: bool, field: Option<String>) -> WriteDecision {
        let (now, number) = (Instant::now(), self.number(key));
        let mut known = self.lock();
        if known.intents.get(&number) != Some(&intent) {
            return WriteDecision::Update;
        }
        let Known { repairs, fields, .. } = &mut *known;
        if let Some(field) = field {
            fields.insert(number, field);
        }
        let repairs = repairs.entry(number).or_default();
        while repairs.front().is_some_and(|at| now.duration_since(*at) > WINDOW) {
            repairs.pop_front();
        }
        let contested = repairs.len() >= ROUNDS;
        if contested {
            let pace = if guardrail { GUARDRAIL } else { OTHER };
            let last = repairs.back().copied().unwrap_or(now);
            let since = now.duration_since(last);
            if since < pace {
                return WriteDecision::Wait(pace.saturating_sub(since));
            }
        }
        repairs.push_back(now);
        if repairs.len() > ROUNDS + QUIET {
            repairs.pop_front();
        }
        WriteDecision::Repair { contested }
    }

    /// Records a written intent: a later difference is a change by another writer.
    pub fn wrote(&self, key: &ObjectKey, intent: u64) {
        let number = self.number(key);
        let mut known = self.lock();
        let failed = known.failures.remove(&number).is_some();
        if known.intents.insert(number, intent) != Some(intent) {
            known.repairs.remove(&number);
            known.fields.remove(&number);
        } else if failed && let Some(repairs) = known.repairs.get_mut(&number) {
            // Those that failed put nothing back.
            repairs.drain(..repairs.len().saturating_sub(1));
        }
    }

    /// Records a failed repair: it delays the next one, and does not make the object contested.
    pub fn failed(&self, key: &ObjectKey, permission: WriteDecision, failure: Issue) {
        if matches!(permission, WriteDecision::Repair { .. }) {
            self.lock().failures.insert(self.number(key), failure);
        }
    }

    /// Why the last repair of the object failed, if it did.
    #[must_use]
    pub fn failure(&self, key: &ObjectKey) -> Option<Issue> {
        self.lock().failures.get(&self.number(key)).cloned()
    }

    /// The field of the object that changed last.
    #[must_use]
    pub fn field(&self, key: &ObjectKey) -> Option<String> {
        self.lock().fields.get(&self.number(key)).cloned()
    }

    /// Whether the object was repaired that often within the last minute.
    #[must_use]
    pub fn contested(&self, key: &ObjectKey) -> bool {
        let (known, now) = (self.lock(), Instant::now());
        known
            .repairs
            .get(&self.number(key))
            .is_some_and(|repairs| repairs.iter().filter(|at| now.duration_since(**at) <= WINDOW).count() >= ROUNDS)
    }

    /// The object is no longer ours to keep.
    pub fn forget(&self, key: &ObjectKey) {
        let number = self.number(key);
        let mut known = self.lock();
        known.intents.remove(&number);
        known.repairs.remove(&number);
        known.fields.remove(&number);
        known.failures.remove(&number);
    }

    /// Forgets, if many are known, objects that no longer exist and are not contested.
    /// `each` visits the existing ones.
    pub fn tidy(&self, each: impl FnOnce(&mut dyn FnMut(&ObjectKey))) {
        let (mut known, now) = (self.lock(), Instant::now());
        if known.intents.len() < known.tidy_at.max(FEW) {
            return;
        }
        let mut there = HashSet::new();
        each(&mut |key| {
            there.insert(self.number(key));
        });
        known.repairs.retain(|_, repairs| repairs.back().is_some_and(|at| now.duration_since(*at) <= WINDOW));
        let Known { intents, repairs, fields, failures, .. } = &mut *known;
        fields.retain(|number, _| repairs.contains_key(number));
        failures.retain(|number, _| repairs.contains_key(number));
        intents.retain(|number, _| repairs.contains_key(number) || there.contains(number));
        intents.shrink_to_fit();
        known.tidy_at = known.intents.len() * 2;
    }

    fn number(&self, key: &ObjectKey) -> u64 {
        self.numbers.hash_one(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;

    fn key() -> ObjectKey {
        ObjectKey::new("", "ConfigMap", Some("a--b"), "connections")
    }

    #[tokio::test(start_paused = true)]
    async fn a_field_fought_over_is_written_at_a_bounded_rate() {
        let contests = ContentionTracker::default();
        assert_eq!(contests.ask(&key(), 1, true, None), WriteDecision::Update);
        contests.wrote(&key(), 1);
        for _ in 0..ROUNDS {
            assert_eq!(contests.ask(&key(), 1, true, None), WriteDecision::Repair { contested: false });
        }
        assert!(matches!(contests.ask(&key(), 1, true, None), WriteDecision::Wait(_)));
        tokio::time::advance(GUARDRAIL).await;
        assert_eq!(contests.ask(&key(), 1, true, None), WriteDecision::Repair { contested: true });
        assert!(contests.contested(&key()));
        tokio::time::advance(WINDOW + GUARDRAIL).await;
        assert!(!contests.contested(&key()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_written_is_paced_and_no_contest() {
        let contests = ContentionTracker::default();
        contests.wrote(&key(), 1);
        let (repair, refused) = (WriteDecision::Repair { contested: false }, Issue::new(Reason::Refused, "not today"));
        for _ in 0..ROUNDS {
            assert_eq!(contests.ask(&key(), 1, false, None), repair);
            contests.failed(&key(), repair, refused.clone());
        }
        assert!(matches!(contests.ask(&key(), 1, false, None), WriteDecision::Wait(_)));
        assert_eq!(contests.failure(&key()), Some(refused.clone()));
        contests.wrote(&key(), 1);
        assert_eq!((contests.failure(&key()), contests.contested(&key())), (None, false));
        for _ in 1..ROUNDS {
            assert_eq!(contests.ask(&key(), 1, false, None), repair);
            contests.wrote(&key(), 1);
        }
        assert!(contests.contested(&key()), "what was put back counts");
        contests.failed(&key(), WriteDecision::Update, refused);
        assert_eq!(contests.failure(&key()), None, "a first write is no repair");
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_intent_is_no_contest() {
        let contests = ContentionTracker::default();
        for intent in 0..20 {
            assert_eq!(contests.ask(&key(), intent + 1, false, None), WriteDecision::Update);
            contests.wrote(&key(), intent + 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn objects_that_went_without_us_take_no_room_for_ever() {
        let contests = ContentionTracker::default();
        let object = |number: usize| ObjectKey::new("batch", "Job", Some("a--b"), &format!("run-{number}"));
        let stay = |each: &mut dyn FnMut(&ObjectKey)| (0..500).for_each(|number| each(&object(number * 100)));
        contests.wrote(&key(), 1);
        assert!(matches!(contests.ask(&key(), 1, true, None), WriteDecision::Repair { .. }));
        for number in 0..50_000 {
            contests.wrote(&object(number), 1);
            contests.tidy(stay);
            assert!(contests.lock().intents.len() <= FEW + 2 * (number / 100 + 2), "after {number}");
        }
        assert_eq!(contests.ask(&object(49_900), 1, false, None), WriteDecision::Repair { contested: false });
        assert!(
            contests.lock().intents.contains_key(&contests.number(&key())),
            "what was fought over just now is known"
        );
        tokio::time::advance(WINDOW * 2).await;
        (0..2000).for_each(|number| contests.wrote(&object(number), 2));
        contests.tidy(stay);
        assert!(!contests.lock().intents.contains_key(&contests.number(&key())));
    }
}
