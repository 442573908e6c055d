//! Which kinds are watched because engines write them: those of every engine there is,
//! in the versions that the cluster serves, whether a team uses the engine or not. What
//! an engine wrote for a team is known also while it is held, or was taken out of the
//! team's spec before this program started.
//!
//! It reads what the store knows and starts no watch.

use kube::api::{ApiResource, GroupVersionKind};

use crate::desired::Desired;
use crate::engine::kinds::ObjectKind;
use crate::kinds::{Keeping, Selection, built_in};
use crate::plan::ServedKinds;
use crate::store::Store;
use crate::watch::Watched;

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
