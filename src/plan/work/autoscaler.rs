//! An autoscaler of another owner in a namespace of a team, as the cluster has it.

use crate::api::ObjectKey;

/// An autoscaler that Strata did not write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaler {
    /// Its name.
    pub name: String,
    /// The workload that it scales.
    pub target: ObjectKey,
    /// The object that made it and would make it again, by kind and name: `ScaledObject score`.
    pub made_by: Option<String>,
}
