//! What is written for a measurement: teams that are all alike, and Components as
//! large as the chart's policy on sizes admits them. Only JSON: nothing is applied here.

use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::error::Error;

/// The API of Strata's own kinds.
const API: &str = "strata-operator.dev/v1alpha1";
/// The person who makes a flood: a member of the team.
pub const SOMEBODY: &str = "ana@example.com";
/// The annotation of a large Component, which makes it just under 64 KiB.
const ANNOTATION: usize = 15_000;
/// A character of four bytes: the bounds of texts are in characters.
const WIDE: &str = "\u{1f512}";

/// The team of this number: three layers, three projects, one of them in production, two engines.
pub fn team(number: usize) -> Value {
    json!({
        "apiVersion": API, "kind": "AITeam", "metadata": {"name": name(number)},
        "spec": {
            "description": "A team with everything",
            "owns": ["score"],
            "customers": [{"name": "checkout", "namespaces": ["checkout-prod"]}],
            "labels": {"cost-center": "4711"},
            "members": [
                {"role": "MLEngineer", "groups": ["ml"], "users": [SOMEBODY]},
                {"role": "DataScientist", "users": ["dana@example.com"]},
                {"role": "MLOpsEngineer", "groups": ["operations"]},
                {"role": "CloudSecurityEngineer", "groups": ["security"]},
            ],
            "backbone": {
                "delivery": {"repository": "https://git.example.com/team/ml", "path": "deploy", "branch": "main"},
            },
            "shared": {"experiments": {"storage": "5Gi"}, "models": {}, "featureStore": {"storage": "5Gi"}},
            "projects": [
                {"name": "first", "live": {"share": {"requests": {"cpu": 2, "memory": "8Gi"}}}},
                {"name": "second"},
                {"name": "third"},
            ],
        },
    })
}

/// The name of the team of this number.
pub fn name(number: usize) -> String {
    format!("team-{number:04}")
}

/// The Workspace that a flood comes into.
pub fn workspace() -> String {
    workspace_of(0)
}

/// A Workspace of the team of this number.
pub fn workspace_of(number: usize) -> String {
    format!("{}--second", name(number))
}

/// A Component as people write them.
pub fn small_component(number: usize) -> Value {
    json!({
        "apiVersion": API, "kind": "Component",
        "metadata": {"name": format!("small-{number:05}"), "namespace": workspace()}, "spec": {"image": "scipy"},
    })
}

/// A Dataset of the team that makes a flood.
pub fn dataset(number: usize) -> Value {
    dataset_of(0, &format!("flood-{number:05}"))
}

/// A Dataset of this name in the Workspace of the team of this number.
pub fn dataset_of(team: usize, name: &str) -> Value {
    json!({
        "apiVersion": API, "kind": "Dataset",
        "metadata": {"name": name, "namespace": workspace_of(team)}, "spec": {"uri": "s3://data"},
    })
}

/// A value as an object that a client takes.
pub fn object(value: Value) -> Result<DynamicObject, Error> {
    serde_json::from_value(value).map_err(|error| Error::Measurement(error.to_string()))
}

/// A Component of nearly 64 KiB.
pub fn component(number: usize) -> Value {
    let parameter = |number: usize| json!({"name": format!("p{number}"), "default": WIDE.repeat(1024)});
    let parameters: Vec<Value> = (0..11).map(parameter).collect();
    json!({
        "apiVersion": API, "kind": "Component",
        "metadata": {
            "name": format!("large-{number:04}"), "namespace": workspace(),
            "annotations": {"example.com/notes": "x".repeat(ANNOTATION)},
        },
        "spec": {"image": "scipy", "parameters": parameters},
    })
}

/// Objects as one text that kubectl takes.
pub fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_of_a_flood_is_as_large_as_they_come() {
        let bytes = component(7).to_string().len();
        assert!((60_000..65_000).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn teams_differ_in_their_names_alone() {
        let (first, second) = (team(0), team(999));
        assert_eq!(first["spec"], second["spec"]);
        assert_eq!(second["metadata"]["name"], "team-0999");
        assert!(workspace().starts_with("team-0000--"));
    }
}
