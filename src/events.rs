//! Events for people: passes hand them in and never wait, a task of its own posts
//! them one by one. So a slow API server delays Events and nothing else.
//!
//! Bounded: where more come than can be posted, the oldest go, and are counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// How many Events wait at most. One is about a kilobyte.
const CAPACITY: usize = 1000;
/// How long posting one may take.
const POST: Duration = Duration::from_secs(10);

/// What Events are counted by.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Counted {
    /// `posted`, `failed` or `dropped`.
    result: &'static str,
}

/// What came of Events.
#[derive(Clone, Debug, Default)]
pub struct EventCounts(Family<Counted, Counter>);

impl EventCounts {
    /// Has the counts published.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("strata_events", "Events for people: posted, failed or dropped", self.0.clone());
    }

    fn count(&self, result: &'static str) {
        self.0.get_or_create(&Counted { result }).inc();
    }

    #[cfg(test)]
    fn of(&self, result: &'static str) -> u64 {
        self.0.get_or_create(&Counted { result }).get()
    }
}

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
}

impl Events {
    /// None yet; [`Events::post`] posts them.
    #[must_use]
    pub fn new(counts: EventCounts) -> Self {
        Self { waiting: Mutex::default(), added: Notify::new(), counts }
    }

    /// An Event with words of its own.
    pub fn record(&self, about: ObjectReference, event: Event) {
        self.add(Waiting { about, event, repeats: false });
    }

    /// An Event that may come often: one of the same reason about the same objects
    /// is counted up.
    pub fn record_repeating(&self, about: ObjectReference, event: Event) {
        self.add(Waiting { about, event, repeats: true });
    }

    /// Posts what is handed in. Never ends.
    pub async fn post(&self, client: Client, reporter: Reporter) {
        let counting = Recorder::new(client.clone(), reporter.clone());
        loop {
            let Some(next) = self.take() else {
                self.added.notified().await;
                continue;
            };
            let once;
            let recorder = if next.repeats {
                &counting
            } else {
                once = Recorder::new(client.clone(), reporter.clone());
                &once
            };
            self.post_one(recorder, &next).await;
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

    async fn post_one(&self, recorder: &Recorder, next: &Waiting) {
        let reason = &next.event.reason;
        let failed = match timeout(POST, recorder.publish(&next.event, &next.about)).await {
            Ok(Ok(())) => return self.counts.count("posted"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", POST.as_secs()),
        };
        self.counts.count("failed");
        warn!(reason, error = failed, "an event could not be posted");
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kube::runtime::events::EventType;
    use serde_json::Value;

    use super::*;
    use crate::fake_api::client;

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
        let events = Events::new(EventCounts::default());
        (0..3).for_each(|number| events.record(ObjectReference::default(), event(number)));
        assert_eq!(posted(&events, true, 60).await, ["0", "1", "2"]);
        assert_eq!((events.counts.of("failed"), events.counts.of("posted")), (1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_the_oldest_are_dropped_and_counted() {
        let events = Events::new(EventCounts::default());
        (0..CAPACITY + 5).for_each(|number| events.record(ObjectReference::default(), event(number)));
        let notes = posted(&events, false, 60).await;
        assert_eq!((notes.len(), notes[0].as_str()), (CAPACITY, "5"));
        assert_eq!((events.counts.of("dropped"), events.counts.of("posted")), (5, CAPACITY as u64));
    }
}
