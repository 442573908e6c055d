//! When a reconcile looks again, if nothing happens before.

use std::time::Duration;

/// The pause before a look at something that a person has to correct: a watch tells when
/// they did, and this is for what no watch shows.
pub const RECHECK: Duration = Duration::from_secs(60);
