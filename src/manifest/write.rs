//! Objects as YAML, with what names an object first and the rest by the
//! alphabet: the same object always gives the same text.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

/// The keys that stand before the others, in this order.
const FIRST: [&str; 7] = ["apiVersion", "kind", "metadata", "name", "namespace", "type", "description"];

/// The value as YAML, ended by a line break.
#[must_use]
pub fn yaml(value: &Value) -> String {
    // Long lines are left whole: folding them helps nobody who searches.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let mut text = serde_saphyr::to_string_with_options(&Ordered(value), options)
        // JSON is YAML: what the writer should not know how to write is still written.
        .unwrap_or_else(|_| value.to_string());
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The value as a file of the source tree that nobody writes by hand.
#[must_use]
pub fn generated(value: &Value) -> String {
    format!("# Generated from src/api by `cargo xtask generate`; do not edit.\n{}", yaml(value))
}

/// A value that is written in the order of [`FIRST`].
struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                let first = FIRST.iter().filter_map(|name| fields.get_key_value(*name));
                let rest = fields.iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
                for (name, value) in first.chain(rest) {
                    map.serialize_entry(name, &Ordered(value))?;
                }
                map.end()
            }
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Ordered(item))?;
                }
                list.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_names_an_object_stands_first() {
        let object = json!({"spec": {"b": 1, "a": []}, "metadata": {"labels": {}, "name": "x"}, "kind": "A", "apiVersion": "v1"});
        assert_eq!(
            yaml(&object),
            "apiVersion: v1\nkind: A\nmetadata:\n  name: x\n  labels: {}\nspec:\n  a: []\n  b: 1\n"
        );
    }

    #[test]
    fn every_text_survives() {
        let long = "word ".repeat(60);
        let texts = [
            "",
            " ",
            "yes",
            "no",
            "on",
            "y",
            "null",
            "~",
            "1",
            "1.0",
            "0x1f",
            "1e3",
            "12:30",
            "2026-11-22",
            "a: b",
            "#x",
            "- a",
            "*",
            "&a",
            "!x",
            "%x",
            "@x",
            "`x",
            "'",
            "\"",
            "a\nb",
            "a\n",
            "\n",
            "a\n\n",
            " a\nb",
            "a \nb",
            "\ta",
            "a\tb",
            "{}",
            "[]",
            "é",
            "${x}",
            "=",
            "<<",
            "1_000",
            "0o7",
            "07",
            ".5",
            "true",
            "True",
            "|",
            ">",
            "? a",
            "a #b",
            "a:",
            "-",
            "---",
            "...",
            "\u{7f}",
            "\u{2028}",
            "🦀",
            long.as_str(),
        ];
        let value: Value = texts.iter().map(|text| json!({*text: *text, "x": [*text, [*text]]})).collect();
        let text = yaml(&value);
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), value, "{text}");
    }
}
