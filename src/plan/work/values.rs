//! `$(name)` in commands and arguments, read exactly as Kubernetes reads it.
//!
//! Pure text: `$(name)` is a reference, `$$` is `$`, and everything else stands
//! for itself. A value that is put into an environment has its `$` doubled, so
//! that nothing in it is ever read as a reference.

use std::borrow::Cow;

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Reference(&'a str),
}

/// Cuts a text into literals and references.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        parts.push(Part::Text(&rest[..dollar]));
        let after = &rest[dollar + 1..];
        let name = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        rest = if let Some((name, beyond)) = name {
            parts.push(Part::Reference(name));
            beyond
        } else {
            parts.push(Part::Text("$"));
            after.strip_prefix('$').unwrap_or(after)
        };
    }
    parts.push(Part::Text(rest));
    parts
}

/// The names that a text refers to, in their order.
#[must_use]
pub fn references(text: &str) -> Vec<&str> {
    let references = parts(text).into_iter().filter_map(|part| match part {
        Part::Reference(name) => Some(name),
        Part::Text(_) => None,
    });
    references.collect()
}

/// The text with each reference replaced. One that stands for nothing stays as
/// it is written, as Kubernetes leaves it.
#[must_use]
pub fn expanded<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let pieces = parts(text).into_iter().map(|part| match part {
        Part::Text(text) => Cow::Borrowed(text),
        Part::Reference(name) => value(name).map_or_else(|| Cow::Owned(format!("$({name})")), Cow::Borrowed),
    });
    pieces.collect()
}

/// A value as it is put into an environment: nothing in it refers to anything.
#[must_use]
pub fn doubled(value: &str) -> String {
    value.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(name: &str) -> Option<&'static str> {
        (name == "epochs").then_some("$3")
    }

    // The expected texts are those of the expansion in Kubernetes 1.36.
    #[test]
    fn references_are_read_as_kubernetes_reads_them() {
        for (text, value, names) in [
            ("--epochs=$(epochs)", "--epochs=$3", vec!["epochs"]),
            ("$(epochs)$(epochs)", "$3$3", vec!["epochs", "epochs"]),
            ("$(nothing)", "$(nothing)", vec!["nothing"]),
            ("$$(epochs)", "$(epochs)", vec![]),
            ("$$$(epochs)", "$$3", vec!["epochs"]),
            ("$$$$(epochs)", "$$(epochs)", vec![]),
            ("$(epochs", "$(epochs", vec![]),
            ("a$b $ é$é $", "a$b $ é$é $", vec![]),
            ("$(date +%s)", "$(date +%s)", vec!["date +%s"]),
            ("$()", "$()", vec![""]),
            ("", "", vec![]),
        ] {
            assert_eq!(expanded(text, known), value, "{text}");
            assert_eq!(references(text), names, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_doubled_value_stands_for_itself(value in "[a$()é{} ]{0,24}") {
            let written = doubled(&value);
            prop_assert_eq!(references(&written), Vec::<&str>::new());
            prop_assert_eq!(expanded(&written, |_| Some("other")), value);
        }
    }
}
