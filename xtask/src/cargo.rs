//! Calling cargo: the one that called us, in the source tree.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::error::Error;

/// A cargo command in the top folder of the source tree.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(harness::repository()).stdin(Stdio::null());
    command
}

/// The command that builds the `strata` program.
const BUILD: [&str; 5] = ["build", "--workspace", "--bin", "strata", "--message-format=json-render-diagnostics"];

/// Builds the `strata` program; returns where it is.
pub fn build_strata() -> Result<PathBuf, Error> {
    build(&BUILD)
}

/// Builds the `strata` program as it is released, but that it knows the lines of its source.
pub fn build_optimized() -> Result<PathBuf, Error> {
    build(&[&BUILD[..], &["--release", "--config=profile.release.debug='line-tables-only'"]].concat())
}

fn build(arguments: &[&str]) -> Result<PathBuf, Error> {
    let failed = |reason: String| Error::Cargo { arguments: arguments.join(" "), reason };
    let output = command(arguments).stderr(Stdio::inherit()).output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    executable(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| failed("it names no program".into()))
}

/// The program among cargo's messages, one JSON object a line.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "strata")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::executable;

    #[test]
    fn finds_the_program() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"strata","kind":["lib"]},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"strata","kind":["bin"]},"executable":"/t/strata"}"#,
            "\n",
        );
        assert_eq!(executable(messages), Some("/t/strata".into()));
        assert_eq!(executable("nothing"), None);
    }
}
