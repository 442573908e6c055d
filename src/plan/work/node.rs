//! One pod for all steps of a run, and so one node: where it may run, and how
//! much it may write.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::invalid;
use crate::api::Issue;
use crate::api::quantity::Amount;
use crate::engine::work::SizedInputs;

/// Where a pod of all these steps, each with the name of its size, may run. Two
/// that need different nodes are named.
pub fn united<'a>(steps: impl Iterator<Item = (&'a str, &'a String, &'a SizedInputs)>) -> Result<SizedInputs, Issue> {
    let mut united = SizedInputs::default();
    let mut selector: BTreeMap<&str, (&Value, &str, &str)> = BTreeMap::new();
    let mut runtime: Option<(&String, &str, &str)> = None;
    let mut tolerations: Vec<Value> = Vec::new();
    for (step, size, sized) in steps {
        // One namespace has one class for all runs.
        united.priority_class_name.clone_from(&sized.priority_class_name);
        for (label, value) in sized.node_selector.as_object().into_iter().flatten() {
            let (known, other, of) = *selector.entry(label).or_insert((value, step, size));
            if known != value {
                let text = |value: &Value| format!("{label}={}", value.as_str().unwrap_or_default());
                return Err(apart((other, of, &text(known)), (step, size, &text(value))));
            }
        }
        if let Some(class) = &sized.runtime_class_name {
            let (known, other, of) = *runtime.get_or_insert((class, step, size));
            if known != class {
                let text = |class: &String| format!("of runtime class {class}");
                return Err(apart((other, of, &text(known)), (step, size, &text(class))));
            }
        }
        for toleration in sized.tolerations.as_array().into_iter().flatten() {
            if !tolerations.contains(toleration) {
                tolerations.push(toleration.clone());
            }
        }
    }
    if !selector.is_empty() {
        let entries = selector.into_iter().map(|(label, (value, ..))| (label.to_owned(), value.clone()));
        united.node_selector = Value::Object(entries.collect::<Map<_, _>>());
    }
    if !tolerations.is_empty() {
        united.tolerations = Value::Array(tolerations);
    }
    united.runtime_class_name = runtime.map(|(class, ..)| class.clone());
    Ok(united)
}

fn apart(one: (&str, &str, &str), other: (&str, &str, &str)) -> Issue {
    let (first, first_size, first_node) = one;
    let (second, second_size, second_node) = other;
    invalid(format!(
        "step {first} has size {first_size}, for nodes {first_node}; step {second} has size {second_size}, for nodes \
         {second_node}. All steps run in one pod: give their components sizes for the same nodes"
    ))
}

/// The most that the pod of these steps may write: a limit of files beyond that
/// would never be reached.
#[must_use]
pub fn files<'a>(steps: impl Iterator<Item = &'a SizedInputs>) -> String {
    let limits = steps.filter_map(|sized| Amount::parse(sized.resources["limits"]["ephemeral-storage"].as_str()?).ok());
    limits.max().map_or_else(|| "10Gi".to_owned(), Amount::canonical)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sized(selector: Value, tolerations: Value, class: Option<&str>, storage: &str) -> SizedInputs {
        SizedInputs {
            resources: json!({"limits": {"ephemeral-storage": storage}}),
            node_selector: selector,
            tolerations,
            runtime_class_name: class.map(str::to_owned),
            priority_class_name: None,
        }
    }

    fn of(sizes: &[SizedInputs]) -> Result<SizedInputs, String> {
        let names = ["a", "b", "c"];
        let labels = ["s".to_owned(), "t".to_owned(), "u".to_owned()];
        let steps = names.iter().zip(&labels).zip(sizes);
        united(steps.map(|((name, size), sized)| (*name, size, sized))).map_err(|hold| hold.message)
    }

    #[test]
    fn what_sizes_say_is_put_together() {
        let (one, two) = (json!({"key": "gpu", "operator": "Exists"}), json!({"key": "spot"}));
        let sizes = [
            sized(Value::Null, json!([two]), None, "4Gi"),
            sized(json!({"pool": "a"}), json!([one, two]), Some("nvidia"), "16Gi"),
            sized(json!({"zone": "1", "pool": "a"}), Value::Null, Some("nvidia"), "500Mi"),
        ];
        let found = of(&sizes).unwrap();
        assert_eq!(found.node_selector, json!({"pool": "a", "zone": "1"}));
        assert_eq!(found.tolerations, json!([two, one]));
        assert_eq!(found.runtime_class_name.as_deref(), Some("nvidia"));
        assert_eq!(found.resources, Value::Null);
        assert_eq!(files(sizes.iter()), "16Gi");
        assert_eq!(of(&sizes[..0]).unwrap(), SizedInputs::default());
    }

    #[test]
    fn sizes_for_different_nodes_are_named_with_their_steps() {
        let tail = ". All steps run in one pod: give their components sizes for the same nodes";
        let pools = [
            sized(json!({"pool": "a"}), Value::Null, None, "1Gi"),
            sized(Value::Null, Value::Null, None, "1Gi"),
            sized(json!({"pool": "b"}), Value::Null, None, "1Gi"),
        ];
        let message = "step a has size s, for nodes pool=a; step c has size u, for nodes pool=b";
        assert_eq!(of(&pools).unwrap_err(), format!("{message}{tail}"));
        let classes = [
            sized(Value::Null, Value::Null, Some("nvidia"), "1Gi"),
            sized(Value::Null, Value::Null, Some("gvisor"), "1Gi"),
        ];
        let message = "step a has size s, for nodes of runtime class nvidia; step b has size t, for nodes of runtime \
                       class gvisor";
        assert_eq!(of(&classes).unwrap_err(), format!("{message}{tail}"));
    }
}
