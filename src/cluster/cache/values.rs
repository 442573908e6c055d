//! Functions on JSON values: a hash of each, whether one contains another, and how to read
//! their parts.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use crate::api::labels;
use crate::api::quantity::Amount;

/// A number for a value, the same for equal values while the process lives.
#[must_use]
pub fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash_value(value, &mut hasher);
    hasher.finish()
}

fn hash_value(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(flag) => (1_u8, flag).hash(hasher),
        Value::Number(number) => (2_u8, number.to_string()).hash(hasher),
        Value::String(text) => (3_u8, text).hash(hasher),
        Value::Array(items) => {
            (4_u8, items.len()).hash(hasher);
            for item in items {
                hash_value(item, hasher);
            }
        }
        Value::Object(map) => {
            (5_u8, map.len()).hash(hasher);
            for (key, item) in map {
                key.hash(hasher);
                hash_value(item, hasher);
            }
        }
    }
}

/// Null, or a list or map without anything in it.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Whether the live value says all that is intended; the server may have added.
pub(super) fn covers(live: &Value, intent: &Value) -> bool {
    match (live, intent) {
        (Value::Object(live), Value::Object(intent)) => intent
            .iter()
            .all(|(name, value)| live.get(name).map_or_else(|| is_nothing(value), |live| covers(live, value))),
        (Value::Array(live), Value::Array(intent)) => {
            live.len() == intent.len() && live.iter().zip(intent).all(|(live, intent)| covers(live, intent))
        }
        _ => live == intent || same_amount(live, intent),
    }
}

fn same_amount(left: &Value, right: &Value) -> bool {
    let amount = |value: &Value| match value {
        Value::String(text) => Amount::parse(text).ok(),
        Value::Number(number) => Amount::parse(&number.to_string()).ok(),
        _ => None,
    };
    matches!((amount(left), amount(right)), (Some(left), Some(right)) if left == right)
}

/// A text; empty where there is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The texts of a map, such as labels.
pub(super) fn texts(map: &Value) -> BTreeMap<String, String> {
    let entries = map.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// The annotations of our group.
pub(super) fn ours(annotations: &Value) -> BTreeMap<String, String> {
    let mut all = texts(annotations);
    all.retain(|name, _| name.starts_with(labels::PREFIX));
    all
}

/// A time, if there is one.
pub(super) fn time(value: &Value) -> Option<Time> {
    serde_json::from_value(value.clone()).ok()
}
