//! Texts that are kept for as long as their object is there.
//!
//! The objects of one team are those of another but for names and UIDs: a text is
//! kept as what it differs in from another of its kind and name. Nothing is lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};

/// How many texts of a kind others are compared with.
const MODELS: usize = 16;
/// How long such a text may be.
const LONGEST: usize = 16 * 1024;

/// A text.
#[derive(Clone, Debug)]
pub enum Text {
    /// As it is.
    Plain(Arc<str>),
    /// What it differs in from another.
    Like {
        /// The other.
        model: Arc<str>,
        /// The difference.
        bytes: Arc<[u8]>,
    },
}

impl Text {
    /// The text.
    #[must_use]
    pub fn read(&self) -> Arc<str> {
        match self {
            Self::Plain(text) => Arc::clone(text),
            Self::Like { model, bytes } => {
                // It was made from this model, and from a text.
                let text = decompress_size_prepended_with_dict(bytes, model.as_bytes()).unwrap_or_default();
                String::from_utf8(text).unwrap_or_default().into()
            }
        }
    }

    fn like(text: &str, model: &Arc<str>) -> Self {
        let bytes = compress_prepend_size_with_dict(text.as_bytes(), model.as_bytes());
        Self::Like { model: Arc::clone(model), bytes: bytes.into() }
    }
}

/// The texts that others are compared with: by kind, the first of some names.
#[derive(Default)]
pub struct Models(BTreeMap<u16, BTreeMap<String, Arc<str>>>);

impl Models {
    /// The text of an object in less room.
    pub fn pack(&mut self, kind: u16, name: &str, text: Text) -> Text {
        let Text::Plain(text) = text else { return text };
        let of_kind = self.0.entry(kind).or_default();
        let model = of_kind.get(name).cloned().or_else(|| {
            if of_kind.len() < MODELS && text.len() <= LONGEST {
                of_kind.insert(name.to_owned(), Arc::clone(&text));
                return None;
            }
            of_kind.values().next().cloned()
        });
        match model {
            Some(model) => Text::like(&text, &model),
            None => Text::Plain(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(team: &str) -> String {
        let lines = (0..40).map(|number| format!("\"field-{number}\":\"value {}\"", number * number));
        format!("{{\"namespace\":\"{team}--shared\",{}}}", lines.collect::<Vec<_>>().join(","))
    }

    fn bytes(text: &Text) -> usize {
        match text {
            Text::Plain(text) => text.len(),
            Text::Like { bytes, .. } => bytes.len(),
        }
    }

    #[test]
    fn a_text_that_is_like_another_takes_little_and_loses_nothing() {
        let mut models = Models::default();
        for (number, team) in ["first", "second", "another"].into_iter().enumerate() {
            let text = deployment(team);
            let packed = models.pack(7, "mlflow", Text::Plain(text.as_str().into()));
            assert_eq!(*packed.read(), *text);
            assert!(number == 0 || bytes(&packed) * 5 < text.len(), "{}", bytes(&packed));
        }
    }

    #[test]
    fn whatever_the_model_the_text_stays_what_it_is() {
        let mut models = Models::default();
        let long = "x".repeat(LONGEST + 1);
        let texts = ["", "a", "{\"a\":1}", &long, "\u{1f512}\u{1f512}", &deployment("b")];
        for name in (0..MODELS + 3).map(|number| number.to_string()) {
            for text in texts {
                assert_eq!(*models.pack(1, &name, Text::Plain(text.into())).read(), *text);
            }
        }
        assert_eq!(models.0[&1].len(), MODELS);
    }
}
