//! Somebody with a token of their own, and nothing else. What they type is noted,
//! to be held against the walk-through.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::{Cluster, wait};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long a command may take: none is longer than what it waits for itself.
const PATIENCE: Duration = Duration::from_secs(400);

/// All that anybody typed, as `<who> <arguments of kubectl>`.
pub type Typed = Arc<Mutex<BTreeSet<String>>>;

/// Somebody at a terminal.
#[derive(Clone)]
pub struct Person {
    pub name: String,
    cluster: Cluster,
    kubeconfig: PathBuf,
    typed: Typed,
}

/// A port that kubectl forwards, for as long as this lives.
pub struct Forward {
    pub port: u16,
    _kubectl: Child,
}

impl Person {
    /// Whoever holds the credentials in this kubeconfig.
    pub fn new(name: &str, cluster: &Cluster, kubeconfig: PathBuf, typed: &Typed) -> Self {
        Self { name: name.into(), cluster: cluster.clone(), kubeconfig, typed: typed.clone() }
    }

    /// Gives a command that must succeed; returns what it printed.
    pub async fn does(&self, line: &str) -> String {
        let printed = self.tries(line).await.unwrap_or_else(|said| panic!("{} {line}: {said}", self.name));
        println!("$ {} {line}\n{}", self.name, printed.trim_end());
        printed
    }

    /// Gives a command that must be refused, and returns what was said.
    pub async fn is_refused(&self, line: &str) -> String {
        match self.tries(line).await {
            Ok(printed) => panic!("{} may {line}: {printed}", self.name),
            Err(said) => {
                println!("$ {} {line}\n{}", self.name, said.rsplit("): ").next().unwrap_or_default());
                said
            }
        }
    }

    /// Gives a command; what it printed, or what it said when it failed.
    pub async fn tries(&self, line: &str) -> Result<String, String> {
        self.note(line);
        let now = k8s_openapi::jiff::Timestamp::now().as_second();
        let now = k8s_openapi::jiff::Timestamp::from_second(now).expect("a time").to_string();
        let line = line.replace("$(date -u +%FT%TZ)", &now);
        let line = line.as_str();
        let (line, input) = line.split_once(" < ").map_or((line, None), |(line, file)| (line, Some(file)));
        let input = input.map(|file| std::fs::read_to_string(harness::repository().join(file)).expect("a file"));
        self.kubectl(&words(line), input.as_deref()).await
    }

    /// Looks until the command prints what is `good`.
    pub async fn sees(&self, line: &str, seconds: u64, good: impl Fn(&str) -> bool) -> String {
        let (good, what) = (&good, format!("{} sees {line}", self.name));
        let seen = wait::until(what, seconds, async || {
            let printed = self.tries(line).await?;
            let is_good = good(&printed);
            if !is_good {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            if is_good { Ok(printed) } else { Err(printed) }
        });
        let seen = seen.await.unwrap_or_else(|error| panic!("{error}"));
        println!("$ {} {line}\n{}", self.name, seen.trim_end());
        seen
    }

    /// An object as it is now. Nobody types that.
    pub async fn reads(&self, what: &str, namespace: &str) -> Value {
        let namespace = format!("--namespace={namespace}");
        let printed = self.kubectl(&["get", what, namespace.as_str(), "--output=json"], None).await;
        let printed = printed.unwrap_or_else(|said| panic!("{} reads {what}: {said}", self.name));
        serde_json::from_str(&printed).expect("JSON")
    }

    /// `port-forward ... PORT`, to a free port here: somebody else may have that one.
    pub async fn forwards(&self, line: &str) -> Forward {
        self.note(line);
        let (front, port) = line.rsplit_once(' ').expect("a port");
        let to_free_port = format!(":{port}");
        let mut kubectl = self.command(words(front).iter().map(String::as_str).chain([to_free_port.as_str()]));
        let mut kubectl = kubectl.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kubectl starts");
        let mut lines = BufReader::new(kubectl.stdout.take().expect("its output")).lines();
        let mut errors = BufReader::new(kubectl.stderr.take().expect("its errors")).lines();
        let said = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        let said = said.expect("kubectl forwards in time").expect("text").unwrap_or_default();
        let port =
            said.split(" -> ").next().and_then(|from| from.rsplit(':').next()).and_then(|port| port.parse().ok());
        let Some(port) = port else { panic!("{} {line}: {said} {:?}", self.name, errors.next_line().await) };
        // It says something about each connection, and ends when nobody reads that.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        tokio::spawn(async move { while let Ok(Some(_)) = errors.next_line().await {} });
        Forward { port, _kubectl: kubectl }
    }

    fn note(&self, line: &str) {
        self.typed.lock().expect("notes").insert(format!("{} {line}", self.name));
    }

    async fn kubectl<W: AsRef<str>>(&self, words: &[W], input: Option<&str>) -> Result<String, String> {
        let own = format!("--kubeconfig={}", self.kubeconfig.display());
        let line = words.iter().map(AsRef::as_ref).chain([own.as_str()]);
        // What follows `--` is not kubectl's.
        let mut line: Vec<&str> = line.collect();
        if let Some(end) = line.iter().position(|word| *word == "--") {
            let own = line.pop().unwrap_or_default();
            line.insert(end, own);
        }
        let done = tokio::time::timeout(PATIENCE, self.cluster.kubectl_with(line, input)).await;
        done.map_err(|_| format!("no end after {PATIENCE:?}"))?.map_err(|error| error.to_string())
    }

    fn command<'a>(&self, words: impl Iterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.cluster.programs().kubectl);
        command.args(words).env("KUBECONFIG", &self.kubeconfig).env("KUBERC", "off").kill_on_drop(true);
        command
    }
}

/// The words of a line, as a shell with single quotes reads them.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            // Quotes may stand within a word: --patch='{...}'.
            match words.last_mut() {
                Some(last) if !line_ends_with_space(line, index) => String::push_str(last, part),
                _ => words.push(part.to_owned()),
            }
        } else {
            words.extend(part.split_whitespace().map(ToOwned::to_owned));
        }
    }
    words
}

/// Whether there is a space before the quote that opens this part.
fn line_ends_with_space(line: &str, index: usize) -> bool {
    line.split('\'').nth(index - 1).is_none_or(|before| before.is_empty() || before.ends_with(char::is_whitespace))
}

#[test]
fn words_are_split_as_a_shell_would() {
    assert_eq!(words("get pods  -n a"), ["get", "pods", "-n", "a"]);
    assert_eq!(words("patch wb a -p '{\"a\": 1}' --x='b c'"), ["patch", "wb", "a", "-p", "{\"a\": 1}", "--x=b c"]);
}
