//! The operator, outside the cluster but under its own account: the charts
//! installed without their Deployment ([`Install`]), a token for the
//! `ServiceAccount`, and the `strata` program started with it. So its rights are
//! the chart's, and its fence stands. This module knows the program by its command
//! line alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kube::Client;

use crate::flags::free_ports;
use crate::image::Archive;
use crate::install;
pub use crate::install::Install;
use crate::supervisor::{Job, Process};
use crate::{Cluster, Error, http, wait};

/// Where the operator and its account live.
pub const NAMESPACE: &str = "strata-system";
/// The operator's account.
pub const SERVICE_ACCOUNT: &str = "strata";
/// The operator as the API server, its audit log and admission policies see it.
pub const USER: &str = "system:serviceaccount:strata-system:strata";

/// How long the operator has to end after SIGTERM: what the chart grants it.
const GRACE: Duration = Duration::from_secs(30);

/// A started operator; dropping it ends the program (with the cluster's other
/// programs, when the cluster goes).
#[derive(Debug)]
pub struct Operator {
    cluster: Cluster,
    program: PathBuf,
    name: String,
    token: String,
    kubeconfig: PathBuf,
    extra: Vec<String>,
    running: Mutex<(Process, u16)>,
}

impl Operator {
    /// Installs both charts without the Deployment, as an administrator would.
    pub async fn install(cluster: &Cluster, install: &Install) -> Result<(), Error> {
        install::install(cluster, install).await
    }

    /// Installs both charts with helm, as `README.md` does on a real cluster: the operator runs there, from an image
    /// that the cluster knows. Returns when it runs.
    pub async fn deploy(cluster: &Cluster, image: &Archive) -> Result<(), Error> {
        install::deploy(cluster, image).await
    }

    /// Starts the program as its own account and waits until it is ready.
    pub async fn start(cluster: &Cluster, program: impl AsRef<Path>) -> Result<Self, Error> {
        let operator = Self::start_with(cluster, program, &[]).await?;
        operator.wait_ready(60).await?;
        Ok(operator)
    }

    /// Starts the program with more arguments for `strata run`, and does not wait.
    pub async fn start_with(cluster: &Cluster, program: impl AsRef<Path>, extra: &[&str]) -> Result<Self, Error> {
        let (name, token) = (next_name(), install::token(cluster).await?);
        let kubeconfig = cluster.kubeconfig_for(&name, &token)?;
        Self::started(cluster, program, name, token, kubeconfig, extra).await
    }

    /// Starts the program so that it reaches the API server through this port, and does not wait.
    pub async fn start_through(cluster: &Cluster, program: impl AsRef<Path>, port: u16) -> Result<Self, Error> {
        let (name, token) = (next_name(), install::token(cluster).await?);
        let kubeconfig = cluster.kubeconfig_through(&name, &token, port)?;
        Self::started(cluster, program, name, token, kubeconfig, &[]).await
    }

    async fn started(
        cluster: &Cluster,
        program: impl AsRef<Path>,
        name: String,
        token: String,
        kubeconfig: PathBuf,
        extra: &[&str],
    ) -> Result<Self, Error> {
        let program = program.as_ref().to_path_buf();
        let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
        let running = launch(cluster, &program, &name, &kubeconfig, &extra).await?;
        let (cluster, running) = (cluster.clone(), Mutex::new(running));
        Ok(Self { cluster, program, name, token, kubeconfig, extra, running })
    }

    /// Ends it as Kubernetes would (SIGTERM), and waits for its end.
    pub async fn stop(&self) -> Result<(), Error> {
        self.process().terminate(GRACE.as_secs()).await
    }

    /// Ends it at once (SIGKILL).
    pub async fn kill(&self) -> Result<(), Error> {
        self.process().kill().await
    }

    /// Starts it again after [`Self::stop`] or [`Self::kill`], and waits until it is ready.
    pub async fn resume(&self) -> Result<(), Error> {
        self.resume_with(&[]).await
    }

    /// Starts it again as [`Self::resume`] does, this once with more arguments.
    pub async fn resume_with(&self, more: &[&str]) -> Result<(), Error> {
        let extra: Vec<String> = self.extra.iter().cloned().chain(more.iter().map(ToString::to_string)).collect();
        let running = launch(&self.cluster, &self.program, &self.name, &self.kubeconfig, &extra).await?;
        *self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = running;
        self.wait_ready(60).await
    }

    /// Stops it and starts it again.
    pub async fn restart(&self) -> Result<(), Error> {
        self.stop().await?;
        self.resume().await
    }

    /// Waits until `/readyz` says so, or says why the program ended.
    pub async fn wait_ready(&self, seconds: u64) -> Result<(), Error> {
        let waited = wait::until("the operator is ready", seconds, async || {
            if self.check().is_err() {
                return Ok(());
            }
            match self.get("/readyz").await {
                Ok((200, _)) => Ok(()),
                Ok((status, body)) => Err(format!("{status} {body}")),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
        self.check()?;
        waited.map_err(|error| Error::Ended { name: self.name.clone(), how: error.to_string(), log: self.log() })
    }

    /// Asks the program over HTTP (`/healthz`, `/readyz`, `/metrics`): status and body.
    pub async fn get(&self, path: &str) -> Result<(u16, String), Error> {
        let port = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1;
        let address = format!("127.0.0.1:{port}");
        http::get(&address, path).await.map_err(Error::file("ask the operator at", format!("{address}{path}")))
    }

    /// An error, with the end of its log, if it does not run.
    pub fn check(&self) -> Result<(), Error> {
        self.process().check()
    }

    /// All it has printed, since it was first started.
    #[must_use]
    pub fn log(&self) -> String {
        self.process().log()
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process().pid()
    }

    /// A new client with the operator's own account.
    pub async fn client(&self) -> Result<Client, Error> {
        self.cluster.client_for(&self.token).await
    }

    /// The kubeconfig that it was given.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    fn process(&self) -> Process {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0.clone()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.process().abandon();
    }
}

/// A name that no other operator of this process has.
fn next_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("operator-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Starts the program once; returns it and the port it listens on.
async fn launch(
    cluster: &Cluster,
    program: &Path,
    name: &str,
    kubeconfig: &Path,
    extra: &[String],
) -> Result<(Process, u16), Error> {
    let [port] = free_ports()?;
    let mut args: Vec<String> = ["run", "--log-format", "human", "--lease-namespace", NAMESPACE].map(Into::into).into();
    args.extend(["--kubeconfig".into(), kubeconfig.display().to_string()]);
    args.extend(["--listen".into(), format!("127.0.0.1:{port}")]);
    args.extend_from_slice(extra);
    let mut env = BTreeMap::from([
        ("HOME".to_owned(), cluster.directory().display().to_string()),
        ("POD_NAME".to_owned(), name.to_owned()),
        ("POD_NAMESPACE".to_owned(), NAMESPACE.to_owned()),
        ("RUST_BACKTRACE".to_owned(), "1".to_owned()),
    ]);
    if let Ok(filter) = std::env::var("STRATA_LOG") {
        env.insert("STRATA_LOG".into(), filter);
    }
    let log = cluster.directory().join(format!("{name}.log"));
    let job = Job { name: name.into(), program: program.into(), args, env, log, grace: Duration::from_secs(5) };
    Ok((cluster.supervisor().run(&job).await?, port))
}
