//! The queue of what has to be reconciled.
//!
//! A key is never worked on twice at once, however often it is added; what is
//! added while it is worked on is worked on once more. Failures of one key back
//! off alone, with jitter. Teams take turns, so that hundreds of runs of one hold
//! up nobody of another. It holds keys and times only.
//!
//! The runtime's `Controller` is not used: it keys by the objects of one store,
//! while a team that was taken away still has guardrails to repair; it shares
//! one backoff between all of its triggers; and its error policy knows no count.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::plan::daily::DailyId;
use crate::watch::team_of;

/// What is reconciled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A team by its name, whether its object is there or not.
    Team(String),
    /// A Blueprint by its name.
    Blueprint(String),
    /// An Engine by its name.
    Engine(String),
    /// How many teams use each Blueprint and Engine.
    References,
    /// An object of daily work, whether it is there or not.
    Daily(DailyId),
}

/// When to look again at the latest, if nothing happens before.
pub type Again = Option<Duration>;

/// The first pause after a failure.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(300);
/// How long a key waits for more of the same burst before it is worked on.
const SETTLE: Duration = Duration::from_millis(20);
/// How long changes of teams are collected before their references are counted.
const COUNTING: Duration = Duration::from_millis(200);
/// How long changes of daily work are collected before a team tells of them.
const SUMMING: Duration = Duration::from_secs(2);

/// A team, or what belongs to none.
type Lane = Option<String>;

#[derive(Default)]
struct State {
    /// What is ready, by team, so that the work of one never waits for that of another.
    lanes: HashMap<Lane, VecDeque<Key>>,
    /// The lanes that hold something, in the order of their turns.
    turns: VecDeque<Lane>,
    waiting: BTreeMap<(Instant, u64), Key>,
    /// When a key is due, if it waits.
    due: HashMap<Key, (Instant, u64)>,
    queued: HashSet<Key>,
    working: HashSet<Key>,
    again: HashSet<Key>,
    failures: HashMap<Key, u32>,
    known: HashSet<Key>,
    counter: u64,
}

/// The queue; clones are the same queue.
#[derive(Clone, Default)]
pub struct Queue {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Keys and times only: nothing can be left half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the key worked on soon.
    pub fn add(&self, key: Key) {
        self.add_after(key, SETTLE);
    }

    /// Has the key worked on after a while, or sooner if it is added sooner.
    pub fn add_after(&self, key: Key, pause: Duration) {
        let mut state = self.lock();
        if state.working.contains(&key) && pause <= SETTLE {
            state.again.insert(key);
            return;
        }
        if state.queued.contains(&key) {
            return;
        }
        let at = Instant::now() + pause;
        if let Some(due) = state.due.get(&key).copied() {
            if due.0 <= at {
                return;
            }
            state.waiting.remove(&due);
        }
        state.counter += 1;
        let due = (at, state.counter);
        state.due.insert(key.clone(), due);
        state.waiting.insert(due, key);
        drop(state);
        self.changed.notify_one();
    }

    /// Remembers a key that [`Queue::add_known`] adds.
    pub fn know(&self, key: Key) {
        self.lock().known.insert(key);
    }

    /// Forgets a key: its failures too.
    pub fn forget(&self, key: &Key) {
        let mut state = self.lock();
        state.known.remove(key);
        state.failures.remove(key);
    }

    /// Has every known key worked on: something changed that concerns them all.
    pub fn add_known(&self) {
        let known: Vec<_> = self.lock().known.iter().cloned().collect();
        for key in known {
            self.add(key);
        }
    }

    /// Has the uses of Blueprints and Engines counted again, after a burst.
    pub fn add_references(&self) {
        self.add_after(Key::References, COUNTING);
    }

    /// Has a team tell of its daily work again, after a burst.
    pub fn add_summary(&self, team: &str) {
        self.add_after(Key::Team(team.to_owned()), SUMMING);
    }

    /// The next key to work on. It is not given out again before [`Queue::done`].
    pub async fn next(&self) -> Key {
        loop {
            let pause = {
                let mut state = self.lock();
                state.promote(Instant::now());
                if let Some(key) = state.take() {
                    if !state.turns.is_empty() {
                        self.changed.notify_one();
                    }
                    return key;
                }
                state.waiting.keys().next().map(|(at, _)| *at)
            };
            let changed = self.changed.notified();
            match pause {
                Some(at) => {
                    tokio::select! { () = changed => {}, () = tokio::time::sleep_until(at) => {} }
                }
                None => changed.await,
            }
        }
    }

    /// The key was worked on: `Ok` with when to look again at the latest, or a
    /// failure, after which the key backs off.
    pub fn done(&self, key: &Key, outcome: Result<Again, ()>) {
        let (again, pause) = {
            let mut state = self.lock();
            state.working.remove(key);
            let pause = if let Ok(pause) = outcome {
                state.failures.remove(key);
                pause
            } else {
                let failures = state.failures.entry(key.clone()).or_default();
                *failures = failures.saturating_add(1);
                Some(backoff(*failures))
            };
            // A failing key is not worked on sooner because it was added meanwhile:
            // what it failed on would be asked for in a tight loop.
            (state.again.remove(key) && outcome.is_ok(), pause)
        };
        if again {
            self.add(key.clone());
        } else if let Some(pause) = pause {
            self.add_after(key.clone(), pause);
        }
    }

    /// How many keys wait or are ready.
    #[must_use]
    pub fn depth(&self) -> usize {
        let state = self.lock();
        state.lanes.values().map(VecDeque::len).sum::<usize>() + state.waiting.len()
    }
}

impl State {
    fn promote(&mut self, now: Instant) {
        while let Some((&due, _)) = self.waiting.first_key_value() {
            if due.0 > now {
                break;
            }
            let Some(key) = self.waiting.remove(&due) else { break };
            self.due.remove(&key);
            if self.working.contains(&key) {
                self.again.insert(key);
            } else if self.queued.insert(key.clone()) {
                self.line_up(key);
            }
        }
    }

    /// Puts a key at the end of its lane; a team before its own daily work, which
    /// stands on its plan.
    fn line_up(&mut self, key: Key) {
        let lane = lane(&key);
        let waiting = self.lanes.entry(lane.clone()).or_default();
        if waiting.is_empty() {
            self.turns.push_back(lane);
        }
        if matches!(key, Key::Team(_)) {
            waiting.push_front(key);
        } else {
            waiting.push_back(key);
        }
    }

    /// The next key of the lane whose turn it is.
    fn take(&mut self) -> Option<Key> {
        let lane = self.turns.pop_front()?;
        let waiting = self.lanes.get_mut(&lane)?;
        let key = waiting.pop_front()?;
        if waiting.is_empty() {
            self.lanes.remove(&lane);
        } else {
            self.turns.push_back(lane);
        }
        self.queued.remove(&key);
        self.working.insert(key.clone());
        Some(key)
    }
}

fn lane(key: &Key) -> Lane {
    match key {
        Key::Team(team) => Some(team.clone()),
        Key::Daily(id) => team_of(&id.namespace).map(str::to_owned),
        Key::Blueprint(_) | Key::Engine(_) | Key::References => None,
    }
}

/// The pause after so many failures in a row: doubled each time, and spread so
/// that teams which failed together do not come back together.
fn backoff(failures: u32) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    doubled.min(LONGEST).mul_f64(0.75 + spread() / 2.0)
}

/// A number from 0 to 1 that differs from call to call. Nothing secret hangs on it.
fn spread() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0) % 1000;
    f64::from(u32::try_from(random).unwrap_or_default()) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(name: &str) -> Key {
        Key::Team(name.to_owned())
    }

    #[tokio::test]
    async fn a_key_is_worked_on_once_however_often_it_is_added() {
        let queue = Queue::default();
        queue.add(team("a"));
        queue.add(team("a"));
        assert_eq!(queue.next().await, team("a"));
        assert_eq!(queue.depth(), 0);
        queue.add(team("a"));
        assert!(tokio::time::timeout(Duration::from_millis(60), queue.next()).await.is_err());
        queue.done(&team("a"), Ok(None));
        assert_eq!(queue.next().await, team("a"));
    }

    #[tokio::test]
    async fn a_failing_key_holds_up_nobody() {
        let queue = Queue::default();
        queue.add(team("a"));
        assert_eq!(queue.next().await, team("a"));
        queue.done(&team("a"), Err(()));
        queue.add(team("b"));
        assert_eq!(queue.next().await, team("b"));
    }

    #[tokio::test]
    async fn the_work_of_one_team_does_not_wait_for_that_of_another() {
        let queue = Queue::default();
        let daily = |namespace: &str, number: usize| {
            let id = DailyId {
                kind: crate::api::daily::DailyKind::Run,
                namespace: namespace.to_owned(),
                name: format!("r{number}"),
            };
            Key::Daily(id)
        };
        (0..1000).for_each(|number| queue.add(daily("crowd--p", number)));
        queue.add(daily("other--p", 0));
        queue.add(team("crowd"));
        tokio::time::sleep(SETTLE * 2).await;
        assert_eq!(queue.next().await, team("crowd"));
        assert_eq!(queue.next().await, daily("other--p", 0));
        assert_eq!(queue.depth(), 1000);
    }

    #[test]
    fn pauses_grow_and_end_at_the_longest() {
        assert!(backoff(1) < Duration::from_secs(1));
        assert!(backoff(5) > backoff(1));
        assert!(backoff(u32::MAX) <= LONGEST.mul_f64(1.25));
    }
}
