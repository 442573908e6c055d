//! The newest event decides whether a server runs.

use serde_json::{Value, json};

use super::*;

/// A workbench of the first second, with this `desiredState`, annotations and status.
fn workbench(desired: Option<&str>, annotations: &Value, status: &Value) -> Workbench {
    serde_json::from_value(json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Workbench",
        "metadata": {"name": "ana", "namespace": "abc--p", "creationTimestamp": time(1), "annotations": annotations},
        "spec": {"owner": "ana", "image": "scipy", "desiredState": desired}, "status": status,
    }))
    .unwrap()
}

fn time(second: i64) -> String {
    Timestamp::from_second(second).unwrap().to_string()
}

fn at(second: i64) -> Time {
    Time(Timestamp::from_second(second).unwrap())
}

fn started(second: i64) -> Value {
    json!({STARTED_AT: time(second)})
}

fn stopped(second: i64) -> Value {
    json!({STOPPED_AT: time(second)})
}

/// What the status records of a decision.
fn recorded(state: &str, cause: &str, second: i64, observed: Option<&str>) -> Value {
    json!({"decision": {"state": state, "cause": cause, "lastTransitionTime": time(second)},
        "observedDesiredState": observed})
}

fn idle_at(second: i64) -> Pod {
    let before = json!({"exitCode": 0, "message": "{\"ended\": \"idle\"}", "finished": time(second)});
    serde_json::from_value(json!({"name": "workbench-ana-0", "containers": [{"name": "notebook", "before": before}]}))
        .unwrap()
}

#[track_caller]
fn decides(workbench: &Workbench, pods: &[Pod], expected: (DesiredState, Cause, i64)) {
    let newest = decide(workbench, pods, &at(100)).newest;
    assert_eq!((newest.state, newest.cause, newest.last_transition_time), (expected.0, expected.1, at(expected.2)));
}

use Cause::{Annotation, Idle, Spec, Upgrade};
use DesiredState::{Running, Stopped};

#[test]
fn a_new_workbench_runs_unless_its_spec_says_otherwise() {
    let new = |desired| workbench(desired, &json!({}), &json!({"observedGeneration": -1}));
    decides(&new(None), &[], (Running, Spec, 1));
    decides(&new(Some("Running")), &[], (Running, Spec, 1));
    decides(&new(Some("Stopped")), &[], (Stopped, Spec, 1));
}

#[test]
fn the_newest_annotation_decides() {
    let none = json!({});
    decides(&workbench(Some("Stopped"), &started(50), &none), &[], (Running, Annotation, 50));
    decides(&workbench(None, &stopped(50), &none), &[], (Stopped, Annotation, 50));
    for (started, stopped, state, second) in [(50, 60, Stopped, 60), (60, 50, Running, 60), (60, 60, Stopped, 60)] {
        let both = json!({STARTED_AT: time(started), STOPPED_AT: time(stopped)});
        decides(&workbench(None, &both, &none), &[], (state, Annotation, second));
    }
    let other_zone = json!({STARTED_AT: "1970-01-01T02:00:50+02:00"});
    decides(&workbench(Some("Stopped"), &other_zone, &none), &[], (Running, Annotation, 50));
}

#[test]
fn a_change_of_the_spec_outweighs_earlier_events() {
    let before = recorded("Running", "Annotation", 50, Some("Running"));
    decides(&workbench(Some("Running"), &started(50), &before), &[], (Running, Annotation, 50));
    decides(&workbench(Some("Stopped"), &started(50), &before), &[], (Stopped, Spec, 100));
    decides(&workbench(None, &started(50), &before), &[], (Running, Spec, 100));
    let before = recorded("Stopped", "Idle", 50, None);
    decides(&workbench(Some("Running"), &json!({}), &before), &[], (Running, Spec, 100));
    decides(&workbench(None, &json!({}), &before), &[], (Stopped, Idle, 50));
}

#[test]
fn an_idle_end_holds_until_a_later_start() {
    let running = recorded("Running", "Spec", 1, None);
    decides(&workbench(None, &json!({}), &running), &[idle_at(50)], (Stopped, Idle, 50));
    decides(&workbench(None, &started(49), &running), &[idle_at(50)], (Stopped, Idle, 50));
    // Its pod may still be there when it is started again.
    decides(&workbench(None, &started(50), &running), &[idle_at(50)], (Running, Annotation, 50));
    let ended = recorded("Stopped", "Idle", 50, None);
    decides(&workbench(None, &started(49), &ended), &[], (Stopped, Idle, 50));
    decides(&workbench(None, &started(51), &ended), &[], (Running, Annotation, 51));
    // A clock of a node that is ahead of others holds nothing down in the future.
    decides(&workbench(None, &json!({}), &running), &[idle_at(500)], (Stopped, Idle, 100));
}

#[test]
fn a_removed_annotation_changes_nothing() {
    for (state, word) in [(Running, "Running"), (Stopped, "Stopped")] {
        let before = recorded(word, "Annotation", 50, None);
        decides(&workbench(None, &json!({}), &before), &[], (state, Annotation, 50));
    }
}

#[test]
fn a_time_in_the_future_is_told_and_does_not_count() {
    for key in [STARTED_AT, STOPPED_AT] {
        let desired = if key == STARTED_AT { "Stopped" } else { "Running" };
        let later = workbench(Some(desired), &json!({key: time(200)}), &json!({}));
        let decided = decide(&later, &[], &at(100));
        assert_eq!((decided.newest.cause, decided.due), (Spec, Some(at(200))));
        let said = decided.ignored.join(" ");
        let command = format!("kubectl annotate --overwrite workbench ana --namespace abc--p {key}=$(date -u +%FT%TZ)");
        assert!(said.contains("in the future") && said.ends_with(&command), "{said}");
        let then = decide(&later, &[], &at(200));
        assert_eq!((then.newest.cause, then.ignored.len(), then.due), (Annotation, 0, None));
    }
}

#[test]
fn a_text_that_is_no_time_is_told_and_does_not_count() {
    for text in ["monday", "", "2026-11-24", "08:00", "2026-13-24T08:00:00Z", "1700000000"] {
        let wrong = workbench(None, &json!({STOPPED_AT: text}), &json!({}));
        let decided = decide(&wrong, &[], &at(100));
        assert!(decided.runs() && decided.due.is_none(), "{text}");
        let said = decided.ignored.join(" ");
        assert!(said.contains(&format!("'{text}'")) && said.contains("date -u"), "{said}");
    }
}

/// The status that an operator wrote that knew no `desiredState`.
fn earlier(state: &str, reason: &str) -> Value {
    json!({"state": state, "image": "scipy:1", "conditions": [{"type": "Ready", "status": "True", "reason": reason,
        "message": "", "lastTransitionTime": time(40)}]})
}

#[test]
fn a_server_that_was_down_before_an_upgrade_stays_down() {
    for (state, reason) in
        [("Stopped", "Stopped"), ("Stopped", "Idle"), ("Stopping", "Progressing"), ("Stopped", "Retained")]
    {
        let status = earlier(state, reason);
        decides(&workbench(None, &json!({}), &status), &[], (Stopped, Upgrade, 40));
        decides(&workbench(Some("Running"), &json!({}), &status), &[], (Running, Spec, 1));
        decides(&workbench(None, &started(50), &status), &[], (Running, Annotation, 50));
    }
    let kept = recorded("Stopped", "Upgrade", 40, None);
    decides(&workbench(None, &json!({}), &kept), &[], (Stopped, Upgrade, 40));
    decides(&workbench(Some("Running"), &json!({}), &kept), &[], (Running, Spec, 100));
}

#[test]
fn what_was_down_for_another_reason_runs_after_an_upgrade() {
    for status in [
        earlier("Running", "Ready"),
        earlier("Starting", "Progressing"),
        earlier("Stopped", "OwnerLeft"),
        // Its plan was held while it had no pod.
        earlier("Stopped", "Invalid"),
        // It was never written: its image was not found.
        json!({"state": "Stopped", "conditions": earlier("Stopped", "Invalid")["conditions"]}),
    ] {
        decides(&workbench(None, &json!({}), &status), &[], (Running, Spec, 1));
    }
}

#[test]
fn a_change_of_the_spec_keeps_its_time_through_a_hold() {
    let running = recorded("Running", "Spec", 1, None);
    let held = |status: &Value| json!(super::recorded(&workbench(Some("Stopped"), &json!({}), status), &at(100)));
    let status = held(&running);
    assert_eq!((&status["decision"]["state"], &status["observedDesiredState"]), (&json!("Stopped"), &json!("Stopped")));
    // The hold lasts, and somebody starts the server meanwhile.
    assert_eq!(held(&status)["decision"], status["decision"]);
    decides(&workbench(Some("Stopped"), &started(90), &status), &[], (Stopped, Spec, 100));
    let later = decide(&workbench(Some("Stopped"), &started(150), &status), &[], &at(200));
    assert_eq!((later.newest.state, later.newest.cause), (Running, Annotation));
}
