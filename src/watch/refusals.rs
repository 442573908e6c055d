//! Pods that were refused (by a quota, by Pod Security, by admission): the
//! controllers of `StatefulSet`s and Jobs say so in Events alone.
//!
//! A watch of its own over Events of this one reason. What it knows is kept by
//! the workload's UID and is believed only while the workload misses pods.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tracing::warn;

use super::{Key, Mirror};
use crate::queue::Queue;

/// How many are remembered: they are news for an hour, and new ones replace old ones.
const REMEMBERED: usize = 4096;

/// Why pods of workloads were refused, by the workload's UID.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<String, String>>);

impl Refusals {
    /// Why a pod of this workload was refused last.
    #[must_use]
    pub fn of(&self, uid: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned()
    }

    /// Follows the Events of the cluster.
    pub async fn follow(&self, client: &Client, mirror: &Mirror, queue: &Queue) {
        let api: Api<Event> = Api::all(client.clone());
        let config = watcher::Config::default().fields("reason=FailedCreate").timeout(200);
        let mut events = pin!(watcher(api, config).default_backoff().applied_objects());
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(&event, mirror, queue),
                Err(error) => warn!(%error, "the watch of refused pods fails and is tried again"),
            }
        }
    }

    fn take(&self, event: &Event, mirror: &Mirror, queue: &Queue) {
        let about = &event.involved_object;
        let (Some(uid), Some(kind), Some(name), Some(message)) =
            (about.uid.as_ref(), about.kind.as_deref(), about.name.as_deref(), event.message.as_ref())
        else {
            return;
        };
        let group = if kind == "Job" { "batch" } else { "apps" };
        let Some(entry) = mirror.get(&Key::new(group, kind, about.namespace.as_deref(), name)) else { return };
        if entry.uid != *uid || !entry.is_ours() {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let changed = known.insert(uid.clone(), message.clone()).as_ref() != Some(message);
        drop(known);
        if changed {
            queue.add(entry.work);
        }
    }
}
