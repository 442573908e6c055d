//! The problems of a spec as a whole, collected so that all are reported at once.

use crate::api::{Issue, Reason};

/// The findings so far.
#[derive(Default)]
pub struct Findings(Vec<Issue>);

impl Findings {
    /// Something in the spec that cannot be.
    pub fn invalid(&mut self, message: impl Into<String>) {
        self.0.push(Issue::new(Reason::Invalid, message));
    }

    /// Something in the Blueprint that cannot be.
    pub fn blueprint(&mut self, message: impl Into<String>) {
        self.0.push(Issue::new(Reason::BlueprintInvalid, message));
    }

    /// The one issue made of all findings, if there are any.
    pub fn verdict(self) -> Result<(), Issue> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let messages: Vec<&str> = self.0.iter().map(|issue| issue.message.as_str()).collect();
        Err(Issue::new(first.reason, messages.join("; ")))
    }
}
