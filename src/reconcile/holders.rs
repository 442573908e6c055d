//! What blocks the deletion of namespaces: the answers of the API server, and when to ask
//! again. That is after a pause that grows with the age of the deletion, or sooner if the
//! namespace itself changes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::time::Instant;

use super::requeue::RECHECK;
use crate::cluster::cache::Entry;
use crate::cluster::holders::holders;
use crate::telemetry::requests::Requests;

/// How long the deletion of a namespace takes before the API server is asked what blocks
/// it, and the least time between two such questions.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest time between two questions.
const LONGEST: Duration = Duration::from_secs(600);
/// The part of its age after which a deletion is asked about again.
const PART: u32 = 10;

/// An answer to the question who holds a namespace.
#[derive(Clone, Debug)]
struct Answer {
    /// The resource version of the namespace then.
    version: u64,
    at: Instant,
    holders: Vec<String>,
}

/// What was answered last, by the UIDs of namespaces.
#[derive(Debug, Default)]
pub struct Answers(Mutex<HashMap<String, Answer>>);

impl Answers {
    /// Who holds the namespace, as far as that was asked of late; else it is asked.
    pub(super) async fn of(&self, client: &Client, requests: &Requests, name: &str, entry: &Entry) -> Vec<String> {
        let known = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // What is older than any pause is of a namespace that is gone.
            all.retain(|_, answer| answer.at.elapsed() < LONGEST * 2);
            all.get(&entry.uid).cloned()
        };
        if let Some(known) = known {
            let pause = if known.version == entry.version { pause(entry) } else { PATIENCE };
            if known.at.elapsed() < pause {
                return known.holders;
            }
        }
        let holders = holders(client, requests, name, entry).await;
        let answer = Answer { version: entry.version, at: Instant::now(), holders: holders.clone() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.uid.clone(), answer);
        holders
    }

    /// When there may be another answer.
    pub(super) fn again(&self, entry: &Entry) -> Duration {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = all.get(&entry.uid) else { return if is_slow(entry) { RECHECK } else { PATIENCE } };
        let pause = if known.version == entry.version { pause(entry) } else { PATIENCE };
        pause.saturating_sub(known.at.elapsed()).max(PATIENCE)
    }
}

/// The time for which an answer is valid while the namespace does not change.
fn pause(entry: &Entry) -> Duration {
    (age(entry).unwrap_or_default() / PART).clamp(RECHECK, LONGEST)
}

pub(super) fn is_slow(entry: &Entry) -> bool {
    age(entry).is_none_or(|age| age >= PATIENCE)
}

/// How long it has been deleted, if it says since when.
fn age(entry: &Entry) -> Option<Duration> {
    let since = entry.state.namespace().ok()?.deleted?;
    Some(jiff::Timestamp::now().duration_since(since.0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;
    use crate::api::ObjectKey;
    use crate::api::kinds::built_in;
    use crate::cluster::cache::ObjectCache;
    use crate::cluster::fake_api::client;

    /// A namespace that has been deleted for so long, in this version.
    fn going(age: Duration, version: u64) -> Entry {
        let since = (jiff::Timestamp::now() - age).to_string();
        let object = json!({"metadata": {
            "name": "abc--p", "uid": "u", "resourceVersion": version.to_string(), "deletionTimestamp": since,
            "labels": {"strata-operator.dev/team": "abc"},
        }});
        let (cache, key) = (ObjectCache::default(), ObjectKey::new("", "Namespace", None, "abc--p"));
        cache.observe(&key, &object, built_in("", "Namespace").unwrap().write_strategy);
        cache.get(&key).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_a_namespace_is_asked_at_a_pace() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let client = client(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            async {
                (
                    200,
                    json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": []}),
                )
            }
        });
        let (answers, requests) = (Answers::default(), Requests::default());
        let minute = Duration::from_secs(60);
        let of = async |age: Duration, version: u64| {
            answers.of(&client, &requests, "abc--p", &going(age, version)).await;
            asked.load(Ordering::Relaxed)
        };
        for _ in 0..20 {
            assert_eq!(of(minute, 1).await, 1, "each pass asks");
        }
        // The namespace says something else: soon, and not at once.
        assert_eq!(of(minute, 2).await, 1);
        tokio::time::advance(PATIENCE).await;
        assert_eq!(of(minute, 2).await, 2);
        tokio::time::advance(minute).await;
        assert_eq!(of(minute, 2).await, 3);
        // What has been stuck for a day is asked about every ten minutes.
        let day = minute * 60 * 24;
        tokio::time::advance(minute * 9).await;
        assert_eq!(of(day, 2).await, 3);
        assert_eq!(answers.again(&going(day, 2)), minute);
        tokio::time::advance(minute).await;
        assert_eq!(of(day, 2).await, 4);
        assert_eq!(answers.again(&going(minute, 2)), minute);
        // While nobody asks anew, another namespace goes first, nobody looks all the time.
        for age in [minute, day] {
            tokio::time::advance(LONGEST).await;
            assert!(answers.again(&going(age, 2)) >= PATIENCE);
            assert!(answers.again(&going(age, 3)) >= PATIENCE);
        }
    }
}
