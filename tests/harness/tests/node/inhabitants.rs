//! Who lives in a node: its processes and their namespaces, by the machine's own
//! numbers. It asks the kernel, and changes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The processes in control groups whose path has this in it, by the machine's numbers; without those that have
/// ended and that nobody has asked about.
pub fn processes(group: &str) -> BTreeSet<u32> {
    let numbers = entries(Path::new("/proc")).into_iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok());
    let runs = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    };
    numbers
        .filter(runs)
        .filter(|pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(group))
        })
        .collect()
}

/// The namespaces of processes: a node's, and those of its pods.
pub fn namespaces(pids: &BTreeSet<u32>) -> BTreeSet<PathBuf> {
    let of = |pid: &u32| entries(&PathBuf::from(format!("/proc/{pid}/ns")));
    pids.iter().flat_map(of).filter_map(|link| fs::read_link(link).ok()).collect()
}

/// The numbers of all processes.
pub fn everybody() -> BTreeSet<u32> {
    processes("")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}
