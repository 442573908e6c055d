//! The conditions of teams as metrics. A change of a condition updates them, and a request for
//! the metrics prints them. Deleted teams have no metrics.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::api::status::ConditionStatus;
use crate::api::team_status::{CONDITIONS, Conditions};

/// The statuses of a condition; a team without the condition counts as Unknown.
const STATUSES: [ConditionStatus; 3] = [ConditionStatus::True, ConditionStatus::False, ConditionStatus::Unknown];

/// The conditions of every team.
#[derive(Clone, Debug, Default)]
pub struct Teams(Arc<RwLock<Vec<(String, Conditions)>>>);

impl Teams {
    /// Adds the conditions to the metrics of the registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
    }

    /// Replaces the conditions of all teams.
    pub fn set(&self, teams: Vec<(String, Conditions)>) {
        // The list is replaced whole, so a panic leaves nothing half-written.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = teams;
    }
}

impl Collector for Teams {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let teams = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut family =
            encoder.encode_descriptor("strata_teams", "Teams, by whether they are ready", None, MetricType::Gauge)?;
        for status in STATUSES {
            let of = |conditions: &Conditions| conditions[0].unwrap_or(ConditionStatus::Unknown) == status;
            let count = teams.iter().filter(|(_, conditions)| of(conditions)).count();
            let count = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            count.encode(family.encode_family(&[("ready", status.name())])?)?;
        }
        let mut family = encoder.encode_descriptor(
            "strata_team_condition",
            "Conditions of each team: 1 is True, 0 is False, -1 is Unknown",
            None,
            MetricType::Gauge,
        )?;
        for (team, conditions) in teams.iter() {
            for (condition, status) in CONDITIONS.iter().zip(conditions) {
                let Some(status) = status else { continue };
                let labels = [("team", team.as_str()), ("condition", *condition)];
                ConstGauge::new(value(*status)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// The number that represents a status.
const fn value(status: ConditionStatus) -> i64 {
    match status {
        ConditionStatus::True => 1,
        ConditionStatus::False => 0,
        ConditionStatus::Unknown => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(teams: &Teams) -> String {
        let mut registry = Registry::default();
        teams.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn each_condition_of_each_team_is_published() {
        let teams = Teams::default();
        let mut conditions = [None; CONDITIONS.len()];
        (conditions[0], conditions[3]) = (Some(ConditionStatus::False), Some(ConditionStatus::True));
        teams.set(vec![("fraud".into(), conditions), ("new".into(), [None; CONDITIONS.len()])]);
        let text = text(&teams);
        for line in [
            "strata_teams{ready=\"True\"} 0",
            "strata_teams{ready=\"False\"} 1",
            "strata_teams{ready=\"Unknown\"} 1",
            "strata_team_condition{team=\"fraud\",condition=\"Ready\"} 0",
            "strata_team_condition{team=\"fraud\",condition=\"BackboneReady\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert_eq!(text.matches("strata_team_condition{").count(), 2);
    }

    #[test]
    fn a_team_that_is_gone_leaves_no_metric() {
        let teams = Teams::default();
        teams.set(vec![("fraud".into(), [Some(ConditionStatus::True); CONDITIONS.len()])]);
        teams.set(Vec::new());
        assert!(!text(&teams).contains("fraud"));
    }
}
