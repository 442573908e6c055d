//! A UID in the room of the number that it is.

use std::fmt;

/// A UID. Kubernetes gives UUIDs; whatever else there is, is kept as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uid {
    /// The number of a UUID.
    Number([u8; 16]),
    /// Any other text.
    Text(Box<str>),
}

/// Before which digits of a UUID a hyphen stands.
const HYPHENS: [usize; 4] = [8, 12, 16, 20];

impl Uid {
    /// The UID that is written so.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let digits: String = text.chars().filter(|character| *character != '-').collect();
        let number = u128::from_str_radix(&digits, 16).unwrap_or_default();
        let number = Self::Number(number.to_be_bytes());
        // Only what is written again exactly as it was.
        let again = number.to_string();
        if again == text { number } else { Self::Text(text.into()) }
    }
}

impl PartialEq<str> for Uid {
    fn eq(&self, other: &str) -> bool {
        match self {
            Self::Number(_) => *self == Self::new(other),
            Self::Text(text) => **text == *other,
        }
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(bytes) => {
                for (position, byte) in bytes.iter().enumerate() {
                    let hyphen = if HYPHENS.contains(&(position * 2)) { "-" } else { "" };
                    write!(formatter, "{hyphen}{byte:02x}")?;
                }
                Ok(())
            }
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_uid_is_written_as_it_was_read() {
        let usual = "0190c1f2-7b3a-4c5d-8e9f-00aa11bb22cc";
        assert!(matches!(Uid::new(usual), Uid::Number(_)));
        let others = ["", "u", "0190C1F2-7b3a-4c5d-8e9f-00aa11bb22cc", "0190c1f27b3a4c5d8e9f00aa11bb22cc", "+1", "-"];
        for text in others.into_iter().chain([usual]) {
            let uid = Uid::new(text);
            assert!(uid.to_string() == text && uid == *text && uid != *"other", "{text}");
        }
    }
}
