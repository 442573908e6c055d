//! The operator's image. cargo builds the program as a static one and knows by
//! itself what has changed; this module puts it into an archive. Unlike what the
//! Containerfile builds it is not optimized, which would take three times as long:
//! it does the same, and how fast is measured elsewhere.

use std::path::PathBuf;
use std::process::Command;

use super::{Archive, of_program};
use crate::progress::Making;
use crate::{Error, repository};

/// The user of the chart's Deployment and of the Containerfile.
const USER: &str = "65532:65532";

/// The archive, made anew where the program has changed.
pub fn archive() -> Result<Archive, Error> {
    of_program("operator", &program()?, USER)
}

/// The program, with glibc in it: it needs nothing of the image that it is in.
fn program() -> Result<PathBuf, Error> {
    let repository = repository();
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--locked", "--package", "strata-operator", "--bin", "strata"])
        // With a target, the flags are not those of build scripts and macros, which cannot be static.
        .args(["--target", &target, "--message-format=json-render-diagnostics"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C strip=symbols")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(&repository);
    let making = Making { what: "the operator for its image", by: "cargo", directory: &repository, count: crates };
    let said = making.run(&mut cargo, || Error::package_missing("cargo", "cargo"))?;
    executable(&said).ok_or_else(|| Error::Unreadable {
        what: "what cargo says of the operator's program".into(),
        reason: "it names no executable".into(),
    })
}

/// How many crates were begun.
fn crates(lines: &[String]) -> String {
    format!("{} crates", lines.iter().filter(|line| line.trim_start().starts_with("Compiling")).count())
}

/// The program among cargo's messages, one JSON object a line.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "strata")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}
