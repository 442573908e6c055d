//! The checks of the API server, without one: the schema of the
//! kind, fields that are unknown, and the CEL rules.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::tz::TimeZoneDatabase;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use kube_cel::{CompiledSchema, compile_schema};
use serde_json::Value;

use crate::api::team::blocks::{BLOCKS, refusal};
use crate::api::work::WorkKind;
use crate::api::work::schema::NO_ZONE;
use crate::api::{amounts, crd};

/// A kind's schema, compiled once.
struct Kind {
    schema: Value,
    structure: Option<jsonschema::Validator>,
    rules: CompiledSchema,
}

static KINDS: LazyLock<BTreeMap<String, Kind>> = LazyLock::new(|| {
    crd::definitions()
        .iter()
        .map(|definition| {
            let schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
            let offline = amounts::offline(&schema);
            let structure = jsonschema::options().offline().build(&offline).ok();
            let rules = compile_schema(&offline);
            let kind = definition["spec"]["names"]["kind"].as_str().unwrap_or_default();
            (kind.to_owned(), Kind { schema, structure, rules })
        })
        .collect()
});

/// What is wrong with an object of the kind: the field and the rule, one
/// sentence each. As on the API server, the rules are looked at only when the
/// structure is right.
#[must_use]
pub fn errors(name: &str, value: &Value) -> Vec<String> {
    let Some(kind) = KINDS.get(name) else {
        return vec![format!("kind {name} is no kind of Strata")];
    };
    let mut found = Vec::new();
    unknown("", &kind.schema, value, &mut found);
    duplicates("", &kind.schema, value, &mut found);
    let value = amounts::as_texts(&kind.schema, &kube_cel::apply_defaults(&kind.schema, value));
    if let Some(structure) = &kind.structure {
        found.extend(structure.iter_errors(&value).map(|error| {
            let place = error.instance_path().to_string();
            let is_amount = schema_at(&kind.schema, &place).is_some_and(amounts::is_amount);
            at(&dotted(&place), &sentence(&error, is_amount))
        }));
    }
    found.sort();
    if found.is_empty() {
        found = broken_rules(kind, &value);
    }
    if found.is_empty() && name == WorkKind::Pipeline.name() {
        found.extend(unknown_zone(&value));
    }
    found
}

/// The schema of the value at a JSON pointer.
fn schema_at<'a>(schema: &'a Value, pointer: &str) -> Option<&'a Value> {
    pointer.split('/').skip(1).try_fold(schema, |schema, step| {
        let name = step.replace("~1", "/").replace("~0", "~");
        let field = schema["properties"].get(&name).or_else(|| schema.get("additionalProperties"));
        field.or_else(|| schema.get("items"))
    })
}

fn broken_rules(kind: &Kind, value: &Value) -> Vec<String> {
    match kube_cel::validate_compiled(&kind.rules, value, None) {
        Ok(()) => Vec::new(),
        Err(broken) => {
            broken.iter().map(|error| at(error.field_path.trim_start_matches('.'), &error.message)).collect()
        }
    }
}

/// A time zone that is in no database. The rule that asks the API server's own
/// is there, but the interpreter here knows no time zones and lets all pass.
fn unknown_zone(value: &Value) -> Option<String> {
    let name = value["spec"]["timeZone"].as_str()?;
    // The database here takes any case, that of the API server does not.
    let known = TimeZoneDatabase::bundled().get(name).is_ok_and(|zone| zone.iana_name() == Some(name));
    (!known).then(|| at("spec.timeZone", NO_ZONE))
}

/// What is wrong with one value. All the words that would do are named: there
/// are never many.
fn sentence(error: &ValidationError<'_>, is_amount: bool) -> String {
    let place = dotted(&error.instance_path().to_string());
    if let Some(block) = BLOCKS.iter().find(|block| error.instance().is_null() && is_at(&place, block)) {
        return refusal(block);
    }
    match error.kind() {
        ValidationErrorKind::Type { .. } if is_amount => {
            format!("{} is neither an integer nor a text. Write a fraction as text: \"0.5\", or 500m", error.instance())
        }
        ValidationErrorKind::Enum { options } => {
            let words = options.as_array().into_iter().flatten();
            let words: Vec<String> =
                words.map(|word| word.as_str().map_or_else(|| word.to_string(), ToOwned::to_owned)).collect();
            format!("{} is not one of {}", error.instance(), words.join(", "))
        }
        _ => error.to_string(),
    }
}

/// Whether the place, `spec.projects[2].live`, is one of a block, `spec.projects[].live`.
fn is_at(place: &str, block: &str) -> bool {
    let plain = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    plain(place) == block
}

fn at(path: &str, message: &str) -> String {
    if path.is_empty() { message.to_owned() } else { format!("{path}: {message}") }
}

/// Fields of an earlier form that are found nowhere, or elsewhere, now.
const EARLIER: [&str; 14] = [
    "acceptPrivilegedEngines",
    "cidrs",
    "devices",
    "ephemeralStorage",
    "every",
    "mode",
    "parameters",
    "rights",
    "running",
    "sample",
    "share",
    "start",
    "storage",
    "suspend",
];

/// Why a field is refused that the schema does not know.
fn missing(name: &str) -> &'static str {
    if EARLIER.contains(&name) {
        "the field does not exist here. If the file is of an earlier form, `strata migrate` rewrites it"
    } else {
        "the field does not exist"
    }
}

/// Fields that the schema does not know: most often a slip of the finger.
fn unknown(path: &str, schema: &Value, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                    continue;
                }
                let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
                match known {
                    Some(schema) => unknown(&place, schema, value, found),
                    None if schema["x-kubernetes-preserve-unknown-fields"] == true => {}
                    None => found.push(at(&place, missing(name))),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                unknown(&format!("{path}[{index}]"), &schema["items"], item, found);
            }
        }
        _ => {}
    }
}

/// Duplicate entries of a list that is a set or a map.
fn duplicates(path: &str, schema: &Value, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
                if let Some(schema) = known {
                    duplicates(&place, schema, value, found);
                }
            }
        }
        Value::Array(items) => {
            let keys: Vec<Value> = items.iter().map(|item| key(schema, item)).collect();
            let listed = schema["x-kubernetes-list-type"] != "atomic";
            for (index, item) in items.iter().enumerate() {
                let place = format!("{path}[{index}]");
                if listed && keys[..index].contains(&keys[index]) {
                    found.push(at(&place, &format!("{} is a duplicate", keys[index])));
                }
                duplicates(&place, &schema["items"], item, found);
            }
        }
        _ => {}
    }
}

/// The key of an entry.
fn key(schema: &Value, item: &Value) -> Value {
    match &schema["x-kubernetes-list-map-keys"] {
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), item[name].clone())).collect()
        }
        _ => item.clone(),
    }
}

/// `/spec/members/0/role` as people write it: `spec.members[0].role`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        if step.chars().all(|c| c.is_ascii_digit()) {
            path.push('[');
            path.push_str(step);
            path.push(']');
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&step.replace("~1", "/").replace("~0", "~"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn team(spec: &Value) -> Vec<String> {
        errors(
            "AITeam",
            &json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam", "metadata": {"name": "fraud"}, "spec": spec}),
        )
    }

    #[test]
    fn every_schema_and_every_rule_is_understood_here() {
        for (name, kind) in KINDS.iter() {
            assert!(kind.structure.is_some(), "{name}");
            assert!(kind.rules.compilation_errors().is_empty(), "{name}: {:?}", kind.rules.compilation_errors());
        }
    }

    #[test]
    fn tells_field_and_rule() {
        assert_eq!(team(&json!({})), Vec::<String>::new());
        assert_eq!(team(&json!({"sharde": {}})), ["spec.sharde: the field does not exist"]);
        let earlier = team(&json!({"suspend": true}));
        assert!(earlier[0].starts_with("spec.suspend: ") && earlier[0].contains("`strata migrate`"), "{earlier:?}");
        let twice = json!({"projects": [{"name": "a"}, {"name": "a"}]});
        assert_eq!(team(&twice), ["spec.projects[1]: {\"name\":\"a\"} is a duplicate"]);
        let share = json!({"budget": {"requests": {"cpu": 4, "memory": 0.5}}});
        assert_eq!(
            team(&share),
            [
                "spec.budget.requests.memory: 0.5 is neither an integer nor a text. Write a fraction as text: \"0.5\", or 500m"
            ]
        );
    }

    #[test]
    fn a_block_without_braces_is_reported() {
        for block in BLOCKS {
            let name = block.rsplit('.').next().unwrap();
            let spec = match block.split('.').collect::<Vec<_>>()[..] {
                [_, _] => json!({name: null}),
                [_, "projects[]", _] => json!({"projects": [{"name": "a"}, {"name": "b", "live": null}]}),
                [_, layer, _] => json!({layer: {name: null}}),
                _ => unreachable!("{block}"),
            };
            let place = block.replace("[]", "[1]");
            let says = format!(
                "{place}: it is null, which removes what the block asks for. Write `{name}: {{}}`, or remove the key"
            );
            assert_eq!(team(&spec), [says]);
        }
    }

    #[test]
    fn time_zones_are_those_of_the_api_server() {
        let zone = |name: &str| {
            let spec = json!({"schedule": "@daily", "timeZone": name, "steps": [{"component": "a"}]});
            errors("Pipeline", &json!({"metadata": {"name": "x"}, "spec": spec}))
        };
        for name in ["Europe/Berlin", "UTC", "US/Pacific", "Etc/GMT+2", "EST5EDT", "America/Argentina/Buenos_Aires"] {
            assert_eq!(zone(name), Vec::<String>::new(), "{name}");
        }
        for name in ["Mars/Base", "EUROPE/Berlin", "Utc", "Europe", "GMT+2", "CEST"] {
            assert_eq!(zone(name), [format!("spec.timeZone: {NO_ZONE}")], "{name}");
        }
    }

    #[test]
    fn pointers_are_written_with_dots() {
        assert_eq!(dotted("/spec/members/0/role"), "spec.members[0].role");
        assert_eq!(dotted("/spec/devices/nvidia.com~1gpu"), "spec.devices.nvidia.com/gpu");
    }
}
