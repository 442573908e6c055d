//! Texts that are kept as long as their object exists.
//!
//! Objects of different teams differ mostly in names and UIDs, so a text is stored as its
//! difference from another text of its kind and name. It is lossless.

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
    /// The difference from another text.
    Like {
        /// The other.
        model: Arc<str>,
        /// The difference.
        packed: Packed,
    },
}

impl Text {
    /// The text.
    #[must_use]
    pub fn read(&self) -> Arc<str> {
        match self {
            Self::Plain(text) => Arc::clone(text),
            Self::Like { model, packed } => {
                // It was made from this model, and from a text.
                let text = decompress_size_prepended_with_dict(packed.bytes(), model.as_bytes()).unwrap_or_default();
                String::from_utf8(text).unwrap_or_default().into()
            }
        }
    }
}

/// A stored text: the number of another text, and the difference from that. Only the store
/// that packed it knows which text has that number.
#[derive(Clone, Debug)]
pub struct Packed(Arc<[u8]>);

/// How many bytes the number takes, and the one of a text that is kept as it is.
const NUMBER: usize = size_of::<u32>();
const ITSELF: u32 = u32::MAX;

impl Packed {
    fn new(number: u32, bytes: &[u8]) -> Self {
        Self(number.to_le_bytes().iter().chain(bytes).copied().collect())
    }

    fn number(&self) -> u32 {
        self.0.first_chunk().map_or(ITSELF, |bytes| u32::from_le_bytes(*bytes))
    }

    fn bytes(&self) -> &[u8] {
        &self.0[NUMBER..]
    }
}

/// The texts that others are compared with: by kind, the first of some names.
#[derive(Debug, Default)]
pub struct Models {
    numbers: BTreeMap<u16, BTreeMap<String, u32>>,
    texts: Vec<Arc<str>>,
}

impl Models {
    /// The text of an object in less room.
    pub fn pack(&mut self, kind: u16, name: &str, text: &str) -> Packed {
        let of_kind = self.numbers.entry(kind).or_default();
        let known = of_kind.get(name).copied();
        // One that many texts are much longer than has nothing of what is in them.
        let poor = |number: &u32| self.texts.get(index(*number)).is_none_or(|model| model.len() * 2 < text.len());
        let fits = text.len() <= LONGEST && (known.is_some() || of_kind.len() < MODELS);
        let number = match known.filter(|number| !fits || !poor(number)) {
            Some(number) => number,
            None if fits => {
                // There are some for each kind.
                let number = u32::try_from(self.texts.len()).unwrap_or(ITSELF);
                self.texts.push(text.into());
                of_kind.insert(name.to_owned(), number);
                number
            }
            None => of_kind.values().next().copied().unwrap_or(ITSELF),
        };
        match self.texts.get(index(number)) {
            Some(model) => Packed::new(number, &compress_prepend_size_with_dict(text.as_bytes(), model.as_bytes())),
            None => Packed::new(ITSELF, text.as_bytes()),
        }
    }

    /// The text that was packed here.
    #[must_use]
    pub fn text(&self, packed: &Packed) -> Text {
        match self.texts.get(index(packed.number())) {
            Some(model) => Text::Like { model: Arc::clone(model), packed: packed.clone() },
            None => Text::Plain(String::from_utf8_lossy(packed.bytes()).into()),
        }
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(team: &str) -> String {
        let lines = (0..40).map(|number| format!("\"field-{number}\":\"value {}\"", number * number));
        format!("{{\"namespace\":\"{team}--shared\",{}}}", lines.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn a_text_that_is_like_another_takes_little_and_loses_nothing() {
        let mut models = Models::default();
        for (number, team) in ["first", "second", "another"].into_iter().enumerate() {
            let text = deployment(team);
            let packed = models.pack(7, "mlflow", &text);
            assert_eq!(*models.text(&packed).read(), *text);
            assert!(packed.0.len() * 5 < text.len(), "{number}: {}", packed.0.len());
        }
    }

    #[test]
    fn a_text_that_others_outgrew_is_no_model_any_more() {
        let mut models = Models::default();
        let short = models.pack(7, "mlflow", "{}");
        for (number, team) in ["first", "second"].into_iter().enumerate() {
            let text = deployment(team);
            let packed = models.pack(7, "mlflow", &text);
            assert!(packed.0.len() * 5 < text.len(), "{number}: {}", packed.0.len());
        }
        assert_eq!((&*models.text(&short).read(), models.texts.len()), ("{}", 2));
    }

    #[test]
    fn whatever_the_model_the_text_stays_what_it_is() {
        let mut models = Models::default();
        let long = "x".repeat(LONGEST + 1);
        let texts = ["", "a", "{\"a\":1}", &long, "\u{1f512}\u{1f512}", &deployment("b")];
        for name in (0..MODELS + 3).map(|number| number.to_string()) {
            for text in texts {
                let packed = models.pack(1, &name, text);
                assert_eq!(*models.text(&packed).read(), *text);
            }
        }
        assert_eq!(models.numbers[&1].len(), MODELS);
    }
}
