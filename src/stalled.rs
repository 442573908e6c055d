//! Namespaces that are being deleted and do not go: what keeps them, for the status.

use std::time::Duration;

use crate::api::Reason;
use crate::context::Context;
use crate::observe;
use crate::plan::{Problem, Scope};
use crate::queue::Again;
use crate::reconcile::MENDED;
use crate::report::now;
use crate::watch::Entry;
use crate::watch::holders::{holders, remaining};

/// How long the deletion of a namespace takes before anybody is asked what holds it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a namespace is still there, one text; nothing if it takes its time, or is not
/// being deleted.
pub async fn why(context: &Context, name: &str, entry: &Entry) -> Option<String> {
    let why = match (entry.deleting, is_slow(entry)) {
        (false, _) => Vec::new(),
        (true, false) => remaining(entry),
        (true, true) => holders(&context.client, &context.metrics.requests, name, entry).await,
    };
    (!why.is_empty()).then(|| format!("{name}: {}", why.join("; ")))
}

/// What is told of the team's namespaces that do not go, and when to look again: what
/// holds them may change without a word.
pub async fn of_team(context: &Context, team: &str) -> (Vec<Problem>, Again) {
    let namespaces = observe::namespaces(team, &context.mirror);
    let deleting = || namespaces.iter().filter(|(_, entry)| entry.deleting);
    let mut problems = Vec::new();
    for (name, entry) in deleting() {
        if let Some(why) = why(context, name, entry).await {
            let message = format!("namespace {why}; it is being deleted until then");
            problems.push(Problem::advice(Scope::Namespace(name.clone()), Reason::Deleting, message));
        }
    }
    (problems, deleting().map(|(_, entry)| again(entry)).min())
}

/// When to look again at a namespace that is being deleted.
#[must_use]
pub fn again(entry: &Entry) -> Duration {
    if is_slow(entry) { MENDED } else { PATIENCE }
}

fn is_slow(entry: &Entry) -> bool {
    let since = entry.view.state()["since"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    since.is_none_or(|since| now().0.duration_since(since).unsigned_abs() >= PATIENCE)
}
