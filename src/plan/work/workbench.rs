//! `Workbench`: one server of one person, which runs while the newest event asks for it.
//!
//! A cause to stop is checked first and outweighs everything: the server of
//! a person who left stops, whether or not its image can still be found.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::decision::{self, Decided};
use super::pod_state::Pod;
use super::{Detail, ResolvedSpec, Scale, WorkFacts, data, invalid, pod};
use crate::api::labels::{STARTED_AT, STOPPED_AT};
use crate::api::vocabulary::Level;
use crate::api::work::Workbench;
use crate::api::work::workbench::{Cause, Decision, DesiredState, OwnerMembership};
use crate::api::{Issue, Reason, labels};
use crate::engine::work::{WorkInputs, WorkbenchInputs};
use crate::plan::check::allowed_registries;
use crate::plan::prefixes::doubled_owner;
use crate::plan::{Right, Subject, volume};

/// The id of the engine's template whose replicas are the server.
const SERVER: &str = "server";

/// Facts of a workbench for its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkbenchDetail {
    /// The image in full.
    pub image: String,
    /// The claim of the home volume.
    pub claim: String,
    /// Whether the server should run.
    pub wanted: bool,
    /// Why it is not, if that is not because of `spec.desiredState`.
    pub down: Option<Issue>,
    /// Advice on the owner's name.
    pub advice: Option<String>,
    /// The event that decides whether it should run.
    pub decision: Option<Decision>,
    /// Why annotations do not count, for a person.
    pub ignored: Vec<String>,
    /// The time at which an annotation that lies in the future counts.
    pub due: Option<Time>,
    /// The way in which the team admits the owner.
    pub owner: Option<OwnerMembership>,
    /// Since when the owner is known to have left.
    pub owner_left: Option<Time>,
}

/// The resolved spec of a workbench.
pub fn draft(workbench: &Workbench, facts: &WorkFacts<'_>) -> Result<ResolvedSpec, Issue> {
    let name = workbench.metadata.name.clone().unwrap_or_default();
    let claim = format!("workbench-{name}");
    let mut standing = standing(workbench, &claim, facts);
    if standing.decided.runs() && standing.down.is_none() {
        // A server with the claim of another owner does not go on either.
        standing.down = data::conflict(&workbench.spec.datasets, facts);
    }
    if standing.down.is_none() {
        within_the_limit(&name, workbench, facts)?;
    }
    let wanted = standing.decided.runs() && standing.down.is_none();
    let replaced = wanted && never_came_up(&name, facts);
    let (inputs, found) = match inputs(&name, &claim, workbench, facts) {
        Ok(inputs) => (inputs, true),
        // A server that should not run is stopped, whatever other problems it has.
        Err(_) if !wanted => (unresolved(&name, workbench), false),
        Err(hold) => return Err(hold),
    };
    let detail = WorkbenchDetail {
        image: inputs.image.clone(),
        claim,
        wanted,
        down: standing.down,
        advice: doubled_owner(&workbench.spec.owner, "workbench", &facts.plan.prefixes),
        decision: Some(standing.decided.newest),
        ignored: standing.decided.ignored,
        due: standing.decided.due,
        owner: standing.owner,
        owner_left: standing.owner_left,
    };
    Ok(ResolvedSpec {
        work: WorkInputs { workbench: Some(inputs), ..WorkInputs::default() },
        write: found && !facts.namespace.retained,
        scale: Some(Scale { template: SERVER.to_owned(), replicas: i64::from(wanted && !replaced) }),
        detail: Detail::Workbench(detail),
        ..ResolvedSpec::default()
    })
}

/// The variables of the engine, once everything that is named was found.
fn inputs(name: &str, claim: &str, workbench: &Workbench, facts: &WorkFacts<'_>) -> Result<WorkbenchInputs, Issue> {
    let spec = &workbench.spec;
    own_home(claim, &spec.owner, facts)?;
    within_the_limit(name, workbench, facts)?;
    no_image_of_any_choice(&spec.image, facts)?;
    Ok(WorkbenchInputs {
        name: name.to_owned(),
        owner: spec.owner.clone(),
        image: pod::image("spec.image", &spec.image, facts)?,
        sized: pod::sized("spec.size", &spec.size, facts)?,
        storage: storage(claim, &spec.storage.text(), facts),
        idle_timeout_minutes: spec.idle_timeout_minutes,
        datasets: data::given("spec.datasets", &spec.datasets, data::User::Person, facts)?,
    })
}

/// The size of the home: of an existing larger one, that size.
fn storage(claim: &str, wanted: &str, facts: &WorkFacts<'_>) -> String {
    volume::kept(wanted, &(facts.live)("PersistentVolumeClaim", claim).unwrap_or_default())
}

/// So many workbenches a person may have, the oldest of them, up or down. One that was
/// made stays.
fn within_the_limit(name: &str, workbench: &Workbench, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let limits = facts.plan.site.limits.as_ref();
    let Some(most) = limits.and_then(|limits| limits.workbenches_per_person) else { return Ok(()) };
    let (here, number) = (&facts.namespace.name, usize::try_from(most).unwrap_or(usize::MAX));
    let made = || (facts.live)("StatefulSet", &format!("workbench-{name}")).is_some();
    if facts.neighbours.older_workbenches(here, workbench, number) < number || made() {
        return Ok(());
    }
    Err(invalid(format!(
        "{} already has {most} older workbenches in {here}, the most that Blueprint {} allows \
         (limits.workbenchesPerPerson). Delete one",
        workbench.spec.owner, facts.team.spec.blueprint
    )))
}

/// Whoever may only use a Workspace makes no pods of any choice: where the site
/// names no registries, a workbench takes an image by its name.
fn no_image_of_any_choice(image: &str, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let free = allowed_registries(&facts.plan.identity.name, &facts.plan.site).is_empty();
    if !image.contains('/') || !free {
        return Ok(());
    }
    Err(invalid(format!(
        "spec.image is '{image}', but Blueprint {} allows no registries. Choose one of its images, or one of the \
         team's shared.images",
        facts.team.spec.blueprint
    )))
}

/// The plan of a stopped server with an unresolved reference.
fn unresolved(name: &str, workbench: &Workbench) -> WorkbenchInputs {
    let spec = &workbench.spec;
    let image = workbench.status.as_ref().and_then(|status| status.image.clone());
    WorkbenchInputs {
        name: name.to_owned(),
        owner: spec.owner.clone(),
        image: image.unwrap_or_else(|| spec.image.clone()),
        storage: spec.storage.text().into_owned(),
        idle_timeout_minutes: spec.idle_timeout_minutes,
        ..WorkbenchInputs::default()
    }
}

/// A home outlives its workbench, and only the same owner gets it back. A volume
/// without an annotation with an owner was not made by Strata, so no owner may claim it.
fn own_home(claim: &str, owner: &str, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let Some(live) = (facts.live)("PersistentVolumeClaim", claim) else { return Ok(()) };
    let whose = live["metadata"]["annotations"][labels::OWNER].as_str();
    if whose == Some(owner) {
        return Ok(());
    }
    let whose =
        whose.map_or_else(|| "has no annotation with an owner".to_owned(), |whose| format!("belongs to {whose}"));
    let message = format!(
        "the home volume {claim} {whose}, but the owner of the workbench is {owner}. Give the workbench another name, \
         or ask an administrator to remove the volume"
    );
    Err(Issue::new(Reason::Conflict, message))
}

/// Whether the server is to start over: its settings changed, and with those before it
/// never started, so no work is lost.
fn never_came_up(name: &str, facts: &WorkFacts<'_>) -> bool {
    let Some(live) = (facts.live)("StatefulSet", &format!("workbench-{name}")) else { return false };
    runs_as_before(&live) && facts.pods.iter().any(|pod| !pod.deleting && never_ran(pod))
}

/// Whether the pod is of settings before those that are written now.
#[must_use]
pub fn runs_as_before(set: &serde_json::Value) -> bool {
    let count = |field: &str| set["status"][field].as_i64().unwrap_or(0);
    let observed = set["status"]["observedGeneration"].as_i64() >= set["metadata"]["generation"].as_i64();
    // The set's own revisions do not tell: of one that is updated on delete the
    // current one stays what it was for ever.
    observed && count("updatedReplicas") < count("replicas")
}

fn never_ran(pod: &Pod) -> bool {
    let mut own = pod.containers.iter().filter(|container| !container.init);
    own.all(|container| container.running.is_none() && container.ended.is_none() && container.before.is_none())
}

/// The cause that keeps a server stopped, and the facts to record.
struct Standing {
    down: Option<Issue>,
    decided: Decided,
    owner: Option<OwnerMembership>,
    owner_left: Option<Time>,
}

fn standing(workbench: &Workbench, claim: &str, facts: &WorkFacts<'_>) -> Standing {
    let (spec, status) = (&workbench.spec, workbench.status.clone().unwrap_or_default());
    let decided = decision::decide(workbench, facts.pods, facts.now);
    if facts.namespace.retained {
        let home = (facts.live)("PersistentVolumeClaim", claim).map_or("", |_| "the home volume is kept, and ");
        let message =
            format!("{} is retained: {home}no server starts until its team and project are back", facts.namespace.name);
        let down = Some(Issue::new(Reason::Retained, message));
        return Standing { down, decided, owner: status.owner_membership, owner_left: status.owner_left_time };
    }
    let holders = Holders::of(&spec.owner, facts);
    let owner_left = left(workbench, &holders, facts.now);
    let owner = match (&owner_left, &holders) {
        (Some(_), _) => Some(OwnerMembership::Left),
        (None, Holders { named: true, .. }) => Some(OwnerMembership::ByName),
        (None, Holders { groups: true, .. }) => Some(OwnerMembership::ByGroup),
        (None, _) => None,
    };
    let down = match (decided.runs() || decided.newest.cause == Cause::Idle, owner) {
        (true, Some(OwnerMembership::Left)) => Some(no_longer_named(workbench, facts)),
        (true, None) => Some(never_named(&spec.owner, facts)),
        _ => stopped(workbench, &decided.newest),
    };
    Standing { down, decided, owner, owner_left }
}

/// The people and groups that may have a workbench here, by the team's spec.
struct Holders {
    /// Whether the owner is among them by name.
    named: bool,
    /// Whether any group is among them, which may hold the owner: only the
    /// identity provider knows.
    groups: bool,
}

impl Holders {
    fn of(owner: &str, facts: &WorkFacts<'_>) -> Self {
        let user = format!("{}{owner}", facts.plan.prefixes.user);
        let here = facts.plan.grants.iter().filter(|grant| {
            grant.namespace == facts.namespace.name && matches!(grant.right, Right::Level(level) if level >= Level::Use)
        });
        let subjects: Vec<&Subject> = here.flat_map(|grant| &grant.subjects).collect();
        Self {
            named: subjects.iter().any(|subject| matches!(subject, Subject::User(name) if *name == user)),
            groups: subjects.iter().any(|subject| matches!(subject, Subject::Group(_))),
        }
    }
}

/// Since when the owner, who was named, is no longer. An owner who is a member by a group
/// confirms it by starting the server again.
fn left(workbench: &Workbench, holders: &Holders, now: &Time) -> Option<Time> {
    let status = workbench.status.as_ref()?;
    let since = match status.owner_membership {
        Some(OwnerMembership::ByName) => Some(now.clone()),
        Some(OwnerMembership::Left) => status.owner_left_time.clone().or_else(|| Some(now.clone())),
        // Of an operator that recorded neither this nor a decision.
        None if status.decision.is_none() && decision::has_reason(status, Reason::OwnerLeft) => decision::since(status),
        Some(OwnerMembership::ByGroup) | None => None,
    }?;
    let confirmed = holders.groups && decision::started(workbench, now).is_some_and(|started| started > since);
    (!holders.named && !confirmed).then_some(since)
}

/// Why the server is down if something else than the spec stopped it.
fn stopped(workbench: &Workbench, newest: &Decision) -> Option<Issue> {
    if newest.state == DesiredState::Running {
        return None;
    }
    let start = decision::command(workbench, STARTED_AT);
    let (reason, why) = match newest.cause {
        Cause::Spec => return None,
        Cause::Annotation => (Reason::Stopped, format!("the server was stopped by the annotation {STOPPED_AT}")),
        Cause::Idle => (Reason::Idle, "the server stopped itself because it was idle".to_owned()),
        Cause::Upgrade => (Reason::Stopped, "the server was down before its Workbench was upgraded".to_owned()),
    };
    Some(Issue::new(reason, format!("{why}. To start it: {start}")))
}

fn no_longer_named(workbench: &Workbench, facts: &WorkFacts<'_>) -> Issue {
    let (owner, team) = (&workbench.spec.owner, &facts.plan.identity.name);
    let message = format!(
        "the server was stopped: {owner} is no longer a member of team {team} with a role for workbenches in {}. Add \
         {owner} to members. If one of the groups there has {owner}, start it instead: {}",
        facts.namespace.name,
        decision::command(workbench, STARTED_AT)
    );
    Issue::new(Reason::OwnerLeft, message)
}

fn never_named(owner: &str, facts: &WorkFacts<'_>) -> Issue {
    let advice = doubled_owner(owner, "workbench", &facts.plan.prefixes);
    let advice = advice.unwrap_or_else(|| format!("Add {owner} or a group to members"));
    let hold = invalid(format!(
        "team {} has neither {owner} nor a group with a role for workbenches in {}, so {owner} could not enter this \
         one. {advice}",
        facts.plan.identity.name, facts.namespace.name
    ));
    Issue { reason: Reason::OwnerLeft, ..hold }
}

#[cfg(test)]
#[path = "workbench_tests.rs"]
mod tests;
