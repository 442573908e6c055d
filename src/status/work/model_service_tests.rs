//! The status of a model in production, from its first release to its drift.

use serde_json::{Value, json};

use super::*;
use crate::api::work::model_service::{Outcome, Verdict};
use crate::engine::Verdict as Judgement;
use crate::plan::work::pod_state::{Container, Ended, Pod};
use crate::plan::work::release::{DIGEST as DIGEST_KEY, VERSION};
use crate::plan::work::serving_stage::{DIGEST, OTHER, Stage, at, service};

#[path = "model_service_scaling_tests.rs"]
mod scaling;

const SEVEN: &str = "{model: {name: fraud, version: '7'}, runtime: mlflow, replicas: {min: 2}}";
const EIGHT: &str = "{model: {name: fraud, version: '8'}, runtime: mlflow}";
const WATCHED: &str =
    "{model: {name: fraud, version: '7'}, runtime: mlflow, monitor: {component: drift, everyMinutes: 5}}";

fn said(stage: &Stage, service: &ModelService, verdict: Judgement) -> ModelServiceStatus {
    let plan = stage.plan(service);
    let failure = plan.hold.clone().filter(|hold| hold.reason.class() != Class::Fine);
    let judged = Judged {
        plan: &plan,
        failure,
        verdict,
        live: &|kind, name| stage.live(kind, name),
        pods: &stage.pods,
        refused: None,
        ungrown: None,
        autoscalers: &stage.autoscalers,
        now: &at(100),
    };
    status(service, &judged)
}

fn condition(status: &ModelServiceStatus, type_: &str) -> Option<(Value, String, String)> {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_)?;
    Some((json!(found.status), found.reason.clone(), found.message.clone()))
}

fn ready(status: &ModelServiceStatus) -> (Value, String, String) {
    condition(status, "Ready").unwrap()
}

fn not(reason: &str, message: &str) -> (Value, String, String) {
    (json!("False"), reason.to_owned(), message.to_owned())
}

fn job(stage: &Stage, service: &ModelService) -> String {
    let resolve = stage.plan(service).draft.work.service.unwrap().resolve.unwrap();
    release::job("score", &resolve.suffix)
}

/// With the current status as the earlier one.
fn later(service: &ModelService, status: ModelServiceStatus) -> ModelService {
    ModelService { status: Some(status), ..service.clone() }
}

#[test]
fn from_the_first_release_to_serving() {
    let mut stage = Stage::new();
    let service = service(SEVEN, 1, &[]);
    let status = said(&stage, &service, Judgement::waiting("Job has not finished"));
    assert_eq!(
        ready(&status),
        not("Progressing", "version 7 of fraud is being looked up in the registry. No version is serving yet")
    );
    assert_eq!((status.wanted.as_deref(), &status.serving, &status.endpoint), (Some("7"), &None, &None));

    stage.ended(&job(&stage, &service), "release", 0, &json!({"version": "7", "digest": DIGEST}).to_string());
    let status = said(&stage, &service, Judgement::waiting("Deployment (server) does not exist yet"));
    assert_eq!((status.releases[0].version.as_str(), status.releases[0].release_time.as_ref()), ("7", Some(&at(100))));
    assert_eq!(status.endpoint.as_deref(), Some("http://score.abc--p--live.svc:8080"));
    assert_eq!(ready(&status).1, "Progressing");

    let service = later(&service, status);
    stage.deployed("7", 1, 1, 1);
    let status = said(&stage, &service, Judgement::waiting("score is brought up to 2 pods"));
    assert_eq!((status.serving.as_deref(), status.ready_replicas), (Some("7"), Some(1)));
    stage.deployed("7", 2, 2, 2);
    let status = said(&stage, &service, Judgement::Ready);
    assert_eq!(ready(&status), (json!("True"), "Ready".to_owned(), "version 7 of fraud is serving".to_owned()));
    assert_eq!((status.digest.as_deref(), status.ready_replicas), (Some(DIGEST), Some(2)));
    assert_eq!(condition(&status, "MonitorPassing"), None);
}

#[test]
fn a_release_that_fails_says_what_goes_on_and_what_to_do() {
    let mut stage = Stage::new();
    let service = service(EIGHT, 4, &[("7", DIGEST, None)]);
    stage.deployed("7", 1, 1, 1);
    let name = job(&stage, &service);
    stage.ended(&name, "release", 1, "model fraud has no version 8 (it has: 7): register it.");
    stage.gave_up(&name, "PodFailurePolicy", "x");
    let status = said(&stage, &service, Judgement::failing("PodFailurePolicy", "x"));
    let expected = format!(
        "Version 7 is still serving. Release of version 8 of fraud failed: model fraud has no version 8 (it has: 7): \
         register it. Fix the cause and change the spec, or retry with `kubectl delete job {name} --namespace \
         abc--p--live` (needs Own)"
    );
    assert_eq!(ready(&status), not("ReleaseFailed", &expected));
    assert!(condition(&status, "Stalled").is_some());
    assert_eq!((status.wanted.as_deref(), status.serving.as_deref()), (Some("8"), Some("7")));
    assert_eq!(status.releases.len(), 1);
}

#[test]
fn old_version_is_reported_as_serving_during_a_rollout() {
    let mut stage = Stage::new();
    let mut service = service(EIGHT, 4, &[("8", OTHER, None), ("7", DIGEST, None)]);
    let before = service.status.as_mut().unwrap();
    (before.serving, before.digest) = (Some("7".to_owned()), Some(DIGEST.to_owned()));
    stage.deployed("8", 3, 1, 2);
    let status = said(&stage, &service, Judgement::waiting("1 of 2 pods are of the newest revision"));
    assert_eq!(
        ready(&status),
        not("Progressing", "1 of 2 pods are of the newest revision. Version 7 is still serving")
    );
    assert_eq!((status.serving.as_deref(), status.digest.as_deref()), (Some("7"), Some(DIGEST)));

    // The controller has not processed the change yet.
    stage.deployed("8", 2, 2, 2);
    let deployment = stage.live.get_mut(&("Deployment".to_owned(), "service-score".to_owned())).unwrap();
    deployment["metadata"]["generation"] = json!(3);
    let status = said(&stage, &service, Judgement::Ready);
    assert_eq!(
        ready(&status),
        not("Progressing", "version 8 of fraud is being rolled out. Version 7 is still serving")
    );

    stage.deployed("8", 2, 2, 2);
    let status = said(&stage, &service, Judgement::Ready);
    assert_eq!((ready(&status).0, status.serving.as_deref()), (json!("True"), Some("8")));
    stage.deployed("8", 2, 2, 0);
    assert_eq!(said(&stage, &service, Judgement::waiting("x")).serving, None);
}

#[test]
fn a_pod_that_refuses_its_files_says_why_or_where_it_does() {
    let mut stage = Stage::new();
    let mut service = service(EIGHT, 4, &[("8", OTHER, None), ("7", DIGEST, None)]);
    service.status.as_mut().unwrap().serving = Some("7".to_owned());
    stage.deployed("8", 3, 1, 2);
    for (message, words) in [
        (
            "",
            "container model, which fetches and verifies the released files, ended with exit code 1. Its log: `kubectl \
             logs p -c model --namespace abc--p--live`",
        ),
        ("version 8 of model fraud is not what was released.\n", "version 8 of model fraud is not what was released"),
    ] {
        let container = Container {
            name: "model".to_owned(),
            init: true,
            waiting: Some(("Error".to_owned(), "container model ended with exit code 1".to_owned())),
            before: Some(Ended { exit_code: 1, message: message.to_owned(), ..Ended::default() }),
            ..Container::default()
        };
        let owner_kind = "ReplicaSet".to_owned();
        stage.pods = vec![Pod { name: "p".to_owned(), owner_kind, containers: vec![container], ..Pod::default() }];
        let status = said(&stage, &service, Judgement::waiting("x"));
        assert_eq!(ready(&status), not("PodFailing", &format!("pod p: {words}. Version 7 is still serving")));
    }
}

/// A pod that answers with this version, or does not.
fn answering(version: &str, ready: bool, second: i64) -> Pod {
    let annotations = [(VERSION, version), (DIGEST_KEY, "sha256:x")];
    Pod {
        name: format!("p-{version}-{second}"),
        owner_kind: "ReplicaSet".to_owned(),
        created: Some(at(second)),
        ready,
        annotations: annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..Pod::default()
    }
}

#[test]
fn what_answers_is_read_from_what_answers_now() {
    let mut stage = Stage::new();
    let mut service = service(EIGHT, 4, &[("8", OTHER, None), ("7", DIGEST, None)]);
    service.status.as_mut().unwrap().serving = Some("7".to_owned());
    // Version 8 crashes, and the pods of version 7 are lost once.
    stage.deployed("8", 2, 1, 0);
    stage.pods = vec![answering("7", false, 1), answering("8", false, 2)];
    let status = said(&stage, &service, Judgement::waiting("x"));
    assert_eq!((&status.serving, ready(&status).2.as_str()), (&None, "x. No version is serving now"));
    // They come back.
    let service = later(&service, status);
    stage.deployed("8", 2, 1, 1);
    stage.pods = vec![answering("7", true, 1), answering("8", false, 2)];
    let status = said(&stage, &service, Judgement::waiting("x"));
    assert_eq!((status.serving.as_deref(), ready(&status).2.as_str()), (Some("7"), "x. Version 7 is still serving"));
    // While both answer, what answered before does; then the other one.
    let service = later(&service, status);
    stage.pods = vec![answering("8", true, 2), answering("7", true, 3)];
    assert_eq!(said(&stage, &service, Judgement::waiting("x")).serving.as_deref(), Some("7"));
    stage.pods = vec![answering("8", true, 2), Pod { deleting: true, ..answering("7", true, 3) }];
    assert_eq!(said(&stage, &service, Judgement::waiting("x")).serving.as_deref(), Some("8"));
}

#[test]
fn a_paused_rollout_is_reported() {
    let mut stage = Stage::new();
    let mut service = service(EIGHT, 4, &[("8", OTHER, None), ("7", DIGEST, None)]);
    service.status.as_mut().unwrap().serving = Some("7".to_owned());
    stage.deployed("8", 2, 0, 2);
    let deployment = stage.live.get_mut(&("Deployment".to_owned(), "service-score".to_owned())).unwrap();
    deployment["spec"]["paused"] = json!(true);
    let message = ready(&said(&stage, &service, Judgement::waiting("0 of 2 pods are of the newest revision"))).2;
    assert_eq!(
        message,
        "version 8 of fraud is not rolled out, because the rollout is paused. To resume it: kubectl rollout resume \
         deployment/service-score --namespace abc--p--live. Version 7 is still serving"
    );
}

#[test]
fn an_alias_is_reported_with_the_version_it_stood_for() {
    let stage = Stage::new();
    let champion = "{model: {name: fraud, alias: champion}, runtime: mlflow}";
    let recorded = service(champion, 1, &[("7", DIGEST, Some("champion"))]);
    assert_eq!(said(&stage, &recorded, Judgement::Ready).wanted.as_deref(), Some("champion (7)"));
    let fresh = service(champion, 1, &[("7", DIGEST, None)]);
    assert_eq!(said(&stage, &fresh, Judgement::Ready).wanted.as_deref(), Some("champion"));
}

#[test]
fn what_is_held_forgets_nothing() {
    let mut stage = Stage::new();
    let spec = "{model: {name: fraud, version: '8'}, runtime: mlflow, customers: [thief]}";
    let mut service = service(spec, 4, &[("7", DIGEST, None)]);
    service.status.as_mut().unwrap().endpoint = Some("http://x".to_owned());
    stage.deployed("7", 1, 1, 1);
    let status = said(&stage, &service, Judgement::Ready);
    let (holds, reason, message) = ready(&status);
    assert_eq!((holds, reason.as_str()), (json!("False"), "Invalid"));
    assert!(message.ends_with("or remove it here. Version 7 is still serving"), "{message}");
    assert_eq!((status.releases.len(), status.endpoint.as_deref()), (1, Some("http://x")));
}

#[test]
fn newer_engine_revision_is_no_trouble_while_serving() {
    let mut stage = Stage::new();
    let mut service = service(EIGHT, 4, &[("8", OTHER, None)]);
    let engine = json!({"name": "deployment", "revision": "0"});
    service.status.as_mut().unwrap().engine = serde_json::from_value(engine).unwrap();
    stage.deployed("8", 1, 1, 1);
    let status = said(&stage, &service, Judgement::Ready);
    assert_eq!((ready(&status).0, ready(&status).1), (json!("True"), "UpgradeAvailable".to_owned()));
    assert_eq!(status.engine.unwrap().revision, "0");

    service.spec.model.version = Some("9".to_owned());
    let (holds, reason, message) = ready(&said(&stage, &service, Judgement::waiting("x")));
    assert_eq!((holds, reason.as_str()), (json!("False"), "UpgradeRequired"));
    assert!(message.ends_with("Version 8 is still serving"), "{message}");
}

#[test]
fn a_monitor_tells_drift_from_its_own_failure() {
    let stage = || {
        let mut stage = Stage::new().with_component("abc--shared/drift", "{image: scipy}");
        stage.deployed("7", 1, 1, 1);
        stage
    };
    let service = service(WATCHED, 1, &[("7", DIGEST, None)]);
    assert_eq!(said(&stage(), &service, Judgement::Ready).monitor, None);
    for (code, message, verdict, reason) in [
        (0, r#"{"verdict": "ok"}"#, Outcome::Ok, "Ready"),
        (0, r#"{"verdict": "drift", "message": "amount is up"}"#, Outcome::Drift, "Drift"),
        (0, r#"{"verdict": "fine"}"#, Outcome::Failed, "MonitorFailed"),
        (0, "", Outcome::Failed, "MonitorFailed"),
        (1, r#"{"verdict": "drift"}"#, Outcome::Failed, "MonitorFailed"),
        (137, "", Outcome::Failed, "MonitorFailed"),
    ] {
        let mut stage = stage();
        // An older run, and a Job of somebody with a longer name.
        stage.ended("service-score-monitor-29000000", "drift", 0, r#"{"verdict": "ok"}"#);
        stage.ended("service-score-monitor-29000001", "drift", code, message);
        stage.ended("service-score-monitor-x", "drift", 0, r#"{"verdict": "other"}"#);
        let status = said(&stage, &service, Judgement::Ready);
        assert_eq!(status.monitor.as_ref().unwrap().verdict, verdict, "{message}");
        assert_eq!(status.monitor.as_ref().unwrap().last_transition_time, Some(at(1)));
        let (holds, found, words) = condition(&status, "MonitorPassing").unwrap();
        assert_eq!((holds, found.as_str()), (json!(if verdict == Outcome::Ok { "True" } else { "False" }), reason));
        assert!(verdict != Outcome::Drift || words == "the model drifts and is still serving: amount is up", "{words}");
        assert_eq!(ready(&status).0, json!("True"), "a model that drifts still serves");
    }
}

#[test]
fn a_verdict_keeps_its_time_and_outlives_its_pod() {
    let mut stage = Stage::new().with_component("abc--shared/drift", "{image: scipy}");
    let mut service = service(WATCHED, 1, &[("7", DIGEST, None)]);
    let drift = |since| Verdict { verdict: Outcome::Drift, message: None, last_transition_time: Some(since) };
    service.status.as_mut().unwrap().monitor = Some(drift(at(50)));
    assert_eq!(said(&stage, &service, Judgement::Ready).monitor, Some(drift(at(50))));
    stage.ended("service-score-monitor-29000001", "drift", 0, r#"{"verdict": "drift"}"#);
    assert_eq!(said(&stage, &service, Judgement::Ready).monitor, Some(drift(at(50))));
    let unwatched =
        ModelService { status: service.status.clone(), ..crate::plan::work::serving_stage::service(SEVEN, 1, &[]) };
    assert_eq!(said(&stage, &unwatched, Judgement::Ready).monitor, None);
}

#[test]
fn a_status_of_an_earlier_form_is_read() {
    let earlier = json!({
        "replicas": "2/2", "serving": "7", "monitor": {"verdict": "drift"},
        "releases": [{"model": "fraud", "version": "7", "generation": 1, "digest": DIGEST}],
    });
    let read: ModelServiceStatus = serde_json::from_value(earlier).unwrap();
    assert_eq!((read.replicas, read.monitor.unwrap().verdict), (None, Outcome::Drift));
    let mut stage = Stage::new();
    stage.deployed("7", 2, 2, 2);
    let mut service = service(SEVEN, 1, &[]);
    service.status = Some(ModelServiceStatus { releases: read.releases, ..ModelServiceStatus::default() });
    let status = said(&stage, &service, Judgement::Ready);
    assert_eq!((ready(&status).0, status.releases.len()), (json!("True"), 1), "it is released again");
    assert_eq!(status.requested, Some(Requested { version: Some("7".to_owned()), alias: None }));
}

#[test]
fn a_monitor_that_cannot_start_is_one_that_failed() {
    let mut stage = Stage::new().with_component("abc--shared/drift", "{image: scipy}");
    stage.ended("service-score-monitor-29000001", "drift", 0, r#"{"verdict": "ok"}"#);
    let waiting = Some(("ImagePullBackOff".to_owned(), "not found".to_owned()));
    let container = Container { name: "drift".to_owned(), waiting, ..Container::default() };
    stage.pods.push(Pod {
        name: "m".to_owned(),
        owner_kind: "Job".to_owned(),
        owner: "service-score-monitor-29000002".to_owned(),
        created: Some(at(9)),
        containers: vec![container],
        ..Pod::default()
    });
    let status = said(&stage, &service(WATCHED, 1, &[("7", DIGEST, None)]), Judgement::Ready);
    assert!(
        condition(&status, "MonitorPassing")
            .unwrap()
            .2
            .contains("pod m of the monitor does not start: ImagePullBackOff")
    );
}
