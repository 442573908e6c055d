//! What a pass can do to the controller: panic, hang, and not stop.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::cluster::fake_api::client;
use crate::telemetry::metrics::Metrics;

/// A context whose requests to write hang.
fn hanging() -> Arc<Context> {
    let client = client(|_| std::future::pending::<(u16, Value)>());
    Context::new(client, "test".to_owned(), Arc::new(Metrics::default()), Duration::from_secs(200), None)
}

fn team() -> Request {
    Request::Team("a".to_owned())
}

async fn taken(context: &Context) -> Request {
    context.queue.add(team());
    context.queue.next().await
}

/// Whether the key is handed out within so long.
async fn is_handed_out(context: &Context, within: Duration) -> bool {
    tokio::time::timeout(within, context.queue.next()).await.is_ok()
}

const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_is_a_failure_of_its_key_alone() {
    let context = hanging();
    let key = taken(&context).await;
    work_on(&context, key, DEADLINE, async { panic!("a defect") }).await;
    assert!(is_handed_out(&context, Duration::from_secs(5)).await);
    assert!(context.metrics.text().contains("result=\"transient\"} 1"), "{}", context.metrics.text());
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_hangs_while_nothing_answers_frees_its_worker() {
    let context = hanging();
    let team = json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam",
        "metadata": {"name": "a", "uid": "u"}, "spec": {}});
    context.store.teams.set("a", Ok(Arc::new(serde_json::from_value(team).unwrap())));
    let key = taken(&context).await;
    let worked = work_on(&context, key, DEADLINE, std::future::pending());
    assert!(tokio::time::timeout(DEADLINE + STOPPING + TELLING * 2, worked).await.is_ok());
    assert!(is_handed_out(&context, Duration::from_secs(5)).await);
}

/// Work that never looks up: nothing can stop it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_not_handed_out_while_its_pass_goes_on() {
    let context = hanging();
    let key = taken(&context).await;
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let pass = async move {
        // The sender is dropped when it is to end.
        let _ = ended.lock().unwrap().recv();
        Ok(None)
    };
    work_on(&context, key, Duration::from_millis(20), pass).await;
    assert!(!is_handed_out(&context, Duration::from_millis(900)).await, "two passes of one key");
    drop(end);
    assert!(is_handed_out(&context, Duration::from_secs(20)).await);
}

#[tokio::test]
async fn a_worker_that_ends_too_early_ends_the_controller() {
    let (stop, stopped) = watch::channel(false);
    let panics = || async { panic!("a defect") };
    let mut workers = JoinSet::new();
    workers.spawn(std::future::pending());
    workers.spawn(panics());
    assert!(matches!(supervise(workers, &stopped).await, Err(WorkerError::Defect(_))));

    let mut workers = JoinSet::new();
    workers.spawn(async {});
    assert!(matches!(supervise(workers, &stopped).await, Err(WorkerError::Ended)));

    let mut workers = JoinSet::new();
    stop.send_replace(true);
    workers.spawn(async {});
    assert!(supervise(workers, &stopped).await.is_ok());
}
