//! Runs as they are reported, from the first word to long after the end.

use serde_json::{Value, json};

use super::*;
use crate::api::status::ConditionStatus;
use crate::plan::work::Object;
use crate::plan::work::fixtures::{Scene, at, run};
use crate::plan::work::pod_state::Pod;
use crate::status::work::fixtures::{condition, pod, ready, refused};

const NAMESPACE: &str = "fraud--chargeback";
const LOGS: &str = "kubectl logs --namespace fraud--chargeback job/run-first --container";

fn scene() -> Scene {
    Scene::new().component("fraud--shared", "train", "{image: train}").pipeline(
        NAMESPACE,
        "experiment",
        "{steps: [{name: generate, component: train}, {component: train}, {name: evaluate, component: train}]}",
    )
}

fn job(status: &Value) -> Value {
    let step =
        |name: &str| json!({"name": name, "image": format!("{name}:1"), "resources": {"limits": {"memory": "2Gi"}}});
    json!({
        "metadata": {"name": "run-first", "namespace": NAMESPACE},
        "spec": {"backoffLimit": 1, "template": {"spec": {
            "initContainers": [step("generate"), step("train")], "containers": [step("evaluate")]}}},
        "status": status
    })
}

/// The status after the one before, with this Job and these pods.
fn status_of(before: Option<RunStatus>, live: Option<Value>, pods: &[Pod], refusal: Option<&str>) -> RunStatus {
    let scene = match live {
        Some(live) => scene().live("Job", "run-first", live),
        None => scene(),
    };
    let object = Object::Run(Box::new(Run { status: before, ..run("first", "{pipeline: experiment}") }));
    refused(&scene, NAMESPACE, "first", &object, pods, refusal)
}

fn of(status: &Value, pods: &[Pod]) -> RunStatus {
    status_of(None, Some(job(status)), pods, None)
}

fn states(status: &RunStatus) -> Vec<RunState> {
    status.steps.iter().map(|step| step.state).collect()
}

fn failed() -> Value {
    json!({"conditions": [condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")]})
}

#[test]
fn a_run_that_goes_on_says_where_it_is() {
    let running = |containers: &[&str]| vec![pod("run-first", "Pending", containers)];
    let one_failed = json!({"failed": 1});
    let suspended = json!({"conditions": [condition("Suspended", "JobSuspended", "")]});
    for (status, pods, state, step, said) in [
        (json!({}), vec![], RunState::Pending, None, "the pod is about to start"),
        (
            suspended,
            vec![],
            RunState::Pending,
            None,
            "its Job is suspended and has no queue that would start it. To start it: `kubectl patch job run-first \
             --namespace fraud--chargeback --type=merge --patch '{\"spec\":{\"suspend\":false}}'`",
        ),
        (json!({}), running(&["generate", "train", "evaluate"]), RunState::Pending, None, "the pod is about to start"),
        (
            json!({}),
            running(&["generate=0", "train+", "evaluate"]),
            RunState::Running,
            Some("train"),
            "step train (2 of 3) runs",
        ),
        (
            json!({}),
            running(&["generate=0", "train=0", "evaluate"]),
            RunState::Running,
            Some("evaluate"),
            "step evaluate (3 of 3) is next",
        ),
        (
            one_failed.clone(),
            running(&["generate+", "train", "evaluate"]),
            RunState::Running,
            Some("generate"),
            "step generate (1 of 3) runs, in try 2 of 2",
        ),
        (
            json!({}),
            running(&["generate=1", "train", "evaluate"]),
            RunState::Running,
            Some("generate"),
            "step generate (1 of 3) failed",
        ),
    ] {
        let found = of(&status, &pods);
        assert_eq!((found.state, found.step.as_deref()), (Some(state), step), "{said}");
        assert_eq!(ready(&found.conditions), format!("False Progressing {said}"));
        assert_eq!(found.conditions[1].type_, "Reconciling");
        assert_eq!((found.job.as_deref(), found.completion_time, found.duration), (Some("run-first"), None, None));
        let logs = step.map(|step| format!("{LOGS} {step}"));
        assert_eq!(found.logs, logs.or_else(|| (!pods.is_empty()).then(|| format!("{LOGS} evaluate"))));
    }
}

#[test]
fn what_keeps_a_run_from_going_on_is_said_as_it_is() {
    let mut unpullable = pod("run-first", "Pending", &["generate=0", "train", "evaluate"]);
    unpullable.containers[1].waiting = Some(("ImagePullBackOff".to_owned(), "no such image".to_owned()));
    let mut unscheduled = pod("run-first", "Pending", &["generate", "train", "evaluate"]);
    unscheduled.unscheduled = Some(("Unschedulable".to_owned(), "0/3 nodes are available".to_owned()));
    for (pods, refusal, said) in [
        (vec![unpullable], None, "False PodFailing pod run-first-pod: ImagePullBackOff: no such image"),
        (vec![unscheduled], None, "False Unschedulable pod run-first-pod: 0/3 nodes are available"),
        (vec![], Some("exceeded quota: strata-quota"), "False Refused exceeded quota: strata-quota"),
    ] {
        let found = status_of(None, Some(job(&json!({}))), &pods, refusal);
        assert_eq!(ready(&found.conditions), said);
    }
}

#[test]
fn a_run_that_succeeded_says_how_long_it_took() {
    let complete = json!({"conditions": [condition("Complete", "CompletionsReached", "")]});
    let found = of(&complete, &[pod("run-first", "Succeeded", &["generate=0", "train=0", "evaluate=0"])]);
    assert_eq!(ready(&found.conditions), "True Succeeded all 3 steps succeeded after 30s");
    assert_eq!((found.state, found.step.as_deref()), (Some(RunState::Succeeded), None));
    assert_eq!(states(&found), [RunState::Succeeded; 3]);
    assert_eq!(
        (found.start_time, found.completion_time, found.duration.as_deref()),
        (Some(at(100)), Some(at(130)), Some("30s"))
    );
    assert_eq!(found.logs, Some(format!("{LOGS} evaluate")));
    assert_eq!(found.steps[1].image, "train:1");
}

#[test]
fn the_end_of_a_job_counts_only_with_pods_of_its_own() {
    let complete = |second: i64| json!({"conditions": [condition("Complete", "CompletionsReached", "")], "succeeded": 1, "completionTime": at(second)});
    let waits = pod("run-first", "Pending", &["generate", "train", "evaluate"]);
    for pods in [vec![waits.clone()], vec![]] {
        let found = of(&complete(990), &pods);
        assert_eq!((found.state, found.completion_time), (Some(RunState::Pending), None));
        let message = "False Progressing Job run-first is complete; the result of its pod is not known yet";
        assert_eq!(ready(&found.conditions), message);
        let found = of(&complete(900), &pods);
        assert_eq!(found.state, Some(RunState::Failed));
        let said = ready(&found.conditions);
        let begin = "False JobLost Job run-first is complete, but none of its own pods succeeded";
        assert!(said.starts_with(begin), "{said}");
    }
}

#[test]
fn a_run_that_failed_names_the_step_and_what_it_said() {
    let ended = |text: &str| vec![pod("run-first", "Failed", &["generate=0", text, "evaluate"])];
    for (pods, step, said) in [
        (
            ended("train=3:auc 0.71 is below 0.80"),
            Some("train"),
            format!("StepFailed step train ended with exit code 3: auc 0.71 is below 0.80. Log: {LOGS} train"),
        ),
        (
            ended("train=137:OOMKilled"),
            Some("train"),
            format!(
                "StepFailed step train took more memory than the limit of 2Gi and was stopped (OOMKilled). Give its \
                 component a larger size. Log: {LOGS} train"
            ),
        ),
        (
            vec![Pod {
                failed: Some((
                    "Evicted".to_owned(),
                    "Usage of EmptyDir volume \"files\" exceeds the limit \"4Gi\". ".to_owned(),
                )),
                ..pod("run-first", "Failed", &["generate=0", "train+", "evaluate"])
            }],
            Some("train"),
            format!(
                "StepFailed step train was stopped with its pod: Evicted: Usage of EmptyDir volume \"files\" exceeds \
                 the limit \"4Gi\". Give its component a size with more ephemeral storage. Log: {LOGS} train"
            ),
        ),
        (
            vec![],
            None,
            "EngineFailing Job run-first: BackoffLimitExceeded: Job has reached the specified backoff limit. Create \
             another run"
                .to_owned(),
        ),
        (
            vec![Pod {
                failed: Some(("Preempting".to_owned(), "for another".to_owned())),
                ..pod("run-first", "Failed", &["generate"])
            }],
            None,
            "EngineFailing Job run-first: Preempting: for another. Create another run".to_owned(),
        ),
    ] {
        let found = of(&failed(), &pods);
        assert_eq!(ready(&found.conditions), format!("False {said}"));
        assert_eq!((found.state, found.step.as_deref()), (Some(RunState::Failed), step));
        assert_eq!(found.conditions[1].type_, "Stalled");
    }
    let found = of(&failed(), &ended("train=3:auc 0.71 is below 0.80"));
    assert_eq!(states(&found), [RunState::Succeeded, RunState::Failed, RunState::Pending]);
    assert_eq!(
        (found.steps[1].exit_code, found.steps[1].message.as_deref()),
        (Some(3), Some("auc 0.71 is below 0.80"))
    );
    assert_eq!((found.steps[0].exit_code, found.duration.as_deref()), (None, Some("20s")));
}

/// The conditions beside those that every kind has, as `type reason`.
fn ends(status: &RunStatus) -> Vec<String> {
    let own = status.conditions.iter().filter(|one| [COMPLETE, FAILED].contains(&one.type_.as_str()));
    own.inspect(|one| assert_eq!(one.status, ConditionStatus::True))
        .map(|one| format!("{} {}", one.type_, one.reason))
        .collect()
}

#[test]
fn a_run_that_ended_has_the_condition_of_a_job_that_did() {
    let running = [pod("run-first", "Pending", &["generate=0", "train+", "evaluate"])];
    let complete = json!({"conditions": [condition("Complete", "", "")]});
    let done = [pod("run-first", "Succeeded", &["generate=0", "train=0", "evaluate=0"])];
    let lost = status_of(Some(of(&json!({}), &running)), None, &[], None);
    for (found, expected) in [
        (status_of(None, None, &[], None), vec![]),
        (of(&json!({}), &running), vec![]),
        (of(&complete, &done), vec!["Complete Succeeded"]),
        (
            of(&failed(), &[pod("run-first", "Failed", &["generate=1:no", "train", "evaluate"])]),
            vec!["Failed StepFailed"],
        ),
        (lost, vec!["Failed JobLost"]),
    ] {
        assert_eq!(ends(&found), expected, "{found:?}");
    }
}

#[test]
fn a_run_past_its_deadline_says_so_and_what_to_do() {
    let late = |more: Value| {
        let message = "Job was active longer than specified deadline";
        let mut live = job(&json!({"conditions": [condition("Failed", "DeadlineExceeded", message)]}));
        live["spec"]["activeDeadlineSeconds"] = more;
        live
    };
    let before = of(&json!({}), &[pod("run-first", "Pending", &["generate=0", "train+", "evaluate"])]);
    // Its pod is deleted with it, or is still there as the signal ended it.
    let killed = pod("run-first", "Failed", &["generate=0", "train=143", "evaluate"]);
    for pods in [vec![], vec![killed]] {
        let found = status_of(Some(before.clone()), Some(late(json!(600))), &pods, None);
        let said = "stopped in step train after activeDeadlineSeconds (600 s). Create another run with a larger \
                    activeDeadlineSeconds";
        assert_eq!(ready(&found.conditions), format!("False DeadlineExceeded {said}"));
        assert!(said.len() <= 120, "{}", said.len());
        assert_eq!(states(&found), [RunState::Succeeded, RunState::Failed, RunState::Pending]);
        assert_eq!((found.state, found.step.as_deref()), (Some(RunState::Failed), Some("train")));
        assert_eq!(
            (ends(&found), found.logs.is_some()),
            (vec!["Failed DeadlineExceeded".to_owned()], !pods.is_empty())
        );
        assert!(found.completion_time.is_some() && found.conditions.iter().any(|one| one.type_ == "Stalled"));
    }
}

#[test]
fn a_run_whose_job_is_gone_is_lost_and_not_started_again() {
    let before = of(&json!({}), &[pod("run-first", "Pending", &["generate=0", "train+", "evaluate"])]);
    let found = status_of(Some(before), None, &[], None);
    let said = "False JobLost Job run-first was deleted before the run ended. Create another run";
    assert_eq!(ready(&found.conditions), said);
    assert_eq!(states(&found), [RunState::Succeeded, RunState::Failed, RunState::Pending]);
    assert_eq!((found.state, found.step.as_deref()), (Some(RunState::Failed), Some("train")));
    assert_eq!(
        (found.completion_time, found.duration.as_deref(), found.job, found.logs),
        (Some(at(1000)), Some("15m0s"), None, None)
    );
}

#[test]
fn what_is_reported_of_an_end_stays() {
    let complete = json!({"conditions": [condition("Complete", "", "")]});
    let pods = [pod("run-first", "Succeeded", &["generate=0", "train=0", "evaluate=0"])];
    let failure = [pod("run-first", "Failed", &["generate=1:no rows", "train", "evaluate"])];
    for before in [of(&complete, &pods), of(&failed(), &failure)] {
        for (live, pods) in
            [(Some(job(&failed())), &failure[..]), (Some(job(&complete)), &pods[..]), (Some(job(&json!({}))), &[])]
        {
            assert_eq!(status_of(Some(before.clone()), live, pods, None), before);
        }
        let without_job = RunStatus { job: None, logs: None, ..before.clone() };
        assert_eq!(status_of(Some(before), None, &[], None), without_job);
        assert_eq!(status_of(Some(without_job.clone()), None, &[], None), without_job);
    }
}

#[test]
fn a_run_that_has_not_started_waits_or_says_why_not() {
    let found = status_of(None, None, &[], None);
    assert_eq!((found.state, found.job, found.steps.len()), (Some(RunState::Pending), None, 0));
    assert_eq!(ready(&found.conditions), "False Progressing Job (job) does not exist yet");
    let object = Object::Run(Box::new(run("first", "{pipeline: nothing}")));
    let found: RunStatus = refused(&scene(), NAMESPACE, "first", &object, &[], None);
    let invalid = found.conditions.iter().find(|condition| condition.type_ == "Stalled").unwrap();
    assert_eq!((invalid.reason.as_str(), invalid.status), ("Invalid", ConditionStatus::True));
    assert!(ready(&found.conditions).starts_with("False Invalid spec.pipeline is 'nothing'"));
}
