//! What a status says.

use serde_json::Value;

/// The condition of this type, or null.
pub fn condition<'a>(object: &'a Value, type_: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == type_).unwrap_or(&Value::Null)
}

/// Whether the condition has this status and reason, and its message says all of these.
pub fn says(object: &Value, type_: &str, status: &str, reason: &str, words: &[&str]) -> bool {
    let condition = condition(object, type_);
    let message = condition["message"].as_str().unwrap_or_default();
    is_observed(object)
        && condition["status"] == status
        && condition["reason"] == reason
        && words.iter().all(|word| message.contains(word))
}

/// Whether the status speaks of the object's present generation.
pub fn is_observed(object: &Value) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
}
