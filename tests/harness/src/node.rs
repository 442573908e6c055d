//! A real Kubernetes node for tests and the demo: control plane, kubelet,
//! containerd, kube-proxy and CoreDNS in namespaces without a way out, gone when
//! the process that started it ends, however it ends. It needs Linux, root and a
//! few Debian packages, and it changes nothing outside its namespaces but a pair of
//! network interfaces and a control group, which go with it.
//!
//! This module starts the parts in their order. Where they live is [`space`]'s,
//! their flags are in [`flags`].

mod dns;
mod fitness;
mod flags;
mod leftover;
mod machine;
mod space;
mod volumes;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ops::Deref;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::audit::AuditLog;
use crate::cluster::{self, Cluster, temporary_directory};
use crate::control_plane::{User, keep, launch};
use crate::enforcer::Enforcer;
use crate::flags::{Files, Place, Ports};
use crate::image::{self, Archive};
use crate::programs::NodePrograms;
use crate::supervisor::{Process, Supervisor};
use crate::{Error, Programs, wait};

pub use leftover::clean;
pub use machine::{PACKAGES, check, install};
use space::Space;
pub use space::{ADDRESS, MACHINE, PODS, SERVICES};
pub use volumes::CLASS;

/// Builds all programs of a node, and makes the image that teams work in. Side by side, because the
/// one mostly computes and the other mostly waits for packages. [`Node::start`] needs none of it before.
pub async fn prepare() -> Result<(), Error> {
    let programs = async {
        Programs::beside_node().await?;
        NodePrograms::ready().await
    };
    let (programs, image) = tokio::join!(programs, image::application());
    programs.and(image).map(drop)
}

/// The node's name.
pub const NAME: &str = "node-1";

/// The program that answers for the node.
const KUBELET: &str = "kubelet";

/// The image that holds a pod's namespaces.
const PAUSE: &str = "registry.invalid/strata/pause:1";

/// The options of a node.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    users: Vec<User>,
    enforce: bool,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self { users: Vec::new(), enforce: true }
    }
}

impl NodeOptions {
    /// A person with a token of their own.
    #[must_use]
    pub fn user(mut self, token: &str, user: &str, groups: &[&str]) -> Self {
        self.users.push(User::new(token, user, groups));
        self
    }

    /// Whether `NetworkPolicies` are enforced (they are).
    #[must_use]
    pub fn enforce(mut self, enforce: bool) -> Self {
        self.enforce = enforce;
        self
    }
}

/// A running node with its control plane; dropping it ends it.
#[derive(Debug)]
pub struct Node {
    // These two before the parts that they use.
    volumes: Option<volumes::Provisioner>,
    enforcer: Mutex<Option<Enforcer>>,
    processes: Vec<Process>,
    space: Space,
    cluster: Cluster,
    programs: NodePrograms,
    audit: AuditLog,
    /// Whether kubelet is meant to run.
    answers: AtomicBool,
}

impl Deref for Node {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Node {
    /// Builds what is missing, starts everything and waits until pods can run and names are found.
    /// If that is not possible, it fails with the reason before any change.
    pub async fn start(options: NodeOptions) -> Result<Self, Error> {
        machine::check()?;
        let programs = Programs::beside_node().await?;
        let of_node = NodePrograms::ready().await?;
        let directory = temporary_directory(machine::PREFIX)?;
        let group = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut command = std::process::Command::new(&programs.supervise);
        command.args(["-cgroup", &group]);
        if !keep() {
            command.arg("-remove").arg(&directory);
        }
        let supervisor = Supervisor::of(command)?;
        let files = Files::write(&directory, Place::Node(ADDRESS), &programs, &options.users).await?;
        let ports = Ports::usual();
        let address = files.write_kubeconfigs(&ports)?;
        flags::write(&of_node, &directory, &group)?;
        let space = Space::start(&programs.supervise, &directory, &group).await?;
        let cluster =
            Cluster::new(programs.clone(), supervisor, directory.clone(), files.path("admin.kubeconfig"), address);
        let audit = AuditLog::new(files.path("audit.log"));
        let mut node = Self {
            volumes: None,
            enforcer: Mutex::default(),
            processes: Vec::new(),
            space,
            cluster,
            programs: of_node,
            audit,
            answers: true.into(),
        };
        node.launch(flags::runtime(&node.programs, &directory)).await?;
        node.launch(files.command_lines(&programs, &ports)).await?;
        node.import_own().await?;
        node.launch(flags::command_lines(&node.programs, &directory)).await?;
        node.volumes = Some(volumes::Provisioner::start(&files.path("node.kubeconfig"), node.space.entrance())?);
        node.furnish().await?;
        node.enforce(options.enforce).await?;
        Ok(node)
    }

    /// A command in the node's network, mount and PID namespaces. It begins in `/`, and what it starts
    /// lives until it ends by itself or with the node.
    #[must_use]
    pub fn inside<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[A]) -> Command {
        self.space.entrance().inside(program, args)
    }

    /// A command in the node's network namespace alone, with the machine's files and processes.
    #[must_use]
    pub fn inside_network<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[A]) -> Command {
        self.space.entrance().inside_network(program, args)
    }

    /// Makes an image known to the node, by all names that the archive gives it.
    pub async fn import(&self, image: &Archive) -> Result<(), Error> {
        self.import_file(&image.path).await
    }

    /// The same of an archive that somebody else made, as `docker save` writes it.
    pub async fn import_file(&self, archive: &Path) -> Result<(), Error> {
        let file = std::fs::File::open(archive).map_err(Error::file("open", archive))?;
        let args = ["--address", flags::SOCKET, "--namespace", "k8s.io", "images", "import", "-"];
        let mut command = self.inside(&self.programs.ctr, &args);
        command.stdin(Stdio::from(file));
        cluster::finish(command, None).await.map(drop)
    }

    /// Enforces `NetworkPolicies`, or no longer does: then everything connects. Returns when it is so.
    pub async fn enforce(&self, on: bool) -> Result<(), Error> {
        let mut enforcer = self.enforcer.lock().await;
        match enforcer.take() {
            Some(running) if !on => return running.stop().await,
            Some(running) => *enforcer = Some(running),
            None if on => {
                let entrance = self.space.entrance();
                let nft = move || entrance.inside_network("nft", &["-f", "-"]);
                let started = Enforcer::start(&self.directory().join("node.kubeconfig"), nft)?;
                started.in_force().await?;
                *enforcer = Some(started);
            }
            None => {}
        }
        Ok(())
    }

    /// The API server's record of requests, by anybody but control plane and node themselves.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// The output of one of the programs: `etcd`, `kube-apiserver`, `kubelet`, `containerd` and so on.
    #[must_use]
    pub fn log(&self, program: &str) -> String {
        self.processes.iter().find(|process| process.name() == program).map(Process::log).unwrap_or_default()
    }

    /// The supervisors' process ids; of all else in the node the machine's ids say nothing to it.
    #[must_use]
    pub fn processes(&self) -> BTreeMap<String, u32> {
        BTreeMap::from([
            ("supervise".into(), self.supervisor().pid()),
            ("unshare".into(), self.space.supervisor().pid()),
        ])
    }

    /// An error, with the end of its log, if one of the programs has ended.
    pub fn stopped(&self) -> Result<(), Error> {
        let meant = |process: &&Process| process.name() != KUBELET || self.answers.load(Ordering::Relaxed);
        self.processes.iter().filter(meant).try_for_each(Process::check)
    }

    /// Ends kubelet: the node no longer answers the API server, and its containers keep running.
    pub async fn stop_kubelet(&self) -> Result<(), Error> {
        self.answers.store(false, Ordering::Relaxed);
        match self.processes.iter().find(|process| process.name() == KUBELET) {
            Some(kubelet) => kubelet.terminate(20).await,
            None => Ok(()),
        }
    }

    /// Starts kubelet again, and waits until the node is ready.
    pub async fn start_kubelet(&self) -> Result<(), Error> {
        let lines = flags::command_lines(&self.programs, self.directory());
        let kubelet = lines.into_iter().filter(|(name, ..)| *name == KUBELET).collect();
        launch(&self.cluster, self.space.supervisor(), kubelet).await?;
        self.answers.store(true, Ordering::Relaxed);
        self.until_ready().await
    }

    async fn launch(&mut self, lines: Vec<crate::flags::CommandLine>) -> Result<(), Error> {
        let started = launch(&self.cluster, self.space.supervisor(), lines).await?;
        self.processes.extend(started);
        Ok(())
    }

    /// The images without which no pod starts and no name is found.
    async fn import_own(&self) -> Result<(), Error> {
        wait::until("containerd answers", 60, async || {
            self.stopped().map_err(|error| error.to_string())?;
            let command = self.inside(&self.programs.ctr, &["--address", flags::SOCKET, "version"]);
            cluster::run(command, None).await.map_err(|error| error.to_string())
        })
        .await?;
        // It pauses because of the name it has there.
        self.import(&image::small("pause", &self.cluster.programs().supervise).await?).await?;
        self.import(&image::small("coredns", &self.programs.coredns).await?).await
    }

    /// DNS and a storage class; returns when the node is ready and names are found.
    async fn furnish(&self) -> Result<(), Error> {
        let items: Vec<Value> = dns::objects().into_iter().chain([volumes::class()]).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        self.kubectl_with(["create", "--filename=-"], Some(&list)).await?;
        self.until_ready().await?;
        // Without it the API server refuses every pod of the namespace.
        let account = ["get", "serviceaccounts", "default", "--namespace=default", "--output=name"];
        self.until("the default account is there", 60, &account, |_| true).await?;
        let available = "--output=jsonpath={.status.availableReplicas}";
        let dns = ["get", "deployment", "coredns", "--namespace=kube-system", available];
        self.until("the cluster's DNS is ready", 120, &dns, |seen| seen == "1").await
    }

    async fn until_ready(&self) -> Result<(), Error> {
        let ready = "--output=jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        self.until("the node is ready", 120, &["get", "node", NAME, ready], |seen| seen == "True").await
    }

    async fn until(&self, what: &str, seconds: u64, args: &[&str], good: impl Fn(&str) -> bool) -> Result<(), Error> {
        let good = &good;
        let waited = wait::until(what, seconds, async || match self.kubectl(args).await {
            _ if self.stopped().is_err() => Ok(()),
            Ok(seen) if good(&seen) => Ok(()),
            Ok(seen) => Err(seen),
            Err(error) => Err(error.to_string()),
        })
        .await;
        self.stopped()?;
        waited
    }
}
