//! Objects as YAML, with the identity of an object first and the rest by the
//! alphabet: the same object always gives the same text.

mod hidden;

use hidden::Hidden;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

/// The keys that stand before the others, in this order.
const FIRST: [&str; 7] = ["apiVersion", "kind", "metadata", "name", "namespace", "type", "description"];

/// The value as YAML, ended by a line break.
#[must_use]
pub fn yaml(value: &Value) -> String {
    let Some(texts) = Hidden::in_value(value) else { return plain(value) };
    texts.put_back(&plain(&texts.marked(value)))
}

/// The same, with every character as it is but control characters.
fn plain(value: &Value) -> String {
    // Long lines are not folded, so that they can be searched.
    let blocks = fit_blocks(value);
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX, prefer_block_scalars: blocks };
    let mut text = serde_saphyr::to_string_with_options(&Ordered(value), options)
        // JSON is YAML: it is the fallback for a value that the writer cannot write.
        .unwrap_or_else(|_| value.to_string());
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Whether every text of several lines reads back the same from a block. Where a block
/// begins with space, has a line of nothing else, has tabs, or what looks like the end of
/// a document, readers differ.
fn fit_blocks(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().all(fit_blocks),
        Value::Array(items) => items.iter().all(fit_blocks),
        Value::String(text) if text.contains('\n') => {
            let is_blank = |line: &str| !line.is_empty() && line.trim().is_empty();
            let is_odd = |line: &str| is_blank(line) || line.starts_with("---") || line.starts_with("...");
            !text.starts_with(char::is_whitespace) && !text.contains('\t') && !text.split('\n').any(is_odd)
        }
        _ => true,
    }
}

/// The value as a generated file of the source tree.
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
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::json;

    use super::*;
    use crate::api::text::is_hidden;

    #[test]
    fn what_names_an_object_stands_first() {
        let object = json!({"spec": {"b": 1, "a": []}, "metadata": {"labels": {}, "name": "x"}, "kind": "A", "apiVersion": "v1"});
        assert_eq!(
            yaml(&object),
            "apiVersion: v1\nkind: A\nmetadata:\n  name: x\n  labels: {}\nspec:\n  a: []\n  b: 1\n"
        );
    }

    #[test]
    fn invisible_characters_are_escaped_and_read_back() {
        let object = json!({"a\u{202e}b": "exe.\u{202e}txt \"x\" \\", "lines": ["one\ntwo\u{200b}", "tag\u{e0041}"], "plain": "é"});
        let text = yaml(&object);
        assert_eq!(
            text,
            "\"a\\u202eb\": \"exe.\\u202etxt \\\"x\\\" \\\\\"\nlines:\n- \"one\\ntwo\\u200b\"\n- \"tag\\U000e0041\"\nplain: é\n"
        );
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), object);
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

    /// Texts of what is not harmless in YAML or on a screen, and of anything else.
    fn odd_text() -> BoxedStrategy<String> {
        let parts = [
            "\n",
            "\r",
            "\r\n",
            "\t",
            " ",
            "---",
            "\n---\n",
            "\n...\n",
            "- ",
            ": ",
            " #",
            "{",
            "}",
            "[",
            "]",
            ",",
            "&a",
            "*a",
            "!",
            "|",
            ">",
            "%",
            "@",
            "\"",
            "'",
            "\\",
            "a",
            "yes",
            "0",
            "~",
            "é",
            "\0",
            "\u{1}",
            "\u{7}",
            "\u{1b}[2J",
            "\u{7f}",
            "\u{80}",
            "\u{85}",
            "\u{9f}",
            "\u{a0}",
            "\u{ad}",
            "\u{200b}",
            "\u{200e}",
            "\u{2028}",
            "\u{2029}",
            "\u{202e}",
            "\u{2066}",
            "\u{2069}",
            "\u{feff}",
            "\u{fffe}",
            "\u{ffff}",
            "\u{1f980}",
            "\u{e0001}",
        ];
        let of_parts = vec(select(parts.to_vec()), 0..8).prop_map(|parts| parts.concat());
        prop_oneof![4 => of_parts, 1 => any::<String>()].boxed()
    }

    /// Values as objects have them, with odd texts wherever there is a text.
    fn odd_value() -> BoxedStrategy<Value> {
        let leaf = prop_oneof![
            6 => odd_text().prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => any::<bool>().prop_map(Value::from),
            1 => Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map(odd_text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
        .boxed()
    }

    proptest! {
        #[test]
        fn every_value_is_read_back_as_it_was(data in odd_value()) {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data});
            let text = yaml(&object);
            prop_assert_eq!(&serde_saphyr::from_str::<Value>(&text).unwrap(), &object, "{}", text);
            // Nothing in a value ends its document, and invisible characters are escaped.
            let ends = text.lines().any(|line| line.starts_with("---") || line.starts_with("..."));
            prop_assert!(!ends, "{}", text);
            let raw = |c: char| is_hidden(c) && c != '\n' || matches!(c, '\u{fffe}' | '\u{ffff}');
            prop_assert!(!text.chars().any(raw), "{:?}", text);
        }
    }
}
