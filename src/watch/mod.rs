//! One watch per kind, cluster-wide, feeding the mirror.
//!
//! Every watch lives in a task of its own and backs off alone: a kind that is
//! not served, or that we may not read, holds up nothing else. A watch writes
//! nothing and decides nothing; it only says which teams should look again.

mod container;
mod entry;
pub mod fingerprint;
pub mod follow;
mod gone;
pub mod health;
mod key;
pub mod mirror;
mod pod;
mod told;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tracing::warn;

use crate::api::labels;
use crate::api::reason::Class;
use crate::error::Failure;
use crate::kinds::{KINDS, Keeping, Kind, Selection};
use crate::queue::Queue;
pub use entry::{Entry, team_of};
pub use key::Key;
pub use mirror::Mirror;
pub use told::Told;
pub use view::mark;

/// A kind as it is watched and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// How to reach it.
    pub resource: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// How its objects are kept.
    pub keeping: Keeping,
    /// Which of its objects are watched.
    pub selection: Selection,
}

impl From<&Kind> for Watched {
    fn from(kind: &Kind) -> Self {
        let gvk = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
        Self {
            resource: ApiResource::from_gvk_with_plural(&gvk, kind.plural),
            namespaced: kind.namespaced,
            keeping: kind.keeping,
            selection: kind.selection,
        }
    }
}

/// How far a watch has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its first list is not complete.
    Listing,
    /// What the mirror says of the kind is whole.
    Synced,
    /// It fails, for this reason; what the mirror says may be old.
    Failing(Failure),
}

/// The watches.
pub struct Watches {
    client: Client,
    mirror: Arc<Mirror>,
    queue: Queue,
    kinds: Mutex<BTreeMap<(String, String), (Watched, State)>>,
    /// Pods that were refused.
    pub refusals: Told,
    /// Why pods are not ready.
    pub probes: Told,
}

impl Watches {
    /// No watch yet; [`Watches::start_built_in`] starts the first.
    #[must_use]
    pub fn new(client: Client, mirror: Arc<Mirror>, queue: Queue) -> Arc<Self> {
        let (refusals, probes) = (Told::of_refusals(), Told::of_probes());
        Arc::new(Self { client, mirror, queue, kinds: Mutex::default(), refusals, probes })
    }

    /// Watches every built-in kind.
    pub fn start_built_in(self: &Arc<Self>) {
        for kind in KINDS {
            self.ensure(Watched::from(kind));
        }
        let watches = Arc::clone(self);
        tokio::spawn(async move {
            let (client, mirror, queue) = (&watches.client, &watches.mirror, &watches.queue);
            tokio::join!(watches.refusals.follow(client, mirror, queue), watches.probes.follow(client, mirror, queue))
        });
    }

    /// Watches a kind, if it is not watched already.
    pub fn ensure(self: &Arc<Self>, kind: Watched) {
        let name = (kind.resource.group.clone(), kind.resource.kind.clone());
        let mut kinds = self.lock();
        if kinds.contains_key(&name) {
            return;
        }
        kinds.insert(name, (kind.clone(), State::Listing));
        drop(kinds);
        let watches = Arc::clone(self);
        tokio::spawn(async move { watches.follow(kind).await });
    }

    /// The kind as it is watched, and how far its watch has come.
    #[must_use]
    pub fn kind(&self, group: &str, kind: &str) -> Option<(Watched, State)> {
        self.lock().get(&(group.to_owned(), kind.to_owned())).cloned()
    }

    /// The kinds of which the mirror does not know everything.
    #[must_use]
    pub fn unsynced(&self) -> Vec<String> {
        self.in_state(|state| *state != State::Synced)
    }

    /// The kinds that are still waited for: those that we may not read, or that
    /// are not served, hold up nothing but themselves.
    #[must_use]
    pub fn listing(&self) -> Vec<String> {
        self.in_state(|state| match state {
            State::Listing => true,
            State::Failing(failure) => failure.class() == Class::Transient,
            State::Synced => false,
        })
    }

    fn in_state(&self, matches: impl Fn(&State) -> bool) -> Vec<String> {
        let kinds = self.lock();
        let found = kinds.values().filter(|(_, state)| matches(state));
        found.map(|(watched, _)| watched.resource.plural.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), (Watched, State)>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, kind: &ApiResource, state: State) -> bool {
        let mut kinds = self.lock();
        let Some((_, old)) = kinds.get_mut(&(kind.group.clone(), kind.kind.clone())) else { return false };
        let changed = *old != state;
        *old = state;
        changed
    }

    async fn follow(&self, kind: Watched) {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind.resource);
        // Load balancers cut connections that idle for four minutes.
        let mut config = watcher::Config::default().timeout(200);
        if kind.selection == Selection::Ours {
            config = config.labels(labels::TEAM);
        }
        let mut events = watcher(api, config).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(&kind, event),
                Err(error) => self.failed(&kind, &error),
            }
        }
    }

    fn failed(&self, kind: &Watched, error: &watcher::Error) {
        let failure = Failure::of_watch(error, &kind.resource.plural);
        // An interrupted stream is resumed from where it was: the mirror stays whole.
        let interrupted = matches!(error, watcher::Error::WatchFailed(_) | watcher::Error::WatchStartFailed(_));
        if interrupted
            && self.kind(&kind.resource.group, &kind.resource.kind).is_some_and(|(_, state)| state == State::Synced)
        {
            return;
        }
        if self.set(&kind.resource, State::Failing(failure.clone())) {
            warn!(kind = kind.resource.plural, %error, "the watch fails and is tried again");
            self.wake_all();
        }
    }

    fn take(&self, kind: &Watched, event: watcher::Event<DynamicObject>) {
        let ApiResource { group, kind: name, .. } = &kind.resource;
        let wake = match event {
            watcher::Event::Init => {
                self.mirror.list_begins(group, name);
                mirror::Wake::new()
            }
            watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
                let object = value(&object);
                self.mirror.observe(Key::of(group, name, &object), &object, kind.keeping)
            }
            watcher::Event::Delete(object) => {
                let object = value(&object);
                self.mirror.removed(&Key::of(group, name, &object), &object)
            }
            watcher::Event::InitDone => {
                let wake = self.mirror.list_ends(group, name);
                if self.set(&kind.resource, State::Synced) {
                    self.wake_all();
                }
                wake
            }
        };
        for work in wake {
            self.queue.add(work);
        }
    }

    fn wake_all(&self) {
        for work in self.mirror.works() {
            self.queue.add(work);
        }
        self.queue.add_known();
    }
}

/// A dynamic object as plain JSON.
#[must_use]
pub fn value(object: &DynamicObject) -> Value {
    // It came from JSON, so it can be written as JSON again.
    serde_json::to_value(object).unwrap_or(Value::Null)
}
