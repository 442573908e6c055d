//! A team with a Live namespace, for tests of models in production.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::autoscaler::Autoscaler;
use super::pod_state::{Container, Ended, Pod};
use super::{Lookup, Object, ObjectLookup, WorkFacts, WorkPlan};
use crate::api::identity::WorkId;
use crate::api::work::{Component, Dataset, ModelService, Pipeline, Run, WorkKind};
use crate::api::{AITeam, BlueprintSpec, Layer};
use crate::engine::Catalogue;
use crate::plan::{Facts, Plan, ServedKinds};

pub const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const OTHER: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

const TEAM: &str = "{customers: [{name: shop, namespaces: [shop-b, shop-a]}, {name: bank, namespaces: [shop-a]}],
    shared: {models: {}}, projects: [{name: p, live: {}}]}";

/// The observed state, and the objects around the service.
pub struct Stage {
    team: AITeam,
    plan: Plan,
    catalogue: Catalogue,
    served: ServedKinds,
    around: Around,
    pub live: BTreeMap<(String, String), Value>,
    pub pods: Vec<Pod>,
    pub autoscalers: Vec<Autoscaler>,
    pub retained: bool,
}

#[derive(Default)]
struct Around {
    components: BTreeMap<String, Component>,
    datasets: BTreeMap<String, Dataset>,
    reported: bool,
}

impl ObjectLookup for Around {
    fn component(&self, namespace: &str, name: &str) -> Lookup<Component> {
        Ok(self.components.get(&format!("{namespace}/{name}")).cloned())
    }
    fn dataset(&self, namespace: &str, name: &str) -> Lookup<Dataset> {
        Ok(self.datasets.get(&format!("{namespace}/{name}")).cloned())
    }
    fn pipeline(&self, _: &str, _: &str) -> Lookup<Pipeline> {
        Ok(None)
    }
    fn components(&self, namespace: &str) -> Vec<String> {
        let here = self.components.keys().filter_map(|key| key.strip_prefix(&format!("{namespace}/")));
        here.map(str::to_owned).collect()
    }
    fn ended_after(&self, _: &str, _: &Run, _: usize) -> bool {
        false
    }
    fn have_status(&self) -> bool {
        self.reported
    }
}

impl Stage {
    pub fn new() -> Self {
        let team = AITeam::new("abc", serde_saphyr::from_str(TEAM).unwrap());
        let blueprint: BlueprintSpec =
            serde_saphyr::from_str::<crate::api::Blueprint>(crate::api::blueprint::DEFAULT_BLUEPRINT).unwrap().spec;
        let catalogue = Catalogue::builtin();
        let plan = crate::plan::plan(&team, &Facts::offline(&blueprint, &catalogue)).unwrap();
        Self {
            team,
            plan,
            catalogue,
            served: ServedKinds::default(),
            around: Around::default(),
            live: BTreeMap::new(),
            pods: Vec::new(),
            autoscalers: Vec::new(),
            retained: false,
        }
    }

    /// With what the Blueprint says of engines.
    pub fn with_engines(mut self, engines: &str) -> Self {
        std::sync::Arc::make_mut(&mut self.plan.site).engines = serde_saphyr::from_str(engines).unwrap();
        self
    }

    pub fn with_component(mut self, place: &str, spec: &str) -> Self {
        let name = place.rsplit('/').next().unwrap();
        let component = Component::new(name, serde_saphyr::from_str(spec).unwrap());
        self.around.components.insert(place.to_owned(), component);
        self
    }

    pub fn with_dataset(mut self, place: &str, spec: &str) -> Self {
        let name = place.rsplit('/').next().unwrap();
        self.around.datasets.insert(place.to_owned(), Dataset::new(name, serde_saphyr::from_str(spec).unwrap()));
        self
    }

    /// A dataset that has reported this status.
    pub fn with_status(mut self, place: &str, status: Value) -> Self {
        self.around.datasets.get_mut(place).unwrap().status = serde_json::from_value(status).unwrap();
        self.around.reported = true;
        self
    }

    /// A pod that ended, of a Job.
    pub fn ended(&mut self, job: &str, container: &str, exit_code: i32, message: &str) {
        let second = i64::try_from(self.pods.len()).unwrap();
        let ended = Ended {
            exit_code,
            reason: if exit_code == 0 { "Completed" } else { "Error" }.to_owned(),
            message: message.to_owned(),
            finished: Some(at(second)),
            ..Ended::default()
        };
        let container = Container { name: container.to_owned(), ended: Some(ended), ..Container::default() };
        self.pods.push(Pod {
            name: format!("{job}-{second}"),
            owner_kind: "Job".to_owned(),
            owner: job.to_owned(),
            created: Some(at(second)),
            containers: vec![container],
            ..Pod::default()
        });
    }

    pub fn gave_up(&mut self, job: &str, reason: &str, message: &str) {
        let failed = json!({"type": "Failed", "status": "True", "reason": reason, "message": message});
        self.live.insert(("Job".to_owned(), job.to_owned()), json!({"status": {"conditions": [failed]}}));
    }

    /// The Deployment, with what its pods are of.
    pub fn deployed(&mut self, version: &str, replicas: i64, updated: i64, available: i64) {
        let digest = if version == "7" { DIGEST } else { OTHER };
        let annotations =
            json!({"strata-operator.dev/model-version": version, "strata-operator.dev/model-digest": digest});
        let deployment = json!({
            "metadata": {"generation": 2},
            "spec": {"replicas": replicas, "template": {"metadata": {"annotations": annotations}}},
            "status": {"observedGeneration": 2, "replicas": replicas, "updatedReplicas": updated,
                       "readyReplicas": available, "availableReplicas": available}
        });
        self.live.insert(("Deployment".to_owned(), "service-score".to_owned()), deployment);
    }

    pub fn live(&self, kind: &str, name: &str) -> Option<Value> {
        self.live.get(&(kind.to_owned(), name.to_owned())).cloned()
    }

    pub fn plan(&self, service: &ModelService) -> WorkPlan {
        let namespace = self.plan.namespaces.iter().find(|namespace| namespace.layer == Layer::Live).unwrap();
        let namespace = crate::plan::NamespacePlan { retained: self.retained, ..namespace.clone() };
        let id = WorkId {
            kind: WorkKind::ModelService,
            namespace: namespace.name.clone(),
            name: service.metadata.name.clone().unwrap(),
        };
        let facts = WorkFacts {
            team: &self.team,
            plan: &self.plan,
            namespace: &namespace,
            catalogue: &self.catalogue,
            served: &self.served,
            neighbours: &self.around,
            live: &|kind, name| self.live(kind, name),
            pods: &self.pods,
            now: &at(100),
        };
        super::plan(&id, &Object::ModelService(Box::new(service.clone())), &facts)
    }
}

/// A service, at this generation, with these releases recorded: version, digest and alias.
pub fn service(spec: &str, generation: i64, releases: &[(&str, &str, Option<&str>)]) -> ModelService {
    let mut service = ModelService::new("score", serde_saphyr::from_str(spec).unwrap());
    service.metadata.generation = Some(generation);
    let releases = releases.iter().map(|(version, digest, alias)| {
        json!({"model": "fraud", "version": version, "digest": digest, "alias": alias, "generation": 1, "releaseTime": at(1)})
    });
    let status = json!({"releases": releases.collect::<Vec<_>>()});
    service.status = Some(serde_json::from_value(status).unwrap());
    service
}

pub fn at(second: i64) -> Time {
    Time(Timestamp::from_second(second).unwrap())
}
