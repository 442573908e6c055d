//! Who else keeps writing the fields that we own.
//!
//! After five repairs of one object in a minute it is contested: guardrails are
//! then repaired at a bounded rate for ever, everything else at a slow pace. No
//! write wars, and no open window.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::watch::Key;

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

#[derive(Default)]
struct Rounds {
    intent: u64,
    repairs: VecDeque<Instant>,
}

/// The repairs of the last minute, by object.
#[derive(Default)]
pub struct Contests {
    rounds: Mutex<HashMap<Key, Rounds>>,
}

/// Whether an object may be repaired now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
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

impl Contests {
    /// Asks to write an object that differs from the intent.
    pub fn ask(&self, key: &Key, intent: u64, guardrail: bool) -> Permission {
        let now = Instant::now();
        let mut all = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rounds) = all.get_mut(key).filter(|rounds| rounds.intent == intent) else {
            return Permission::Update;
        };
        while rounds.repairs.front().is_some_and(|at| now.duration_since(*at) > WINDOW) {
            rounds.repairs.pop_front();
        }
        let contested = rounds.repairs.len() >= ROUNDS;
        if contested {
            let pace = if guardrail { GUARDRAIL } else { OTHER };
            let last = rounds.repairs.back().copied().unwrap_or(now);
            let since = now.duration_since(last);
            if since < pace {
                return Permission::Wait(pace.saturating_sub(since));
            }
        }
        rounds.repairs.push_back(now);
        if rounds.repairs.len() > ROUNDS + QUIET {
            rounds.repairs.pop_front();
        }
        Permission::Repair { contested }
    }

    /// We wrote this intent: what differs from now on was changed by somebody.
    pub fn wrote(&self, key: &Key, intent: u64) {
        let mut all = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        let rounds = all.entry(key.clone()).or_default();
        if rounds.intent != intent {
            *rounds = Rounds { intent, repairs: VecDeque::new() };
        }
    }

    /// Whether the object was repaired that often within the last minute.
    #[must_use]
    pub fn contested(&self, key: &Key) -> bool {
        let all = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        all.get(key).is_some_and(|rounds| {
            rounds.repairs.iter().filter(|at| now.duration_since(**at) <= WINDOW).count() >= ROUNDS
        })
    }

    /// The object is no longer ours to keep.
    pub fn forget(&self, key: &Key) {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new("", "ConfigMap", Some("a--b"), "connections")
    }

    #[tokio::test(start_paused = true)]
    async fn a_field_fought_over_is_written_at_a_bounded_rate() {
        let contests = Contests::default();
        assert_eq!(contests.ask(&key(), 1, true), Permission::Update);
        contests.wrote(&key(), 1);
        for _ in 0..ROUNDS {
            assert_eq!(contests.ask(&key(), 1, true), Permission::Repair { contested: false });
        }
        assert!(matches!(contests.ask(&key(), 1, true), Permission::Wait(_)));
        tokio::time::advance(GUARDRAIL).await;
        assert_eq!(contests.ask(&key(), 1, true), Permission::Repair { contested: true });
        assert!(contests.contested(&key()));
        tokio::time::advance(WINDOW + GUARDRAIL).await;
        assert!(!contests.contested(&key()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_intent_is_no_contest() {
        let contests = Contests::default();
        for intent in 0..20 {
            assert_eq!(contests.ask(&key(), intent + 1, false), Permission::Update);
            contests.wrote(&key(), intent + 1);
        }
    }
}
