//! The change of a binding when people lose their rights.

use serde_json::Value;

/// What one binding should become.
#[derive(Clone, Debug, PartialEq)]
pub enum Revocation {
    /// It keeps these subjects.
    Keep(Value),
    /// Nobody is left in it.
    Remove,
}
