//! `Run`: one `Job`, written once from the pipeline as it is then.

use std::collections::BTreeMap;

use serde_json::Value;

use super::dataset::connections;
use super::pipeline::inputs;
use super::steps::{parameters, quoted, recorded, resolve};
use super::{Detail, ResolvedSpec, WorkFacts, data, invalid};
use crate::api::labels::{TRACKING_ANNOTATIONS, TRACKING_LABELS};
use crate::api::work::pipeline::PipelineSpec;
use crate::api::work::run::{EXPIRED, RunState, RunStatus, StepStatus};
use crate::api::work::{Parameter, Pipeline, Run};
use crate::api::{Issue, Reason};
use crate::engine::work::{MountedInputs, RunInputs, StepInputs, VariableInputs, WorkInputs};

/// Of how many finished runs Jobs are kept once their pipeline is gone.
const KEPT: usize = 10;

/// Facts of a run for its status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunDetail {
    /// The Job.
    pub job: String,
    /// The steps as they are to run; of a run that started, as its Job has them.
    pub steps: Vec<StepStatus>,
    /// Whether the Job is to go: the run ended and newer ones are kept.
    pub surplus: bool,
}

/// What a run asks for. One that started is never written again: neither what
/// became of its pipeline nor the loss of its Job starts it a second time.
pub fn draft(run: &Run, facts: &WorkFacts<'_>) -> Result<ResolvedSpec, Issue> {
    let name = run.metadata.name.as_deref().unwrap_or_default();
    let job = format!("run-{name}");
    let status = run.status.clone().unwrap_or_default();
    let live = (facts.live)("Job", &job);
    if live.is_some() || status.job.is_some() || has_ended(&status) {
        let steps =
            if status.steps.is_empty() { live.as_ref().map(of_job).unwrap_or_default() } else { status.steps.clone() };
        let surplus = has_ended(&status) && is_surplus(run, facts);
        return Ok(ResolvedSpec { detail: Detail::Run(RunDetail { job, steps, surplus }), ..ResolvedSpec::default() });
    }
    if facts.namespace.retained {
        let message = format!("the project of {} left the team's spec, so no run starts", facts.namespace.name);
        return Err(Issue::new(Reason::Retained, message));
    }
    let Some(pipeline) = facts.neighbours.pipeline(&facts.namespace.name, &run.spec.pipeline)? else {
        return Err(invalid(format!(
            "spec.pipeline is '{}', but {} has no pipeline of that name. Create it, or create another run",
            run.spec.pipeline, facts.namespace.name
        )));
    };
    let resolved = resolve(&pipeline.spec, &values(run, &pipeline.spec)?, facts)
        .map_err(|hold| hold.of(&format!("pipeline {}", run.spec.pipeline)))?;
    are_given(&resolved.datasets, facts)?;
    let steps = resolved.steps.iter().map(recorded).collect();
    let of_site = || facts.plan.site.runs.as_ref()?.active_deadline_seconds;
    let deadline = run.spec.active_deadline_seconds.or(pipeline.spec.active_deadline_seconds).or_else(of_site);
    let inputs = RunInputs { active_deadline_seconds: deadline, ..inputs(job.clone(), &pipeline.spec, resolved) };
    let work = WorkInputs { run: Some(inputs), ..WorkInputs::default() };
    let detail = Detail::Run(RunDetail { job, steps, surplus: false });
    Ok(ResolvedSpec { work, write: true, detail, ..ResolvedSpec::default() })
}

/// That the pod will find the datasets that its steps name. One of a moment ago
/// gives its settings with the next pass over the team, and that wakes the run.
fn are_given(datasets: &[MountedInputs], facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let (here, known) = (&facts.namespace.name, &facts.namespace.datasets.values);
    for MountedInputs { name, .. } in datasets {
        let Some(found) = data::find(name, facts)? else { continue };
        if connections(&found.dataset, here, name).iter().any(|(setting, value)| known.get(setting) != Some(value)) {
            let message = format!(
                "the run starts when ConfigMap `connections` has the settings of dataset {name}. If this lasts, see \
                 the status of the dataset"
            );
            return Err(Issue::new(Reason::Progressing, message));
        }
    }
    Ok(())
}

/// Whether a run came to its end, which never changes again.
#[must_use]
pub fn has_ended(status: &RunStatus) -> bool {
    matches!(status.state, Some(RunState::Succeeded | RunState::Failed))
}

/// When a run that ended is to be deleted, in seconds; never where neither it nor the
/// site says how long it stays.
#[must_use]
pub fn expires(run: &Run, default: Option<i64>) -> Option<i64> {
    let status = run.status.as_ref().filter(|status| has_ended(status))?;
    let stays = run.spec.ttl_seconds_after_finished.or(default)?;
    Some(status.end()?.0.as_second().saturating_add(stays))
}

/// The GitOps tool that tracks the run, which would create it again.
#[must_use]
pub fn tracker(run: &Run) -> Option<&'static str> {
    let has =
        |all: &Option<BTreeMap<String, String>>, name: &str| all.as_ref().is_some_and(|all| all.contains_key(name));
    let by_label = TRACKING_LABELS.iter().find(|(name, _)| has(&run.metadata.labels, name));
    let by_annotation = TRACKING_ANNOTATIONS.iter().find(|(name, _)| has(&run.metadata.annotations, name));
    by_label.or(by_annotation).map(|(_, tool)| *tool)
}

/// Whether the run stays though it is past its time, and its status shows that.
#[must_use]
pub fn is_kept(run: &Run) -> bool {
    let is_over = |status: &RunStatus| status.conditions.iter().any(|condition| condition.type_ == EXPIRED);
    run.status.as_ref().is_some_and(is_over) && tracker(run).is_some()
}

/// Of how many runs that ended the Jobs are kept. One whose pipeline cannot be
/// read loses nothing.
fn is_surplus(run: &Run, facts: &WorkFacts<'_>) -> bool {
    let Ok(pipeline) = facts.neighbours.pipeline(&facts.namespace.name, &run.spec.pipeline) else { return false };
    facts.neighbours.ended_after(&facts.namespace.name, run, kept(pipeline.as_ref()))
}

/// Of how many runs of the pipeline that ended the Jobs are kept.
#[must_use]
pub fn kept(pipeline: Option<&Pipeline>) -> usize {
    pipeline.map_or(KEPT, |pipeline| usize::try_from(pipeline.spec.keep).unwrap_or(KEPT))
}

/// Whether nothing is left to do for a run: it ended, its status says so and
/// speaks of no Job that is gone. With a Job, newer runs may still make it one too many.
#[must_use]
pub fn is_over(run: &Run, has_job: bool) -> bool {
    let Some(status) = &run.status else { return false };
    has_ended(status)
        && status.observed_generation == run.metadata.generation
        && !has_job
        && status.job.is_none()
        && run.metadata.deletion_timestamp.is_none()
}

/// A value for every parameter of the pipeline, and for nothing else.
fn values(run: &Run, pipeline: &PipelineSpec) -> Result<BTreeMap<String, String>, Issue> {
    let (given, wanted) = (&run.spec.parameters, &run.spec.pipeline);
    let is_known = |name: &str| pipeline.parameters.iter().any(|known| known.name == name);
    if let Some(unknown) = quoted(given.keys().filter(|name| !is_known(name))) {
        return Err(invalid(format!(
            "spec.parameters has {unknown}, which pipeline {wanted} does not declare. Available: {}. Create another \
             run",
            parameters(&pipeline.parameters)
        )));
    }
    let value = |parameter: &Parameter| {
        let value = given.get(&parameter.name).or(parameter.default.as_ref())?;
        Some((parameter.name.clone(), value.clone()))
    };
    let lacking = pipeline.parameters.iter().filter(|parameter| value(parameter).is_none());
    if let Some(lacking) = quoted(lacking.map(|parameter| &parameter.name)) {
        return Err(invalid(format!(
            "pipeline {wanted} needs a value for {lacking}, which has no default, and spec.parameters has none. Create \
             another run with one"
        )));
    }
    Ok(pipeline.parameters.iter().filter_map(value).collect())
}

/// The steps of a run as its Job has them.
#[must_use]
pub fn of_job(job: &Value) -> Vec<StepStatus> {
    let pod = &job["spec"]["template"]["spec"];
    let lists = [&pod["initContainers"], &pod["containers"]];
    let containers = lists.into_iter().flat_map(|list| list.as_array().into_iter().flatten());
    containers.map(|container| recorded(&of_container(container))).collect()
}

fn of_container(container: &Value) -> StepInputs {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let words = |list: &Value| list.as_array().map(|words| words.iter().map(text).collect());
    let variables = container["env"].as_array().into_iter().flatten();
    StepInputs {
        name: text(&container["name"]),
        image: text(&container["image"]),
        command: words(&container["command"]),
        args: words(&container["args"]),
        env: variables
            .map(|variable| VariableInputs { name: text(&variable["name"]), value: text(&variable["value"]) })
            .collect(),
        resources: Value::Null,
        datasets: Vec::new(),
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
