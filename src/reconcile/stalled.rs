//! Namespaces whose deletion does not finish: the cause, for the status.

use std::time::Duration;

use super::holders::is_slow;
use crate::api::Reason;
use crate::cluster::cache::Entry;
use crate::cluster::holders::remaining;
use crate::cluster::queue::RequeueAfter;
use crate::plan::{Problem, Scope};
use crate::reconcile::context::Context;
use crate::reconcile::observe;

/// Why a namespace still exists, as one text; nothing if its deletion is young, or if it
/// is not being deleted.
pub async fn why(context: &Context, name: &str, entry: &Entry) -> Option<String> {
    let why = match (entry.deleting, is_slow(entry)) {
        (false, _) => Vec::new(),
        (true, false) => remaining(entry),
        (true, true) => context.stalled.of(&context.client, &context.metrics.requests, name, entry).await,
    };
    (!why.is_empty()).then(|| format!("{name}: {}", why.join("; ")))
}

/// The problems of the team's namespaces that stay in deletion, and when to look again:
/// no watch reports a change of what holds them.
pub async fn of_team(context: &Context, team: &str) -> (Vec<Problem>, RequeueAfter) {
    let namespaces = observe::namespaces(team, &context.cache);
    let deleting = || namespaces.iter().filter(|(_, entry)| entry.deleting);
    let mut problems = Vec::new();
    for (name, entry) in deleting() {
        if let Some(why) = why(context, name, entry).await {
            let message = format!("namespace {why}; it is being deleted until then");
            problems.push(Problem::advice(Scope::Namespace(name.clone()), Reason::Deleting, message));
        }
    }
    (problems, deleting().map(|(_, entry)| again(context, entry)).min())
}

/// The time of the next look at a namespace that is being deleted.
#[must_use]
pub fn again(context: &Context, entry: &Entry) -> Duration {
    context.stalled.again(entry)
}
