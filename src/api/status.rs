//! Conditions, as every kind of Strata reports them.
//!
//! The form is that of kstatus and of the Kubernetes API conventions: `Ready`
//! is always there; `Reconciling` and `Stalled` only while they are true.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Reason, text};

/// Everything that the object asks for is ready in its present generation.
pub const READY: &str = "Ready";
/// Work is under way, or a wait that can pass without action.
pub const RECONCILING: &str = "Reconciling";
/// A person has to fix something.
pub const STALLED: &str = "Stalled";

/// One aspect of an object's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The type of the condition.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z][A-Za-z]*$"))]
    pub type_: String,
    /// True, False or Unknown.
    pub status: ConditionStatus,
    /// Why, as one word of a closed set.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z][A-Za-z0-9]*$"))]
    pub reason: String,
    /// Why, for a person.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// When the status last changed.
    #[schemars(schema_with = "time")]
    pub last_transition_time: Time,
    /// The generation of the object that the condition is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It is not known.
    Unknown,
}

impl ConditionStatus {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// A time of change, as the API writes it.
pub(crate) fn time(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "format": "date-time", "maxLength": 64})
}

/// A condition before its time is known, as pure code makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The condition's type.
    pub type_: &'static str,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, as a word.
    pub reason: Reason,
    /// Why, for a person.
    pub message: String,
}

impl Finding {
    /// A condition that holds, or not, for this reason.
    #[must_use]
    pub fn new(type_: &'static str, holds: bool, reason: Reason, message: impl Into<String>) -> Self {
        let status = if holds { ConditionStatus::True } else { ConditionStatus::False };
        Self { type_, status, reason, message: text::message(&message.into(), 1024) }
    }
}

/// The findings as conditions: an unchanged one keeps its time.
#[must_use]
pub fn conditions(before: &[Condition], findings: &[Finding], generation: i64, now: &Time) -> Vec<Condition> {
    findings
        .iter()
        .map(|finding| {
            let same = before.iter().find(|old| old.type_ == finding.type_ && old.status == finding.status);
            Condition {
                type_: finding.type_.to_owned(),
                status: finding.status,
                reason: finding.reason.name().to_owned(),
                message: finding.message.clone(),
                last_transition_time: same.map_or_else(|| now.clone(), |old| old.last_transition_time.clone()),
                observed_generation: Some(generation),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let first = conditions(&[], &[Finding::new(READY, false, Reason::Progressing, "a")], 1, &at(1));
        let second = conditions(&first, &[Finding::new(READY, false, Reason::PodFailing, "b")], 2, &at(2));
        assert_eq!(second[0].last_transition_time, at(1));
        assert_eq!(second[0].reason, "PodFailing");
        let third = conditions(&second, &[Finding::new(READY, true, Reason::Ready, "c")], 2, &at(3));
        assert_eq!(third[0].last_transition_time, at(3));
    }
}
