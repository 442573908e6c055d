//! Texts with invisible characters: they are written in double quotes and escaped, so
//! that a person sees them, and a program reads them back unchanged.
//!
//! The writer of YAML takes no wish for a single text. So a mark stands for each while
//! the rest is written, and is replaced afterwards.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::api::text::is_hidden;

/// The texts of a value that are to be escaped.
pub(super) struct Hidden {
    texts: Vec<String>,
    /// A mark that no text of the value contains.
    mark: String,
}

impl Hidden {
    /// Those of this value, if there are any.
    pub(super) fn in_value(value: &Value) -> Option<Self> {
        let mut texts = BTreeSet::new();
        collect(value, &mut texts);
        if texts.is_empty() {
            return None;
        }
        let all = value.to_string();
        let mut number = 0;
        let mark = loop {
            let mark = format!("Hidden{number}x");
            if !all.contains(&mark) {
                break mark;
            }
            number += 1;
        };
        Some(Self { texts: texts.into_iter().map(str::to_owned).collect(), mark })
    }

    /// The value with marks instead of these texts.
    pub(super) fn marked(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.marked_text(text)),
            Value::Array(items) => items.iter().map(|item| self.marked(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (self.marked_text(name), self.marked(value)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    fn marked_text(&self, text: &str) -> String {
        match self.texts.binary_search_by(|known| known.as_str().cmp(text)) {
            Ok(index) => format!("{}{index}x", self.mark),
            Err(_) => text.to_owned(),
        }
    }

    /// The written value with the texts instead of their marks.
    pub(super) fn put_back(&self, written: &str) -> String {
        let mut parts = written.split(self.mark.as_str());
        let mut all = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (index, rest) = part.split_once('x').unwrap_or((part, ""));
            let text = index.parse::<usize>().ok().and_then(|index| self.texts.get(index));
            all.push_str(&quoted(text.map_or("", String::as_str)));
            all.push_str(rest);
        }
        all
    }
}

fn collect<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    let mut look = |text: &'a str| {
        if text.contains(|c| is_hidden(c) && !matches!(c, '\n' | '\t')) {
            found.insert(text);
        }
    };
    match value {
        Value::String(text) => look(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => {
            fields.keys().for_each(|name| look(name));
            fields.values().for_each(|value| collect(value, found));
        }
        _ => {}
    }
}

/// The text as YAML has it in double quotes.
fn quoted(text: &str) -> String {
    let mut all = String::from('"');
    for c in text.chars() {
        let code = u32::from(c);
        // Writing into a text cannot fail.
        let _ = match c {
            '"' | '\\' => write!(all, "\\{c}"),
            '\n' => write!(all, "\\n"),
            '\r' => write!(all, "\\r"),
            '\t' => write!(all, "\\t"),
            c if is_hidden(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => match code {
                0..=0xffff => write!(all, "\\u{code:04x}"),
                _ => write!(all, "\\U{code:08x}"),
            },
            c => write!(all, "{c}"),
        };
    }
    all.push('"');
    all
}
