//! Takes keys from the queue and reconciles them: so many at once, each within
//! a deadline, none able to take another down. Whatever a pass does stays inside
//! its task; a worker that ends all the same is a defect, and said.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tracing::{Instrument, error, info, info_span, warn};

use crate::api::identity::{Request, WorkId, team_of};
use crate::api::work::WorkKind;
use crate::api::{Issue, Reason};
use crate::reconcile::context::Context;
use crate::reconcile::requeue::Pass;
use crate::reconcile::team::{reconcile, report_failure};
use crate::reconcile::{triggers, usage, work};
use crate::telemetry::metrics::Reconcile;

/// The time for a cancelled pass to end.
const STOPPING: Duration = Duration::from_secs(1);
/// The time limit for reporting a failure.
const TELLING: Duration = Duration::from_secs(10);

/// How the controller works.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many keys are worked on at once.
    pub concurrency: usize,
    /// How long one reconcile may take.
    pub deadline: Duration,
}

/// A worker ended before the shutdown.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// By a panic.
    #[error("a worker of the controller ended by a defect: {0}")]
    Defect(#[from] JoinError),
    /// In no way that is known.
    #[error("a worker of the controller ended without a reason")]
    Ended,
}

/// Works until the shutdown; running passes are finished.
pub async fn run(context: Arc<Context>, config: Config, mut stop: watch::Receiver<bool>) -> Result<(), WorkerError> {
    wait_until_synced(&context, &mut stop).await;
    let mut workers = JoinSet::new();
    for _ in 0..config.concurrency.max(1) {
        workers.spawn(work(Arc::clone(&context), config.deadline, stop.clone()));
    }
    supervise(workers, &stop).await
}

/// Waits for the workers. One that ends too early is missed by everybody whose
/// keys it would have worked on, so that is not gone on with.
async fn supervise(mut workers: JoinSet<()>, stop: &watch::Receiver<bool>) -> Result<(), WorkerError> {
    while let Some(ended) = workers.join_next().await {
        ended?;
        if !*stop.borrow() {
            return Err(WorkerError::Ended);
        }
    }
    Ok(())
}

/// Before everything is listed, existing objects may look missing.
async fn wait_until_synced(context: &Context, stop: &mut watch::Receiver<bool>) {
    let begun = Instant::now();
    while !context.listing().is_empty() && !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
            _ = stop.changed() => return,
        }
    }
    context.queue.open();
    look_at_everything(context);
    info!(seconds = begun.elapsed().as_secs_f64(), "everything is listed: reconciling begins");
}

/// Everything once: the teams, those too of which only their objects are left,
/// and the work of no team. Whatever else there is stands on its team's snapshot
/// and is looked at when that is there.
fn look_at_everything(context: &Context) {
    for work in context.cache.works().into_iter().filter(|work| matches!(work, Request::Team(_))) {
        context.queue.add(work);
    }
    context.queue.add_known();
    usage::count(context);
    context.queue.add_readiness();
    let is_anybodys = |id: &WorkId| team_of(&id.namespace).is_some_and(|team| context.store.teams.contains(team));
    for kind in WorkKind::ALL {
        for (name, object) in context.store.work_objects(*kind).all() {
            let Some(id) = triggers::id(*kind, &name) else { continue };
            if !is_anybodys(&id) && !triggers::has_ended(context, &id, &object) {
                context.queue.add(Request::Work(id));
            }
        }
    }
}

async fn work(context: Arc<Context>, deadline: Duration, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let key = tokio::select! {
            key = context.queue.next() => key,
            _ = stop.changed() => return,
        };
        let pass = {
            let (context, key) = (Arc::clone(&context), key.clone());
            async move { one(&context, &key).await }
        };
        work_on(&context, key, deadline, pass).await;
    }
}

/// One key from the queue until it is done.
async fn work_on<P>(context: &Arc<Context>, key: Request, deadline: Duration, pass: P)
where
    P: Future<Output = Pass> + Send + 'static,
{
    let begun = Instant::now();
    let (result, running) = guarded(&key, deadline, pass).await;
    let tell = {
        let (context, key, result) = (Arc::clone(context), key.clone(), result.clone());
        async move { tell(&context, &key, &result, begun).await }
    };
    match contained(TELLING, tell).await {
        Ended::Done(()) => {}
        Ended::Defect(ended) => error!(?key, "the report of a reconcile failed by a defect of Strata: {ended}"),
        Ended::Stopped | Ended::Running(_) => warn!(?key, "the report of a reconcile got no answer in time"),
    }
    let Some(running) = running else { return context.queue.done(&key, result.map_err(|failure| failure.again)) };
    // The key is handed out again only when nothing of this pass is under way.
    let queue = context.queue.clone();
    tokio::spawn(async move {
        // However it ends, it ends.
        let _ = running.await;
        queue.done(&key, Err(None));
    });
}

/// The result of a reconcile, for the metrics, the log and the team.
async fn tell(context: &Context, key: &Request, result: &Pass, begun: Instant) {
    measure(context, key, result, begun);
    let Err(failure) = result else { return };
    warn!(?key, reason = %failure.issue.reason, "{failure}");
    // A reconcile that did not end could not report either, so that is done for it.
    let (Request::Team(name), Reason::ReconcileTimeout) = (key, failure.issue.reason) else { return };
    if let Err(error) = report_failure(context, name, &failure.issue).await {
        warn!(team = name, "{error}");
    }
}

/// How work in a task of its own ended.
enum Ended<T> {
    Done(T),
    /// By a panic.
    Defect(JoinError),
    /// It was stopped at its limit.
    Stopped,
    /// Cancelled at its limit, but still running.
    Running(JoinHandle<T>),
}

/// Work in a task of its own: neither a panic nor a hang leaves it.
async fn contained<T: Send + 'static>(limit: Duration, work: impl Future<Output = T> + Send + 'static) -> Ended<T> {
    let mut task = tokio::spawn(work);
    match tokio::time::timeout(limit, &mut task).await {
        Ok(Ok(done)) => return Ended::Done(done),
        Ok(Err(ended)) => return Ended::Defect(ended),
        Err(_) => task.abort(),
    }
    match tokio::time::timeout(STOPPING, &mut task).await {
        // It ended at the same moment: it counts as stopped.
        Ok(_) => Ended::Stopped,
        Err(_) => Ended::Running(task),
    }
}

type Running = JoinHandle<Pass>;

/// One reconcile, and its task if that does not end.
async fn guarded<P>(key: &Request, deadline: Duration, pass: P) -> (Pass, Option<Running>)
where
    P: Future<Output = Pass> + Send + 'static,
{
    let late = || {
        let message = format!("the reconcile did not end within {} s", deadline.as_secs());
        Err(Issue::new(Reason::ReconcileTimeout, message).into())
    };
    match contained(deadline, pass.instrument(info_span!("reconcile", ?key))).await {
        Ended::Done(result) => (result, None),
        Ended::Defect(ended) => {
            error!(?key, "a reconcile ended by a defect of Strata: {ended}");
            let message = format!("the reconcile ended by a defect of Strata: {ended}");
            (Err(Issue::new(Reason::ApiError, message).into()), None)
        }
        Ended::Stopped => (late(), None),
        Ended::Running(task) => {
            error!(?key, "a reconcile does not end after its cancellation: its key waits for it");
            (late(), Some(task))
        }
    }
}

async fn one(context: &Context, key: &Request) -> Pass {
    match key {
        // On the heap: the steps of a reconcile together are large.
        Request::Team(name) => Box::pin(reconcile(context, name)).await,
        Request::Work(id) => Box::pin(work::reconcile(context, id)).await,
        Request::Blueprint(name) => Ok(usage::blueprint(context, name).await.map(|()| None)?),
        Request::Engine(name) => Ok(usage::engine(context, name).await.map(|()| None)?),
        Request::Readiness => {
            count_teams(context);
            Ok(None)
        }
        Request::Expiry(team) => work::expiry::reconcile(context, team).await,
        Request::Dependents(team) => {
            triggers::dependents::reconcile(context, team);
            Ok(None)
        }
    }
}

fn measure(context: &Context, key: &Request, result: &Pass, begun: Instant) {
    let kind = match key {
        Request::Team(_) => "team",
        Request::Blueprint(_) => "blueprint",
        Request::Engine(_) => "engine",
        Request::Readiness => "readiness",
        Request::Dependents(_) => "dependents",
        Request::Expiry(_) => "expiry",
        Request::Work(_) => "work",
    };
    let result = result.as_ref().map_or_else(|failure| failure.issue.class().name(), |_| "fine");
    context.metrics.reconciles.get_or_create(&Reconcile { kind, result }).inc();
    context.metrics.duration.observe(begun.elapsed().as_secs_f64());
    context.metrics.depth.set(i64::try_from(context.queue.depth()).unwrap_or(i64::MAX));
}

/// Once per burst of changes, because it looks at every team.
fn count_teams(context: &Context) {
    let teams = context.store.teams.forms().into_iter();
    context.metrics.teams.set(teams.map(|(name, team)| (name, team.conditions)).collect());
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
