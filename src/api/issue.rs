//! Why something is not as it is wanted, as all rooms say it.

use super::Reason;
use super::reason::Class;
use super::text::visible;

/// Why something is not as it is wanted: a word for programs, and a text for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{message}")]
pub struct Issue {
    /// Why, as one word of the closed set.
    pub reason: Reason,
    /// Why, for a person: what, on what, and what to do.
    pub message: String,
}

impl Issue {
    /// An issue for this reason.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: visible(&message.into()).into_owned() }
    }

    /// The same issue, of what these words name.
    #[must_use]
    pub fn of(self, what: &str) -> Self {
        Self { message: format!("{}: {}", visible(what), self.message), ..self }
    }

    /// The same issue with more to say.
    #[must_use]
    pub fn and(self, more: &str) -> Self {
        Self { message: format!("{}. {}", self.message.trim_end_matches('.'), visible(more)), ..self }
    }

    /// What it means for what happens next.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.reason.class()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_quoted_visibly() {
        let issue = Issue::new(Reason::Refused, "a\u{1b}[2J\nb").and("c\u{202e}");
        assert_eq!(issue.message, "a\\u001b[2J\\nb. c\\u202e");
    }
}
