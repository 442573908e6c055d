//! An object in the store: read, or unreadable; and its changes.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// An object that this version cannot read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unreadable {
    /// Its metadata, as far as anything is read of it.
    pub metadata: ObjectMeta,
    /// Its spec as it was written: part of it may be readable.
    pub spec: Value,
    /// Its status as it was written, so that nothing is said of it twice.
    pub status: Value,
    /// What the parser says.
    pub error: String,
}

/// An object as it is kept.
pub type Known<K> = Result<Arc<K>, Arc<Unreadable>>;

/// What happened to an object.
#[derive(Debug)]
pub struct Change<'a, K> {
    /// Its name; in namespaces `namespace/name`.
    pub key: &'a str,
    /// How it was before; nothing if it is new.
    pub before: Option<&'a Known<K>>,
    /// How it is now; nothing if it is gone.
    pub after: Option<&'a Known<K>>,
    /// Whether somebody besides Strata has a part in its status.
    pub others: bool,
    /// Whether it is part of the first list: then everything is new.
    pub first: bool,
}

/// An object on its way in.
pub(super) struct Incoming<K> {
    pub key: String,
    pub object: Known<K>,
    pub others: bool,
}

/// The name that an object is kept under.
pub(super) fn key_of(metadata: &ObjectMeta) -> String {
    let name = metadata.name.as_deref().unwrap_or_default();
    metadata.namespace.as_ref().map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}
