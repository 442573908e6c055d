//! Edits of a document's text that turn mappings into lists.

use std::ops::Range;

use serde_json::Value;

use super::text::Text;
use super::tree::{Content, Node};

/// Texts to put in places of others, in order.
type Edits = Vec<(Range<usize>, String)>;

impl Text {
    /// The keys of the mapping at the pointer, in the order of the text.
    #[must_use]
    pub fn keys(&self, pointer: &str) -> Option<Vec<String>> {
        let Content::Map { entries, .. } = &self.tree.root.at(pointer)?.content else { return None };
        entries.iter().map(|(key, _)| scalar(key)).collect()
    }

    /// Turns the mapping at the pointer into a list: each key stands under `name` in its
    /// item, and each value is the item itself, or stands in it under `inner`.
    #[must_use]
    pub fn list(&self, pointer: &str, name: &str, inner: Option<&str>) -> Option<String> {
        let map = self.tree.root.at(pointer)?;
        let Content::Map { flow, entries } = &map.content else { return None };
        let mut edits = Edits::new();
        if *flow {
            edits.push((map.start..map.start + 1, "[".to_owned()));
        }
        for (key, value) in entries {
            let begin = format!("{}: {}", self.key(name), self.inline(&Value::from(scalar(key)?)));
            if value.is_block() {
                edits.extend(self.block_item(key, value, &begin, inner)?);
            } else {
                let dash = if *flow { "" } else { "- " };
                edits.extend(self.inline_item(key, value, &format!("{dash}{{{begin}"), inner)?);
            }
        }
        if *flow {
            edits.push((map.end - 1..map.end, "]".to_owned()));
        }
        self.edited(edits)
    }

    /// Puts each item of the list at the pointer, a scalar, into a mapping under `key`.
    #[must_use]
    pub fn items_in(&self, pointer: &str, key: &str) -> Option<String> {
        let Content::List { items, .. } = &self.tree.root.at(pointer)?.content else { return None };
        let edit = |item: &Node| {
            let written = &self.text[item.start..item.end];
            scalar(item).map(|_| (item.start..item.end, format!("{{{}: {written}}}", self.key(key))))
        };
        self.edited(items.iter().map(edit).collect::<Option<_>>()?)
    }

    /// The text of an entry with more indentation of all lines but the first.
    pub(super) fn deeper(&self, from: usize, to: usize) -> Option<String> {
        let deeper = |line: &str| if line.trim().is_empty() { line.to_owned() } else { format!("  {line}") };
        let mut lines = self.text.get(from..to)?.split('\n');
        let first = lines.next().unwrap_or_default().to_owned();
        Some(lines.fold(first, |text, line| text + "\n" + &deeper(line)))
    }

    /// An item with a value on lines of its own.
    fn block_item(&self, key: &Node, value: &Node, begin: &str, inner: Option<&str>) -> Option<Edits> {
        let column = |at: usize| at - self.line_start(at);
        let colon = key.end + self.text.get(key.end..value.start)?.find(':')? + 1;
        if let Some(inner) = inner {
            let indent = " ".repeat(column(key.start));
            let deeper = self.deeper(colon, value.end)?;
            let text = format!("- {begin}\n{indent}  {}:{deeper}", self.key(inner));
            return Some(vec![(key.start..value.end, text)]);
        }
        let between = " ".repeat(column(value.start).checked_sub(column(key.start) + 1)?);
        Some(vec![(key.start..colon, format!("-{between}{begin}"))])
    }

    /// An item in braces; its value is null, in braces or brackets, or a scalar.
    fn inline_item(&self, key: &Node, value: &Node, begin: &str, inner: Option<&str>) -> Option<Edits> {
        // A comment between the key and its value would be lost.
        if self.text.get(key.end..value.start)?.contains('#') {
            return None;
        }
        if let Some(inner) = inner {
            let begin = format!("{begin}, {}: ", self.key(inner));
            return Some(vec![(key.start..value.start, begin), (value.end..value.end, "}".to_owned())]);
        }
        match &value.content {
            Content::Map { flow: true, entries } => {
                let comma = if entries.is_empty() { "" } else { ", " };
                Some(vec![(key.start..value.start + 1, format!("{begin}{comma}"))])
            }
            Content::Scalar(_) => Some(vec![(key.start..value.end, format!("{begin}}}"))]),
            _ => None,
        }
    }

    /// The text with the edits; none if they are not in order.
    fn edited(&self, edits: Edits) -> Option<String> {
        let (mut text, mut at) = (String::new(), 0);
        for (range, new) in edits {
            text.push_str(self.text.get(at..range.start)?);
            text.push_str(&new);
            at = range.end;
        }
        Some(text + self.text.get(at..)?)
    }
}

fn scalar(node: &Node) -> Option<String> {
    match &node.content {
        Content::Scalar(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str, inner: Option<&str>) -> String {
        Text::of(text).unwrap().list("/a", "name", inner).unwrap()
    }

    #[test]
    fn the_entries_of_a_mapping_become_items_with_their_comments() {
        let before =
            "a:\n  # first\n  b:  # one\n    c: 1\n    # two\n    d: {e: 2}\n  f: {g: 3}  # three\n  h:\ni: 4\n";
        let after = "a:\n  # first\n  - name: b  # one\n    c: 1\n    # two\n    d: {e: 2}\n  - {name: f, g: 3}  # three\n  - {name: h}\ni: 4\n";
        assert_eq!(list(before, None), after);
        assert_eq!(list("a:\n    b:\n        c: 1\n", None), "a:\n    -   name: b\n        c: 1\n");
        assert_eq!(list("a: {b: {c: 1}, d: {}}", None), "a: [{name: b, c: 1}, {name: d}]");
        assert_eq!(list("a: {}", None), "a: []");
        assert_eq!(list("{\"a\": {\"b\": {\"c\": 1}}}", None), "{\"a\": [{\"name\": \"b\", \"c\": 1}]}");
    }

    #[test]
    fn their_values_can_stand_in_the_items() {
        let before = "a:\n  # first\n  b: [c, d]  # one\n  e:\n  - f\n  g:  # two\n    h: 1\n\n    # three\n    i: |\n      x\nj: 2\n";
        let after = "a:\n  # first\n  - {name: b, in: [c, d]}  # one\n  - name: e\n    in:\n    - f\n  - name: g\n    in:  # two\n      h: 1\n\n      # three\n      i: |\n        x\nj: 2\n";
        assert_eq!(list(before, Some("in")), after);
        assert_eq!(list("a: {b: [c], d: e}", Some("in")), "a: [{name: b, in: [c]}, {name: d, in: e}]");
    }

    #[test]
    fn scalars_of_a_list_become_mappings() {
        let items = |text: &str| Text::of(text).unwrap().items_in("/a", "b");
        assert_eq!(items("a: [1, \"x:y\"]  # c").unwrap(), "a: [{b: 1}, {b: \"x:y\"}]  # c");
        assert_eq!(items("a:\n- 1  # c\n- 2\n").unwrap(), "a:\n- {b: 1}  # c\n- {b: 2}\n");
        assert_eq!(items("a: [{c: 1}]"), None);
    }
}
