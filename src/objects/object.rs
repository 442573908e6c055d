//! How an object of the isolation core is put together: typed, labelled, and in
//! the form in which the API server gives it back.

use std::collections::BTreeMap;

use k8s_openapi::Resource;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

use super::{Desired, Ownership, Stage, VersionedKey};
use crate::api::labels;
use crate::api::vocabulary::Layer;
use crate::plan::{NamespacePlan, Plan};

/// The labels of everything that Strata writes for the team.
#[must_use]
pub fn labels(plan: &Plan, layer: Layer, project: Option<&str>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([
        (labels::MANAGED_BY.to_owned(), labels::MANAGER.to_owned()),
        (labels::TEAM.to_owned(), plan.identity.name.clone()),
        (labels::TEAM_UID.to_owned(), plan.identity.uid.clone()),
        (labels::LAYER.to_owned(), layer.name().to_owned()),
    ]);
    if let Some(project) = project {
        labels.insert(labels::PROJECT.to_owned(), project.to_owned());
    }
    labels
}

/// The metadata of an object in a namespace.
#[must_use]
pub fn metadata(plan: &Plan, namespace: &NamespacePlan, name: impl Into<String>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        namespace: Some(namespace.name.clone()),
        labels: Some(labels(plan, namespace.layer, namespace.project.as_deref())),
        ..ObjectMeta::default()
    }
}

/// The metadata of a cluster-scoped object of the team.
#[must_use]
pub fn cluster_metadata(plan: &Plan, name: impl Into<String>) -> ObjectMeta {
    ObjectMeta { name: Some(name.into()), labels: Some(labels(plan, Layer::Backbone, None)), ..ObjectMeta::default() }
}

/// A typed object as it is to be.
#[must_use]
pub fn core<K: Resource + Serialize>(stage: Stage, ownership: Ownership, object: &K) -> Desired {
    // A typed object of the API has string keys and finite numbers only, so
    // that writing it as JSON has no failing case.
    let object = serde_json::to_value(object).unwrap_or_default();
    Desired { stage, ownership, key: key(&object), component: None, template: None, object }
}

/// The identity of an object, read from the object itself.
#[must_use]
pub fn key(object: &Value) -> VersionedKey {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let version = text(&object["apiVersion"]);
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    VersionedKey {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: text(&object["kind"]),
        namespace: object["metadata"]["namespace"].as_str().map(ToOwned::to_owned),
        name: text(&object["metadata"]["name"]),
    }
}
