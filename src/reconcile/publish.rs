//! Hands a team as it was planned to the objects of its members, and has those looked at
//! for whom something changed.

use super::context::Context;
use super::snapshot::{Ground, Moved};
use super::triggers::dependents;

/// Puts the daily work of a team on this ground, and has those looked at for whom
/// that changes anything.
pub fn publish(context: &Context, team: &str, ground: Ground) {
    match context.stand_on(team, ground) {
        Moved::Nothing => {}
        Moved::Settings => dependents::waiting_of(context, team),
        Moved::Everything => {
            dependents::all_of(context, team);
            context.queue.add_expiry(team);
        }
    }
}
