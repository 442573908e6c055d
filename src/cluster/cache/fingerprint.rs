//! Reduces an object to a hash of the fields that we own.
//!
//! For kinds that are owned whole these are the content and our labels. For applied kinds
//! they are the fields of our field manager and, if additions are removed, all other
//! fields that others could add to. Pure: it reads one object at a time and no cluster.

use super::values::{covers, digest, is_nothing};
use serde_json::{Map, Value, json};

use super::added::guarded;
use crate::api::kinds::{WriteStrategy, clearing};
use crate::api::labels;

/// A hash of the fields that we own, which changes when any of them does.
#[must_use]
pub fn fingerprint(object: &Value, write_strategy: WriteStrategy) -> u64 {
    match write_strategy {
        WriteStrategy::Replace(sections) => digest(&whole(object, sections)),
        WriteStrategy::Apply | WriteStrategy::ApplyAndClear(_) => {
            let ours = project(&owned_fields(object), object);
            match clearing::of(write_strategy, object) {
                Some(clearing) => digest(&json!([ours, guarded(object, clearing)])),
                None => digest(&ours),
            }
        }
    }
}

/// The content of an object that is owned whole. The API server treats absent, null and
/// the empty list alike, but not an empty map (a peer with `namespaceSelector: {}` is
/// every namespace), so that stays.
fn whole(object: &Value, sections: &[&str]) -> Value {
    let mut content = Map::new();
    for section in sections {
        if let Some(value) = object.get(section).and_then(without_nothing) {
            content.insert((*section).to_owned(), value);
        }
    }
    for part in ["labels", "annotations"] {
        let ours = object["metadata"][part].as_object().into_iter().flatten().filter(|(key, _)| is_ours(key));
        content.insert(part.to_owned(), ours.map(|(key, value)| (key.clone(), value.clone())).collect());
    }
    Value::Object(content)
}

/// Whether a label or annotation is Strata's to set, on objects it owns whole.
fn is_ours(key: &str) -> bool {
    key == labels::MANAGED_BY || key.starts_with("strata-operator.dev/")
}

fn without_nothing(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => Some(items.iter().map(|item| without_nothing(item).unwrap_or(Value::Null)).collect()),
        Value::Object(map) => Some(Value::Object(
            map.iter().filter_map(|(key, item)| Some((key.clone(), without_nothing(item)?))).collect(),
        )),
        _ => Some(value.clone()),
    }
}

/// The entry of `managedFields` for what our manager applied.
fn applied(object: &Value) -> Option<&Value> {
    object["metadata"]["managedFields"].as_array()?.iter().find(|entry| is_of_ours(entry))
}

/// Whether an entry of `managedFields` is for what our manager applied.
pub(crate) fn is_of_ours(entry: &Value) -> bool {
    entry["manager"] == labels::FIELD_MANAGER
        && entry["operation"] == "Apply"
        && entry["subresource"].as_str().unwrap_or_default().is_empty()
}

/// The fields that our manager applied, in the notation of `managedFields`.
pub(super) fn owned_fields(object: &Value) -> Value {
    applied(object).map_or_else(|| json!({}), |entry| entry["fieldsV1"].clone())
}

/// The version of its kind in which we applied an object.
#[must_use]
pub fn applied_in(object: &Value) -> Option<&str> {
    let text = applied(object)?["apiVersion"].as_str()?;
    Some(text.rsplit('/').next().unwrap_or(text))
}

/// Whether our field manager wrote any field of the object, status apart.
#[must_use]
pub fn written_by_us(object: &Value) -> bool {
    let managers = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut ours = managers.filter(|entry| {
        entry["manager"] == labels::FIELD_MANAGER && entry["subresource"].as_str().unwrap_or_default().is_empty()
    });
    ours.any(|entry| entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty()))
}

/// The writer, other than us and the status controllers, that changed the object last.
/// Reported if a field is contested.
#[must_use]
pub fn other_writer(object: &Value) -> Option<String> {
    let managers = object["metadata"]["managedFields"].as_array()?;
    managers
        .iter()
        .filter(|entry| {
            let ours = [labels::FIELD_MANAGER, labels::SCALE_FIELD_MANAGER].iter().any(|own| entry["manager"] == *own);
            !ours && matches!(entry["subresource"].as_str().unwrap_or_default(), "" | "scale")
        })
        .max_by_key(|entry| entry["time"].as_str().unwrap_or_default().to_owned())
        .and_then(|entry| entry["manager"].as_str())
        .map(str::to_owned)
}

/// The values of these fields, in the notation of `managedFields`: `f:` is a field, `k:`
/// an item of a keyed list, `v:` an item of a set, `.` the value itself. Source: KEP-555,
/// server-side apply.
fn project(fields: &Value, live: &Value) -> Value {
    let Some(map) = fields.as_object() else { return live.clone() };
    if map.is_empty() {
        return live.clone();
    }
    match live {
        Value::Object(object) => {
            let mut out = Map::new();
            for (path, inner) in map {
                let Some(name) = path.strip_prefix("f:") else { continue };
                if let Some(value) = object.get(name) {
                    out.insert(name.to_owned(), project(inner, value));
                }
            }
            Value::Object(out)
        }
        Value::Array(items) => {
            map.iter().filter_map(|(path, inner)| Some(project(inner, item_at(path, items)?))).collect()
        }
        scalar => scalar.clone(),
    }
}

fn item_at<'a>(path: &str, items: &'a [Value]) -> Option<&'a Value> {
    if let Some(keys) = path.strip_prefix("k:") {
        let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
        return items.iter().find(|item| keys.iter().all(|(key, value)| item.get(key) == Some(value)));
    }
    let value: Value = serde_json::from_str(path.strip_prefix("v:")?).ok()?;
    items.iter().find(|item| **item == value)
}

/// Whether the live object holds exactly the intent in the fields that we applied. Server
/// defaults and other notations of the same amount count as equal. Needed once per object
/// after a restart, when only the object itself shows what we applied before.
#[must_use]
pub fn holds(live: &Value, intent: &Value) -> bool {
    let fields = owned_fields(live);
    let Some(map) = fields.as_object() else { return false };
    if map.is_empty() {
        return false;
    }
    let mut intent = intent.clone();
    if let Some(object) = intent.as_object_mut() {
        object.remove("apiVersion");
        object.remove("kind");
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("name");
            metadata.remove("namespace");
            if metadata.is_empty() {
                object.remove("metadata");
            }
        }
    }
    matches(&fields, live, &intent)
}

fn matches(fields: &Value, live: &Value, intent: &Value) -> bool {
    let map = match fields.as_object() {
        Some(map) if !map.is_empty() => map,
        _ => return covers(live, intent),
    };
    match intent {
        Value::Object(wanted) => {
            let no_surplus =
                map.keys().filter_map(|path| path.strip_prefix("f:")).all(|name| wanted.contains_key(name));
            no_surplus
                && wanted.iter().all(|(name, value)| match map.get(&format!("f:{name}")) {
                    Some(inner) => live.get(name).is_some_and(|live| matches(inner, live, value)),
                    None => value.is_null() || is_nothing(value) && live.get(name).is_none_or(is_nothing),
                })
        }
        Value::Array(wanted) => match live.as_array() {
            Some(items) => list_matches(map, items, wanted),
            None => false,
        },
        _ => covers(live, intent),
    }
}

fn list_matches(fields: &Map<String, Value>, live: &[Value], wanted: &[Value]) -> bool {
    let paths: Vec<_> = fields.iter().filter(|(path, _)| path.as_str() != ".").collect();
    paths.len() == wanted.len()
        && paths.iter().all(|(path, inner)| {
            let Some(item) = item_at(path, live) else { return false };
            let Some(keys) = path.strip_prefix("k:") else { return wanted.contains(item) };
            let Ok(keys) = serde_json::from_str::<Map<String, Value>>(keys) else { return false };
            wanted.iter().any(|want| {
                // A key that the intent leaves out was filled in by the server.
                keys.iter().all(|(key, value)| want.get(key).is_none_or(|wanted| wanted == value))
                    && matches(&without_default_keys(inner, want, &keys), item, want)
            })
        })
}

fn without_default_keys(fields: &Value, want: &Value, keys: &Map<String, Value>) -> Value {
    let mut fields = fields.clone();
    if let Some(map) = fields.as_object_mut() {
        for key in keys.keys().filter(|key| want.get(key.as_str()).is_none()) {
            map.remove(&format!("f:{key}"));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(spec: &Value) -> Value {
        json!({"metadata": {"name": "p", "labels": {"strata-operator.dev/team": "a", "foreign": "x"}}, "spec": spec})
    }

    const WHOLE: WriteStrategy = WriteStrategy::Replace(&["spec"]);

    #[test]
    fn what_is_added_to_a_policy_changes_its_fingerprint() {
        let closed = fingerprint(&policy(&json!({"podSelector": {}, "policyTypes": ["Egress"]})), WHOLE);
        let open = fingerprint(&policy(&json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]})), WHOLE);
        assert_ne!(closed, open);
        let emptied = fingerprint(&policy(&json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": []})), WHOLE);
        assert_eq!(closed, emptied);
    }

    #[test]
    fn every_namespace_is_not_this_namespace() {
        let here = policy(&json!({"ingress": [{"from": [{"podSelector": {}}]}]}));
        let everywhere = policy(&json!({"ingress": [{"from": [{"podSelector": {}, "namespaceSelector": {}}]}]}));
        assert_ne!(fingerprint(&here, WHOLE), fingerprint(&everywhere, WHOLE));
    }

    #[test]
    fn foreign_labels_are_not_ours_and_our_own_are() {
        let mut object = policy(&json!({}));
        let before = fingerprint(&object, WHOLE);
        object["metadata"]["labels"]["foreign"] = json!("y");
        assert_eq!(fingerprint(&object, WHOLE), before);
        object["metadata"]["labels"]["strata-operator.dev/team"] = json!("b");
        assert_ne!(fingerprint(&object, WHOLE), before);
    }

    fn deployment() -> Value {
        json!({
            "metadata": {"name": "d", "managedFields": [
                {"manager": "kubectl", "operation": "Update", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "strata", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"main\"}": {".": {}, "f:name": {}, "f:image": {}, "f:resources": {"f:limits": {"f:memory": {}}},
                        "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}
                }}}}}},
            ]},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [
                {"name": "sidecar", "image": "s"},
                {"name": "main", "image": "i", "imagePullPolicy": "Always", "resources": {"limits": {"memory": "1Gi"}}, "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            ]}}}
        })
    }

    fn intent() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": {"spec": {"containers": [
            {"name": "main", "image": "i", "resources": {"limits": {"memory": "1024Mi"}}, "ports": [{"containerPort": 80}]}
        ]}}}})
    }

    #[test]
    fn an_applied_object_holds_its_intent_whatever_others_own() {
        assert!(holds(&deployment(), &intent()));
        let mut other = deployment();
        other["spec"]["replicas"] = json!(9);
        assert!(holds(&other, &intent()));
        assert_eq!(fingerprint(&other, WriteStrategy::Apply), fingerprint(&deployment(), WriteStrategy::Apply));
    }

    #[test]
    fn applied_object_lacks_fields_taken_or_no_longer_meant() {
        let mut taken = deployment();
        taken["metadata"]["managedFields"][1]["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]["k:{\"name\":\"main\"}"]
            .as_object_mut()
            .unwrap()
            .remove("f:image");
        assert!(!holds(&taken, &intent()));
        let mut less = intent();
        less["spec"]["template"]["spec"]["containers"][0].as_object_mut().unwrap().remove("image");
        assert!(!holds(&deployment(), &less));
        let mut more = intent();
        more["spec"]["minReadySeconds"] = json!(3);
        assert!(!holds(&deployment(), &more));
    }

    #[test]
    fn the_last_other_writer_is_named() {
        assert_eq!(other_writer(&deployment()).as_deref(), Some("kubectl"));
    }
}
