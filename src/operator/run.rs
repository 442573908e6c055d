//! `strata run`: the operator, from its start to its orderly end.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tracing::{error, info, warn};

use crate::cluster::client::{ConnectError, connect, connect_to_watch};
use crate::operator::controller::WorkerError;
use crate::operator::lease::LeaderElector;
use crate::operator::options::RunOptions;
use crate::operator::server::ServerError;
use crate::operator::{admission_probe, controller, server};
use crate::reconcile::context::Context;
use crate::reconcile::start::start;
use crate::telemetry::logs;
use crate::telemetry::logs::{FilterError, LogFormat};
use crate::telemetry::metrics::Metrics;

/// The time for running passes to end after a shutdown request.
const FINISH: Duration = Duration::from_secs(20);
/// How long Events may take that were not posted then.
const LAST_EVENTS: Duration = Duration::from_secs(2);

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
    /// Nothing is reconciled any more.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// Something without which the rest must not go on has ended.
    #[error("{0}")]
    Defect(String),
}

/// Runs the operator until a signal asks it to end, or until it must not or
/// cannot go on: then it is an error, so that it is started again.
pub async fn run(options: RunOptions) -> Result<(), RunError> {
    let format = LogFormat::choose(options.log_format, std::io::stderr().is_terminal());
    logs::start(format, &options.log_filter)?;
    let client = connect_to_watch(options.kubeconfig.as_deref(), options.watch_timeout()).await?;
    // A connection of its own, so that the lease waits for nothing else.
    let elector = connect(options.kubeconfig.as_deref()).await?;
    let identity = options.identity.clone().unwrap_or_else(host_name);
    let prefixes = options.prefixes.given().unwrap_or_default();
    info!(version = crate::VERSION, identity, %prefixes, "strata starts");
    let claim = || LeaderElector::new(elector, &options.lease_namespace, unique(&identity));
    let claim = (!options.no_leader_election).then(claim);
    let (metrics, timeout) = (Arc::new(Metrics::default()), options.watch_timeout());
    let context = Context::new(client, identity.clone(), metrics, timeout, Some(prefixes));
    start(&context);
    let ended = operate(&options, &context, claim).await;
    match &ended {
        Ok(()) => info!("strata ends"),
        // Nothing more may be written: whatever is under way ends with the process.
        Err(error) => error!("strata ends by a failure: {error}"),
    }
    ended
}

async fn operate(
    options: &RunOptions,
    context: &Arc<Context>,
    mut claim: Option<LeaderElector>,
) -> Result<(), RunError> {
    let (stop, stopped) = watch::channel(false);
    let mut serving = tokio::spawn(server::serve(options.listen, Arc::clone(context), stopped.clone()));
    let mut ending = std::pin::pin!(signalled());
    tokio::select! {
        () = may_write(context, options.without_fence, claim.as_mut()) => {}
        signal = &mut ending => {
            end(&stop, serving, None).await;
            return signal;
        }
        server = &mut serving => return Err(served(server)),
        how = context.defect() => return Err(RunError::Defect(how)),
    }
    context.metrics.leader.set(1);
    let config = controller::Config { concurrency: options.concurrency.get(), deadline: options.deadline() };
    let mut working = tokio::spawn(controller::run(Arc::clone(context), config, stopped));
    tokio::select! {
        () = keep(claim.as_mut()) => return Err(RunError::LeaseLost),
        server = &mut serving => return Err(served(server)),
        worked = &mut working => return Err(early(worked)),
        how = context.defect() => return Err(RunError::Defect(how)),
        signal = &mut ending => signal?,
    }
    info!("shutdown was requested: running passes are finished first");
    // The receivers live as long as the tasks that hold them.
    let _ = stop.send(true);
    if !finish(working, claim.as_mut()).await? {
        // A write may still arrive: no other replica may begin before the lease expires.
        claim = None;
    }
    context.events.drain(LAST_EVENTS).await;
    end(&stop, serving, claim).await;
    Ok(())
}

/// Returns once this replica may write.
async fn may_write(context: &Context, without_fence: bool, claim: Option<&mut LeaderElector>) {
    if !without_fence {
        admission_probe::wait_until_it_stands(&context.client).await;
    }
    context.fence_stands();
    if let Some(claim) = claim {
        claim.acquire().await;
    }
}

async fn keep(claim: Option<&mut LeaderElector>) {
    match claim {
        Some(claim) => claim.keep().await,
        None => std::future::pending().await,
    }
}

type Working = JoinHandle<Result<(), WorkerError>>;
type Serving = JoinHandle<Result<(), ServerError>>;

/// Waits for running passes while the lease is kept; returns whether they ended.
async fn finish(working: Working, claim: Option<&mut LeaderElector>) -> Result<bool, RunError> {
    tokio::select! {
        () = keep(claim) => Err(RunError::LeaseLost),
        worked = tokio::time::timeout(FINISH, working) => match worked {
            Ok(Ok(worked)) => Ok(worked.map(|()| true)?),
            Ok(Err(ended)) => Err(RunError::Defect(format!("the controller ended by a defect of Strata: {ended}"))),
            Err(_) => {
                warn!("running passes did not end in time");
                Ok(false)
            }
        },
    }
}

async fn end(stop: &watch::Sender<bool>, serving: Serving, claim: Option<LeaderElector>) {
    // The receivers live as long as the tasks that hold them.
    let _ = stop.send(true);
    if let Some(claim) = claim {
        claim.release().await;
    }
    if tokio::time::timeout(Duration::from_secs(2), serving).await.is_err() {
        warn!("a connection for probes or metrics was still open");
    }
}

/// The cause of an early end of the server of probes.
fn served(ended: Result<Result<(), ServerError>, JoinError>) -> RunError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) => RunError::Defect("the server of probes ended without a reason".to_owned()),
        Err(ended) => RunError::Defect(format!("the server of probes ended by a defect of Strata: {ended}")),
    }
}

/// The cause of an early end of the controller.
fn early(ended: Result<Result<(), WorkerError>, JoinError>) -> RunError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) => WorkerError::Ended.into(),
        Err(ended) => RunError::Defect(format!("the controller ended by a defect of Strata: {ended}")),
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

    #[tokio::test]
    async fn a_task_that_ends_by_itself_is_a_failure() {
        assert!(matches!(served(Ok(Ok(()))), RunError::Defect(_)));
        assert!(matches!(early(Ok(Ok(()))), RunError::Worker(WorkerError::Ended)));
        let panicked = async || tokio::spawn(async { panic!("a defect") }).await;
        let how = served(panicked().await.map(|()| Ok(()))).to_string();
        assert!(how.contains("the server of probes ended by a defect"), "{how}");
        let how = early(panicked().await.map(|()| Ok(()))).to_string();
        assert!(how.contains("the controller ended by a defect"), "{how}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_lease_is_kept_while_what_is_under_way_ends() {
        assert!(finish(tokio::spawn(async { Ok(()) }), None).await.unwrap());
        assert!(!finish(tokio::spawn(std::future::pending()), None).await.unwrap());
        // Nothing answers: the lease is lost before the time to finish is over.
        let client = crate::cluster::fake_api::client(|_| std::future::pending::<(u16, serde_json::Value)>());
        let mut claim = LeaderElector::new(client, "strata-system", "ours".to_owned());
        let finished = finish(tokio::spawn(std::future::pending()), Some(&mut claim)).await;
        assert!(matches!(finished, Err(RunError::LeaseLost)));
    }

    #[test]
    fn no_two_starts_hold_the_lease_by_one_name() {
        assert_ne!(unique("strata-0"), unique("strata-0"));
        assert!(unique("strata-0").starts_with("strata-0-"));
    }
}
