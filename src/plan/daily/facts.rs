//! What planning an object of daily work knows: the team's plan, the objects
//! that it may refer to, and what was seen of what was written for it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::seen::Pod;
use crate::api::AITeam;
use crate::api::daily::{Component, Dataset, Pipeline};
use crate::api::vocabulary::Layer;
use crate::engine::Catalogue;
use crate::plan::{NamespacePlan, Plan, ServedKinds};

/// Everything that the plan of an object of daily work depends on besides itself.
#[derive(Clone, Copy)]
pub struct DailyFacts<'a> {
    /// The team.
    pub team: &'a AITeam,
    /// The team's plan.
    pub plan: &'a Plan,
    /// The object's namespace. `retained` there: nothing new starts.
    pub namespace: &'a NamespacePlan,
    /// The engines, compiled.
    pub catalogue: &'a Catalogue,
    /// The kinds that the API server serves.
    pub served: &'a ServedKinds,
    /// The objects that it may refer to.
    pub neighbours: &'a dyn Neighbours,
    /// What the mirror keeps of an object in its namespace, by kind and name: for
    /// workloads the whole object without `metadata` that others write.
    pub live: &'a dyn Fn(&str, &str) -> Option<Value>,
    /// Its pods: only those whose controlling owner is, by UID, an object that was
    /// written for it.
    pub pods: &'a [Pod],
}

/// The objects of daily work that another may refer to.
pub trait Neighbours {
    /// A component.
    fn component(&self, namespace: &str, name: &str) -> Option<Component>;
    /// A dataset.
    fn dataset(&self, namespace: &str, name: &str) -> Option<Dataset>;
    /// A pipeline.
    fn pipeline(&self, namespace: &str, name: &str) -> Option<Pipeline>;
    /// The names of the components of a namespace, for messages.
    fn components(&self, namespace: &str) -> Vec<String>;
    /// The Secrets that the datasets of a namespace name as their credentials, each
    /// with the dataset.
    fn credentials(&self, _namespace: &str) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    /// How many runs of this pipeline ended after this one did; none while it runs.
    fn newer_finished(&self, namespace: &str, pipeline: &str, run: &str) -> usize;
}

impl DailyFacts<'_> {
    /// The name of the team's Shared namespace.
    #[must_use]
    pub fn shared(&self) -> String {
        format!("{}--shared", self.plan.identity.name)
    }

    /// Whether the object stands in production.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.namespace.layer == Layer::Live
    }
}
