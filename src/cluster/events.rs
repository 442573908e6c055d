//! Posts Events for people: passes hand them over and never wait, and one task posts them
//! one by one. So a slow API server delays only Events.
//!
//! The queue is bounded: if it is full, the oldest Events are dropped and counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use crate::api::ObjectKey;
use crate::api::identity::team_of;
use crate::cluster::cache::ObjectCache;
use crate::telemetry::events::EventCounts;

/// How many Events wait at most. One is about a kilobyte.
const CAPACITY: usize = 1000;
/// How long posting one may take.
const POST: Duration = Duration::from_secs(10);
/// How often it is logged at most that some could not be posted.
const LOG: Duration = Duration::from_secs(10);

struct Waiting {
    about: ObjectReference,
    event: Event,
    /// Whether one of the same reason only counts the first up, in its words.
    repeats: bool,
}

/// The Events that wait to be posted.
pub struct Events {
    waiting: Mutex<VecDeque<Waiting>>,
    added: Notify,
    counts: EventCounts,
    cache: Arc<ObjectCache>,
}

impl Events {
    /// None yet; [`Events::post`] posts them. The cache knows which namespaces go.
    #[must_use]
    pub fn new(counts: EventCounts, cache: Arc<ObjectCache>) -> Self {
        Self { waiting: Mutex::default(), added: Notify::new(), counts, cache }
    }

    /// An Event with words of its own.
    pub fn record(&self, about: ObjectReference, event: Event) {
        self.add(Waiting { about, event, repeats: false });
    }

    /// Records an Event that may repeat: for the same reason and objects its count is
    /// raised.
    pub fn record_repeating(&self, about: ObjectReference, event: Event) {
        self.add(Waiting { about, event, repeats: true });
    }

    /// Posts what is handed in. Never ends.
    pub async fn post(&self, client: Client, reporter: Reporter) {
        let counting = Recorder::new(client.clone(), reporter.clone());
        let mut failures = Failures::default();
        loop {
            let Some(next) = self.take() else {
                self.added.notified().await;
                continue;
            };
            if self.has_no_place(&next) {
                self.counts.count("dropped");
                continue;
            }
            let once;
            let recorder = if next.repeats {
                &counting
            } else {
                once = Recorder::new(client.clone(), reporter.clone());
                &once
            };
            if let Err(failed) = self.post_one(recorder, &next).await {
                failures.log(&next.event.reason, &failed);
            }
        }
    }

    /// Waits until nothing waits, at most so long.
    pub async fn drain(&self, at_most: Duration) {
        let empty = async {
            while !self.lock().is_empty() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        // What is left then is lost, as it would be by a crash.
        let _ = timeout(at_most, empty).await;
    }

    /// Whether the Event is about an object in a team's namespace that is being deleted or
    /// gone: the API server accepts nothing new there.
    fn has_no_place(&self, next: &Waiting) -> bool {
        let namespace = next.about.namespace.as_deref().filter(|namespace| team_of(namespace).is_some());
        namespace.is_some_and(|namespace| {
            let known = self.cache.get(&ObjectKey::new("", "Namespace", None, namespace));
            known.is_none_or(|known| known.deleting)
        })
    }

    async fn post_one(&self, recorder: &Recorder, next: &Waiting) -> Result<(), String> {
        let failed = match timeout(POST, recorder.publish(&next.event, &next.about)).await {
            Ok(Ok(())) => {
                self.counts.count("posted");
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", POST.as_secs()),
        };
        self.counts.count("failed");
        Err(failed)
    }

    fn add(&self, event: Waiting) {
        let mut waiting = self.lock();
        if waiting.len() >= CAPACITY {
            waiting.pop_front();
            self.counts.count("dropped");
        }
        waiting.push_back(event);
        drop(waiting);
        self.added.notify_one();
    }

    fn take(&self) -> Option<Waiting> {
        self.lock().pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What could not be posted, as the log tells it: one line for many.
#[derive(Default)]
struct Failures {
    logged: Option<Instant>,
    omitted: usize,
}

impl Failures {
    fn log(&mut self, reason: &str, error: &str) {
        if let Some(omitted) = self.tell() {
            warn!(reason, error, omitted, "an event could not be posted");
        }
    }

    /// How many were not logged since the last line, if it is time for the next.
    fn tell(&mut self) -> Option<usize> {
        if self.logged.is_some_and(|logged| logged.elapsed() < LOG) {
            self.omitted += 1;
            return None;
        }
        self.logged = Some(Instant::now());
        Some(std::mem::take(&mut self.omitted))
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::events::EventType;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::kinds::built_in;
    use crate::cluster::fake_api::client;

    fn events() -> Events {
        Events::new(EventCounts::default(), Arc::default())
    }

    fn event(number: usize) -> Event {
        let (reason, action) = ("Ready".to_owned(), "Reconcile".to_owned());
        Event { type_: EventType::Normal, reason, note: Some(number.to_string()), action, secondary: None }
    }

    fn reporter() -> Reporter {
        Reporter { controller: "strata".to_owned(), instance: None }
    }

    /// The notes of the Events that were posted, the first of which hangs if asked for.
    async fn posted(events: &Events, first_hangs: bool, seconds: u64) -> Vec<String> {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&notes);
        let client = client(move |asked| {
            let kept = Arc::clone(&kept);
            async move {
                let hangs = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(asked.body["note"].as_str().unwrap_or_default().to_owned());
                    first_hangs && kept.len() == 1
                };
                if hangs { std::future::pending::<(u16, Value)>().await } else { (201, asked.body) }
            }
        });
        let _ = timeout(Duration::from_secs(seconds), events.post(client, reporter())).await;
        notes.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_hangs_holds_up_the_next_only_for_a_while() {
        let events = events();
        (0..3).for_each(|number| events.record(ObjectReference::default(), event(number)));
        assert_eq!(posted(&events, true, 60).await, ["0", "1", "2"]);
        assert_eq!((events.counts.of("failed"), events.counts.of("posted")), (1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn none_is_posted_into_a_namespace_that_goes() {
        let cache = Arc::new(ObjectCache::default());
        let write_strategy = built_in("", "Namespace").unwrap().write_strategy;
        for (name, deleted) in [("a--stays", Value::Null), ("a--goes", json!("2026-01-01T00:00:00Z"))] {
            let namespace = json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": name, "uid": name, "resourceVersion": "1", "deletionTimestamp": deleted},
            });
            cache.wrote(&ObjectKey::new("", "Namespace", None, name), &namespace, write_strategy, &namespace);
        }
        let events = Events::new(EventCounts::default(), cache);
        for (number, namespace) in
            [None, Some("a--stays"), Some("a--goes"), Some("a--gone"), Some("default")].iter().enumerate()
        {
            let about = ObjectReference { namespace: namespace.map(str::to_owned), ..ObjectReference::default() };
            events.record(about, event(number));
        }
        assert_eq!(posted(&events, false, 60).await, ["0", "1", "4"]);
        assert_eq!((events.counts.of("dropped"), events.counts.of("posted")), (2, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_fail_are_one_line_of_the_log() {
        let mut failures = Failures::default();
        let counts: Vec<_> = (0..8524).filter_map(|_| failures.tell()).collect();
        assert_eq!(counts, [0]);
        tokio::time::advance(LOG).await;
        assert_eq!((failures.tell(), failures.tell()), (Some(8523), None));
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_the_oldest_are_dropped_and_counted() {
        let events = events();
        (0..CAPACITY + 5).for_each(|number| events.record(ObjectReference::default(), event(number)));
        let notes = posted(&events, false, 60).await;
        assert_eq!((notes.len(), notes[0].as_str()), (CAPACITY, "5"));
        assert_eq!((events.counts.of("dropped"), events.counts.of("posted")), (5, CAPACITY as u64));
    }
}
