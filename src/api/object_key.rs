//! The identity of an object, independent of its version.

use serde_json::Value;

use super::kinds::built_in;

/// Which object. The version is left out: it is a way of writing, not an identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace, if it lives in one.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// A key from its parts.
    #[must_use]
    pub fn new(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// The key of an object of this kind, from its metadata.
    #[must_use]
    pub fn of(group: &str, kind: &str, object: &Value) -> Self {
        let metadata = &object["metadata"];
        Self::new(group, kind, metadata["namespace"].as_str(), metadata["name"].as_str().unwrap_or_default())
    }

    /// The built-in kind; empty for a kind of another group, whatever its name.
    #[must_use]
    pub fn built_in(&self) -> &'static str {
        built_in(&self.group, &self.kind).map_or("", |known| known.kind)
    }

    /// Whether the object is only read: workload controllers make and remove it.
    #[must_use]
    pub fn is_only_read(&self) -> bool {
        matches!(self.built_in(), "Pod" | "ReplicaSet")
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}
