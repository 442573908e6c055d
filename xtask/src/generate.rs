//! `cargo xtask generate`: writes the files that nobody writes by hand. Which they
//! are is [`harness::generated`]'s to say; golden files are written by the test that
//! compares them.

use std::fs;

use harness::generated::{self, Generated};

use crate::cargo;
use crate::error::Error;

/// The variable that makes the golden test write its files.
const GOLDEN: (&str, &str) = ("UPDATE_GOLDEN", "1");

/// Writes what is not current.
pub fn run() -> Result<(), Error> {
    // The chart's Blueprint is a plain copy, and may be compiled in: it comes first.
    let mut files = write(generated::blueprint()?)?;
    let strata = cargo::build_strata()?;
    files.extend(write(generated::all(strata)?)?);
    let changed = files.iter().filter(|(_, changed)| *changed).count();
    for (file, _) in files.iter().filter(|(_, changed)| *changed) {
        let path = file.path.strip_prefix(harness::repository()).unwrap_or(&file.path);
        println!("wrote {}", path.display());
    }
    remove_others(&files)?;
    println!("{changed} files changed, {} are as they were", files.len() - changed);
    golden()
}

/// Removes definitions of kinds that are no more: their folders hold nothing else.
fn remove_others(files: &[(Generated, bool)]) -> Result<(), Error> {
    for folder in ["crds", "charts/strata-crds/templates"] {
        let folder = harness::repository().join(folder);
        let entries = fs::read_dir(&folder).map_err(Error::file(format!("read {}", folder.display())))?;
        let present = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let yaml = present.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        for path in yaml.filter(|path| files.iter().all(|(file, _)| file.path != *path)) {
            fs::remove_file(&path).map_err(Error::file(format!("remove {}", path.display())))?;
            println!("removed {}", path.display());
        }
    }
    Ok(())
}

/// Has the golden files written by their own tests.
fn golden() -> Result<(), Error> {
    let arguments = ["test", "--workspace", "--test", "golden", "--test", "status"];
    let failed = |reason: String| Error::Cargo { arguments: arguments.join(" "), reason };
    let status =
        cargo::command(&arguments).env(GOLDEN.0, GOLDEN.1).status().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}

/// Writes those that differ; says which.
fn write(files: Vec<Generated>) -> Result<Vec<(Generated, bool)>, Error> {
    let mut written = Vec::new();
    for file in files {
        let current = file.is_current();
        if !current {
            let failed = || Error::file(format!("write {}", file.path.display()));
            if let Some(folder) = file.path.parent() {
                fs::create_dir_all(folder).map_err(failed())?;
            }
            fs::write(&file.path, &file.content).map_err(failed())?;
        }
        written.push((file, !current));
    }
    Ok(written)
}
