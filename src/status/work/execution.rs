//! How far a Job has come, from its conditions and its pods.
//!
//! Pure. The steps of a run are the containers of its pod, in their order.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use crate::api::work::run::{RunState, StepStatus};
use crate::api::{Issue, Layer, text};
use crate::plan::work::pod_state::{Container, Ended, Pod};
use crate::status::health::work::trouble;

/// The longest reported message of a step.
const SAID: usize = 1024;

/// Whether the words of a step are reported. In Live they may be about customers: they
/// stay in the log, for those who may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// The words are reported.
    Reported,
    /// They stay in the log.
    Kept,
}

impl Words {
    /// Whether they are reported in this layer.
    #[must_use]
    pub const fn of(layer: Layer) -> Self {
        match layer {
            Layer::Live => Self::Kept,
            Layer::Backbone | Layer::Shared | Layer::Workspace => Self::Reported,
        }
    }
}

/// How far a Job has come.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// Its newest pod.
    pub pod: Option<&'a Pod>,
    /// The state of the execution.
    pub state: RunState,
    /// Why it failed, in the words of the Job: reason and message.
    pub failed: Option<(String, String)>,
    /// Whether the Job is suspended, by a queue or a person.
    pub suspended: bool,
    /// How many pods of it failed.
    pub failures: i64,
    /// Whether the Job says that it is complete, and no pod of its own ended well: the
    /// controller counts whatever pod carries its labels.
    pub unproven: bool,
    /// When the Job began and ended, by its own word.
    times: [Option<Time>; 2],
}

/// The progress of the Job; empty if the Job is deleted.
#[must_use]
pub fn progress<'a>(job: Option<&Value>, pods: impl Iterator<Item = &'a Pod>) -> Progress<'a> {
    let pods: Vec<&Pod> = pods.collect();
    let proven = pods.iter().any(|pod| pod.phase == "Succeeded");
    let pod = pods.into_iter().max_by(|one, other| (&one.created, &one.name).cmp(&(&other.created, &other.name)));
    let status = job.map_or(&Value::Null, |job| &job["status"]);
    let failed = condition(status, "Failed");
    let succeeded = condition(status, "Complete").is_some();
    // The pod's last word comes by another watch than the Job's: it is waited for,
    // because it tells which step failed, and what is reported of an end stays.
    let pod_ended = pod.is_none_or(|pod| matches!(pod.phase.as_str(), "Succeeded" | "Failed"));
    let begun = pod.is_some_and(|pod| pod.containers.iter().any(|one| one.running.is_some() || one.ended.is_some()));
    let state = match (succeeded, &failed, job) {
        (true, ..) if proven => RunState::Succeeded,
        (_, Some(_), _) if pod_ended => RunState::Failed,
        (_, None, None) if pod.is_some_and(|pod| pod.phase == "Succeeded") => RunState::Succeeded,
        (_, None, None) if pod.is_some_and(|pod| pod.phase == "Failed") => RunState::Failed,
        _ if begun => RunState::Running,
        _ => RunState::Pending,
    };
    Progress {
        pod,
        state,
        failed,
        suspended: condition(status, "Suspended").is_some(),
        failures: status["failed"].as_i64().unwrap_or(0),
        unproven: succeeded && !proven,
        times: ["startTime", "completionTime"].map(|field| serde_json::from_value(status[field].clone()).ok()),
    }
}

/// Reason and message of a condition that holds.
fn condition(status: &Value, type_: &str) -> Option<(String, String)> {
    let all = status["conditions"].as_array()?;
    let found = all.iter().find(|condition| condition["type"] == type_ && condition["status"] == "True")?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some((text("reason"), text("message")))
}

impl Progress<'_> {
    /// When the Job ended, by its own word.
    #[must_use]
    pub const fn completed(&self) -> Option<&Time> {
        self.times[1].as_ref()
    }

    /// The current steps, with their messages where these may be reported.
    #[must_use]
    pub fn steps(&self, recorded: &[StepStatus], words: Words) -> Vec<StepStatus> {
        let step = |recorded: &StepStatus| {
            let Some(container) = self.pod.and_then(|pod| pod.container(&recorded.name)) else {
                let state = if self.state == RunState::Succeeded { self.state } else { recorded.state };
                return StepStatus { state, ..recorded.clone() };
            };
            let ended = container.ended.as_ref();
            let state = match (self.state, state(container)) {
                (RunState::Succeeded, _) | (RunState::Failed, RunState::Running) => self.state,
                (_, state) => state,
            };
            StepStatus {
                state,
                exit_code: ended.map(|ended| ended.exit_code).filter(|code| *code != 0),
                message: ended.filter(|_| words == Words::Reported).and_then(|ended| said(&ended.message)),
                ..recorded.clone()
            }
        };
        recorded.iter().map(step).collect()
    }

    /// The first step that ended otherwise than it should, and how; of a pod that was
    /// taken away, the one that it was at.
    #[must_use]
    pub fn failing(&self) -> Option<(&str, Option<&Ended>)> {
        let pod = self.pod?;
        let badly = pod.containers.iter().find_map(|container| {
            let ended = container.ended.as_ref().filter(|ended| ended.exit_code != 0)?;
            Some((container.name.as_str(), Some(ended)))
        });
        // The ends of its containers may not be reported yet.
        let mut begun = pod.containers.iter().filter(|one| one.running.is_some() || one.ended.is_some());
        let at = pod.failed.as_ref().and_then(|_| begun.next_back()).map(|one| (one.name.as_str(), one.ended.as_ref()));
        badly.or(at)
    }

    /// When the first step of the newest pod began, else when the Job did.
    #[must_use]
    pub fn started(&self) -> Option<Time> {
        let containers = self.pod.into_iter().flat_map(|pod| &pod.containers);
        let times = containers.filter_map(|one| {
            one.running.clone().or_else(|| one.ended.as_ref().and_then(|ended| ended.started.clone()))
        });
        times.min().or_else(|| self.times[0].clone())
    }

    /// When the last step ended, else when the Job did.
    #[must_use]
    pub fn finished(&self) -> Option<Time> {
        let containers = self.pod.into_iter().flat_map(|pod| &pod.containers);
        let times = containers.filter_map(|container| container.ended.as_ref()?.finished.clone());
        times.max().or_else(|| self.times[1].clone())
    }

    /// Whether it was stopped because it took longer than it may.
    #[must_use]
    pub fn is_past_its_deadline(&self) -> bool {
        self.failed.as_ref().is_some_and(|(reason, _)| reason == "DeadlineExceeded")
    }

    /// Why its newest pod does not run.
    #[must_use]
    pub fn trouble(&self) -> Option<Issue> {
        trouble(std::slice::from_ref(self.pod?))
    }
}

fn state(container: &Container) -> RunState {
    match (&container.ended, &container.running) {
        (Some(ended), _) if ended.exit_code == 0 => RunState::Succeeded,
        (Some(_), _) => RunState::Failed,
        (None, Some(_)) => RunState::Running,
        (None, None) => RunState::Pending,
    }
}

/// The last message of a step: of a long text the end, where the cause is.
fn said(message: &str) -> Option<String> {
    let message = text::visible_lines(message.trim());
    if message.len() <= SAID {
        return (!message.is_empty()).then(|| message.into_owned());
    }
    let mut start = message.len() - (SAID - '…'.len_utf8());
    while !message.is_char_boundary(start) {
        start += 1;
    }
    Some(format!("…{}", &message[start..]))
}

/// The cause of a failed step, in one line: memory by its limit, the end of its pod,
/// or the last line of the step's message.
#[must_use]
pub fn failure(step: &str, ended: Option<&Ended>, pod: Option<&Pod>, memory: Option<&str>, words: Words) -> String {
    if let Some((reason, message)) = pod.and_then(|pod| pod.failed.as_ref()).filter(|(reason, _)| !reason.is_empty()) {
        let message = text::message(message.trim().trim_end_matches('.'), 512);
        // Written too much: into its outputs, its own /tmp, or beside them.
        let written = reason == "Evicted" && (message.contains("EmptyDir") || message.contains("ephemeral"));
        let remedy = if written { ". Give its component a size with more ephemeral storage" } else { "" };
        return format!("step {step} was stopped with its pod: {reason}: {message}{remedy}");
    }
    let Some(ended) = ended else { return format!("step {step} was stopped with its pod") };
    if ended.reason == "OOMKilled" {
        let limit = memory.map_or_else(String::new, |memory| format!(" of {memory}"));
        return format!(
            "step {step} took more memory than the limit{limit} and was stopped (OOMKilled). Give its component a \
             larger size"
        );
    }
    if matches!(ended.reason.as_str(), "StartError" | "ContainerCannotRun") {
        return format!("step {step} could not be started: {}", text::message(&ended.message, 512));
    }
    match ended.message.lines().rev().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) if words == Words::Reported => {
            format!("step {step} ended with exit code {}: {}", ended.exit_code, text::message(line, 512))
        }
        _ => format!("step {step} ended with exit code {}", ended.exit_code),
    }
}

/// That a Job was stopped at its deadline, and at which step.
#[must_use]
pub fn past_its_deadline(job: &Value, step: Option<&str>) -> String {
    let at = step.map_or_else(String::new, |step| format!(" in step {step}"));
    let seconds = &job["spec"]["activeDeadlineSeconds"];
    format!("stopped{at} after activeDeadlineSeconds ({seconds} s)")
}

/// The limit of memory of a step, as its Job has it.
#[must_use]
pub fn memory<'a>(job: &'a Value, step: &str) -> Option<&'a str> {
    let pod = &job["spec"]["template"]["spec"];
    let lists = [&pod["initContainers"], &pod["containers"]];
    let mut containers = lists.into_iter().flat_map(|list| list.as_array().into_iter().flatten());
    containers.find(|container| container["name"] == step)?["resources"]["limits"]["memory"].as_str()
}

/// How long it took: `1h2m3s`.
#[must_use]
pub fn duration(started: &Time, finished: &Time) -> String {
    let seconds = (finished.0.as_second() - started.0.as_second()).max(0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
#[path = "execution_tests.rs"]
mod tests;
