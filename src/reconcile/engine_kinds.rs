//! The kinds that are watched because engines write them: those of every engine, in the
//! versions that the cluster serves, whether a team uses the engine or not. So the objects
//! of an engine are known also while it is held, or was removed from the spec before this
//! program started.
//!
//! An engine may be gone from the catalogue while its objects still exist: the records of
//! teams name its kinds.
//!
//! It reads the store and starts no watch.

use std::collections::BTreeSet;

use kube::api::{ApiResource, GroupVersionKind};

use crate::api::kinds::{WatchScope, WriteStrategy, built_in};
use crate::cluster::store::Store;
use crate::cluster::watch::Watched;
use crate::engine::kinds::ObjectKind;
use crate::objects::Desired;
use crate::objects::record::Record;
use crate::plan::ServedKinds;

/// The kinds of all engines that are served, and those of these objects.
#[must_use]
pub fn wanted(store: &Store, objects: &[Desired]) -> Vec<Watched> {
    let (catalogue, served) = (store.catalogue(), store.served());
    let mut wanted: Vec<Watched> = Vec::new();
    let mut add = |group: &str, kind: &str, version: &str| {
        let known = wanted.iter().any(|known| {
            let resource = &known.resource;
            resource.group == group && resource.kind == kind && resource.version == version
        });
        if !known {
            wanted.extend(served_as(store, &served, group, kind, version));
        }
    };
    for engine in catalogue.iter().filter_map(|(_, entry)| entry.compiled.as_ref().ok()) {
        for kind in engine.kinds().map(|(kind, _)| kind).filter(|kind| built_in(&kind.group, &kind.kind).is_none()) {
            if let Some(version) = served.version(kind, &engine.spec().requires) {
                add(&kind.group, &kind.kind, version);
            }
        }
    }
    for ObjectKind { group, kind, version } in objects.iter().map(kind_of) {
        if built_in(&group, &kind).is_none() {
            add(&group, &kind, &version);
        }
    }
    wanted
}

/// The kinds that a record names, as far as they are served.
#[must_use]
pub fn recorded(store: &Store, record: &Record) -> Vec<Watched> {
    let served = store.served();
    let kinds = record.kinds.iter();
    kinds.filter_map(|kind| served_as(store, &served, &kind.group, &kind.kind, served.instead(kind)?)).collect()
}

/// The kinds, beside Kubernetes' own, of which the team may have objects: those of these
/// objects, of these engines, and those in the record.
#[must_use]
pub fn to_record<'a>(
    store: &Store,
    objects: impl Iterator<Item = &'a Desired>,
    engines: &BTreeSet<String>,
    before: Option<&Record>,
) -> BTreeSet<ObjectKind> {
    let (catalogue, served) = (store.catalogue(), store.served());
    let engines = engines.iter().filter_map(|name| catalogue.get(name)?.compiled.as_ref().ok());
    let of_engines = engines.flat_map(|engine| {
        let requires = &engine.spec().requires;
        engine.kinds().filter_map(|(kind, _)| {
            let version = served.version(kind, requires)?.to_owned();
            Some(ObjectKind { version, ..kind.clone() })
        })
    });
    let now: BTreeSet<ObjectKind> = objects.map(kind_of).chain(of_engines.collect::<Vec<_>>()).collect();
    let mut all: BTreeSet<ObjectKind> =
        now.into_iter().filter(|ObjectKind { group, kind, version }| served.has(group, kind, version)).collect();
    // Where a kind is not served in any version, there is nothing of it.
    for before in before.into_iter().flat_map(|record| &record.kinds) {
        let Some(version) = served.instead(before) else { continue };
        all.insert(ObjectKind { version: version.to_owned(), ..before.clone() });
    }
    all
}

/// Whether a kind is served as it is watched.
#[must_use]
pub fn is_served(store: &Store, watched: &Watched) -> bool {
    let ApiResource { group, kind, version, .. } = &watched.resource;
    served_as(store, &store.served(), group, kind, version).as_ref() == Some(watched)
}

fn served_as(store: &Store, served: &ServedKinds, group: &str, kind: &str, version: &str) -> Option<Watched> {
    if !served.has(group, kind, version) {
        return None;
    }
    let (plural, namespaced) = store.definition(group, kind)?;
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural);
    Some(Watched { resource, namespaced, write_strategy: WriteStrategy::Apply, selection: WatchScope::Managed })
}

fn kind_of(desired: &Desired) -> ObjectKind {
    let key = &desired.key;
    ObjectKind { group: key.group.clone(), version: desired.version.clone(), kind: key.kind.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::store::Definition;
    use crate::cluster::watch::follow::Opener;

    fn widget(version: &str) -> ObjectKind {
        ObjectKind::new(&format!("example.com/{version}"), "Widget")
    }

    #[tokio::test]
    async fn recorded_kind_is_followed_in_another_served_version() {
        let client = crate::cluster::fake_api::client(|_| async { (404, serde_json::Value::Null) });
        let store = Store::new(Opener::new(client, std::time::Duration::from_secs(200)));
        let serve = |versions: &[&str]| {
            store.define(Definition {
                group: "example.com".to_owned(),
                kind: "Widget".to_owned(),
                plural: "widgets".to_owned(),
                namespaced: true,
                served: versions.iter().map(|version| (*version).to_owned()).collect(),
                established: true,
                deleting: false,
            });
        };
        let record = Record { kinds: BTreeSet::from([widget("v1")]), ..Record::default() };
        let followed = || -> Vec<String> {
            recorded(&store, &record).into_iter().map(|watched| watched.resource.version).collect()
        };
        let kept = || to_record(&store, std::iter::empty(), &BTreeSet::new(), Some(&record));
        serve(&["v2", "v1"]);
        assert_eq!((followed(), kept()), (vec!["v1".to_owned()], BTreeSet::from([widget("v1")])));
        serve(&["v2", "v3"]);
        assert_eq!((followed(), kept()), (vec!["v2".to_owned()], BTreeSet::from([widget("v2")])));
        serve(&[]);
        assert_eq!((followed(), kept()), (Vec::new(), BTreeSet::new()));
    }
}
