//! Counting what the operator asks for, to the last request, and how often it looks:
//! only where nobody else gives it work.

use std::collections::BTreeMap;
use std::fmt;
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

/// All but the Lease, which says that the operator lives, and the lists of Events: the
/// API server gives no bookmarks of them, so a watch that heard nothing for longer than
/// etcd keeps what was has to list again.
pub fn of_work(requests: &Requests) -> Requests {
    requests.filter(|request| {
        request.resource != "leases" && (request.verb.as_str(), request.resource.as_str()) != ("list", "events")
    })
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

/// How many passes were made since the operator started, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passes(BTreeMap<String, usize>);

impl Passes {
    /// Those of one kind.
    pub fn of(&self, kind: &str) -> usize {
        self.0.get(kind).copied().unwrap_or_default()
    }

    /// Those of all kinds, but the count of teams that are ready.
    pub fn all(&self) -> usize {
        self.0.iter().filter(|(kind, _)| *kind != "readiness").map(|(_, count)| count).sum()
    }

    /// Those made since others were counted.
    pub fn since(&self, before: &Self) -> Self {
        Self(self.0.iter().map(|(kind, count)| (kind.clone(), count - before.of(kind))).collect())
    }
}

impl fmt::Display for Passes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

/// The passes, as the operator counts them.
pub async fn passes(stage: &Stage) -> Passes {
    let (_, metrics) = stage.operator.get("/metrics").await.expect("the operator tells its metrics");
    let mut passes = Passes::default();
    for line in metrics.lines() {
        let Some(rest) = line.strip_prefix("strata_reconciles_total{kind=\"") else { continue };
        let (Some((kind, _)), Some((_, count))) = (rest.split_once('"'), rest.rsplit_once(' ')) else { continue };
        *passes.0.entry(kind.to_owned()).or_default() += count.parse::<usize>().expect("a number");
    }
    passes
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
