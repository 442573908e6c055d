//! The built-in engines and the programs in them: `engines/<name>/` holds the
//! manifest as it is written and its programs, `engines/<name>.yaml` is made of both.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::generated;
use serde_json::Value;
use strata::cli::manifest::whole;

const STRATA: &str = env!("CARGO_BIN_EXE_strata");

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The folders of engines that have programs.
fn folders() -> Vec<PathBuf> {
    let found: Vec<PathBuf> =
        entries(&harness::repository().join("engines")).into_iter().filter(|path| path.is_dir()).collect();
    assert!(found.len() >= 4, "{found:?}");
    found
}

/// Every text in the value.
fn texts(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::String(text) => BTreeSet::from([text.as_str()]),
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn built_in_engines_are_made_of_their_sources() {
    let made = generated::engines(Path::new(STRATA)).unwrap();
    assert_eq!(made.len(), folders().len());
    for file in made {
        assert!(file.is_current(), "{} is stale: run `cargo xtask generate`", file.path.display());
    }
}

#[test]
fn every_program_stands_whole_in_its_engine() {
    for folder in folders() {
        let engine: Value =
            serde_saphyr::from_str(&fs::read_to_string(folder.with_extension("yaml")).unwrap()).unwrap();
        let texts = texts(&engine);
        let programs = entries(&folder).into_iter().filter(|path| path.extension().is_some_and(|end| end == "py"));
        for path in programs {
            let program = fs::read_to_string(&path).unwrap().replace("${", "$${");
            assert!(texts.contains(program.as_str()), "{} is in no object of its engine", path.display());
        }
    }
}

#[test]
fn no_manifest_holds_a_program_of_its_own() {
    for folder in folders() {
        let source = fs::read_to_string(folder.join("engine.yaml")).unwrap();
        assert!(!source.lines().any(|line| line.trim_start().starts_with("import ")), "{}", folder.display());
    }
}

/// What `strata engine check` says of a file, or of what is given to it.
fn check(file: &str, input: &str) -> (bool, String) {
    let mut command = Command::new(STRATA);
    command.args(["engine", "check", file]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn a_source_is_checked_with_its_programs() {
    for folder in folders() {
        let source = folder.join("engine.yaml");
        let (sound, said) = check(&source.to_string_lossy(), "");
        assert!(sound, "{said}");
        assert!(whole(&source).unwrap().len() > fs::read_to_string(&source).unwrap().len());
    }
}

#[test]
fn a_source_without_its_programs_is_refused() {
    for folder in folders() {
        let (sound, said) = check("-", &fs::read_to_string(folder.join("engine.yaml")).unwrap());
        assert!(!sound && said.contains("program"), "{said}");
    }
}
