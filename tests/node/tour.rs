//! The walk-through and this test are one: whatever it says to type was typed here.

use std::collections::BTreeSet;

use crate::stage::Stage;

const TOUR: &str = include_str!("../../docs/tour.md");
const PEOPLE: &str = include_str!("../../deploy/tour/people.csv");

/// Every command of `docs/tour.md` was given, word for word, by whom it says.
pub fn was_followed(stage: &Stage) {
    let typed = stage.typed.lock().expect("notes");
    let missing: BTreeSet<_> = commands().filter(|line| !typed.contains(*line)).collect();
    assert!(missing.is_empty(), "docs/tour.md says what nobody typed here: {missing:#?}");
}

/// What people type: the lines after `$ ` that begin with somebody's name.
fn commands() -> impl Iterator<Item = &'static str> {
    let people: Vec<_> = PEOPLE.lines().filter_map(|line| line.split(',').next()).collect();
    TOUR.lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .filter(move |line| line.split(' ').next().is_some_and(|first| people.contains(&first)))
}

#[test]
fn the_walk_through_speaks_of_every_file_and_of_no_other() {
    let folder = harness::repository().join("deploy/tour");
    let files = std::fs::read_dir(&folder).expect("deploy/tour").map(|entry| entry.expect("a file").file_name());
    for file in files {
        let name = file.to_string_lossy();
        assert!(TOUR.contains(&format!("deploy/tour/{name}")), "docs/tour.md does not speak of {name}");
    }
    for line in commands() {
        for word in line.split_whitespace().filter(|word| word.starts_with("deploy/tour/")) {
            assert!(harness::repository().join(word).is_file(), "{line}: there is no {word}");
        }
    }
    assert!(commands().count() > 20);
}
