//! Texts for people. They quote what users wrote and what containers said, and neither may
//! move a cursor, turn the direction of a line, or hide in it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text on one line, with invisible characters escaped as in JSON: `\n`, `\u202e`.
/// Escaped text is kept.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, &[])
}

/// The same over several lines.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, &['\n', '\t'])
}

/// The text as a message: on one line, visible, and at most `limit` bytes long.
#[must_use]
pub fn message(text: &str, limit: usize) -> String {
    bounded(visible(text.trim_end()).into_owned(), limit)
}

/// The text cut at a character's end to at most `limit` bytes, with an ellipsis.
#[must_use]
pub fn bounded(text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

fn escaped<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let hidden = |c: char| is_hidden(c) && !kept.contains(&c);
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut all = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !hidden(c) => all.push(c),
            '\n' => all.push_str("\\n"),
            '\r' => all.push_str("\\r"),
            '\t' => all.push_str("\\t"),
            // As JSON has it, so that a line of JSON stays one.
            c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                // Writing into a text cannot fail.
                let _ = write!(all, "\\u{unit:04x}");
            }),
        }
    }
    Cow::Owned(all)
}

/// Invisible characters outside of Unicode's categories C (control and format characters) and Z
/// (spaces and line separators): fillers and a joiner, as ranges. The API server bounds the cost
/// of a rule, which grows with its pattern: one rule on members has no room for more ranges.
const FILLERS: &[(char, char)] = &[
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{ffa0}', '\u{ffa0}'),
];

/// The pattern of invisible characters, as a CEL string.
pub(crate) fn hidden_pattern() -> String {
    pattern(r"\\pC")
}

/// The part of the pattern for spaces and line separators, except the plain space.
pub(crate) const HIDDEN_SPACES: &str = r"[^\\PZ ]";

/// The pattern without that part: two rules with short patterns stay below the bound on the cost
/// of a rule where one rule with the whole pattern does not.
pub(crate) fn hidden_but_spaces() -> String {
    class(r"\\pC")
}

/// The pattern of invisible characters for a text of several lines, which may have control characters.
pub(crate) fn hidden_in_lines() -> String {
    pattern(r"\\p{Cf}")
}

fn pattern(category: &str) -> String {
    format!("{}|{HIDDEN_SPACES}", class(category))
}

fn class(category: &str) -> String {
    let mut class = format!("[{category}");
    for (first, last) in FILLERS {
        let hyphen = if u32::from(*last) - u32::from(*first) > 1 { "-" } else { "" };
        let ends = if first == last { vec![first] } else { vec![first, last] };
        let ends: Vec<String> = ends.into_iter().map(|c| format!("\\u{:04x}", u32::from(*c))).collect();
        class += &ends.join(hyphen);
    }
    class + "]"
}

/// Whether the character is a filler, a control character, a format character of Unicode, or a
/// space other than the plain one. Such characters are invisible, or move other characters.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || FILLERS.iter().any(|(first, last)| (*first..=*last).contains(&c))
        || matches!(
            c,
            '\u{a0}'
                | '\u{1680}'
                | '\u{2000}'..='\u{200a}'
                | '\u{2028}'..='\u{2029}'
                | '\u{202f}'
                | '\u{205f}'
                | '\u{3000}'
                | '\u{ad}'
                | '\u{61c}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_escaped() {
        for (text, shown) in [
            ("as it is: äöü 日本 \\n", "as it is: äöü 日本 \\n"),
            ("\u{1b}[2Jgone\u{7}", "\\u001b[2Jgone\\u0007"),
            ("a\r\nb\tc\u{85}\u{7f}", "a\\r\\nb\\tc\\u0085\\u007f"),
            ("exe.\u{202e}txt\u{2066}\u{200f}", "exe.\\u202etxt\\u2066\\u200f"),
            ("ad\u{200b}min\u{feff}\u{ad}\u{2028}", "ad\\u200bmin\\ufeff\\u00ad\\u2028"),
            ("tag\u{e0041}", "tag\\udb40\\udc41"),
            ("a\u{a0}b\u{34f}\u{2800}\u{3164}\u{ffa0}", "a\\u00a0b\\u034f\\u2800\\u3164\\uffa0"),
            ("\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180e}", "\\u115f\\u1160\\u17b4\\u17b5\\u180e"),
            ("\u{1680}\u{2000}\u{200a}\u{202f}\u{205f}\u{3000}", "\\u1680\\u2000\\u200a\\u202f\\u205f\\u3000"),
        ] {
            assert_eq!(visible(text), shown);
            assert_eq!(visible(&visible(text)), shown, "once is enough");
        }
        assert_eq!(visible_lines("a\n\tb\u{1b}"), "a\n\tb\\u001b");
        assert_eq!(message("the end\u{1b}\n", 100), "the end\\u001b");
    }

    #[test]
    fn rules_and_messages_know_the_same_characters() {
        let rule = regex::Regex::new(&hidden_pattern().replace(r"\\", r"\")).unwrap();
        let spaces = regex::Regex::new(r"\pZ").unwrap();
        for c in (' '..=char::MAX).filter(|c| *c != ' ') {
            let text = c.to_string();
            // Variation selectors change the character before them: rules allow them, messages escape them.
            let is_variation = matches!(c, '\u{180b}'..='\u{180f}' | '\u{e0100}'..='\u{e01ef}');
            assert!(!is_hidden(c) || is_variation || rule.is_match(&text), "no rule refuses {c:?}");
            assert!(!spaces.is_match(&text) || is_hidden(c), "a message shows {c:?} as it is");
        }
        for seen in [" ", "a b", "äöü", "日本", "한글", "ខ្មែរ"] {
            assert!(!rule.is_match(seen) && !seen.contains(is_hidden), "{seen}");
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        assert_eq!(bounded("äöü".into(), 6), "äöü");
        assert_eq!(bounded("äöüä".into(), 7), "äö…");
        assert!(bounded("ä".repeat(2000), 1024).len() <= 1024);
        assert!(message(&"\u{1b}".repeat(2000), 1024).len() <= 1024);
    }
}
