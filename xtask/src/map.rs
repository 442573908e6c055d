//! `cargo xtask map`: the rooms of `src`, each with its floor and what it imports, the
//! circles, and the longest functions. The tests below hold the floors and that there is
//! no circle. It reads text: `use` lines and paths that begin with `crate` or `super`.
//! Tests are no part of the map.

mod graph;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use strata::cli::table::indented;

use crate::error::Error;
use graph::{circles, floors};
use source::{Source, sources};

/// The rooms, each above all that it may import.
const ROOMS: [&str; 10] =
    ["cli", "operator", "reconcile", "status", "cluster", "objects", "plan", "engine", "telemetry", "api"];

/// How many of the longest functions are shown.
const LONGEST: usize = 10;

/// Prints the map.
pub fn run() -> Result<(), Error> {
    let all = sources(&harness::repository().join("src"))?;
    let rooms = rooms(&all);
    let floors = floors(&rooms);
    let row = |room: &&str| {
        let files: Vec<&Source> = all.iter().filter(|source| source.room() == Some(room)).collect();
        let lines: usize = files.iter().map(|source| source.lines).sum();
        let imports = rooms.get(*room).into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
        vec![
            floors.get(*room).map_or_else(|| "-".to_owned(), ToString::to_string),
            (*room).to_owned(),
            files.len().to_string(),
            lines.to_string(),
            imports,
        ]
    };
    let rows: Vec<_> = ROOMS.iter().map(row).collect();
    println!("{}", indented(&["FLOOR", "ROOM", "FILES", "LINES", "IMPORTS"], &rows));
    let lines: usize = all.iter().map(|source| source.lines).sum();
    println!("\n{} files, {lines} lines without tests and comments", all.len());
    println!("imports upwards: {}", or_none(&upwards(&all)));
    println!("circles: {}", or_none(&circles_of(&all)));
    println!("\nThe longest functions:\n{}", longest(&all));
    Ok(())
}

fn or_none(lines: &[String]) -> String {
    if lines.is_empty() { "none".to_owned() } else { format!("\n  {}", lines.join("\n  ")) }
}

/// The imports of each room.
fn rooms(all: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in all {
        let Some(room) = source.room() else { continue };
        let imports = source.imports.iter().filter_map(|path| path.first()).filter(|other| *other != room);
        let known = imports.filter(|other| ROOMS.contains(&other.as_str())).cloned();
        rooms.entry(room.to_owned()).or_default().extend(known);
    }
    rooms
}

/// Imports of a higher room, a line each.
fn upwards(all: &[Source]) -> Vec<String> {
    let floor = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut lines = Vec::new();
    for source in all {
        for path in &source.imports {
            let (Some(room), Some(other)) = (source.room(), path.first()) else { continue };
            if let (Some(own), Some(other)) = (floor(room), floor(other))
                && other < own
            {
                lines.push(format!("{} imports {}", source.file, path.join("::")));
            }
        }
    }
    lines
}

/// Circles of files, a line each. What a folder's `mod.rs` and the files beside it take
/// from each other makes none: they are one module.
fn circles_of(all: &[Source]) -> Vec<String> {
    let modules: BTreeSet<&[String]> = all.iter().map(|source| source.module.as_slice()).collect();
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in all {
        for path in &source.imports {
            let found = (1..=path.len()).rev().map(|end| &path[..end]).find(|path| modules.contains(path));
            let Some(found) = found else { continue };
            let is_one = found.starts_with(&source.module) || source.module.starts_with(found);
            if !is_one {
                imports.entry(source.module.join("::")).or_default().insert(found.join("::"));
            }
        }
    }
    circles(&imports).into_iter().map(|circle| circle.join(", ")).collect()
}

fn longest(all: &[Source]) -> String {
    let mut functions: Vec<(usize, String)> = all
        .iter()
        .flat_map(|source| source.functions.iter().map(|(name, lines)| (*lines, format!("{}: {name}", source.file))))
        .collect();
    functions.sort_by(|one, other| other.cmp(one));
    let rows: Vec<_> = functions.into_iter().take(LONGEST).map(|(lines, name)| vec![lines.to_string(), name]).collect();
    indented(&["LINES", "FUNCTION"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Source> {
        sources(&harness::repository().join("src")).unwrap()
    }

    #[test]
    fn no_room_imports_one_above_it() {
        let all = all();
        assert!(all.len() > 150, "only {} files were read", all.len());
        assert_eq!(upwards(&all), [""; 0]);
        let known: BTreeSet<&str> = all.iter().filter_map(Source::room).collect();
        assert_eq!(known, BTreeSet::from(ROOMS), "the rooms of src");
    }

    #[test]
    fn no_files_import_each_other_in_a_circle() {
        assert_eq!(circles_of(&all()), [""; 0]);
    }

    #[test]
    fn an_import_upwards_and_a_circle_are_found() {
        let of = |file: &str, text: &str| Source::of(file, text);
        let up = [of("api/mod.rs", "use crate::{plan::x::Y, telemetry};"), of("plan/x.rs", "")];
        let wanted = ["api/mod.rs imports plan::x::Y", "api/mod.rs imports telemetry"];
        assert_eq!(upwards(&up), wanted);
        let circle = [
            of("plan/one.rs", "fn f() { super::two::g() }"),
            of("plan/two.rs", "use super::three::{\n    self,\n};"),
            of("plan/three.rs", "pub use crate::plan::one::f;"),
            of("plan/mod.rs", "use one::f;"),
        ];
        assert_eq!(circles_of(&circle), ["plan::one, plan::three, plan::two"]);
    }
}
