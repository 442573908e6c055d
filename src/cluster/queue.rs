//! The queue of requests.
//!
//! A key has at most one pass at a time, however often it is added; if it is added during
//! a pass, it has another one. Teams take turns, so that hundreds of runs of one team do
//! not delay another team. The queue holds only keys and times.
//!
//! A key that failed is retried after its backoff, which grows per key and with jitter;
//! sooner if its pass asked for that or the key was added meanwhile; never before the
//! shortest pause, so that events of its own failure make no tight loop.
//!
//! kube's `Controller` is not used: its keys are the objects of one store, while a deleted
//! team still has guardrails to repair; it shares one backoff between all of its triggers;
//! and its error policy does not count failures.
//!
//! tokio-util's `DelayQueue` is not used for waiting keys: it wakes the last of the workers
//! that polled it, returns keys that are due in one millisecond last in, first out, and
//! panics at a delay of more than two years.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::api::identity::{Request, team_of};

/// The time until the next pass at the latest, if no event comes before.
pub type RequeueAfter = Option<Duration>;

/// The first pause after a failure, and the shortest.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(300);
/// How long a key waits for more of the same burst before it is worked on.
const SETTLE: Duration = Duration::from_millis(20);
/// How long changes of teams are collected before anything is counted over them.
const COUNTING: Duration = Duration::from_millis(200);
/// How long changes of work are collected before its dependents are looked for.
const GATHERING: Duration = Duration::from_millis(50);
/// How long changes of dataset settings are collected before a team writes them: those of
/// one file arrive together.
const PLACING: Duration = Duration::from_millis(200);
/// How long changes of work are collected before a team tells of them.
const SUMMING: Duration = Duration::from_secs(2);

/// A team, or the keys of no team.
type Lane = Option<String>;

/// The failures of a key since it was last worked on without one.
#[derive(Clone, Copy)]
struct Failing {
    count: u32,
    /// It is not worked on before, whatever adds it.
    rests_until: Instant,
}

#[derive(Default)]
struct State {
    /// The ready requests, by team, so that the work of one team never waits for that of another.
    lanes: HashMap<Lane, VecDeque<Request>>,
    /// The lanes that hold something, in the order of their turns.
    turns: VecDeque<Lane>,
    waiting: BTreeMap<(Instant, u64), Request>,
    /// When a key is due, if it waits.
    due: HashMap<Request, (Instant, u64)>,
    queued: HashSet<Request>,
    working: HashSet<Request>,
    again: HashSet<Request>,
    failures: HashMap<Request, Failing>,
    known: HashSet<Request>,
    /// When a team is, or was, to look at the settings of its datasets.
    settings: HashMap<String, Instant>,
    counter: u64,
    /// Whether new keys are ignored.
    closed: bool,
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
    pub fn add(&self, key: Request) {
        self.add_after(key, SETTLE);
    }

    /// Has the key worked on after a while, or sooner if it is added sooner.
    pub fn add_after(&self, key: Request, pause: Duration) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if state.working.contains(&key) && pause <= SETTLE {
            state.again.insert(key);
            return;
        }
        if state.queued.contains(&key) {
            return;
        }
        state.schedule(key, Instant::now() + pause);
        drop(state);
        self.changed.notify_one();
    }

    /// Accepts nothing until it is opened: a replica that waits for the Lease would only
    /// collect requests that it enqueues anyway once it works.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    /// Accepts new keys from now on.
    pub fn open(&self) {
        self.lock().closed = false;
    }

    /// Whether new keys are accepted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.lock().closed
    }

    /// Remembers a key that [`Queue::add_known`] adds.
    pub fn know(&self, key: Request) {
        self.lock().known.insert(key);
    }

    /// Forgets a key: its failures too.
    pub fn forget(&self, key: &Request) {
        let mut state = self.lock();
        state.known.remove(key);
        state.failures.remove(key);
        if let Request::Team(team) = key {
            state.settings.remove(team);
        }
    }

    /// Has every known key worked on: something changed that concerns them all.
    pub fn add_known(&self) {
        let known: Vec<_> = self.lock().known.iter().cloned().collect();
        for key in known {
            self.add(key);
        }
    }

    /// Has the number of teams that use a Blueprint or an Engine reported, after a burst.
    pub fn add_count(&self, key: Request) {
        self.add_after(key, COUNTING);
    }

    /// Has the teams counted that are ready, after a burst.
    pub fn add_readiness(&self) {
        self.add_after(Request::Readiness, COUNTING);
    }

    /// Enqueues the dependents of changes in a team, after a burst.
    pub fn add_dependents(&self, team: &str) {
        self.add_after(Request::Dependents(team.to_owned()), GATHERING);
    }

    /// Enqueues the search for a team's expired runs, after a burst.
    pub fn add_expiry(&self, team: &str) {
        self.add_after(Request::Expiry(team.to_owned()), GATHERING);
    }

    /// Has a team write its datasets' settings into `connections`: soon, and during a
    /// burst at the pace of its status.
    pub fn add_settings(&self, team: &str) {
        if !self.is_open() {
            return;
        }
        let now = Instant::now();
        let due = self.lock().settings_due(team, now);
        self.add_after(Request::Team(team.to_owned()), due.saturating_duration_since(now));
    }

    /// Has a team tell of its work again, after a burst.
    pub fn add_summary(&self, team: &str) {
        self.add_after(Request::Team(team.to_owned()), SUMMING);
    }

    /// The next key to work on. It is not given out again before [`Queue::done`].
    pub async fn next(&self) -> Request {
        loop {
            // Registered before it is looked: what is added in between wakes somebody.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
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
            match pause {
                Some(at) => {
                    tokio::select! { () = changed => {}, () = tokio::time::sleep_until(at) => {} }
                }
                None => changed.await,
            }
        }
    }

    /// Ends the work on a key, after success or failure, with the time of the next pass at
    /// the latest.
    pub fn done(&self, key: &Request, outcome: Result<RequeueAfter, RequeueAfter>) {
        let now = Instant::now();
        let mut state = self.lock();
        state.working.remove(key);
        let added = state.again.remove(key).then_some(SETTLE);
        let pause = match outcome {
            Ok(wish) => {
                state.failures.remove(key);
                added.or(wish.map(|wish| wish.max(SETTLE)))
            }
            Err(wish) => Some(state.back_off(key, added.or(wish), now)),
        };
        let Some(pause) = pause else { return };
        state.schedule(key.clone(), now + pause);
        drop(state);
        self.changed.notify_one();
    }

    /// How many keys wait or are ready.
    #[must_use]
    pub fn depth(&self) -> usize {
        let state = self.lock();
        state.lanes.values().map(VecDeque::len).sum::<usize>() + state.waiting.len()
    }
}

impl State {
    /// Schedules a key for this time, or sooner if it is due sooner, but never during its
    /// backoff.
    fn schedule(&mut self, key: Request, at: Instant) {
        let rests_until = self.failures.get(&key).map_or(at, |failing| failing.rests_until);
        let before = self.due.get(&key).copied();
        let at = before.map_or(at, |due| due.0.min(at)).max(rests_until);
        if let Some(due) = before {
            if due.0 == at {
                return;
            }
            self.waiting.remove(&due);
        }
        self.counter += 1;
        let due = (at, self.counter);
        self.due.insert(key.clone(), due);
        self.waiting.insert(due, key);
    }

    /// The time of the pass for settings of datasets that changed now: a pause after the
    /// last one at the earliest.
    fn settings_due(&mut self, team: &str, now: Instant) -> Instant {
        let soon = now + PLACING;
        let due = match self.settings.get(team) {
            Some(&due) if due > now => due,
            Some(&last) => soon.max(last + SUMMING),
            None => soon,
        };
        self.settings.insert(team.to_owned(), due);
        due
    }

    /// Counts a failure, and says how long the key waits for its next try.
    fn back_off(&mut self, key: &Request, wish: RequeueAfter, now: Instant) -> Duration {
        let shortest = backoff(1);
        let failing = self.failures.entry(key.clone()).or_insert(Failing { count: 0, rests_until: now });
        failing.count = failing.count.saturating_add(1);
        failing.rests_until = now + shortest;
        let pause = backoff(failing.count);
        wish.map_or(pause, |wish| wish.min(pause)).max(shortest)
    }

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

    /// Appends a key to its lane; a team goes before its members' objects, which depend on
    /// its plan.
    fn line_up(&mut self, key: Request) {
        let lane = lane(&key);
        let waiting = self.lanes.entry(lane.clone()).or_default();
        if waiting.is_empty() {
            self.turns.push_back(lane);
        }
        if matches!(key, Request::Team(_)) {
            waiting.push_front(key);
        } else {
            waiting.push_back(key);
        }
    }

    /// The next key of the lane whose turn it is.
    fn take(&mut self) -> Option<Request> {
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

fn lane(key: &Request) -> Lane {
    match key {
        Request::Team(team) | Request::Dependents(team) | Request::Expiry(team) => Some(team.clone()),
        Request::Work(id) => team_of(&id.namespace).map(str::to_owned),
        Request::Blueprint(_) | Request::Engine(_) | Request::Readiness => None,
    }
}

/// The pause after so many failures in a row: doubled each time, with jitter, so that
/// teams which failed together do not retry together.
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
#[path = "queue_tests.rs"]
mod tests;
