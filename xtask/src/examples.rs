//! What lies in deploy/examples, or in deploy/tour for a real node: files of the site
//! and of its teams, and files of members, whose objects live in the teams'
//! namespaces and can be applied once these are there. It reads files, and applies
//! nothing.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;

/// The kinds of Strata; a site has namespaced objects of others, too.
const GROUP: &str = "strata-operator.dev/";

/// The examples, each list in the order of the files' names.
#[derive(Debug, Default)]
pub struct Examples {
    /// Files of Blueprints and teams.
    pub site: Vec<PathBuf>,
    /// Files of members' objects.
    pub work: Vec<PathBuf>,
    /// The names of the teams.
    pub teams: Vec<String>,
    /// The members' objects.
    pub objects: Vec<Object>,
}

/// A member's object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub kind: String,
    pub namespace: String,
    pub name: String,
    /// A workbench that is down at its owner's wish.
    pub stopped: bool,
}

impl Examples {
    /// Reads all files of a folder that are wanted, by their names.
    pub fn read(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Self, Error> {
        let unreadable = || format!("read {}", folder.display());
        let entries = fs::read_dir(folder).map_err(Error::file(unreadable()))?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
        files.retain(|file| file.file_name().is_some_and(|name| wanted(&name.to_string_lossy())));
        files.sort();
        let mut examples = Self::default();
        for file in files {
            let text = fs::read_to_string(&file).map_err(Error::file(format!("read {}", file.display())))?;
            examples.take(file, &text)?;
        }
        if examples.teams.is_empty() { Err(Error::NoTeams) } else { Ok(examples) }
    }

    fn take(&mut self, file: PathBuf, text: &str) -> Result<(), Error> {
        let mut of_members = false;
        for document in text.split("\n---\n") {
            let object: Value = serde_saphyr::from_str(document)
                .map_err(|error| Error::Example(file.display().to_string(), error.to_string()))?;
            let word = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (kind, namespace, name) = (word("/kind"), word("/metadata/namespace"), word("/metadata/name"));
            if kind == "AITeam" {
                self.teams.push(name);
            } else if !namespace.is_empty() && word("/apiVersion").starts_with(GROUP) {
                of_members = true;
                let stopped = object["spec"]["desiredState"] == "Stopped";
                self.objects.push(Object { kind, namespace, name, stopped });
            }
        }
        let files = if of_members { &mut self.work } else { &mut self.site };
        files.push(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::FAILURES;

    #[test]
    fn namespaced_kinds_are_recognised() {
        let mut examples = Examples::default();
        examples
            .take("a".into(), "kind: Blueprint\nmetadata: {name: b}\n---\nkind: AITeam\nmetadata: {name: t}\n")
            .unwrap();
        let head = |kind: &str| format!("apiVersion: strata-operator.dev/v1alpha1\nkind: {kind}\n");
        let (workbench, run) = (head("Workbench"), head("Run"));
        let work = format!(
            "# One.\n{workbench}metadata: {{name: ana, namespace: t--p}}\nspec: {{desiredState: Stopped}}\n---\n{run}metadata: {{name: r, namespace: t--p}}\n"
        );
        examples.take("b".into(), &work).unwrap();
        let foreign = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: t--p}\n";
        examples.take("c".into(), foreign).unwrap();
        assert_eq!((examples.site, examples.work), (vec!["a".into(), "c".into()], vec!["b".into()]));
        assert_eq!(examples.teams, ["t"]);
        let stopped: Vec<_> = examples.objects.iter().map(|object| (object.kind.as_str(), object.stopped)).collect();
        assert_eq!(stopped, [("Workbench", true), ("Run", false)]);
    }

    #[test]
    fn the_examples_show_what_the_demo_is_to_show() {
        let examples = Examples::read(&harness::repository().join("deploy/examples"), |_| true).unwrap();
        for failure in FAILURES {
            assert!(examples.objects.iter().any(|object| failure.is_of(object)), "{failure:?} is in no example");
        }
        let has = |kind: &str, good: &dyn Fn(&Object) -> bool| {
            examples.objects.iter().any(|object| object.kind == kind && good(object))
        };
        for kind in ["Run", "ModelService"] {
            assert!(has(kind, &|object| FAILURES.iter().all(|failure| !failure.is_of(object))), "no {kind} goes well");
        }
        assert!(has("Workbench", &|object| object.stopped) && has("Workbench", &|object| !object.stopped));
        for kind in ["Component", "Dataset", "Pipeline"] {
            assert!(has(kind, &|_| true), "there is no {kind}");
        }
        assert!(examples.objects.iter().all(|object| !object.namespace.starts_with("minimal--")));
    }
}
