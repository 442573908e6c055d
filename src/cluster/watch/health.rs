//! Whether the data of a watch can be believed: how far the watch is, why it fails, and
//! when it was last known to be good.
//!
//! Its input are the events of the watch and of its connection. It opens no connection
//! itself ([`super::follow`] does), and knows no object.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::runtime::watcher;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::api::{Issue, Reason};
use crate::cluster::error::of_watch;

/// How long a watch may be interrupted before it counts as failing.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How far a watch has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its first list is not complete, or its first watch has not begun.
    Listing,
    /// The knowledge of the kind is complete and current.
    Synced,
    /// The watch fails for this reason; its knowledge may be old or empty.
    Failing(Issue),
}

/// The health of one watch.
pub struct Health {
    name: String,
    /// How long it may say nothing at all: a watch is opened again before that.
    silence: Duration,
    inner: Mutex<Inner>,
    noted: Notify,
}

struct Inner {
    /// When it was last known to be good: an event, a bookmark, a start.
    heard: Instant,
    /// Why it does not go on, and since when.
    failure: Option<(Issue, Instant)>,
    /// Whether the first list was complete and the watch from there has begun.
    synced: bool,
    /// Whether a list was complete since the watch was last known to fail.
    listed: bool,
    trust: Trust,
    /// The last published state.
    reported: State,
}

/// Whether the list was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Fresh,
    /// The watch was failing since its last list: its data is believed again only after
    /// another list.
    Stale,
    /// It is stale, and went on where it was interrupted.
    Resumed,
}

impl Health {
    /// The health of a watch of this name (`networkpolicies.networking.k8s.io`), which is
    /// opened again after this timeout.
    #[must_use]
    pub fn new(name: impl Into<String>, timeout: Duration) -> Self {
        let inner = Inner {
            heard: Instant::now(),
            failure: None,
            synced: false,
            listed: false,
            trust: Trust::Fresh,
            reported: State::Listing,
        };
        Self {
            name: name.into(),
            silence: timeout.saturating_add(PATIENCE),
            inner: Mutex::new(inner),
            noted: Notify::new(),
        }
    }

    /// The watched kind.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the watch is now.
    #[must_use]
    pub fn state(&self) -> State {
        self.state_of(&self.lock())
    }

    /// Whether the kind was ever listed completely and watched from there: if not, an
    /// unknown object may exist.
    #[must_use]
    pub fn was_synced(&self) -> bool {
        self.lock().synced
    }

    /// How long ago it was last known to be good.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.lock().heard.elapsed()
    }

    /// The watch gave this.
    pub fn saw<K>(&self, event: &watcher::Event<K>) {
        match event {
            // That a list begins says kube's watcher, before it has asked anybody.
            watcher::Event::Init => {}
            // The items come while the list is read: whether all of it can be is not known.
            watcher::Event::InitApply(_) => self.heard_of_a_list(),
            watcher::Event::InitDone => {
                self.lock().listed = true;
                self.heard();
            }
            _ => self.heard(),
        }
    }

    /// A list in progress delivered something. An earlier failure counts until the list
    /// has ended.
    fn heard_of_a_list(&self) {
        let mut inner = self.lock();
        if inner.trust == Trust::Fresh {
            inner.heard = Instant::now();
        }
    }

    /// The connection of the watch gave something, a bookmark if nothing else.
    pub fn heard(&self) {
        let mut inner = self.lock();
        if inner.trust == Trust::Fresh {
            inner.heard = Instant::now();
            inner.failure = None;
        }
    }

    /// The API server has begun to answer the watch.
    pub fn started(&self) {
        let mut inner = self.lock();
        if inner.listed {
            inner.trust = Trust::Fresh;
            inner.synced = true;
            inner.heard = Instant::now();
            inner.failure = None;
        } else {
            inner.trust = Trust::Resumed;
        }
        drop(inner);
        self.noted.notify_one();
    }

    /// The watch gave an error, and is tried again.
    pub fn failed(&self, error: &watcher::Error) {
        let failure = of_watch(error, &self.name);
        let mut inner = self.lock();
        let since = inner.failure.as_ref().map_or_else(Instant::now, |(_, since)| *since);
        inner.failure = Some((failure, since));
        self.note_stale(&mut inner);
    }

    /// The state, if it changed since the last call.
    pub fn turned(&self) -> Option<State> {
        let mut inner = self.lock();
        self.note_stale(&mut inner);
        let state = self.state_of(&inner);
        if is_same(&inner.reported, &state) {
            return None;
        }
        inner.reported = state.clone();
        Some(state)
    }

    /// Returns when something was recorded that [`Health::turned`] may report, at the
    /// latest when time alone makes it so.
    pub async fn changes(&self) {
        // Whoever is woken for nothing waits again.
        let _ = tokio::time::timeout_at(self.due(), self.noted.notified()).await;
    }

    /// Whether the watch resumed after it counted as failing, or has failed (since this
    /// time) for so long that it may never resume: only another list shows what was
    /// missed.
    pub fn must_list(&self, since: Instant) -> bool {
        let mut inner = self.lock();
        let resumed = inner.trust == Trust::Resumed;
        if resumed {
            inner.trust = Trust::Stale;
        }
        let is_stale = inner.trust == Trust::Stale;
        resumed
            || is_stale
                && !inner.failure.as_ref().is_some_and(|(failure, _)| is_final(failure))
                && since.elapsed() >= PATIENCE
    }

    fn due(&self) -> Instant {
        let inner = self.lock();
        let (heard, now) = (inner.heard, Instant::now());
        let turns = inner.failure.as_ref().map_or(heard + self.silence, |(_, since)| *since + PATIENCE);
        if turns > now { turns } else { now + PATIENCE }
    }

    fn note_stale(&self, inner: &mut Inner) {
        if inner.trust == Trust::Fresh && matches!(self.state_of(inner), State::Failing(_)) {
            inner.trust = Trust::Stale;
            inner.listed = false;
        }
    }

    fn state_of(&self, inner: &Inner) -> State {
        let since = inner.heard.elapsed();
        let is_stale = inner.trust != Trust::Fresh;
        match &inner.failure {
            // A watch without changes is silent until it is opened again: it fails from
            // the moment of its interruption.
            Some((failure, begun)) if is_stale || is_final(failure) || begun.elapsed() >= PATIENCE => {
                State::Failing(failure.clone())
            }
            None if is_stale || since >= self.silence => State::Failing(Issue::new(
                Reason::ApiError,
                format!(
                    "the watch of {} gives no answer, so the state of these objects is not known. It is opened again",
                    self.name
                ),
            )),
            _ if inner.synced => State::Synced,
            _ => State::Listing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Plain values: nothing can be left half-written.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether waiting does not help: a person has to grant a right, or to install the kind.
fn is_final(failure: &Issue) -> bool {
    matches!(failure.reason, Reason::RightsMissing | Reason::Unavailable)
}

/// Whether nobody has to hear of the difference.
fn is_same(left: &State, right: &State) -> bool {
    match (left, right) {
        (State::Failing(left), State::Failing(right)) => left.reason == right.reason,
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    type Event = watcher::Event<()>;

    fn error(code: u16) -> watcher::Error {
        let mut status = Status::failure("no", "");
        status.code = code;
        watcher::Error::WatchStartFailed(kube::Error::Api(Box::new(status)))
    }

    fn synced() -> Health {
        let health = Health::new("pods", Duration::from_secs(200));
        health.saw(&Event::InitDone);
        assert_eq!(health.state(), State::Listing, "a list that is not followed says nothing of what happens since");
        health.started();
        assert_eq!(health.turned(), Some(State::Synced));
        health
    }

    fn reason(health: &Health) -> Option<Reason> {
        match health.state() {
            State::Failing(failure) => Some(failure.reason),
            State::Listing | State::Synced => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forbidden_or_not_served_fails_at_once() {
        for (code, expected) in [(403, Reason::RightsMissing), (404, Reason::Unavailable)] {
            let health = synced();
            health.failed(&error(code));
            assert_eq!(reason(&health), Some(expected));
            assert!(matches!(health.turned(), Some(State::Failing(_))) && health.turned().is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_interruption_fails_after_a_minute() {
        let health = synced();
        let begun = Instant::now();
        health.failed(&error(503));
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(health.state(), State::Synced);
        assert!(!health.must_list(begun));
        while health.turned().is_none() {
            health.changes().await;
        }
        assert!((PATIENCE..PATIENCE * 2).contains(&begun.elapsed()));
        assert_eq!(reason(&health), Some(Reason::ApiError));
        health.turned();
        assert!(health.must_list(begun), "what never goes on is listed again");
        assert!(health.was_synced());
    }

    #[tokio::test(start_paused = true)]
    async fn an_interruption_after_silence_is_as_short_as_any() {
        let health = synced();
        tokio::time::advance(Duration::from_secs(199)).await;
        health.failed(&error(410));
        assert_eq!((health.state(), health.turned()), (State::Synced, None));
        tokio::time::advance(PATIENCE / 2).await;
        health.failed(&error(503));
        assert!(!health.must_list(Instant::now()));
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(reason(&health), Some(Reason::ApiError), "each error is no new beginning");
    }

    #[tokio::test(start_paused = true)]
    async fn an_interruption_that_ends_is_none() {
        let health = synced();
        health.failed(&error(503));
        tokio::time::advance(PATIENCE / 2).await;
        health.started();
        assert_eq!(health.age(), Duration::ZERO);
        tokio::time::advance(PATIENCE).await;
        assert_eq!((health.state(), health.turned()), (State::Synced, None));
        assert!(!health.must_list(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_is_begun_again_and_again_fails() {
        let health = Health::new("widgets", Duration::from_secs(200));
        for _ in 0..7 {
            health.saw(&Event::Init);
            health.failed(&error(500));
            assert_eq!(reason(&health), None);
            tokio::time::advance(PATIENCE / 7).await;
        }
        tokio::time::advance(PATIENCE / 7).await;
        health.saw(&Event::Init);
        assert_eq!(reason(&health), Some(Reason::ApiError));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_longer_than_its_timeout_fails() {
        let health = synced();
        tokio::time::advance(Duration::from_secs(200)).await;
        health.heard();
        tokio::time::advance(Duration::from_secs(259)).await;
        assert_eq!(health.state(), State::Synced);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(reason(&health), Some(Reason::ApiError));
        assert_eq!(health.age(), Duration::from_secs(260));
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_is_believed_after_another_list() {
        let health = synced();
        health.failed(&error(403));
        tokio::time::advance(Duration::from_secs(5)).await;
        health.heard();
        assert_eq!(health.age(), Duration::from_secs(5), "what is not believed is no sign of life");
        health.started();
        assert_eq!(reason(&health), Some(Reason::RightsMissing));
        assert!(health.must_list(Instant::now()) && !health.must_list(Instant::now()));
        health.saw(&Event::InitDone);
        assert_eq!(reason(&health), Some(Reason::RightsMissing), "it may list, and not watch");
        health.started();
        assert_eq!(health.state(), State::Synced);
    }
}
