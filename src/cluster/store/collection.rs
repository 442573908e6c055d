//! The objects of one kind, each parsed once when it arrives. An unreadable object is kept
//! as unreadable, with the facts to report it: it does not hide the others, and does not
//! count as absent.
//!
//! It keeps objects and reports changes; it does not know who is concerned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::DynamicObject;
use serde_json::Value;

use super::kept::Kept;
use super::known::{Incoming, Known, Unreadable, key_of};
use crate::api::labels;
use crate::api::work::WorkKind;
use crate::cluster::cache::text::Models;
use crate::cluster::watch::Lean;

/// The objects of one kind, by name; in namespaces by `namespace/name`.
pub struct Collection<K: Kept> {
    objects: RwLock<BTreeMap<String, K::Form>>,
    models: Mutex<Models>,
    synced: AtomicBool,
}

impl<K: Kept> Default for Collection<K> {
    fn default() -> Self {
        Self { objects: RwLock::default(), models: Mutex::default(), synced: AtomicBool::new(false) }
    }
}

impl<K: Kept> Collection<K> {
    /// The object of this name, readable or not.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Known<K>> {
        let form = self.read().get(name).cloned();
        form.as_ref().map(K::known)
    }

    /// Whether there is an object of this name, readable or not.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.read().contains_key(name)
    }

    /// All of them, in the order of their names.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Known<K>)> {
        self.forms().into_iter().map(|(name, form)| (name, K::known(&form))).collect()
    }

    /// What is kept of all of them, in the order of their names.
    #[must_use]
    pub fn forms(&self) -> Vec<(String, K::Form)> {
        self.read().iter().map(|(name, form)| (name.clone(), form.clone())).collect()
    }

    /// All names, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    /// Those whose name begins so, by the rest of their names. It costs what is found.
    #[must_use]
    pub fn beginning(&self, prefix: &str) -> Vec<(String, Known<K>)> {
        let objects = self.read();
        let from = objects.range(prefix.to_owned()..);
        from.map_while(|(key, form)| Some((key.strip_prefix(prefix)?.to_owned(), K::known(form)))).collect()
    }

    /// Whether the first list was complete.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, K::Form>> {
        // Objects are replaced whole: nothing can be left half-written.
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an object, and says what was there before.
    pub(crate) fn set(&self, key: &str, object: Known<K>) -> Option<Known<K>> {
        let form = K::keep(object, &mut self.models.lock().unwrap_or_else(PoisonError::into_inner));
        let before = self.objects.write().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), form);
        before.as_ref().map(K::known)
    }

    /// Forgets an object, and says what it was.
    pub(super) fn remove(&self, key: &str) -> Option<Known<K>> {
        let before = self.objects.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        before.as_ref().map(K::known)
    }

    /// A list was complete: the names that it did not have.
    pub(super) fn complete(&self, listed: &BTreeSet<String>) -> Vec<String> {
        self.synced.store(true, Ordering::Release);
        self.read().keys().filter(|name| !listed.contains(*name)).cloned().collect()
    }
}

/// An object of a watch, parsed, without unused parts: managed fields and annotations of
/// others.
pub(super) fn incoming<K>(object: &Lean, parse: impl FnOnce(&Value) -> Result<K, String>) -> Incoming<K> {
    let whole = serde_json::from_value(object.value());
    // With metadata that nobody can read it is unreadable, under its name.
    let whole =
        whole.unwrap_or_else(|_| DynamicObject { types: None, metadata: object.meta().clone(), data: Value::Null });
    let DynamicObject { types, metadata, mut data } = whole;
    let others = have_a_part_in_status(&metadata);
    let is_run = types.as_ref().is_some_and(|types| types.kind == WorkKind::Run.name());
    let metadata = reduced(metadata, is_run);
    let key = key_of(&metadata);
    if let Some(fields) = data.as_object_mut() {
        let types = types.unwrap_or_default();
        fields.insert("apiVersion".to_owned(), types.api_version.into());
        fields.insert("kind".to_owned(), types.kind.into());
        // Metadata has string keys: it can be written.
        fields.insert("metadata".to_owned(), serde_json::to_value(&metadata).unwrap_or_default());
    }
    let object = match parse(&data) {
        Ok(object) => Ok(Arc::new(object)),
        Err(error) => {
            Err(Arc::new(Unreadable { metadata, spec: data["spec"].take(), status: data["status"].take(), error }))
        }
    };
    Incoming { key, object, others }
}

/// Of a run also whether a tool tracks it, though not as what.
fn reduced(mut metadata: ObjectMeta, is_run: bool) -> ObjectMeta {
    metadata.managed_fields = None;
    metadata.owner_references = None;
    let tracking = |of: &[(&str, &str)], all: &Option<BTreeMap<String, String>>| -> BTreeMap<String, String> {
        let names = of.iter().filter(|(name, _)| is_run && all.as_ref().is_some_and(|all| all.contains_key(*name)));
        names.map(|(name, _)| ((*name).to_owned(), String::new())).collect()
    };
    let tracked = tracking(labels::TRACKING_ANNOTATIONS, &metadata.annotations);
    let mut annotations = metadata.annotations.take().unwrap_or_default();
    annotations.retain(|name, _| name.starts_with(labels::PREFIX));
    annotations.extend(tracked);
    metadata.annotations = Some(annotations).filter(|annotations| !annotations.is_empty());
    metadata.labels = Some(tracking(labels::TRACKING_LABELS, &metadata.labels)).filter(|labels| !labels.is_empty());
    metadata
}

/// Whether anybody but Strata wrote into the status.
fn have_a_part_in_status(metadata: &ObjectMeta) -> bool {
    let fields = metadata.managed_fields.iter().flatten();
    let of_status = fields.filter(|fields| fields.subresource.as_deref() == Some("status"));
    of_status.into_iter().any(|fields| fields.manager.as_deref() != Some(labels::STATUS_FIELD_MANAGER))
}
