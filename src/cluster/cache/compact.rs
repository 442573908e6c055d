//! Compact forms of what is kept as long as its object exists.
//!
//! A value takes five times the memory of its text. Values that are rarely read are kept
//! as text, and parsed when they are read. Pure.

use serde_json::{Map, Value, json};

use super::added::{additions, difference};
use super::fingerprint::{holds, owned_fields};
use super::text::Text;
use crate::api::kinds::{WriteStrategy, clearing};
use crate::api::labels;

/// A value as text.
#[must_use]
pub fn text(value: &Value) -> Text {
    Text::Plain(value.to_string().into())
}

/// The part of an object that [`holds`] reads: without its state, and without the managed
/// fields of others.
#[must_use]
pub fn applied_part(object: &Value) -> Value {
    let mut part = without(object, &["status", "metadata"]);
    let mut metadata = without(&object["metadata"], &["managedFields"]);
    let own = json!({"manager": labels::FIELD_MANAGER, "operation": "Apply", "fieldsV1": owned_fields(object)});
    metadata.insert("managedFields".to_owned(), json!([own]));
    part.insert("metadata".to_owned(), metadata.into());
    part.into()
}

fn without(object: &Value, names: &[&str]) -> Map<String, Value> {
    let fields = object.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| !names.contains(&name.as_str()));
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether the object of this text holds the intent, as [`holds`] says, and, if additions
/// are removed, has none.
#[must_use]
pub fn holds_as_text(live: &Text, intent: &Value, write_strategy: WriteStrategy) -> bool {
    let clearing = clearing::of(write_strategy, intent);
    let has_additions = |live: &Value| clearing.is_some_and(|clearing| !additions(live, intent, clearing).is_empty());
    serde_json::from_str(&live.read()).is_ok_and(|live| holds(&live, intent) && !has_additions(&live))
}

/// The first field in which the object that was kept as this text is not as intended.
#[must_use]
pub fn difference_as_text(live: &Text, intent: &Value, write_strategy: WriteStrategy) -> Option<String> {
    difference(&serde_json::from_str(&live.read()).ok()?, intent, clearing::of(write_strategy, intent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_applied_object_tells_the_same() {
        let intent = |image: &str| json!({"metadata": {"name": "d"}, "spec": {"image": image}});
        let live = json!({
            "metadata": {"name": "d", "uid": "u", "managedFields": [
                {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": labels::FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:image": {}}}},
                {"manager": labels::FIELD_MANAGER, "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}},
            ]},
            "spec": {"image": "i", "replicas": 3},
            "status": {"conditions": [{"type": "Available", "message": "long ".repeat(100)}]},
        });
        let kept = text(&applied_part(&live));
        for image in ["i", "j"] {
            assert_eq!(
                holds_as_text(&kept, &intent(image), WriteStrategy::Apply),
                holds(&live, &intent(image)),
                "{image}"
            );
        }
        assert!(holds_as_text(&kept, &intent("i"), WriteStrategy::Apply));
        let kept = kept.read();
        assert!(kept.len() < 300, "{kept}");
    }
}
