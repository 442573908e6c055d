//! `strata plan`: what the operator would change in a cluster, team by team.
//!
//! It looks through the operator's own eyes (the same watches, plan and
//! comparison) and writes nothing.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::api::identity::Request;
use crate::api::kinds::{WriteStrategy, built_in};
use crate::api::{AITeam, Prefixes};
use crate::cluster::cache::ObjectCache;
use crate::cluster::client::{ConnectError, connect};
use crate::objects::{Desired, desired};
use crate::reconcile::context::Context;
use crate::reconcile::observe::{Recorded, observe};
use crate::reconcile::start::start;
use crate::reconcile::team::{desires, keep, planned};
use crate::reconcile::work::written::of_work;
use crate::telemetry::metrics::Metrics;

/// How long the cluster may take to list what is there.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than this program runs.
const WATCH: Duration = Duration::from_secs(200);

/// Why nothing can be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The cluster cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The cluster did not list everything in time.
    #[error(
        "failed to list {0} within a minute. Check that the cluster runs, that Strata's definitions are installed, and \
         that you may read them"
    )]
    Unlisted(String),
    /// A team that is asked for by name is not there.
    #[error("the cluster has no AITeam {0}. Name one that exists, or give its file with -f")]
    Unknown(String),
}

/// What would be changed.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// The changes, for people.
    pub text: String,
    /// How many objects would be changed.
    pub changes: usize,
    /// What is not as the teams ask, one sentence each.
    pub warnings: Vec<String>,
    /// Teams of which nothing can be planned, and why.
    pub held: Vec<String>,
}

/// Plans the teams given, else those named, else every team of the cluster.
pub async fn plan(
    kubeconfig: Option<&Path>,
    given: &[AITeam],
    names: &[String],
    prefixes: Option<Prefixes>,
) -> Result<Planned, PlanError> {
    let client = connect(kubeconfig).await?;
    let context = Context::new(client, "strata plan".to_owned(), Arc::new(Metrics::default()), WATCH, prefixes);
    start(&context);
    wait_until_listed(&context).await?;
    let mut result = Planned::default();
    for team in teams(&context, given, names)? {
        of_team(&context, &team, &mut result).await?;
    }
    Ok(result)
}

async fn wait_until_listed(context: &Context) -> Result<(), PlanError> {
    let begun = tokio::time::Instant::now();
    while !context.listing().is_empty() {
        if begun.elapsed() > PATIENCE {
            return Err(PlanError::Unlisted(context.listing().join(", ")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The teams to plan, those from files as the objects in the cluster that they are.
fn teams(context: &Context, given: &[AITeam], names: &[String]) -> Result<Vec<AITeam>, PlanError> {
    let live = |name: &str| -> Option<AITeam> { context.store.teams.get(name)?.ok().map(Arc::unwrap_or_clone) };
    if !given.is_empty() {
        let as_live = given.iter().map(|team| {
            let known = live(team.name()).unwrap_or_else(|| team.clone());
            AITeam { spec: team.spec.clone(), ..known }
        });
        return Ok(as_live.collect());
    }
    if names.is_empty() {
        return Ok(context.store.teams.names().iter().filter_map(|name| live(name)).collect());
    }
    names.iter().map(|name| live(name).ok_or_else(|| PlanError::Unknown(name.clone()))).collect()
}

async fn of_team(context: &Context, team: &AITeam, result: &mut Planned) -> Result<(), PlanError> {
    let name = team.name();
    let known = Recorded { cache: &context.cache, snapshot: None };
    let plan = observe(team, &context.store, &known, false, context.prefixes.as_ref())
        .map_err(|failure| failure.message)
        .and_then(|mut observed| planned(context, team, &mut observed).map_err(|failure| failure.message));
    let mut plan = match plan {
        Ok(plan) => plan,
        Err(why) => {
            result.held.push(format!("team {name} is held, so nothing would be changed: {why}"));
            return Ok(());
        }
    };
    context.follow_kinds(&desired(&plan).objects);
    wait_until_listed(context).await?;
    let desires = desires(&context.cache, &mut plan);
    let problems = plan.problems.iter().chain(&desires.problems);
    result.warnings.extend(problems.map(|problem| format!("team {name}: {}", problem.issue.message)));
    let mut changes: Vec<String> = desires
        .objects
        .iter()
        .filter_map(|wanted| change(&context.cache, &Request::Team(name.to_owned()), wanted))
        .collect();
    let mut keep = keep(team, &plan, &desires);
    keep.desired.extend(of_work(&context.store, &context.cache, name));
    let gone = context.cache.team(name).into_iter().filter(|(key, entry)| keep.prunes(key, entry));
    changes.extend(gone.map(|(key, _)| format!("- {key}")));
    result.changes += changes.len();
    // Writing into a String cannot fail.
    let _ = match changes.len() {
        0 => writeln!(result.text, "team {name}: {} objects, none would be changed", desires.objects.len()),
        number => writeln!(result.text, "team {name}: {number} of {} objects would be changed", desires.objects.len()),
    };
    for line in changes {
        let _ = writeln!(result.text, "  {line}");
    }
    Ok(())
}

/// What would be done about one object, if anything.
fn change(cache: &ObjectCache, owner: &Request, wanted: &Desired) -> Option<String> {
    let key = &wanted.key;
    let write_strategy = built_in(&key.group, &key.kind).map_or(WriteStrategy::Apply, |kind| kind.write_strategy);
    match cache.get(key) {
        None => Some(format!("+ {key}")),
        Some(entry) if entry.deleting => Some(format!("+ {key}, when the one that is being deleted is gone")),
        Some(entry) if !crate::cluster::apply::is_ours(&entry, key, owner) => {
            Some(format!("! {key} was not made by Strata and would not be changed"))
        }
        Some(_) if cache.holds(key, &wanted.object, write_strategy) => None,
        Some(_) => Some(format!("~ {key}")),
    }
}
