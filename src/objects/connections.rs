//! The `connections` ConfigMap of each Workspace and Live: the settings that
//! workbenches, pipelines and services load.

use k8s_openapi::api::core::v1::ConfigMap;

use super::object::{core, metadata};
use super::{Desired, Stage};
use crate::api::labels;
use crate::api::vocabulary::Layer;
use crate::plan::{NamespacePlan, Plan};

/// The ConfigMap, even without settings: pods refer to it.
#[must_use]
pub fn connections(plan: &Plan, namespace: &NamespacePlan) -> Option<Desired> {
    let here = matches!(namespace.layer, Layer::Workspace | Layer::Live) && !namespace.retained;
    // Settings of engines and profiles come before those of datasets.
    let mut settings = namespace.datasets.values.clone();
    settings.extend(plan.connections.clone());
    let config = ConfigMap {
        metadata: metadata(plan, namespace, labels::CONNECTIONS),
        data: (!settings.is_empty()).then_some(settings),
        ..ConfigMap::default()
    };
    here.then(|| core(Stage::Configuration, &config))
}
