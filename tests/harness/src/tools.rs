//! Tools that look at the source tree: each of one version, installed once into the
//! cache beside the programs. Nothing here runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::cache;
use crate::programs::{blocking, cache as folder};
use crate::progress::Making;

/// The version of cargo-deny.
const DENY: &str = "0.20.2";
/// The version of ruff.
const RUFF: &str = "0.17.5";
/// An installation waits for a running one.
const LOCK: &str = "lock-tools";

/// cargo-deny, which checks licences, bans and sources; builds it only if it may be installed.
pub async fn cargo_deny(install: bool) -> Result<PathBuf, Error> {
    blocking(move || {
        let target = folder().join(format!("cargo-deny-{DENY}"));
        if !install && !target.is_dir() {
            let tool = format!("cargo-deny {DENY}");
            return Err(Error::ToolMissing { tool, remedy: "say --install, which builds it once".into() });
        }
        cache::make(&target, LOCK, "cargo-deny", build_deny)?;
        Ok(target.join("bin/cargo-deny"))
    })
    .await
}

/// Without optimization: it runs for seconds, and is built in a third of the time.
fn build_deny(partial: &Path) -> Result<(), Error> {
    let parent = partial.parent().unwrap_or(partial);
    let sources = partial.join("target");
    let what = format!("cargo-deny {DENY}");
    let making = Making { what: &what, by: "cargo", directory: parent, count: crates };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["install", "cargo-deny", "--locked", "--version", DENY, "--debug", "--root"])
        .arg(partial)
        .arg("--target-dir")
        .arg(&sources)
        .current_dir(parent)
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    making.run(&mut cargo, || missing("cargo", "install Rust"))?;
    fs::remove_dir_all(&sources).map_err(Error::file("remove", &sources))
}

/// How many crates were begun.
fn crates(lines: &[String]) -> String {
    format!("{} crates", lines.iter().filter(|line| line.trim_start().starts_with("Compiling ")).count())
}

/// ruff, which checks the programs of engines; installs it from `PyPI`.
pub async fn ruff() -> Result<PathBuf, Error> {
    blocking(|| {
        let target = folder().join(format!("ruff-{RUFF}"));
        cache::make(&target, LOCK, "ruff", install_ruff)?;
        Ok(target.join("bin/ruff"))
    })
    .await
}

fn install_ruff(partial: &Path) -> Result<(), Error> {
    let what = format!("ruff {RUFF}");
    let parent = partial.parent().unwrap_or(partial);
    let making = |what, by| Making { what, by, directory: parent, count: |_| String::new() };
    let python = || missing("python3", "install Python 3.9 or newer, with its module venv");
    let environment = making("a virtual environment for ruff", "Python");
    environment.run(Command::new("python3").args(["-m", "venv"]).arg(partial), python)?;
    let mut pip = Command::new(partial.join("bin/python3"));
    pip.args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--only-binary=:all:"]);
    making(&what, "pip").run(pip.arg(format!("ruff=={RUFF}")), python).map(drop)
}

/// The Python that runs the tests of programs.
pub fn python() -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("python3")).find(|file| file.is_file());
    found.ok_or_else(|| missing("python3", "install Python 3.9 or newer"))
}

fn missing(tool: &str, remedy: &str) -> Error {
    Error::ToolMissing { tool: tool.into(), remedy: remedy.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_built_that_may_not_be_installed() {
        match cargo_deny(false).await {
            Ok(program) => assert!(program.is_file()),
            Err(error) => assert!(error.to_string().contains("--install"), "{error}"),
        }
    }
}
