//! Starting programs so that they end with this process, however it ends. A small
//! Go program (`tests/control-plane/supervise`) starts them for us; it holds one
//! end of a pipe of which only we hold the other, and ends everything when that
//! closes. This module speaks with it, one JSON object a line, and knows nothing
//! of what the programs do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::{Error, wait};

/// How many lines of a log an error shows.
const LINES_SHOWN: usize = 25;

/// The state of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The supervisor was asked to start it.
    Starting,
    /// It runs.
    Running {
        /// Its process id.
        pid: u32,
    },
    /// It no longer runs, or never did.
    Ended {
        /// In words.
        how: String,
    },
}

/// A program to start.
#[derive(Debug, Clone)]
pub struct Job {
    /// Unique among the programs of one supervisor.
    pub name: String,
    /// Its path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment: it inherits nothing.
    pub env: BTreeMap<String, String>,
    /// Where its output goes; appended to.
    pub log: PathBuf,
    /// How long it has after SIGTERM once this process is gone; zero kills it.
    pub grace: Duration,
}

/// The parent of the programs. Dropping the last clone ends them all.
#[derive(Debug, Clone)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    child: Mutex<Child>,
    orders: Mutex<Option<ChildStdin>>,
    states: Arc<Mutex<BTreeMap<String, State>>>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "event")]
    what: String,
    name: String,
    #[serde(default)]
    pid: u32,
    #[serde(default)]
    how: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Supervisor {
    /// Starts the supervisor; at the end it removes the folder `remove`.
    pub fn start(program: &Path, remove: Option<&Path>) -> Result<Self, Error> {
        let mut command = Command::new(program);
        if let Some(folder) = remove {
            command.arg("-remove").arg(folder);
        }
        Self::of(command)
    }

    /// Starts the supervisor that this command is, or ends up as.
    pub(crate) fn of(mut command: Command) -> Result<Self, Error> {
        let program = command.get_program().to_owned();
        // A process group of its own: Ctrl-C is for us to act on, not for it.
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(Error::file("start", program))?;
        let states = Arc::new(Mutex::new(BTreeMap::new()));
        if let Some(events) = child.stdout.take() {
            let states = Arc::clone(&states);
            std::thread::spawn(move || listen(events, &states));
        }
        let orders = Mutex::new(child.stdin.take());
        Ok(Self(Arc::new(Inner { child: Mutex::new(child), orders, states })))
    }

    /// Starts a program and waits until it runs (not until it is ready).
    pub async fn run(&self, job: &Job) -> Result<Process, Error> {
        lock(&self.0.states).insert(job.name.clone(), State::Starting);
        self.order(&json!({
            "do": "start", "name": job.name, "program": job.program, "args": job.args,
            "env": job.env, "log": job.log, "grace": job.grace.as_millis(),
        }))?;
        let process = Process { name: job.name.clone(), log: job.log.clone(), supervisor: self.clone() };
        wait::until(format!("{} starts", job.name), 20, async || match process.state() {
            State::Starting => Err("no answer".to_owned()),
            state => Ok(state),
        })
        .await?;
        process.check()?;
        Ok(process)
    }

    fn order(&self, order: &serde_json::Value) -> Result<(), Error> {
        let mut orders = lock(&self.0.orders);
        let pipe = orders.as_mut().ok_or_else(|| Error::Supervisor("it was closed".into()))?;
        writeln!(pipe, "{order}").and_then(|()| pipe.flush()).map_err(|error| Error::Supervisor(error.to_string()))
    }

    /// The supervisor's own process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        lock(&self.0.child).id()
    }

    /// The programs that run, by name, with their process ids.
    #[must_use]
    pub fn running(&self) -> BTreeMap<String, u32> {
        lock(&self.0.states)
            .iter()
            .filter_map(|(name, state)| match state {
                State::Running { pid } => Some((name.clone(), *pid)),
                _ => None,
            })
            .collect()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Closing the pipe ends everything; then nothing of it is left behind.
        lock(&self.orders).take();
        let _ = lock(&self.child).wait();
    }
}

/// Keeps the states current until the end of the supervisor.
fn listen(events: ChildStdout, states: &Mutex<BTreeMap<String, State>>) {
    for line in BufReader::new(events).lines().map_while(Result::ok) {
        let Ok(event) = serde_json::from_str::<Event>(&line) else {
            continue;
        };
        let mut states = lock(states);
        let state = match event.what.as_str() {
            "started" => State::Running { pid: event.pid },
            "failed" => State::Ended { how: format!("could not be started: {}", event.how) },
            _ => State::Ended { how: format!("ended ({})", event.how) },
        };
        states.insert(event.name, state);
    }
    for state in lock(states).values_mut() {
        *state = State::Ended { how: "ended with its supervisor".into() };
    }
}

/// One program that was started.
#[derive(Debug, Clone)]
pub struct Process {
    name: String,
    log: PathBuf,
    supervisor: Supervisor,
}

impl Process {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its current state.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.supervisor.0.states).get(&self.name).cloned().unwrap_or(State::Starting)
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match self.state() {
            State::Running { pid } => Some(pid),
            _ => None,
        }
    }

    /// An error, with the end of its log, if it does not run.
    pub fn check(&self) -> Result<(), Error> {
        match self.state() {
            State::Ended { how } => Err(Error::Ended { name: self.name.clone(), how, log: self.log_end() }),
            _ => Ok(()),
        }
    }

    /// All it has printed.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }

    /// Asks it to end (SIGTERM) and waits; an error if it does not within `seconds`.
    pub async fn terminate(&self, seconds: u64) -> Result<(), Error> {
        self.signal("TERM", seconds).await
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub async fn kill(&self) -> Result<(), Error> {
        self.signal("KILL", 10).await
    }

    /// Has it end, without waiting.
    pub(crate) fn abandon(&self) {
        if !matches!(self.state(), State::Ended { .. }) {
            // The program ends with its supervisor.
            let _ = self.supervisor.order(&json!({"do": "signal", "name": self.name, "signal": "KILL"}));
        }
    }

    async fn signal(&self, signal: &str, seconds: u64) -> Result<(), Error> {
        if matches!(self.state(), State::Ended { .. }) {
            return Ok(());
        }
        self.supervisor.order(&json!({"do": "signal", "name": self.name, "signal": signal}))?;
        wait::until(format!("{} ends after SIG{signal}", self.name), seconds, async || match self.state() {
            State::Ended { .. } => Ok(()),
            state => Err(format!("{state:?}")),
        })
        .await
    }
}
