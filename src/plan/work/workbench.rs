//! `Workbench`: one server of one person, which runs while `running` is true.
//!
//! A cause to stop is checked first and outweighs everything: the server of
//! a person who left stops, whether or not its image can still be found.

use super::pod_state::Pod;
use super::{Detail, ResolvedSpec, Scale, WorkFacts, data, invalid, pod};
use crate::api::quantity::Amount;
use crate::api::status::READY;
use crate::api::vocabulary::Level;
use crate::api::work::Workbench;
use crate::api::work::workbench::WorkbenchStatus;
use crate::api::{Issue, Reason, labels};
use crate::engine::work::{WorkInputs, WorkbenchInputs};
use crate::plan::check::allowed_registries;
use crate::plan::{Right, Subject};

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
    /// Why it is not, if that is not because of `spec.running`.
    pub down: Option<Issue>,
    /// To be kept in the status while something holds it down until `spec.start`
    /// is another: the text as it was then.
    pub ended_at_start: Option<String>,
    /// Whether the team names the owner by name, or did when the server last ran.
    pub owner_named: bool,
}

/// The resolved spec of a workbench.
pub fn draft(workbench: &Workbench, facts: &WorkFacts<'_>) -> Result<ResolvedSpec, Issue> {
    let name = workbench.metadata.name.clone().unwrap_or_default();
    let claim = format!("workbench-{name}");
    let standing = standing(workbench, &claim, facts);
    if standing.down.is_none() {
        within_the_limit(&name, workbench, facts)?;
    }
    let wanted = workbench.spec.running && standing.down.is_none();
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
        ended_at_start: standing.ended_at_start,
        owner_named: standing.owner_named,
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
        datasets: data::given("spec.datasets", &spec.datasets, data::User::Person, facts)?,
    })
}

/// The size of the home: of an existing larger one, that size. A volume can only grow.
fn storage(claim: &str, wanted: &str, facts: &WorkFacts<'_>) -> String {
    let live = (facts.live)("PersistentVolumeClaim", claim).unwrap_or_default();
    let there = live["spec"]["resources"]["requests"]["storage"].as_str();
    let larger = |there: &&str| matches!((Amount::parse(there), Amount::parse(wanted)), (Ok(there), Ok(wanted)) if there > wanted);
    there.filter(larger).unwrap_or(wanted).to_owned()
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
    let seen = set["status"]["observedGeneration"].as_i64() >= set["metadata"]["generation"].as_i64();
    // The set's own revisions do not tell: of one that is updated on delete the
    // current one stays what it was for ever.
    seen && count("updatedReplicas") < count("replicas")
}

fn never_ran(pod: &Pod) -> bool {
    let mut own = pod.containers.iter().filter(|container| !container.init);
    own.all(|container| container.running.is_none() && container.ended.is_none() && container.before.is_none())
}

/// The cause that keeps a server stopped, and the facts to record.
struct Standing {
    down: Option<Issue>,
    ended_at_start: Option<String>,
    owner_named: bool,
}

fn standing(workbench: &Workbench, claim: &str, facts: &WorkFacts<'_>) -> Standing {
    let (spec, status) = (&workbench.spec, workbench.status.clone().unwrap_or_default());
    if facts.namespace.retained {
        let home = (facts.live)("PersistentVolumeClaim", claim).map_or("", |_| "the home volume is kept, and ");
        let message =
            format!("{} is retained: {home}no server starts until its team and project are back", facts.namespace.name);
        let down = Some(Issue::new(Reason::Retained, message));
        return Standing { down, ended_at_start: status.ended_at_start, owner_named: status.owner_named == Some(true) };
    }
    let holders = Holders::of(&spec.owner, facts);
    let left = left(spec.start.as_deref().unwrap_or_default(), &status, &holders);
    let owner_named = holders.named || left;
    if !spec.running {
        return Standing { down: None, ended_at_start: None, owner_named };
    }
    let ended_at_start = ended_at_start(workbench, &status, &holders, left, facts.pods);
    let down = if left {
        Some(no_longer_named(&spec.owner, facts))
    } else if !holders.named && !holders.groups {
        Some(never_named(&spec.owner, facts))
    } else {
        ended_at_start.as_ref().map(|at| rests(at == spec.start.as_deref().unwrap_or_default()))
    };
    Standing { down, ended_at_start, owner_named }
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

/// Whether the owner was named and no longer is. An owner who is a member by a
/// group confirms it by changing `spec.start`.
fn left(start: &str, status: &WorkbenchStatus, holders: &Holders) -> bool {
    let gone = !holders.named && status.owner_named == Some(true);
    let asked_since = was_left(status) && status.ended_at_start.as_ref().is_some_and(|at| at != start);
    gone && !(asked_since && holders.groups)
}

/// Whether the status already says that the owner left.
fn was_left(status: &WorkbenchStatus) -> bool {
    let ready = status.conditions.iter().find(|condition| condition.type_ == READY);
    ready.is_some_and(|ready| ready.reason == Reason::OwnerLeft.name())
}

/// `spec.start` as it was when the server went down, while it is to stay down.
fn ended_at_start(
    workbench: &Workbench,
    status: &WorkbenchStatus,
    holders: &Holders,
    left: bool,
    pods: &[Pod],
) -> Option<String> {
    let start = workbench.spec.start.clone().unwrap_or_default();
    if left {
        // Recorded again at its first observation: an earlier value does not count.
        return status.ended_at_start.clone().filter(|_| was_left(status)).or(Some(start));
    }
    // Being named again is enough for who was stopped for not being so.
    let recorded = status.ended_at_start.clone().filter(|_| !(holders.named && was_left(status)));
    match recorded {
        Some(at) if at == start => Some(at),
        // Another start begins when the last pod is gone: what that one said of its
        // end would be taken for the word of the next.
        Some(at) if !pods.is_empty() => Some(at),
        Some(_) => None,
        None => pods.iter().any(ended_idle).then_some(start),
    }
}

/// Whether the server in the pod stopped itself because it was idle. The
/// kubelet starts it again at once, so the end before counts as well.
fn ended_idle(pod: &Pod) -> bool {
    let idle =
        |message: &str| serde_json::from_str::<serde_json::Value>(message).is_ok_and(|said| said["ended"] == "idle");
    !pod.deleting
        && pod.containers.iter().filter(|container| !container.init).any(|container| {
            let last = container.ended.as_ref().or(container.before.as_ref());
            last.is_some_and(|ended| ended.exit_code == 0 && idle(&ended.message))
        })
}

fn rests(same: bool) -> Issue {
    if same {
        let message = "the server stopped itself because it was idle. To start it again, change the text of spec.start";
        return Issue::new(Reason::Idle, message);
    }
    let message = "the server starts again when its previous pod is gone";
    Issue::new(Reason::Progressing, message)
}

fn no_longer_named(owner: &str, facts: &WorkFacts<'_>) -> Issue {
    let team = &facts.plan.identity.name;
    let message = format!(
        "the server was stopped: {owner} is no longer a member of team {team} with a role for workbenches in {}. Add \
         {owner} to members. If one of the groups there has {owner}, change the text of spec.start instead",
        facts.namespace.name
    );
    Issue::new(Reason::OwnerLeft, message)
}

fn never_named(owner: &str, facts: &WorkFacts<'_>) -> Issue {
    let hold = invalid(format!(
        "team {} has neither {owner} nor a group with a role for workbenches in {}, so {owner} could not enter this \
         one. Add {owner} or a group to members",
        facts.plan.identity.name, facts.namespace.name
    ));
    Issue { reason: Reason::OwnerLeft, ..hold }
}

#[cfg(test)]
#[path = "workbench_tests.rs"]
mod tests;
