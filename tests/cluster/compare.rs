//! Comparing what is with what should be.

use serde_json::Value;

/// Where `live` lacks something of `wanted`, or holds something else; lists are
/// compared item by item.
pub fn lacking(wanted: &Value, live: &Value) -> Option<String> {
    match (wanted, live) {
        (Value::Null, _) => None,
        (Value::Object(fields), Value::Object(_)) => {
            fields.iter().find_map(|(name, field)| lacking(field, &live[name]).map(|place| format!(".{name}{place}")))
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => items
            .iter()
            .zip(others)
            .enumerate()
            .find_map(|(index, (item, other))| lacking(item, other).map(|place| format!("[{index}]{place}"))),
        _ if wanted == live => None,
        _ => Some(format!(": {wanted} is wanted, and it is {live}")),
    }
}

#[test]
fn says_what_is_lacking() {
    use serde_json::json;
    let live = json!({"a": [{"b": 1}], "c": 2});
    assert_eq!(lacking(&json!({"a": [{"b": 1}]}), &live), None);
    let said = lacking(&json!({"a": [{"b": 2}]}), &live).unwrap();
    assert_eq!(said, ".a[0].b: 2 is wanted, and it is 1");
}
