//! Where the memory of a process went, by the tools of heaptrack (a Debian package):
//! which of our functions asked for what is still held when the process is killed,
//! and for what was held at its peak.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::table::table;

/// What is loaded into the process.
const RECORDER: &str = "/usr/lib/heaptrack/libheaptrack_preload.so";
/// What makes names of addresses.
const INTERPRETER: &str = "/usr/lib/heaptrack/libexec/heaptrack_interpret";
/// How many places are printed.
const PLACES: usize = 12;

/// A program that runs `strata` and records into the file `raw` beside it.
pub fn recorded(strata: &Path, folder: &Path) -> Result<PathBuf, Error> {
    use std::os::unix::fs::PermissionsExt;
    if !Path::new(RECORDER).exists() {
        return Err(Error::Measurement("a profile needs the Debian package heaptrack".into()));
    }
    let (wrapper, raw) = (folder.join("recorded"), raw(folder));
    let script = format!(
        "#!/bin/sh\nDUMP_HEAPTRACK_OUTPUT='{}' LD_PRELOAD={RECORDER} exec '{}' \"$@\"\n",
        raw.display(),
        strata.display()
    );
    fs::write(&wrapper, script).map_err(Error::file(format!("write {}", wrapper.display())))?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))
        .map_err(Error::file(format!("make {} a program", wrapper.display())))?;
    Ok(wrapper)
}

fn raw(folder: &Path) -> PathBuf {
    folder.join("raw")
}

/// Who holds what, in print. The process must have been killed: what it gives back at its end would not be seen.
pub fn report(folder: &Path) -> Result<String, Error> {
    let interpreted = folder.join("interpreted");
    let input = File::open(raw(folder)).map_err(Error::file("read what was recorded"))?;
    let output = File::create(&interpreted).map_err(Error::file(format!("write {}", interpreted.display())))?;
    run(Command::new(INTERPRETER).stdin(input).stdout(output))?;
    let mut texts = Vec::new();
    for (cost, title) in [("leaked", "held when it was looked at"), ("peak", "held at the peak")] {
        let stacks = folder.join(cost);
        let mut print = Command::new("heaptrack_print");
        print.arg("--file").arg(&interpreted).arg("--print-flamegraph").arg(&stacks);
        run(print.args(["--flamegraph-cost-type", cost]).stdout(Stdio::null()))?;
        let stacks = fs::read_to_string(&stacks).map_err(Error::file("read the stacks"))?;
        texts.push(format!("{title}:\n{}", places(&stacks)));
    }
    Ok(texts.join("\n"))
}

fn run(command: &mut Command) -> Result<(), Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stderr(Stdio::null()).status().map_err(Error::file(format!("run {name}")))?;
    if status.success() { Ok(()) } else { Err(Error::Measurement(format!("{name}: {status}"))) }
}

/// The largest places of `frame;frame;... bytes`, each the innermost functions of ours.
fn places(stacks: &str) -> String {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (stack, bytes) in stacks.lines().filter_map(|line| line.rsplit_once(' ')) {
        *sums.entry(place(stack)).or_default() += bytes.parse::<u64>().unwrap_or_default();
    }
    let all: u64 = sums.values().sum();
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let row = |(place, bytes): (String, u64)| vec![format!("{} KiB", bytes / 1024), place];
    let rows: Vec<_> = [("all of it".to_owned(), all)].into_iter().chain(sums).take(PLACES + 1).map(row).collect();
    table(&["HELD", "BY"], &rows)
}

/// The two innermost frames of ours; without any, the outermost that says something.
fn place(stack: &str) -> String {
    let frames: Vec<&str> = stack.split(';').collect();
    let ours: Vec<&str> = frames.iter().rev().filter(|frame| is_ours(frame)).take(2).copied().collect();
    if ours.is_empty() {
        let kept = frames.iter().rev().find(|frame| frame.contains("::") && !frame.contains("alloc::"));
        return format!("(not ours) {}", kept.copied().unwrap_or("?"));
    }
    ours.join(" < ")
}

fn is_ours(frame: &str) -> bool {
    frame.starts_with("strata::") || frame.starts_with("<strata::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_functions_of_ours_are_named() {
        let stacks = "main;strata::run;strata::store::kept;serde_json::to_value;alloc::alloc 2048\n\
                      main;strata::run;strata::store::kept;alloc::alloc 1024\n\
                      main;hyper::poll;alloc::alloc 512\n";
        let text = places(stacks);
        assert!(text.contains("3 KiB  strata::store::kept < strata::run"), "{text}");
        assert!(text.contains("(not ours) hyper::poll") && text.contains("3 KiB  all of it"), "{text}");
    }
}
