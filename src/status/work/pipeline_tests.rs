//! Pipelines with a schedule, execution by execution.

use serde_json::{Value, json};

use super::*;
use crate::plan::work::Object;
use crate::plan::work::fixtures::{Scene, at, pipeline};
use crate::plan::work::pod_state::Pod;
use crate::status::work::fixtures::{condition, pod, ready, refused};

const LIVE: &str = "fraud--chargeback--live";
const NIGHTLY: &str = "{schedule: '0 3 * * *', timeZone: Europe/Berlin, retries: 1, steps: [{component: train}, {name: report, component: train}]}";

fn scene() -> Scene {
    Scene::new().component("fraud--shared", "train", "{image: train}").live(
        "CronJob",
        "pipeline-nightly",
        json!({"metadata": {"name": "pipeline-nightly"}}),
    )
}

fn observed(
    scene: &Scene,
    spec: &str,
    before: Option<PipelineStatus>,
    pods: &[Pod],
    refusal: Option<&str>,
) -> PipelineStatus {
    let object = Pipeline { status: before, ..pipeline("nightly", spec) };
    refused(scene, LIVE, "nightly", &Object::Pipeline(Box::new(object)), pods, refusal)
}

fn job(conditions: &Value) -> Value {
    json!({"status": {"conditions": conditions}})
}

#[test]
fn a_pipeline_says_in_which_order_it_runs_and_who_runs_it() {
    let graph = "{steps: [{name: a, component: train}, {name: b, component: train, after: [a]}, {name: c, component: train, after: [a]}]}";
    for (spec, order, said) in [
        ("{steps: [{component: train}]}", "train", "True Ready to start it, create a Run"),
        (
            graph,
            "a, b, c",
            "True Ready to start it, create a Run; b and c could run at the same time, but run one after another on \
             plain Kubernetes",
        ),
        (NIGHTLY, "train, report", "True Ready runs at '0 3 * * *' Europe/Berlin; no run yet"),
    ] {
        let found = observed(&scene(), spec, None, &[], None);
        assert_eq!((found.steps.join(", ").as_str(), found.last.clone()), (order, None));
        assert_eq!(ready(&found.conditions), said);
    }
    let paused = NIGHTLY.replacen('{', "{suspend: true, ", 1);
    assert_eq!(
        ready(&observed(&scene(), &paused, None, &[], None).conditions),
        "True Stopped '0 3 * * *' Europe/Berlin is suspended by spec.suspend; no run yet"
    );
    let retained = observed(&scene().retained(), NIGHTLY, None, &[], None);
    assert_eq!(
        ready(&retained.conditions),
        "True Retained the team or project was removed, so the schedule is suspended and no run starts"
    );
    let missing = Scene::new().component("fraud--shared", "train", "{image: train}");
    assert_eq!(
        ready(&observed(&missing, NIGHTLY, None, &[], None).conditions),
        "False Progressing CronJob (schedule) does not exist yet"
    );
}

#[test]
fn the_last_execution_is_that_of_the_newest_job() {
    let pods = [
        pod("pipeline-nightly-99", "Failed", &["train=1", "report"]),
        pod("pipeline-nightly-100", "Running", &["train=0", "report+"]),
        Pod { owner_kind: "ReplicaSet".to_owned(), ..pod("pipeline-nightly-200", "Running", &[]) },
    ];
    let found = observed(&scene(), NIGHTLY, None, &pods, None);
    let execution = Execution {
        job: "pipeline-nightly-100".to_owned(),
        state: RunState::Running,
        last_transition_time: Some(at(100)),
        reason: None,
        message: None,
    };
    assert_eq!(found.last, Some(execution.clone()));
    assert_eq!(ready(&found.conditions), "True Ready runs at '0 3 * * *' Europe/Berlin; a run is active");
    // It ended, its pod is gone, and the one before it is still there.
    let done = Execution { state: RunState::Succeeded, ..execution };
    let before = PipelineStatus { last: Some(done.clone()), ..PipelineStatus::default() };
    for left in [&pods[..1], &[]] {
        let found = observed(&scene(), NIGHTLY, Some(before.clone()), left, None);
        assert_eq!(found.last.as_ref(), Some(&done));
        assert_eq!(ready(&found.conditions), "True Ready runs at '0 3 * * *' Europe/Berlin; the last run succeeded");
    }
}

#[test]
fn a_failed_execution_is_reported_until_one_succeeds() {
    let failed = |job: &str| pod(job, "Failed", &["train=0", "report=3:auc 0.71 is below 0.80"]);
    let limit = || job(&json!([condition("Failed", "BackoffLimitExceeded", "")]));
    // Its message may contain data of customers and is only in its log.
    let said = "step report ended with exit code 3. Log: kubectl logs --namespace fraud--chargeback--live \
                job/pipeline-nightly-1 --container report";
    // A failed pod is replaced until the Job fails.
    let trying = scene().live("Job", "pipeline-nightly-1", job(&json!([])));
    let found = observed(&trying, NIGHTLY, None, &[failed("pipeline-nightly-1")], None);
    assert_eq!(found.last.map(|last| last.state), Some(RunState::Running));

    let scene = scene().live("Job", "pipeline-nightly-1", limit());
    let first = observed(&scene, NIGHTLY, None, &[failed("pipeline-nightly-1")], None);
    let expected = Execution {
        job: "pipeline-nightly-1".to_owned(),
        state: RunState::Failed,
        last_transition_time: Some(at(120)),
        reason: Some("StepFailed".to_owned()),
        message: Some(said.to_owned()),
    };
    assert_eq!(first.last, Some(expected));
    let message = format!("False StepFailed pipeline-nightly-1 failed: {said}");
    assert_eq!(ready(&first.conditions), message);

    let next = pod("pipeline-nightly-2", "Running", &["train+", "report"]);
    let second = observed(&scene, NIGHTLY, Some(first), &[next], None);
    assert_eq!(second.last.as_ref().map(|last| last.state), Some(RunState::Running));
    assert_eq!(ready(&second.conditions), message);
    let next = pod("pipeline-nightly-2", "Succeeded", &["train=0", "report=0"]);
    let third = observed(&scene, NIGHTLY, Some(second), &[next], None);
    assert_eq!(ready(&third.conditions), "True Ready runs at '0 3 * * *' Europe/Berlin; the last run succeeded");
}

#[test]
fn missed_deadline_is_reported_without_pods() {
    let running = [pod("pipeline-nightly-2", "Running", &["train+", "report"])];
    let before = observed(&scene(), NIGHTLY, None, &running, None);
    let mut late =
        job(&json!([condition("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")]));
    late["spec"] = json!({"activeDeadlineSeconds": 60});
    let scene = scene().live("Job", "pipeline-nightly-2", late);
    let said = "stopped after activeDeadlineSeconds (60 s). Set a larger activeDeadlineSeconds";
    // The pods of one before it may still be there.
    for pods in [vec![], vec![pod("pipeline-nightly-1", "Succeeded", &["train=0", "report=0"])]] {
        let found = observed(&scene, NIGHTLY, Some(before.clone()), &pods, None);
        let last = found.last.clone().unwrap();
        assert_eq!((last.job.as_str(), last.state), ("pipeline-nightly-2", RunState::Failed));
        assert_eq!((last.reason.as_deref(), last.message.as_deref()), (Some("DeadlineExceeded"), Some(said)));
        let message = format!("False DeadlineExceeded pipeline-nightly-2 failed: {said}");
        assert_eq!(ready(&found.conditions), message);
        let next = [pod("pipeline-nightly-3", "Running", &["train+", "report"])];
        assert_eq!(ready(&observed(&scene, NIGHTLY, Some(found), &next, None).conditions), message);
    }
}

#[test]
fn an_execution_that_is_gone_does_not_run_for_ever() {
    let running = [pod("pipeline-nightly-2", "Running", &["train+", "report"])];
    let before = observed(&scene(), NIGHTLY, None, &running, None);
    let older = pod("pipeline-nightly-1", "Succeeded", &["train=0", "report=0"]);
    for pods in [&[][..], &[older]] {
        let found = observed(&scene(), NIGHTLY, Some(before.clone()), pods, None);
        let last = found.last.unwrap();
        assert_eq!((last.state, last.reason.as_deref()), (RunState::Failed, Some("JobLost")));
        let said = ready(&found.conditions);
        assert!(said.starts_with("False JobLost pipeline-nightly-2 failed: the Job is gone"), "{said}");
    }
    // The schedule knows that one ended well, not before this one began.
    for (ended, state) in [(at(130), RunState::Succeeded), (at(1), RunState::Failed)] {
        let cron = json!({"metadata": {"name": "pipeline-nightly"}, "status": {"lastSuccessfulTime": ended}});
        let scene = scene().live("CronJob", "pipeline-nightly", cron);
        let found = observed(&scene, NIGHTLY, Some(before.clone()), &[], None);
        assert_eq!(found.last.map(|last| last.state), Some(state));
    }
    // One that replaces executions takes them away itself.
    let replaced = NIGHTLY.replacen('{', "{concurrency: Replace, ", 1);
    assert_eq!(observed(&scene(), &replaced, Some(before.clone()), &[], None).last, before.last);
}

#[test]
fn what_keeps_an_execution_from_running_is_said() {
    let mut unpullable = pod("pipeline-nightly-1", "Pending", &["train", "report"]);
    unpullable.containers[0].waiting = Some(("ErrImagePull".to_owned(), "no such image".to_owned()));
    let found = observed(&scene(), NIGHTLY, None, &[unpullable], None);
    assert_eq!(ready(&found.conditions), "False PodFailing pod pipeline-nightly-1-pod: ErrImagePull: no such image");
    let found = observed(&scene(), NIGHTLY, None, &[], Some("exceeded quota: strata-quota"));
    assert_eq!(ready(&found.conditions), "False Refused exceeded quota: strata-quota");
}

#[test]
fn a_pipeline_that_cannot_run_keeps_what_was_reported() {
    let before =
        observed(&scene(), NIGHTLY, None, &[pod("pipeline-nightly-1", "Succeeded", &["train=0", "report=0"])], None);
    let found = observed(&Scene::new(), NIGHTLY, Some(before.clone()), &[], None);
    assert_eq!((found.steps, found.last), (before.steps, before.last));
    let said = "False Invalid step train names component train, which fraud--shared does not have; available: none";
    assert_eq!(ready(&found.conditions), said);
}
