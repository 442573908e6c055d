//! The connection to a cluster: by the named kubeconfig, else as `kubectl` does, else by
//! the identity of the pod.
//!
//! Dead connections are detected: by TCP probes if the machine is gone, by silence if
//! something in between drops the packets.

use std::path::Path;
use std::time::Duration;

use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::ConfigExt;
use kube::client::retry::RetryPolicy;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::retry::RetryLayer;
use tower::{BoxError, ServiceBuilder};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection may be silent where nothing says otherwise.
const SILENCE: Duration = Duration::from_secs(90);
/// How much longer than a watch a connection may be silent. The watch of a kind without
/// changes has no events, and no bookmarks before its first change; Events have no
/// bookmarks at all.
const BEYOND_A_WATCH: Duration = Duration::from_secs(30);
/// How long a connection that nobody uses is kept for the next request.
const UNUSED: Duration = Duration::from_secs(30);
/// The size of a connection's read buffer, which is allocated for each watch. The head of
/// an answer must fit: the API server bounds its warnings.
const BUFFER: usize = 16 * 1024;
/// After how much silence the other end is asked whether it is there, ...
const PROBE_AFTER: Duration = Duration::from_secs(15);
/// ... how often, ...
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// ... and after how many questions without an answer the connection has ended.
const PROBES: u32 = 3;

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

/// A client for the cluster of this kubeconfig, or of the configured one, with connections
/// of its own. It sends no request yet.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    connect_with(kubeconfig, SILENCE).await
}

/// Likewise, a client whose watches are ended by the API server after so long.
pub async fn connect_to_watch(kubeconfig: Option<&Path>, timeout: Duration) -> Result<Client, ConnectError> {
    connect_with(kubeconfig, timeout.saturating_add(BEYOND_A_WATCH)).await
}

async fn connect_with(kubeconfig: Option<&Path>, silence: Duration) -> Result<Client, ConnectError> {
    let config = match kubeconfig {
        Some(file) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &KubeConfigOptions::default()).await?
        }
        None => Config::infer().await?,
    };
    Ok(through(config, silence)?)
}

/// The client that kube makes of a configuration, on connections with probes: kube has no
/// option for them.
fn through(mut config: Config, silence: Duration) -> kube::Result<Client> {
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(silence);
    if config.proxy_url.is_some() {
        return Client::try_from(config);
    }
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(probed())?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    let mut http = hyper_util::client::legacy::Builder::new(TokioExecutor::new());
    http.pool_timer(TokioTimer::new()).pool_idle_timeout(UNUSED).http1_max_buf_size(BUFFER);
    let http = http.build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(RetryLayer::new(RetryPolicy::server_retry()))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}

/// Makes connections whose other end is asked now and then whether it is there.
fn probed() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_keepalive(Some(PROBE_AFTER));
    connector.set_keepalive_interval(Some(PROBE_EVERY));
    connector.set_keepalive_retries(Some(PROBES));
    // Probes are sent only while nothing waits for its receipt; this is for the rest.
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(PROBE_AFTER + PROBE_EVERY * PROBES));
    connector
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::Api;
    use tokio::net::TcpListener;

    use super::*;

    /// A server that takes connections and says nothing, and a client for it.
    async fn silent(silence: Duration) -> (TcpListener, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let client = through(Config::new(address.parse().unwrap()), silence).unwrap();
        (listener, client)
    }

    #[tokio::test]
    async fn a_connection_that_stays_silent_ends() {
        let (_listener, client) = silent(Duration::from_millis(200)).await;
        let maps: Api<ConfigMap> = Api::default_namespaced(client);
        let answer = tokio::time::timeout(Duration::from_secs(20), maps.get("a")).await;
        assert!(answer.expect("it ends by itself").is_err());
    }

    /// The timer of a connection, as Linux shows it: its kind and when it is due.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_other_end_of_a_connection_is_probed() {
        let (listener, client) = silent(SILENCE).await;
        let maps: Api<ConfigMap> = Api::default_namespaced(client);
        let asked = tokio::spawn(async move { maps.get("a").await });
        let (_stream, address) = listener.accept().await.unwrap();
        let ours = format!("0100007F:{:04X}", address.port());
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let row: Vec<&str> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find(|row| row.get(1) == Some(&ours.as_str()))
            .unwrap();
        let (kind, due) = row[5].split_once(':').unwrap();
        let due = u64::from_str_radix(due, 16).unwrap();
        assert_eq!(kind, "02", "{row:?}");
        assert!(due <= PROBE_AFTER.as_secs() * 100, "{row:?}");
        asked.abort();
    }
}
