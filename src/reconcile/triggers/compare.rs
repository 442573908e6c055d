//! The relevance of an object's change: for itself, for the objects that refer to it, for
//! the team that reports it.
//!
//! Pure. It compares the fields that people write; fields that Strata reports trigger no
//! pass.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::work::{ModelService, Pipeline, Run, WorkKind};
use crate::api::{AITeam, Blueprint, Engine, labels};
use crate::cluster::store::{Change, Known};
use crate::plan::work::Object;
use crate::plan::work::data::{Owned, owned};
use crate::plan::work::run::{expires, is_kept};

/// An object that is compared with its earlier state.
pub(crate) trait Compared {
    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// Whether both have the same spec.
    fn asks_the_same(&self, other: &Self) -> bool;
    /// Whether both have the same status.
    fn says_the_same(&self, other: &Self) -> bool;
}

macro_rules! compared {
    ($($kind:ty),+) => {
        $(impl Compared for $kind {
            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn asks_the_same(&self, other: &Self) -> bool {
                self.spec == other.spec
            }
            fn says_the_same(&self, other: &Self) -> bool {
                self.status == other.status
            }
        })+
    };
}
compared!(AITeam, Blueprint, Engine);

impl Compared for Object {
    fn metadata(&self) -> &ObjectMeta {
        self.metadata()
    }
    fn asks_the_same(&self, other: &Self) -> bool {
        self.asks_the_same(other)
    }
    fn says_the_same(&self, other: &Self) -> bool {
        self.says_the_same(other)
    }
}

/// Whether the object itself needs a pass.
pub(super) fn concerns_itself<K: Compared>(change: &Change<'_, K>) -> bool {
    match (change.before, change.after) {
        (Some(Ok(before)), Some(Ok(after))) => {
            !is_same(before.metadata(), after.metadata())
                || !before.asks_the_same(after)
                // Changes of a status by others are reverted.
                || change.others && !before.says_the_same(after)
        }
        (Some(Err(before)), Some(Err(after))) => {
            before.metadata.generation != after.metadata.generation
                || !is_same(&before.metadata, &after.metadata)
                || before.error != after.error
        }
        _ => true,
    }
}

/// Whether it means another thing to those who refer to it.
pub(super) fn concerns_others<K: Compared>(change: &Change<'_, K>) -> bool {
    match (change.before, change.after) {
        (Some(Ok(before)), Some(Ok(after))) => {
            let (old, new) = (before.metadata(), after.metadata());
            old.uid != new.uid || old.deletion_timestamp != new.deletion_timestamp || !before.asks_the_same(after)
        }
        (Some(Err(before)), Some(Err(after))) => before.error != after.error,
        _ => true,
    }
}

/// Whether the metadata means the same to a pass. Setting our finalizer changes nothing,
/// its removal does.
fn is_same(before: &ObjectMeta, after: &ObjectMeta) -> bool {
    let held = |metadata: &ObjectMeta| metadata.finalizers.iter().flatten().any(|known| known == labels::FINALIZER);
    before.uid == after.uid
        && before.deletion_timestamp == after.deletion_timestamp
        && before.annotations == after.annotations
        && (held(after) || !held(before))
}

/// The metadata of an object, readable or not.
pub(crate) fn metadata<K: Compared>(known: &Known<K>) -> &ObjectMeta {
    match known {
        Ok(object) => object.metadata(),
        Err(unreadable) => &unreadable.metadata,
    }
}

/// Whether others depend on the object, and on what changed of it.
pub(super) fn has_dependents(kind: WorkKind, change: &Change<'_, Object>) -> bool {
    match kind {
        WorkKind::Component | WorkKind::Pipeline => concerns_others(change),
        WorkKind::Dataset => concerns_others(change) || owned_by(change.before) != owned_by(change.after),
        // One that ended may make an older one's Job one too many.
        WorkKind::Run => {
            let ended = |known: Option<&Known<Object>>| run(known).and_then(|run| run.status.as_ref()?.end().cloned());
            change.after.is_some() && ended(change.before) != ended(change.after)
        }
        WorkKind::Workbench | WorkKind::ModelService => false,
    }
}

/// Whether the volume of a dataset may be mounted, or why not.
fn owned_by(known: Option<&Known<Object>>) -> Option<Owned<'_>> {
    match known?.as_deref() {
        Ok(Object::Dataset(dataset)) => Some(owned(dataset)),
        _ => None,
    }
}

/// Whether a run ended, or is to be deleted after all.
pub(super) fn expires_anew(change: &Change<'_, Object>) -> bool {
    let end = |known| run(known).filter(|run| !is_kept(run)).and_then(|run| expires(run, Some(0)));
    end(change.after).is_some_and(|time| end(change.before) != Some(time))
}

fn run(known: Option<&Known<Object>>) -> Option<&Run> {
    match known?.as_deref() {
        Ok(Object::Run(run)) => Some(run),
        _ => None,
    }
}

/// Whether the settings changed that a dataset gives.
pub(super) fn gives_otherwise(change: &Change<'_, Object>) -> bool {
    settings(change.before) != settings(change.after)
}

/// The settings of a dataset that is not being deleted. An unreadable dataset keeps its
/// settings.
fn settings(known: Option<&Known<Object>>) -> Option<BTreeMap<String, String>> {
    let connections = match known? {
        Ok(object) => match &**object {
            Object::Dataset(dataset) if dataset.metadata.deletion_timestamp.is_none() => {
                dataset.status.as_ref().map(|status| status.connections.clone())
            }
            _ => None,
        },
        Err(unreadable) => serde_json::from_value(unreadable.status["connections"].clone()).ok(),
    };
    connections.filter(|connections| !connections.is_empty())
}

/// Whether the team's report of the object is unchanged.
pub(super) fn means_the_same(before: Option<&Known<Object>>, after: Option<&Known<Object>>) -> bool {
    let gives_the_same = settings(before) == settings(after);
    let (Some(Ok(before)), Some(Ok(after))) = (before, after) else { return false };
    let same = before.conditions().len() == after.conditions().len()
        && before.conditions().iter().zip(after.conditions()).all(|(old, new)| {
            (&old.type_, &old.status, &old.reason, &old.message) == (&new.type_, &new.status, &new.reason, &new.message)
        })
        && before.observed_generation() == after.observed_generation()
        && before.metadata().deletion_timestamp == after.metadata().deletion_timestamp;
    same && match (&**before, &**after) {
        (Object::Dataset(_), Object::Dataset(_)) => gives_the_same,
        (Object::Pipeline(before), Object::Pipeline(after)) => {
            let last =
                |pipeline: &Pipeline| pipeline.status.as_ref().and_then(|status| Some(status.last.as_ref()?.state));
            before.spec.schedule == after.spec.schedule && last(before) == last(after)
        }
        (Object::ModelService(before), Object::ModelService(after)) => {
            let facts = |service: &ModelService| {
                let status = service.status.clone().unwrap_or_default();
                (status.wanted, status.serving, status.digest, status.endpoint)
            };
            before.spec.customers == after.spec.customers && facts(before) == facts(after)
        }
        _ => true,
    }
}
