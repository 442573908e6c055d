//! The problems of a plan and their subjects.

use std::fmt;

use crate::api::vocabulary::Capability;
use crate::api::{Issue, Reason};

/// One instance of an engine: its namespace and capability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    /// The namespace.
    pub namespace: String,
    /// The engine.
    pub engine: String,
    /// The capability, where the engine has an instance for each.
    pub capability: Option<Capability>,
}

impl fmt::Display for InstanceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.engine)?;
        self.capability.map_or(Ok(()), |capability| write!(formatter, "/{capability}"))
    }
}

/// The subject of a problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The team as a whole.
    Team,
    /// One of its namespaces.
    Namespace(String),
    /// One of its components.
    Component(InstanceId),
}

/// Something that is not as the team asks. The rest goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The subject.
    pub scope: Scope,
    /// Why: the field, and both sides.
    pub issue: Issue,
    /// Whether `Ready` is false because of it. `NotImplemented` and advice block nothing.
    pub blocking: bool,
}

impl Problem {
    /// Something that keeps the team from being ready.
    #[must_use]
    pub fn blocking(scope: Scope, reason: Reason, message: impl Into<String>) -> Self {
        Self { scope, issue: Issue::new(reason, message), blocking: true }
    }

    /// Advice, which blocks nothing.
    #[must_use]
    pub fn advice(scope: Scope, reason: Reason, message: impl Into<String>) -> Self {
        Self { scope, issue: Issue::new(reason, message), blocking: false }
    }
}
