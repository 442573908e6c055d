//! The steps of `cargo xtask test` in their order, with their commands.
//! Whether they pass is [`crate::test`]'s to say.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::{programs, tools};

use crate::cargo;

/// Files in `tests/`, in the order in which they run; any other comes before the last.
const ORDER: [&str; 9] = ["crd", "golden", "status", "properties", "faults", "chart", "admission", "fence", "cluster"];
/// Files in `tests/` and in `tests/harness/tests/` that need a real node, or what a node needs.
pub const OF_NODE: [&str; 3] = ["enforcer", "node", "isolation"];

/// The memory for each object of 50 teams, at rest, after a restart and after a flood.
const MEMORY: &str = "xtask bench memory --unoptimized --teams 0,50 --flood 50 --bound 6";

/// It needs a database that cannot be had everywhere.
const ADVISORIES: &str = "advisories";

/// One thing to run.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name for people.
    pub kind: String,
    /// Its command.
    tool: Tool,
    arguments: Vec<String>,
}

/// The command of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Cargo,
    Deny,
    Python,
    Ruff,
    Actionlint,
}

impl Step {
    fn new(kind: &str, tool: Tool, arguments: &str) -> Self {
        Self { kind: kind.into(), tool, arguments: arguments.split_whitespace().map(Into::into).collect() }
    }

    fn of_cargo(kind: &str, arguments: &str) -> Self {
        Self::new(kind, Tool::Cargo, arguments)
    }

    /// The command line, as it is shown.
    #[must_use]
    pub fn line(&self) -> String {
        let tool = match self.tool {
            Tool::Cargo => "cargo",
            Tool::Deny => "cargo deny",
            Tool::Python => "python3",
            Tool::Ruff => "ruff",
            Tool::Actionlint => "actionlint",
        };
        format!("{tool} {}", self.arguments.join(" ")).trim_end().to_owned()
    }

    /// The command in the top folder of the source tree, or why it cannot be run on this
    /// machine. What takes minutes to install is installed only if that is allowed.
    pub async fn command(&self, install: bool) -> Result<Command, String> {
        let program = match self.tool {
            Tool::Cargo => return Ok(cargo::command(&self.words())),
            Tool::Deny => tools::cargo_deny(install).await,
            Tool::Python => tools::python(),
            Tool::Ruff => tools::ruff().await,
            Tool::Actionlint => programs::actionlint().await,
        };
        let program = program.map_err(|error| one_line(&error.to_string()))?;
        if self.kind == ADVISORIES && !succeeds(&program, &["fetch", "db"]) {
            return Err("the advisory database cannot be fetched from here".into());
        }
        Ok(here(&program, &self.words()))
    }

    fn words(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }
}

/// The program in the top folder of the source tree.
fn here(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(harness::repository()).stdin(Stdio::null());
    command
}

/// Whether the program does this without complaint.
fn succeeds(program: &Path, arguments: &[&str]) -> bool {
    let status = here(program, arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// An error of many lines, of which the last says why.
fn one_line(error: &str) -> String {
    let mut lines = error.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    lines.next_back().map_or_else(|| first.to_owned(), |last| format!("{first} {}", last.trim()))
}

/// Everything that needs no node, in the order in which it is quickest to learn that
/// something does not hold. Always of the whole workspace: another selection has other
/// features, and would build every dependency again.
#[must_use]
pub fn steps(files: &BTreeSet<String>) -> Vec<Step> {
    let mut steps = vec![
        Step::of_cargo("format", "fmt --all --check"),
        Step::new("programs-lint", Tool::Ruff, "check --no-cache engines tests/programs deploy/tour"),
        Step::new("programs", Tool::Python, "tests/programs/run.py"),
        Step::new("workflows", Tool::Actionlint, "-shellcheck= -pyflakes="),
        Step::of_cargo("lints", "clippy --workspace --all-targets --quiet -- -D warnings"),
        Step::of_cargo("unit", "test --workspace --lib --bins"),
        Step::of_cargo("documentation", "test --workspace --doc"),
    ];
    let (last, known) = ORDER.split_last().unwrap_or((&"cluster", &[]));
    let others = files.iter().map(String::as_str).filter(|file| !ORDER.contains(file) && !OF_NODE.contains(file));
    let all = known.iter().copied().filter(|file| files.contains(*file)).chain(others);
    steps.extend(all.map(|file| Step::of_cargo(file, &format!("test --workspace --test {file}"))));
    steps.push(Step::of_cargo("harness", "test --workspace --test control_plane --test simulate"));
    if files.contains(*last) {
        // Their measurements are printed when they pass, too.
        steps.push(Step::of_cargo(last, &format!("test --workspace --test {last} -- --show-output")));
    }
    steps.push(Step::of_cargo("memory", MEMORY));
    steps.push(Step::new("licences", Tool::Deny, "check bans licenses sources"));
    steps.push(Step::new(ADVISORIES, Tool::Deny, "check --disable-fetch advisories"));
    steps
}

/// The tests of a real node, including ignored ones; their measurements are printed. Two files
/// have the name `node`: the second runs although the first failed.
#[must_use]
pub fn steps_of_node() -> Vec<Step> {
    let step = |file: &&str| {
        Step::of_cargo(
            file,
            &format!("test --workspace --no-fail-fast --test {file} -- --include-ignored --show-output"),
        )
    };
    OF_NODE.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_tests_come_last_and_new_files_are_not_forgotten() {
        let files = ["cluster", "crd", "isolation", "node", "novel"].map(String::from).into();
        let kinds: Vec<String> = steps(&files).into_iter().map(|step| step.kind).collect();
        assert_eq!(
            kinds,
            [
                "format",
                "programs-lint",
                "programs",
                "workflows",
                "lints",
                "unit",
                "documentation",
                "crd",
                "novel",
                "harness",
                "cluster",
                "memory",
                "licences",
                "advisories"
            ]
        );
    }

    #[test]
    fn an_error_is_printed_on_one_line() {
        assert_eq!(one_line("ruff is not installed: say --install"), "ruff is not installed: say --install");
        assert_eq!(
            one_line("cannot build ruff in /c:\nCollecting\n\n  no network\n"),
            "cannot build ruff in /c: no network"
        );
    }

    #[test]
    fn a_step_is_shown_as_people_would_call_it() {
        assert_eq!(Step::new("licences", Tool::Deny, "check bans").line(), "cargo deny check bans");
        assert_eq!(Step::new("workflows", Tool::Actionlint, "").line(), "actionlint");
    }
}
