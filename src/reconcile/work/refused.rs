//! Refused members' objects, by team, and when each is tried again: all of a team at a
//! bounded pace, however many they are.
//!
//! Many are refused for one cause, such as a used-up quota. As soon as one of them
//! succeeds, the others are tried at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::api::identity::{WorkId, team_of};

/// How often one is tried again, while few are.
const FEW: Duration = Duration::from_secs(60);
/// What each of them has of the time of its team.
const EACH: Duration = Duration::from_secs(2);
/// How many are tried at once when one passed.
const NEXT: usize = 2;

/// The work objects that were refused when they were tried last.
#[derive(Debug, Default)]
pub struct Refused {
    teams: Mutex<BTreeMap<String, BTreeSet<WorkId>>>,
}

impl Refused {
    fn with<T>(&self, id: &WorkId, change: impl FnOnce(&mut BTreeSet<WorkId>) -> T) -> T {
        let team = team_of(&id.namespace).unwrap_or_default().to_owned();
        let mut teams = self.teams.lock().unwrap_or_else(PoisonError::into_inner);
        let of_team = teams.entry(team.clone()).or_default();
        let result = change(of_team);
        if of_team.is_empty() {
            teams.remove(&team);
        }
        result
    }

    /// It was refused: when it is tried again.
    pub fn refused(&self, id: &WorkId) -> Duration {
        let number = self.with(id, |all| {
            all.insert(id.clone());
            all.len()
        });
        EACH.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX)).max(FEW)
    }

    /// Records a success and returns the objects to try next, if this one was refused
    /// before. Objects take turns, so that a permanently refused one does not block the
    /// others.
    pub fn passed(&self, id: &WorkId) -> Vec<WorkId> {
        self.with(id, |all| {
            if !all.remove(id) {
                return Vec::new();
            }
            let after = all.range((Bound::Excluded(id), Bound::Unbounded));
            after.chain(all.range(..id)).take(NEXT).cloned().collect()
        })
    }

    /// It is not tried any more, which makes no room for others.
    pub fn forget(&self, id: &WorkId) {
        self.with(id, |all| all.remove(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::work::WorkKind;

    fn id(number: usize) -> WorkId {
        WorkId { kind: WorkKind::Workbench, namespace: "a--p".to_owned(), name: format!("w{number:04}") }
    }

    #[test]
    fn however_many_are_refused_a_team_tries_them_at_one_pace() {
        let refused = Refused::default();
        let pauses: Vec<Duration> = (0..1500).map(|number| refused.refused(&id(number))).collect();
        assert_eq!((pauses[0], pauses[29], pauses[1499]), (FEW, FEW, Duration::from_secs(3000)));
        // Of no second there are more than the few that a minute begins with.
        let within = |minutes: u64| pauses.iter().filter(|pause| pause.as_secs() <= 60 * minutes).count();
        assert_eq!((within(1), within(2), within(10)), (30, 60, 300));
        // One that is refused again waits as long as all of them take.
        assert_eq!(refused.refused(&id(0)), Duration::from_secs(3000));
        // Another team has its own pace.
        assert_eq!(refused.refused(&WorkId { namespace: "b--p".to_owned(), ..id(0) }), FEW);
    }

    #[test]
    fn one_that_passes_has_others_tried() {
        let refused = Refused::default();
        (0..4).for_each(|number| {
            refused.refused(&id(number));
        });
        assert_eq!(refused.passed(&id(1)), [id(2), id(3)]);
        assert!(refused.passed(&id(1)).is_empty());
        refused.forget(&id(3));
        assert_eq!(refused.passed(&id(2)), [id(0)]);
        refused.passed(&id(0));
        assert!(refused.teams.lock().unwrap().is_empty());
    }
}
