//! Where a node lives: network, mount and PID namespaces without a name, a control
//! group of its own, and a pair of interfaces to the machine. Inside, private
//! folders lie over those in which kubelet and containerd keep things, and private
//! files over the kernel settings that kubelet would change for the whole machine.
//! All of it is gone when the first process in it ends; what a node runs is not
//! this module's.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::machine::INTERFACE;
use crate::supervisor::Supervisor;
use crate::{Error, cluster, wait};

/// The machine's end of the pair of interfaces.
pub const MACHINE: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 1);
/// The node's end.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 2);
/// Addresses of Services.
pub const SERVICES: &str = "10.96.0.0/16";
/// Addresses of pods.
pub const PODS: &str = "10.244.0.0/16";

/// Folders that begin empty inside, so that a node sees nothing of the machine's and leaves nothing in them.
pub(super) const COVERED: [&str; 3] = ["/run", "/var/lib", "/var/log"];

/// Folders inside for which the private folder has room on disk.
const ON_DISK: [&str; 4] = ["/var/lib/containerd", "/var/lib/kubelet", "/var/lib/volumes", "/var/log"];

/// The file that kubelet sets instead of a setting of the whole machine.
const SHIELDED: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// The namespaces of one node. Dropping it ends everything in them.
#[derive(Debug)]
pub(super) struct Space {
    supervisor: Supervisor,
    entrance: Entrance,
}

/// The way in: the first process inside, as the machine sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entrance(u32);

impl Entrance {
    /// A command in the node's network, mount and PID namespaces; it begins in `/`.
    pub(super) fn inside<A: AsRef<OsStr>>(self, program: impl AsRef<OsStr>, args: &[A]) -> Command {
        self.enter(&["--mount", "--pid", "--net", "--ipc"], program.as_ref(), args)
    }

    /// A command in the node's network namespace alone.
    pub(super) fn inside_network<A: AsRef<OsStr>>(self, program: impl AsRef<OsStr>, args: &[A]) -> Command {
        self.enter(&["--net"], program.as_ref(), args)
    }

    fn enter<A: AsRef<OsStr>>(self, namespaces: &[&str], program: &OsStr, args: &[A]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.0.to_string()).args(namespaces).arg("--").arg(program).args(args);
        command
    }
}

impl Space {
    /// Makes the namespaces, and a network and folders in them; `group` is a new control group.
    pub(super) async fn start(supervise: &Path, directory: &Path, group: &str) -> Result<Self, Error> {
        let mut command = std::process::Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child=SIGKILL"]);
        command.args(["--mount-proc", "--propagation", "private"]).arg(supervise).args(["init", group]);
        let supervisor = Supervisor::of(command)?;
        let first = wait::until("the node's namespaces are there", 20, async || first_inside(supervisor.pid())).await?;
        let space = Self { supervisor, entrance: Entrance(first) };
        space.furnish(directory).await?;
        space.connect().await?;
        Ok(space)
    }

    /// The parent of the programs inside.
    pub(super) fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// The way in.
    pub(super) fn entrance(&self) -> Entrance {
        self.entrance
    }

    async fn run<A: AsRef<OsStr>>(&self, program: &str, args: &[A]) -> Result<(), Error> {
        cluster::run(self.entrance.inside(program, args), None).await.map(drop)
    }

    /// The private folders, and the private files over kernel settings.
    async fn furnish(&self, directory: &Path) -> Result<(), Error> {
        for folder in COVERED {
            self.run("mount", &["-t", "tmpfs", "-o", "mode=755", "tmpfs", folder]).await?;
        }
        for folder in ON_DISK {
            let own = directory.join("disk").join(folder.trim_start_matches('/'));
            std::fs::create_dir_all(&own).map_err(Error::file("create", &own))?;
            self.run("mkdir", &["-p", folder]).await?;
            self.run("mount", &[Path::new("--bind"), &own, Path::new(folder)]).await?;
        }
        for setting in SHIELDED {
            let real = Path::new("/proc/sys").join(setting);
            let Ok(value) = std::fs::read_to_string(&real) else { continue };
            let own = directory.join("settings").join(setting);
            let folder = own.parent().map_or_else(PathBuf::new, Path::to_path_buf);
            std::fs::create_dir_all(&folder).map_err(Error::file("create", folder))?;
            std::fs::write(&own, value).map_err(Error::file("write", &own))?;
            self.run("mount", &[Path::new("--bind"), &own, &real]).await?;
        }
        Ok(())
    }

    /// The pair of interfaces, and the machine's routes to the node, its pods and Services. No way out.
    async fn connect(&self) -> Result<(), Error> {
        let [machine, node] = [MACHINE, ADDRESS].map(|address| format!("{address}/30"));
        let (first, via) = (self.entrance.0.to_string(), ADDRESS.to_string());
        let name = format!("{INTERFACE}{}", std::process::id());
        ip(&["link", "add", &name, "type", "veth", "peer", "name", "eth0", "netns", &first]).await?;
        self.run("ip", &["link", "set", "lo", "up"]).await?;
        self.run("ip", &["address", "add", &node, "dev", "eth0"]).await?;
        self.run("ip", &["link", "set", "eth0", "up"]).await?;
        self.run("sh", &["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]).await?;
        ip(&["address", "add", &machine, "dev", &name]).await?;
        ip(&["link", "set", &name, "up"]).await?;
        for network in [SERVICES, PODS] {
            ip(&["route", "add", network, "via", &via, "dev", &name]).await?;
        }
        Ok(())
    }
}

/// Calls `ip` on the machine.
async fn ip(args: &[&str]) -> Result<(), Error> {
    let mut command = Command::new("ip");
    command.args(args);
    cluster::run(command, None).await.map(drop)
}

/// The first process in the namespaces that `unshare` made: its child, once it is our program.
fn first_inside(unshare: u32) -> Result<u32, String> {
    let read = |path: String| std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"));
    let children = read(format!("/proc/{unshare}/task/{unshare}/children"))?;
    let first = children.split_whitespace().next().ok_or("unshare has no child")?;
    let name = read(format!("/proc/{first}/comm"))?;
    if name.trim() != "supervise" {
        return Err(format!("its first process is {}", name.trim()));
    }
    first.parse().map_err(|_| format!("process {first}"))
}
