//! A cluster that tests and the demo may use: clients and kubeconfigs for anybody,
//! `kubectl` and `helm` that see this cluster and nothing of the machine's own
//! configuration. It never looks at `KUBECONFIG`; it is given a control plane of
//! our own, or the file that somebody named explicitly.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::supervisor::Supervisor;
use crate::{Error, Programs};

/// A cluster, and what is needed to work with it. Clones are the same cluster.
#[derive(Debug, Clone)]
pub struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    programs: Programs,
    /// Ends our programs; it also removes `directory`.
    supervisor: Supervisor,
    directory: PathBuf,
    kubeconfig: PathBuf,
    /// The `cluster` part of a kubeconfig: address and authority.
    address: Value,
}

impl Cluster {
    /// The cluster that an explicitly named kubeconfig points to.
    pub async fn at(kubeconfig: &Path) -> Result<Self, Error> {
        let programs = Programs::beside_node().await?;
        let directory = temporary_directory("strata")?;
        let supervisor = Supervisor::start(&programs.supervise, Some(&directory))?;
        let view = ["config", "view", "--minify", "--flatten", "--raw", "--output=json"];
        let mut command = Command::new(&programs.kubectl);
        command.args(view).arg("--kubeconfig").arg(kubeconfig).env_remove("KUBECONFIG");
        let view: Value = serde_json::from_str(&run(command, None).await?)
            .map_err(|error| Error::Kubeconfig { path: kubeconfig.to_path_buf(), reason: error.to_string() })?;
        let address = view["clusters"][0]["cluster"].clone();
        // Flattened to one file: relative paths in it would not survive a move.
        let own = directory.join("admin.kubeconfig");
        write(&own, &view.to_string())?;
        Ok(Self::new(programs, supervisor, directory, own, address))
    }

    pub(crate) fn new(
        programs: Programs,
        supervisor: Supervisor,
        directory: PathBuf,
        kubeconfig: PathBuf,
        address: Value,
    ) -> Self {
        Self(Arc::new(Inner { programs, supervisor, directory, kubeconfig, address }))
    }

    /// The programs that the control plane is made of, and kubectl and helm.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.0.programs
    }

    /// The parent of whatever runs beside this cluster.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.0.supervisor
    }

    /// A folder for files of this run: logs, kubeconfigs. Removed at the end.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.0.kubeconfig
    }

    /// Writes a kubeconfig for whoever holds `token`; `name` names the file.
    pub fn kubeconfig_for(&self, name: &str, token: &str) -> Result<PathBuf, Error> {
        let path = self.directory().join(format!("{name}.kubeconfig"));
        write(&path, &kubeconfig(name, &self.0.address, token))?;
        Ok(path)
    }

    /// Likewise, for whoever reaches the API server at another address of the machine's own: through a proxy.
    pub fn kubeconfig_through(&self, name: &str, token: &str, port: u16) -> Result<PathBuf, Error> {
        let path = self.directory().join(format!("{name}.kubeconfig"));
        let mut address = self.0.address.clone();
        address["server"] = json!(format!("https://127.0.0.1:{port}"));
        write(&path, &kubeconfig(name, &address, token))?;
        Ok(path)
    }

    /// The port of the API server on this machine, if that is where it is.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.address["server"].as_str()?.rsplit_once(':')?.1.parse().ok()
    }

    /// A new client of the administrator, for the runtime that calls.
    pub async fn admin(&self) -> Result<Client, Error> {
        self.client(|_| {}).await
    }

    /// A new client for whoever holds `token` ([`crate::Options::user`]).
    pub async fn client_for(&self, token: &str) -> Result<Client, Error> {
        let token = token.to_owned();
        self.client(|config| {
            config.auth_info = kube::config::AuthInfo { token: Some(token.into()), ..Default::default() };
        })
        .await
    }

    /// A new client that acts as anybody, by impersonation.
    pub async fn client_as(&self, user: &str, groups: &[&str]) -> Result<Client, Error> {
        // Without a group of its own an impersonated user is not even "authenticated".
        let groups = groups.iter().copied().chain(["system:authenticated"]).map(ToOwned::to_owned).collect();
        self.client(|config| {
            config.auth_info.impersonate = Some(user.to_owned());
            config.auth_info.impersonate_groups = Some(groups);
        })
        .await
    }

    async fn client(&self, change: impl FnOnce(&mut Config)) -> Result<Client, Error> {
        let path = self.kubeconfig();
        let unusable = |reason: String| Error::Kubeconfig { path: path.to_path_buf(), reason };
        let file = Kubeconfig::read_from(path).map_err(|error| unusable(error.to_string()))?;
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .map_err(|error| unusable(error.to_string()))?;
        // The API server is on loopback; a proxy of the machine is not for it.
        if self.0.address.get("proxy-url").is_none() {
            config.proxy_url = None;
        }
        change(&mut config);
        Client::try_from(config).map_err(Error::api("cannot make a client"))
    }

    /// Runs kubectl as the administrator; returns its output.
    pub async fn kubectl<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String, Error> {
        self.kubectl_with(args, None).await
    }

    /// Runs kubectl with something on its standard input (`--filename=-`).
    pub async fn kubectl_with<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: Option<&str>,
    ) -> Result<String, Error> {
        let mut command = Command::new(&self.programs().kubectl);
        command.arg("--cache-dir").arg(self.directory().join("kubectl-cache")).args(args);
        command.envs(self.environment());
        run(command, input).await
    }

    /// Applies YAML or JSON, server-side, as the administrator.
    pub async fn apply(&self, manifests: &str) -> Result<String, Error> {
        self.kubectl_with(["apply", "--server-side", "--force-conflicts", "--filename=-"], Some(manifests)).await
    }

    /// Runs helm against this cluster; returns its output.
    pub async fn helm<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String, Error> {
        let mut command = Command::new(&self.programs().helm);
        command.args(args).envs(self.environment());
        run(command, None).await
    }

    /// The environment of kubectl and helm: this cluster only, without the user's configuration.
    fn environment(&self) -> BTreeMap<&'static str, PathBuf> {
        let directory = self.directory();
        BTreeMap::from([
            ("KUBECONFIG", self.kubeconfig().to_path_buf()),
            ("KUBERC", "off".into()),
            ("HELM_CACHE_HOME", directory.join("helm/cache")),
            ("HELM_CONFIG_HOME", directory.join("helm/config")),
            ("HELM_DATA_HOME", directory.join("helm/data")),
        ])
    }
}

/// A kubeconfig with one user; JSON, which every reader of YAML takes.
pub(crate) fn kubeconfig(user: &str, address: &Value, token: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "strata", "cluster": address}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "strata", "context": {"cluster": "strata", "user": user}}],
        "current-context": "strata",
    })
    .to_string()
}

/// Writes a file that others need not read.
pub(crate) fn write(path: &Path, content: &str) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, content.as_bytes()))
        .map_err(Error::file("write", path))
}

/// A new folder that only we may read; its name ends with our process id and a number.
pub(crate) fn temporary_directory(prefix: &str) -> Result<PathBuf, Error> {
    use std::os::unix::fs::DirBuilderExt;
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{prefix}-{}-{number}", std::process::id()));
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            // Left over by a process that had our number.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::file("create", &path)(error)),
        }
    }
}

/// Runs a command; returns its standard output, or an error with its output.
pub(crate) async fn run(mut command: Command, input: Option<&str>) -> Result<String, Error> {
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    finish(command, input).await
}

/// The same of a command that has its standard input already, or is to be given `input`.
pub(crate) async fn finish(mut command: Command, input: Option<&str>) -> Result<String, Error> {
    let line = {
        let command = command.as_std();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    };
    let failed = |how: String, output: String| Error::Command { command: line.clone(), how, output };
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed("it could not be started".into(), error.to_string()))?;
    let pipe = child.stdin.take();
    let feed = async {
        if let (Some(mut pipe), Some(input)) = (pipe, input) {
            // A program that does not read to the end says so by its exit status.
            let _ = pipe.write_all(input.as_bytes()).await;
        }
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    let output = output.map_err(|error| failed("it could not be waited for".into(), error.to_string()))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let said = format!("{printed}{}", String::from_utf8_lossy(&output.stderr));
    Err(failed(output.status.to_string(), said.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_command_says_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "cat; echo no >&2; exit 3"]);
        let error = run(command, Some("input")).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("inputno"), "{error}");
    }

    #[test]
    fn a_kubeconfig_can_be_read() {
        let text = kubeconfig("ana", &json!({"server": "https://127.0.0.1:1"}), "secret");
        let read = Kubeconfig::from_yaml(&text).unwrap();
        assert_eq!(read.current_context.as_deref(), Some("strata"));
    }

    #[test]
    fn temporary_directories_differ() {
        let (first, second) = (temporary_directory("strata").unwrap(), temporary_directory("strata").unwrap());
        assert_ne!(first, second);
        std::fs::remove_dir(first).unwrap();
        std::fs::remove_dir(second).unwrap();
    }
}
