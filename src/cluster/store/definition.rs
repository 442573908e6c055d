//! The definition of a kind, reduced to the facts in use while it is decoded: a definition
//! may have a megabyte of schemas, which are not used.

use kube::Resource;
use kube::api::ObjectMeta;
use serde::Deserialize;

use super::known::{Incoming, key_of};

/// What is known of a kind that the cluster defines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The name in URLs.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The versions that are served.
    pub served: Vec<String>,
    /// Whether the API server accepted it.
    pub established: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
}

impl Definition {
    /// Whether objects of the kind can be read and written now.
    #[must_use]
    pub const fn is_served(&self) -> bool {
        self.established && !self.deleting && !self.served.is_empty()
    }
}

/// What is decoded of a definition; all else is skipped.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = "k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition")]
pub(super) struct Decoded {
    metadata: ObjectMeta,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Deserialize)]
struct Spec {
    group: String,
    names: Names,
    scope: String,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Clone, Debug, Deserialize)]
struct Names {
    kind: String,
    plural: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Version {
    name: String,
    #[serde(default)]
    served: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

/// The definition as it is kept.
pub(super) fn incoming(decoded: Decoded) -> Incoming<Definition> {
    let Decoded { metadata, spec, status } = decoded;
    let served = spec.versions.into_iter().filter(|version| version.served).map(|version| version.name);
    let is_true = |condition: &Condition| condition.type_ == "Established" && condition.status == "True";
    let definition = Definition {
        group: spec.group,
        kind: spec.names.kind,
        plural: spec.names.plural,
        namespaced: spec.scope == "Namespaced",
        served: served.collect(),
        established: status.conditions.iter().any(is_true),
        deleting: metadata.deletion_timestamp.is_some(),
    };
    Incoming { key: key_of(&metadata), object: Ok(std::sync::Arc::new(definition)), others: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_a_definition_only_the_facts_are_kept() {
        let decoded: Decoded = serde_json::from_value(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com", "annotations": {"long": "text"}},
            "spec": {"group": "example.com", "scope": "Cluster", "names": {"kind": "Widget", "plural": "widgets"},
                "versions": [
                    {"name": "v2", "served": true, "schema": {"openAPIV3Schema": {"type": "object"}}},
                    {"name": "v1", "served": false},
                ]},
            "status": {"conditions": [{"type": "Established", "status": "True", "reason": "x"}], "storedVersions": ["v2"]},
        }))
        .unwrap();
        let Incoming { key, object, .. } = incoming(decoded);
        let definition = object.unwrap();
        assert_eq!(key, "widgets.example.com");
        assert!(definition.is_served() && !definition.namespaced);
        assert_eq!(definition.served, ["v2"]);
    }
}
