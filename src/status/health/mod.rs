//! Judges the live objects: how every namespace and every component is.
//!
//! Pure: it reads the plan, the outcome of its write and the cache,
//! and makes no API calls.

pub mod pods;
pub mod summary;
pub mod work;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::reason::Class;
use crate::api::team_status::ComponentState;
use crate::api::{Capability, Issue, Layer, ObjectKey, Reason};
use crate::cluster::apply::outcome::{Outcome, Result, merged};
use crate::engine::{Verdict, objects_input};
use crate::objects::{Desired, Desires};
use crate::plan::{Instance, Plan, Problem, Scope};
pub use pods::{Missing, Trouble, troubles};
use pods::{missing, missing_secret, trouble};
use summary::WorkHealth;

/// The facts of the cache for judging.
pub struct LiveState<'a> {
    /// The state of an object, if it exists.
    pub live: &'a dyn Fn(&ObjectKey) -> Option<Value>,
    /// Pods of the team that do not run.
    pub troubles: Vec<Trouble>,
    /// The team's work, as it reports itself.
    pub work: Vec<WorkHealth>,
    /// Secrets that work pods wait for.
    pub waiting: Vec<Missing>,
}

/// How a team is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// By namespace, in the plan's order.
    pub namespaces: Vec<NamespaceHealth>,
    /// By component, worst first.
    pub components: Vec<ComponentHealth>,
    /// The team's work, worst first. It never makes the team unready.
    pub work: Vec<WorkHealth>,
    /// Secrets that pods wait for.
    pub missing: Vec<Missing>,
    /// Failures of the team as a whole.
    pub team: Vec<Issue>,
}

/// How a namespace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceHealth {
    /// Its name.
    pub name: String,
    /// Its layer.
    pub layer: Layer,
    /// Its project.
    pub project: Option<String>,
    /// Whether its project left the spec.
    pub retained: bool,
    /// Failures of Strata's objects in it, worst first.
    pub failures: Vec<Issue>,
}

/// How a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentHealth {
    /// Its layer.
    pub layer: Layer,
    /// Its project.
    pub project: Option<String>,
    /// The capabilities that it provides.
    pub capability: Capability,
    /// Its engine.
    pub engine: String,
    /// The revision in place.
    pub revision: String,
    /// Its namespace.
    pub namespace: String,
    /// How it is.
    pub state: ComponentState,
    /// Why, as a word.
    pub reason: Reason,
    /// Why, for a person.
    pub message: Option<String>,
    /// Where it is reached.
    pub endpoint: Option<String>,
}

/// Judges a team.
#[must_use]
pub fn health(plan: &Plan, desires: &Desires, outcome: &Outcome, live_state: &LiveState<'_>) -> Health {
    let problems: Vec<&Problem> =
        plan.problems.iter().chain(&desires.problems).filter(|problem| problem.blocking).collect();
    let mut components: Vec<_> = plan
        .instances
        .iter()
        .flat_map(|instance| component(instance, desires, outcome, live_state, &problems))
        .collect();
    components.sort_by(|left, right| {
        (left.state, left.layer, &left.namespace, left.capability).cmp(&(
            right.state,
            right.layer,
            &right.namespace,
            right.capability,
        ))
    });
    Health {
        namespaces: namespaces(plan, desires, outcome, &problems),
        components,
        work: summary::worst_first(live_state.work.clone()),
        missing: missing(&live_state.troubles, &live_state.waiting),
        team: team(outcome, &problems),
    }
}

fn team(outcome: &Outcome, problems: &[&Problem]) -> Vec<Issue> {
    let planned = problems.iter().filter(|problem| problem.scope == Scope::Team).map(|problem| problem.issue.clone());
    let cluster_scoped = outcome
        .failures()
        .filter(|(key, _)| key.namespace.is_none() && key.built_in() != "Namespace")
        .map(|(_, failure)| failure.clone());
    worst_first(planned.chain(cluster_scoped).collect())
}

fn namespaces(plan: &Plan, desires: &Desires, outcome: &Outcome, problems: &[&Problem]) -> Vec<NamespaceHealth> {
    let of_engines = desires.objects.iter().filter(|desired| desired.component.is_some());
    let of_engines: BTreeSet<&ObjectKey> = of_engines.map(|desired| &desired.key).collect();
    plan.namespaces
        .iter()
        .map(|namespace| {
            let planned = problems
                .iter()
                .filter(|problem| problem.scope == Scope::Namespace(namespace.name.clone()))
                .map(|problem| problem.issue.clone());
            let blocked = outcome.blocked(&namespace.name).cloned();
            let written = merged(outcome.failures().filter(|(key, _)| {
                let here = key.namespace.as_deref() == Some(&namespace.name)
                    || key.built_in() == "Namespace" && key.name == namespace.name;
                here && !of_engines.contains(key)
            }));
            let contested = outcome
                .contested
                .iter()
                .filter(|(key, _)| {
                    key.namespace.as_deref() == Some(&namespace.name) && !of_engines.contains(key)
                        || key.built_in() == "Namespace" && key.name == namespace.name
                })
                .map(|(key, contender)| contender.failure(key));
            let failures = worst_first(blocked.into_iter().chain(planned).chain(written).chain(contested).collect());
            NamespaceHealth {
                name: namespace.name.clone(),
                layer: namespace.layer,
                project: namespace.project.clone(),
                retained: namespace.retained,
                failures,
            }
        })
        .collect()
}

/// Failures that need action before those that pass; each message once.
fn worst_first(mut failures: Vec<Issue>) -> Vec<Issue> {
    failures.sort_by(|left, right| {
        let rank = |failure: &Issue| std::cmp::Reverse(failure.class());
        (rank(left), &left.message).cmp(&(rank(right), &right.message))
    });
    failures.dedup();
    failures
}

fn component(
    instance: &Instance,
    desires: &Desires,
    outcome: &Outcome,
    live_state: &LiveState<'_>,
    problems: &[&Problem],
) -> Vec<ComponentHealth> {
    let (state, reason, message) = judge(instance, desires, outcome, live_state, problems);
    let endpoint =
        instance.engine.as_ref().and_then(|engine| engine.endpoint(&instance.inputs.to_value()).ok().flatten());
    let one = |capability: &Capability| ComponentHealth {
        layer: instance.layer,
        project: instance.project.clone(),
        capability: *capability,
        engine: instance.id.engine.clone(),
        revision: instance.revision.clone(),
        namespace: instance.id.namespace.clone(),
        state,
        reason,
        message: message.clone(),
        endpoint: endpoint.clone(),
    };
    instance.capabilities.iter().map(one).collect()
}

type Judgement = (ComponentState, Reason, Option<String>);

fn failed(failure: &Issue) -> Judgement {
    let state = match failure.class() {
        Class::Invalid => ComponentState::Failed,
        _ => ComponentState::Progressing,
    };
    (state, failure.reason, Some(failure.message.clone()))
}

fn judge(
    instance: &Instance,
    desires: &Desires,
    outcome: &Outcome,
    live_state: &LiveState<'_>,
    problems: &[&Problem],
) -> Judgement {
    // An instance held only by an available revision is judged as it runs.
    let waiting = instance.hold.as_ref().filter(|hold| hold.reason.class() == Class::Fine);
    if let (Some(hold), None) = (&instance.hold, waiting) {
        return failed(hold);
    }
    if let Some(problem) = problems.iter().find(|problem| problem.scope == Scope::Component(instance.id.clone())) {
        return failed(&problem.issue);
    }
    if let Some(failure) = outcome.blocked(&instance.id.namespace) {
        return failed(failure);
    }
    let all = desires.objects.iter().chain(&desires.held);
    let own: Vec<&Desired> = all.filter(|desired| desired.component.as_ref() == Some(&instance.id)).collect();
    let written = merged(own.iter().filter_map(|desired| Some((&desired.key, outcome.failure(&desired.key)?))));
    if let Some(failure) = worst_first(written).first() {
        return failed(failure);
    }
    match verdict(instance, &own, live_state) {
        Verdict::Ready => match own.iter().find_map(|desired| outcome.contested.get_key_value(&desired.key)) {
            Some((key, contender)) => failed(&contender.failure(key)),
            None => match waiting {
                Some(hold) => (ComponentState::Ready, hold.reason, Some(hold.message.clone())),
                None => (ComponentState::Ready, Reason::Ready, trust(instance)),
            },
        },
        Verdict::Failing { reason, message } => trouble(&instance.id, live_state)
            .unwrap_or_else(|| (ComponentState::Failed, known_reason(&reason), Some(message))),
        Verdict::Waiting { message } => trouble(&instance.id, live_state).unwrap_or((
            ComponentState::Progressing,
            Reason::Progressing,
            Some(message),
        )),
    }
}

fn verdict(instance: &Instance, own: &[&Desired], live_state: &LiveState<'_>) -> Verdict {
    let Some(engine) = &instance.engine else { return Verdict::Ready };
    let live = objects_input(&instance.objects, |rendered| {
        (live_state.live)(&own.iter().find(|desired| desired.is_of(rendered))?.key)
    });
    engine.judge(&instance.inputs.with_objects(live))
}

/// The note on a ready engine that does not check roles.
fn trust(instance: &Instance) -> Option<String> {
    let knows_no_users = instance.engine.as_ref().is_some_and(|engine| engine.spec().knows_no_users);
    let message = "the service does not check roles: every pod that can reach it may read and change everything in it";
    knows_no_users.then(|| message.to_owned())
}

/// The reason an engine's rule names, if it is one of the closed set.
fn known_reason(word: &str) -> Reason {
    // The word of the Deployment controller for pods that a quota or a policy refuses.
    if word == "FailedCreate" {
        return Reason::Refused;
    }
    Reason::ALL.iter().map(|(reason, _)| *reason).find(|reason| reason.name() == word).unwrap_or(Reason::EngineFailing)
}

/// Whether an outcome is worth an Event: another writer changed an object of Strata.
#[must_use]
pub fn repaired(outcome: &Outcome) -> Vec<(&ObjectKey, Option<&str>)> {
    outcome
        .results
        .iter()
        .filter_map(|(key, result)| match result {
            Result::Repaired { by } => Some((key, by.as_deref())),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_has_to_fix_comes_first() {
        let wait = Issue::new(Reason::Progressing, "a");
        let fix = Issue::new(Reason::Conflict, "b");
        assert_eq!(worst_first(vec![wait.clone(), fix.clone(), wait.clone()]), vec![fix, wait]);
    }
}
