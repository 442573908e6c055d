//! Files and the documents in them, without the loss of a byte.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cli::manifest::{ManifestError, files as files_of};

/// A part of a file.
pub struct Part<'a> {
    /// The number of the document, from 1; none for text between documents.
    pub number: Option<usize>,
    /// Its text.
    pub text: &'a str,
}

/// The files at these paths, with their texts.
pub fn files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, Vec<ManifestError>> {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        match of_path(path) {
            Ok(mut files) => found.append(&mut files),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn of_path(path: &Path) -> Result<Vec<(PathBuf, String)>, ManifestError> {
    let read = |error| ManifestError::Read { path: path.to_owned(), error };
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(read)?;
        return Ok(vec![(path.to_owned(), text)]);
    }
    let files = if path.is_dir() { files_of(path)? } else { vec![path.to_owned()] };
    if files.is_empty() {
        return Err(ManifestError::Empty { path: path.to_owned() });
    }
    let text = |file: PathBuf| {
        let text = std::fs::read_to_string(&file);
        text.map(|text| (file.clone(), text)).map_err(|error| ManifestError::Read { path: file, error })
    };
    files.into_iter().map(text).collect()
}

/// The documents of a text, and the text between them. The numbers are those of
/// [`crate::cli::manifest::documents`].
#[must_use]
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut at, mut number) = (0, 0, 1);
    let says_nothing = |text: &str| text.lines().all(|line| line.trim().is_empty() || line.starts_with('#'));
    let document = |text, number| Part { number: Some(number).filter(|_| !says_nothing(text)), text };
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        if bare == "---" || bare.starts_with("--- ") || bare.starts_with("---\t") {
            let before = &text[start..at];
            // Text above the first separator is a document only if it has content.
            number += usize::from(!parts.is_empty() || !says_nothing(before));
            let own = number - usize::from(!parts.is_empty() || !says_nothing(before));
            parts.push(document(before, own));
            parts.push(Part { number: None, text: line });
            start = at + line.len();
        }
        at += line.len();
    }
    parts.push(document(&text[start..], number));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_numbered_as_when_they_are_read() {
        let numbers = |text: &str| {
            let parts = parts(text);
            assert_eq!(parts.iter().map(|part| part.text).collect::<String>(), text);
            parts.iter().filter_map(|part| part.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers("a: 1\n"), [1]);
        assert_eq!(numbers("---\r\na: 1\n---\nb: 2"), [1, 2]);
        assert_eq!(numbers("# head\n---\na: 1\n---\n# nothing\n---\nb: |\n  --- x\n"), [1, 3]);
    }
}
