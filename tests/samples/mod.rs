//! Objects that are right, wrong, or wrongly changed: held against the rules
//! offline and on a real API server alike.

use serde::Deserialize;
use serde_json::{Value, json};
use strata::api::work::WorkKind;

/// An object that is accepted.
#[derive(Deserialize)]
pub struct Accepted {
    pub what: String,
    pub kind: String,
    #[serde(default = "good")]
    pub name: String,
    pub spec: Value,
}

/// An object that is refused.
#[derive(Deserialize)]
pub struct Refused {
    pub what: String,
    #[serde(default = "team")]
    pub kind: String,
    #[serde(default = "bad")]
    pub name: String,
    #[serde(default = "empty")]
    pub spec: Value,
    pub field: String,
    pub message: Option<String>,
}

impl Refused {
    /// Whether this is what was meant to be said.
    pub fn is_reported_by(&self, text: &str) -> bool {
        text.contains(&self.field) && self.message.as_ref().is_none_or(|message| text.contains(message))
    }
}

/// What becomes of an object that is there; without a message it is accepted.
#[derive(Deserialize)]
pub struct Changed {
    pub what: String,
    pub kind: String,
    pub before: Value,
    pub after: Value,
    #[serde(default)]
    pub field: String,
    pub message: Option<String>,
}

#[derive(Deserialize)]
pub struct Schedules {
    pub accepted: Vec<String>,
    pub refused: Vec<RefusedText>,
    pub stricter: Vec<RefusedText>,
    pub zones: Zones,
}

#[derive(Deserialize)]
pub struct Zones {
    pub accepted: Vec<String>,
    pub refused: Vec<RefusedText>,
    pub stricter: Vec<RefusedText>,
}

#[derive(Deserialize)]
pub struct RefusedText {
    #[serde(alias = "schedule", alias = "zone")]
    pub text: String,
    pub message: String,
}

fn team() -> String {
    "AITeam".to_owned()
}

fn good() -> String {
    "good".to_owned()
}

fn bad() -> String {
    "bad".to_owned()
}

fn empty() -> Value {
    json!({})
}

pub fn refused() -> Vec<Refused> {
    let mut cases: Vec<Refused> = serde_saphyr::from_str(include_str!("../refused.yaml")).unwrap();
    cases.append(&mut serde_saphyr::from_str(include_str!("refused.yaml")).unwrap());
    cases
}

pub fn accepted() -> Vec<Accepted> {
    serde_saphyr::from_str(include_str!("accepted.yaml")).unwrap()
}

pub fn changed() -> Vec<Changed> {
    serde_saphyr::from_str(include_str!("changed.yaml")).unwrap()
}

pub fn schedules() -> Schedules {
    serde_saphyr::from_str(include_str!("schedules.yaml")).unwrap()
}

/// An object of one of our kinds; those of members stand in `default`.
pub fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let mut object =
        json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    if WorkKind::of(kind).is_some() {
        object["metadata"]["namespace"] = json!("default");
    }
    object
}

/// The spec of a pipeline with this schedule, and this time zone if there is one.
pub fn scheduled(schedule: &str, zone: Option<&str>) -> Value {
    let mut spec = json!({"schedule": schedule, "steps": [{"component": "train"}]});
    if let Some(zone) = zone {
        spec["timeZone"] = json!(zone);
    }
    spec
}
