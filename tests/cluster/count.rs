//! Counting what the operator asks for, to the last request: only where nobody else
//! gives it work.

use std::time::{Duration, Instant};

use harness::audit::Requests;
use harness::wait;

use crate::stage::Stage;

/// Waits until the operator asks for nothing any more: what a burst of changes set
/// off (counts, usage, Events) is over.
pub async fn settled(stage: &Stage) {
    let waited = wait::until("the operator is at rest", 60, async || {
        let mark = stage.plane.audit().mark();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let asked = of_work(&stage.asked(mark));
        if asked.count() == 0 { Ok(()) } else { Err(asked.to_string()) }
    });
    waited.await.unwrap_or_else(|error| panic!("{error}"));
}

/// All but the Lease, which says that the operator lives.
pub fn of_work(requests: &Requests) -> Requests {
    requests.filter(|request| request.resource != "leases")
}

/// Nothing changes, and nothing is asked: but watches and the Lease.
pub async fn is_quiet(stage: &Stage, what: &str, seconds: u64) {
    let mark = stage.plane.audit().mark();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let all = stage.asked(mark);
    assert!(all.resource("leases").count() > 0, "the audit log tells nothing of the operator");
    let asked = of_work(&all);
    println!("measured: {what}: {} requests but watches and the Lease in {} quiet seconds", asked.count(), seconds);
    assert_eq!(asked.count(), 0, "{asked}");
}

/// How many requests were made for how many objects.
pub fn tell(what: &str, objects: usize, asked: &Requests, begun: Instant) {
    let asked = of_work(asked);
    let creates = asked.filter(|request| request.code == 201 && request.resource != "events").count();
    let events = asked.resource("events").count();
    let status = asked.filter(|request| request.resource.ends_with("/status")).count();
    let other = asked.writes().count() - creates - events - status;
    println!(
        "measured: {what}: {objects} objects in {:.1} s; {} requests: {creates} creates, {other} other writes, {status} of status, {events} of Events, {} reads; by kind: {:?}",
        begun.elapsed().as_secs_f32(),
        asked.count(),
        asked.reads().count(),
        asked.by_resource(),
    );
}
