//! An object of a list or a watch, without unused fields, and as text until it is read:
//! objects of several kinds wait at once.

use std::borrow::Cow;

use kube::Resource;
use kube::api::{ApiResource, DynamicObject, ObjectMeta};
use kube::core::DynamicResourceScope;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::cluster::cache::fingerprint::is_of_ours;

/// The object.
#[derive(Clone, Debug)]
pub struct Lean {
    /// The subject of a watch.
    metadata: ObjectMeta,
    text: Box<str>,
}

impl Lean {
    /// The object as JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        // It was written from a value.
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl From<Value> for Lean {
    fn from(mut object: Value) -> Self {
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            if !is_of_ours(entry)
                && let Some(entry) = entry.as_object_mut()
            {
                entry.remove("fieldsV1");
            }
        }
        let text = |name: &str| object["metadata"][name].as_str().map(str::to_owned);
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        Self { metadata, text: object.to_string().into() }
    }
}

impl From<DynamicObject> for Lean {
    fn from(object: DynamicObject) -> Self {
        // It came from JSON, so it can be written as JSON again.
        serde_json::to_value(object).unwrap_or_default().into()
    }
}

impl<'de> Deserialize<'de> for Lean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

impl Resource for Lean {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::kind(kind)
    }

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::group(kind)
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::version(kind)
    }

    fn api_version(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::api_version(kind)
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use serde_json::json;

    use super::*;
    use crate::api::kinds::WriteStrategy;
    use crate::api::labels;
    use crate::cluster::cache::fingerprint::{applied_in, fingerprint, other_writer};

    #[test]
    fn what_is_read_of_an_object_is_not_lost() {
        let fields = |name: &str| json!({"f:spec": {(name): {}}});
        let object = json!({
            "metadata": {"name": "d", "namespace": "a--b", "uid": "u", "resourceVersion": "7", "managedFields": [
                {"manager": labels::FIELD_MANAGER, "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields("f:image")},
                {"manager": "kubectl", "operation": "Update", "time": "2026-11-01T00:00:00Z", "fieldsV1": fields("f:replicas")},
            ]},
            "spec": {"image": "i", "replicas": 3},
        });
        let lean: Lean = serde_json::from_value(object.clone()).unwrap();
        let value = lean.value();
        assert_eq!(fingerprint(&value, WriteStrategy::Apply), fingerprint(&object, WriteStrategy::Apply));
        assert_eq!((applied_in(&value), other_writer(&value).as_deref()), (Some("v1"), Some("kubectl")));
        assert_eq!((lean.name_any().as_str(), lean.namespace().as_deref()), ("d", Some("a--b")));
        assert_eq!((lean.uid().as_deref(), lean.resource_version().as_deref()), (Some("u"), Some("7")));
        assert!(!lean.text.contains("f:replicas") && lean.text.contains("f:image"));
    }
}
