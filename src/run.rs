//! `strata run`: the operator, from its start to its orderly end.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::cli::{LogFormat, RunOptions};
use crate::client::{ConnectError, connect};
use crate::context::Context;
use crate::controller;
use crate::fence;
use crate::lease::Claim;
use crate::metrics::Metrics;
use crate::server::{self, ServerError};
use crate::telemetry::{self, FilterError};

/// Why the operator did not run, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The log filter makes no sense.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The cluster cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The probes cannot be served.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Signals cannot be waited for.
    #[error("failed to wait for signals: {0}")]
    Signals(std::io::Error),
    /// Another replica may be writing: this one must not.
    #[error("the lease was lost: another replica takes over, and this one ends")]
    LeaseLost,
}

/// Runs the operator until a signal asks it to end, or the Lease is lost.
pub async fn run(options: RunOptions) -> Result<(), RunError> {
    let format = LogFormat::choose(options.log_format, std::io::stderr().is_terminal());
    telemetry::start(format, &options.log_filter)?;
    let client = connect(options.kubeconfig.as_deref()).await?;
    // A connection of its own, so that the lease waits for nothing else.
    let elector = connect(options.kubeconfig.as_deref()).await?;
    let identity = options.identity.clone().unwrap_or_else(host_name);
    info!(version = crate::VERSION, identity, "strata starts");
    let metrics = Arc::new(Metrics::default());
    let context = Context::new(client.clone(), identity.clone(), metrics, options.watch_timeout());
    context.start();
    let (stop, stopped) = watch::channel(false);
    let mut serving = tokio::spawn(server::serve(options.listen, Arc::clone(&context), stopped.clone()));
    let mut ending = std::pin::pin!(signalled());
    if options.without_fence {
        context.fence_stands();
    } else {
        tokio::select! {
            () = fence::wait_until_it_stands(&client) => context.fence_stands(),
            signal = &mut ending => return end(&stop, serving, None, signal).await,
            server = &mut serving => return served(server),
        }
    }
    let mut claim =
        (!options.no_leader_election).then(|| Claim::new(elector, &options.lease_namespace, unique(&identity)));
    if let Some(claim) = &mut claim {
        tokio::select! {
            () = claim.acquire() => {}
            signal = &mut ending => return end(&stop, serving, None, signal).await,
            server = &mut serving => return served(server),
        }
    }
    context.metrics.leader.set(1);
    let config = controller::Config { concurrency: options.concurrency.get(), deadline: options.deadline() };
    let mut working = tokio::spawn(controller::run(Arc::clone(&context), config, stopped));
    tokio::select! {
        () = keep(claim.as_mut()) => {
            // Nothing more may be written: whatever is under way ends with the process.
            error!("the lease was lost");
            return Err(RunError::LeaseLost);
        }
        server = &mut serving => return served(server),
        ended = &mut working => {
            if let Err(ended) = ended {
                error!("the controller ended by a defect: {ended}");
            }
        }
        signal = &mut ending => {
            signal?;
            info!("told to end: what is under way is finished first");
            // The receivers live as long as the tasks that hold them.
            let _ = stop.send(true);
            if tokio::time::timeout(Duration::from_secs(20), working).await.is_err() {
                warn!("what was under way did not end in time");
            }
        }
    }
    end(&stop, serving, claim, Ok(())).await
}

async fn keep(claim: Option<&mut Claim>) {
    match claim {
        Some(claim) => claim.keep().await,
        None => std::future::pending().await,
    }
}

type Serving = tokio::task::JoinHandle<Result<(), ServerError>>;

async fn end(
    stop: &watch::Sender<bool>,
    serving: Serving,
    claim: Option<Claim>,
    signal: Result<(), RunError>,
) -> Result<(), RunError> {
    // The receivers live as long as the tasks that hold them.
    let _ = stop.send(true);
    if let Some(claim) = claim {
        claim.release().await;
    }
    if tokio::time::timeout(Duration::from_secs(2), serving).await.is_err() {
        warn!("a connection for probes or metrics was still open");
    }
    info!("strata ends");
    signal
}

fn served(result: Result<Result<(), ServerError>, tokio::task::JoinError>) -> Result<(), RunError> {
    match result {
        Ok(result) => Ok(result?),
        Err(ended) => {
            error!("the server of probes ended by a defect: {ended}");
            Ok(())
        }
    }
}

/// The name of the machine: in a container the pod's.
fn host_name() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| "strata".to_owned())
}

/// The name with something that differs from start to start. A process that is
/// still there, or a late request of one that is not, is never taken for this one.
fn unique(name: &str) -> String {
    use std::hash::{BuildHasher, RandomState};
    // The process number is no use: in a container it is 1 each time.
    format!("{name}-{:016x}", RandomState::new().hash_one(std::time::SystemTime::now()))
}

async fn signalled() -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_starts_hold_the_lease_by_one_name() {
        assert_ne!(unique("strata-0"), unique("strata-0"));
        assert!(unique("strata-0").starts_with("strata-0-"));
    }
}
