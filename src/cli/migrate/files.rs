//! The files to migrate, each with its text.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cli::manifest::{ManifestError, files as files_of};

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
