//! Which kinds are watched because engines write them: those of every engine there is,
//! in the versions that the cluster serves, whether a team uses the engine or not. What
//! an engine wrote for a team is known also while it is held, or was taken out of the
//! team's spec before this program started.
//!
//! An engine may be gone from the catalogue, while what it wrote is there: the records of
//! teams name its kinds.
//!
//! It reads what the store knows and starts no watch.

use std::collections::BTreeSet;

use kube::api::{ApiResource, GroupVersionKind};

use crate::api::kinds::{Keeping, Selection, built_in};
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
    kinds.filter_map(|ObjectKind { group, kind, version }| served_as(store, &served, group, kind, version)).collect()
}

/// The kinds, beside Kubernetes' own, of which there may be objects of the team: those
/// of these objects, of what these engines write, and those that were recorded before.
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
    let before = before.into_iter().flat_map(|record| record.kinds.clone());
    let all = objects.map(kind_of).chain(of_engines.collect::<Vec<_>>()).chain(before);
    // Where a kind is not served, there is nothing of it.
    all.filter(|ObjectKind { group, kind, version }| served.has(group, kind, version)).collect()
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
    Some(Watched { resource, namespaced, keeping: Keeping::Applied, selection: Selection::Ours })
}

fn kind_of(desired: &Desired) -> ObjectKind {
    let key = &desired.key;
    ObjectKind { group: key.group.clone(), version: key.version.clone(), kind: key.kind.clone() }
}
