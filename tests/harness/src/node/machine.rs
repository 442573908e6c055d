//! Whether this machine can be a node, asked before anything on it is changed.
//! Every answer that is no is one sentence with its remedy. What is known of the
//! machine is collected first ([`Machine::look`]); the answers are then a matter of
//! reading it, and nothing here changes anything but [`install`], where somebody
//! asked for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::space::{COVERED, MACHINE, PODS, SERVICES};
use crate::{Error, programs};

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

/// Free disk for images, containers and volumes, in MiB: what the end-to-end tests use, and half as much again.
pub const DISK: u64 = 12 << 10;
/// Free memory for control plane, node and the services of one team, in MiB.
pub const MEMORY: u64 = 5 << 10;

/// What names the control groups and folders of nodes, before the process id of whoever started one.
pub(super) const PREFIX: &str = "strata-node";

/// What is known of this machine.
#[derive(Debug, Clone)]
struct Machine {
    system: &'static str,
    root: bool,
    debian: bool,
    /// Packages that are not installed.
    missing: Vec<&'static str>,
    /// Whether namespaces can be made, and what was said when not.
    namespaces: Result<(), String>,
    /// Folders that a node works in.
    folders: Vec<PathBuf>,
    /// Free disk where it keeps images and volumes, in MiB.
    disk: u64,
    /// Free memory, in MiB.
    memory: u64,
    /// Control groups of nodes.
    groups: Vec<String>,
    /// Networks that this machine is in, as routes name them.
    routes: Vec<String>,
}

/// An error, in one sentence, if this machine cannot be a node now.
pub fn check() -> Result<(), Error> {
    let machine = Machine::look();
    machine.verdict().map_err(Error::Unfit)
}

impl Machine {
    /// All that must hold, in the order in which one would mend it.
    fn verdict(&self) -> Result<(), String> {
        self.is_linux()?;
        self.is_root()?;
        self.is_debian()?;
        self.has_packages()?;
        self.has_namespaces()?;
        self.has_its_folders()?;
        self.has_disk()?;
        self.has_memory()?;
        self.has_no_other_node()?;
        self.has_room_in_its_network()
    }

    fn is_linux(&self) -> Result<(), String> {
        let system = self.system;
        holds(system == "linux", || {
            format!("a node needs Linux, and this is {system}: use a virtual machine with Debian")
        })
    }

    fn is_root(&self) -> Result<(), String> {
        holds(self.root, || {
            "a node needs root, for its namespaces and control groups: become root (sudo -E) and try again".into()
        })
    }

    fn is_debian(&self) -> Result<(), String> {
        holds(self.debian, || {
            "a node needs Debian or a system made of it, and there is no apt-get and dpkg-query here: use a virtual \
             machine with Debian"
                .into()
        })
    }

    fn has_packages(&self) -> Result<(), String> {
        let missing = self.missing.join(" ");
        holds(missing.is_empty(), || {
            format!("a node needs Debian packages that are not installed: say --install, or apt-get install {missing}")
        })
    }

    fn has_namespaces(&self) -> Result<(), String> {
        self.namespaces.clone().map_err(|said| {
            format!("a node needs namespaces, and the kernel makes none here ({said}): leave the container, or give it all privileges")
        })
    }

    fn has_its_folders(&self) -> Result<(), String> {
        let hidden = self.folders.iter().find(|folder| COVERED.iter().any(|covered| folder.starts_with(covered)));
        hidden.map_or(Ok(()), |folder| {
            Err(format!(
                "a node hides {} from what runs in it, and {} is in there: set TMPDIR, STRATA_CACHE or both to folders elsewhere",
                COVERED.join(", "),
                folder.display()
            ))
        })
    }

    fn has_disk(&self) -> Result<(), String> {
        let folder = std::env::temp_dir();
        holds(self.disk >= DISK, || {
            format!(
                "a node needs {} GiB of free disk in {}, and there are {}: make room, or set TMPDIR to a folder that has it",
                DISK >> 10,
                folder.display(),
                self.disk >> 10
            )
        })
    }

    fn has_memory(&self) -> Result<(), String> {
        holds(self.memory >= MEMORY, || {
            format!(
                "a node needs {} GiB of free memory, and there are {}: end something, or take a larger machine",
                MEMORY >> 10,
                self.memory >> 10
            )
        })
    }

    fn has_no_other_node(&self) -> Result<(), String> {
        holds(self.groups.is_empty(), || {
            format!(
                "there is a node already, or what is left of one ({}): end the process whose number that is, or say \
                 `cargo xtask node --clean`, which ends and removes it",
                self.groups.join(", ")
            )
        })
    }

    fn has_room_in_its_network(&self) -> Result<(), String> {
        let own = format!("{MACHINE}/30");
        let networks = [own.as_str(), SERVICES, PODS];
        let taken = self.routes.iter().find(|route| networks.iter().any(|network| overlap(route, network)));
        taken.map_or(Ok(()), |route| {
            Err(format!(
                "a node uses the networks {}, and this machine has a route to {route}: remove that route, or use \
                 another machine",
                networks.join(", ")
            ))
        })
    }

    /// Collects it all; asks the machine, changes nothing.
    fn look() -> Self {
        let folders = vec![std::env::temp_dir(), programs::cache(), crate::repository()];
        Self {
            system: std::env::consts::OS,
            root: fs::read_to_string("/proc/self/status").is_ok_and(|status| is_root(&status)),
            debian: ["apt-get", "dpkg-query"].iter().all(|program| said(program, &["--version"]).is_ok()),
            missing: missing(&installed()),
            namespaces: said("unshare", &["--net", "--mount", "--pid", "--fork", "true"]).map(drop),
            folders,
            disk: free_disk(&std::env::temp_dir()),
            memory: fs::read_to_string("/proc/meminfo").map(|text| free_memory(&text)).unwrap_or_default(),
            groups: groups(),
            routes: said("ip", &["-4", "route", "show", "table", "all"]).map(|text| routes(&text)).unwrap_or_default(),
        }
    }
}

/// Installs what is missing, with apt-get; says so on standard error.
pub fn install() -> Result<(), Error> {
    let machine = Machine::look();
    let first = machine.is_linux().and_then(|()| machine.is_root()).and_then(|()| machine.is_debian());
    first.map_err(Error::Unfit)?;
    if machine.missing.is_empty() {
        return Ok(());
    }
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(&machine.missing);
    eprintln!("apt-get {}", arguments.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        // Its progress is not the output of whoever called us.
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    // Lists of packages that are old name versions that are gone.
    let done = apt(&arguments) || (apt(&["update"]) && apt(&arguments));
    let remedy = || Error::Unfit(format!("`apt-get {}` failed: mend it, and try again", arguments.join(" ")));
    if done { Ok(()) } else { Err(remedy()) }
}

/// The names of all control groups of nodes, in any hierarchy.
pub(super) fn groups() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut names = BTreeSet::new();
    for mount in mounts.lines().filter(|line| line.contains(" - cgroup")) {
        let Some(folder) = mount.split(' ').nth(4) else { continue };
        names.extend(entries(Path::new(folder)));
    }
    names.into_iter().collect()
}

/// What in a folder has the name of something of a node.
pub(super) fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(PREFIX))
        .collect()
}

fn holds(good: bool, sentence: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(sentence()) }
}

/// What a program prints; or, in a line, why it failed.
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

/// The names of installed packages, a line each, among those that matter.
fn installed() -> String {
    let mut command = Command::new("dpkg-query");
    command.args(["--show", "--showformat=${db:Status-Status} ${Package}\\n"]).args(PACKAGES).stdin(Stdio::null());
    // It fails where one is not known, and prints the others.
    command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn missing(installed: &str) -> Vec<&'static str> {
    let is_there = |name: &&str| installed.lines().any(|line| line == format!("installed {name}"));
    PACKAGES.into_iter().filter(|name| !is_there(name)).collect()
}

/// Free disk for a folder, in MiB.
fn free_disk(folder: &Path) -> u64 {
    let printed = said("df", &["--output=avail", "--block-size=1M", &folder.display().to_string()]);
    printed.ok().and_then(|text| text.lines().last()?.trim().parse().ok()).unwrap_or_default()
}

/// What `/proc/meminfo` calls available, in MiB.
fn free_memory(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() >> 10
}

/// The destinations of routes, without the one for everything else.
fn routes(printed: &str) -> Vec<String> {
    const KINDS: [&str; 4] = ["local", "broadcast", "unreachable", "blackhole"];
    let destination = |line: &str| line.split_whitespace().find(|word| !KINDS.contains(word)).map(ToOwned::to_owned);
    printed.lines().filter_map(destination).filter(|word| word != "default").collect()
}

/// Whether two networks, or a network and an address, have an address in common.
fn overlap(one: &str, other: &str) -> bool {
    let range = |text: &str| -> Option<(u32, u32)> {
        let (address, length) = text.split_once('/').unwrap_or((text, "32"));
        let address = u32::from(address.parse::<std::net::Ipv4Addr>().ok()?);
        let mask = u32::MAX.checked_shl(32 - length.parse::<u32>().ok().filter(|length| *length <= 32)?).unwrap_or(0);
        Some((address & mask, address | !mask))
    };
    matches!((range(one), range(other)), (Some(one), Some(other)) if one.0 <= other.1 && other.0 <= one.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit() -> Machine {
        Machine {
            system: "linux",
            root: true,
            debian: true,
            missing: Vec::new(),
            namespaces: Ok(()),
            folders: vec!["/tmp".into(), "/home/ana/.cache/strata-operator".into()],
            disk: DISK,
            memory: MEMORY,
            groups: Vec::new(),
            routes: vec!["192.0.2.0/24".into(), "127.0.0.0/8".into()],
        }
    }

    /// What is said of a machine that is fit but for one thing.
    fn said_of(change: impl FnOnce(&mut Machine)) -> String {
        let mut machine = fit();
        assert_eq!(machine.verdict(), Ok(()));
        change(&mut machine);
        machine.verdict().unwrap_err()
    }

    #[test]
    fn every_answer_is_a_sentence_with_its_remedy() {
        let said = [
            (said_of(|machine| machine.system = "macos"), "this is macos: use a virtual machine"),
            (said_of(|machine| machine.root = false), "become root"),
            (said_of(|machine| machine.debian = false), "no apt-get and dpkg-query here: use"),
            (said_of(|machine| machine.missing = vec!["runc", "mount"]), "--install, or apt-get install runc mount"),
            (said_of(|machine| machine.namespaces = Err("unshare failed".into())), "(unshare failed): leave"),
            (
                said_of(|machine| machine.folders.push("/run/user/1000".into())),
                "/run/user/1000 is in there: set TMPDIR",
            ),
            (said_of(|machine| machine.disk = DISK - 1), "12 GiB of free disk"),
            (said_of(|machine| machine.memory = 1 << 10), "5 GiB of free memory, and there are 1: end"),
            (said_of(|machine| machine.groups.push("strata-node-12".into())), "(strata-node-12): end the process"),
            (said_of(|machine| machine.routes.push("10.0.0.0/8".into())), "a route to 10.0.0.0/8: remove"),
        ];
        for (sentence, part) in said {
            assert!(sentence.contains(part), "{sentence}");
            assert!(!sentence.contains('\n') && !sentence.contains(". "), "one sentence: {sentence}");
        }
    }

    #[test]
    fn packages_are_missing_unless_they_are_installed() {
        let all = PACKAGES.map(|name| format!("installed {name}")).join("\n");
        assert!(missing(&all).is_empty());
        assert_eq!(missing(&all.replace("installed runc", "config-files runc")), ["runc"]);
        assert_eq!(missing("").len(), PACKAGES.len());
    }

    #[test]
    fn the_machine_is_read_as_it_writes() {
        assert!(is_root("Name:\tx\nUid:\t0\t0\t0\t0\n"));
        assert!(!is_root("Uid:\t0\t1000\t0\t0\n"), "the user that counts is the second");
        assert_eq!(free_memory("MemTotal: 9\nMemAvailable:   2097152 kB\n"), 2048);
        let printed = "default via 192.0.2.1 dev eth0\n10.96.0.0/16 via 172.30.0.2 dev a\nlocal 127.0.0.1 dev lo\n";
        assert_eq!(routes(printed), ["10.96.0.0/16", "127.0.0.1"]);
    }

    #[test]
    fn networks_overlap_where_they_share_an_address() {
        assert!(overlap("10.0.0.0/8", SERVICES));
        assert!(overlap("10.96.3.4", SERVICES));
        assert!(!overlap("10.97.0.0/16", SERVICES));
        assert!(overlap("0.0.0.0/0", PODS));
        assert!(!overlap("fe80::/64", PODS), "of the other family");
    }
}
