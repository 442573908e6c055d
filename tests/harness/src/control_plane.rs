//! One control plane: etcd, the API server, the controllers, the scheduler and
//! kwok, on loopback and free ports, with their data and logs in a folder of their
//! own. This module starts them and waits until pods can run; how they are ended
//! is [`crate::supervisor`]'s, what one does with them is [`crate::cluster`]'s.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use serde_json::json;

use crate::audit::AuditLog;
use crate::cluster::{Cluster, temporary_directory};
use crate::flags::{CommandLine, Files, Place, Ports};
use crate::supervisor::{Job, Process, Supervisor};
use crate::{Error, Programs, secrets, simulate, wait};

/// Another process may take a free port first; then other ports are used.
const ATTEMPTS: u32 = 3;

/// The options of a control plane.
#[derive(Debug, Clone)]
pub struct Options {
    users: Vec<User>,
    nodes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { users: Vec::new(), nodes: 1 }
    }
}

impl Options {
    /// Somebody with a token of their own. (Without one, anybody can be had by
    /// [`Cluster::client_as`] or `kubectl --as`.)
    #[must_use]
    pub fn user(mut self, token: &str, user: &str, groups: &[&str]) -> Self {
        self.users.push(User::new(token, user, groups));
        self
    }

    /// The number of nodes (one).
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }
}

/// Whether folders with logs are to stay.
pub(crate) fn keep() -> bool {
    std::env::var_os("STRATA_KEEP").is_some_and(|value| !value.is_empty() && value != "0")
}

/// A person with a token.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub token: String,
    pub name: String,
    pub groups: Vec<String>,
}

impl User {
    pub(crate) fn new(token: &str, name: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(ToString::to_string).collect();
        Self { token: token.into(), name: name.into(), groups }
    }
}

/// A running control plane; dropping it ends it.
#[derive(Debug)]
pub struct ControlPlane {
    // Before the cluster: it must not outlive the API server it talks to.
    _secrets: secrets::Keeper,
    cluster: Cluster,
    processes: Vec<Process>,
    audit: AuditLog,
}

impl Deref for ControlPlane {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl ControlPlane {
    /// Builds what is missing, starts everything and waits until pods can run.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let programs = Programs::ready().await?;
        let mut attempt = 1;
        loop {
            match Self::attempt(&programs, &options).await {
                Err(Error::Ended { log, .. }) if attempt < ATTEMPTS && log.contains("address already in use") => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn attempt(programs: &Programs, options: &Options) -> Result<Self, Error> {
        let directory = temporary_directory("strata")?;
        let supervisor = Supervisor::start(&programs.supervise, (!keep()).then_some(&directory))?;
        let files = Files::write(&directory, Place::Loopback, programs, &options.users).await?;
        let ports = Ports::free()?;
        let address = files.write_kubeconfigs(&ports)?;
        let cluster = Cluster::new(programs.clone(), supervisor, directory, files.path("admin.kubeconfig"), address);
        let processes = launch(&cluster, cluster.supervisor(), files.command_lines(programs, &ports)).await?;
        let audit = AuditLog::new(files.path("audit.log"));
        let secrets = secrets::Keeper::start(&files.path("node.kubeconfig"))?;
        let plane = Self { _secrets: secrets, cluster, processes, audit };
        plane.furnish(options.nodes).await?;
        Ok(plane)
    }

    /// The API server's record of requests, by anybody but the control plane itself.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// The output of one of the programs: `etcd`, `kube-apiserver`,
    /// `kube-controller-manager`, `kube-scheduler`, `kwok`.
    #[must_use]
    pub fn log(&self, program: &str) -> String {
        self.processes.iter().find(|process| process.name() == program).map(Process::log).unwrap_or_default()
    }

    /// The process ids of all programs, the supervisor included.
    #[must_use]
    pub fn processes(&self) -> BTreeMap<String, u32> {
        let mut all = self.supervisor().running();
        all.insert("supervise".into(), self.supervisor().pid());
        all
    }

    /// An error, with the end of its log, if one of the programs has ended.
    pub fn stopped(&self) -> Result<(), Error> {
        self.processes.iter().try_for_each(Process::check)
    }

    /// A storage class, nodes and what decides over pods; returns when nodes are ready and pods are admitted.
    async fn furnish(&self, nodes: usize) -> Result<(), Error> {
        let node = |number: usize| {
            let name = format!("node-{number}");
            let resources = json!({
                "cpu": "1k", "memory": "8Ti", "ephemeral-storage": "100Ti", "pods": "100k", "nvidia.com/gpu": "1k",
            });
            json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "labels": {
                    "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
                    // The examples ask for it where they ask for devices.
                    "pool": "gpu",
                }},
                "status": {"capacity": resources, "allocatable": resources},
            })
        };
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": "kwok-volume", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "kwok.x-k8s.io/volume", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
            "allowVolumeExpansion": true,
        });
        let items: Vec<_> = (1..=nodes).map(node).chain([class]).chain(simulate::objects()).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        self.kubectl_with(["create", "--filename=-"], Some(&list)).await?;
        self.until(
            "nodes are ready",
            60,
            &["get", "nodes", "--output=jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"],
            |seen| seen.split_whitespace().filter(|status| *status == "True").count() == nodes,
        )
        .await?;
        self.until(
            "the default ServiceAccount exists",
            60,
            &["get", "serviceaccount", "default", "--output=name"],
            |_| true,
        )
        .await
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

/// Starts programs of a cluster in their order, and waits for the API server before those that need it.
pub(crate) async fn launch(
    cluster: &Cluster,
    supervisor: &Supervisor,
    lines: Vec<CommandLine>,
) -> Result<Vec<Process>, Error> {
    let mut processes = Vec::new();
    for (name, program, args) in lines {
        let job = Job {
            name: name.into(),
            program,
            args,
            env: BTreeMap::from([
                ("HOME".into(), cluster.directory().display().to_string()),
                ("PATH".into(), "/usr/sbin:/usr/bin:/sbin:/bin".into()),
            ]),
            log: cluster.directory().join(format!("{name}.log")),
            grace: Duration::ZERO,
        };
        processes.push(supervisor.run(&job).await?);
        if name == "kube-apiserver" {
            wait_until_served(cluster, &processes).await?;
        }
    }
    Ok(processes)
}

/// Waits until the API server answers, or says why it ended.
async fn wait_until_served(cluster: &Cluster, processes: &[Process]) -> Result<(), Error> {
    let client = cluster.admin().await?;
    let waited = wait::until("the API server is ready", 60, async || {
        if processes.iter().any(|process| process.check().is_err()) {
            return Ok(());
        }
        let request = http::Request::get("/readyz").body(Vec::new()).map_err(|error| error.to_string())?;
        client.request_text(request).await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    processes.iter().try_for_each(Process::check)?;
    waited
}
