//! What is wrong with a spec as a whole, collected so that all of it is reported at once.

use super::{Problem, Scope};
use crate::api::{Issue, Reason};

/// What was found so far.
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

    /// The refusal that all of it makes, if there is anything.
    pub fn verdict(self) -> Result<(), Issue> {
        if self.0.is_empty() { Ok(()) } else { Err(refusal(self.0)) }
    }
}

/// The refusal that these problems make.
#[must_use]
pub fn refusal(problems: Vec<Problem>) -> Issue {
    let reason = problems.first().map_or(Reason::Invalid, |problem| problem.issue.reason);
    let messages: Vec<&str> = problems.iter().map(|problem| problem.issue.message.as_str()).collect();
    Issue::new(reason, messages.join("; "))
}
