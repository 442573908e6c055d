//! Which engines each team uses, by its record.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::observe::recorded::record;
use crate::api::ObjectKey;
use crate::api::labels;
use crate::cluster::cache::ObjectCache;
use crate::cluster::store::Store;

/// The engines of a team, with the fingerprint of the record that says so.
type Recorded = (u64, Arc<BTreeSet<String>>);

/// Which engines each team uses, by its record. A record is read again only when
/// it changed.
#[derive(Debug, Default)]
pub struct EngineUses {
    teams: Mutex<HashMap<String, Recorded>>,
}

impl EngineUses {
    /// The engines of the team: by its record, or by its status if the record is
    /// unreadable.
    pub fn of(&self, cache: &ObjectCache, store: &Store, team: &str) -> Arc<BTreeSet<String>> {
        let key = ObjectKey::new("", "ConfigMap", Some(&format!("{team}--backbone")), labels::RECORD);
        let Some(entry) = cache.get(&key) else { return Arc::default() };
        let mut teams = self.teams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = teams.get(team).filter(|(fingerprint, _)| *fingerprint == entry.fingerprint) {
            return Arc::clone(known);
        }
        let Ok(record) = record(team, cache) else { return Arc::new(by_status(store, team)) };
        let engines = Arc::new(record.map(|record| record.engines()).unwrap_or_default());
        teams.insert(team.to_owned(), (entry.fingerprint, Arc::clone(&engines)));
        engines
    }

    /// Forgets a deleted team.
    pub fn forget(&self, team: &str) {
        self.teams.lock().unwrap_or_else(PoisonError::into_inner).remove(team);
    }
}

/// The engines in a team's status.
fn by_status(store: &Store, team: &str) -> BTreeSet<String> {
    let status = store.teams.get(team).and_then(Result::ok).and_then(|team| team.status.clone());
    status.unwrap_or_default().components.into_iter().map(|component| component.engine).collect()
}
