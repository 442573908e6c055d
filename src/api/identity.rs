//! What names a team, its namespaces, the objects of its members, and what is
//! reconciled. Names only: nothing here says what they stand for.

use std::fmt;

use super::work::WorkKind;

/// One object of daily work.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkId {
    /// Its kind.
    pub kind: WorkKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for WorkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The subject of a pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    /// A team by its name, whether its object exists or not.
    Team(String),
    /// A Blueprint by its name.
    Blueprint(String),
    /// An Engine by its name.
    Engine(String),
    /// How many teams are ready.
    Readiness,
    /// The objects that depend on changed work objects of a team.
    Dependents(String),
    /// The ended runs of a team that may be due for deletion.
    Expiry(String),
    /// A work object, whether it exists or not.
    Work(WorkId),
}

/// The team of a namespace of this name.
#[must_use]
pub fn team_of(namespace: &str) -> Option<&str> {
    namespace.split_once("--").map(|(team, _)| team)
}
