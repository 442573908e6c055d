//! A team with one project and objects in its namespaces, for tests.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pod_state::Pod;
use super::{Lookup, ObjectLookup, WorkFacts};
use crate::api::BlueprintSpec;
use crate::api::team::AITeam;
use crate::api::work::{Component, Dataset, Pipeline, Run};
use crate::engine::Catalogue;
use crate::plan::settings::{LeftOut, Side};
use crate::plan::{ExtraObject, Facts, Plan, ServedKinds, plan};

/// Two sizes for devices that no node has both of, and three for any node.
const SITE: &str = "
images: {python: registry.example.com/python:1}
sizes:
- {name: small, requests: {cpu: 500m, memory: 1Gi}, limits: {memory: 2Gi, ephemeral-storage: 4Gi}}
- {name: large, requests: {cpu: '8', memory: 32Gi}, limits: {memory: 64Gi, ephemeral-storage: 64Gi}}
- {name: gpu, requests: {nvidia.com/gpu: 1}, nodeSelector: {pool: a100}, tolerations: [{key: gpu, operator: Exists}], runtimeClassName: nvidia}
- {name: other, nodeSelector: {pool: cpu}}
storageClasses: {home: gp3, shared: efs}
";
const TEAM: &str = "
budget: {requests: {nvidia.com/gpu: 3}}
shared: {pipelines: {}, datasets: {}, images: [{name: train, image: registry.example.com/own/train:2}]}
projects:
- name: chargeback
  workspace: {share: {requests: {nvidia.com/gpu: 2}}}
  live: {share: {requests: {nvidia.com/gpu: 1}}}
";

/// A team called fraud, with a project chargeback that has a production side.
pub(crate) struct Scene {
    team: AITeam,
    plan: Plan,
    catalogue: Catalogue,
    served: ServedKinds,
    components: BTreeMap<(String, String), Component>,
    datasets: BTreeMap<(String, String), Dataset>,
    pipelines: BTreeMap<(String, String), Pipeline>,
    live: BTreeMap<(String, String), Value>,
    newer: usize,
    retained: bool,
    reported: bool,
}

fn key(first: &str, second: &str) -> (String, String) {
    (first.to_owned(), second.to_owned())
}

fn spec<S: serde::de::DeserializeOwned>(text: &str) -> S {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

impl Scene {
    pub(crate) fn new() -> Self {
        let site: BlueprintSpec = spec(SITE);
        let team = AITeam::new("fraud", spec(TEAM));
        let catalogue = Catalogue::builtin();
        let plan = plan(&team, &Facts::offline(&site, &catalogue)).unwrap();
        Self {
            team,
            plan,
            catalogue,
            served: ServedKinds::default(),
            components: BTreeMap::new(),
            datasets: BTreeMap::new(),
            pipelines: BTreeMap::new(),
            live: BTreeMap::new(),
            newer: 0,
            retained: false,
            reported: false,
        }
    }

    pub(crate) fn component(mut self, namespace: &str, name: &str, text: &str) -> Self {
        self.components.insert(key(namespace, name), Component::new(name, spec(text)));
        self
    }

    pub(crate) fn dataset(mut self, namespace: &str, name: &str, text: &str) -> Self {
        self.datasets.insert(key(namespace, name), dataset(namespace, name, 0, text));
        self
    }

    /// A dataset that has reported this status.
    pub(crate) fn reported(mut self, namespace: &str, name: &str, status: Value) -> Self {
        let dataset = self.datasets.get_mut(&key(namespace, name)).unwrap();
        dataset.status = serde_json::from_value(status).unwrap();
        self.reported = true;
        self
    }

    pub(crate) fn pipeline(mut self, namespace: &str, name: &str, text: &str) -> Self {
        self.pipelines.insert(key(namespace, name), Pipeline::new(name, spec(text)));
        self
    }

    pub(crate) fn live(mut self, kind: &str, name: &str, object: Value) -> Self {
        self.live.insert(key(kind, name), object);
        self
    }

    /// With so much of a device granted everywhere; where there is none, no quota counts it.
    pub(crate) fn granted(mut self, device: &str, amount: Option<i64>) -> Self {
        let device = crate::plan::budget::device(device);
        for share in &mut self.plan.budget {
            match amount {
                Some(amount) => share.granted.insert(device.clone(), crate::api::quantity::Amount::whole(amount)),
                None => share.granted.remove(&device),
            };
        }
        self
    }

    /// Where the API server puts this before the names of people.
    pub(crate) fn prefixed(mut self, user: &str) -> Self {
        user.clone_into(&mut self.plan.prefixes.user);
        self
    }

    /// Under a Blueprint with these rules of runs.
    pub(crate) fn runs(mut self, text: &str) -> Self {
        std::sync::Arc::make_mut(&mut self.plan.site).runs = Some(spec(text));
        self
    }

    /// Under a Blueprint that adds this object to a namespace.
    pub(crate) fn extra(mut self, namespace: &str, object: Value) -> Self {
        self.plan.extras.push(ExtraObject { namespace: namespace.to_owned(), object });
        self
    }

    pub(crate) fn newer(mut self, runs: usize) -> Self {
        self.newer = runs;
        self
    }

    pub(crate) fn retained(mut self) -> Self {
        self.retained = true;
        self
    }

    /// Settings that datasets have given to every namespace.
    pub(crate) fn given<'a>(mut self, settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let settings: Vec<_> = settings.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        for place in &mut self.plan.namespaces {
            place.datasets.values.extend(settings.clone());
        }
        self
    }

    /// A namespace with these settings, all of one side.
    pub(crate) fn filled(mut self, namespace: &str, side: Side, settings: &[(String, String)]) -> Self {
        for place in self.plan.namespaces.iter_mut().filter(|place| place.name == namespace) {
            place.datasets.values.extend(settings.iter().cloned());
            let taken = crate::plan::settings::bytes(&place.datasets.values);
            match side {
                Side::Own => place.datasets.own = taken,
                Side::Shared => place.datasets.shared = taken,
            }
        }
        self
    }

    /// A dataset of Shared that a namespace has no settings of.
    pub(crate) fn left_out(mut self, namespace: &str, name: &str, why: &LeftOut) -> Self {
        for place in self.plan.namespaces.iter_mut().filter(|place| place.name == namespace) {
            place.datasets.left_out.insert(("fraud--shared".to_owned(), name.to_owned()), why.clone());
        }
        self
    }

    /// The known objects of this namespace.
    pub(crate) fn facts<T>(&self, namespace: &str, then: impl FnOnce(&WorkFacts<'_>) -> T) -> T {
        let live = |kind: &str, name: &str| self.live.get(&key(kind, name)).cloned();
        let mut place = self.plan.namespace(namespace).unwrap().clone();
        place.retained = self.retained;
        let pods: [Pod; 0] = [];
        then(&WorkFacts {
            team: &self.team,
            plan: &self.plan,
            namespace: &place,
            catalogue: &self.catalogue,
            served: &self.served,
            neighbours: self,
            live: &live,
            pods: &pods,
            now: &at(100),
        })
    }
}

impl ObjectLookup for Scene {
    fn component(&self, namespace: &str, name: &str) -> Lookup<Component> {
        Ok(self.components.get(&key(namespace, name)).cloned())
    }

    fn dataset(&self, namespace: &str, name: &str) -> Lookup<Dataset> {
        Ok(self.datasets.get(&key(namespace, name)).cloned())
    }

    fn pipeline(&self, namespace: &str, name: &str) -> Lookup<Pipeline> {
        Ok(self.pipelines.get(&key(namespace, name)).cloned())
    }

    fn components(&self, namespace: &str) -> Vec<String> {
        self.components.keys().filter(|(place, _)| place == namespace).map(|(_, name)| name.clone()).collect()
    }

    fn ended_after(&self, _: &str, _: &Run, number: usize) -> bool {
        self.newer >= number
    }

    fn have_status(&self) -> bool {
        self.reported
    }
}

/// A component of no particular name.
pub(crate) fn component(text: &str) -> Component {
    Component::new("any", spec(text))
}

/// A dataset that is so many seconds younger than the oldest.
pub(crate) fn dataset(namespace: &str, name: &str, second: i64, text: &str) -> Dataset {
    let mut dataset = Dataset::new(name, spec(text));
    dataset.metadata.namespace = Some(namespace.to_owned());
    dataset.metadata.creation_timestamp = Some(at(second));
    dataset
}

/// A pipeline of this name.
pub(crate) fn pipeline(name: &str, text: &str) -> Pipeline {
    Pipeline::new(name, spec(text))
}

/// A run of this name.
pub(crate) fn run(name: &str, text: &str) -> Run {
    Run::new(name, spec(text))
}

/// A time.
pub(crate) fn at(second: i64) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::Time {
    k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
}
