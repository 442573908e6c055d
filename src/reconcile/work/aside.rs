//! Runs whose deletion failed, by team, and when each is tried again: until then the
//! others take their turn. All of a team are tried at a bounded pace.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long one is set aside, while few are.
const FEW: Duration = Duration::from_secs(60);
/// What each of them has of the time of its team.
const EACH: Duration = Duration::from_secs(2);

type Runs = BTreeMap<String, Instant>;

/// The runs that are set aside.
#[derive(Debug, Default)]
pub struct Aside {
    teams: Mutex<HashMap<String, Runs>>,
}

impl Aside {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Runs>> {
        self.teams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a run of the team aside.
    pub fn put(&self, team: &str, run: &str) {
        let mut teams = self.lock();
        let runs = teams.entry(team.to_owned()).or_default();
        let number = u32::try_from(runs.len() + 1).unwrap_or(u32::MAX);
        runs.insert(run.to_owned(), Instant::now() + EACH.saturating_mul(number).max(FEW));
    }

    /// The runs of the team that are set aside now.
    #[must_use]
    pub fn of(&self, team: &str) -> Runs {
        let now = Instant::now();
        let mut teams = self.lock();
        let Some(runs) = teams.get_mut(team) else { return Runs::new() };
        runs.retain(|_, until| *until > now);
        let left = runs.clone();
        if left.is_empty() {
            teams.remove(team);
        }
        left
    }

    /// How long it is until the first of them is tried again.
    #[must_use]
    pub fn first(&self, team: &str) -> Option<Duration> {
        let first = self.of(team).into_values().min()?;
        Some(first.duration_since(Instant::now()))
    }

    /// Forgets a deleted team.
    pub fn forget(&self, team: &str) {
        self.lock().remove(team);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_set_aside_comes_back_and_many_come_back_slowly() {
        let aside = Aside::default();
        assert_eq!(aside.first("a"), None);
        for number in 0..100 {
            aside.put("a", &number.to_string());
        }
        assert_eq!((aside.first("a"), aside.of("a").len(), aside.of("b").len()), (Some(FEW), 100, 0));
        tokio::time::advance(FEW).await;
        // Those for whom a minute was enough are tried again, the others not yet.
        assert_eq!(aside.of("a").len(), 70);
        tokio::time::advance(EACH * 100).await;
        assert!(aside.of("a").is_empty() && aside.lock().is_empty());
    }
}
