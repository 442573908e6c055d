//! The Lease against an API server made of a function, on a clock that waits for nobody.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::cluster::fake_api::{Asked, client};

/// What happens to a request.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// It gets no answer and is not carried out.
    Lost,
    /// It is carried out, and its answer is lost.
    Unanswered,
    /// It is answered after so many seconds.
    Slow(u64),
}

/// One Lease, with what happens to requests by their number, from 1.
#[derive(Default)]
struct Server {
    lease: Value,
    version: u64,
    log: Vec<String>,
    fates: Vec<(usize, Fate)>,
    /// Every request from this one on is lost.
    lost_from: Option<usize>,
}

impl Server {
    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let there = !self.lease.is_null();
        match asked.method.as_str() {
            "GET" | "PUT" if !there => return (404, Value::Null),
            "GET" => return (200, self.lease.clone()),
            "POST" if there => return (409, Value::Null),
            "PUT" if asked.body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"] => {
                return (409, Value::Null);
            }
            _ => {}
        }
        self.set(asked.body.clone());
        (200, self.lease.clone())
    }

    fn set(&mut self, lease: Value) {
        self.version += 1;
        self.lease = lease;
        self.lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
    }

    fn held_by(&mut self, holder: &str) {
        let spec = json!({"holderIdentity": holder, "leaseDurationSeconds": 15});
        self.set(json!({"metadata": {"name": NAME}, "spec": spec}));
    }

    fn fate(&self) -> Option<Fate> {
        let number = self.log.len();
        if self.lost_from.is_some_and(|from| number >= from) {
            return Some(Fate::Lost);
        }
        self.fates.iter().find(|(at, _)| *at == number).map(|(_, fate)| *fate)
    }
}

type Shared = Arc<Mutex<Server>>;

async fn answer(server: Shared, asked: Asked) -> (u16, Value) {
    let fate = {
        let mut server = server.lock().unwrap();
        server.log.push(asked.method.clone());
        server.fate()
    };
    if let Some(Fate::Slow(seconds)) = fate {
        sleep(Duration::from_secs(seconds)).await;
    }
    if fate == Some(Fate::Lost) {
        return std::future::pending().await;
    }
    let answer = server.lock().unwrap().answer(&asked);
    if fate == Some(Fate::Unanswered) { std::future::pending().await } else { answer }
}

fn stage(fates: &[(usize, Fate)]) -> (Shared, LeaderElector) {
    let server = Shared::new(Mutex::new(Server { fates: fates.to_vec(), ..Server::default() }));
    let shared = Arc::clone(&server);
    let client = client(move |asked| answer(Arc::clone(&shared), asked));
    (server, LeaderElector::new(client, "strata-system", "ours".to_owned()))
}

fn requests(server: &Shared) -> Vec<String> {
    server.lock().unwrap().log.clone()
}

/// Whether the Lease is still kept after so many seconds.
async fn keeps(claim: &mut LeaderElector, seconds: u64) -> bool {
    timeout(Duration::from_secs(seconds), claim.keep()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn a_hanging_attempt_does_not_stop_acquiring() {
    let (server, mut claim) = stage(&[(1, Fate::Lost), (3, Fate::Lost)]);
    let acquired = timeout(Duration::from_secs(30), claim.acquire()).await;
    assert!(acquired.is_ok(), "{:?}", requests(&server));
    assert_eq!(requests(&server), ["GET", "GET", "POST", "GET", "POST"]);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_is_one_request() {
    let (server, mut claim) = stage(&[]);
    claim.acquire().await;
    assert!(keeps(&mut claim, 9).await);
    assert_eq!(requests(&server)[2..], ["PUT", "PUT", "PUT", "PUT"]);
}

#[tokio::test(start_paused = true)]
async fn one_slow_renewal_does_not_lose_the_lease() {
    for fate in [Fate::Slow(3), Fate::Slow(7), Fate::Lost] {
        let (server, mut claim) = stage(&[(4, fate)]);
        claim.acquire().await;
        assert!(keeps(&mut claim, 60).await, "{:?}", requests(&server));
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_late_write_does_not_lose_the_lease() {
    let (server, mut claim) = stage(&[(3, Fate::Unanswered)]);
    claim.acquire().await;
    assert!(keeps(&mut claim, 60).await, "{:?}", requests(&server));

    // Written after it was read, and before it was written again.
    let (server, mut claim) = stage(&[]);
    claim.acquire().await;
    server.lock().unwrap().held_by("ours");
    assert!(keeps(&mut claim, 3).await);
    assert_eq!(requests(&server)[2..], ["PUT", "GET", "PUT"]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_another_took_is_lost_at_once() {
    let (server, mut claim) = stage(&[]);
    claim.acquire().await;
    server.lock().unwrap().held_by("theirs");
    assert!(!keeps(&mut claim, 3).await, "{:?}", requests(&server));
    assert_eq!(server.lock().unwrap().lease["spec"]["holderIdentity"], "theirs");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_is_written_again() {
    let (server, mut claim) = stage(&[]);
    claim.acquire().await;
    server.lock().unwrap().lease = Value::Null;
    assert!(keeps(&mut claim, 3).await);
    assert_eq!(server.lock().unwrap().lease["spec"]["holderIdentity"], "ours");
}

#[tokio::test(start_paused = true)]
async fn a_holder_without_answers_gives_up_before_others_begin() {
    let (server, mut claim) = stage(&[]);
    claim.acquire().await;
    server.lock().unwrap().lost_from = Some(3);
    let begun = Instant::now();
    claim.keep().await;
    assert_eq!(begun.elapsed(), RENEW_DEADLINE);
    assert!(requests(&server).len() >= 4, "tried more than once: {:?}", requests(&server));
    const { assert!(RENEW_DEADLINE.as_secs() < LEASE_DURATION.as_secs()) };
}

#[tokio::test(start_paused = true)]
async fn only_a_lease_that_stands_still_is_taken_over() {
    let (server, mut claim) = stage(&[]);
    server.lock().unwrap().held_by("theirs");
    assert!(timeout(LEASE_DURATION, claim.acquire()).await.is_err());
    // Renewed by its holder: the wait begins anew.
    server.lock().unwrap().lease["spec"]["renewTime"] = json!("2026-01-01T00:00:00.000000Z");
    assert!(timeout(LEASE_DURATION, claim.acquire()).await.is_err());
    claim.acquire().await;
    assert_eq!(server.lock().unwrap().lease["spec"]["holderIdentity"], "ours");
}

#[tokio::test(start_paused = true)]
async fn giving_it_back_does_not_hang() {
    let (server, mut claim) = stage(&[]);
    claim.acquire().await;
    server.lock().unwrap().lost_from = Some(3);
    let released = timeout(Duration::from_secs(10), claim.release()).await;
    assert!(released.is_ok());

    server.lock().unwrap().lost_from = None;
    claim.release().await;
    assert_eq!(server.lock().unwrap().lease["spec"]["holderIdentity"], Value::Null);
}
