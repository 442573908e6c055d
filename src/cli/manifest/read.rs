//! From files to documents.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::parts::parts;
use super::{ManifestError, programs};

/// The most broken documents of a file that are reported.
const ERRORS: usize = 32;

/// One YAML document of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The file, as people named it.
    pub file: String,
    /// The position in the file, from 1.
    pub number: usize,
    /// Its content.
    pub value: Value,
}

impl Document {
    /// The text at a JSON pointer.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str)
    }

    /// File, document and object, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        let place = place(&self.file, self.number);
        match (self.text("/kind"), self.text("/metadata/name")) {
            (Some(kind), Some(name)) => format!("{place} ({kind} {name})"),
            (Some(kind), None) => format!("{place} ({kind})"),
            _ => place,
        }
    }
}

fn place(file: &str, number: usize) -> String {
    format!("{file}, document {number}")
}

/// The documents of files and folders; `-` is standard input. Folders are read
/// in the order of their files' names, and not what lies below them.
pub fn documents(paths: &[PathBuf]) -> Result<Vec<Document>, Vec<ManifestError>> {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        match of_path(path) {
            Ok(documents) if documents.is_empty() => errors.push(ManifestError::Empty { path: path.clone() }),
            Ok(mut documents) => found.append(&mut documents),
            Err(mut failures) => errors.append(&mut failures),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn of_path(path: &Path) -> Result<Vec<Document>, Vec<ManifestError>> {
    if path.is_dir() {
        return documents(&files(path).map_err(|error| vec![error])?);
    }
    let file = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    split(&file, &whole(path).map_err(|error| vec![error])?)
}

/// The text of a file with the programs beside it put in; `-` is standard input,
/// which has nothing beside it.
pub fn whole(path: &Path) -> Result<String, ManifestError> {
    let read = |error| ManifestError::Read { path: path.to_owned(), error };
    if path == Path::new("-") {
        let mut text = String::new();
        return std::io::stdin().read_to_string(&mut text).map(|_| text).map_err(read);
    }
    let text = fs::read_to_string(path).map_err(read)?;
    programs::put_in(&path.display().to_string(), &text, path.parent().unwrap_or(Path::new("")))
}

/// The manifests of a folder, by name.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, ManifestError> {
    let read = |error| ManifestError::Read { path: folder.to_owned(), error };
    let entries = fs::read_dir(folder).map_err(read)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = entries.filter(|file| is_manifest(file)).collect();
    files.sort();
    Ok(files)
}

fn is_manifest(path: &Path) -> bool {
    let known =
        path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known));
    known && path.is_file()
}

/// The documents of a text.
pub fn split(file: &str, text: &str) -> Result<Vec<Document>, Vec<ManifestError>> {
    let mut documents = Vec::new();
    let mut errors = Vec::new();
    for part in parts(text) {
        let Some(number) = part.number else { continue };
        if errors.len() == ERRORS {
            break;
        }
        let text = part.text.replace("\r\n", "\n");
        match serde_saphyr::from_str::<Value>(&text) {
            Ok(Value::Null) => {}
            Ok(value) => documents.extend(items(value).into_iter().map(|value| Document {
                file: file.to_owned(),
                number,
                value,
            })),
            Err(error) => {
                let message = where_it_stands(part.line, &text).unwrap_or_else(|| error.to_string());
                errors.push(ManifestError::Yaml { place: place(file, number), message: first_line(&message) });
            }
        }
    }
    if errors.is_empty() { Ok(documents) } else { Err(errors) }
}

/// A List of `kubectl get -o yaml` is replaced by its items.
fn items(value: Value) -> Vec<Value> {
    match value.get("items") {
        Some(Value::Array(items)) if value["kind"] == "List" => items.clone(),
        _ => vec![value],
    }
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}

/// The fault of a document, with the line of the file.
fn where_it_stands(line: usize, part: &str) -> Option<String> {
    let in_place = "\n".repeat(line) + part;
    serde_saphyr::from_str::<Value>(&in_place).err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_numbered_as_people_count_them() {
        let numbers = |text: &str| split("a", text).unwrap().iter().map(|document| document.number).collect::<Vec<_>>();
        assert_eq!(numbers("a: 1\n"), [1]);
        assert_eq!(numbers("---\na: 1\n---\nb: 2\n"), [1, 2]);
        assert_eq!(numbers("# head\n---\na: 1\n---\n# nothing\n---\nb: |\n  --- x\n"), [1, 3]);
    }

    #[test]
    fn many_documents_take_no_more_than_their_text() {
        let text = "---\na: 1\n".repeat(1_000);
        assert_eq!(parts(&text).iter().map(|part| part.text.len()).sum::<usize>(), text.len());
        assert_eq!(split("a", &text).unwrap().len(), 1_000);
        let errors = split("a", &"---\na: [\n".repeat(1_000)).unwrap_err();
        assert_eq!(errors.len(), ERRORS);
    }

    #[test]
    fn what_would_grow_without_bound_is_refused() {
        let level = |level: u8| {
            format!(
                "{}: &{} [{}]\n",
                level as char,
                level as char,
                vec![format!("*{}", (level - 1) as char); 9].join(", ")
            )
        };
        let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned() + &(b'b'..=b'i').map(level).collect::<String>();
        for text in [bomb, "[".repeat(100_000), "- ".repeat(5_000) + "a", "a: ".to_owned() + &"{a: ".repeat(3_000)] {
            assert!(split("a", &text).is_err());
        }
    }

    #[test]
    fn a_list_stands_for_its_items() {
        let documents = split("a", "{kind: List, items: [{kind: A, metadata: {name: x}}, {kind: B}]}").unwrap();
        assert_eq!(documents[0].place(), "a, document 1 (A x)");
        assert_eq!(documents[1].place(), "a, document 1 (B)");
    }

    #[test]
    fn an_error_names_the_line_of_the_file() {
        let errors = split("a", "a: 1\n---\nb: 1\nb: 2\n").unwrap_err();
        assert!(errors[0].to_string().contains("line 4"), "{}", errors[0]);
    }
}
