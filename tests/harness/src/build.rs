//! Calling Go: one module's programs into one folder of the cache, with progress.
//! It knows nothing of the purpose of the programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::progress::Making;
use crate::{Error, cache};

/// The program to build.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    /// Named in progress and errors.
    pub what: String,
    /// The folder of the Go module.
    pub sources: PathBuf,
    /// The main packages.
    pub packages: Vec<String>,
    /// Flags for the linker.
    pub flags: String,
    /// A program that Go names differently than everybody else does.
    pub rename: Option<(&'static str, &'static str)>,
}

/// Builds into `target`, unless another process did meanwhile.
pub(crate) fn build(recipe: &Recipe, target: &Path) -> Result<(), Error> {
    cache::make(target, "lock", &recipe.what, |partial| {
        fs::create_dir_all(partial).map_err(Error::file("create", partial))?;
        run_go(recipe, partial)?;
        let Some((from, to)) = recipe.rename else { return Ok(()) };
        fs::rename(partial.join(from), partial.join(to)).map_err(Error::file("rename", partial.join(from)))
    })
}

fn run_go(recipe: &Recipe, output: &Path) -> Result<(), Error> {
    let mut command = Command::new("go");
    command
        .args(["build", "-v", "-buildvcs=false", "-ldflags", &recipe.flags, "-o"])
        // The separator at the end tells Go that this is a folder.
        .arg(output.join(""))
        .args(&recipe.packages)
        .current_dir(&recipe.sources)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .env_remove("GOOS")
        .env_remove("GOARCH");
    let making = Making { what: &recipe.what, by: "Go", directory: &recipe.sources, count: packages };
    making.run(&mut command, || Error::GoMissing).map(drop)
}

/// How many packages were begun: their names stand alone in their lines.
fn packages(lines: &[String]) -> String {
    format!("{} packages", lines.iter().filter(|line| !line.contains(' ')).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(sources: &Path) -> Recipe {
        Recipe {
            what: "a program of a test".into(),
            sources: sources.to_path_buf(),
            packages: vec![".".into()],
            flags: String::new(),
            rename: None,
        }
    }

    #[test]
    fn two_at_once_build_once_and_an_error_shows_what_go_said() {
        let folder = std::env::temp_dir().join(format!("strata-build-{}", std::process::id()));
        let sources = folder.join("sources");
        fs::create_dir_all(&sources).unwrap();
        fs::write(sources.join("go.mod"), "module example.com/hello\n\ngo 1.21\n").unwrap();
        fs::write(sources.join("main.go"), "package main\n\nfunc main() {}\n").unwrap();
        let target = folder.join("cache/hello-1");
        std::thread::scope(|scope| {
            let builds = [0, 1].map(|_| scope.spawn(|| build(&recipe(&sources), &target)));
            for build in builds {
                build.join().unwrap().unwrap();
            }
        });
        assert!(target.join("hello").is_file());

        fs::write(sources.join("main.go"), "package main\n\nfunc main() { nonsense }\n").unwrap();
        let error = build(&recipe(&sources), &folder.join("cache/hello-2")).unwrap_err().to_string();
        assert!(error.contains("undefined: nonsense"), "{error}");
        let left: Vec<_> =
            fs::read_dir(folder.join("cache")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "only the lock and the first build: {left:?}");
        fs::remove_dir_all(folder).unwrap();
    }
}
