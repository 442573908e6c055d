//! Holds a team: it cannot be planned, or nothing may be written. Rights are still
//! revoked, as far as the people are known.

use crate::api::kinds::RBAC;
use crate::api::team::Readable;
use crate::api::{AITeam, AITeamSpec, Issue, Reason};
use crate::cluster::apply::Outcome;
use crate::cluster::store::Unreadable;
use crate::plan::management;
use crate::reconcile::context::Context;
use crate::reconcile::publish::publish;
use crate::reconcile::report::{held, tell_of_repairs, with_newest_status};
use crate::reconcile::requeue::Pass;
use crate::reconcile::snapshot::TeamSnapshot;
use crate::reconcile::{observe, requeue, revoke, teardown, upgrades};

/// Holds a team whose spec can be read.
pub async fn hold(context: &Context, team: &AITeam, failure: &Issue) -> Pass {
    hold_as_read(context, team, &Readable::from(&team.spec), failure).await
}

/// A team that this version of the operator cannot read, as far as it can.
pub async fn unreadable(context: &Context, name: &str, object: &Unreadable) -> Pass {
    let people = Readable::of(&object.spec);
    let policy = people.deletion_policy;
    let bare = AITeam {
        metadata: object.metadata.clone(),
        status: serde_json::from_value(object.status.clone()).ok(),
        ..AITeam::new(name, AITeamSpec { deletion_policy: policy.unwrap_or_default(), ..people.spec.clone() })
    };
    let bare = with_newest_status(context, bare);
    let message = format!(
        "this version of Strata cannot read the spec, so the team is held: {}. Run a version that can, or remove the \
         unknown fields",
        object.error
    );
    let mut failure = Issue::new(Reason::Invalid, message);
    // Kept in the status, so that the team is not taken for an enforced one once it can be read.
    if let Some(suspended) = management::not_migrated(&bare).filter(|_| object.spec["managementPolicy"].is_null()) {
        failure = failure.and(&suspended.message);
    }
    match (bare.metadata.deletion_timestamp.is_some(), policy) {
        (false, _) => hold_as_read(context, &bare, &people, &failure).await,
        (true, Some(_)) => teardown::teardown(context, &bare).await,
        // The deletion policy is unreadable, so everything else stays until a version reads it.
        (true, None) => teardown::take_people_away(context, &bare, &failure).await,
    }
}

async fn hold_as_read(context: &Context, team: &AITeam, people: &Readable, failure: &Issue) -> Pass {
    let name = team.name();
    let mut outcome = Outcome::default();
    let mut remaining = revoke_who_left(context, name, people, failure, &mut outcome).await;
    // The fence refuses it where a namespace lost its label.
    if outcome.failures().next().is_some() && context.applier.relabel_namespaces(name, &mut outcome).await {
        outcome.not_removed.clear();
        remaining = revoke_who_left(context, name, people, failure, &mut outcome).await;
    }
    let failure = remaining;
    publish(context, name, TeamSnapshot::held(&failure));
    upgrades::leave(context, name);
    let namespaces = observe::namespaces(name, &context.cache).into_keys().collect();
    context.applier.remove_foreign_bindings(name, &namespaces, &mut outcome).await;
    tell_of_repairs(context, team, &outcome);
    held(context, team, &failure).await?;
    requeue::guarded(&outcome, requeue::held(&failure))
}

/// Removes people who left from the bindings, and returns the notes for the status: a
/// record that cannot be read, and the reason why no person was removed.
async fn revoke_who_left(
    context: &Context,
    name: &str,
    people: &Readable,
    failure: &Issue,
    outcome: &mut Outcome,
) -> Issue {
    let record = observe::record(name, &context.cache);
    let site = context.store.blueprints.get(&people.spec.blueprint).and_then(Result::ok);
    let known = record.as_ref().ok().and_then(Option::as_ref);
    let stay = revoke::staying(
        name,
        people,
        site.as_ref().map(|site| &site.spec),
        known,
        &context.cache,
        context.prefixes.as_ref(),
    );
    let mut failure = match record {
        Err(unread) if unread.reason != failure.reason => unread.and(&failure.message),
        _ => failure.clone(),
    };
    match stay {
        Ok(stay) => {
            let revocations = revoke::revocations(&stay, context.cache.bindings(name));
            context.applier.revoke(revocations, outcome).await;
        }
        // A team without bindings needs no message.
        Err(why) if may_have_bindings(context, name) => {
            failure = failure.and(&format!("No person is removed from bindings meanwhile, because {why}"));
        }
        Err(_) => {}
    }
    failure
}

fn may_have_bindings(context: &Context, name: &str) -> bool {
    let unwatched = |kind: &str| observe::unwatched(context, RBAC, kind).is_some();
    !context.cache.bindings(name).is_empty() || unwatched("RoleBinding") || unwatched("ClusterRoleBinding")
}
