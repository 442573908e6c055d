//! The metrics of the operator, in the OpenMetrics form. Labels are closed sets.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::telemetry::events::EventCounts;
use crate::telemetry::requests::Requests;
use crate::telemetry::teams::Teams;

/// The labels of a reconcile.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Reconcile {
    /// `team`, `work`, `dependents`, `blueprint`, `engine` or `readiness`.
    pub kind: &'static str,
    /// A class of reasons: `fine`, `waiting`, `transient`, `invalid`.
    pub result: &'static str,
}

/// The metrics of the operator.
pub struct Metrics {
    /// Requests that write objects.
    pub requests: Requests,
    /// Events for people.
    pub events: EventCounts,
    /// Reconciles by kind and result.
    pub reconciles: Family<Reconcile, Counter>,
    /// Seconds that a reconcile takes.
    pub duration: Histogram,
    /// Repaired objects.
    pub repairs: Counter,
    /// The conditions of teams.
    pub teams: Teams,
    /// Keys that wait to be reconciled.
    pub depth: Gauge,
    /// Whether this replica is the one that writes.
    pub leader: Gauge,
    /// Seconds since each watch was last known to be good.
    pub watch_age: Family<Watched, Gauge<f64, AtomicU64>>,
    registry: Registry,
}

/// The labels of watches.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Watched {
    /// Plural and group, as `kubectl` and roles name it.
    pub kind: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let requests = Requests::default();
        requests.register(&mut registry);
        let events = EventCounts::default();
        events.register(&mut registry);
        let reconciles = Family::default();
        registry.register("strata_reconciles", "Reconciles, by kind and result", reconciles.clone());
        let duration = Histogram::new([0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0]);
        registry.register("strata_reconcile_duration_seconds", "Seconds that a reconcile takes", duration.clone());
        let repairs = Counter::<u64, AtomicU64>::default();
        registry.register("strata_repairs", "Objects put back after somebody changed them", repairs.clone());
        let teams = Teams::default();
        teams.register(&mut registry);
        let depth = Gauge::default();
        registry.register("strata_queue_depth", "Keys that wait to be reconciled", depth.clone());
        let leader = Gauge::default();
        registry.register("strata_leader", "1 on the replica that writes", leader.clone());
        let watch_age = Family::default();
        registry.register(
            "strata_watch_age_seconds",
            "Seconds since a watch was last known to be good",
            watch_age.clone(),
        );
        Self { requests, events, reconciles, duration, repairs, teams, depth, leader, watch_age, registry }
    }
}

impl Metrics {
    /// Everything, in the text form of OpenMetrics.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_published() {
        let metrics = Metrics::default();
        metrics.requests.count("create", "ConfigMap", true);
        metrics.reconciles.get_or_create(&Reconcile { kind: "team", result: "fine" }).inc();
        let text = metrics.text();
        assert!(
            text.contains("strata_api_requests_total{verb=\"create\",kind=\"ConfigMap\",result=\"ok\"} 1"),
            "{text}"
        );
        assert!(text.contains("strata_reconciles_total{kind=\"team\",result=\"fine\"} 1"), "{text}");
    }
}
