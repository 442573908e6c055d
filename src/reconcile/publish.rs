//! Publishes the plan of a team to the objects of its members, and enqueues those for
//! which something changed.

use super::context::Context;
use super::snapshot::{SnapshotChange, TeamSnapshot};
use super::triggers::dependents;

/// Publishes the snapshot of a team, and enqueues the work objects for which it changes
/// anything.
pub fn publish(context: &Context, team: &str, snapshot: TeamSnapshot) {
    match context.keep_snapshot(team, snapshot) {
        SnapshotChange::Nothing => {}
        SnapshotChange::Settings => dependents::waiting_of(context, team),
        SnapshotChange::Everything => {
            dependents::all_of(context, team);
            context.queue.add_expiry(team);
        }
    }
}
