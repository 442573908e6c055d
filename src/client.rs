//! How the program reaches a cluster: by a kubeconfig that is named, else as
//! `kubectl` would, else by the identity of its pod.

use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// Why no cluster can be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No kubeconfig, or a broken one.
    #[error("failed to read how to reach the cluster: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// Neither a kubeconfig nor a pod's identity.
    #[error("failed to find out how to reach the cluster: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The client cannot be built.
    #[error("failed to build a client for the cluster: {0}")]
    Client(#[from] kube::Error),
}

/// A client for the cluster of this kubeconfig, or of whatever is configured.
/// Nothing is asked of the cluster yet.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    let mut config = match kubeconfig {
        Some(file) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &KubeConfigOptions::default()).await?
        }
        None => Config::infer().await?,
    };
    // Requests have deadlines of their own; a watch is silent for minutes.
    config.read_timeout = None;
    config.connect_timeout = Some(Duration::from_secs(5));
    Ok(Client::try_from(config)?)
}
