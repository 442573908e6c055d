//! A live object with its content restored to our intent: for changes that an apply cannot
//! undo, because it only adds to existing fields.
//!
//! Pure: it reads one object at a time and no cluster.

use serde_json::{Map, Value};

use super::added::{content, is_same, keys};
use super::values::is_nothing;
use crate::api::kinds::clearing::Clearing;

/// The live object with its content replaced by our intent and the fields that others may
/// set, and with our labels and annotations. Kubernetes sets its defaults again.
#[must_use]
pub fn restored(live: &Value, intent: &Value, clearing: &Clearing) -> Value {
    let mut object = live.clone();
    if let Some(fields) = object.as_object_mut() {
        for (section, _) in content(live) {
            fields.remove(section);
        }
        let whole = of_fields("", &sections(live), &sections(intent), clearing);
        fields.extend(whole);
    }
    drop_node_ports(&mut object);
    for part in ["labels", "annotations"] {
        for (name, value) in intent["metadata"][part].as_object().into_iter().flatten() {
            object["metadata"][part][name] = value.clone();
        }
    }
    object
}

/// Removes the node ports of a Service whose type has none: they belong to the type that
/// another user had set.
fn drop_node_ports(object: &mut Value) {
    let asks = matches!(object["spec"]["type"].as_str(), Some("NodePort" | "LoadBalancer"));
    if object["kind"] != "Service" || asks {
        return;
    }
    for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            port.remove("nodePort");
        }
    }
}

fn sections(object: &Value) -> Map<String, Value> {
    content(object).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn of_value(path: &str, live: &Value, intent: &Value, clearing: &Clearing) -> Value {
    if clearing.is_others(path) {
        return beneath(live, intent);
    }
    if !clearing.holds_others(path) {
        return intent.clone();
    }
    match (live, intent) {
        (Value::Object(live), Value::Object(intent)) => of_fields(path, live, intent, clearing).into(),
        (Value::Object(live), intent) if is_nothing(intent) => of_fields(path, live, &Map::new(), clearing).into(),
        (Value::Array(items), Value::Array(wanted)) => {
            let items = wanted.iter().map(|want| match counterpart(path, items, want) {
                Some(item) => of_value(path, item, want, clearing),
                None => want.clone(),
            });
            items.collect()
        }
        _ => intent.clone(),
    }
}

fn of_fields(
    path: &str,
    live: &Map<String, Value>,
    intent: &Map<String, Value>,
    clearing: &Clearing,
) -> Map<String, Value> {
    let mut fields = intent.clone();
    for (name, value) in live {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let value = of_value(&below, value, intent.get(name).unwrap_or(&Value::Null), clearing);
        if !is_nothing(&value) {
            fields.insert(name.clone(), value);
        }
    }
    fields
}

/// A field that others may set, with the parts of it that our intent sets.
fn beneath(live: &Value, intent: &Value) -> Value {
    match (live, intent) {
        (Value::Object(live), Value::Object(intent)) => {
            let mut fields = live.clone();
            for (name, intent) in intent {
                let value = beneath(live.get(name).unwrap_or(&Value::Null), intent);
                fields.insert(name.clone(), value);
            }
            fields.into()
        }
        (live, intent) if is_nothing(intent) => live.clone(),
        _ => intent.clone(),
    }
}

/// The live item for an item of our intent: by its keys, or by its name if another user
/// changed the keys.
fn counterpart<'a>(path: &str, items: &'a [Value], want: &Value) -> Option<&'a Value> {
    let keys = keys(path);
    let same = items.iter().find(|item| !keys.is_empty() && is_same(item, want, keys));
    same.or_else(|| items.iter().find(|item| want["name"].is_string() && item["name"] == want["name"]))
}

#[cfg(test)]
#[path = "restored_tests.rs"]
mod tests;
