//! Which teams of a Blueprint are being upgraded, and which wait: so many at the same time.
//!
//! Kept in memory alone; it knows no cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// The places, by Blueprint.
#[derive(Debug, Default)]
pub struct UpgradePlaces(Mutex<BTreeMap<String, Places>>);

#[derive(Debug, Default)]
struct Places {
    most: usize,
    under_way: BTreeSet<String>,
    waiting: BTreeSet<String>,
}

impl UpgradePlaces {
    /// Whether the team may be upgraded now. `known` gives the teams of the Blueprint whose
    /// upgrade is under way; it is asked once per Blueprint.
    pub fn ask(&self, blueprint: &str, team: &str, most: usize, known: impl FnOnce() -> BTreeSet<String>) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = || Places { under_way: known(), ..Places::default() };
        let places = all.entry(blueprint.to_owned()).or_insert_with(first);
        places.most = most;
        let granted = places.under_way.contains(team) || places.under_way.len() < most;
        let (into, out) = if granted {
            (&mut places.under_way, &mut places.waiting)
        } else {
            (&mut places.waiting, &mut places.under_way)
        };
        out.remove(team);
        into.insert(team.to_owned());
        granted
    }

    /// The team needs no place of these Blueprints any more: it is ready with the newest
    /// revisions, or held, or gone. Returns the teams that may ask again, first by name.
    pub fn leave(&self, team: &str, of: impl Fn(&str) -> bool) -> Vec<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Vec::new();
        for (_, places) in all.iter_mut().filter(|(name, _)| of(name)) {
            places.waiting.remove(team);
            if places.under_way.remove(team) {
                let free = places.most.saturating_sub(places.under_way.len());
                next.extend(places.waiting.iter().take(free).cloned());
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn leave(upgrades: &UpgradePlaces, team: &str) -> Vec<String> {
        upgrades.leave(team, |_| true)
    }

    #[test]
    fn so_many_teams_are_upgraded_at_the_same_time() {
        let upgrades = UpgradePlaces::default();
        let ask = |team: &str| upgrades.ask("site", team, 2, none);
        assert_eq!(["c", "b", "a", "c"].map(ask), [true, true, false, true]);
        assert!(upgrades.ask("other", "x", 1, none), "each Blueprint has places of its own");
        assert_eq!(leave(&upgrades, "nobody"), Vec::<String>::new());
        assert_eq!(leave(&upgrades, "c"), ["a"]);
        assert_eq!(["d", "a"].map(ask), [true, false], "the team that asks first gets the place");
        assert_eq!(leave(&upgrades, "b"), ["a"]);
        assert!(ask("a"));
    }

    #[test]
    fn after_a_restart_teams_under_way_keep_their_places() {
        let upgrades = UpgradePlaces::default();
        let known = || BTreeSet::from(["b".to_owned()]);
        assert!(!upgrades.ask("site", "a", 1, known));
        assert!(upgrades.ask("site", "b", 1, none));
        assert_eq!(leave(&upgrades, "b"), ["a"]);
    }

    #[test]
    fn a_team_of_another_blueprint_gives_up_its_place() {
        let upgrades = UpgradePlaces::default();
        assert!(upgrades.ask("site", "a", 1, none) && !upgrades.ask("site", "b", 1, none));
        assert_eq!(upgrades.leave("a", |name| name != "site"), Vec::<String>::new());
        assert_eq!(upgrades.leave("a", |name| name != "other"), ["b"]);
        assert!(upgrades.ask("site", "b", 1, none));
    }

    #[test]
    fn a_larger_number_counts_at_once() {
        let upgrades = UpgradePlaces::default();
        assert!(upgrades.ask("site", "a", 1, none) && !upgrades.ask("site", "b", 1, none));
        assert!(upgrades.ask("site", "b", 2, none));
    }
}
