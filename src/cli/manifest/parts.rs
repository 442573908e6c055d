//! The documents of a text and the text between them, without the loss of a byte.
//!
//! Texts are split here and not by the parser of YAML, so that an error can name its document. A
//! line that begins with `---` always ends a document.

/// A part of a text.
pub struct Part<'a> {
    /// The number of the document, from 1; none for a separator, and for a text of comments.
    pub number: Option<usize>,
    /// The number of lines above it.
    pub line: usize,
    /// Its text.
    pub text: &'a str,
}

/// The parts of a text.
#[must_use]
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut at, mut first, mut number) = (0, 0, 0, 1);
    let document = |text, line, number| Part { number: Some(number).filter(|_| !is_empty(text)), line, text };
    for (line, whole) in text.split_inclusive('\n').enumerate() {
        let bare = whole.trim_end_matches(['\n', '\r']);
        if bare == "---" || bare.starts_with("--- ") || bare.starts_with("---\t") {
            let before = &text[start..at];
            parts.push(document(before, first, number));
            // Text above the first separator is a document only if it has content.
            number += usize::from(start > 0 || !is_empty(before));
            parts.push(Part { number: None, line, text: whole });
            (start, first) = (at + whole.len(), line + 1);
        }
        at += whole.len();
    }
    parts.push(document(&text[start..], first, number));
    parts
}

/// Whether a text has only comments.
fn is_empty(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_numbered_as_when_they_are_read() {
        let numbers = |text: &str| {
            let parts = parts(text);
            assert_eq!(parts.iter().map(|part| part.text).collect::<String>(), text);
            parts.iter().filter_map(|part| part.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers("a: 1\n"), [1]);
        assert_eq!(numbers("---\r\na: 1\n---\nb: 2"), [1, 2]);
        // An empty document has a number, but the one above the first separator.
        assert_eq!(numbers("---\n---\na: 1\n"), [2]);
        assert_eq!(numbers("# head\n---\na: 1\n---\n# nothing\n---\nb: |\n  --- x\n"), [1, 3]);
    }
}
