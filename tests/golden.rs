//! Every example, rendered, equals what is checked in.
//!
//! `tests/golden/<team>.yaml` holds every object of the team of that name in
//! `deploy/examples/`, in the order of writing. A change of what Strata writes
//! shows up there, to be read before it is released. Written anew by
//! `UPDATE_GOLDEN=1 cargo test --test golden`.
//!
//! `tests/golden/<team>.work.yaml` holds what is written first for each object
//! of its members there. `tests/golden/<team>.status.yaml` is the status of the same team once all of
//! it is ready; it is compared where the status is computed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use strata::api::Prefixes;
use strata::api::kinds::{WriteStrategy, built_in};
use strata::cli::manifest::{Document, Manifests, documents, read_text, yaml};
use strata::cli::migrate::{migrate, of_file};
use strata::cli::render::{Team, teams};
use strata::objects::Desired;

const UPDATE: &str = "UPDATE_GOLDEN=1 cargo test --test golden";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn examples() -> Vec<Team> {
    let read = Manifests::read(&[root().join("deploy/examples")]);
    let manifests = read.unwrap_or_else(|errors| panic!("{errors:#?}"));
    teams(&manifests, &prefixes()).into_iter().map(|team| team.unwrap_or_else(|why| panic!("{why}"))).collect()
}

fn prefixes() -> Prefixes {
    Prefixes { user: "oidc:".to_owned(), group: "oidc:".to_owned() }
}

/// The objects of a team, each under a line that says when and how it is kept.
fn golden(team: &Team) -> String {
    let mut text = format!("# Team {}, {} objects. Written by `{UPDATE}`.\n", team.name, team.objects.len());
    for warning in &team.warnings {
        let _ = writeln!(text, "# {warning}");
    }
    listed(&mut text, &team.objects);
    text
}

/// The objects of a team's members: what is written first for each.
fn golden_work(team: &Team) -> String {
    let mut text = format!(
        "# The objects of members of team {}, {} objects. Written by `{UPDATE}`.\n",
        team.name,
        team.work.len()
    );
    for work in &team.work {
        let _ = writeln!(text, "---\n# {}: {} objects", work.id, work.objects.len());
        if let Some(why) = &work.held {
            let _ = writeln!(text, "# held: {why}");
        }
        listed(&mut text, &work.objects);
    }
    text
}

fn listed(text: &mut String, objects: &[Desired]) {
    for desired in objects {
        let component = desired.component.as_ref().map(|id| format!(", {id}")).unwrap_or_default();
        let strategy = built_in(&desired.key.group, &desired.key.kind).map(|kind| kind.write_strategy);
        let written = if matches!(strategy, Some(WriteStrategy::Replace(_))) { "Whole" } else { "Applied" };
        let _ = write!(text, "---\n# {:?}, {written}{component}\n{}", desired.stage, yaml(&desired.object));
    }
}

/// Compares with the file, or writes it. What differs, in a few lines.
fn compare(path: &Path, wanted: &str) -> Option<String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, wanted).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        return None;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    (found != wanted).then(|| format!("{} is stale:\n{}", path.display(), difference(&found, wanted)))
}

/// The lines around the first that differs.
fn difference(found: &str, wanted: &str) -> String {
    let (found, wanted): (Vec<&str>, Vec<&str>) = (found.lines().collect(), wanted.lines().collect());
    let first = found.iter().zip(&wanted).take_while(|(found, wanted)| found == wanted).count();
    let from = first.saturating_sub(6);
    let mut text = format!("at line {}:\n", first + 1);
    let mut excerpt = |sign: char, lines: &[&str]| {
        for line in lines {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{sign} {line}");
        }
    };
    excerpt(' ', &wanted[from..first]);
    excerpt('-', &found[first..found.len().min(first + 6)]);
    excerpt('+', &wanted[first..wanted.len().min(first + 6)]);
    text
}

#[test]
fn examples_render_to_what_is_checked_in() {
    let folder = root().join("tests/golden");
    fs::create_dir_all(&folder).unwrap();
    let teams = examples();
    assert!(teams.len() >= 4, "deploy/examples holds the teams that teach");
    let stale: Vec<String> =
        teams.iter().filter_map(|team| compare(&folder.join(format!("{}.yaml", team.name)), &golden(team))).collect();
    let with_work = teams.iter().filter(|team| !team.work.is_empty());
    let stale: Vec<String> = with_work
        .filter_map(|team| compare(&folder.join(format!("{}.work.yaml", team.name)), &golden_work(team)))
        .chain(stale)
        .collect();
    assert!(stale.is_empty(), "{}\nIf the change is meant: {UPDATE}", stale.join("\n"));
}

/// The examples as they were in an earlier form of the API: `strata migrate` leaves the
/// teams what they had.
#[test]
fn migrated_examples_render_to_the_same_objects() {
    let before = root().join("tests/migrate/before");
    let mut paths: Vec<PathBuf> = fs::read_dir(before).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    let files = migrate(&paths).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let left: Vec<&String> = files.iter().flat_map(|file| &file.left).collect();
    assert!(left.is_empty(), "{left:#?}");
    let comments = |text: &str| text.lines().filter(|line| line.contains('#')).count();
    let mut migrated = Vec::new();
    for file in &files {
        let text = fs::read_to_string(&file.path).unwrap();
        assert!(file.changed(), "{} is no file of an earlier form", file.path.display());
        assert_eq!(comments(&file.text), comments(&text), "{}", file.path.display());
        let again = of_file(&file.path, &file.text);
        assert!(!again.changed() && again.text == file.text, "{:#?}", again.changes);
        migrated.extend(read_text(&file.path.display().to_string(), &file.text).unwrap());
    }
    let object = |document: &Document| {
        (document.text("/kind").map(str::to_owned), document.text("/metadata/name").map(str::to_owned))
    };
    let renewed: BTreeSet<_> = migrated.iter().map(object).collect();
    let present = documents(&[root().join("deploy/examples")]).unwrap();
    let mut all: Vec<Document> = present.into_iter().filter(|document| !renewed.contains(&object(document))).collect();
    all.extend(migrated);
    let manifests = Manifests::of(&all).unwrap_or_else(|errors| panic!("{errors:#?}"));
    // Not the golden files: `cargo xtask generate` writes them at the same time.
    let examples = examples();
    for team in teams(&manifests, &prefixes()) {
        let team = team.unwrap_or_else(|why| panic!("{why}"));
        let present = examples.iter().find(|example| example.name == team.name).expect("the team in its present form");
        // Fields without an effect left the examples; the earlier form still has them.
        let objects = |team: &Team| {
            let mut text = String::new();
            listed(&mut text, &team.objects);
            text
        };
        let (found, expected) = (objects(&team), objects(present));
        assert!(found == expected, "{}: {}", team.name, difference(&expected, &found));
    }
}

#[test]
fn nothing_is_checked_in_for_a_team_that_is_gone() {
    let names: BTreeSet<String> = examples().into_iter().map(|team| team.name).collect();
    let left: Vec<String> = fs::read_dir(root().join("tests/golden"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|file| {
            !names.contains(file.trim_end_matches(".yaml").trim_end_matches(".status").trim_end_matches(".work"))
        })
        .collect();
    assert_eq!(left, Vec::<String>::new(), "remove these from tests/golden");
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let text = |teams: &[Team]| teams.iter().map(|team| golden(team) + &golden_work(team)).collect::<String>();
    assert_eq!(text(&examples()), text(&examples()));
}
