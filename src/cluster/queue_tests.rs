//! When a key is worked on: once at a time, again after a failure, in turn by team.

use super::*;
use crate::api::identity::WorkId;

/// The shortest pause after a failure lies between these.
const SHORTEST: (Duration, Duration) = (Duration::from_millis(375), Duration::from_millis(650));

fn team(name: &str) -> Request {
    Request::Team(name.to_owned())
}

#[tokio::test]
async fn a_key_is_worked_on_once_however_often_it_is_added() {
    let queue = Queue::default();
    queue.add(team("a"));
    queue.add(team("a"));
    assert_eq!(queue.next().await, team("a"));
    assert_eq!(queue.depth(), 0);
    queue.add(team("a"));
    assert!(tokio::time::timeout(Duration::from_millis(60), queue.next()).await.is_err());
    queue.done(&team("a"), Ok(None));
    assert_eq!(queue.next().await, team("a"));
}

#[tokio::test]
async fn a_failing_key_holds_up_nobody() {
    let queue = Queue::default();
    queue.add(team("a"));
    assert_eq!(queue.next().await, team("a"));
    queue.done(&team("a"), Err(None));
    queue.add(team("b"));
    assert_eq!(queue.next().await, team("b"));
}

#[tokio::test]
async fn the_work_of_one_team_does_not_wait_for_that_of_another() {
    let queue = Queue::default();
    let work = |namespace: &str, number: usize| {
        let id = WorkId {
            kind: crate::api::work::WorkKind::Run,
            namespace: namespace.to_owned(),
            name: format!("r{number}"),
        };
        Request::Work(id)
    };
    (0..1000).for_each(|number| queue.add(work("crowd--p", number)));
    queue.add(work("other--p", 0));
    queue.add(team("crowd"));
    tokio::time::sleep(SETTLE * 2).await;
    assert_eq!(queue.next().await, team("crowd"));
    assert_eq!(queue.next().await, work("other--p", 0));
    assert_eq!(queue.depth(), 1000);
}

#[test]
fn pauses_grow_and_end_at_the_longest() {
    assert!(backoff(1) < Duration::from_secs(1));
    assert!(backoff(5) > backoff(1));
    assert!(backoff(u32::MAX) <= LONGEST.mul_f64(1.25));
}

/// Works on the key and fails, so many times in a row.
async fn fails(queue: &Queue, key: &Request, times: usize) {
    queue.add(key.clone());
    for _ in 0..times {
        assert_eq!(&queue.next().await, key);
        queue.done(key, Err(None));
    }
}

/// How long it takes until the key is given out.
async fn waits(queue: &Queue, key: &Request) -> Duration {
    let begun = Instant::now();
    assert_eq!(&queue.next().await, key);
    begun.elapsed()
}

fn is_shortest(pause: Duration) -> bool {
    SHORTEST.0 <= pause && pause <= SHORTEST.1
}

#[tokio::test(start_paused = true)]
async fn what_is_added_while_a_key_fails_waits_the_shortest_pause() {
    let queue = Queue::default();
    fails(&queue, &team("a"), 12).await;
    assert!(waits(&queue, &team("a")).await > LONGEST / 2);
    queue.add(team("a"));
    queue.done(&team("a"), Err(None));
    assert!(is_shortest(waits(&queue, &team("a")).await));
    // Nothing was added since: it backs off as it did.
    queue.done(&team("a"), Err(None));
    assert!(waits(&queue, &team("a")).await > LONGEST / 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_added_after_a_failure_waits_the_shortest_pause() {
    let queue = Queue::default();
    fails(&queue, &team("a"), 12).await;
    queue.add(team("a"));
    assert!(is_shortest(waits(&queue, &team("a")).await));
    queue.done(&team("a"), Err(None));
    tokio::time::advance(Duration::from_secs(100)).await;
    queue.add(team("a"));
    assert!(waits(&queue, &team("a")).await <= SETTLE * 2);
}

#[tokio::test(start_paused = true)]
async fn events_of_its_own_failure_make_no_tight_loop() {
    let (queue, begun) = (Queue::default(), Instant::now());
    queue.add(team("a"));
    let mut passes = 0;
    while begun.elapsed() < Duration::from_secs(60) {
        assert_eq!(queue.next().await, team("a"));
        passes += 1;
        queue.add(team("a"));
        queue.done(&team("a"), Err(Some(Duration::ZERO)));
        queue.add(team("a"));
        queue.add_after(team("a"), Duration::ZERO);
    }
    assert!(passes <= 60_000 / 375 + 1, "{passes} passes in a minute");
    assert!(passes > 60, "{passes} passes in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_wishes_is_tried_again_as_it_wishes() {
    let queue = Queue::default();
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    fails(&queue, &team("a"), 12).await;
    for (wish, least, most) in
        [(second, second, second * 2), (Duration::ZERO, SHORTEST.0, SHORTEST.1), (hour, LONGEST / 2, LONGEST * 2)]
    {
        queue.next().await;
        queue.done(&team("a"), Err(Some(wish)));
        let pause = waits(&queue, &team("a")).await;
        assert!(least <= pause && pause <= most, "{wish:?} became {pause:?}");
        queue.done(&team("a"), Err(Some(wish)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_succeeds_is_looked_at_again_as_it_wishes() {
    let queue = Queue::default();
    fails(&queue, &team("a"), 12).await;
    queue.next().await;
    queue.done(&team("a"), Ok(Some(Duration::from_secs(5))));
    assert!(waits(&queue, &team("a")).await >= Duration::from_secs(5));
    queue.done(&team("a"), Err(None));
    assert!(is_shortest(waits(&queue, &team("a")).await), "its failures are forgotten");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_works_on_yet_is_not_collected() {
    let queue = Queue::default();
    queue.close();
    queue.know(team("known"));
    queue.add(team("a"));
    assert!(queue.depth() == 0 && !queue.is_open());
    queue.open();
    queue.add_known();
    assert_eq!((queue.next().await, queue.depth()), (team("known"), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_keys_wake_two_workers() {
    let queue = Queue::default();
    let both = Arc::new(tokio::sync::Barrier::new(2));
    for round in 0..3000 {
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (queue, both) = (queue.clone(), Arc::clone(&both));
                tokio::spawn(async move {
                    let key = queue.next().await;
                    // Each waits for the other in the middle of its pass.
                    both.wait().await;
                    queue.done(&key, Ok(None));
                })
            })
            .collect();
        for name in ["a", "b"] {
            queue.add_after(team(name), Duration::ZERO);
        }
        let met = tokio::time::timeout(Duration::from_secs(10), futures::future::join_all(workers)).await;
        assert!(met.is_ok(), "in round {round} one key waited for the pass of the other");
    }
}

#[tokio::test(start_paused = true)]
async fn dataset_settings_are_written_soon_and_bursts_are_paced() {
    let queue = Queue::default();
    queue.add_summary("a");
    queue.add_settings("a");
    assert!(waits(&queue, &team("a")).await < SUMMING / 5, "the first is looked at soon");
    queue.done(&team("a"), Ok(None));
    let begun = Instant::now();
    let mut passes = 0;
    while begun.elapsed() < SUMMING * 5 {
        queue.add_settings("a");
        if tokio::time::timeout(GATHERING, queue.next()).await.is_ok() {
            passes += 1;
            queue.done(&team("a"), Ok(None));
        }
    }
    assert!((4..=6).contains(&passes), "{passes} passes");
    tokio::time::sleep(SUMMING * 2).await;
    queue.add_settings("a");
    assert!(waits(&queue, &team("a")).await < SUMMING / 5, "what comes after a rest is looked at soon");
}
