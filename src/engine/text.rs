//! Where the expressions in a string begin and end. It cuts; what an expression
//! means is [`super::expression`]'s.

use super::Fault;

/// Whether anything in the string is an expression, or an escaped one: what its
/// value will be is then not known before it is rendered.
#[must_use]
pub fn has_expression(text: &str) -> bool {
    text.contains("${")
}

/// A part of a string.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Text, with `${` where it was escaped.
    Literal(String),
    /// The source of an expression.
    Expression(&'a str),
}

/// Cuts a string into text and expressions.
pub(super) fn split(text: &str) -> Result<Vec<Part<'_>>, Fault> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        literal.push_str(&rest[..dollar]);
        rest = &rest[dollar..];
        if let Some(after) = rest.strip_prefix("$${") {
            literal.push_str("${");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("${") {
            let end = closing_brace(after).ok_or_else(|| Fault::here("`${` without its `}`"))?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Expression(&after[..end]));
            rest = &after[end + 1..];
        } else {
            literal.push('$');
            rest = &rest[1..];
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// Where the expression ends: the first `}` that closes no brace within it and
/// stands in no string literal and no comment.
fn closing_brace(source: &str) -> Option<usize> {
    let bytes = source.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            b'\'' | b'"' => {
                at = end_of_string(source, at)?;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += source[at..].find('\n')?;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The position after the string literal that begins here: `'a'`, `"a"`, either
/// tripled, either raw.
fn end_of_string(source: &str, start: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let quote = &source[start..=start];
    let triple = quote.repeat(3);
    let mark = if source[start..].starts_with(&triple) { triple.as_str() } else { quote };
    let raw = is_raw(bytes, start);
    let mut at = start + mark.len();
    while at < bytes.len() {
        if bytes[at] == b'\\' && !raw {
            at += 2;
        } else if bytes[at..].starts_with(mark.as_bytes()) {
            return Some(at + mark.len());
        } else {
            at += 1;
        }
    }
    None
}

/// Whether `r` or `R`, alone or beside a `b`, stands before the quote and is no
/// end of a name.
fn is_raw(bytes: &[u8], quote: usize) -> bool {
    let mut start = quote;
    while start > 0 && bytes[start - 1].is_ascii_alphanumeric() {
        start -= 1;
    }
    matches!(&bytes[start..quote], b"r" | b"R" | b"br" | b"bR" | b"Br" | b"BR" | b"rb" | b"rB" | b"Rb" | b"RB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_end_where_their_kind_of_string_does() {
        assert_eq!(closing_brace(r"r'\'}"), Some(4));
        assert_eq!(closing_brace(r"br'\'}"), Some(5));
        assert_eq!(closing_brace(r"'\'}'}"), Some(5));
        assert_eq!(closing_brace(r"bar'\'}"), None);
        assert_eq!(closing_brace("'''a'}'''}"), Some(9));
    }
}
