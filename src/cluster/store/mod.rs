//! The objects that people write for Strata, as they are in the cluster: teams,
//! Blueprints, Engines, members' objects, and the definitions of kinds.
//!
//! Its input are watches, each with its own backoff and health. It reports changes to one
//! listener; [`crate::reconcile::triggers`] decides which requests to enqueue.

pub mod collection;
pub mod definition;
pub mod expiring;
pub mod kept;
pub mod known;
mod reader;
pub mod work_index;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use kube::api::{Api, ApiResource, GroupVersionKind};
use kube::runtime::watcher;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::identity::WorkId;
use crate::api::work::WorkKind;
use crate::api::{AITeam, Blueprint, Engine, GROUP, Issue, VERSION};
use crate::cluster::tasks::Tasks;
use crate::cluster::watch::Lean;
use crate::cluster::watch::follow as watch;
use crate::cluster::watch::follow::Opener;
use crate::cluster::watch::health::{Health, State};
use crate::engine::Catalogue;
use crate::plan::ServedKinds;
use crate::plan::work::Object;
pub use collection::Collection;
use collection::incoming;
pub use definition::Definition;
use kept::Kept;
pub use kept::{conditions, followed, roles};
use known::Incoming;
pub use known::{Change, Known, Unreadable};
use reader::Reader;
pub use work_index::WorkIndex;

/// The kind that says which kinds there are.
const DEFINITIONS: &str = "customresourcedefinitions";
/// How many definitions one page of a list has: each may have a megabyte.
const DEFINITIONS_AT_ONCE: u32 = 20;

/// Receives the changes. It is called on the task of the watch, so long work belongs in
/// the queue.
pub trait Listener: Send + Sync + 'static {
    /// A team changed.
    fn team(&self, change: &Change<'_, AITeam>);
    /// A Blueprint changed.
    fn blueprint(&self, change: &Change<'_, Blueprint>);
    /// An Engine object changed; the catalogue has it already.
    fn engine(&self, change: &Change<'_, Engine>);
    /// The definition of a kind changed; the kinds that are served are right already.
    fn definition(&self, change: &Change<'_, Definition>);
    /// A work object changed.
    fn work(&self, kind: WorkKind, change: &Change<'_, Object>);
    /// Whether the objects of a kind, by its plural, are known as they are has turned.
    fn turned(&self, plural: &str);
}

/// The objects that people write, and the kinds that are served.
pub struct Store {
    /// The teams.
    pub teams: Collection<AITeam>,
    /// The Blueprints.
    pub blueprints: Collection<Blueprint>,
    /// The Engine objects; the built-in ones are in the catalogue alone.
    pub engines: Collection<Engine>,
    /// The definitions of kinds.
    pub definitions: Collection<Definition>,
    /// What is counted over work.
    pub work: WorkIndex,
    work_objects: [Collection<Object>; WorkKind::ALL.len()],
    catalogue: RwLock<Arc<Catalogue>>,
    served: RwLock<Arc<ServedKinds>>,
    opener: Opener,
    /// The health of each watch, by the plural of its kind.
    healths: BTreeMap<String, Arc<Health>>,
    /// The tasks of the watches.
    pub tasks: Tasks,
}

impl Store {
    /// An empty store; until engines are read it has the built-in ones.
    #[must_use]
    pub fn new(opener: Opener) -> Arc<Self> {
        let own = ["aiteams", "blueprints", "engines"].into_iter();
        let own = own.chain(WorkKind::ALL.iter().map(|kind| kind.plural())).map(|plural| (plural, GROUP));
        let healths = own.chain([(DEFINITIONS, "apiextensions.k8s.io")]).map(|(plural, group)| {
            let health = opener.health(format!("{plural}.{group}"));
            (plural.to_owned(), health)
        });
        Arc::new(Self {
            healths: healths.collect(),
            opener,
            teams: Collection::default(),
            blueprints: Collection::default(),
            engines: Collection::default(),
            definitions: Collection::default(),
            work: WorkIndex::default(),
            work_objects: Default::default(),
            catalogue: RwLock::new(Arc::new(Catalogue::builtin())),
            served: RwLock::default(),
            tasks: Tasks::default(),
        })
    }

    /// The objects of a work kind.
    #[must_use]
    pub fn work_objects(&self, kind: WorkKind) -> &Collection<Object> {
        // There is one for each kind, in the order of the kinds.
        &self.work_objects[kind as usize]
    }

    /// One work object.
    #[must_use]
    pub fn work_object(&self, id: &WorkId) -> Option<Known<Object>> {
        self.work_objects(id.kind).get(&format!("{}/{}", id.namespace, id.name))
    }

    /// The objects of a kind in a namespace.
    #[must_use]
    pub fn work_of_namespace(&self, kind: WorkKind, namespace: &str) -> Vec<(WorkId, Known<Object>)> {
        let objects = self.work_objects(kind).beginning(&format!("{namespace}/")).into_iter();
        objects.map(|(name, object)| (WorkId { kind, namespace: namespace.to_owned(), name }, object)).collect()
    }

    /// The objects of a kind in all namespaces of a team.
    #[must_use]
    pub fn work_of_team(&self, kind: WorkKind, team: &str) -> Vec<(WorkId, Known<Object>)> {
        let objects = self.work_objects(kind).beginning(&format!("{team}--")).into_iter();
        let id = |rest: String, object| {
            let (place, name) = rest.split_once('/')?;
            Some((WorkId { kind, namespace: format!("{team}--{place}"), name: name.to_owned() }, object))
        };
        objects.filter_map(|(rest, object)| id(rest, object)).collect()
    }

    /// The engines, compiled.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.catalogue.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The kinds that the cluster serves by definitions.
    #[must_use]
    pub fn served(&self) -> Arc<ServedKinds> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the kind defined like this.
    #[cfg(test)]
    pub(crate) fn define(&self, definition: Definition) {
        let key = format!("{}.{}", definition.plural, definition.group);
        let before = self.definitions.get(&key);
        let after = Ok(Arc::new(definition));
        self.definitions.set(&key, after.clone());
        self.serve(&Change { key: &key, before: before.as_ref(), after: Some(&after), others: false, first: false });
    }

    /// The definition of a kind that is served: plural, and whether namespaced.
    #[must_use]
    pub fn definition(&self, group: &str, kind: &str) -> Option<(String, bool)> {
        let all = self.definitions.all().into_iter().filter_map(|(_, definition)| definition.ok());
        let mut of_kind = all.filter(|definition| definition.group == group && definition.kind == kind);
        let found = of_kind.find(|definition| definition.is_served())?;
        Some((found.plural.clone(), found.namespaced))
    }

    /// What is not listed yet, and may look missing.
    #[must_use]
    pub fn unsynced(&self) -> Vec<String> {
        let all = [
            ("aiteams", self.teams.synced()),
            ("blueprints", self.blueprints.synced()),
            ("engines", self.engines.synced()),
            (DEFINITIONS, self.definitions.synced()),
        ];
        let work = WorkKind::ALL.iter().map(|kind| (kind.plural(), self.work_objects(*kind).synced()));
        all.into_iter().chain(work).filter(|(_, synced)| !synced).map(|(name, _)| name.to_owned()).collect()
    }

    /// The health of each watch. All of them are always there.
    pub fn watches(&self) -> impl Iterator<Item = Arc<Health>> + '_ {
        self.healths.values().cloned()
    }

    /// The reason why the input of every plan may be old: the watch of teams, Blueprints,
    /// Engines or definitions fails. The store then has the last known state.
    #[must_use]
    pub fn unknown(&self) -> Option<Issue> {
        ["aiteams", "blueprints", "engines", DEFINITIONS].into_iter().find_map(|plural| self.unknown_kind(plural))
    }

    /// Why the objects of a kind, by its plural, are not known as they are now.
    #[must_use]
    pub fn unknown_kind(&self, plural: &str) -> Option<Issue> {
        let State::Failing(failure) = self.healths.get(plural)?.state() else { return None };
        let message = format!("{failure}. Until then only removals of rights are written");
        Some(Issue::new(failure.reason, message))
    }

    /// Follows the cluster, each kind in a task of its own.
    pub fn start(self: &Arc<Self>, listener: &Arc<dyn Listener>) {
        let begin = || (Arc::clone(self), Arc::clone(listener));
        let (store, to) = begin();
        self.tasks.spawn("the watch of aiteams", async move {
            let keep = |object: Lean| incoming(&object, parsed::<AITeam>);
            let resource = ApiResource::erase::<AITeam>(&());
            store.follow(&resource, &store.teams, keep, |change| to.team(change), &*to).await;
        });
        let (store, to) = begin();
        self.tasks.spawn("the watch of blueprints", async move {
            let keep = |object: Lean| incoming(&object, parsed::<Blueprint>);
            let resource = ApiResource::erase::<Blueprint>(&());
            store.follow(&resource, &store.blueprints, keep, |change| to.blueprint(change), &*to).await;
        });
        let (store, to) = begin();
        self.tasks.spawn("the watch of engines", async move {
            let keep = |object: Lean| incoming(&object, parsed::<Engine>);
            let tell = |change: &Change<'_, Engine>| {
                store.compile();
                to.engine(change);
            };
            store.follow(&ApiResource::erase::<Engine>(&()), &store.engines, keep, tell, &*to).await;
        });
        let (store, to) = begin();
        self.tasks.spawn("the watch of customresourcedefinitions", async move { store.follow_definitions(&*to).await });
        for kind in WorkKind::ALL {
            let (store, to) = begin();
            self.tasks.spawn(format!("the watch of {}", kind.plural()), async move {
                let keep = |object: Lean| incoming(&object, |value| Object::read(*kind, value));
                let tell = |change: &Change<'_, Object>| {
                    store.work.take(change);
                    to.work(*kind, change);
                };
                let gvk = GroupVersionKind::gvk(GROUP, VERSION, kind.name());
                let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural());
                store.follow(&resource, store.work_objects(*kind), keep, tell, &*to).await;
            });
        }
    }

    async fn follow<K: Kept>(
        &self,
        resource: &ApiResource,
        collection: &Collection<K>,
        keep: impl Fn(Lean) -> Incoming<K>,
        tell: impl Fn(&Change<'_, K>),
        to: &dyn Listener,
    ) {
        let Some(health) = self.healths.get(&resource.plural) else { return };
        let mut reader = Reader::new(collection, keep, tell);
        let api = |client| Api::<Lean>::all_with(client, resource);
        let mut fails = false;
        let take = |event| {
            tell_of_turn(to, &resource.plural, &mut fails, &event);
            reader.take(event);
        };
        watch::follow(&self.opener, api, watcher::Config::default(), health, take).await;
    }

    async fn follow_definitions(&self, to: &dyn Listener) {
        let Some(health) = self.healths.get(DEFINITIONS) else { return };
        let tell = |change: &Change<'_, Definition>| {
            self.serve(change);
            to.definition(change);
        };
        let mut reader = Reader::new(&self.definitions, definition::incoming, tell);
        let config = watcher::Config::default().page_size(DEFINITIONS_AT_ONCE);
        let api = |client| Api::<definition::Decoded>::all(client);
        let mut fails = false;
        let take = |event| {
            tell_of_turn(to, DEFINITIONS, &mut fails, &event);
            reader.take(event);
        };
        watch::follow(&self.opener, api, config, health, take).await;
    }

    pub(crate) fn compile(&self) {
        let engines = self.engines.all();
        let specs = engines.iter().map(|(name, engine)| {
            let spec = engine.as_ref().map(|engine| &engine.spec).map_err(|unreadable| unreadable.error.as_str());
            (name.as_str(), spec)
        });
        let compiled = Arc::new(self.catalogue().refreshed(specs));
        *self.catalogue.write().unwrap_or_else(PoisonError::into_inner) = compiled;
    }

    fn serve(&self, change: &Change<'_, Definition>) {
        let of = |known: Option<&Known<Definition>>| known.and_then(|known| known.as_ref().ok()).cloned();
        let (before, after) = (of(change.before), of(change.after));
        if before == after {
            return;
        }
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        // Copied only while somebody plans with it.
        let served = Arc::make_mut(&mut served);
        if let Some(before) = before {
            served.remove(&before.group, &before.kind);
        }
        if let Some(after) = after.filter(|after| after.is_served()) {
            after.served.iter().for_each(|version| served.insert(&after.group, &after.kind, version));
        }
    }
}

/// Tells that the watch of a kind fails, fails for another reason, or does not fail any
/// more. That its first list is complete is no news.
fn tell_of_turn<K>(to: &dyn Listener, plural: &str, fails: &mut bool, event: &watch::Change<K>) {
    let watch::Change::Turned(state) = event else { return };
    let failed = std::mem::replace(fails, matches!(state, State::Failing(_)));
    if failed || *fails {
        to.turned(plural);
    }
}

/// The object; without its status where a newer operator wrote words into that which
/// are unknown here, for it is written anew.
fn parsed<K: DeserializeOwned>(value: &Value) -> Result<K, String> {
    K::deserialize(value).or_else(|error| {
        let mut bare = value.clone();
        bare.as_object_mut().and_then(|fields| fields.remove("status"));
        K::deserialize(&bare).map_err(|_| error.to_string())
    })
}

#[cfg(test)]
mod tests;
