//! An object that people write, as the target of a status, a finalizer or an Event.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ObjectMeta};

use crate::api::identity::WorkId;
use crate::api::{GROUP, ObjectKey, VERSION};
use crate::reconcile::context::Context;

/// The object.
pub struct Target<'a> {
    /// Its key.
    pub key: ObjectKey,
    /// Its metadata, as it was read.
    pub metadata: &'a ObjectMeta,
    plural: String,
}

impl<'a> Target<'a> {
    /// A team, a Blueprint or an Engine.
    #[must_use]
    pub fn of<K: Resource<DynamicType = ()>>(metadata: &'a ObjectMeta) -> Self {
        let name = metadata.name.as_deref().unwrap_or_default();
        Self { key: ObjectKey::new(GROUP, &K::kind(&()), None, name), metadata, plural: K::plural(&()).into_owned() }
    }

    /// A work object.
    #[must_use]
    pub fn work(id: &WorkId, metadata: &'a ObjectMeta) -> Self {
        let key = ObjectKey::new(GROUP, id.kind.name(), Some(&id.namespace), &id.name);
        Self { key, metadata, plural: id.kind.plural().to_owned() }
    }

    /// Where it is reached.
    #[must_use]
    pub fn api(&self, context: &Context) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(GROUP, VERSION, &self.key.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, &self.plural);
        match &self.key.namespace {
            Some(namespace) => Api::namespaced_with(context.client.clone(), namespace, &resource),
            None => Api::all_with(context.client.clone(), &resource),
        }
    }

    /// How Events name it.
    #[must_use]
    pub fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some(self.key.kind.clone()),
            namespace: self.key.namespace.clone(),
            name: Some(self.key.name.clone()),
            uid: self.metadata.uid.clone(),
            ..ObjectReference::default()
        }
    }
}
