//! The facts for planning a work object: the team's plan, the objects
//! that it may refer to, and the state of its written objects.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use super::pod_state::Pod;
use crate::api::identity::WorkId;
use crate::api::vocabulary::Layer;
use crate::api::work::{Component, Dataset, Pipeline, Run, Workbench};
use crate::api::{AITeam, Issue, Reason};
use crate::engine::Catalogue;
use crate::plan::{NamespacePlan, Plan, ServedKinds};

/// Everything that the plan of a work object depends on besides itself.
#[derive(Clone, Copy)]
pub struct WorkFacts<'a> {
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
    pub neighbours: &'a dyn ObjectLookup,
    /// What the cache keeps of an object in its namespace, by kind and name: for
    /// workloads the whole object without `metadata` that others write.
    pub live: &'a dyn Fn(&str, &str) -> Option<Value>,
    /// Its pods: only those whose controlling owner is, by UID, an object that was
    /// written for it.
    pub pods: &'a [Pod],
    /// The time, in whole seconds.
    pub now: &'a Time,
}

/// An object that another refers to: nothing if it is not there, and a hold if it
/// is there and cannot be read.
pub type Lookup<K> = Result<Option<K>, Issue>;

/// The reason that an existing but unreadable object blocks a plan.
#[must_use]
pub fn unreadable(id: &WorkId, error: &str) -> Issue {
    let message = format!(
        "{id} exists, but this version of Strata cannot read it: {error}. Run a version that can, or fix the object"
    );
    Issue::new(Reason::Invalid, message)
}

/// The work objects that another may refer to.
pub trait ObjectLookup {
    /// A component.
    fn component(&self, namespace: &str, name: &str) -> Lookup<Component>;
    /// A dataset.
    fn dataset(&self, namespace: &str, name: &str) -> Lookup<Dataset>;
    /// A pipeline.
    fn pipeline(&self, namespace: &str, name: &str) -> Lookup<Pipeline>;
    /// The names of the components of a namespace, for messages.
    fn components(&self, namespace: &str) -> Vec<String>;
    /// The Secrets that the datasets of a namespace name as their credentials, each
    /// with the dataset.
    fn credentials(&self, _namespace: &str) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    /// Whether they have a status: objects of files have none.
    fn have_status(&self) -> bool {
        false
    }
    /// How many other workbenches of its owner are older, in its namespace, counted up to
    /// a limit.
    fn older_workbenches(&self, _namespace: &str, _workbench: &Workbench, _limit: usize) -> usize {
        0
    }
    /// Whether so many runs of its pipeline ended after this one did; never while
    /// it runs.
    fn ended_after(&self, namespace: &str, run: &Run, number: usize) -> bool;
}

impl WorkFacts<'_> {
    /// The name of the team's Shared namespace.
    #[must_use]
    pub fn shared(&self) -> String {
        format!("{}--shared", self.plan.identity.name)
    }

    /// Whether the object is in production.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.namespace.layer == Layer::Live
    }
}
