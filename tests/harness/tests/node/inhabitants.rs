//! Who lives in a node: its processes and their namespaces, by the machine's own
//! numbers. It asks the kernel, and changes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A process: its number, which another has after it, and when it started, by the kernel's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub pid: u32,
    pub started: u64,
}

/// The processes in control groups whose path has this in it, by the machine's numbers; without those that have
/// ended and that nobody has asked about.
pub fn processes(group: &str) -> BTreeSet<Process> {
    let numbers = entries(Path::new("/proc")).into_iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok());
    numbers
        .filter_map(process)
        .filter(|process| {
            fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).is_ok_and(|groups| groups.contains(group))
        })
        .collect()
}

/// The process of this number, if it runs.
fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may hold anything: the state, and as the twentieth the start.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    (fields[0] != "Z").then_some(Process { pid, started: fields.get(19)?.parse().ok()? })
}

/// The namespaces of processes: a node's, and those of its pods.
pub fn namespaces(processes: &BTreeSet<Process>) -> BTreeSet<PathBuf> {
    let of = |process: &Process| entries(&PathBuf::from(format!("/proc/{}/ns", process.pid)));
    processes.iter().flat_map(of).filter_map(|link| fs::read_link(link).ok()).collect()
}

/// Every process.
pub fn everybody() -> BTreeSet<Process> {
    processes("")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}
