//! The pace of automatic upgrades: so many teams of a Blueprint at the same time.
//!
//! A team gets a place when it is planned, and gives it up when its components are ready with
//! the newest revisions. A team that does not become ready keeps its place, so an engine that
//! fails stops at that many teams. Places are not stored: after a restart they follow from
//! the statuses of teams.

use crate::api::AITeam;
use crate::api::blueprint::EngineRules;
use crate::plan::Choices;
use crate::plan::upgrades::{outdated, under_way};
use crate::reconcile::context::Context;
use crate::reconcile::observe::Observed;

/// Whether the team moves to newer revisions of its engines in this pass. It takes a place if
/// it needs one.
pub fn turn(context: &Context, team: &AITeam, observed: &Observed) -> bool {
    context.leave_upgrades(team.name(), |blueprint| blueprint != team.spec.blueprint);
    let Some(most) = observed.blueprint.engines.as_ref().and_then(EngineRules::teams_at_once) else {
        leave(context, team.name());
        return false;
    };
    if !outdated(&observed.choices, &observed.catalogue) {
        return false;
    }
    let known = || {
        let all = context.store.teams.all().into_iter();
        let under_way = all.filter(|(_, found)| {
            let followers = found.as_ref().ok().filter(|found| found.spec.blueprint == team.spec.blueprint);
            let status = followers.and_then(|found| found.status.as_ref());
            status.is_some_and(|status| under_way(status, &observed.catalogue))
        });
        under_way.map(|(name, _)| name).collect()
    };
    context.upgrades.ask(&team.spec.blueprint, team.name(), most, known)
}

/// Gives up the place of a team that is ready with the newest revisions.
pub fn settle(context: &Context, judged: &AITeam, choices: &Choices, observed: &Observed) {
    let moving = judged.status.as_ref().is_some_and(|status| under_way(status, &observed.catalogue));
    if !moving && !outdated(choices, &observed.catalogue) {
        leave(context, judged.name());
    }
}

/// Gives up the place of a team, and enqueues those that wait for one.
pub fn leave(context: &Context, team: &str) {
    context.leave_upgrades(team, |_| true);
}
