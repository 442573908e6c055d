//! Files with Strata's kinds: reading them, checking them as the API server
//! would, and writing objects as YAML that people like to read.
//!
//! No code here talks to a cluster or knows the consequences of an object.

mod check;
mod parts;
mod programs;
mod read;
mod work;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::api::work::WorkKind;
use crate::api::{AITeam, Blueprint, Engine, GROUP, VERSION};

pub use check::errors;
pub use parts::parts;
pub use read::{Document, documents, files, split as read_text, whole};
pub use work::WorkManifest;
pub use write::{generated, yaml};

/// The fault of a file.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file or folder cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The path as it was given.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A program is not beside its manifest.
    #[error("{place}: program('{name}') names no file. Write the name of a file in the folder of the manifest")]
    NoProgram {
        /// The file.
        place: String,
        /// The name that was given.
        name: String,
    },
    /// The file has no manifests.
    #[error("{} has no manifests. Name a file, or a folder with .yaml, .yml or .json files", path.display())]
    Empty {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The text is not YAML.
    #[error("{place} is not YAML: {message}")]
    Yaml {
        /// File and document.
        place: String,
        /// Why, with the line.
        message: String,
    },
    /// The document is not an object of Kubernetes.
    #[error("{place} is not an object: it needs apiVersion, kind and metadata.name")]
    NoObject {
        /// File and document.
        place: String,
    },
    /// A work object has no namespace.
    #[error(
        "{place}: metadata.namespace is missing. Set it to the namespace of the layer, such as fraud--chargeback or \
         fraud--shared"
    )]
    NoNamespace {
        /// File, document and object.
        place: String,
    },
    /// The API server would refuse the object.
    #[error("{place} is refused: {problem}")]
    Refused {
        /// File, document and object.
        place: String,
        /// The field and the rule.
        problem: String,
    },
    /// Two documents are the same object.
    #[error("{place} is in {before} already. Remove one of the two")]
    Twice {
        /// File, document and object.
        place: String,
        /// Its first location.
        before: String,
    },
}

/// The objects of a set of files.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Teams, in the order of the files.
    pub teams: Vec<AITeam>,
    /// Blueprints by name.
    pub blueprints: BTreeMap<String, Blueprint>,
    /// Engines by name.
    pub engines: BTreeMap<String, Engine>,
    /// Work objects, in the order of the files.
    pub work: Vec<WorkManifest>,
    /// The skipped documents with the reason, one sentence each.
    pub skipped: Vec<String>,
}

impl Manifests {
    /// Reads files and folders; `-` is standard input. Reports all errors at once.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Vec<ManifestError>> {
        Self::of(&documents(paths)?)
    }

    /// The objects of these documents.
    pub fn of(documents: &[Document]) -> Result<Self, Vec<ManifestError>> {
        let mut manifests = Self::default();
        let mut errors = Vec::new();
        let mut places = BTreeMap::new();
        for document in documents {
            match manifests.add(document, &mut places) {
                Ok(()) => {}
                Err(mut found) => errors.append(&mut found),
            }
        }
        if errors.is_empty() { Ok(manifests) } else { Err(errors) }
    }

    fn add(&mut self, document: &Document, places: &mut Places) -> Result<(), Vec<ManifestError>> {
        let (Some(kind), Some(name)) = (document.text("/kind"), document.text("/metadata/name")) else {
            return Err(vec![ManifestError::NoObject { place: document.place() }]);
        };
        let ours = document.text("/apiVersion") == Some(&format!("{GROUP}/{VERSION}"));
        let work_kind = WorkKind::of(kind);
        if !ours || (work_kind.is_none() && !matches!(kind, "AITeam" | "Blueprint" | "Engine")) {
            self.skipped.push(format!("{} is skipped: only kinds of Strata are read here", document.place()));
            return Ok(());
        }
        let namespace = work_kind.and_then(|_| document.text("/metadata/namespace")).unwrap_or_default();
        let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        if let Some(before) = places.insert(key, document.place()) {
            return Err(vec![ManifestError::Twice { place: document.place(), before }]);
        }
        match (work_kind, kind) {
            (Some(kind), _) => self.work.push(WorkManifest::read(kind, document)?),
            (None, "AITeam") => self.teams.push(typed(document, kind)?),
            (None, "Blueprint") => drop(self.blueprints.insert(name.to_owned(), typed(document, kind)?)),
            (None, _) => drop(self.engines.insert(name.to_owned(), typed(document, kind)?)),
        }
        Ok(())
    }
}

/// The location of each object, by kind, namespace and name.
type Places = BTreeMap<(String, String, String), String>;

fn typed<K: DeserializeOwned>(document: &Document, kind: &str) -> Result<K, Vec<ManifestError>> {
    let refused = |problem: String| ManifestError::Refused { place: document.place(), problem };
    let problems = errors(kind, &document.value);
    if !problems.is_empty() {
        return Err(problems.into_iter().map(refused).collect());
    }
    serde_json::from_value(document.value.clone()).map_err(|error| vec![refused(error.to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifests, Vec<String>> {
        let documents = read::split("a.yaml", text).map_err(|errors| sentences(&errors))?;
        Manifests::of(&documents).map_err(|errors| sentences(&errors))
    }

    fn sentences(errors: &[ManifestError]) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    const TEAM: &str = "apiVersion: strata-operator.dev/v1alpha1\nkind: AITeam\nmetadata: {name: fraud}\n";

    #[test]
    fn reads_teams_and_passes_over_the_rest() {
        let text = format!(
            "# only a comment\n---\n{TEAM}spec: {{}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n"
        );
        let manifests = read(&text).unwrap();
        assert_eq!(manifests.teams.len(), 1);
        assert_eq!(manifests.teams[0].spec.blueprint, "default");
        assert!(manifests.skipped[0].starts_with("a.yaml, document 2 (ConfigMap x)"), "{:?}", manifests.skipped);
    }

    #[test]
    fn an_error_names_file_document_object_and_field() {
        let errors = read(&format!("{TEAM}spec: {{type: Wizard, projcts: []}}\n")).unwrap_err();
        assert_eq!(
            errors,
            [
                "a.yaml, document 1 (AITeam fraud) is refused: spec.projcts: the field does not exist",
                "a.yaml, document 1 (AITeam fraud) is refused: spec.type: \"Wizard\" is not one of Infrastructure, Applied, Research",
            ]
        );
    }

    #[test]
    fn the_same_object_twice_is_reported() {
        let errors = read(&format!("{TEAM}spec: {{}}\n---\n{TEAM}spec: {{}}\n")).unwrap_err();
        assert_eq!(
            errors,
            [
                "a.yaml, document 2 (AITeam fraud) is in a.yaml, document 1 (AITeam fraud) already. Remove one of the two"
            ]
        );
    }

    #[test]
    fn invalid_yaml_is_reported_with_its_line() {
        let errors = read("a: 1\n---\nb: [\n").unwrap_err();
        assert!(errors[0].starts_with("a.yaml, document 2 is not YAML: "), "{errors:?}");
    }
}
