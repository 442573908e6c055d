//! The settings of datasets, as a namespace finds them in `connections`.
//!
//! A namespace's own dataset goes before that of Shared, whichever is older: a
//! newcomer in Shared takes no address away from what works. All of them together
//! are bounded, and a dataset that does not fit is left out whole. Half of the room is kept
//! for each side, so neither the datasets of a namespace nor those of Shared take the room of
//! the others. The oldest datasets get the rest.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The most bytes, names and values, that datasets put into the `connections` of one
/// namespace: a ConfigMap holds 1 MiB, and engines and profiles have their part of it.
pub const LARGEST: usize = 640 * 1024;

/// The bytes that are kept for the namespace's own datasets, and as many for those of Shared.
pub const KEPT: usize = LARGEST / 2;

/// The place of the datasets that a namespace uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The namespace itself.
    Own,
    /// The Shared layer.
    Shared,
}

/// The settings of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The dataset.
    pub name: String,
    /// When it was created.
    pub created: Option<Time>,
    /// Its settings; none of one that is held or not observed yet.
    pub settings: BTreeMap<String, String>,
}

/// The settings of the datasets of a team, by the namespace of the dataset.
pub type DatasetSettings = BTreeMap<String, Vec<Given>>;

/// Why a namespace has no settings of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// The namespace's own dataset of this name goes first.
    Shadowed(String),
    /// The settings have no room.
    TooLarge,
}

/// The settings of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// By their names.
    pub values: BTreeMap<String, String>,
    /// The datasets that are left out: namespace and name, and why.
    pub left_out: BTreeMap<(String, String), LeftOut>,
    /// The bytes of the settings of the namespace's own datasets.
    pub own: usize,
    /// The bytes of the settings of Shared's datasets.
    pub shared: usize,
}

impl Settings {
    /// The most bytes for the datasets of a side: its half, or more if the other side leaves room.
    #[must_use]
    pub fn room(&self, side: Side) -> usize {
        KEPT.max(LARGEST.saturating_sub(match side {
            Side::Own => self.shared,
            Side::Shared => self.own,
        }))
    }

    /// The bytes in use by the datasets of a side.
    #[must_use]
    pub const fn taken(&self, side: Side) -> usize {
        match side {
            Side::Own => self.own,
            Side::Shared => self.shared,
        }
    }

    fn take(&mut self, side: Side, dataset: &Given) {
        let of_side = match side {
            Side::Own => &mut self.own,
            Side::Shared => &mut self.shared,
        };
        *of_side += bytes(&dataset.settings);
        self.values.extend(dataset.settings.clone());
    }
}

/// The bytes that settings take.
#[must_use]
pub fn bytes(settings: &BTreeMap<String, String>) -> usize {
    settings.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// The settings that a namespace finds: its own, and of Shared what none of its own
/// answers for.
#[must_use]
pub fn of(here: &str, shared: &str, given: &DatasetSettings) -> Settings {
    let list = |namespace: &str| given.get(namespace).map_or(&[] as &[Given], Vec::as_slice);
    let own = list(here);
    let names: BTreeSet<&str> = own.iter().map(|dataset| dataset.name.as_str()).collect();
    let mut answers: BTreeMap<&str, &str> = BTreeMap::new();
    for dataset in own {
        answers.extend(dataset.settings.keys().map(|setting| (setting.as_str(), dataset.name.as_str())));
    }
    let mut found = Settings::default();
    let mut all: Vec<(&Given, &str, Side)> = own.iter().map(|dataset| (dataset, here, Side::Own)).collect();
    for dataset in list(shared).iter().filter(|_| here != shared) {
        let by_name = names.get(dataset.name.as_str()).copied();
        match by_name.or_else(|| dataset.settings.keys().find_map(|setting| answers.get(setting.as_str()).copied())) {
            Some(by) => {
                let key = (shared.to_owned(), dataset.name.clone());
                found.left_out.insert(key, LeftOut::Shadowed(by.to_owned()));
            }
            None => all.push((dataset, shared, Side::Shared)),
        }
    }
    all.sort_by_key(|(dataset, place, _)| (dataset.created.clone(), dataset.name.clone(), *place));
    all.retain(|(dataset, _, side)| {
        let fits = found.taken(*side) + bytes(&dataset.settings) <= KEPT;
        if fits {
            found.take(*side, dataset);
        }
        !fits
    });
    for (dataset, place, side) in all {
        if found.own + found.shared + bytes(&dataset.settings) <= LARGEST {
            found.take(side, dataset);
        } else {
            found.left_out.insert((place.to_owned(), dataset.name.clone()), LeftOut::TooLarge);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn given(name: &str, second: i64, settings: &[(&str, &str)]) -> Given {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let created = Some(Time(Timestamp::from_second(second).unwrap()));
        Given { name: name.to_owned(), created, settings: settings.collect() }
    }

    fn found(own: Vec<Given>, shared: Vec<Given>) -> Settings {
        of("a--p--live", "a--shared", &[("a--p--live".to_owned(), own), ("a--shared".to_owned(), shared)].into())
    }

    fn left(settings: &Settings) -> Vec<(&str, &LeftOut)> {
        settings.left_out.iter().map(|((_, name), why)| (name.as_str(), why)).collect()
    }

    #[test]
    fn namespace_own_setting_wins_over_the_one_of_shared() {
        let own = given("cards", 5, &[("DATASET_CARDS_URI", "s3://live")]);
        let newcomer = given("cards", 9, &[("DATASET_CARDS_TRAIN", "s3://x/t"), ("DATASET_CARDS_URI", "s3://x")]);
        for second in [1, 9] {
            let shared = Given { created: given("", second, &[]).created, ..newcomer.clone() };
            let settings = found(vec![own.clone()], vec![shared]);
            assert_eq!(settings.values, own.settings, "at second {second}");
            assert_eq!(left(&settings), [("cards", &LeftOut::Shadowed("cards".to_owned()))]);
        }
        // A held dataset has no settings, and no other replaces it.
        let settings = found(vec![given("cards", 5, &[])], vec![newcomer.clone()]);
        assert_eq!(settings.values, BTreeMap::new());
        // Neither does one of another name that would answer for one of its settings.
        let own = given("cards-v7", 5, &[("DATASET_CARDS_V7_TRAIN", "s3://live/t")]);
        let other = given("cards", 1, &[("DATASET_CARDS_URI", "s3://x"), ("DATASET_CARDS_V7_TRAIN", "s3://x/t")]);
        let settings = found(vec![own.clone()], vec![other]);
        assert_eq!(settings.values, own.settings);
        assert_eq!(left(&settings), [("cards", &LeftOut::Shadowed("cards-v7".to_owned()))]);
        assert_eq!(found(Vec::new(), vec![newcomer.clone()]).values, newcomer.settings);
    }

    fn large(name: &str, second: i64, share: usize) -> Given {
        given(name, second, &[(name, &"x".repeat(LARGEST / share - 100))])
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_the_oldest_stay() {
        let settings = found(
            vec![large("own", 3, 4), given("small", 9, &[("s", "v")]), large("last", 8, 4), large("newest", 9, 4)],
            vec![large("a", 2, 4), large("b", 1, 4)],
        );
        assert_eq!(settings.values.keys().collect::<Vec<_>>(), ["a", "b", "last", "own", "s"]);
        assert_eq!(left(&settings), [("newest", &LeftOut::TooLarge)]);
        assert_eq!(bytes(&settings.values), settings.own + settings.shared);
        assert!(bytes(&settings.values) <= LARGEST);
        // One side may use the room that the other leaves.
        let settings = found(vec![large("one", 1, 3), large("two", 2, 3), large("three", 3, 3)], Vec::new());
        assert_eq!(left(&settings), []);
    }

    #[test]
    fn each_side_has_its_half_whatever_the_other_fills() {
        let four = |of: &str, second: i64| -> Vec<Given> {
            (0..4).map(|number| large(&format!("{of}{number}"), second + number, 4)).collect()
        };
        // The namespace's own datasets fill it: a new dataset of Shared still has room, and the
        // newest of the namespace has none.
        let settings = found(four("own", 0), vec![large("new", 9, 4)]);
        assert_eq!(settings.values.keys().collect::<Vec<_>>(), ["new", "own0", "own1", "own2"]);
        assert_eq!(left(&settings), [("own3", &LeftOut::TooLarge)]);
        // The same with the sides exchanged.
        let settings = found(vec![large("new", 9, 4)], four("shared", 0));
        assert_eq!(settings.values.keys().collect::<Vec<_>>(), ["new", "shared0", "shared1", "shared2"]);
        assert_eq!(left(&settings), [("shared3", &LeftOut::TooLarge)]);
        // Both sides fill it: each keeps its oldest datasets.
        let settings = found(four("own", 5), four("shared", 0));
        assert_eq!(settings.values.keys().collect::<Vec<_>>(), ["own0", "own1", "shared0", "shared1"]);
        assert_eq!(
            (settings.room(Side::Own), settings.room(Side::Shared)),
            (LARGEST - settings.shared, LARGEST - settings.own)
        );
    }
}
