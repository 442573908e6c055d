//! The workflow files of the forge, and the commands on the pages, against the source
//! tree: nothing here can run them, but what they name is there.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;

use crate::Arguments;

fn read(path: impl AsRef<Path>) -> String {
    let path = harness::repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files in a folder that end like this.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(harness::repository().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    assert!(!found.is_empty(), "{folder}");
    found
}

fn workflows() -> Vec<(String, Value)> {
    let read = |path: PathBuf| {
        let text = read(&path);
        (path.display().to_string(), serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}")))
    };
    files(".github/workflows", "yml").into_iter().map(read).collect()
}

/// The steps of all jobs.
fn steps(workflow: &Value) -> impl Iterator<Item = &Value> {
    let jobs = workflow["jobs"].as_object().into_iter().flatten();
    jobs.flat_map(|(_, job)| job["steps"].as_array().into_iter().flatten())
}

/// Every text in the value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn actions_of_others_are_pinned_by_their_commit() {
    for (file, workflow) in workflows() {
        let used: Vec<&str> = steps(&workflow).filter_map(|step| step["uses"].as_str()).collect();
        assert!(!used.is_empty(), "{file}");
        for action in used {
            let commit = action.rsplit_once('@').map_or("", |(_, commit)| commit);
            let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit, "{file}: {action}");
        }
    }
}

#[test]
fn jobs_have_no_rights_that_they_do_not_name() {
    for (file, workflow) in workflows() {
        let all = workflow["permissions"].as_object();
        let read_only = all.is_some_and(|rights| rights.values().all(|right| right == "read"));
        assert!(read_only, "{file}: the rights of the whole workflow are not written, or are more than to read");
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            assert!(job["timeout-minutes"].is_u64(), "{file}: {name} has no end");
        }
    }
}

#[test]
fn the_paths_that_they_name_are_there() {
    let root = harness::repository();
    let mut named = 0;
    for (file, workflow) in workflows() {
        for text in texts(&workflow) {
            let words = text.split(|letter: char| letter.is_whitespace() || "\"'()=;".contains(letter));
            for word in words.filter(|word| word.contains('/')) {
                // Arguments after a variable or a star are not known here.
                let path = word.split(['$', '*']).next().unwrap_or_default();
                let first = path.split('/').next().unwrap_or_default();
                let ours = !matches!(first, "" | "..") && root.join(first).is_dir();
                named += usize::from(ours);
                assert!(!ours || root.join(path).exists(), "{file}: {word}");
            }
        }
    }
    assert!(named > 5, "{named}");
}

/// The arguments of each `cargo xtask` in a text, up to what ends a command.
fn commands(text: &str) -> Vec<Vec<String>> {
    let arguments = |rest: &str| {
        let end = rest.find(|letter: char| "`\n#&|;()<>,:".contains(letter)).unwrap_or(rest.len());
        rest[..end].split_whitespace().filter(|word| !word.starts_with('"')).map(str::to_owned).collect()
    };
    text.split("cargo xtask ").skip(1).map(arguments).collect()
}

#[test]
fn the_commands_that_pages_and_workflows_name_are_understood() {
    let mut pages = files("docs", "md");
    pages.extend(files(".github/workflows", "yml"));
    pages.extend([".ci/run", "README.md", "CONTRIBUTING.md"].map(PathBuf::from));
    for page in pages {
        for mut words in commands(&read(&page)) {
            // `bench` and the like stand for a command with more words.
            if words.is_empty() || words == ["bench"] {
                continue;
            }
            words.insert(0, "xtask".into());
            let read = Arguments::try_parse_from(&words);
            assert!(read.is_ok(), "{}: cargo {}", page.display(), words.join(" "));
        }
    }
}

#[test]
fn the_compiler_is_the_one_of_the_image() {
    let image = read("deploy/images/operator/Containerfile");
    let of_image = image.split("library/rust:").nth(1).and_then(|rest| rest.split('-').next()).unwrap();
    for (file, workflow) in workflows() {
        let compiler = workflow["env"]["RUST"].as_str().unwrap();
        assert_eq!(compiler, format!("{of_image}.0"), "{file}");
    }
}
