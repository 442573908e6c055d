//! Facts that only Events report: that the pods of a workload were refused (by a quota,
//! by Pod Security, by admission), and what the probe of a pod says that is not ready.
//!
//! One watch per reason. A message is kept by the UID of its object, and is believed
//! only while that object still shows the failure: while the workload lacks pods, while
//! the pod is not ready.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::runtime::watcher;

use super::follow::{Change, Opener, follow};
use super::health::Health;
use crate::api::ObjectKey;
use crate::api::identity::team_of;
use crate::api::text::bounded;
use crate::cluster::cache::ObjectCache;
use crate::cluster::queue::Queue;

/// How many are remembered: they are news for an hour, and new ones replace old ones.
const REMEMBERED: usize = 4096;
/// The most that is kept of a message.
const MESSAGE: usize = 1024;

/// The messages of Events of one reason, by the UID of their object.
pub struct EventMessages {
    /// Which Events.
    selector: &'static str,
    /// The relevant part of a message.
    says: fn(&str) -> Option<&str>,
    known: Mutex<Newest>,
    /// How the watch of these Events is.
    pub health: Arc<Health>,
}

impl EventMessages {
    /// Why pods of workloads were refused.
    #[must_use]
    pub fn of_refusals(opener: &Opener) -> Self {
        Self::new(opener, "reason=FailedCreate", |message| Some(message))
    }

    /// Why pods are not ready. Probes of other kinds also fail during normal operation: a
    /// starting server does not respond yet.
    #[must_use]
    pub fn of_probes(opener: &Opener) -> Self {
        Self::new(opener, "reason=Unhealthy,involvedObject.kind=Pod", readiness)
    }

    fn new(opener: &Opener, selector: &'static str, says: fn(&str) -> Option<&str>) -> Self {
        let reason = selector.split([',', '=']).nth(1).unwrap_or_default();
        Self { selector, says, known: Mutex::default(), health: opener.health(format!("events ({reason})")) }
    }

    /// The last message about the object with this UID.
    #[must_use]
    pub fn of(&self, uid: &str) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(uid)
    }

    /// Follows the Events of the cluster.
    pub async fn follow(&self, opener: &Opener, cache: &ObjectCache, queue: &Queue) {
        let config = watcher::Config::default().fields(self.selector);
        follow(opener, Api::<Event>::all, config, &self.health, |change| match change {
            Change::Event(watcher::Event::Apply(event) | watcher::Event::InitApply(event)) => {
                self.take(&event, cache, queue);
            }
            // What they say is believed only while it still shows otherwise.
            Change::Event(_) | Change::Turned(_) => {}
        })
        .await;
    }

    fn take(&self, event: &Event, cache: &ObjectCache, queue: &Queue) {
        let about = &event.involved_object;
        let (Some(uid), Some(kind), Some(name), Some(message)) =
            (about.uid.as_ref(), about.kind.as_deref(), about.name.as_deref(), event.message.as_deref())
        else {
            return;
        };
        let group = match kind {
            "Pod" => "",
            "Job" => "batch",
            _ => "apps",
        };
        let Some(message) = (self.says)(message) else { return };
        let key = ObjectKey::new(group, kind, about.namespace.as_deref(), name);
        let ours = cache.get(&key).filter(|entry| entry.uid == *uid && entry.is_ours());
        // An Event may arrive before its object: it is read once the object is known.
        // Objects in namespaces of no team do not count until then.
        if ours.is_none() && about.namespace.as_deref().and_then(team_of).is_none() {
            return;
        }
        let message = bounded(message.trim().to_owned(), MESSAGE);
        let changed = self.known.lock().unwrap_or_else(PoisonError::into_inner).put(uid, message);
        if let Some(entry) = ours.filter(|_| changed) {
            queue.add(entry.work);
        }
    }
}

/// The newest messages, by UID: a new message replaces the oldest one.
#[derive(Default)]
struct Newest {
    messages: HashMap<String, (u64, String)>,
    order: BTreeMap<u64, String>,
    count: u64,
}

impl Newest {
    fn get(&self, uid: &str) -> Option<String> {
        self.messages.get(uid).map(|(_, message)| message.clone())
    }

    /// Stores the message, and returns whether it changed.
    fn put(&mut self, uid: &str, message: String) -> bool {
        self.count += 1;
        let before = self.messages.remove(uid);
        if let Some((at, _)) = &before {
            self.order.remove(at);
        }
        while self.messages.len() >= REMEMBERED
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.messages.remove(&oldest);
        }
        let changed = before.is_none_or(|(_, said)| said != message);
        self.order.insert(self.count, uid.to_owned());
        self.messages.insert(uid.to_owned(), (self.count, message));
        changed
    }
}

fn readiness(message: &str) -> Option<&str> {
    message.strip_prefix("Readiness probe failed: ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ObjectReference;

    #[test]
    fn only_a_readiness_probe_says_why_a_pod_is_not_ready() {
        let says = readiness;
        assert_eq!(says("Readiness probe failed: the volume is full"), Some("the volume is full"));
        assert_eq!(says("Startup probe failed: connection refused"), None);
        assert_eq!(says("Liveness probe failed: connection refused"), None);
    }

    fn event(uid: &str, namespace: &str, message: &str) -> Event {
        let about = ObjectReference {
            uid: Some(uid.to_owned()),
            kind: Some("Job".to_owned()),
            name: Some("j".to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectReference::default()
        };
        Event { involved_object: about, message: Some(message.to_owned()), ..Event::default() }
    }

    #[tokio::test]
    async fn an_event_that_comes_before_its_object_is_not_lost() {
        let (known_refusals, cache, queue) = (refusals(), ObjectCache::default(), Queue::default());
        known_refusals.take(&event("u", "a--p", "exceeded quota"), &cache, &queue);
        assert_eq!(known_refusals.of("u").as_deref(), Some("exceeded quota"));
        known_refusals.take(&event("v", "default", "exceeded quota"), &cache, &queue);
        assert_eq!((known_refusals.of("v"), queue.depth()), (None, 0));
    }

    #[tokio::test]
    async fn of_many_events_the_newest_are_remembered() {
        let (known_refusals, cache, queue) = (refusals(), ObjectCache::default(), Queue::default());
        for number in 0..=REMEMBERED {
            known_refusals.take(&event(&number.to_string(), "a--p", "no"), &cache, &queue);
            known_refusals.take(&event("again", "a--p", "no"), &cache, &queue);
        }
        let known = |uid: usize| known_refusals.of(&uid.to_string()).is_some();
        assert!(known_refusals.of("again").is_some() && known(REMEMBERED) && known(REMEMBERED / 2) && !known(0));
        let newest = known_refusals.known.lock().unwrap();
        assert_eq!((newest.messages.len(), newest.order.len()), (REMEMBERED, REMEMBERED));
    }

    fn refusals() -> EventMessages {
        let service = tower::service_fn(|_| async { Err::<http::Response<kube::client::Body>, _>("no cluster") });
        EventMessages::of_refusals(&Opener::new(kube::Client::new(service, "default"), std::time::Duration::MAX))
    }
}
