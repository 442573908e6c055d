//! Changes that others depend on, until their dependents are requested.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::api::identity::WorkId;

/// The changes that others depend on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A work object.
    Object(WorkId),
    /// An engine, or whether what it requires is served.
    Engine(String),
}

/// The changes by team since the last search for dependents.
#[derive(Debug, Default)]
pub struct Causes {
    teams: Mutex<HashMap<String, BTreeSet<Cause>>>,
}

impl Causes {
    pub(super) fn add(&self, team: &str, cause: Cause) {
        let mut teams = self.teams.lock().unwrap_or_else(PoisonError::into_inner);
        teams.entry(team.to_owned()).or_default().insert(cause);
    }

    pub(super) fn take(&self, team: &str) -> BTreeSet<Cause> {
        self.teams.lock().unwrap_or_else(PoisonError::into_inner).remove(team).unwrap_or_default()
    }
}
