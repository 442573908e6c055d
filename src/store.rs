//! The objects that people write for Strata, as they are in the cluster: teams,
//! Blueprints, Engines, and the definitions of kinds.
//!
//! Filled by watches, each backing off alone. Objects are kept as plain JSON and
//! parsed one by one, so that one that cannot be read blinds nobody to the rest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tracing::{debug, warn};

use crate::api::{AITeam, Blueprint, BlueprintSpec, Engine, EngineSpec};
use crate::engine::Catalogue;
use crate::plan::ServedKinds;
use crate::queue::{Key, Queue};
use crate::watch::value;

/// The objects of one kind, by name.
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

    /// Whether the first list was complete.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    fn set(&self, object: &DynamicObject) -> String {
        let name = object.metadata.name.clone().unwrap_or_default();
        self.map.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::new(value(object)));
        name
    }

    fn remove(&self, name: &str) {
        self.map.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Replaces everything by a complete list, and says which names are gone.
    fn replace(&self, list: &[DynamicObject]) -> Vec<String> {
        let list: BTreeMap<_, _> = list
            .iter()
            .map(|object| (object.metadata.name.clone().unwrap_or_default(), Arc::new(value(object))))
            .collect();
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let mut touched: Vec<_> = map.keys().filter(|name| !list.contains_key(*name)).cloned().collect();
        touched.extend(list.keys().cloned());
        *map = list;
        self.synced.store(true, Ordering::Release);
        touched
    }
}

/// Which objects a watch follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    Teams,
    Blueprints,
    Engines,
    Definitions,
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
    catalogue: RwLock<Arc<Catalogue>>,
    queue: Queue,
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
            catalogue: RwLock::new(Arc::new(Catalogue::builtin())),
            queue,
        })
    }

    /// Follows the cluster, each kind in a task of its own.
    pub fn start(self: &Arc<Self>, client: &Client) {
        let followed = [
            (Followed::Teams, ApiResource::erase::<AITeam>(&())),
            (Followed::Blueprints, ApiResource::erase::<Blueprint>(&())),
            (Followed::Engines, ApiResource::erase::<Engine>(&())),
            (Followed::Definitions, ApiResource::erase::<CustomResourceDefinition>(&())),
        ];
        for (what, resource) in followed {
            let (store, client) = (Arc::clone(self), client.clone());
            tokio::spawn(async move { store.follow(client, what, resource).await });
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
        all.iter().filter(|(_, objects)| !objects.synced()).map(|(name, _)| (*name).to_owned()).collect()
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
                    let touched = self.objects(what).replace(&std::mem::take(&mut list));
                    self.changed(what, &touched);
                }
                Ok(watcher::Event::Apply(object)) => {
                    let name = self.objects(what).set(&object);
                    self.changed(what, &[name]);
                }
                Ok(watcher::Event::Delete(object)) => {
                    let name = object.metadata.name.clone().unwrap_or_default();
                    self.objects(what).remove(&name);
                    self.changed(what, &[name]);
                }
                // A stream that ends is opened again; only a list that fails is news.
                Err(watcher::Error::WatchFailed(error)) => {
                    debug!(kind = resource.plural, %error, "the watch is resumed");
                }
                Err(error) => warn!(kind = resource.plural, %error, "the watch fails and is tried again"),
            }
        }
    }

    const fn objects(&self, what: Followed) -> &Objects {
        match what {
            Followed::Teams => &self.teams,
            Followed::Blueprints => &self.blueprints,
            Followed::Engines => &self.engines,
            Followed::Definitions => &self.definitions,
        }
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
