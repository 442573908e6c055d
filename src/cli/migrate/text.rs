//! Edits of a document's text that keep the comments, the order and the style of the rest.
//! [`super::draft`] checks each edit against the expected value: an edit of unsupported YAML
//! fails, and never makes a wrong manifest.

use std::ops::Range;

use serde_json::Value;

use super::tree::{Content, Node, Tree, steps};

/// A text with its parts.
pub struct Text {
    pub(super) text: String,
    pub(super) tree: Tree,
}

/// An entry that was removed from a mapping, to be added to another one.
pub struct Cut {
    /// Comment lines above it, and those within it that it cannot keep.
    above: Vec<String>,
    value: Piece,
    /// The comment after it, on the same line.
    right: Option<String>,
}

enum Piece {
    /// A scalar, or a value in braces or brackets.
    Inline(String),
    /// Lines without their common indentation.
    Block(Vec<String>),
}

/// A mapping, and the position of an entry in it.
struct Place<'a> {
    flow: bool,
    entries: &'a [(Node, Node)],
    index: usize,
    map: &'a Node,
}

impl Place<'_> {
    fn key(&self) -> &Node {
        &self.entries[self.index].0
    }

    fn value(&self) -> &Node {
        &self.entries[self.index].1
    }
}

impl Text {
    /// The text with its parts; none if it is not YAML.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Some(Self { tree: Tree::of(text)?, text: text.to_owned() })
    }

    /// Gives the entry at the pointer another key.
    #[must_use]
    pub fn rename(&self, pointer: &str, key: &str) -> Option<String> {
        let place = self.place(pointer)?;
        Some(self.with(place.key().start..place.key().end, &self.key(key)))
    }

    /// Replaces the scalar at the pointer.
    #[must_use]
    pub fn set(&self, pointer: &str, value: &Value) -> Option<String> {
        let node = self.tree.root.at(pointer)?;
        let empty = if node.start == node.end { " " } else { "" };
        (!node.is_block()).then(|| self.with(node.start..node.end, &format!("{empty}{}", self.inline(value))))
    }

    /// Replaces the list at the pointer, with an item on each line if it was written so; the
    /// comments in it stay above it.
    #[must_use]
    pub fn set_list(&self, pointer: &str, items: &[Vec<(String, Value)>]) -> Option<String> {
        let node = self.tree.root.at(pointer)?;
        let Content::List { flow, items: before } = &node.content else { return None };
        let lines: Vec<String> =
            items.iter().map(|entries| self.braces(entries.iter().map(|(key, value)| (key, value)))).collect();
        if *flow || items.is_empty() {
            let line = self.line_start(node.start);
            let comments = own_lines(&self.comments(&(node.start..node.end)), &self.column(line));
            let text = self.with(node.start..node.end, &format!("[{}]", lines.join(", ")));
            return Some(format!("{}{comments}{}", &text[..line], &text[line..]));
        }
        let first = before.first()?.start;
        let (start, end) = (self.line_start(first), self.line_end(node.end));
        let indent = self.column(start);
        let mut text = own_lines(&self.comments(&(start..end)), &indent);
        text.push_str(&lines.iter().map(|item| format!("{indent}- {item}")).collect::<Vec<_>>().join("\n"));
        (self.text[start..first].trim() == "-").then(|| self.with(start..end, &text))
    }

    /// Puts the entry at the pointer into a new mapping in its place.
    #[must_use]
    pub fn wrap(&self, pointer: &str, key: &str) -> Option<String> {
        let place = self.place(pointer)?;
        let (from, to) = (place.key().start, place.value().end);
        if !place.value().is_block() {
            return Some(self.with(from..to, &format!("{}: {{{}}}", self.key(key), &self.text[from..to])));
        }
        let indent = " ".repeat(from - self.line_start(from));
        let deeper = self.deeper(from, to)?;
        Some(self.with(from..to, &format!("{}:\n{indent}  {deeper}", self.key(key))))
    }

    /// Removes the entry at the pointer; comments in it stay.
    #[must_use]
    pub fn remove(&self, pointer: &str) -> Option<String> {
        let place = self.place(pointer)?;
        let region = self.region(&place);
        let indent = self.column(self.line_start(region.start));
        let comments = self.comments(&(place.key().start..region.end));
        let mut kept = own_lines(&comments, &indent);
        let rest = self.rest(&place, &region);
        if !self.begins_a_line(place.key()) {
            // The entry shares its line with a dash or a brace: its comments move above that line.
            let start = self.line_start(region.start);
            kept.push_str(&self.text[start..region.start]);
            kept.push_str(&rest);
            return Some(self.with(start..region.end, &kept));
        }
        kept.push_str(&rest);
        Some(self.with(region, &kept))
    }

    /// The text in place of the only entry of a block: `{}`, because without it the value would be null.
    fn rest(&self, place: &Place<'_>, region: &Range<usize>) -> String {
        if place.flow || place.entries.len() > 1 {
            return String::new();
        }
        let own_line = self.begins_a_line(place.key());
        let indent = if own_line { self.column(self.line_start(place.key().start)) } else { String::new() };
        let end = if self.text[..region.end].ends_with('\n') { "\n" } else { "" };
        format!("{indent}{{}}{end}")
    }

    /// Removes the entry at the pointer with its comments, and returns both the rest and the entry.
    #[must_use]
    pub fn cut(&self, pointer: &str) -> Option<(String, Cut)> {
        let place = self.place(pointer)?;
        let mut region = self.region(&place);
        let (key, value) = (place.key(), place.value());
        let mut above = Vec::new();
        if !place.flow && self.begins_a_line(key) {
            let (start, comments) = self.comments_above(key);
            (region.start, above) = (start, comments);
        }
        let cut = if value.is_block() {
            let first = self.line_end(key.end) + 1;
            let right = self.comments(&(key.end..first)).pop();
            let column = value.start - self.line_start(value.start);
            let lines = shifted(&format!("\n{}", self.text.get(first..self.line_end(value.end))?), column, "");
            Cut { above, value: Piece::Block(lines.lines().skip(1).map(str::to_owned).collect()), right }
        } else {
            let right = self.comments(&(value.end..region.end.max(value.end))).pop().filter(|_| !place.flow);
            above.extend(if place.flow { self.comments(&region) } else { self.comments(&(key.end..value.start)) });
            let column = key.start - self.line_start(key.start);
            Cut { above, value: Piece::Inline(shifted(&self.text[value.start..value.end], column, "")), right }
        };
        let rest = self.rest(&place, &region);
        Some((self.with(region, &rest), cut))
    }

    /// Adds an entry with this value to the mapping at the pointer.
    #[must_use]
    pub fn put(&self, pointer: &str, key: &str, cut: Cut, value: &Value) -> Option<String> {
        let map = if pointer.is_empty() { &self.tree.root } else { self.tree.root.at(pointer)? };
        let Content::Map { flow, entries } = &map.content else { return None };
        match (entries.last(), &cut.value) {
            (Some((last, end)), _) if !flow => {
                let indent = " ".repeat(entries[0].0.start - self.line_start(entries[0].0.start));
                let at = self.line_end(end.end.max(last.end));
                let lines = cut.lines(&self.key(key), &indent);
                Some(self.with(at..at, &format!("\n{}", lines.trim_end_matches('\n'))))
            }
            (None, Piece::Block(_)) if self.place(pointer).is_some_and(|place| !place.flow) => {
                let parent = self.place(pointer)?;
                let column = parent.key().start - self.line_start(parent.key().start);
                let lines = cut.lines(&self.key(key), &" ".repeat(column + 2));
                let colon = self.text[..map.start].trim_end().len();
                let rest = self.text[map.end..self.line_end(map.end)].trim_end();
                let whole = format!("{rest}\n{}", lines.trim_end_matches('\n'));
                Some(self.with(colon..self.line_end(map.end), &whole))
            }
            _ => Some(self.put_in_braces(map, entries, key, cut, value)),
        }
    }

    /// Adds an entry to a mapping in braces; its comments move above the line.
    fn put_in_braces(&self, map: &Node, entries: &[(Node, Node)], key: &str, cut: Cut, value: &Value) -> String {
        let Cut { mut above, value: piece, right } = cut;
        let column = self.column(self.line_start(map.start));
        let inline = match piece {
            Piece::Inline(text) => shifted(&text, 0, &column),
            Piece::Block(lines) => {
                let text = lines.join("\n");
                let comments = Tree::of(&text).map(|tree| tree.comments).unwrap_or_default();
                above.extend(comments.into_iter().map(|comment| text[comment].to_owned()));
                self.inline(value)
            }
        };
        above.extend(right);
        let entry = format!("{}: {inline}", self.key(key));
        let text = match entries.last() {
            None => self.with(map.start..map.end, &format!("{{{entry}}}")),
            Some((name, last)) => {
                let own_line = self.begins_a_line(name);
                let column = self.column(self.line_start(name.start));
                let between = if own_line { format!(",\n{column}") } else { ", ".to_owned() };
                self.with(last.end..last.end, &format!("{between}{entry}"))
            }
        };
        let line = self.line_start(map.start);
        let comments = own_lines(&above, &column);
        format!("{}{comments}{}", &text[..line], &text[line..])
    }

    /// The entry at the pointer.
    fn place(&self, pointer: &str) -> Option<Place<'_>> {
        let (parent, _) = pointer.rsplit_once('/')?;
        let key = steps(pointer).last()?;
        let map = if parent.is_empty() { &self.tree.root } else { self.tree.root.at(parent)? };
        let Content::Map { flow, entries } = &map.content else { return None };
        let (index, _, value) = map.entry(&key)?;
        (!matches!(value.content, Content::Alias)).then_some(Place { flow: *flow, entries, index, map })
    }

    /// The text that is removed with an entry: whole lines if nothing else is on them.
    fn region(&self, place: &Place<'_>) -> Range<usize> {
        let (key, value) = (place.key(), place.value());
        let next = place.entries.get(place.index + 1).map(|(key, _)| key.start);
        let before = place.index.checked_sub(1).map(|index| place.entries[index].1.end);
        match (place.flow, next, before) {
            (true, Some(next), _) => key.start..next,
            (true, None, Some(before)) => before..value.end,
            (true, None, None) => place.map.start + 1..place.map.end - 1,
            (false, Some(next), _) if !self.begins_a_line(key) => key.start..next,
            (false, None, _) if !self.begins_a_line(key) => key.start..value.end,
            _ => self.line_start(key.start)..(self.line_end(value.end) + 1).min(self.text.len()),
        }
    }

    /// The comment lines directly above a key, with the same indentation.
    fn comments_above(&self, key: &Node) -> (usize, Vec<String>) {
        let mut start = self.line_start(key.start);
        let indent = &self.text[start..key.start];
        let mut lines = Vec::new();
        while start > 0 {
            let above = self.line_start(start - 1);
            let line = &self.text[above..start - 1];
            if !line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('#')) {
                break;
            }
            lines.insert(0, line.trim().to_owned());
            start = above;
        }
        (start, lines)
    }

    fn comments(&self, range: &Range<usize>) -> Vec<String> {
        let within = self.tree.comments.iter().filter(|comment| range.contains(&comment.start));
        within.map(|comment| self.text[comment.clone()].trim_end().to_owned()).collect()
    }

    fn with(&self, range: Range<usize>, text: &str) -> String {
        format!("{}{text}{}", &self.text[..range.start], &self.text[range.end..])
    }

    pub(super) fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |end| at + end)
    }

    /// The spaces at the beginning of a line.
    fn column(&self, line: usize) -> String {
        self.text[line..].chars().take_while(|c| *c == ' ').collect()
    }

    fn begins_a_line(&self, node: &Node) -> bool {
        self.text[self.line_start(node.start)..node.start].trim().is_empty()
    }

    /// Whether the document is JSON, where each key and text has quotes.
    fn is_json(&self) -> bool {
        let Content::Map { flow: true, entries } = &self.tree.root.content else { return false };
        entries.first().is_some_and(|(key, _)| self.text[key.start..].starts_with('"'))
    }

    pub(super) fn key(&self, key: &str) -> String {
        self.inline(&Value::from(key))
    }

    /// A value on one line.
    pub(super) fn inline(&self, value: &Value) -> String {
        if self.is_json() {
            return value.to_string();
        }
        match value {
            Value::String(text) if is_plain(text) => text.clone(),
            Value::Array(items) => format!("[{}]", self.joined(items.iter().map(|item| self.inline(item)))),
            Value::Object(fields) => self.braces(fields.iter()),
            _ => value.to_string(),
        }
    }

    /// A mapping on one line, with its entries in this order.
    fn braces<'a>(&self, fields: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
        let entry = |(key, value): (&String, &Value)| format!("{}: {}", self.key(key), self.inline(value));
        format!("{{{}}}", self.joined(fields.map(entry)))
    }

    #[expect(clippy::unused_self, reason = "it belongs to `inline`")]
    fn joined(&self, parts: impl Iterator<Item = String>) -> String {
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// Comments, each on a line of its own.
fn own_lines(comments: &[String], indent: &str) -> String {
    comments.iter().fold(String::new(), |text, comment| text + indent + comment + "\n")
}

/// The text with another indentation of every line but the first.
fn shifted(text: &str, less: usize, more: &str) -> String {
    let mut lines = text.split('\n');
    let mut moved = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let blank = line.len() - line.trim_start_matches(' ').len();
        moved.push('\n');
        moved.push_str(more);
        moved.push_str(&line[blank.min(less)..]);
    }
    moved
}

/// Whether a text needs no quotes, not even in braces.
fn is_plain(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "./-_".contains(c);
    let read = serde_saphyr::from_str::<Value>(text);
    text.chars().all(known)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && matches!(read, Ok(Value::String(_)))
}

impl Cut {
    /// A new entry, without comments.
    #[must_use]
    pub const fn new(inline: String) -> Self {
        Self { above: Vec::new(), value: Piece::Inline(inline), right: None }
    }

    /// The lines of the entry in a mapping with this indentation.
    fn lines(&self, key: &str, indent: &str) -> String {
        let right = self.right.as_ref().map_or_else(String::new, |comment| format!("  {comment}"));
        let mut lines: Vec<String> = self.above.iter().map(|comment| format!("{indent}{comment}")).collect();
        match &self.value {
            Piece::Inline(text) if text.is_empty() => lines.push(format!("{indent}{key}:{right}")),
            Piece::Inline(text) => lines.push(format!("{indent}{key}: {}{right}", shifted(text, 0, indent))),
            Piece::Block(block) => {
                lines.push(format!("{indent}{key}:{right}"));
                let deeper = |line: &String| if line.is_empty() { String::new() } else { format!("{indent}  {line}") };
                lines.extend(block.iter().map(deeper));
            }
        }
        lines.join("\n")
    }
}

impl Text {
    /// A new entry with this value.
    #[must_use]
    pub fn new_entry(&self, value: &Value) -> Cut {
        Cut::new(self.inline(value))
    }
}
