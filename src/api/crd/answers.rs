//! Sentences instead of regular expressions: the API server answers a value that does not
//! match a `pattern` with the pattern. A rule says in words what would do.

use serde_json::{Map, Value, json};

/// The message for a value that does not match, by the pattern.
const ANSWERS: &[(&str, &str)] = &[
    (
        "^([0-9]+([.][0-9]*)?|[.][0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
        "an amount is a number without a sign and with one of the units m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei, or none: 500m, 2, 10Gi",
    ),
    (
        "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "a name has lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit",
    ),
    (
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "a name has lower-case letters, digits and '-', and begins and ends with a letter or digit",
    ),
    (
        "^[a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?$",
        "a name has letters, digits, '-', '_' and '.', and begins and ends with a letter or digit",
    ),
    (
        "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        "it has letters, digits, '-', '_' and '.', and begins and ends with a letter or digit",
    ),
    (
        "^[A-Za-z]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        "an alias has letters, digits, '-', '_' and '.', begins with a letter and ends with a letter or digit",
    ),
    (
        "^[A-Za-z0-9]([-A-Za-z0-9_. ]*[A-Za-z0-9])?$",
        "the name of a model has letters, digits, '-', '_', '.' and spaces, and begins and ends with a letter or digit",
    ),
    (
        "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$",
        "the value of a label has letters, digits, '-', '_' and '.', and begins and ends with a letter or digit",
    ),
    (
        "^([a-z0-9]([-a-z0-9]*[a-z0-9])?|[*])$",
        "a team is named with lower-case letters, digits and '-'; '*' is everyone",
    ),
    (
        "^[a-z]([a-z0-9_]*[a-z0-9])?$",
        "it is named with lower-case letters, digits and '_', begins with a letter and ends with a letter or digit: learning_rate",
    ),
    ("^sha256:[0-9a-f]{64}$", "a digest is sha256: and 64 digits from 0 to f, as in the status of the component"),
    (
        "^[A-Za-z0-9][^\\s]*[^\\s/]$",
        "a mirror is written without a scheme, spaces or a slash at its end: registry.example.com/quay",
    ),
    ("^(latest|v1[.][0-9]{1,3})$", "a version of Pod Security is `latest`, or one of Kubernetes: v1.36"),
    ("^[a-z][-A-Za-z0-9]*$", "an id has letters, digits and '-', and begins with a lower-case letter"),
    ("^[a-z][A-Za-z0-9]*$", "an id has letters and digits, and begins with a lower-case letter"),
    (
        "^([a-z0-9][-a-z0-9.]*/)?v[0-9][a-z0-9]*$",
        "an apiVersion is a group and a version: apps/v1; of the core group v1",
    ),
    ("^v[0-9][a-z0-9]*$", "a version is one of a kind's: v1, v1beta1"),
    ("^[A-Z][A-Za-z0-9]*$", "it is one word of letters and digits that begins with a capital: Deployment"),
    (
        "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$",
        "an API group has lower-case letters, digits, '-' and '.': apps; the core group is \"\"",
    ),
    (
        "^[a-z][a-z0-9]*(/[a-z]+)?$",
        "a resource is named by the plural of its kind, in small letters: deployments, or deployments/scale",
    ),
    ("^[a-z]+$", "a verb is one word in small letters: get"),
];

/// Adds the message to every pattern below the schema.
pub(super) fn spell_out(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            answer(map);
            map.values_mut().for_each(spell_out);
        }
        Value::Array(items) => items.iter_mut().for_each(spell_out),
        _ => {}
    }
}

fn answer(map: &mut Map<String, Value>) {
    // A field may have the name `pattern`: that is a schema and no text.
    let Some(pattern) = map.get("pattern").and_then(Value::as_str) else { return };
    let Some((pattern, message)) = ANSWERS.iter().find(|(known, _)| *known == pattern) else { return };
    // An empty text is already refused as too short.
    let empty = if map.get("minLength").and_then(Value::as_u64) > Some(0) { "self == '' || " } else { "" };
    let mut rule = format!("{empty}self.matches('{}')", pattern.replace('\\', "\\\\"));
    if map.contains_key("x-kubernetes-int-or-string") {
        rule = format!("type(self) == int ? self >= 0 : ({rule})");
    }
    let rule = json!({"rule": rule, "message": message});
    map.remove("pattern");
    match map.get_mut("x-kubernetes-validations").and_then(Value::as_array_mut) {
        Some(rules) => rules.push(rule),
        None => drop(map.insert("x-kubernetes-validations".to_owned(), json!([rule]))),
    }
}

#[cfg(test)]
mod tests {
    use crate::api::crd::definitions;

    use super::*;

    fn patterns(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Object(map) => {
                found.extend(map.get("pattern").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| patterns(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| patterns(item, found)),
            _ => {}
        }
    }

    #[test]
    fn nobody_is_answered_with_a_regular_expression() {
        let mut found = Vec::new();
        for definition in definitions() {
            patterns(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"], &mut found);
        }
        assert!(found.is_empty(), "without a sentence: {found:?}");
    }
}
