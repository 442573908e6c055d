//! The outcome of applying: plain data, for judging and reporting.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::has_reserved_name;
use crate::api::{Issue, ObjectKey, Reason};
use crate::cluster::queue::RequeueAfter;

/// The outcome for one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Result {
    /// It was as desired.
    Unchanged,
    /// It was created, or brought to a changed intent.
    Written,
    /// Another writer had changed it, and it was repaired.
    Repaired {
        /// Who had changed it, if it is known.
        by: Option<String>,
    },
    /// It is not as desired.
    Failed(Issue),
}

/// The writer that keeps changing an object, and the field, if they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherManager {
    /// The field manager.
    pub by: Option<String>,
    /// The field.
    pub field: Option<String>,
}

impl OtherManager {
    /// Why the object is not as desired.
    #[must_use]
    pub fn failure(&self, key: &ObjectKey) -> Issue {
        let writer = self.by.as_deref().unwrap_or("another writer");
        let field = self.field.as_ref().map_or_else(String::new, |field| format!(" ({field})"));
        let message =
            format!("{key} is changed repeatedly by {writer}{field}. Stop that writer from changing what Strata sets");
        Issue::new(Reason::Contested, message)
    }
}

/// The outcome for all of them.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By object.
    pub results: BTreeMap<ObjectKey, Result>,
    /// Objects that were removed.
    pub removed: Vec<ObjectKey>,
    /// Objects that could not be removed.
    pub not_removed: BTreeMap<ObjectKey, Issue>,
    /// Objects that another writer keeps changing.
    pub contested: BTreeMap<ObjectKey, OtherManager>,
    /// What admission put into objects and was left there, to be reported once.
    pub left: BTreeMap<ObjectKey, Vec<String>>,
    /// When a contested object may be written again.
    pub again: Option<Duration>,
    /// Namespaces that were created just now: nothing of others can be in them.
    pub(super) fresh: BTreeSet<String>,
    /// Objects that did not exist when they were read.
    pub(super) nobodys: BTreeSet<ObjectKey>,
    /// Objects of other owners, and objects whose owner could not be read.
    pub(super) not_ours: BTreeSet<ObjectKey>,
    /// Objects that were not written for this owner, and are the team's by the label that
    /// only we may write.
    pub(super) of_team: BTreeSet<ObjectKey>,
    /// Namespaces into which nothing more is written, and why.
    pub(super) blocked: BTreeMap<String, Issue>,
}

impl Outcome {
    /// Why the object is not as desired, if it is not.
    #[must_use]
    pub fn failure(&self, key: &ObjectKey) -> Option<&Issue> {
        match self.results.get(key)? {
            Result::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Why nothing more was written into a namespace.
    #[must_use]
    pub fn blocked(&self, namespace: &str) -> Option<&Issue> {
        self.blocked.get(namespace)
    }

    /// Whether an unknown object cannot belong to another owner.
    pub(super) fn is_nobody_elses(&self, key: &ObjectKey) -> bool {
        // Namespaces and the team's own roles are watched without regard to their owner.
        let Some(namespace) = &key.namespace else { return true };
        self.fresh.contains(namespace) || has_reserved_name(key) || self.nobodys.contains(key)
    }

    /// Says better why an object, and everything in the namespace that it is, failed.
    pub fn explain(&mut self, key: &ObjectKey, failure: Issue) {
        self.blocked.insert(key.name.clone(), failure.clone());
        self.results.insert(key.clone(), Result::Failed(failure));
    }

    /// Every failure, in the order of the objects.
    pub fn failures(&self) -> impl Iterator<Item = (&ObjectKey, &Issue)> {
        let failed = self.results.iter().filter_map(|(key, result)| match result {
            Result::Failed(failure) => Some((key, failure)),
            _ => None,
        });
        failed.chain(self.not_removed.iter())
    }

    /// Every failure, those of objects that somebody else has as one that names them.
    #[must_use]
    pub fn failed(&self) -> Vec<Issue> {
        merged(self.failures())
    }
}

/// How many objects that somebody else has one message names, besides the first.
const NAMED: usize = 5;

/// These failures, those of objects that somebody else has as one that names them.
#[must_use]
pub fn merged<'a>(failures: impl Iterator<Item = (&'a ObjectKey, &'a Issue)>) -> Vec<Issue> {
    let (theirs, rest): (Vec<_>, Vec<_>) = failures.partition(|(_, failure)| failure.reason == Reason::Conflict);
    let theirs = theirs.split_first().map(|((key, first), others)| likewise(key, first, others));
    theirs.into_iter().chain(rest.into_iter().map(|(_, failure)| failure.clone())).collect()
}

/// The first of these failures, with the names of the other objects. Objects that failed
/// because of the same object, such as their namespace, are not named.
fn likewise(key: &ObjectKey, first: &Issue, others: &[(&ObjectKey, &Issue)]) -> Issue {
    let own = others.iter().filter(|(other, failure)| failure.message.starts_with(&other.to_string()));
    let others: Vec<String> =
        own.map(|(other, _)| other.to_string()).filter(|other| *other != key.to_string()).collect();
    let named = key.to_string();
    let (Some(rest), false) = (first.message.strip_prefix(&named), others.is_empty()) else { return first.clone() };
    let more = match others.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let others = others.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    Issue { message: format!("{named} (likewise {others}{more}){rest}"), ..first.clone() }
}

/// The soonest of some wishes when to look again.
#[must_use]
pub fn soonest<const N: usize>(wishes: [RequeueAfter; N]) -> RequeueAfter {
    wishes.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_objects_that_somebody_else_has_are_named() {
        let mut outcome = Outcome::default();
        let mut fail = |kind: &str, reason: Reason, says: &str| {
            let key = ObjectKey::new("", kind, Some("a--b"), "x");
            let failure = Issue::new(reason, format!("{key}{says}"));
            outcome.results.insert(key, Result::Failed(failure));
            outcome.failed().into_iter().map(|failure| failure.message).collect::<Vec<_>>()
        };
        let theirs = " already exists";
        assert_eq!(fail("A", Reason::Conflict, theirs), ["A a--b/x already exists"]);
        assert_eq!(fail("B", Reason::Conflict, theirs), ["A a--b/x (likewise B a--b/x) already exists"]);
        let other = "failed to apply C a--b/x";
        outcome
            .results
            .insert(ObjectKey::new("", "C", Some("a--b"), "x"), Result::Failed(Issue::new(Reason::Refused, other)));
        let mut fail = |kind: &str, message: &str| {
            let key = ObjectKey::new("", kind, Some("a--b"), "x");
            outcome.results.insert(key, Result::Failed(Issue::new(Reason::Conflict, message)));
            outcome.failed().into_iter().map(|failure| failure.message).collect::<Vec<_>>()
        };
        fail("D", "Namespace a--b is somebody's");
        for kind in ["E", "F", "G", "H"] {
            fail(kind, &format!("{kind} a--b/x already exists"));
        }
        let said = fail("I", "I a--b/x already exists");
        let all = "B a--b/x, E a--b/x, F a--b/x, G a--b/x, H a--b/x and 1 more";
        assert_eq!(said, [format!("A a--b/x (likewise {all}) already exists").as_str(), other]);
    }

    #[test]
    fn failures_of_one_cause_are_reported_once() {
        let mut outcome = Outcome::default();
        for kind in ["A", "B"] {
            let failure = Issue::new(Reason::Conflict, "Namespace a--b already exists");
            outcome.results.insert(ObjectKey::new("", kind, Some("a--b"), "x"), Result::Failed(failure));
        }
        let said: Vec<_> = outcome.failed().into_iter().map(|failure| failure.message).collect();
        assert_eq!(said, ["Namespace a--b already exists"]);
    }
}
