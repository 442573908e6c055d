//! The objects that people write for Strata, as they are in the cluster: teams,
//! Blueprints, Engines, daily work, and the definitions of kinds.
//!
//! Filled by watches, each backing off alone. Objects are kept as plain JSON and
//! parsed one by one, so that one that cannot be read blinds nobody to the rest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tracing::{debug, warn};

use crate::api::daily::DailyKind;
use crate::api::{AITeam, Blueprint, BlueprintSpec, Engine, EngineSpec, GROUP, VERSION};
use crate::dependents;
use crate::engine::Catalogue;
use crate::plan::ServedKinds;
use crate::plan::daily::DailyId;
use crate::queue::{Key, Queue};
use crate::tasks::Tasks;
use crate::watch::value;

/// The objects of one kind, by name; in namespaces by `namespace/name`.
#[derive(Default)]
pub struct Objects {
    map: RwLock<BTreeMap<String, Arc<Value>>>,
    synced: AtomicBool,
}

impl Objects {
    /// The object of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Value>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All of them, in the order of their names.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Arc<Value>)> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        map.iter().map(|(name, object)| (name.clone(), Arc::clone(object))).collect()
    }

    /// Those of one namespace, by their names alone.
    #[must_use]
    pub fn of_namespace(&self, namespace: &str) -> Vec<(String, Arc<Value>)> {
        let prefix = format!("{namespace}/");
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let from = map.range(prefix.clone()..);
        from.map_while(|(key, object)| Some((key.strip_prefix(&prefix)?.to_owned(), Arc::clone(object)))).collect()
    }

    /// Whether the first list was complete.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    /// Takes an object, and says what was there before.
    fn set(&self, object: &DynamicObject) -> (String, Option<Arc<Value>>) {
        let key = key_of(object);
        let object = Arc::new(kept(object));
        let before = self.map.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), object);
        (key, before)
    }

    /// Takes an object that no watch gave.
    #[cfg(test)]
    pub(crate) fn insert(&self, object: &Value) {
        self.set(&serde_json::from_value(object.clone()).unwrap());
    }

    fn remove(&self, key: &str) {
        self.map.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Replaces everything by a complete list, and says which names are gone.
    fn replace(&self, list: &[DynamicObject]) -> Vec<String> {
        let list: BTreeMap<_, _> = list.iter().map(|object| (key_of(object), Arc::new(kept(object)))).collect();
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let mut touched: Vec<_> = map.keys().filter(|name| !list.contains_key(*name)).cloned().collect();
        touched.extend(list.keys().cloned());
        *map = list;
        self.synced.store(true, Ordering::Release);
        touched
    }
}

/// The name that an object is kept under.
fn key_of(object: &DynamicObject) -> String {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    object.metadata.namespace.as_ref().map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

/// The object without who wrote which field: nobody asks for that here.
fn kept(object: &DynamicObject) -> Value {
    let mut kept = value(object);
    if let Some(metadata) = kept.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    kept
}

/// Which objects a watch follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    Teams,
    Blueprints,
    Engines,
    Definitions,
    Daily(DailyKind),
}

/// The objects that people write, and the kinds that are served.
pub struct Store {
    /// The teams.
    pub teams: Objects,
    /// The Blueprints.
    pub blueprints: Objects,
    /// The Engine objects; the built-in ones are in the catalogue alone.
    pub engines: Objects,
    /// The definitions of kinds.
    pub definitions: Objects,
    daily: BTreeMap<DailyKind, Objects>,
    catalogue: RwLock<Arc<Catalogue>>,
    queue: Queue,
    /// The tasks of the watches.
    pub tasks: Tasks,
}

impl Store {
    /// An empty store that has what changes worked on.
    #[must_use]
    pub fn new(queue: Queue) -> Arc<Self> {
        Arc::new(Self {
            teams: Objects::default(),
            blueprints: Objects::default(),
            engines: Objects::default(),
            definitions: Objects::default(),
            daily: DailyKind::ALL.iter().map(|kind| (*kind, Objects::default())).collect(),
            catalogue: RwLock::new(Arc::new(Catalogue::builtin())),
            queue,
            tasks: Tasks::default(),
        })
    }

    /// Follows the cluster, each kind in a task of its own.
    pub fn start(self: &Arc<Self>, client: &Client) {
        let daily = DailyKind::ALL.iter().map(|kind| {
            let gvk = GroupVersionKind::gvk(GROUP, VERSION, kind.name());
            (Followed::Daily(*kind), ApiResource::from_gvk_with_plural(&gvk, kind.plural()))
        });
        let followed = [
            (Followed::Teams, ApiResource::erase::<AITeam>(&())),
            (Followed::Blueprints, ApiResource::erase::<Blueprint>(&())),
            (Followed::Engines, ApiResource::erase::<Engine>(&())),
            (Followed::Definitions, ApiResource::erase::<CustomResourceDefinition>(&())),
        ];
        for (what, resource) in followed.into_iter().chain(daily) {
            let (store, client) = (Arc::clone(self), client.clone());
            let name = format!("the watch of {}", resource.plural);
            self.tasks.spawn(name, async move { store.follow(client, what, resource).await });
        }
    }

    /// What is not listed yet, for `/readyz`.
    #[must_use]
    pub fn unsynced(&self) -> Vec<String> {
        let all = [
            ("aiteams", &self.teams),
            ("blueprints", &self.blueprints),
            ("engines", &self.engines),
            ("customresourcedefinitions", &self.definitions),
        ];
        let daily = self.daily.iter().map(|(kind, objects)| (kind.plural(), objects));
        all.into_iter().chain(daily).filter(|(_, objects)| !objects.synced()).map(|(name, _)| name.to_owned()).collect()
    }

    /// The objects of a kind of daily work. Every kind is there.
    #[must_use]
    pub fn daily(&self, kind: DailyKind) -> Option<&Objects> {
        self.daily.get(&kind)
    }

    /// One object of daily work.
    #[must_use]
    pub fn daily_object(&self, id: &DailyId) -> Option<Arc<Value>> {
        self.daily(id.kind)?.get(&format!("{}/{}", id.namespace, id.name))
    }

    /// Every object of daily work in a namespace.
    #[must_use]
    pub fn daily_of_namespace(&self, namespace: &str) -> Vec<(DailyId, Arc<Value>)> {
        let of = |kind: DailyKind, objects: &Objects| {
            let id = |name| DailyId { kind, namespace: namespace.to_owned(), name };
            objects.of_namespace(namespace).into_iter().map(|(name, object)| (id(name), object)).collect::<Vec<_>>()
        };
        self.daily.iter().flat_map(|(kind, objects)| of(*kind, objects)).collect()
    }

    /// The engines, compiled.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.catalogue.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A Blueprint's generation and content, or why it cannot be read.
    #[must_use]
    pub fn blueprint(&self, name: &str) -> Option<Result<(i64, BlueprintSpec), String>> {
        let object = self.blueprints.get(name)?;
        let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
        let spec = serde_json::from_value(object["spec"].clone());
        Some(spec.map(|spec| (generation, spec)).map_err(|error| error.to_string()))
    }

    /// The kinds that the cluster serves by definitions.
    #[must_use]
    pub fn served(&self) -> ServedKinds {
        let mut served = ServedKinds::default();
        for (_, definition) in self.definitions.all() {
            let spec = &definition["spec"];
            let versions =
                spec["versions"].as_array().into_iter().flatten().filter(|version| version["served"] == true);
            let names = (spec["group"].as_str(), spec["names"]["kind"].as_str());
            if let (Some(group), Some(kind)) = names
                && is_established(&definition)
            {
                versions
                    .filter_map(|version| version["name"].as_str())
                    .for_each(|version| served.insert(group, kind, version));
            }
        }
        served
    }

    /// The definition of a kind that is served: plural, and whether namespaced.
    #[must_use]
    pub fn definition(&self, group: &str, kind: &str) -> Option<(String, bool)> {
        let all = self.definitions.all();
        let found = all.iter().find(|(_, definition)| {
            definition["spec"]["group"] == group
                && definition["spec"]["names"]["kind"] == kind
                && is_established(definition)
        })?;
        let plural = found.1["spec"]["names"]["plural"].as_str()?.to_owned();
        Some((plural, found.1["spec"]["scope"] == "Namespaced"))
    }

    async fn follow(&self, client: Client, what: Followed, resource: ApiResource) {
        let api: Api<DynamicObject> = Api::all_with(client, &resource);
        let mut events = watcher(api, watcher::Config::default().timeout(200)).default_backoff().boxed();
        let mut list = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => list.clear(),
                Ok(watcher::Event::InitApply(object)) => list.push(object),
                Ok(watcher::Event::InitDone) => {
                    if let Some(objects) = self.objects(what) {
                        let touched = objects.replace(&std::mem::take(&mut list));
                        self.changed(what, &touched);
                    }
                }
                Ok(watcher::Event::Apply(object)) => {
                    self.took(what, &object);
                }
                Ok(watcher::Event::Delete(object)) => {
                    let key = key_of(&object);
                    if let Some(objects) = self.objects(what) {
                        objects.remove(&key);
                    }
                    self.changed(what, &[key]);
                }
                // A stream that ends is opened again; only a list that fails is news.
                Err(watcher::Error::WatchFailed(error)) => {
                    debug!(kind = resource.plural, %error, "the watch is resumed");
                }
                Err(error) => warn!(kind = resource.plural, %error, "the watch fails and is tried again"),
            }
        }
    }

    fn objects(&self, what: Followed) -> Option<&Objects> {
        match what {
            Followed::Teams => Some(&self.teams),
            Followed::Blueprints => Some(&self.blueprints),
            Followed::Engines => Some(&self.engines),
            Followed::Definitions => Some(&self.definitions),
            Followed::Daily(kind) => self.daily(kind),
        }
    }

    /// One object was written. Of daily work, only what it means to others wakes them.
    fn took(&self, what: Followed, object: &DynamicObject) {
        let Some(objects) = self.objects(what) else { return };
        let (key, before) = objects.set(object);
        let Followed::Daily(kind) = what else { return self.changed(what, &[key]) };
        let Some(id) = dependents::id(kind, &key) else { return };
        let now = objects.get(&key);
        dependents::wake(self, &self.queue, &id, before.as_deref(), now.as_deref());
    }

    fn changed(&self, what: Followed, names: &[String]) {
        match what {
            Followed::Teams => {
                for name in names {
                    self.queue.know(Key::Team(name.clone()));
                    self.queue.add(Key::Team(name.clone()));
                }
                self.queue.add_references();
                return;
            }
            Followed::Daily(kind) => {
                for id in names.iter().filter_map(|key| dependents::id(kind, key)) {
                    let now = self.daily_object(&id);
                    dependents::wake(self, &self.queue, &id, None, now.as_deref());
                }
                return;
            }
            Followed::Engines => self.compile(),
            Followed::Blueprints | Followed::Definitions => {}
        }
        for name in names {
            match what {
                Followed::Blueprints => self.queue.add(Key::Blueprint(name.clone())),
                Followed::Engines => self.queue.add(Key::Engine(name.clone())),
                _ => {}
            }
        }
        self.queue.add_known();
    }

    fn compile(&self) {
        let specs: Vec<(String, EngineSpec)> = self
            .engines
            .all()
            .into_iter()
            .filter_map(|(name, object)| Some((name, serde_json::from_value(object["spec"].clone()).ok()?)))
            .collect();
        let compiled = self.catalogue().refreshed(specs.iter().map(|(name, spec)| (name.as_str(), spec)));
        *self.catalogue.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(compiled);
    }
}

fn is_established(definition: &Value) -> bool {
    let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
    definition["metadata"]["deletionTimestamp"].is_null()
        && conditions.into_iter().any(|condition| condition["type"] == "Established" && condition["status"] == "True")
}
