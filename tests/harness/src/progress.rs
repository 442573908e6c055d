//! Programs that take minutes: started, watched to their end, with how far they are
//! on standard error and the end of what they said in the error. It knows nothing of
//! what they make.

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Error;

/// How many lines of a program's output an error shows.
const LINES_SHOWN: usize = 30;

/// A program that makes something.
pub(crate) struct Making<'a> {
    /// The name of the product, for progress and errors.
    pub what: &'a str,
    /// The program's name and what else the first line says.
    pub by: &'a str,
    /// The folder that errors name.
    pub directory: &'a Path,
    /// The counted parts of the output so far, such as `12 packages`.
    pub count: fn(&[String]) -> String,
}

impl Making<'_> {
    /// Runs the command, and returns its standard output.
    /// `missing` is the error where there is no such program.
    pub fn run(&self, command: &mut Command, missing: impl FnOnce() -> Error) -> Result<String, Error> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| {
                match error.kind() {
                    std::io::ErrorKind::NotFound => missing(),
                    _ => Error::file("start a program in", self.directory)(error),
                }
            })?;
        let lines = Lines::default();
        let said = child.stderr.take().map(|stderr| lines.read(stderr));
        let output = child.stdout.take().map(|stdout| lines.read(stdout));
        let good = self.watch(&mut child, &lines)?;
        let output = output.and_then(|output| output.join().ok()).unwrap_or_default();
        said.map(JoinHandle::join);
        if good {
            return Ok(output);
        }
        Err(Error::Build {
            what: self.what.to_owned(),
            directory: self.directory.to_path_buf(),
            output: lines.last(LINES_SHOWN),
        })
    }

    /// Waits for the end, with progress messages.
    fn watch(&self, child: &mut std::process::Child, lines: &Lines) -> Result<bool, Error> {
        let terminal = std::io::stderr().is_terminal();
        let pause = if terminal { Duration::from_secs(1) } else { Duration::from_secs(15) };
        let (clear, end) = if terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        let (started, what) = (Instant::now(), self.what);
        let mut printed = None;
        loop {
            if let Some(status) = child.try_wait().map_err(Error::file("wait for a program in", self.directory))? {
                let how = if status.success() { "built" } else { "could not build" };
                if printed.is_some() {
                    say(&format!("{clear}{how} {what} in {} s\n", started.elapsed().as_secs()));
                }
                return Ok(status.success());
            }
            match printed {
                // Steps without work are not printed.
                None if started.elapsed() >= Duration::from_secs(1) => {
                    printed = Some(Instant::now());
                    say(&format!(
                        "building {what} with {}; once, then it is cached (minutes on a cold machine)\n",
                        self.by
                    ));
                }
                Some(last) if last.elapsed() >= pause => {
                    printed = Some(Instant::now());
                    let so_far = lines.progress(self.count);
                    say(&format!("{clear}building {what}: {} s, {so_far}{end}", started.elapsed().as_secs()));
                }
                _ => {}
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Straight to standard error: a test's output is captured, but not progress.
pub(crate) fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// The output of a program so far.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// Reads to the end, apart, and gives back all of it.
    fn read(&self, stream: impl Read + Send + 'static) -> JoinHandle<String> {
        let lines = self.clone();
        std::thread::spawn(move || {
            let mut text = String::new();
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                text.push_str(&line);
                text.push('\n');
                // Messages of one program for another are not for people.
                if !line.starts_with('{') {
                    lines.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
            text
        })
    }

    /// The count and the last line, short enough for one row.
    fn progress(&self, count: fn(&[String]) -> String) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last: String = lines.last().map(|line| line.trim().chars().take(60).collect()).unwrap_or_default();
        let counted = count(&lines);
        [counted, last].iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", ")
    }

    fn last(&self, count: usize) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines[lines.len().saturating_sub(count)..].join("\n")
    }
}
