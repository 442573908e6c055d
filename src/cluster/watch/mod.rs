//! One watch per kind, cluster-wide, as the input of the cache.
//!
//! Every watch runs in its own task with its own backoff: a kind that is not served, or
//! that we may not read, delays no other. A watch writes nothing and decides nothing; it
//! only returns the requests to enqueue.

pub mod api_server;
mod autoscalers;
mod events;
pub mod follow;
pub mod health;
mod lean;
pub mod outsiders;
mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher;
use serde_json::Value;
use tokio::task::AbortHandle;
use tracing::info;

use crate::api::ObjectKey;
use crate::api::kinds::{KINDS, Kind, RBAC, WatchScope, WriteStrategy};
use crate::api::labels;
use crate::api::reason::Class;
use crate::cluster::cache::ObjectCache;
use crate::cluster::queue::Queue;
use crate::cluster::tasks::Tasks;
use api_server::ApiServerWatch;
pub use autoscalers::Autoscalers;
pub use events::EventMessages;
use follow::{Change, Opener};
use health::Health;
pub use health::State;
pub use lean::Lean;
use outsiders::Outsiders;

/// A kind as it is watched and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// How to reach it.
    pub resource: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// How its objects are kept.
    pub write_strategy: WriteStrategy,
    /// Which of its objects are watched.
    pub selection: WatchScope,
}

impl From<&Kind> for Watched {
    fn from(kind: &Kind) -> Self {
        let gvk = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
        Self {
            resource: ApiResource::from_gvk_with_plural(&gvk, kind.plural),
            namespaced: kind.namespaced,
            write_strategy: kind.write_strategy,
            selection: kind.selection,
        }
    }
}

/// The identity of a watch: group, kind and version.
type Name = (String, String, String);

/// One watch.
#[derive(Clone)]
struct Watch {
    kind: Watched,
    /// Whether the watch is independent of engines.
    always: bool,
    health: Arc<Health>,
    end: Arc<End>,
}

/// How a watch is ended.
#[derive(Default)]
struct End {
    /// Locked while an item is processed: items that arrive after the end are dropped.
    ended: Mutex<bool>,
    task: Mutex<Option<AbortHandle>>,
}

/// A kind as it is watched, with how that goes.
#[derive(Clone)]
pub struct Known {
    /// The kind.
    pub kind: Watched,
    /// Whether the kind is watched independently of engines.
    pub always: bool,
    /// How its watch is.
    pub state: State,
    /// Whether all of its objects were known once.
    pub was_synced: bool,
}

impl From<&Watch> for Known {
    fn from(watch: &Watch) -> Self {
        let was_synced = watch.health.was_synced();
        Self { kind: watch.kind.clone(), always: watch.always, state: watch.health.state(), was_synced }
    }
}

/// The watches.
pub struct Watches {
    opener: Opener,
    cache: Arc<ObjectCache>,
    queue: Queue,
    kinds: Mutex<BTreeMap<Name, Watch>>,
    /// The tasks of the watches.
    pub tasks: Tasks,
    /// Where the API server is reached.
    api_server: ApiServerWatch,
    /// Pods that were refused.
    pub refusals: EventMessages,
    /// Why pods are not ready.
    pub probes: EventMessages,
    /// Autoscalers of other owners.
    pub autoscalers: Autoscalers,
    /// Access to namespaces of teams beside that of AITeams.
    pub outsiders: Outsiders,
}

impl Watches {
    /// No watch yet; [`Watches::start_built_in`] starts the first.
    #[must_use]
    pub fn new(opener: Opener, cache: Arc<ObjectCache>, queue: Queue) -> Arc<Self> {
        let api_server = ApiServerWatch::new(&opener, Arc::clone(&cache.api_server));
        let (refusals, probes) = (EventMessages::of_refusals(&opener), EventMessages::of_probes(&opener));
        let autoscalers = Autoscalers::new(&opener);
        Arc::new(Self {
            opener,
            cache,
            queue,
            kinds: Mutex::default(),
            tasks: Tasks::default(),
            api_server,
            refusals,
            probes,
            autoscalers,
            outsiders: Outsiders::default(),
        })
    }

    /// Watches every built-in kind.
    pub fn start_built_in(self: &Arc<Self>) {
        for kind in KINDS {
            self.begin(Watched::from(kind), true);
        }
        let watches = Arc::clone(self);
        self.tasks.spawn("the watch of events", async move {
            let (opener, cache, queue) = (&watches.opener, &watches.cache, &watches.queue);
            tokio::join!(watches.refusals.follow(opener, cache, queue), watches.probes.follow(opener, cache, queue));
        });
        let watches = Arc::clone(self);
        self.tasks.spawn("the watch of autoscalers of other owners", async move {
            watches.autoscalers.follow(&watches.opener, &watches.cache, &watches.queue).await;
        });
        let watches = Arc::clone(self);
        self.tasks.spawn("the watch of the API server's addresses", async move {
            watches.api_server.follow(&watches.opener, &watches.queue).await;
        });
    }

    /// How the watches are by which the API server is found.
    fn of_api_server(&self) -> [&Arc<Health>; 2] {
        [&self.api_server.endpoints, &self.api_server.service]
    }

    /// Watches a kind that an engine brings, if it is not watched already.
    pub fn ensure(self: &Arc<Self>, kind: Watched) {
        self.begin(kind, false);
    }

    fn begin(self: &Arc<Self>, kind: Watched, always: bool) {
        let mut kinds = self.lock();
        if kinds.contains_key(&name(&kind)) {
            return;
        }
        let health = self.opener.health(full_name(&kind.resource));
        let watch = Watch { kind, always, health, end: Arc::default() };
        kinds.insert(name(&watch.kind), watch.clone());
        drop(kinds);
        let watches = Arc::clone(self);
        let (what, end) = (format!("the watch of {}", watch.health.name()), Arc::clone(&watch.end));
        let task = self.tasks.spawn(what, async move { watches.follow(&watch).await });
        *end.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Ends the watches of engines' kinds that are no longer served in this way. The cache
    /// of such a kind is cleared: its objects may be gone.
    pub fn end_unserved(&self, is_served: impl Fn(&Watched) -> bool) {
        let mut kinds = self.lock();
        let unserved = kinds.values().filter(|watch| !watch.always && !is_served(&watch.kind));
        let unserved: Vec<Watch> = unserved.cloned().collect();
        for watch in &unserved {
            kinds.remove(&name(&watch.kind));
        }
        drop(kinds);
        for watch in unserved {
            *watch.end.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
            let task = watch.end.task.lock().unwrap_or_else(PoisonError::into_inner).take();
            task.inspect(AbortHandle::abort);
            let ApiResource { group, kind, .. } = &watch.kind.resource;
            info!(kind = watch.health.name(), "the kind is no longer served and no longer watched");
            if self.of_kind(group, kind).is_empty() {
                self.wake(self.cache.forget_kind(group, kind));
            }
        }
    }

    /// The kind as it is watched in this version.
    #[must_use]
    pub fn version(&self, group: &str, kind: &str, version: &str) -> Option<Known> {
        let name = (group.to_owned(), kind.to_owned(), version.to_owned());
        self.lock().get(&name).map(Known::from)
    }

    /// The kind in a version in which it is watched, a good one if there is one.
    #[must_use]
    pub fn kind(&self, group: &str, kind: &str) -> Option<Known> {
        let all: Vec<Known> = self.of_kind(group, kind).iter().map(Known::from).collect();
        let good = all.iter().position(|known| known.state == State::Synced);
        all.into_iter().nth(good.unwrap_or_default())
    }

    /// The kinds that a start still waits for. Kinds that we may not read or that are not
    /// served delay only themselves, as do engines' kinds that cannot be listed, whatever
    /// the reason.
    #[must_use]
    pub fn listing(&self) -> Vec<String> {
        let waits = |health: &Health, always: bool| match health.state() {
            State::Listing => true,
            State::Failing(failure) => always && failure.class() == Class::Transient && !health.was_synced(),
            State::Synced => false,
        };
        let kinds = self.lock();
        let of_kinds = kinds.values().map(|watch| (&watch.health, watch.always));
        let all = of_kinds.chain(self.of_api_server().into_iter().map(|health| (health, true)));
        let waiting = all.filter(|(health, always)| waits(health, *always));
        waiting.map(|(health, _)| health.name().to_owned()).collect()
    }

    /// The watches that are always there.
    #[must_use]
    pub fn always(&self) -> Vec<Arc<Health>> {
        let kinds = self.lock();
        let always = kinds.values().filter(|watch| watch.always).map(|watch| Arc::clone(&watch.health));
        let apart = [&self.refusals.health, &self.probes.health, &self.autoscalers.health];
        always.chain(apart.map(Arc::clone)).collect()
    }

    /// The watches that only engines need.
    #[must_use]
    pub fn of_engines(&self) -> Vec<Arc<Health>> {
        let kinds = self.lock();
        let of_kinds = kinds.values().filter(|watch| !watch.always).map(|watch| &watch.health);
        of_kinds.chain(self.of_api_server()).map(Arc::clone).collect()
    }

    fn of_kind(&self, group: &str, kind: &str) -> Vec<Watch> {
        let from = (group.to_owned(), kind.to_owned(), String::new());
        let kinds = self.lock();
        let of_kind =
            kinds.range(from..).take_while(|((of_group, of_kind, _), _)| of_group == group && of_kind == kind);
        of_kind.map(|(_, watch)| watch.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, Watch>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow(&self, watch: &Watch) {
        let resource = watch.kind.resource.clone();
        let mut config = watcher::Config::default();
        if watch.kind.selection == WatchScope::Managed {
            config = config.labels(labels::TEAM);
        }
        let api = |client| Api::<Lean>::all_with(client, &resource);
        follow::follow(&self.opener, api, config, &watch.health, |change| match change {
            Change::Event(event) => self.take(watch, event),
            Change::Turned(_) => {
                self.outsiders.changed.notify_one();
                self.wake_all();
            }
        })
        .await;
    }

    fn take(&self, watch: &Watch, event: watcher::Event<Lean>) {
        let ended = watch.end.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *ended {
            return;
        }
        let kind = &watch.kind;
        let ApiResource { group, kind: name, version, .. } = &kind.resource;
        if group == RBAC {
            self.outsiders.take(name, &event);
        }
        let wake = match event {
            watcher::Event::Init => {
                self.cache.list_begins(group, name, version);
                crate::cluster::cache::Wake::new()
            }
            watcher::Event::InitApply(object) => match self.own(watch, &object) {
                Ok((key, object)) => self.cache.listed(&key, &object, kind.write_strategy),
                Err(key) => {
                    self.cache.still_there(&key);
                    crate::cluster::cache::Wake::new()
                }
            },
            watcher::Event::Apply(object) => match self.own(watch, &object) {
                Ok((key, object)) => self.cache.observe(&key, &object, kind.write_strategy),
                Err(_) => crate::cluster::cache::Wake::new(),
            },
            watcher::Event::Delete(object) => {
                let object = object.value();
                self.cache.removed(&ObjectKey::of(group, name, &object), &object)
            }
            watcher::Event::InitDone => self.cache.list_ends(group, name, version),
        };
        drop(ended);
        self.wake(wake);
    }

    /// The object, if it belongs to this watch. Two engines may write one kind in two
    /// versions with different fields: each object belongs to the watch of the version in
    /// which it was written, if there is one.
    fn own(&self, watch: &Watch, object: &Lean) -> Result<(ObjectKey, Value), ObjectKey> {
        let ApiResource { group, kind, version, .. } = &watch.kind.resource;
        let object = object.value();
        let key = ObjectKey::of(group, kind, &object);
        let others = if watch.always { Vec::new() } else { self.of_kind(group, kind) };
        if others.len() < 2 {
            return Ok((key, object));
        }
        let versions = || others.iter().map(|watch| watch.kind.resource.version.as_str());
        let written = crate::cluster::cache::fingerprint::applied_in(&object)
            .filter(|written| versions().any(|other| other == *written));
        let is_own = written.or_else(|| versions().next()) == Some(version);
        if is_own { Ok((key, object)) } else { Err(key) }
    }

    fn wake(&self, works: crate::cluster::cache::Wake) {
        for work in works {
            self.queue.add(work);
        }
    }

    fn wake_all(&self) {
        self.wake(self.cache.works());
        self.queue.add_known();
    }
}

fn name(kind: &Watched) -> Name {
    let ApiResource { group, kind, version, .. } = &kind.resource;
    (group.clone(), kind.clone(), version.clone())
}

/// The name of a resource as `kubectl` and roles know it: `networkpolicies.networking.k8s.io`.
#[must_use]
pub fn full_name(resource: &ApiResource) -> String {
    if resource.group.is_empty() { resource.plural.clone() } else { format!("{}.{}", resource.plural, resource.group) }
}

/// A dynamic object as plain JSON.
#[must_use]
pub fn value(object: &DynamicObject) -> Value {
    // It came from JSON, so it can be written as JSON again.
    serde_json::to_value(object).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests;
