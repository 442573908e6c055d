//! The state of one Job and its pods.

use serde_json::json;

use super::*;
use crate::plan::work::fixtures::at;
use crate::status::work::fixtures::{condition, pod};

fn state(job: Option<&Value>, pods: &[Pod]) -> RunState {
    progress(job, pods.iter()).state
}

#[test]
fn a_job_has_come_as_far_as_it_and_its_newest_pod_say() {
    let job = |conditions: &Value| Some(json!({"status": {"conditions": conditions}}));
    let failed = || job(&json!([condition("Failed", "BackoffLimitExceeded", "")]));
    let complete = || job(&json!([condition("Complete", "", "")]));
    let none = || job(&json!([]));
    for (live, pods, expected) in [
        (none(), vec![], RunState::Pending),
        (none(), vec![pod("run-x", "Pending", &["a", "b"])], RunState::Pending),
        (none(), vec![pod("run-x", "Pending", &["a+", "b"])], RunState::Running),
        (none(), vec![pod("run-x", "Pending", &["a=0", "b"])], RunState::Running),
        (none(), vec![pod("run-x", "Failed", &["a=1", "b"])], RunState::Running),
        (failed(), vec![pod("run-x", "Failed", &["a=1", "b"])], RunState::Failed),
        // The pod's own word is still to come.
        (failed(), vec![pod("run-x", "Running", &["a=0", "b+"])], RunState::Running),
        (failed(), vec![], RunState::Failed),
        // A Job counts every pod with its labels: only its own pods are proof.
        (complete(), vec![pod("run-x", "Succeeded", &["a=0", "b=0"])], RunState::Succeeded),
        (complete(), vec![pod("run-x", "Running", &["a=0", "b+"])], RunState::Running),
        (complete(), vec![pod("run-x", "Pending", &["a", "b"])], RunState::Pending),
        (complete(), vec![], RunState::Pending),
        (None, vec![pod("run-x", "Succeeded", &["a=0"])], RunState::Succeeded),
        (None, vec![pod("run-x", "Failed", &["a=1"])], RunState::Failed),
    ] {
        assert_eq!(state(live.as_ref(), &pods), expected, "{live:?} {pods:?}");
    }
    let older = Pod { created: Some(at(1)), ..pod("run-x", "Failed", &["a=1"]) };
    let newer = Pod { created: Some(at(2)), ..pod("run-x", "Pending", &["a"]) };
    assert_eq!(state(none().as_ref(), &[newer, older]), RunState::Pending);
}

#[test]
fn times_are_those_of_the_steps_and_else_of_the_job() {
    let job = json!({"status": {"startTime": "1970-01-01T00:00:50Z", "completionTime": "1970-01-01T00:05:00Z"}});
    let pods = [pod("run-x", "Succeeded", &["a=0", "b=0"])];
    let found = progress(Some(&job), pods.iter());
    assert_eq!((found.started(), found.finished()), (Some(at(100)), Some(at(120))));
    let found = progress(Some(&job), [].iter());
    assert_eq!((found.started(), found.finished()), (Some(at(50)), Some(at(300))));
}

#[test]
fn why_a_step_failed_is_one_line() {
    let ended = |text: &str| pod("run-x", "Failed", &[&format!("train={text}")]).containers[0].ended.clone().unwrap();
    let evicted = Pod {
        failed: Some((
            "Evicted".to_owned(),
            "Usage of EmptyDir volume \"files\" exceeds the limit \"4Gi\".".to_owned(),
        )),
        ..pod("run-x", "Failed", &[])
    };
    let cases = [
        ("3:auc 0.71 is below 0.80", None, "step train ended with exit code 3: auc 0.71 is below 0.80"),
        (
            "1:Traceback\n  File x\nValueError: no rows\n\n",
            None,
            "step train ended with exit code 1: ValueError: no rows",
        ),
        ("1", None, "step train ended with exit code 1"),
        (
            "137:OOMKilled",
            None,
            "step train took more memory than the limit of 2Gi and was stopped (OOMKilled). Give its component a \
             larger size",
        ),
        (
            "137",
            Some(&evicted),
            "step train was stopped with its pod: Evicted: Usage of EmptyDir volume \"files\" exceeds the limit \
             \"4Gi\". Give its component a size with more ephemeral storage",
        ),
    ];
    for (text, pod, expected) in cases {
        assert_eq!(failure("train", Some(&ended(text)), pod, Some("2Gi"), Words::Reported), expected);
    }
    // In Live the message of the step is only in its log.
    assert_eq!(
        failure("train", Some(&ended("1:KeyError: iban")), None, None, Words::Kept),
        "step train ended with exit code 1"
    );
    let never = Ended {
        exit_code: 128,
        reason: "StartError".into(),
        message: "exec: \"x\": no such file\n".into(),
        ..Ended::default()
    };
    assert_eq!(
        failure("train", Some(&never), None, None, Words::Reported),
        "step train could not be started: exec: \"x\": no such file"
    );
    let job = json!({"spec": {"template": {"spec": {"initContainers": [{"name": "a"}],
        "containers": [{"name": "train", "resources": {"limits": {"memory": "2Gi"}}}]}}}});
    assert_eq!((memory(&job, "train"), memory(&job, "a"), memory(&job, "gone")), (Some("2Gi"), None, None));
}

#[test]
fn of_a_long_text_the_end_is_kept() {
    assert_eq!(said("  \n"), None);
    assert_eq!(said("short\n").as_deref(), Some("short"));
    let long = said(&format!("{}é the cause", "é".repeat(1500))).unwrap();
    assert!(long.len() <= SAID && long.len() > SAID - 8, "{}", long.len());
    assert!(long.starts_with("…é") && long.ends_with("é the cause"));
}

#[test]
fn durations_are_said_in_hours_minutes_and_seconds() {
    for (seconds, expected) in
        [(0, "0s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (3723, "1h2m3s"), (90_000, "25h0m0s"), (-5, "0s")]
    {
        assert_eq!(duration(&at(100), &at(100 + seconds)), expected);
    }
}
