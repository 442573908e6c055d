//! The status of a `Pipeline`: its order, and the result of the last
//! execution by schedule.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Judged;
use super::execution::{self, Progress, Words};
use crate::api::status::READY;
use crate::api::vocabulary::Capability;
use crate::api::work::Pipeline;
use crate::api::work::pipeline::{Concurrency, Execution, PipelineStatus};
use crate::api::work::run::RunState;
use crate::api::{Issue, Reason, text};
use crate::engine::plain;
use crate::plan::work::Detail;

/// How an execution fails.
const ENDS: [Reason; 3] = [Reason::StepFailed, Reason::DeadlineExceeded, Reason::JobLost];

/// The status of a `Pipeline`.
#[must_use]
pub fn status(object: &Pipeline, judged: &Judged<'_>) -> PipelineStatus {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let newest = newest(before.last.as_ref(), judged);
    let last = last(object, before.last.as_ref(), newest.as_ref(), judged);
    let ready = ready(object, &before, last.as_ref(), newest.as_ref().map(|(_, progress)| progress), judged);
    let steps = match &judged.plan.draft.detail {
        Detail::Pipeline { order, .. } => order.clone(),
        _ => before.steps,
    };
    PipelineStatus {
        observed_generation: Some(generation),
        conditions: judged.conditions(&before.conditions, generation, &ready, Vec::new()),
        steps,
        last,
        engine: judged.engine(),
    }
}

/// The newest Job of its schedule that there are pods of, or that there were pods of
/// before its deadline took them away.
fn newest<'a>(before: Option<&'a Execution>, judged: &Judged<'a>) -> Option<(&'a str, Progress<'a>)> {
    let of_jobs = || judged.pods.iter().filter(|pod| pod.owner_kind == "Job");
    let with_pods = of_jobs().max_by_key(|pod| (number(&pod.owner), &pod.created)).map(|pod| pod.owner.as_str());
    let known = before.map(|before| before.job.as_str()).filter(|job| (judged.live)("Job", job).is_some());
    let job = with_pods.into_iter().chain(known).max_by_key(|job| number(job))?;
    let live = (judged.live)("Job", job);
    Some((job, execution::progress(live.as_ref(), of_jobs().filter(|pod| pod.owner == job))))
}

/// The time that a CronJob puts at the end of the names of its Jobs, in minutes.
fn number(job: &str) -> u64 {
    job.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

/// The result of the last execution. It stays after its pods are deleted.
fn last(
    object: &Pipeline,
    before: Option<&Execution>,
    newest: Option<&(&str, Progress<'_>)>,
    judged: &Judged<'_>,
) -> Option<Execution> {
    let Some((job, progress)) = newest else { return before.map(|before| gone(object, before, judged)) };
    let known = before.filter(|before| before.job == *job);
    let over = |before: &&Execution| matches!(before.state, RunState::Succeeded | RunState::Failed);
    if let Some(kept) = known.filter(over) {
        return Some(kept.clone());
    }
    if let Some(before) = before.filter(|before| number(&before.job) > number(job)) {
        return Some(gone(object, before, judged));
    }
    let state = progress.state;
    let failure = (state == RunState::Failed).then(|| why(job, progress, judged));
    let when = match state {
        RunState::Succeeded | RunState::Failed => progress.finished(),
        RunState::Running => progress.started(),
        RunState::Pending => progress.pod.and_then(|pod| pod.created.clone()),
    };
    let same = known.filter(|before| before.state == state).and_then(|before| before.last_transition_time.clone());
    Some(Execution {
        job: (*job).to_owned(),
        state,
        last_transition_time: same.or(when).or_else(|| Some(judged.now.clone())),
        reason: failure.as_ref().map(|failure| failure.reason.name().to_owned()),
        message: failure.map(|failure| text::message(&failure.message, 1024)),
    })
}

/// The report of an execution whose Job and pods are gone: it no longer runs. The
/// CronJob may know that it succeeded. A schedule that replaces executions deletes them
/// itself, and the next one follows at once.
fn gone(object: &Pipeline, before: &Execution, judged: &Judged<'_>) -> Execution {
    let went_on = matches!(before.state, RunState::Running | RunState::Pending);
    let schedule = (judged.live)("CronJob", &format!("pipeline-{}", judged.plan.id.name));
    let (true, Some(schedule)) = (went_on && object.spec.concurrency != Concurrency::Replace, schedule) else {
        return before.clone();
    };
    let ended_well = schedule["status"]["lastSuccessfulTime"]
        .as_str()
        .and_then(|text| text.parse().ok().map(Time))
        .filter(|ended: &Time| before.last_transition_time.as_ref().is_none_or(|since| ended.0 >= since.0));
    if ended_well.is_some() {
        return Execution {
            state: RunState::Succeeded,
            last_transition_time: ended_well,
            reason: None,
            message: None,
            ..before.clone()
        };
    }
    let message = "the Job is gone and its result is not known: it was deleted, or ended while Strata was not running";
    Execution {
        state: RunState::Failed,
        last_transition_time: Some(judged.now.clone()),
        reason: Some(Reason::JobLost.name().to_owned()),
        message: Some(message.to_owned()),
        ..before.clone()
    }
}

/// The cause of a failed execution: the step and its message.
fn why(job: &str, progress: &Progress<'_>, judged: &Judged<'_>) -> Issue {
    let live = (judged.live)("Job", job);
    if let Some(live) = live.as_ref().filter(|_| progress.is_past_its_deadline()) {
        let step = progress.failing().map(|(step, _)| step);
        let message = format!("{}. Set a larger activeDeadlineSeconds", execution::past_its_deadline(live, step));
        return Issue::new(Reason::DeadlineExceeded, message);
    }
    if let Some((step, ended)) = progress.failing() {
        let memory = live.as_ref().and_then(|live| execution::memory(live, step));
        let said = execution::failure(step, ended, progress.pod, memory, Words::of(judged.plan.layer));
        let namespace = &judged.plan.id.namespace;
        let log = format!("kubectl logs --namespace {namespace} job/{job} --container {step}");
        return Issue::new(Reason::StepFailed, format!("{said}. Log: {log}"));
    }
    let of_pod = progress.pod.and_then(|pod| pod.failed.as_ref());
    let (reason, message) = of_pod.or(progress.failed.as_ref()).cloned().unwrap_or_default();
    Issue::new(Reason::StepFailed, format!("{reason}: {message}"))
}

fn ready(
    object: &Pipeline,
    before: &PipelineStatus,
    last: Option<&Execution>,
    newest: Option<&Progress<'_>>,
    judged: &Judged<'_>,
) -> Result<(Reason, String), Issue> {
    if let Some(failure) = judged.trouble() {
        return Err(failure);
    }
    if judged.plan.retained {
        let message = "the team or project was removed, so the schedule is suspended and no run starts";
        return Ok((Reason::Retained, message.to_owned()));
    }
    if judged.plan.draft.work.run.is_none() {
        return Ok((Reason::Ready, without_schedule(judged)));
    }
    if let Some(refused) = &judged.refused {
        return Err(Issue::new(Reason::Refused, refused.clone()));
    }
    let failed = |last: &&Execution| last.state == RunState::Failed;
    if let Some(last) = last.filter(failed) {
        let message = format!("{} failed: {}", last.job, last.message.as_deref().unwrap_or_default());
        let of = |reason: &&Reason| last.reason.as_deref() == Some(reason.name());
        return Err(Issue::new(ENDS.iter().find(of).copied().unwrap_or(Reason::StepFailed), message));
    }
    let runs = last.is_some_and(|last| last.state != RunState::Succeeded);
    if let Some(trouble) = newest.filter(|_| runs).and_then(Progress::trouble) {
        return Err(trouble);
    }
    // While the next execution runs, nothing is known to be better yet.
    let ready = before.conditions.iter().find(|condition| condition.type_ == READY).filter(|_| runs);
    if let Some(condition) = ready
        && let Some(reason) = ENDS.iter().find(|reason| condition.reason == reason.name())
    {
        return Err(Issue::new(*reason, condition.message.clone()));
    }
    let (cron, zone) = (&object.spec.schedule, object.spec.time_zone.as_deref().unwrap_or("UTC"));
    let cron = cron.as_deref().unwrap_or_default();
    let so_far = match last.map(|last| last.state) {
        None => "no run yet",
        Some(RunState::Succeeded) => "the last run succeeded",
        Some(_) => "a run is active",
    };
    if object.spec.suspend == Some(true) {
        let message = format!("'{cron}' {zone} is suspended by spec.suspend; {so_far}");
        return Ok((Reason::Stopped, advised(message, judged)));
    }
    Ok((Reason::Ready, advised(format!("runs at '{cron}' {zone}; {so_far}"), judged)))
}

fn without_schedule(judged: &Judged<'_>) -> String {
    advised("to start it, create a Run".to_owned(), judged)
}

/// Adds the differences of this engine from the graph.
fn advised(message: String, judged: &Judged<'_>) -> String {
    let on_plain =
        judged.plan.choice.as_ref().is_none_or(|(engine, _)| Some(engine.as_str()) == plain(Capability::Pipelines));
    match &judged.plan.draft.detail {
        Detail::Pipeline { advice: Some(advice), .. } if on_plain => format!("{message}; {advice}"),
        _ => message,
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
