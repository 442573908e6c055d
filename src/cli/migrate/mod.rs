//! `strata migrate`: manifests of an earlier form in the present one.
//!
//! Comments, order and style stay: a document is edited in its text, and a document without
//! changes keeps each byte. Each kind has a file with its changes.

mod blueprint;
pub mod draft;
mod files;
mod lists;
mod model_service;
mod roles;
mod team;
mod text;
mod tree;
mod workbench;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::api::GROUP;
use crate::cli::manifest::{ManifestError, parts};
use draft::Draft;

/// The changes of a kind.
type Migration = fn(&mut Draft);

/// The kinds whose form changed.
const KINDS: &[(&str, Migration)] = &[
    ("AITeam", team::migrate),
    ("Blueprint", blueprint::migrate),
    ("ModelService", model_service::migrate),
    ("Workbench", workbench::migrate),
];

/// A file in the present form.
#[derive(Debug)]
pub struct Migrated {
    /// The path, as it was written on the command line.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// The changes, one sentence each.
    pub changes: Vec<String>,
    /// The fields that need a person's decision, one sentence each.
    pub left: Vec<String>,
}

impl Migrated {
    /// Whether the text differs from the file.
    #[must_use]
    pub fn changed(&self) -> bool {
        !self.changes.is_empty()
    }
}

/// The files in the present form; `-` is standard input.
pub fn migrate(paths: &[PathBuf]) -> Result<Vec<Migrated>, Vec<ManifestError>> {
    let files = files::files(paths)?;
    Ok(files.into_iter().map(|(path, text)| of_file(&path, &text)).collect())
}

/// A text in the present form.
#[must_use]
pub fn of_file(path: &Path, text: &str) -> Migrated {
    let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let mut migrated = Migrated { path: path.to_owned(), text: String::new(), changes: Vec::new(), left: Vec::new() };
    for part in parts(text) {
        let Some(number) = part.number else {
            migrated.text.push_str(part.text);
            continue;
        };
        let place = format!("{name}, document {number}");
        migrated.add(&place, part.text);
    }
    migrated
}

impl Migrated {
    /// Adds a document.
    fn add(&mut self, place: &str, text: &str) {
        // Lines end with one character while the document is edited.
        let unix = text.replace("\r\n", "\n");
        let value: Value = match serde_saphyr::from_str(&unix) {
            Ok(value) => value,
            Err(error) => {
                let error = error.to_string();
                let why = error.lines().next().unwrap_or_default();
                self.left.push(format!("{place} is not YAML: {why}"));
                self.text.push_str(text);
                return;
            }
        };
        let (mut edited, mut value, before) = (unix, value, self.changes.len());
        for base in objects(&value) {
            let object = value.pointer(&base).unwrap_or(&Value::Null);
            let Some((kind, migration)) = kind_of(object) else { continue };
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let place = format!("{place} ({kind} {name})");
            let mut draft = Draft::new(edited, value, base);
            migration(&mut draft);
            let (changes, left);
            (edited, value, changes, left) = draft.done();
            self.changes.extend(changes.into_iter().map(|change| format!("{place}: {change}")));
            self.left.extend(left.into_iter().map(|left| format!("{place}: {left}")));
        }
        if self.changes.len() == before {
            self.text.push_str(text);
        } else if text.contains("\r\n") {
            self.text.push_str(&edited.replace('\n', "\r\n"));
        } else {
            self.text.push_str(&edited);
        }
    }
}

/// The pointers to the objects of a document: the items of a List, as `kubectl get` prints it or
/// as the API server does (`AITeamList`), or the document itself.
fn objects(value: &Value) -> Vec<String> {
    match &value["items"] {
        Value::Array(items) if value["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => {
            (0..items.len()).map(|index| format!("/items/{index}")).collect()
        }
        _ => vec![String::new()],
    }
}

/// The kind of the object and its changes, if it is an object of Strata whose form changed.
fn kind_of(object: &Value) -> Option<(&'static str, Migration)> {
    let (group, _) = object["apiVersion"].as_str()?.split_once('/')?;
    let known = |(kind, _): &&(&str, Migration)| object["kind"] == **kind;
    KINDS.iter().find(known).copied().filter(|_| group == GROUP)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEAM: &str = "apiVersion: strata-operator.dev/v1alpha1\nkind: AITeam\nmetadata: {name: fraud}\nspec:\n  # money\n  budget: {devices: {nvidia.com/gpu: 2}}  # much\n";

    #[test]
    fn only_documents_of_an_earlier_form_change() {
        let other = "kind: ConfigMap\ndata:   {a:  b}\n";
        let text = format!("# top\n---\n{TEAM}--- \n{other}---\n{other}");
        let migrated = of_file(Path::new("a.yaml"), &text);
        assert_eq!(migrated.text, text.replace("devices: {", "requests: {"));
        assert_eq!(
            migrated.changes,
            ["a.yaml, document 1 (AITeam fraud): spec.budget.devices moved to spec.budget.requests"]
        );
        assert!(migrated.left.is_empty(), "{:?}", migrated.left);
        let again = of_file(Path::new("a.yaml"), &migrated.text);
        assert!(!again.changed() && again.text == migrated.text);
    }

    #[test]
    fn suspend_and_mode_become_one_policy() {
        let policy = |fields: &str| {
            let text = format!(
                "apiVersion: strata-operator.dev/v1alpha1\nkind: AITeam\nmetadata: {{name: a}}\nspec:\n{fields}"
            );
            let migrated = of_file(Path::new("a.yaml"), &text);
            let read: Value = serde_saphyr::from_str(&migrated.text).unwrap();
            (read["spec"].clone(), migrated.left.len())
        };
        for (fields, word) in [
            ("  suspend: true\n  contact: a\n", "Suspend"),
            ("  suspend: true\n  mode: Observe\n  contact: a\n", "Suspend"),
            ("  suspend: false\n  mode: Observe\n  contact: a\n", "Observe"),
            ("  contact: a\n  mode: Enforce\n", "Enforce"),
            ("  contact: a\n  suspend: false\n", "Enforce"),
        ] {
            assert_eq!(policy(fields), (serde_json::json!({"contact": "a", "managementPolicy": word}), 0), "{fields}");
        }
        assert_eq!(policy("  suspend: \"yes\"\n"), (serde_json::json!({"suspend": "yes"}), 1));
    }

    #[test]
    fn items_of_a_list_and_json_are_migrated_too() {
        let value: Value = serde_saphyr::from_str(TEAM).unwrap();
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [{"kind": "Pod"}, value]});
        let migrated = of_file(Path::new("a.json"), &serde_json::to_string_pretty(&list).unwrap());
        let read: Value = serde_json::from_str(&migrated.text).unwrap();
        assert_eq!(read["items"][1]["spec"], serde_json::json!({"budget": {"requests": {"nvidia.com/gpu": 2}}}));
    }

    #[test]
    fn lines_keep_their_ends() {
        let migrated = of_file(Path::new("a.yaml"), &TEAM.replace('\n', "\r\n"));
        assert_eq!(migrated.text, TEAM.replace("devices: {", "requests: {").replace('\n', "\r\n"));
    }

    #[test]
    fn what_is_no_yaml_is_reported_and_stays() {
        let text = format!("a: [\n---\n{TEAM}");
        let migrated = of_file(Path::new("-"), &text);
        assert!(migrated.left[0].starts_with("standard input, document 1 is not YAML: "), "{:?}", migrated.left);
        assert!(migrated.text.starts_with("a: [\n---\n") && migrated.changed());
    }
}
