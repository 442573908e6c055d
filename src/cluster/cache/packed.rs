//! A value that is rarely read, and kept as long as its object exists.
//!
//! As text it takes a fifth of its memory, and as the difference from another text of its
//! kind a tenth of that. It is lossless.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::text::{Models, Text};

/// The value.
#[derive(Clone, Debug)]
pub enum Packed<T> {
    /// As text.
    Text(Text),
    /// The value itself, because its text would differ.
    Whole(Arc<T>),
}

impl<T: Serialize + DeserializeOwned + PartialEq> Packed<T> {
    /// The value in less room. Values of one name are like each other.
    #[must_use]
    pub fn new(value: Arc<T>, models: &mut Models, name: &str) -> Self {
        let text = serde_json::to_string(&*value).ok();
        let packed = text.map(|text| models.pack(0, name, &text));
        let text = packed.map(|packed| models.text(&packed));
        let same = |text: &Text| serde_json::from_str::<T>(&text.read()).is_ok_and(|again| again == *value);
        match text.filter(same) {
            Some(text) => Self::Text(text),
            None => Self::Whole(value),
        }
    }

    /// The value.
    #[must_use]
    pub fn read(&self) -> Arc<T> {
        match self {
            Self::Whole(value) => Arc::clone(value),
            Self::Text(text) => match serde_json::from_str(&text.read()) {
                Ok(value) => Arc::new(value),
                Err(error) => unreachable!("it was read when it was packed: {error}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Kept {
        texts: BTreeMap<String, String>,
        /// A value that JSON cannot represent.
        #[serde(skip)]
        more: u32,
    }

    fn kept(name: &str) -> Kept {
        let texts = (0..50).map(|number| (format!("field-{number}"), format!("{name} {}", number * number)));
        Kept { texts: texts.collect(), more: 0 }
    }

    #[test]
    fn a_value_is_read_as_it_was() {
        let mut models = Models::default();
        for name in ["a", "b", "c"] {
            let packed = Packed::new(Arc::new(kept(name)), &mut models, "kept");
            assert!(matches!(packed, Packed::Text(_)));
            assert_eq!(*packed.read(), kept(name));
        }
    }

    #[test]
    fn what_its_text_does_not_say_is_not_lost() {
        let value = || Kept { more: 7, ..kept("a") };
        let packed = Packed::new(Arc::new(value()), &mut Models::default(), "kept");
        assert!(matches!(packed, Packed::Whole(_)));
        assert_eq!(*packed.read(), value());
    }
}
