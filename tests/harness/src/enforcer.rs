//! NetworkPolicies made true on the node of the tests: it watches policies, pods and
//! namespaces, and keeps one nft table that drops what they forbid.
//!
//! **For tests only.** It is a reading of the specification for one node and IPv4
//! ([`policy`]), small enough to be checked, and not a network plugin to run
//! anything on. It is here because what the field has cannot serve tests on any
//! machine: kube-network-policies wants a kernel whose nft can `queue`, which many
//! kernels are built without; of kube-router only releases years old can be had as
//! a Go module. What it does is tested on real packets, with the enforcer on and off
//! (`tests/enforcer.rs`). A connection that was let through stays, as conntrack
//! knows it, when a later policy would forbid it.
//!
//! - [`rules`]: the rules of each pod.
//! - [`policy`]: how policies are read; pure.
//! - [`ruleset`]: how rules are said to nft; pure.
//! - [`cases`]: the expected results, for the tests of both.
//! - [`Enforcer`]: the watch, and the one place that touches the kernel.
//!
//! Packets between two pods must cross the IP layer: either the network plugin routes
//! (`ptp`), or the bridge hands its frames to netfilter (`bridge-nf-call-iptables`).

pub mod cases;
pub mod policy;
pub mod rules;
pub mod ruleset;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Config};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use self::policy::Objects;
use self::rules::{Block, Rules};
use crate::Error;
use crate::node::PODS;

/// How long to rest when nft refused.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the rules of a node. Dropping it removes them.
///
/// A thread of its own, because tests each have a runtime of their own.
#[derive(Debug)]
pub struct Enforcer {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Error>>>,
    state: watch::Receiver<State>,
}

/// How far it has come.
#[derive(Debug, Clone)]
enum State {
    Starting,
    InForce,
    Refused(String),
}

impl Enforcer {
    /// Starts to enforce the policies of the cluster of this kubeconfig. `nft` makes the
    /// command `nft -f -` in the node's network, which reads from its input.
    pub fn start(kubeconfig: &Path, nft: impl Fn() -> Command + Send + 'static) -> Result<Self, Error> {
        let unusable = |reason: String| Error::Kubeconfig { path: kubeconfig.to_path_buf(), reason };
        let file = Kubeconfig::read_from(kubeconfig).map_err(|error| unusable(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::file("make a runtime for", kubeconfig))?;
        let (stop, stopped) = oneshot::channel();
        let (tell, state) = watch::channel(State::Starting);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    error = enforce(file, &nft, &tell) => { tell.send_replace(State::Refused(error)); }
                }
                apply(nft(), &ruleset::removal()).await.map_err(Error::Enforcer)
            })
        });
        Ok(Self { stop: Some(stop), thread: Some(thread), state })
    }

    /// Waits until rules are in force for the first time.
    pub async fn in_force(&self) -> Result<(), Error> {
        let mut state = self.state.clone();
        let state = state.wait_for(|state| !matches!(state, State::Starting)).await;
        match state.as_deref() {
            Ok(State::InForce) => Ok(()),
            Ok(State::Refused(why)) => Err(Error::Enforcer(why.clone())),
            _ => Err(Error::Enforcer("it ended before it began".into())),
        }
    }

    /// Removes the rules: everything connects again.
    pub async fn stop(mut self) -> Result<(), Error> {
        drop(self.stop.take());
        let thread = self.thread.take();
        let ended = tokio::task::spawn_blocking(|| thread.map_or(Ok(Ok(())), JoinHandle::join)).await;
        match ended {
            Ok(Ok(removed)) => removed,
            _ => Err(Error::Enforcer("its thread panicked".into())),
        }
    }
}

impl Drop for Enforcer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The node may be gone already, and its rules with it.
            let _ = thread.join();
        }
    }
}

/// Goes on for ever; returns why it cannot even begin.
async fn enforce(file: Kubeconfig, nft: &impl Fn() -> Command, tell: &watch::Sender<State>) -> String {
    let client = match client(file).await {
        Ok(client) => client,
        Err(error) => return error.to_string(),
    };
    let (policies, of_policies) = kept::<NetworkPolicy>(&client);
    let (pods, of_pods) = kept::<Pod>(&client);
    let (namespaces, of_namespaces) = kept::<Namespace>(&client);
    // Simultaneous events are one change.
    let mut changes = stream::select_all([of_policies, of_pods, of_namespaces]).ready_chunks(1024);
    let Some(block) = Block::parse(PODS) else { return format!("{PODS} is no block of addresses") };
    let (mut in_force, mut refused) = (String::new(), false);
    loop {
        // A refused update is tried again, with the current state.
        let event = if refused { timeout(PAUSE, changes.next()).await } else { Ok(changes.next().await) };
        if matches!(event, Ok(None)) {
            return "the watch of the cluster ended".into();
        }
        let Some(objects) = seen(&policies, &pods, &namespaces) else { continue };
        let wanted = ruleset::text(&Rules::of(&objects), block);
        if wanted == in_force {
            continue;
        }
        let applied = apply(nft(), &wanted).await;
        refused = applied.is_err();
        tell.send_replace(applied.map_or_else(State::Refused, |()| State::InForce));
        if !refused {
            in_force = wanted;
        }
    }
}

async fn client(file: Kubeconfig) -> Result<Client, kube::Error> {
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(file, &options).await;
    let mut config = config.map_err(|error| kube::Error::Service(Box::new(error)))?;
    config.proxy_url = None;
    Client::try_from(config)
}

/// Objects of one kind, kept up to date as the stream is read.
fn kept<K>(client: &Client) -> (Store<K>, BoxStream<'static, ()>)
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + Sync + serde::de::DeserializeOwned + 'static,
{
    let (store, writer) = reflector::store();
    let events = watcher(Api::<K>::all(client.clone()), watcher::Config::default()).default_backoff();
    (store, reflector::reflector(writer, events).map(|_| ()).boxed())
}

/// Nothing before all three kinds were listed once.
fn seen(policies: &Store<NetworkPolicy>, pods: &Store<Pod>, namespaces: &Store<Namespace>) -> Option<Objects> {
    Some(Objects { policies: listed(policies)?, pods: listed(pods)?, namespaces: listed(namespaces)? })
}

fn listed<K>(store: &Store<K>) -> Option<Vec<Arc<K>>>
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    store.wait_until_ready().now_or_never()?.ok()?;
    Some(store.state())
}

/// One transaction of nft.
async fn apply(mut nft: Command, text: &str) -> Result<(), String> {
    let failed = |how: String| format!("nft {how}; what it was given:\n{text}");
    let command = nft.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(format!("does not start ({error})")))?;
    if let Some(mut input) = child.stdin.take() {
        // An nft that ends early prints the cause itself.
        let _ = input.write_all(text.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(format!("ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())))
}
