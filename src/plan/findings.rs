//! The problems of a spec as a whole, collected so that all are reported at once.

use super::{Problem, Refusal, Scope};
use crate::api::Reason;

/// The findings so far.
#[derive(Default)]
pub struct Findings(Vec<Problem>);

impl Findings {
    /// Something in the spec that cannot be.
    pub fn invalid(&mut self, message: impl Into<String>) {
        self.0.push(Problem::blocking(Scope::Team, Reason::Invalid, message));
    }

    /// Something in the Blueprint that cannot be.
    pub fn blueprint(&mut self, message: impl Into<String>) {
        self.0.push(Problem::blocking(Scope::Team, Reason::BlueprintInvalid, message));
    }

    /// The refusal made of all findings, if there are any.
    pub fn verdict(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(refusal(self.0)) }
    }
}

/// The refusal that these problems make.
#[must_use]
pub fn refusal(problems: Vec<Problem>) -> Refusal {
    let reason = problems.first().map_or(Reason::Invalid, |problem| problem.reason);
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    Refusal { reason, message: messages.join("; "), problems }
}
