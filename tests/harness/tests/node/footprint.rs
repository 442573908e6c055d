//! What a node could leave on a machine: looked at before, and again after. Others
//! make and end things at the same time, and that is their business: only what a
//! node makes is looked for, by where it would be and what it would be called, and
//! only whether it is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What the folders and control groups of nodes begin with, before the process id of whoever started one.
const PREFIX: &str = "strata-node-";
/// What the machine's interfaces to nodes begin with, before the same.
const INTERFACE: &str = "strata";

/// How long the kernel may take to be rid of namespaces.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the programs of a node keep files, if nothing keeps them from it.
const FOLDERS: [&str; 4] = ["/var/lib", "/var/log", "/run", "/etc/cni"];
/// What those files would be called.
const FILES: [&str; 10] =
    ["kubelet", "containerd", "cni", "volumes", "pods", "containers", "runc", "net.d", "nri", "kube-proxy"];
/// The tables of rules that programs of a node make, in a network of its own.
const TABLES: [&str; 2] = ["kube-proxy", "strata_policies"];
/// What the runtime calls the networks of pods.
const NETWORKS: &str = "cni-";
/// Kernel settings of the whole machine that kubelet and kube-proxy set, if nothing keeps them from it.
const SETTINGS: [&str; 11] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/bridge/bridge-nf-call-iptables",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
];

/// A look at the machine: one line for each thing, its kind and its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint(BTreeSet<String>);

impl Footprint {
    pub fn look() -> Self {
        let mut things = BTreeSet::new();
        things.extend(lines("mount ", &fs::read_to_string("/proc/self/mounts").unwrap()));
        things.extend(lines("route ", &printed("ip", &["route", "show", "table", "all"])));
        things.extend(lines("rules ", &printed("nft", &["list", "tables"])));
        things.extend(names("interface ", Path::new("/sys/class/net")));
        things.extend(names("network ", Path::new("/run/netns")));
        things.extend(devices());
        for folder in FOLDERS {
            things.extend(entries(Path::new(folder)).iter().map(|path| format!("file {}", path.display())));
        }
        for line in
            fs::read_to_string("/proc/self/mountinfo").unwrap().lines().filter(|line| line.contains(" - cgroup"))
        {
            groups(Path::new(line.split(' ').nth(4).unwrap()), &mut things);
        }
        things.extend(SETTINGS.iter().map(|name| {
            let value = fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default();
            format!("setting {name} = {}", value.trim())
        }));
        Self(things)
    }

    /// Waits until nothing of the node with this folder is left that was not there in this look.
    pub fn is_back(&self, folder: &Path) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = self.left(&Self::look(), folder);
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {left:#?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// What is there now, was not in this look, and is what the node with this folder makes.
    pub fn left(&self, now: &Self, folder: &Path) -> Vec<String> {
        let name = folder.file_name().unwrap().to_str().unwrap();
        now.0.difference(&self.0).filter(|thing| is_made(thing, name)).cloned().collect()
    }
}

impl<'a> FromIterator<&'a str> for Footprint {
    fn from_iter<T: IntoIterator<Item = &'a str>>(things: T) -> Self {
        Self(things.into_iter().map(ToOwned::to_owned).collect())
    }
}

/// Whether a node whose folder and control groups have this name makes such a thing.
fn is_made(thing: &str, node: &str) -> bool {
    let (kind, name) = thing.split_once(' ').unwrap_or_default();
    let pid = node.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()).unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    let mut words = name.split_whitespace();
    match kind {
        "group" | "mount" | "device" => name.split(['/', ' ']).any(|part| part == node),
        "interface" | "route" => words.any(|word| word == format!("{INTERFACE}{pid}")),
        "rules" => words.last().is_some_and(|table| TABLES.contains(&table)),
        "network" => last.starts_with(NETWORKS),
        "file" => FILES.contains(&last),
        "setting" => true,
        _ => false,
    }
}

fn lines(kind: &str, text: &str) -> Vec<String> {
    text.lines().map(|line| format!("{kind}{}", line.trim())).collect()
}

fn printed(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn names(kind: &str, folder: &Path) -> Vec<String> {
    let name = |path: &PathBuf| Some(format!("{kind}{}", path.file_name()?.to_str()?));
    entries(folder).iter().filter_map(name).collect()
}

/// Block devices that stand on a file, with the file: volumes are such.
fn devices() -> Vec<String> {
    let file = |device: &PathBuf| fs::read_to_string(device.join("loop/backing_file")).ok();
    let devices = entries(Path::new("/sys/block"));
    devices.iter().filter_map(|device| Some(format!("device {} {}", device.display(), file(device)?.trim()))).collect()
}

fn groups(folder: &Path, things: &mut BTreeSet<String>) {
    for path in entries(folder).into_iter().filter(|path| path.is_dir()) {
        things.insert(format!("group {}", path.display()));
        groups(&path, things);
    }
}
