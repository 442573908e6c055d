//! What is known of this machine that decides whether it can be a node: collected
//! before anything on it is changed. Nothing here changes anything but [`install`],
//! where somebody asked for it; what the answers mean is [`super::fitness`]'s.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, image, programs};

/// The Debian packages that a node needs, beside Go and what every Debian has.
pub const PACKAGES: [&str; 7] = [
    // Starts containers for containerd.
    "runc",
    // The network of pods.
    "containernetworking-plugins",
    // Services (kube-proxy) and NetworkPolicies.
    "nftables",
    // Interfaces and routes.
    "iproute2",
    // Namespaces: unshare and nsenter.
    "util-linux",
    "mount",
    // Volumes.
    "e2fsprogs",
];

/// What names the control groups and folders of nodes, before the process id of whoever started one.
pub(super) const PREFIX: &str = "strata-node";
/// The same, of the machine's interface to a node; such a name is short.
pub(super) const INTERFACE: &str = "strata";

/// The facts of this machine.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub system: &'static str,
    pub root: bool,
    pub debian: bool,
    /// Packages that are not installed.
    pub missing: Vec<&'static str>,
    /// Whether namespaces can be made, and the error if not.
    pub namespaces: Result<(), String>,
    /// Folders that a node works in.
    pub folders: Vec<PathBuf>,
    /// Free disk where it keeps images and volumes, in MiB.
    pub disk: u64,
    /// Free memory, in MiB.
    pub memory: u64,
    /// Control groups of nodes without an owner.
    pub left: Vec<String>,
    /// Networks that this machine has routes to, and by which interface.
    pub routes: Vec<(String, String)>,
}

/// An error, in one sentence, if this machine cannot be a node now.
pub fn check() -> Result<(), Error> {
    let machine = Machine::look();
    machine.verdict().map_err(Error::Unfit)
}

impl Machine {
    /// Collects it all; asks the machine, changes nothing.
    fn look() -> Self {
        let folders = vec![std::env::temp_dir(), programs::cache(), crate::repository()];
        Self {
            system: std::env::consts::OS,
            root: fs::read_to_string("/proc/self/status").is_ok_and(|status| is_root(&status)),
            debian: ["apt-get", "dpkg-query"].iter().all(|program| said(program, &["--version"]).is_ok()),
            missing: missing(&PACKAGES),
            namespaces: said("unshare", &["--net", "--mount", "--pid", "--fork", "true"]).map(drop),
            folders,
            disk: free_disk(&std::env::temp_dir()),
            memory: fs::read_to_string("/proc/meminfo").map(|text| free_memory(&text)).unwrap_or_default(),
            left: left(),
            routes: said("ip", &["-4", "route", "show", "table", "all"]).map(|text| routes(&text)).unwrap_or_default(),
        }
    }
}

/// Installs missing packages with apt-get, with a note on standard error.
pub fn install() -> Result<(), Error> {
    let machine = Machine::look();
    let first = machine.is_linux().and_then(|()| machine.is_root()).and_then(|()| machine.is_debian());
    first.map_err(Error::Unfit)?;
    let missing = missing(&[&PACKAGES[..], &image::PACKAGES].concat());
    if missing.is_empty() {
        return Ok(());
    }
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(missing);
    eprintln!("apt-get {}", arguments.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        // Its progress is not the output of the caller.
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    // Lists of packages that are old name versions that are gone.
    let done = apt(&arguments) || (apt(&["update"]) && apt(&arguments));
    let remedy = || Error::Unfit(format!("`apt-get {}` failed: fix it, and try again", arguments.join(" ")));
    if done { Ok(()) } else { Err(remedy()) }
}

/// The names of all control groups of nodes, in any hierarchy.
pub(super) fn groups() -> BTreeSet<String> {
    hierarchies().iter().flat_map(|folder| entries(folder)).collect()
}

/// The control groups of nodes whose starter has ended, and that nobody else can be in: processes of another PID
/// namespace have the number zero here, and of their starters nothing is known.
pub(super) fn left() -> Vec<String> {
    let foreign = |group: &String| hierarchies().iter().any(|folder| processes(&folder.join(group)).contains("0"));
    groups().into_iter().filter(|name| has_ended(name) && !foreign(name)).collect()
}

/// Whether the process that started the node of this name has ended.
pub(super) fn has_ended(name: &str) -> bool {
    starter(name).is_none_or(|pid| !Path::new("/proc").join(pid).exists())
}

/// The process id in a name such as `strata-node-4711-0`.
fn starter(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-').next().filter(|pid| pid.parse::<u32>().is_ok())
}

/// The numbers of the processes in a control group, and in those below it.
fn processes(group: &Path) -> BTreeSet<String> {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut all: BTreeSet<String> = own.lines().map(ToOwned::to_owned).collect();
    for entry in fs::read_dir(group).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(processes(&entry.path()));
        }
    }
    all
}

/// Where hierarchies of control groups are mounted.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let groups = mounts.lines().filter(|line| line.contains(" - cgroup"));
    groups.filter_map(|line| line.split(' ').nth(4).map(PathBuf::from)).collect()
}

/// The entries of a folder with the name of a part of a node.
pub(super) fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(PREFIX))
        .collect()
}

/// The output of a program; or, in a line, the cause of its failure.
fn said(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "))
}

/// Whether `/proc/self/status` is of a process of root.
fn is_root(status: &str) -> bool {
    status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

/// Which of these packages are not installed.
fn missing(packages: &[&'static str]) -> Vec<&'static str> {
    let mut command = Command::new("dpkg-query");
    command.args(["--show", "--showformat=${db:Status-Status} ${Package}\\n"]).args(packages).stdin(Stdio::null());
    // It fails where one is not known, and prints the others.
    let printed = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    not_in(&printed.unwrap_or_default(), packages)
}

fn not_in(printed: &str, packages: &[&'static str]) -> Vec<&'static str> {
    let is_there = |name: &&str| printed.lines().any(|line| line == format!("installed {name}"));
    packages.iter().copied().filter(|name| !is_there(name)).collect()
}

/// Free disk for a folder, in MiB.
fn free_disk(folder: &Path) -> u64 {
    let printed = said("df", &["--output=avail", "--block-size=1M", &folder.display().to_string()]);
    printed.ok().and_then(|text| text.lines().last()?.trim().parse().ok()).unwrap_or_default()
}

/// The available memory of `/proc/meminfo`, in MiB.
fn free_memory(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() >> 10
}

/// Destination and interface of every route but the one for everything else.
fn routes(printed: &str) -> Vec<(String, String)> {
    const KINDS: [&str; 4] = ["local", "broadcast", "unreachable", "blackhole"];
    let route = |line: &str| {
        let destination = line.split_whitespace().find(|word| !KINDS.contains(word))?.to_owned();
        let interface = line.split_whitespace().skip_while(|word| *word != "dev").nth(1).unwrap_or_default();
        (destination != "default").then(|| (destination, interface.to_owned()))
    };
    printed.lines().filter_map(route).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_missing_unless_they_are_installed() {
        let all = PACKAGES.map(|name| format!("installed {name}")).join("\n");
        assert!(not_in(&all, &PACKAGES).is_empty());
        assert_eq!(not_in(&all.replace("installed runc", "config-files runc"), &PACKAGES), ["runc"]);
        assert_eq!(not_in("", &PACKAGES).len(), PACKAGES.len());
    }

    #[test]
    fn a_name_says_who_started_it() {
        assert_eq!(starter("strata-node-4711-0"), Some("4711"));
        assert_eq!(starter("strata-node"), None);
        assert_eq!(starter("strata-nodes-4711"), None);
        assert!(has_ended("strata-node-4294967295-0"));
        assert!(!has_ended(&format!("strata-node-{}-0", std::process::id())) || !cfg!(target_os = "linux"));
    }

    #[test]
    fn the_machine_is_read_as_it_writes() {
        assert!(is_root("Name:\tx\nUid:\t0\t0\t0\t0\n"));
        assert!(!is_root("Uid:\t0\t1000\t0\t0\n"), "the user that counts is the second");
        assert_eq!(free_memory("MemTotal: 9\nMemAvailable:   2097152 kB\n"), 2048);
        let printed = "default via 192.0.2.1 dev eth0\n10.96.0.0/16 via 172.30.0.2 dev a\nlocal 127.0.0.1 dev lo\n";
        let found = [("10.96.0.0/16", "a"), ("127.0.0.1", "lo")];
        assert_eq!(routes(printed), found.map(|(to, by)| (to.to_owned(), by.to_owned())));
    }
}
