//! Reports on Blueprints and Engines how many teams use them, and whether they can be
//! read; on Blueprints also which roles are named and not defined, and which fields have no
//! effect. The deletion guard reads the count.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::ObjectMeta;
use serde_json::{Value, json};

use crate::api::identity::Request;
use crate::api::kinds::RBAC;
use crate::api::status::{Condition, ConditionStatus, Finding, READY, STALLED, conditions};
use crate::api::team_status::ALL_FIELDS_SUPPORTED;
use crate::api::{Blueprint, BlueprintSpec, Capability, Engine, Issue, Reason};
use crate::cluster::store::Known;
use crate::cluster::watch::State;
use crate::plan::undefined::undefined_in;
use crate::plan::{Choices, no_effect};
use crate::reconcile::context::Context;
use crate::reconcile::report::now;
use crate::reconcile::status_writer::replace;
use crate::reconcile::target::Target;

/// Only AITeams give people access to namespaces of teams.
const ACCESS_BY_TEAMS_ALONE: &str = "AccessByTeamsAlone";

/// Every role that teams and leads name is defined.
const ROLES_DEFINED: &str = "RolesDefined";

/// The engines that were chosen.
fn engines(choices: &Choices) -> BTreeSet<String> {
    choices.0.values().flat_map(BTreeMap::values).map(|choice| choice.engine.clone()).collect()
}

/// Requests a pass for every Blueprint and Engine, once all lists are complete.
pub fn count(context: &Context) {
    context.store.blueprints.names().into_iter().for_each(|name| context.queue.add_count(Request::Blueprint(name)));
    context.store.engines.names().into_iter().for_each(|name| context.queue.add_count(Request::Engine(name)));
}

/// Requests a pass for the Engines that a team now uses, or no longer uses.
pub fn chose(context: &Context, before: Option<&Choices>, now: &Choices) {
    let (before, now) = (before.map(engines).unwrap_or_default(), engines(now));
    for engine in before.symmetric_difference(&now).filter(|name| context.store.engines.get(name).is_some()) {
        context.queue.add_count(Request::Engine(engine.clone()));
    }
}

/// Writes the status of a Blueprint, if it changed.
pub async fn blueprint(context: &Context, name: &str) -> Result<(), Issue> {
    let Some(known) = context.store.blueprints.get(name) else { return Ok(()) };
    let teams = context.store.teams.forms().into_iter();
    let followers = teams.filter(|(_, team)| team.blueprint.as_deref() == Some(name));
    let followers: BTreeMap<String, Vec<String>> = followers.map(|(name, team)| (name, team.roles)).collect();
    let (metadata, status, error) = parts(&known, |blueprint| (&blueprint.metadata, json!(blueprint.status)));
    let finding = match error {
        None => Finding::new(READY, true, Reason::Ready, "the Blueprint can be followed"),
        Some(error) => Finding::new(
            READY,
            false,
            Reason::BlueprintInvalid,
            format!(
                "the Blueprint cannot be read: {error}. Fix it; `strata migrate` rewrites a manifest of an earlier form"
            ),
        ),
    };
    let target = Target::of::<Blueprint>(metadata);
    let roles = Some(roles(known.as_ref().ok().map(|blueprint| &blueprint.spec), &followers));
    let fields = Some(fields(known.as_ref().ok().map(|blueprint| &blueprint.spec)));
    tell(context, &target, &status, followers.len(), None, [Some(finding), roles, access(context), fields]).await
}

/// Whether every field of a Blueprint has an effect.
fn fields(site: Option<&BlueprintSpec>) -> Finding {
    let Some(site) = site else {
        let message = "it is not known which fields have an effect: the Blueprint cannot be read";
        let unknown = Finding::new(ALL_FIELDS_SUPPORTED, false, Reason::BlueprintInvalid, message);
        return Finding { status: ConditionStatus::Unknown, ..unknown };
    };
    let without = no_effect::of_blueprint(site);
    let Some(first) = without.first() else {
        return Finding::new(ALL_FIELDS_SUPPORTED, true, Reason::Ready, "every field of the spec has an effect");
    };
    let messages: Vec<&str> = without.iter().map(|issue| issue.message.as_str()).collect();
    Finding::new(ALL_FIELDS_SUPPORTED, false, first.reason, messages.join("; "))
}

/// Whether every role that the teams of a Blueprint name, or its leads may give, is defined.
fn roles(site: Option<&BlueprintSpec>, teams: &BTreeMap<String, Vec<String>>) -> Finding {
    let Some(site) = site else {
        let message = "it is not known which roles there are: the Blueprint cannot be read";
        let unknown = Finding::new(ROLES_DEFINED, false, Reason::BlueprintInvalid, message);
        return Finding { status: ConditionStatus::Unknown, ..unknown };
    };
    match undefined_in(site, teams) {
        None => Finding::new(ROLES_DEFINED, true, Reason::Ready, "every role that teams and leads name is defined"),
        Some(message) => Finding::new(ROLES_DEFINED, false, Reason::RoleUndefined, message),
    }
}

/// Requests a pass for every Blueprint when access of others to namespaces of teams
/// changes. It never ends.
pub async fn follow_access(context: &Context) {
    loop {
        context.watches.outsiders.changed.notified().await;
        context.store.blueprints.names().into_iter().for_each(|name| context.queue.add_count(Request::Blueprint(name)));
    }
}

/// Whether only AITeams give people access to namespaces of teams.
fn access(context: &Context) -> Option<Finding> {
    let states =
        ["ClusterRole", "ClusterRoleBinding"].map(|kind| context.watches.kind(RBAC, kind).map(|known| known.state));
    for state in states.into_iter().flatten() {
        match state {
            State::Synced => {}
            State::Listing => return None,
            State::Failing(failure) => {
                let message = format!(
                    "it is not known whether ClusterRoleBindings give people access to namespaces of teams: {failure}"
                );
                let unknown = Finding::new(ACCESS_BY_TEAMS_ALONE, false, failure.reason, message);
                return Some(Finding { status: ConditionStatus::Unknown, ..unknown });
            }
        }
    }
    Some(match context.watches.outsiders.report() {
        None => {
            let message = "no ClusterRoleBinding allows people to read Secrets or write in namespaces of teams";
            Finding::new(ACCESS_BY_TEAMS_ALONE, true, Reason::Ready, message)
        }
        Some(report) => Finding::new(ACCESS_BY_TEAMS_ALONE, false, Reason::ForeignAccess, report),
    })
}

/// Writes the status of an Engine object, if it changed.
pub async fn engine(context: &Context, name: &str) -> Result<(), Issue> {
    let Some(known) = context.store.engines.get(name) else { return Ok(()) };
    let teams = context.store.teams.names().into_iter();
    let followers = teams.filter(|team| context.uses.of(&context.cache, &context.store, team).contains(name)).count();
    let (metadata, status, _) = parts(&known, |engine| (&engine.metadata, json!(engine.status)));
    let capabilities = known.as_ref().ok().map(|engine| joined(&engine.spec.capabilities));
    let catalogue = context.store.catalogue();
    // One that cannot be read stands in the catalogue with the reason.
    let finding = match catalogue.get(name).map(|entry| entry.compiled.as_ref()) {
        Some(Err(error)) => Finding::new(READY, false, Reason::EngineInvalid, error.to_string()),
        _ => Finding::new(READY, true, Reason::Ready, "the engine can be used"),
    };
    tell(context, &Target::of::<Engine>(metadata), &status, followers, capabilities, [Some(finding), None, None, None])
        .await
}

/// The names of the capabilities as one text.
fn joined(capabilities: &[Capability]) -> String {
    capabilities.iter().map(|capability| capability.name()).collect::<Vec<_>>().join(", ")
}

/// Metadata, status, and why the object cannot be read, if so.
fn parts<'a, K>(
    known: &'a Known<K>,
    of: impl FnOnce(&'a K) -> (&'a ObjectMeta, Value),
) -> (&'a ObjectMeta, Value, Option<&'a str>) {
    match known {
        Ok(object) => {
            let (metadata, status) = of(object);
            (metadata, status, None)
        }
        Err(unreadable) => (&unreadable.metadata, unreadable.status.clone(), Some(&unreadable.error)),
    }
}

/// The first of the findings is the one on `Ready`.
async fn tell(
    context: &Context,
    target: &Target<'_>,
    known: &Value,
    users: usize,
    capabilities: Option<String>,
    findings: [Option<Finding>; 4],
) -> Result<(), Issue> {
    let generation = target.metadata.generation.unwrap_or_default();
    let before: Vec<Condition> = serde_json::from_value(known["conditions"].clone()).unwrap_or_default();
    let mut findings: Vec<Finding> = findings.into_iter().flatten().collect();
    let stalled = findings.first().filter(|finding| finding.reason != Reason::Ready).cloned();
    findings.extend(stalled.map(|finding| Finding { type_: STALLED, status: ConditionStatus::True, ..finding }));
    let mut status = json!({
        "observedGeneration": generation,
        "conditions": conditions(&before, &findings, generation, &now()),
        "teams": users,
    });
    if let Some(capabilities) = capabilities {
        status["capabilities"] = capabilities.into();
    }
    if *known == status {
        return Ok(());
    }
    replace(context, target, &status).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::api::AITeam;
    use crate::cluster::store::{Unreadable, followed};

    #[test]
    fn a_role_in_use_that_is_not_defined_is_reported() {
        let site: BlueprintSpec =
            serde_json::from_value(json!({"roles": [{"name": "Analyst", "shared": "Use"}]})).unwrap();
        let teams = |role: &str| BTreeMap::from([("fraud".to_owned(), vec![role.to_owned()])]);
        assert_eq!(roles(Some(&site), &teams("Analyst")).status, ConditionStatus::True);
        let found = roles(Some(&site), &teams("Analist"));
        assert_eq!((found.status, found.reason), (ConditionStatus::False, Reason::RoleUndefined));
        assert!(found.message.contains("Analist in team fraud (did you mean Analyst?)"), "{}", found.message);
        assert_eq!(roles(None, &teams("Analyst")).status, ConditionStatus::Unknown);
    }

    #[test]
    fn fields_of_a_blueprint_without_effect_are_reported() {
        let site = |spec: Value| serde_json::from_value::<BlueprintSpec>(spec).unwrap();
        assert_eq!(fields(Some(&site(json!({})))).status, ConditionStatus::True);
        let found = fields(Some(&site(json!({"budget": {"default": {"limits": {"cpu": "1"}}}}))));
        assert_eq!((found.status, found.reason), (ConditionStatus::False, Reason::Invalid));
        assert!(found.message.starts_with("spec.budget.default.limits.cpu has no effect"), "{}", found.message);
        assert_eq!(fields(None).status, ConditionStatus::Unknown);
    }

    #[test]
    fn unreadable_team_still_counts_for_its_blueprint() {
        let unreadable = |spec: Value| Err(Arc::new(Unreadable { spec, ..Unreadable::default() }));
        assert_eq!(followed(&unreadable(json!({"blueprint": "site", "members": "?"}))), Some("site"));
        assert_eq!(followed(&unreadable(json!({"blueprint": 7}))), None);
        let read = AITeam::new("a", crate::api::AITeamSpec { blueprint: "site".to_owned(), ..Default::default() });
        assert_eq!(followed(&Ok(Arc::new(read))), Some("site"));
    }
}
