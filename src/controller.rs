//! Takes keys from the queue and reconciles them: so many at once, each within
//! a deadline, none able to take another down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{Instrument, error, info, info_span, warn};

use crate::api::Reason;
use crate::api::status::READY;
use crate::context::Context;
use crate::daily;
use crate::error::Failure;
use crate::metrics::{Reconcile, Teams};
use crate::queue::{Again, Key};
use crate::reconcile::{reconcile, report_failure};
use crate::references;

/// How the controller works.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many keys are worked on at once.
    pub concurrency: usize,
    /// How long one reconcile may take.
    pub deadline: Duration,
}

/// Works until told to stop; what is under way then is finished.
pub async fn run(context: Arc<Context>, config: Config, mut stop: watch::Receiver<bool>) {
    wait_until_synced(&context, &mut stop).await;
    let mut workers = JoinSet::new();
    for _ in 0..config.concurrency.max(1) {
        workers.spawn(work(Arc::clone(&context), config.deadline, stop.clone()));
    }
    while workers.join_next().await.is_some() {}
}

/// Before everything is listed, what is there may look missing.
async fn wait_until_synced(context: &Context, stop: &mut watch::Receiver<bool>) {
    let begun = Instant::now();
    while !context.listing().is_empty() && !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
            _ = stop.changed() => return,
        }
    }
    for work in context.mirror.works() {
        context.queue.add(work);
    }
    context.queue.add_known();
    context.queue.add_references();
    info!(seconds = begun.elapsed().as_secs_f64(), "everything is listed: reconciling begins");
}

async fn work(context: Arc<Context>, deadline: Duration, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let key = tokio::select! {
            key = context.queue.next() => key,
            _ = stop.changed() => return,
        };
        let begun = Instant::now();
        let result = guarded(&context, &key, deadline).await;
        measure(&context, &key, &result, begun);
        if let Err(failure) = &result {
            warn!(key = ?key, reason = %failure.reason, "{failure}");
            tell(&context, &key, failure).await;
        }
        context.queue.done(&key, result.map_err(|failure| failure.again));
    }
}

/// A reconcile that did not end could not report either, so that is done for it.
async fn tell(context: &Context, key: &Key, failure: &Failure) {
    let (Key::Team(name), Reason::DeadlineExceeded) = (key, failure.reason) else { return };
    if let Err(error) = report_failure(context, name, failure).await {
        warn!(team = name, "{error}");
    }
}

/// One reconcile in a task of its own: neither a panic nor a hang leaves it.
async fn guarded(context: &Arc<Context>, key: &Key, deadline: Duration) -> Result<Again, Failure> {
    let task = {
        let (context, key) = (Arc::clone(context), key.clone());
        let span = info_span!("reconcile", key = ?key);
        tokio::spawn(async move { one(&context, &key).await }.instrument(span))
    };
    let abort = task.abort_handle();
    match tokio::time::timeout(deadline, task).await {
        Ok(Ok(result)) => result,
        Ok(Err(ended)) => {
            error!(key = ?key, "a reconcile ended by a defect of Strata: {ended}");
            Err(Failure::new(Reason::ApiFailing, format!("the reconcile ended by a defect of Strata: {ended}")))
        }
        Err(_) => {
            abort.abort();
            Err(Failure::new(
                Reason::DeadlineExceeded,
                format!("the reconcile did not end within {} s", deadline.as_secs()),
            ))
        }
    }
}

async fn one(context: &Context, key: &Key) -> Result<Again, Failure> {
    match key {
        // On the heap: the steps of a reconcile together are large.
        Key::Team(name) => Box::pin(reconcile(context, name)).await,
        Key::Daily(id) => Box::pin(daily::reconcile(context, id)).await,
        Key::Blueprint(name) => references::blueprint(context, name).await.map(|()| None),
        Key::Engine(name) => references::engine(context, name).await.map(|()| None),
        Key::References => {
            references::count(context);
            Ok(None)
        }
    }
}

fn measure(context: &Context, key: &Key, result: &Result<Again, Failure>, begun: Instant) {
    let kind = match key {
        Key::Team(_) => "team",
        Key::Blueprint(_) => "blueprint",
        Key::Engine(_) => "engine",
        Key::References => "references",
        Key::Daily(_) => "daily",
    };
    let result = result.as_ref().map_or_else(|failure| failure.class().name(), |_| "fine");
    context.metrics.reconciles.get_or_create(&Reconcile { kind, result }).inc();
    context.metrics.duration.observe(begun.elapsed().as_secs_f64());
    context.metrics.depth.set(i64::try_from(context.queue.depth()).unwrap_or(i64::MAX));
    if matches!(key, Key::References) {
        count_teams(context);
    }
}

/// Once per burst of changes, because it looks at every team.
fn count_teams(context: &Context) {
    let teams = context.store.teams.all();
    for ready in ["True", "False", "Unknown"] {
        let count = teams.iter().filter(|(_, team)| readiness(team) == ready).count();
        context.metrics.teams.get_or_create(&Teams { ready }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

fn readiness(team: &serde_json::Value) -> &str {
    let conditions = team["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.into_iter().find(|condition| condition["type"] == READY);
    ready.and_then(|ready| ready["status"].as_str()).unwrap_or("Unknown")
}
