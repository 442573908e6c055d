//! Counters of the results of Events for people.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The labels of Events.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Counted {
    /// `posted`, `failed` or `dropped`.
    result: &'static str,
}

/// The results of Events.
#[derive(Clone, Debug, Default)]
pub struct EventCounts(Family<Counted, Counter>);

impl EventCounts {
    /// Has the counts published.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("strata_events", "Events for people: posted, failed or dropped", self.0.clone());
    }

    /// Counts one Event.
    pub fn count(&self, result: &'static str) {
        self.0.get_or_create(&Counted { result }).inc();
    }

    #[cfg(test)]
    pub(crate) fn of(&self, result: &'static str) -> u64 {
        self.0.get_or_create(&Counted { result }).get()
    }
}
