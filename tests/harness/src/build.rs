//! Calling Go: one module's programs into one folder of the cache, with progress.
//! It builds into a folder of its own and renames that into place, under a lock
//! that others wait for, so two at once neither break nor build twice. It knows
//! nothing of what the programs are for.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Error;

/// How many lines of Go's output an error shows.
const LINES_SHOWN: usize = 30;

/// What to build.
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

/// Builds into `target`, unless somebody else has done so in the meantime.
pub(crate) fn build(recipe: &Recipe, target: &Path) -> Result<(), Error> {
    let cache = target.parent().unwrap_or(target);
    fs::create_dir_all(cache).map_err(Error::file("create", cache))?;
    let lock = cache.join("lock");
    let lock = File::create(&lock).map_err(Error::file("create", &lock))?;
    if lock.try_lock().is_err() {
        say(&format!("{}: waiting for another build\n", recipe.what));
        lock.lock().map_err(Error::file("lock", cache.join("lock")))?;
    }
    if target.is_dir() {
        return Ok(());
    }
    let partial = target.with_extension(format!("partial-{}", std::process::id()));
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir_all(&partial).map_err(Error::file("create", &partial))?;
    let built = run_go(recipe, &partial).and_then(|()| {
        if let Some((from, to)) = recipe.rename {
            fs::rename(partial.join(from), partial.join(to)).map_err(Error::file("rename", partial.join(from)))?;
        }
        fs::rename(&partial, target).map_err(Error::file("rename", &partial))
    });
    if built.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    built
}

fn run_go(recipe: &Recipe, output: &Path) -> Result<(), Error> {
    let mut child = Command::new("go")
        .args(["build", "-v", "-buildvcs=false", "-ldflags", &recipe.flags, "-o"])
        // The separator at the end tells Go that this is a folder.
        .arg(output.join(""))
        .args(&recipe.packages)
        .current_dir(&recipe.sources)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .env_remove("GOOS")
        .env_remove("GOARCH")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::GoMissing,
            _ => Error::file("start go in", &recipe.sources)(error),
        })?;
    let lines = Lines::default();
    let reader = child.stderr.take().map(|stderr| {
        let lines = lines.clone();
        std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| lines.push(line));
        })
    });
    let status = watch(&mut child, recipe, &lines)?;
    if let Some(reader) = reader {
        let _ = reader.join();
    }
    if status.success() {
        return Ok(());
    }
    Err(Error::Build { what: recipe.what.clone(), directory: recipe.sources.clone(), output: lines.last(LINES_SHOWN) })
}

/// Waits for Go to end, and says every now and then how far it is.
fn watch(child: &mut std::process::Child, recipe: &Recipe, lines: &Lines) -> Result<ExitStatus, Error> {
    let terminal = std::io::stderr().is_terminal();
    let pause = if terminal { Duration::from_secs(1) } else { Duration::from_secs(15) };
    let started = Instant::now();
    let mut told = started;
    say(&format!("building {} with Go; once, then it is cached (minutes on a cold machine)\n", recipe.what));
    loop {
        if let Some(status) = child.try_wait().map_err(Error::file("wait for go in", &recipe.sources))? {
            let clear = if terminal { "\r\x1b[K" } else { "" };
            let how = if status.success() { "built" } else { "could not build" };
            say(&format!("{clear}{how} {} in {} s\n", recipe.what, started.elapsed().as_secs()));
            return Ok(status);
        }
        if told.elapsed() >= pause {
            told = Instant::now();
            let (start, end) = if terminal { ("\r\x1b[K", "") } else { ("", "\n") };
            let (count, last) = lines.progress();
            say(&format!(
                "{start}building {}: {} s, {count} packages, {last}{end}",
                recipe.what,
                started.elapsed().as_secs()
            ));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Straight to standard error: a test's output is captured, but not progress.
fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// What Go printed so far.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn push(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// How many packages were begun, and the last line, short enough for one row.
    fn progress(&self) -> (usize, String) {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let packages = lines.iter().filter(|line| !line.contains(' ')).count();
        (packages, lines.last().map(|line| line.chars().take(60).collect()).unwrap_or_default())
    }

    fn last(&self, count: usize) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines[lines.len().saturating_sub(count)..].join("\n")
    }
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
