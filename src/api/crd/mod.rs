//! The CustomResourceDefinitions, from the Rust types.
//!
//! What the derive cannot say stands here, once for every kind: the default of
//! `observedGeneration`, the rules on an object's own name, what each value of
//! an enum means, and the removal of what would make the API server write nulls
//! into people's objects.

mod answers;

use kube::CustomResourceExt;
use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value, json};

use super::blueprint::{Archetype, Cell, Protocol, Reclaim, TaintEffect, TolerationOperator, UpgradePolicy};
use super::engine::PodSecurity;
use super::status::ConditionStatus;
use super::team::blocks::{self, BLOCKS};
use super::team::{DeletionPolicy, ManagementPolicy, Priority, TeamType};
use super::team_status::ComponentState;
use super::vocabulary::AddedRight;
use super::work::dataset::AccessMode;
use super::work::model_service::Outcome;
use super::work::pipeline::{Concurrency, From as Origin};
use super::work::run::RunState;
use super::work::workbench::{Cause, DesiredState, HomeReclaim, OwnerMembership, WorkbenchState};
use super::work::{Component, Dataset, ModelService, Pipeline, Run, Workbench};
use super::{AITeam, Blueprint, Capability, Engine, Layer, rules, work};

/// Every kind's definition, in the order in which they are installed.
#[must_use]
pub fn definitions() -> Vec<Value> {
    let team: Vec<Value> = [rules::team_name(), rules::team_apart()].concat();
    vec![
        with_blocks(definition::<AITeam>(&team)),
        definition::<Blueprint>(&rules::short_name("a Blueprint")),
        definition::<Engine>(&rules::short_name("an Engine")),
        definition::<Component>(&work::rules::name(40, "a Component")),
        definition::<Dataset>(&work::rules::name(40, "a Dataset")),
        definition::<Workbench>(&work::rules::name(40, "a Workbench")),
        definition::<Pipeline>(&work::rules::name(40, "a Pipeline")),
        definition::<Run>(&work::rules::name(50, "a Run")),
        definition::<ModelService>(&work::rules::service_name()),
    ]
}

fn definition<K: CustomResourceExt>(rules: &[Value]) -> Value {
    // Serializing a definition that the derive made has no failing case: every
    // key is a string and every number is finite.
    let mut definition = serde_json::to_value(K::crd()).unwrap_or(Value::Null);
    let enums = enums();
    for version in definition["spec"]["versions"].as_array_mut().into_iter().flatten() {
        let schema = &mut version["schema"]["openAPIV3Schema"];
        tidy("", schema, &enums);
        if let Some(spec) = schema.pointer_mut("/properties/spec") {
            answers::spell_out(spec);
        }
        schema["x-kubernetes-validations"] = Value::from(rules.to_vec());
        // Named here, so that the rules on it can say where they stand.
        schema["properties"]["metadata"] = json!({
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 253, "description": "The object's name."}}
        });
        if let Some(status) = schema.pointer_mut("/properties/status") {
            // The default -1 keeps an object from seeming ready before its first pass.
            status["default"] = json!({"observedGeneration": -1});
        }
    }
    definition
}

/// Lets null through where a block of a team stands, for the policy `blocks` to refuse:
/// otherwise the server drops it, and nobody learns that the block is not there.
fn with_blocks(mut definition: Value) -> Value {
    for version in definition["spec"]["versions"].as_array_mut().into_iter().flatten() {
        let schema = &mut version["schema"]["openAPIV3Schema"];
        for block in BLOCKS {
            if let Some(Value::Object(block)) = schema.pointer_mut(&blocks::pointer(block)) {
                block.insert("nullable".to_owned(), Value::Bool(true));
            }
        }
    }
    definition
}

/// The values of one enum with their meaning.
struct Meaning {
    values: Vec<Value>,
    /// The field, where the same words mean something else in another.
    field: Option<&'static str>,
    text: String,
}

/// Every closed set of words in the API. The derive keeps the words and drops
/// their meaning, so it is added to the descriptions of their fields.
fn enums() -> Vec<Meaning> {
    vec![
        meaning::<AccessMode>(),
        meaning::<AddedRight>(),
        meaning::<Archetype>(),
        meaning::<Capability>(),
        meaning::<Cause>(),
        meaning::<Cell>(),
        meaning::<ComponentState>(),
        meaning::<Concurrency>(),
        meaning::<ConditionStatus>(),
        meaning_in::<DeletionPolicy>("deletionPolicy"),
        meaning::<DesiredState>(),
        meaning_in::<HomeReclaim>("reclaim"),
        meaning::<Layer>(),
        meaning::<ManagementPolicy>(),
        meaning::<Origin>(),
        meaning::<OwnerMembership>(),
        meaning::<Outcome>(),
        meaning::<PodSecurity>(),
        meaning::<Priority>(),
        meaning::<Protocol>(),
        meaning::<Reclaim>(),
        meaning::<RunState>(),
        meaning::<TaintEffect>(),
        meaning::<TeamType>(),
        meaning::<TolerationOperator>(),
        meaning::<UpgradePolicy>(),
        meaning::<WorkbenchState>(),
    ]
}

fn meaning<E: JsonSchema>() -> Meaning {
    let schema = schema_for!(E).to_value();
    let variants = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let words = variants.iter().map(|variant| {
        let word = variant["const"].as_str().unwrap_or_default();
        let text = variant["description"].as_str().unwrap_or_default();
        format!("{word}: {}", text.trim_end_matches('.'))
    });
    let text = words.collect::<Vec<_>>().join("; ");
    Meaning { values: variants.iter().map(|variant| variant["const"].clone()).collect(), field: None, text }
}

fn meaning_in<E: JsonSchema>(field: &'static str) -> Meaning {
    Meaning { field: Some(field), ..meaning::<E>() }
}

/// Removes from a schema what the derive adds and the API server should not
/// have, and adds what the derive drops.
fn tidy(name: &str, schema: &mut Value, enums: &[Meaning]) {
    match schema {
        Value::Object(map) => {
            tidy_object(name, map, enums);
            for (name, value) in map {
                tidy(name, value, enums);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(name, item, enums)),
        _ => {}
    }
}

fn tidy_object(name: &str, map: &mut Map<String, Value>, enums: &[Meaning]) {
    // Without `nullable` the server drops a null, which is what people mean but for a block.
    if map.get("nullable") == Some(&Value::Bool(true)) {
        map.remove("nullable");
    }
    if map.get("default") == Some(&Value::Null) {
        map.remove("default");
    }
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        // The derive adds null as a value to the enums of optional fields.
        values.retain(|value| !value.is_null());
        let known = enums.iter().find(|known| known.values == *values && known.field.is_none_or(|field| field == name));
        if let Some(known) = known {
            explain(map, &known.text);
        }
    }
    for bound in ["minimum", "maximum"] {
        whole(map, bound);
    }
}

fn explain(map: &mut Map<String, Value>, text: &str) {
    let before = map.get("description").and_then(Value::as_str).unwrap_or("One of these.");
    let described = format!("{before} {text}.");
    map.insert("description".into(), Value::from(described));
}

/// The derive writes the bounds of whole numbers as fractions: `0.0`.
fn whole(map: &mut Map<String, Value>, bound: &str) {
    let number = map.get(bound).filter(|value| value.is_f64()).and_then(Value::as_f64);
    if let Some(number) = number
        && number.fract() == 0.0
        && number.abs() < 1e15
    {
        #[allow(clippy::cast_possible_truncation, reason = "the number is whole and small")]
        let number = number as i64;
        map.insert(bound.into(), Value::from(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_mean_one_thing_in_a_field() {
        let all = enums();
        for (index, one) in all.iter().enumerate() {
            for other in &all[..index] {
                let apart = one.field.is_some() && other.field.is_some() && one.field != other.field;
                assert!(one.values != other.values || apart, "{} / {}", one.text, other.text);
            }
        }
    }
}
