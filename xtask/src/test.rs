//! `cargo xtask test`: everything that must hold, in the order in which it is
//! quickest to learn that it does not. `--node` runs what needs a real node, and
//! nothing else. What there is to run is [`crate::steps`]'s to say; this module chooses,
//! runs and counts.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use harness::node;
use strata::cli::table::indented;

use crate::error::Error;
use crate::failures::Failures;
use crate::steps::{OF_NODE, Step, steps, steps_of_node};

/// Run tests: format, lints, unit, golden, property, chart, cluster; with --all also on a real node
#[derive(clap::Args)]
pub struct Test {
    /// Leave out a kind (format, programs, workflows, lints, unit, documentation, harness, memory, licences, ..., or a file of tests/ such as cluster)
    #[arg(long, value_name = "KIND")]
    skip: Vec<String>,
    /// Run only the tests of a real node (Linux, root, a few Debian packages)
    #[arg(long, group = "real")]
    node: bool,
    /// Run everything, including the tests of a real node; if this machine cannot be one, print why
    #[arg(long, group = "real")]
    all: bool,
    /// Install missing tools: cargo-deny, and for a node Debian packages, with apt-get
    #[arg(long)]
    install: bool,
}

/// The state of the execution.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Outcome {
    kind: String,
    passed: usize,
    failed: usize,
    ignored: usize,
    seconds: u64,
    good: bool,
    failures: Failures,
}

impl Test {
    /// Runs all kinds, even after one has failed, and prints the counts.
    pub async fn run(self) -> Result<(), Error> {
        let (mut outcomes, mut left_out) = (Vec::new(), Vec::new());
        let mut steps = if self.node { Vec::new() } else { steps(&test_files()?) };
        if self.node || self.all {
            match self.can_be_node() {
                // A first build takes longer than all tests.
                Ok(()) if self.node => {
                    node::prepare().await?;
                    steps.extend(steps_of_node());
                }
                Ok(()) => steps.extend(steps_of_node()),
                // A step that is asked for alone is never left out.
                Err(why) if self.node => return Err(why),
                Err(why) => left_out.push(not_run(&OF_NODE.join(", "), &why.to_string())),
            }
        } else {
            left_out.push(not_run(&OF_NODE.join(", "), "they need a real node: cargo xtask test --all, or --node"));
        }
        let skip: BTreeSet<String> = self.skip.into_iter().collect();
        if let Some(unknown) = skip.iter().find(|kind| !steps.iter().any(|step| step.kind == **kind)) {
            let known: Vec<&str> = steps.iter().map(|step| step.kind.as_str()).collect();
            return Err(Error::Tests(format!("there is no kind `{unknown}`; there are {}", known.join(", "))));
        }
        for step in steps.iter().filter(|step| !skip.contains(&step.kind)) {
            match step.command(self.install).await {
                Ok(command) => outcomes.push(run(step, command)?),
                Err(why) => left_out.push(not_run(&step.kind, &why)),
            }
        }
        for line in left_out {
            println!("{line}");
        }
        for outcome in &outcomes {
            print!("{}", outcome.failures.text(&outcome.kind));
        }
        println!("\n{}", summary(&outcomes));
        let failed: Vec<&str> =
            outcomes.iter().filter(|outcome| !outcome.good).map(|outcome| outcome.kind.as_str()).collect();
        if failed.is_empty() { Ok(()) } else { Err(Error::Tests(failed.join(", "))) }
    }

    /// Why this machine cannot be a node, if it cannot.
    fn can_be_node(&self) -> Result<(), Error> {
        if self.install {
            node::install()?;
        }
        Ok(node::check()?)
    }
}

/// Printed during the run, and again at the end.
fn not_run(what: &str, why: &str) -> String {
    let line = format!("{what}: NOT RUN, {why}");
    eprintln!("\n==> {line}");
    line
}

/// The names of the files in `tests/`.
fn test_files() -> Result<BTreeSet<String>, Error> {
    let folder = harness::repository().join("tests");
    let entries = std::fs::read_dir(&folder).map_err(Error::file(format!("read {}", folder.display())))?;
    Ok(entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect())
}

/// Runs one step, shows its output and counts its results.
fn run(step: &Step, mut command: Command) -> Result<Outcome, Error> {
    eprintln!("\n==> {}: {}", step.kind, step.line());
    let failed = |error: std::io::Error| Error::Step { line: step.line(), reason: error.to_string() };
    let started = Instant::now();
    // The user's own cluster is never used.
    let mut child = command.env_remove("KUBECONFIG").stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut outcome = Outcome { kind: step.kind.clone(), ..Outcome::default() };
    if let Some(stdout) = child.stdout.take() {
        let mut order = Order::default();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            outcome.count(&line);
            outcome.failures.read(&line);
            for line in order.next(line) {
                let _ = writeln!(std::io::stdout(), "{line}");
            }
        }
    }
    outcome.good = child.wait().map_err(failed)?.success() && outcome.failed == 0;
    outcome.seconds = started.elapsed().as_secs();
    Ok(outcome)
}

/// Failures come before the output of other tests: they are read first, and
/// whoever cuts a long log cuts its end.
#[derive(Default)]
struct Order {
    holding: bool,
    held: Vec<String>,
}

impl Order {
    /// The lines to print now that this one came.
    fn next(&mut self, line: String) -> Vec<String> {
        let ended = line.starts_with("test result: ");
        self.holding = line == "successes:" || self.holding && line != "failures:" && !ended;
        if self.holding {
            self.held.push(line);
            return Vec::new();
        }
        let held = if ended { std::mem::take(&mut self.held) } else { Vec::new() };
        std::iter::once(line).chain(held).collect()
    }
}

impl Outcome {
    /// Adds what a line like `test result: ok. 3 passed; 0 failed; 1 ignored; ...` says.
    fn count(&mut self, line: &str) {
        let Some((_, counts)) = line.trim_start().strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Failed tests; a step that failed without naming one counts as one.
    fn failed(&self) -> usize {
        if self.good { 0 } else { self.failed.max(1) }
    }
}

/// The counts by kind, and the sum in the last line.
fn summary(outcomes: &[Outcome]) -> String {
    let row = |outcome: &Outcome| {
        let tests = outcome.passed + outcome.failed + outcome.ignored > 0;
        let number = |count: usize| if tests { count.to_string() } else { "-".into() };
        vec![
            outcome.kind.clone(),
            if outcome.good { "ok".into() } else { "FAILED".into() },
            number(outcome.passed),
            number(outcome.failed),
            number(outcome.ignored),
            format!("{} s", outcome.seconds),
        ]
    };
    let rows: Vec<_> = outcomes.iter().map(row).collect();
    let passed: usize = outcomes.iter().map(|outcome| outcome.passed).sum();
    let failed: usize = outcomes.iter().map(Outcome::failed).sum();
    let heading = ["KIND", "RESULT", "PASSED", "FAILED", "IGNORED", "TIME"];
    format!("{}\n{passed} passed, {failed} failed", indented(&heading, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_the_lines_say() {
        let mut outcome = Outcome::default();
        outcome.count("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s");
        outcome.count("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        outcome.count("test x ... ok");
        assert_eq!((outcome.passed, outcome.failed, outcome.ignored), (4, 2, 1));
    }

    #[test]
    fn what_failed_is_printed_before_what_the_others_said() {
        let mut order = Order::default();
        let lines = ["test a ... ok", "successes:", "measured: 1", "failures:", "b panicked", "test result: FAILED."];
        let printed: Vec<String> = lines.into_iter().flat_map(|line| order.next(line.to_owned())).collect();
        assert_eq!(
            printed,
            ["test a ... ok", "failures:", "b panicked", "test result: FAILED.", "successes:", "measured: 1"]
        );
    }

    #[test]
    fn the_last_line_is_the_sum() {
        let good = Outcome { kind: "unit".into(), passed: 5, good: true, ..Outcome::default() };
        let silent = Outcome { kind: "lints".into(), ..Outcome::default() };
        let text = summary(&[good, silent]);
        assert!(text.ends_with("\n5 passed, 1 failed"), "{text}");
        assert!(text.contains("lints  FAILED  -"), "{text}");
    }
}
