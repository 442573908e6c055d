//! The final status of every example equals what is checked in.
//!
//! The cache is filled with every object that the team asks for, as a cluster
//! holds it once all of it is ready; the status is what the operator would then
//! write. `tests/golden/<team>.status.yaml`, written anew by
//! `UPDATE_GOLDEN=1 cargo test --test status`.

use std::fs;
use std::path::PathBuf;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use strata::api::kinds::{WriteStrategy, built_in};
use strata::api::status::ConditionStatus;
use strata::api::{AITeam, AITeamStatus, Issue, ObjectKey, Reason};
use strata::cli::manifest::{Manifests, yaml};
use strata::cluster::apply::Outcome;
use strata::cluster::cache::ObjectCache;
use strata::engine::Catalogue;
use strata::objects::{Desires, desired};
use strata::plan::{Facts, Plan, plan};
use strata::status::health::{LiveState, Trouble, health};
use strata::status::team::{Live, held, status};

const UPDATE: &str = "UPDATE_GOLDEN=1 cargo test --test status";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn examples() -> Vec<(AITeam, Plan)> {
    let manifests = Manifests::read(&[root().join("deploy/examples")]).unwrap();
    let catalogue = Catalogue::builtin();
    let default = strata::cli::render::default_blueprint().unwrap();
    let planned = manifests.teams.iter().map(|team| {
        let mut team = team.clone();
        team.metadata.uid = Some(strata::cli::render::NO_UID.to_owned());
        team.metadata.generation = Some(1);
        let site = manifests.blueprints.get(&team.spec.blueprint).map_or(&default, |blueprint| &blueprint.spec);
        let facts = Facts { blueprint_generation: 1, ..Facts::offline(site, &catalogue) };
        let plan = plan(&team, &facts).unwrap();
        (team, plan)
    });
    planned.collect()
}

/// What the API server and the controllers add to an object that is fine.
fn ready(object: &Value) -> Value {
    let mut live = object.clone();
    live["metadata"]["uid"] = json!(format!("uid-of-{}", object["metadata"]["name"].as_str().unwrap_or_default()));
    live["metadata"]["resourceVersion"] = json!("1");
    live["metadata"]["generation"] = json!(1);
    let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
    live["status"] = match object["kind"].as_str() {
        Some("Deployment") => json!({
            "observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas,
            "availableReplicas": replicas, "conditions": [{"type": "Available", "status": "True"}],
        }),
        Some("Job") => json!({"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}),
        Some("PersistentVolumeClaim") => json!({"phase": "Bound"}),
        Some("Namespace") => json!({"phase": "Active"}),
        Some("ResourceQuota") => json!({"hard": object["spec"]["hard"], "used": {}}),
        _ => Value::Null,
    };
    live
}

fn cache(desires: &Desires) -> ObjectCache {
    let cache = ObjectCache::default();
    for wanted in &desires.objects {
        let key = &wanted.key;
        let write_strategy = built_in(&key.group, &key.kind).map_or(WriteStrategy::Apply, |kind| kind.write_strategy);
        cache.observe(key, &ready(&wanted.object), write_strategy);
    }
    cache
}

fn report(team: &AITeam, plan: &Plan, troubles: Vec<Trouble>, change: impl Fn(&ObjectCache)) -> AITeamStatus {
    let desires = desired(plan);
    let cache = cache(&desires);
    change(&cache);
    let live = |key: &ObjectKey| cache.get(key)?.live();
    let found = health(
        plan,
        &desires,
        &Outcome::default(),
        &LiveState { live: &live, troubles, work: Vec::new(), waiting: Vec::new() },
    );
    status(team, plan, &found, &Live { cache: &cache }, &Time(Timestamp::UNIX_EPOCH))
}

#[test]
fn every_example_ends_as_it_is_checked_in() {
    for (team, plan) in examples() {
        let name = team.metadata.name.clone().unwrap();
        let text = yaml(&json!(report(&team, &plan, Vec::new(), |_| {})));
        let path = root().join("tests/golden").join(format!("{name}.status.yaml"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let checked_in = fs::read_to_string(&path).unwrap_or_default();
        assert!(checked_in == text, "{} is stale; if the change is meant: {UPDATE}", path.display());
    }
}

fn condition<'a>(status: &'a AITeamStatus, type_: &str) -> Option<&'a strata::api::Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

#[test]
fn every_example_is_ready_when_all_of_it_is() {
    for (team, plan) in examples() {
        let status = report(&team, &plan, Vec::new(), |_| {});
        let ready = condition(&status, "Ready").unwrap();
        assert_eq!(ready.reason, "Ready", "{:?}: {}", team.metadata.name, ready.message);
        assert!(condition(&status, "Stalled").is_none() && condition(&status, "Reconciling").is_none());
        assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(1)));
        assert!(status.namespaces.iter().all(|namespace| namespace.uid.is_some()));
    }
}

/// A watch says that the object is gone.
fn is_gone(cache: &ObjectCache, key: &ObjectKey) {
    let uid = cache.get(key).expect("it was there").uid;
    cache.removed(key, &json!({"metadata": {"uid": uid, "resourceVersion": "2"}}));
}

#[test]
fn a_workload_that_is_not_there_keeps_the_team_from_being_ready() {
    let (team, plan) = examples().into_iter().find(|(team, _)| team.metadata.name.as_deref() == Some("fraud")).unwrap();
    let mlflow = ObjectKey::new("apps", "Deployment", Some("fraud--shared"), "mlflow");
    let status = report(&team, &plan, Vec::new(), |cache| is_gone(cache, &mlflow));
    assert_eq!(condition(&status, "Ready").unwrap().reason, "Progressing");
    assert_eq!(condition(&status, "SharedReady").unwrap().reason, "Progressing");
    assert_eq!(condition(&status, "BackboneReady").unwrap().reason, "Ready");
    assert_eq!(condition(&status, "Reconciling").unwrap().reason, "Progressing");
    assert_eq!(status.components[0].engine, "mlflow");
    assert_eq!(status.summary.unwrap().failing, "mlflow (fraud--shared)");
}

#[test]
fn a_missing_secret_is_named() {
    let (team, plan) = examples().into_iter().find(|(team, _)| team.metadata.name.as_deref() == Some("fraud")).unwrap();
    let trouble = Trouble {
        namespace: "fraud--shared".to_owned(),
        pod: "mlflow-0".to_owned(),
        engine: Some("mlflow".to_owned()),
        reason: "CreateContainerConfigError".to_owned(),
        message: "secret \"database\" not found".to_owned(),
    };
    let mlflow = ObjectKey::new("apps", "Deployment", Some("fraud--shared"), "mlflow");
    let status = report(&team, &plan, vec![trouble], |cache| is_gone(cache, &mlflow));
    assert_eq!(condition(&status, "Ready").unwrap().reason, "SecretMissing");
    assert_eq!(status.missing.len(), 1);
    assert_eq!((status.missing[0].secret.as_str(), status.missing[0].wanted_by.as_str()), ("database", "mlflow"));
}

#[test]
fn every_field_of_the_examples_has_an_effect() {
    for (team, plan) in examples() {
        let status = report(&team, &plan, Vec::new(), |_| {});
        let supported = condition(&status, "AllFieldsSupported").expect("a condition");
        assert_eq!(supported.status, ConditionStatus::True, "{}: {}", team.name(), supported.message);
    }
}

#[test]
fn unchecked_fields_are_not_reported_as_supported() {
    let (mut team, plan) = examples().remove(0);
    team.status = Some(report(&team, &plan, Vec::new(), |_| {}));
    let now = Time(Timestamp::UNIX_EPOCH);
    let before = team.status.clone().unwrap();
    let held_by = |team: &AITeam, reason: Reason| held(team, &Issue::new(reason, "a is not b"), &now);
    let supported = |status: &AITeamStatus| condition(status, "AllFieldsSupported").cloned().unwrap();
    let as_it_was = held_by(&team, Reason::ApiError);
    assert_eq!(supported(&as_it_was), supported(&before));
    let invalid = held_by(&team, Reason::Invalid);
    assert_eq!(
        (supported(&invalid).status, supported(&invalid).reason.as_str()),
        (ConditionStatus::Unknown, "Invalid")
    );
    assert!(supported(&invalid).message.contains("is not known: a is not b"), "{}", supported(&invalid).message);
    assert_eq!(condition(&invalid, "StaffingComplete"), condition(&before, "StaffingComplete"));
    let types = |status: &AITeamStatus| {
        let mut types: Vec<_> = status.conditions.iter().map(|known| known.type_.clone()).collect();
        types.sort();
        types
    };
    let mut once = types(&invalid);
    once.dedup();
    assert_eq!(types(&invalid), once);
    team.metadata.generation = Some(2);
    assert_eq!(supported(&held_by(&team, Reason::ApiError)).status, ConditionStatus::Unknown);
}
