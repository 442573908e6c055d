//! What is told in Events and nowhere else: that the pods of a workload were refused
//! (by a quota, by Pod Security, by admission), and what the probe of a pod says that
//! is not ready.
//!
//! A watch of its own over Events of one reason each. What is known is kept by the
//! UID of what it is about, and is believed only while that still shows: while the
//! workload misses pods, while the pod is not ready.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::runtime::watcher;

use super::follow::{Change, Opener, follow};
use super::health::Health;
use super::{Key, Mirror};
use crate::api::status::bounded;
use crate::queue::Queue;

/// How many are remembered: they are news for an hour, and new ones replace old ones.
const REMEMBERED: usize = 4096;
/// The most that is kept of a message.
const MESSAGE: usize = 1024;

/// What Events of one reason say, by the UID of what they are about.
pub struct Told {
    /// Which Events.
    selector: &'static str,
    /// What of a message counts.
    says: fn(&str) -> Option<&str>,
    known: Mutex<HashMap<String, String>>,
    /// How the watch of these Events is.
    pub health: Arc<Health>,
}

impl Told {
    /// Why pods of workloads were refused.
    #[must_use]
    pub fn of_refusals(opener: &Opener) -> Self {
        Self::new(opener, "reason=FailedCreate", |message| Some(message))
    }

    /// Why pods are not ready. Probes of other kinds fail while all is well, too: a
    /// server that starts does not answer yet.
    #[must_use]
    pub fn of_probes(opener: &Opener) -> Self {
        Self::new(opener, "reason=Unhealthy,involvedObject.kind=Pod", readiness)
    }

    fn new(opener: &Opener, selector: &'static str, says: fn(&str) -> Option<&str>) -> Self {
        let reason = selector.split([',', '=']).nth(1).unwrap_or_default();
        Self { selector, says, known: Mutex::default(), health: opener.health(format!("events ({reason})")) }
    }

    /// What was said last of the object with this UID.
    #[must_use]
    pub fn of(&self, uid: &str) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned()
    }

    /// Follows the Events of the cluster.
    pub async fn follow(&self, opener: &Opener, mirror: &Mirror, queue: &Queue) {
        let config = watcher::Config::default().fields(self.selector);
        follow(opener, Api::<Event>::all, config, &self.health, |change| match change {
            Change::Event(watcher::Event::Apply(event) | watcher::Event::InitApply(event)) => {
                self.take(&event, mirror, queue);
            }
            // What they say is believed only while it still shows otherwise.
            Change::Event(_) | Change::Turned(_) => {}
        })
        .await;
    }

    fn take(&self, event: &Event, mirror: &Mirror, queue: &Queue) {
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
        let Some(entry) = mirror.get(&Key::new(group, kind, about.namespace.as_deref(), name)) else { return };
        if entry.uid != *uid || !entry.is_ours() {
            return;
        }
        let message = bounded(message.trim().to_owned(), MESSAGE);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let changed = known.insert(uid.clone(), message.clone()).as_ref() != Some(&message);
        drop(known);
        if changed {
            queue.add(entry.work);
        }
    }
}

fn readiness(message: &str) -> Option<&str> {
    message.strip_prefix("Readiness probe failed: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_readiness_probe_says_why_a_pod_is_not_ready() {
        let says = readiness;
        assert_eq!(says("Readiness probe failed: the volume is full"), Some("the volume is full"));
        assert_eq!(says("Startup probe failed: connection refused"), None);
        assert_eq!(says("Liveness probe failed: connection refused"), None);
    }
}
