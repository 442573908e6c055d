//! Schemas of amounts by resource, as in a pod or a quota of Kubernetes.
//!
//! An amount is an integer or a text, so rules check its type before its value.
//! Offline, integers become texts ([`as_texts`]), because the interpreter of
//! `strata render` has no `type()`.

use std::sync::LazyLock;

use regex::Regex;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// The pattern of a device's name, as its node reports it.
const DEVICE: &str = "[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
/// Resources that are counted in bytes.
const BYTES: [&str; 3] = ["memory", "ephemeral-storage", "storage"];
/// The most resources in one list.
const RESOURCES: usize = 16;

/// The condition that the value is an amount. Any other text has its own message.
pub(crate) fn sound(value: &str) -> String {
    format!("(type({value}) == int ? {value} >= 0 : isQuantity({value}) && !{value}.startsWith('-'))")
}

/// The expression for the value of an amount, as a floating-point number.
pub(crate) fn float(value: &str) -> String {
    format!("(type({value}) == int ? double({value}) : quantity({value}).asApproximateFloat())")
}

/// The condition that an amount of bytes is zero or at least 1Mi: a smaller one lacks its unit.
pub(crate) fn has_unit(value: &str) -> String {
    format!(
        "!{} || (type({value}) == int ? {value} == 0 || {value} >= 1048576 : quantity({value}).compareTo(quantity('0')) == 0 || \
         quantity({value}).compareTo(quantity('1Mi')) >= 0)",
        sound(value)
    )
}

/// The schema of a budget's requests, with storage and devices.
pub(crate) fn requests(generator: &mut SchemaGenerator) -> Schema {
    list(
        generator,
        &format!("^(cpu|memory|ephemeral-storage|storage|{DEVICE})$"),
        "requests have the resources cpu, memory, ephemeral-storage, storage, and devices as the node offers them, \
         vendor first: nvidia.com/gpu. Correct the name",
    )
}

/// The schema of a budget's limits.
pub(crate) fn limits(generator: &mut SchemaGenerator) -> Schema {
    list(
        generator,
        "^(cpu|memory|ephemeral-storage)$",
        "limits have the resources cpu, memory and ephemeral-storage. Write storage and devices under requests",
    )
}

/// The schema of a pod's requests or limits.
pub(crate) fn of_pod(generator: &mut SchemaGenerator) -> Schema {
    list(
        generator,
        &format!("^(cpu|memory|ephemeral-storage|{DEVICE})$"),
        "a size has the resources cpu, memory, ephemeral-storage, and devices as the node offers them, vendor first: \
         nvidia.com/gpu. Correct the name",
    )
}

fn list(generator: &mut SchemaGenerator, names: &str, message: &str) -> Schema {
    let mut rules = vec![json!({"rule": format!("self.all(name, name.matches('{names}'))"), "message": message})];
    for bytes in BYTES.iter().filter(|bytes| names.contains(&format!("|{bytes}"))) {
        rules.push(json!({
            "rule": format!("!('{bytes}' in self) || {}", has_unit(&format!("self['{bytes}']"))),
            "message": format!("{bytes} is less than 1Mi. If the unit is missing, write for example 16Gi"),
        }));
    }
    if names.contains('/') {
        rules.push(json!({
            "rule": "self.all(name, !name.contains('/') || (type(self[name]) == int ? self[name] <= 1000000 : \
                     !isQuantity(self[name]) || self[name].matches('^[0-9]{1,6}$')))",
            "message": "devices are counted in whole units, up to a million: write 1",
        }));
    }
    json_schema!({
        "type": "object", "maxProperties": RESOURCES,
        "additionalProperties": generator.subschema_for::<super::quantity::Quantity>(),
        "x-kubernetes-validations": rules
    })
}

/// Whether the schema allows an integer or a text.
#[must_use]
pub fn is_amount(schema: &Value) -> bool {
    schema["x-kubernetes-int-or-string"] == true
}

/// The value with its amounts as texts, for the rules of [`offline`].
#[must_use]
pub fn as_texts(schema: &Value, value: &Value) -> Value {
    match value {
        Value::Number(number) if is_amount(schema) && !number.is_f64() => Value::from(number.to_string()),
        Value::Object(fields) => {
            let of = |name: &String| schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
            fields.iter().map(|(name, value)| (name.clone(), as_texts(of(name), value))).collect()
        }
        Value::Array(items) => items.iter().map(|item| as_texts(&schema["items"], item)).collect(),
        other => other.clone(),
    }
}

static TYPE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"type\([^()]*\) == int").ok());

/// The schema with amounts as texts, and with rules that do not check the type.
#[must_use]
pub fn offline(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let mut map: serde_json::Map<String, Value> =
                map.iter().map(|(name, part)| (name.clone(), offline(part))).collect();
            if map.remove("x-kubernetes-int-or-string").is_some() {
                map.insert("type".to_owned(), json!("string"));
            }
            Value::Object(map)
        }
        Value::Array(items) => items.iter().map(offline).collect(),
        Value::String(text) => match TYPE.as_ref() {
            Some(asked) if asked.is_match(text) => Value::from(asked.replace_all(text, "false").into_owned()),
            _ => schema.clone(),
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offline_an_amount_is_a_text() {
        let schema = json!({"properties": {
            "a": {"x-kubernetes-int-or-string": true, "x-kubernetes-validations": [{"rule": sound("self['a']")}]},
            "b": {"type": "integer"}}});
        assert_eq!(as_texts(&schema, &json!({"a": 4, "b": 4})), json!({"a": "4", "b": 4}));
        assert_eq!(as_texts(&schema, &json!({"a": 0.5})), json!({"a": 0.5}));
        let rule = "(false ? self['a'] >= 0 : isQuantity(self['a']) && !self['a'].startsWith('-'))";
        assert_eq!(
            offline(&schema)["properties"]["a"],
            json!({"type": "string", "x-kubernetes-validations": [{"rule": rule}]})
        );
    }
}
