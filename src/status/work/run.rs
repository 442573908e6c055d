//! What is reported of a `Run`. What is reported of its end stays as it is,
//! whatever becomes of its Job and pods.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Judged;
use super::execution::{self, Progress, Words};
use crate::api::status::Finding;
use crate::api::work::Run;
use crate::api::work::run::{COMPLETE, EXPIRED, FAILED, RunState, RunStatus, StepStatus};
use crate::api::{Issue, Reason};
use crate::engine::readiness::suspended;
use crate::plan::work::Detail;
use crate::plan::work::run::{has_ended, of_job};

/// How many seconds the pods of a Job that is complete are waited for.
const PROOF: i64 = 60;

/// The status of a `Run`.
#[must_use]
pub fn status(object: &Run, judged: &Judged<'_>) -> RunStatus {
    let before = object.status.clone().unwrap_or_default();
    let name = format!("run-{}", judged.plan.id.name);
    let job = (judged.live)("Job", &name);
    let generation = object.metadata.generation.unwrap_or_default();
    let engine = judged.engine().or_else(|| before.engine.clone());
    if has_ended(&before) {
        // Without the Job no logs exist.
        let (own, logs) = if job.is_some() { (before.job.clone(), before.logs.clone()) } else { (None, None) };
        return RunStatus { observed_generation: Some(generation), job: own, logs, ..before };
    }
    let report = match &job {
        Some(job) => under_way(&before, &name, job, judged),
        None if before.job.is_some() => lost(&before, &name, judged),
        None => waiting(&before, judged),
    };
    let mut conditions = judged.conditions(&before.conditions, generation, &report.ready, Vec::new());
    conditions.extend(crate::api::status::conditions(&before.conditions, &end(&report), generation, judged.now));
    RunStatus { observed_generation: Some(generation), conditions, engine, ..report.status }
}

/// The status and its `Ready`.
struct RunReport {
    status: RunStatus,
    ready: Result<(Reason, String), Issue>,
}

/// The conditions of a Job at its end, for clients that wait for one of them.
fn end(report: &RunReport) -> Vec<Finding> {
    let finding = match (report.status.state, &report.ready) {
        (Some(RunState::Succeeded), Ok((reason, message))) => Finding::new(COMPLETE, true, *reason, message.clone()),
        (Some(RunState::Failed), Err(failure)) => Finding::new(FAILED, true, failure.reason, failure.message.clone()),
        _ => return Vec::new(),
    };
    vec![finding]
}

/// The status of a run that stays after its time, because this tool would create it again.
#[must_use]
pub fn kept(object: &Run, tool: &str, now: &Time) -> RunStatus {
    let mut status = object.status.clone().unwrap_or_default();
    let message = format!("the run is past its time, but {tool} would create it again. Remove it from the repository");
    let finding = Finding::new(EXPIRED, true, Reason::Tracked, message);
    let conditions =
        crate::api::status::conditions(&status.conditions, &[finding], object.metadata.generation.unwrap_or(0), now);
    status.conditions.retain(|condition| condition.type_ != EXPIRED);
    status.conditions.extend(conditions);
    status
}

/// It has no Job yet.
fn waiting(before: &RunStatus, judged: &Judged<'_>) -> RunReport {
    let failure = judged.failure.clone().or_else(|| judged.trouble());
    let waits = || Issue::new(Reason::Progressing, "the Job is about to be created");
    RunReport {
        status: RunStatus { state: Some(RunState::Pending), ..before.clone() },
        ready: Err(failure.unwrap_or_else(waits)),
    }
}

/// The Job was deleted before it ended.
fn lost(before: &RunStatus, name: &str, judged: &Judged<'_>) -> RunReport {
    let status = RunStatus {
        state: Some(RunState::Failed),
        steps: before.steps.iter().map(stopped).collect(),
        completion_time: Some(judged.now.clone()),
        job: None,
        logs: None,
        ..before.clone()
    };
    let message = format!("Job {name} was deleted before the run ended. Create another run");
    RunReport { status: timed(status), ready: Err(Issue::new(Reason::JobLost, message)) }
}

/// A step whose pod is deleted no longer runs.
fn stopped(step: &StepStatus) -> StepStatus {
    let state = if step.state == RunState::Running { RunState::Failed } else { step.state };
    StepStatus { state, ..step.clone() }
}

/// With how long it took, once that is known.
fn timed(status: RunStatus) -> RunStatus {
    let duration = match (&status.start_time, &status.completion_time) {
        (Some(started), Some(finished)) => Some(execution::duration(started, finished)),
        _ => None,
    };
    RunStatus { duration, ..status }
}

/// The Job exists.
fn under_way(before: &RunStatus, name: &str, job: &serde_json::Value, judged: &Judged<'_>) -> RunReport {
    let own = judged.pods.iter().filter(|pod| pod.owner_kind == "Job" && pod.owner == name);
    let progress = execution::progress(Some(job), own);
    let mut steps = progress.steps(&recorded(before, job, judged), Words::of(judged.plan.layer));
    if progress.unproven && is_overdue(&progress, judged) {
        return unproven(before, name, steps, judged);
    }
    if progress.state == RunState::Failed && progress.pod.is_none() {
        steps = steps.iter().map(stopped).collect();
    }
    let ended = matches!(progress.state, RunState::Succeeded | RunState::Failed);
    let completion_time = ended.then(|| progress.finished().unwrap_or_else(|| judged.now.clone()));
    let step = current(&progress, &steps);
    let shown = step.clone().or_else(|| steps.last().map(|step| step.name.clone()));
    let logs = shown
        .filter(|_| progress.pod.is_some())
        .map(|step| format!("kubectl logs --namespace {} job/{name} --container {step}", judged.plan.id.namespace));
    let ready = match progress.state {
        RunState::Succeeded => Ok(String::new()),
        RunState::Failed => Err(failed(&progress, name, job, step.as_deref(), logs.as_deref(), judged)),
        RunState::Running | RunState::Pending => Err(going(&progress, &steps, step.as_deref(), job, judged)),
    };
    let status = timed(RunStatus {
        state: Some(progress.state),
        step,
        start_time: before
            .start_time
            .clone()
            .or_else(|| progress.started().filter(|_| progress.state != RunState::Pending)),
        completion_time,
        steps,
        job: Some(name.to_owned()),
        logs,
        ..before.clone()
    });
    let ready = ready.map(|_| {
        let took = status.duration.as_ref().map_or_else(String::new, |duration| format!(" after {duration}"));
        let steps = match status.steps.len() {
            1 => "its step".to_owned(),
            number => format!("all {number} steps"),
        };
        (Reason::Succeeded, format!("{steps} succeeded{took}"))
    });
    RunReport { status, ready }
}

/// Its own pods come by another watch than its Job: they are waited for, and not for ever.
fn is_overdue(progress: &Progress<'_>, judged: &Judged<'_>) -> bool {
    progress.completed().is_some_and(|ended| judged.now.0.as_second() - ended.0.as_second() > PROOF)
}

/// Results without its own pods do not count.
fn unproven(before: &RunStatus, name: &str, steps: Vec<StepStatus>, judged: &Judged<'_>) -> RunReport {
    let status = RunStatus {
        state: Some(RunState::Failed),
        completion_time: Some(judged.now.clone()),
        steps,
        job: Some(name.to_owned()),
        ..before.clone()
    };
    let message = format!(
        "Job {name} is complete, but none of its own pods succeeded: another pod was counted, or the own pod was \
         deleted at once. Create another run"
    );
    RunReport { status: timed(status), ready: Err(Issue::new(Reason::JobLost, message)) }
}

/// The steps as they were at the start: the Job has them, with mirrors.
fn recorded(before: &RunStatus, job: &serde_json::Value, judged: &Judged<'_>) -> Vec<StepStatus> {
    if !before.steps.is_empty() {
        return before.steps.clone();
    }
    let of_job = of_job(job);
    match &judged.plan.draft.detail {
        Detail::Run(detail) if of_job.is_empty() => detail.steps.clone(),
        _ => of_job,
    }
}

/// The step that failed, else the one that runs, else the next one.
fn current(progress: &Progress<'_>, steps: &[StepStatus]) -> Option<String> {
    let named = |state| steps.iter().find(|step| step.state == state).map(|step| step.name.clone());
    match progress.state {
        RunState::Succeeded | RunState::Pending => None,
        // A step stopped by a deadline has no pod.
        RunState::Failed => progress.failing().map(|(name, _)| name.to_owned()).or_else(|| named(RunState::Failed)),
        RunState::Running => {
            named(RunState::Running).or_else(|| named(RunState::Failed)).or_else(|| named(RunState::Pending))
        }
    }
}

/// The cause of the failure: a step, or else the Job's condition.
fn failed(
    progress: &Progress<'_>,
    name: &str,
    job: &serde_json::Value,
    step: Option<&str>,
    logs: Option<&str>,
    judged: &Judged<'_>,
) -> Issue {
    if progress.is_past_its_deadline() {
        let message = format!(
            "{}. Create another run with a larger activeDeadlineSeconds",
            execution::past_its_deadline(job, step)
        );
        return Issue::new(Reason::DeadlineExceeded, message);
    }
    let log = logs.map_or_else(String::new, |command| format!(". Log: {command}"));
    if let Some((step, ended)) = progress.failing() {
        let said =
            execution::failure(step, ended, progress.pod, execution::memory(job, step), Words::of(judged.plan.layer));
        return Issue::new(Reason::StepFailed, format!("{said}{log}"));
    }
    let of_pod = progress.pod.and_then(|pod| pod.failed.as_ref());
    let (reason, message) = of_pod.or(progress.failed.as_ref()).cloned().unwrap_or_default();
    let message = message.trim().trim_end_matches('.');
    Issue::new(Reason::EngineFailing, format!("Job {name}: {reason}: {message}. Create another run"))
}

/// The reason for the wait, or the running step.
fn going(
    progress: &Progress<'_>,
    steps: &[StepStatus],
    step: Option<&str>,
    job: &serde_json::Value,
    judged: &Judged<'_>,
) -> Issue {
    if progress.unproven {
        let message = "is complete; the result of its pod is not known yet";
        return Issue::new(Reason::Progressing, format!("Job run-{} {message}", judged.plan.id.name));
    }
    if let Some(refused) = &judged.refused {
        return Issue::new(Reason::Refused, refused.clone());
    }
    if let Some(trouble) = progress.trouble() {
        return trouble;
    }
    let tries = job["spec"]["backoffLimit"].as_i64().unwrap_or(0) + 1;
    let again = if progress.failures > 0 {
        format!(", in try {} of {tries}", (progress.failures + 1).min(tries))
    } else {
        String::new()
    };
    let position = step.and_then(|step| steps.iter().position(|known| known.name == step));
    let message = match (step, position) {
        (Some(step), Some(position)) => {
            let verb = match steps[position].state {
                RunState::Pending => "is next",
                RunState::Failed => "failed",
                RunState::Running | RunState::Succeeded => "runs",
            };
            format!("step {step} ({} of {}) {verb}{again}", position + 1, steps.len())
        }
        _ if progress.suspended => format!("its Job {}", suspended(job)),
        _ => format!("the pod is about to start{again}"),
    };
    Issue::new(Reason::Progressing, message)
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
