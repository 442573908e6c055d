//! What a node could leave on a machine: looked at before, and again after. It
//! knows nothing of what a node is but the name that its control groups begin with.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What the control groups of nodes begin with.
const PREFIX: &str = "strata-node-";

/// How long the kernel may take to be rid of namespaces.
const PATIENCE: Duration = Duration::from_secs(30);

/// Folders of kernel settings in which kubelet, kube-proxy and containerd set something, or might.
const SETTINGS: [&str; 5] =
    ["/proc/sys/vm", "/proc/sys/kernel/keys", "/proc/sys/net/ipv4", "/proc/sys/net/bridge", "/proc/sys/net/netfilter"];
/// Single ones, in a folder where others count something.
const SETTING: [&str; 4] = ["panic", "panic_on_oops", "pid_max", "threads-max"];
/// Settings that are counters.
const COUNTERS: [&str; 2] = ["nf_conntrack_count", "inet_peer_"];

/// A look at the machine: one line for each thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint(BTreeSet<String>);

impl Footprint {
    pub fn look() -> Self {
        let mut things = BTreeSet::new();
        things.extend(lines("mount ", &fs::read_to_string("/proc/self/mounts").unwrap()));
        things.extend(lines("route ", &printed("ip", &["route", "show", "table", "all"])));
        things.extend(lines("rule ", &printed("nft", &["list", "ruleset"])));
        for (kind, folder) in [("interface", "/sys/class/net"), ("device", "/sys/block"), ("network", "/run/netns")] {
            things.extend(entries(Path::new(folder)).iter().map(|path| format!("{kind} {}", path.display())));
        }
        for folder in ["/var/lib", "/var/log", "/run", "/etc/cni"] {
            things.extend(entries(Path::new(folder)).iter().map(|path| format!("file {}", path.display())));
        }
        for line in
            fs::read_to_string("/proc/self/mountinfo").unwrap().lines().filter(|line| line.contains(" - cgroup"))
        {
            groups(Path::new(line.split(' ').nth(4).unwrap()), &mut things);
        }
        settings(&mut things);
        Self(things)
    }

    /// Waits until the machine is as it was in this look; says what is not, if it does not come to that.
    /// What belongs to another node than the one with this folder, in namespaces of somebody else, comes and goes as
    /// it likes.
    pub fn is_back(&self, folder: &Path) {
        // Its control group is called like its folder.
        let own = folder.file_name().unwrap().to_str().unwrap();
        let deadline = Instant::now() + PATIENCE;
        let matters = |thing: &&String| !thing.contains(PREFIX) || thing.contains(own);
        loop {
            let now = Self::look();
            let new: Vec<_> = now.0.difference(&self.0).filter(matters).collect();
            let gone: Vec<_> = self.0.difference(&now.0).filter(matters).collect();
            if new.is_empty() && gone.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {new:#?}, and gone: {gone:#?}");
            std::thread::sleep(Duration::from_millis(200));
        }
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

fn groups(folder: &Path, things: &mut BTreeSet<String>) {
    for path in entries(folder).into_iter().filter(|path| path.is_dir()) {
        things.insert(format!("control group {}", path.display()));
        groups(&path, things);
    }
}

fn settings(things: &mut BTreeSet<String>) {
    let mut folders: Vec<PathBuf> = SETTINGS.map(PathBuf::from).into();
    let mut files: Vec<PathBuf> = SETTING.map(|name| Path::new("/proc/sys/kernel").join(name)).into();
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    for path in files {
        let name = path.display().to_string();
        if !COUNTERS.iter().any(|counter| name.contains(counter)) {
            let value = fs::read_to_string(&path).unwrap_or_default();
            things.insert(format!("setting {name} = {}", value.trim()));
        }
    }
}
