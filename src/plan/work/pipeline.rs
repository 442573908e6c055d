//! `Pipeline`: its steps resolved and ordered; with a schedule, a `CronJob`.

use std::collections::BTreeMap;

use super::steps::{self, Resolved};
use super::{Detail, ResolvedSpec, WorkFacts, invalid};
use crate::api::Issue;
use crate::api::work::Pipeline;
use crate::api::work::pipeline::PipelineSpec;
use crate::engine::work::{RunInputs, ScheduleInputs, WorkInputs};

/// How many seconds a Job of a schedule stays at least after its end, so that its end can
/// be reported.
const MIN_TTL: i64 = 60;

/// The resolved spec of a pipeline. Without a schedule nothing is written, so that the
/// `CronJob` of one that was taken away goes.
pub fn draft(pipeline: &Pipeline, facts: &WorkFacts<'_>) -> Result<ResolvedSpec, Issue> {
    let spec = &pipeline.spec;
    if facts.namespace.retained {
        // Its CronJob is suspended unchanged: its references may be removed with the team.
        return Ok(ResolvedSpec::default());
    }
    let schedule = schedule(spec, facts)?;
    let resolved = steps::resolve(spec, &defaults(spec), facts)?;
    let order: Vec<String> = resolved.steps.iter().map(|step| step.name.clone()).collect();
    let advice = resolved.side_by_side.as_ref().map(|(first, second)| {
        format!("{first} and {second} could run at the same time, but run one after another on plain Kubernetes")
    });
    let detail = Detail::Pipeline { order, advice };
    let name = format!("pipeline-{}", pipeline.metadata.name.as_deref().unwrap_or_default());
    let rules = facts.plan.site.runs.clone().unwrap_or_default();
    let run = schedule.map(|schedule| RunInputs {
        schedule: Some(schedule),
        active_deadline_seconds: spec.active_deadline_seconds.or(rules.active_deadline_seconds),
        ttl_seconds_after_finished: spec
            .ttl_seconds_after_finished
            .or(rules.ttl_seconds_after_finished)
            .map(|seconds| seconds.max(MIN_TTL)),
        ..inputs(name, spec, resolved)
    });
    Ok(ResolvedSpec {
        work: WorkInputs { run, ..WorkInputs::default() },
        write: true,
        detail,
        ..ResolvedSpec::default()
    })
}

/// The execution for an engine.
#[must_use]
pub fn inputs(name: String, spec: &PipelineSpec, resolved: Resolved) -> RunInputs {
    RunInputs {
        name,
        steps: resolved.steps,
        retries: spec.retries,
        sized: resolved.sized,
        datasets: resolved.datasets,
        files: resolved.files,
        ..RunInputs::default()
    }
}

fn schedule(spec: &PipelineSpec, facts: &WorkFacts<'_>) -> Result<Option<ScheduleInputs>, Issue> {
    let Some(cron) = &spec.schedule else { return Ok(None) };
    if !facts.is_live() {
        return Err(invalid(format!(
            "spec.schedule is '{cron}', but {} is {}, and schedules run in Live only. Remove the schedule, or create \
             the pipeline in the Live namespace of the project",
            facts.namespace.name,
            facts.namespace.layer.name()
        )));
    }
    if let Some(open) = spec.parameters.iter().find(|parameter| parameter.default.is_none()) {
        return Err(invalid(format!(
            "parameter '{}' has no default, so a run of the schedule '{cron}' has no value for it. Give it a default",
            open.name
        )));
    }
    Ok(Some(ScheduleInputs {
        cron: cron.clone(),
        time_zone: spec.time_zone.clone(),
        concurrency: spec.concurrency.name().to_owned(),
        suspend: spec.suspend.unwrap_or(false),
        keep: spec.keep,
    }))
}

/// A value for every parameter. Parameters without a default are empty here: only a Run,
/// which gives it one, is executed.
fn defaults(spec: &PipelineSpec) -> BTreeMap<String, String> {
    let values = spec.parameters.iter();
    values.map(|parameter| (parameter.name.clone(), parameter.default.clone().unwrap_or_default())).collect()
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
