//! The namespaced kinds: every rule has an example that breaks it, every
//! field one that uses it, and every bound holds.

use std::collections::BTreeSet;

use super::samples::{self, Accepted, RefusedText, object, scheduled};
use super::*;

fn of_kind(kind: WorkKind) -> Value {
    let all = definitions();
    let definition = all.iter().find(|definition| definition["spec"]["names"]["kind"] == kind.name()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

#[test]
fn what_is_right_is_accepted() {
    for case in samples::accepted() {
        let found = errors(&case.kind, &object(&case.kind, &case.name, &case.spec));
        assert_eq!(found, NONE, "{}", case.what);
    }
}

#[test]
fn what_never_changes_is_no_matter_for_what_is_new() {
    for case in samples::changed() {
        // Both are right in themselves: what is refused is the change.
        for spec in [&case.before, &case.after] {
            assert_eq!(errors(&case.kind, &object(&case.kind, "a", spec)), NONE, "{}", case.what);
        }
        assert_eq!(case.message.is_some(), case.field.starts_with("spec"), "{}", case.what);
    }
}

#[test]
fn every_rule_has_an_example_that_breaks_it() {
    let refused = samples::refused();
    let changed = samples::changed();
    let schedules = samples::schedules();
    let texts: Vec<&RefusedText> = schedules.refused.iter().chain(&schedules.zones.refused).collect();
    let mut missing = Vec::new();
    for kind in WorkKind::ALL {
        let schema = of_kind(*kind);
        walk(kind.name(), &schema, &mut |path, schema| {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let message = rule["message"].as_str().unwrap();
                let tells = |what: &str, part: Option<&String>| {
                    what == kind.name() && part.is_some_and(|part| message.contains(part.as_str()))
                };
                let broken = refused.iter().any(|case| tells(&case.kind, case.message.as_ref()))
                    || changed.iter().any(|case| tells(&case.kind, case.message.as_ref()))
                    || texts.iter().any(|case| tells("Pipeline", Some(&case.message)))
                    || message.contains("8192");
                if !broken {
                    missing.push(format!("{path}: {message}"));
                }
            }
        });
    }
    assert_eq!(missing, NONE);
}

/// The paths of all that an object holds, as `walk` spells them.
fn paths(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    found.insert(path.to_owned());
    for (name, value) in value.as_object().into_iter().flatten() {
        paths(&format!("{path}.{name}"), value, found);
        // The entries of a map have no field that tells them apart.
        paths(&format!("{path}{{}}"), value, found);
    }
    for item in value.as_array().into_iter().flatten() {
        paths(&format!("{path}[]"), item, found);
    }
}

#[test]
fn every_field_stands_in_an_example() {
    let mut used = BTreeSet::new();
    for Accepted { kind, spec, .. } in samples::accepted() {
        paths(&format!("{kind}.spec"), &spec, &mut used);
    }
    let mut missing = Vec::new();
    for kind in WorkKind::ALL {
        walk(&format!("{kind}.spec"), &of_kind(*kind)["properties"]["spec"], &mut |path, _| {
            if !used.contains(path) {
                missing.push(path.to_owned());
            }
        });
    }
    assert_eq!(missing, NONE);
}

/// Versions of the value, each with one place beyond its bound, and that place.
fn beyond(path: &str, schema: &Value, value: &Value) -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> =
        too_much(schema, value).map(|value| (path.to_owned(), value)).into_iter().collect();
    for (name, inner) in value.as_object().into_iter().flatten() {
        let schema = schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
        for (place, changed) in beyond(&format!("{path}.{name}"), schema, inner) {
            let mut outer = value.clone();
            outer[name] = changed;
            found.push((place, outer));
        }
    }
    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
        for (place, changed) in beyond(&format!("{path}[{index}]"), &schema["items"], inner) {
            let mut outer = value.clone();
            outer[index] = changed;
            found.push((place, outer));
        }
    }
    found
}

/// The value made one longer than it may be.
fn too_much(schema: &Value, value: &Value) -> Option<Value> {
    let limit = |name: &str| schema[name].as_u64().and_then(|limit| usize::try_from(limit).ok()).map(|limit| limit + 1);
    match value {
        Value::String(_) => limit("maxLength").map(|length| json!("1".repeat(length))),
        Value::Array(items) => limit("maxItems").map(|length| Value::from(vec![items[0].clone(); length])),
        Value::Object(_) => {
            limit("maxProperties").map(|length| (0..length).map(|n| (format!("a{n}"), json!("a"))).collect())
        }
        _ => None,
    }
}

#[test]
fn nothing_is_longer_than_it_may_be() {
    let mut tried = 0;
    for Accepted { kind, spec, name, .. } in samples::accepted() {
        let Some(schema) = WorkKind::of(&kind).map(of_kind) else { continue };
        for (place, spec) in beyond("spec", &schema["properties"]["spec"], &spec) {
            let found = errors(&kind, &object(&kind, &name, &spec));
            assert!(found.iter().any(|error| error.starts_with(&format!("{place}: "))), "{kind} {place}: {found:?}");
            tried += 1;
        }
    }
    assert!(tried > 80, "{tried}");
}

#[test]
fn a_command_is_no_script() {
    let of = |word: usize| {
        let words = vec!["a".repeat(word); 4];
        errors("Component", &object("Component", "a", &json!({"image": "scipy", "command": words})))
    };
    assert_eq!(of(2048), NONE);
    let found = of(2049);
    assert!(found.len() == 1 && found[0].starts_with("spec.command: the list has more than 8192"), "{found:?}");
}

#[test]
fn schedules_and_time_zones_are_those_of_cron_job() {
    let cases = samples::schedules();
    let of = |schedule: &str, zone| errors("Pipeline", &object("Pipeline", "a", &scheduled(schedule, zone)));
    for schedule in &cases.accepted {
        assert_eq!(of(schedule, None), NONE, "{schedule}");
    }
    for RefusedText { text, message } in cases.refused.iter().chain(&cases.stricter) {
        let refusal = of(text, None).join(" ");
        assert!(refusal.contains("spec.schedule: ") && refusal.contains(message), "{text}: {refusal}");
    }
    for zone in &cases.zones.accepted {
        assert_eq!(of("@daily", Some(zone)), NONE, "{zone}");
    }
    for RefusedText { text, message } in cases.zones.refused.iter().chain(&cases.zones.stricter) {
        let refusal = of("@daily", Some(text)).join(" ");
        assert!(refusal.contains("spec.timeZone: ") && refusal.contains(message), "{text}: {refusal}");
    }
}
