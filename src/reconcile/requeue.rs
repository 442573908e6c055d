//! The time of the next pass if no event comes before: one rule for teams and work
//! objects.

use std::time::Duration;

use crate::api::reason::Class;
use crate::api::{Issue, Reason};
use crate::cluster::apply::Outcome;
use crate::cluster::apply::outcome::soonest;
use crate::cluster::queue::RequeueAfter;

/// The pause before another look at something that a person has to fix and that no watch
/// reports.
pub const RECHECK: Duration = Duration::from_secs(60);

/// The result of a pass: the time of the next pass, or the failure.
pub type Pass = Result<RequeueAfter, Failure>;

/// The failure of a pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{issue}")]
pub struct Failure {
    /// The cause.
    pub issue: Issue,
    /// The latest time of the next attempt, whatever the backoff is.
    pub again: RequeueAfter,
}

impl From<Issue> for Failure {
    fn from(issue: Issue) -> Self {
        Self { issue, again: None }
    }
}

/// The requeue after a pass that wrote: when the objects ask for it, or `wish`. A
/// transient failure backs off, but no longer than that; without one, an issue for a
/// person is checked again after `recheck`.
pub fn written(outcome: &Outcome, wish: RequeueAfter, recheck: RequeueAfter) -> Pass {
    let again = soonest([outcome.again, wish]);
    ended(outcome.failures().map(|(_, issue)| issue).find(|issue| passes(issue)), again, recheck)
}

/// After a pass that only took rights away or kept guardrails: whatever failed backs off.
pub fn guarded(outcome: &Outcome, recheck: RequeueAfter) -> Pass {
    ended(outcome.failures().map(|(_, issue)| issue).next(), outcome.again, recheck)
}

/// While this holds something: a person has to correct it, or a watch tells of its end.
#[must_use]
pub fn held(issue: &Issue) -> RequeueAfter {
    (issue.class() == Class::Invalid).then_some(RECHECK)
}

fn ended(failed: Option<&Issue>, again: RequeueAfter, recheck: RequeueAfter) -> Pass {
    match failed {
        Some(issue) => Err(Failure { issue: issue.clone(), again }),
        None => Ok(soonest([again, recheck])),
    }
}

/// Whether it ends without anybody doing anything.
fn passes(issue: &Issue) -> bool {
    issue.class() == Class::Transient
        || matches!(issue.reason, Reason::Progressing | Reason::Terminating | Reason::Deleting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ObjectKey;
    use crate::cluster::apply::Result as Written;

    fn wishing(again: RequeueAfter) -> Outcome {
        let mut outcome = Outcome::default();
        outcome.again = soonest([outcome.again, again]);
        outcome
    }

    #[test]
    fn a_contested_guardrail_keeps_its_pace_beside_other_failures() {
        let second = Some(Duration::from_secs(1));
        let mut outcome = wishing(second);
        let mut fail = |name: &str, reason: Reason| {
            let key = ObjectKey::new("", "ConfigMap", Some("a--b"), name);
            outcome.results.insert(key, Written::Failed(Issue::new(reason, name)));
            written(&outcome, None, Some(Duration::from_secs(60)))
        };
        assert_eq!(fail("contested", Reason::Contested), Ok(second));
        let failed = fail("hangs", Reason::ApiError).unwrap_err();
        assert_eq!((failed.issue.reason, failed.again), (Reason::ApiError, second));
    }

    #[test]
    fn the_soonest_wish_counts() {
        let (second, minute) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(60)));
        let outcome = wishing(minute);
        assert_eq!(written(&outcome, None, second), Ok(second));
        assert_eq!(written(&outcome, second, None), Ok(second));
        assert_eq!(written(&Outcome::default(), None, None), Ok(None));
    }

    #[test]
    fn whatever_fails_of_a_guardrail_is_tried_again() {
        let mut outcome = Outcome::default();
        assert_eq!(guarded(&outcome, Some(RECHECK)), Ok(Some(RECHECK)));
        let key = ObjectKey::new("", "ConfigMap", Some("a--b"), "x");
        outcome.results.insert(key, Written::Failed(Issue::new(Reason::Conflict, "x")));
        assert_eq!(written(&outcome, None, Some(RECHECK)), Ok(Some(RECHECK)));
        assert_eq!(guarded(&outcome, Some(RECHECK)).unwrap_err().issue.reason, Reason::Conflict);
    }
}
