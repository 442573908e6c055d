//! A YAML document with the position of each of its parts in the text.
//!
//! This file has only the positions that edits of the text need; values come from
//! `serde_saphyr`, which uses the same parser.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

/// The deepest nesting that is read, the same as in `render`.
const DEEPEST: usize = 100;

/// One value and its position.
#[derive(Debug)]
pub struct Node {
    /// The position of its first character.
    pub start: usize,
    /// The position after its last character; a comment after the value is not part of it.
    pub end: usize,
    /// Its content.
    pub content: Content,
}

/// The content of a value, as far as edits need it.
#[derive(Debug)]
pub enum Content {
    /// A scalar, with its text.
    Scalar(String),
    /// A mapping.
    Map {
        /// Whether it is written in braces.
        flow: bool,
        /// Keys and values.
        entries: Vec<(Node, Node)>,
    },
    /// A sequence.
    List {
        /// Whether it is written in brackets.
        flow: bool,
        /// Its items.
        items: Vec<Node>,
    },
    /// A reference to a value elsewhere in the document.
    Alias,
}

impl Node {
    /// The entry of a mapping.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<(usize, &Node, &Node)> {
        let Content::Map { entries, .. } = &self.content else { return None };
        let is = |name: &Node| matches!(&name.content, Content::Scalar(text) if text == key);
        let found = entries.iter().enumerate().find(|(_, (name, _))| is(name));
        found.map(|(index, (name, value))| (index, name, value))
    }

    /// The part at a JSON pointer.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Node> {
        steps(pointer).try_fold(self, |node, step| match &node.content {
            Content::Map { .. } => Some(node.entry(&step)?.2),
            Content::List { items, .. } => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Whether it is a mapping or a sequence without braces or brackets.
    #[must_use]
    pub const fn is_block(&self) -> bool {
        matches!(self.content, Content::Map { flow: false, .. } | Content::List { flow: false, .. })
    }
}

/// The steps of a JSON pointer.
pub fn steps(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

/// A document with the positions of its parts.
#[derive(Debug)]
pub struct Tree {
    /// Its value.
    pub root: Node,
    /// Its comments, each from its `#` to the end of its line.
    pub comments: Vec<Range<usize>>,
}

impl Tree {
    /// The parts of a text with one document; none if it is not YAML, or has no content.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let mut reader = Reader { text, parser: Parser::new_from_str(text), comments: Vec::new() };
        while let Some((event, span)) = reader.next() {
            if let Some(root) = reader.node(event, &span, 0, 0) {
                // Comments may follow.
                while reader.next().is_some() {}
                return Some(Self { root, comments: reader.comments });
            }
        }
        None
    }
}

struct Reader<'a, 'b> {
    text: &'a str,
    parser: Parser<'b, granit_parser::StrInput<'b>>,
    comments: Vec<Range<usize>>,
}

impl<'b> Reader<'_, 'b> {
    /// The next event that is not a comment.
    fn next(&mut self) -> Option<(Event<'b>, Span)> {
        loop {
            let (event, span) = self.parser.next_event()?.ok()?;
            if !matches!(event, Event::Comment(..)) {
                return Some((event, span));
            }
            self.comments.push(span.byte_range()?);
        }
    }

    /// The value that begins with this event. `after` is the position of an empty value.
    fn node(&mut self, event: Event<'b>, span: &Span, after: usize, depth: usize) -> Option<Node> {
        if depth > DEEPEST {
            return None;
        }
        let Range { start, end } = span.byte_range()?;
        match event {
            Event::Alias(_) => Some(Node { start, end, content: Content::Alias }),
            Event::Scalar(text, style, ..) => {
                let written = self.text.get(start..end)?.trim_end().len();
                let (start, end) = match style {
                    // The span of a block of text does not include its `|` or `>`.
                    ScalarStyle::Literal | ScalarStyle::Folded => {
                        (self.text[..start].rfind(['|', '>'])?, start + written)
                    }
                    _ if start == end => (after, after),
                    _ => (start, start + written),
                };
                Some(Node { start, end, content: Content::Scalar(text.into_owned()) })
            }
            Event::SequenceStart(style, ..) => self.list(start, style == StructureStyle::Flow, depth),
            Event::MappingStart(style, ..) => self.map(start, style == StructureStyle::Flow, depth),
            _ => None,
        }
    }

    fn list(&mut self, start: usize, flow: bool, depth: usize) -> Option<Node> {
        let (mut items, mut last) = (Vec::new(), start);
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let end = if flow { span.end.byte_offset()? } else { last };
                return Some(Node { start, end, content: Content::List { flow, items } });
            }
            // The position of an item without content is directly after its dash.
            let dash = span.start.byte_offset()?;
            let item = self.node(event, &span, dash, depth + 1)?;
            last = item.end;
            items.push(item);
        }
    }

    fn map(&mut self, start: usize, flow: bool, depth: usize) -> Option<Node> {
        let (mut entries, mut last): (Vec<(Node, Node)>, usize) = (Vec::new(), start);
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let end = if flow { span.end.byte_offset()? } else { last };
                let start = if flow { start } else { entries.first().map_or(start, |(key, _)| key.start) };
                return Some(Node { start, end, content: Content::Map { flow, entries } });
            }
            let key = self.node(event, &span, last, depth + 1)?;
            let colon = self.text.get(key.end..)?.find(':').map_or(key.end, |colon| key.end + colon + 1);
            let (event, span) = self.next()?;
            let value = self.node(event, &span, colon, depth + 1)?;
            last = value.end;
            entries.push((key, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of<'a>(text: &'a str, pointer: &str) -> &'a str {
        let tree = Tree::of(text).unwrap();
        let node = tree.root.at(pointer).unwrap();
        &text[node.start..node.end]
    }

    #[test]
    fn each_part_has_its_place() {
        let text = "# a\nspec:\n  a: {b: 'c', d: [1, ü]}  # e\n  # f\n  g:\n  - h: |\n      x\n\n    i:\n  - j\n";
        for (pointer, expected) in [
            ("/spec/a", "{b: 'c', d: [1, ü]}"),
            ("/spec/a/b", "'c'"),
            ("/spec/a/d/1", "ü"),
            ("/spec/g", "h: |\n      x\n\n    i:\n  - j"),
            ("/spec/g/0/h", "|\n      x"),
            ("/spec/g/0/i", ""),
            ("/spec/g/1", "j"),
        ] {
            let found = text_of(text, pointer);
            assert!(found.ends_with(expected), "{pointer}: {found}");
        }
        let tree = Tree::of(text).unwrap();
        assert_eq!(
            tree.comments.iter().map(|comment| &text[comment.clone()]).collect::<Vec<_>>(),
            ["# a", "# e", "# f"]
        );
    }

    #[test]
    fn what_is_no_document_has_no_parts() {
        for text in ["", "# a\n", "a: [", &"[".repeat(300)] {
            assert!(Tree::of(text).is_none(), "{text}");
        }
    }
}
