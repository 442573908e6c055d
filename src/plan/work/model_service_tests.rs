//! The references of a model in production, and the messages for missing ones.

use super::super::serving_stage::{DIGEST, Stage, service};
use super::*;

const BASE: &str = "model: {name: fraud, version: '7'}, runtime: mlflow";

fn plan(stage: &Stage, more: &str) -> super::super::WorkPlan {
    stage.plan(&service(&format!("{{{BASE}, {more}}}"), 1, &[("7", DIGEST, None)]))
}

fn held(stage: &Stage, more: &str) -> String {
    let plan = plan(stage, more);
    assert_eq!(plan.objects, [], "what is held is neither written nor removed");
    plan.hold.unwrap_or_else(|| panic!("not held: {more}")).message
}

fn inputs(stage: &Stage, more: &str) -> ServiceInputs {
    let plan = plan(stage, more);
    if let Some(hold) = plan.hold {
        panic!("{}", hold.message);
    }
    plan.draft.work.service.unwrap()
}

#[test]
fn customers_are_those_of_the_team() {
    let stage = Stage::new();
    let draft = plan(&stage, "customers: [shop, bank]").draft;
    assert_eq!(draft.callers, Some(Callers { namespaces: vec!["shop-a".to_owned(), "shop-b".to_owned()], port: 8080 }));
    assert_eq!(
        held(&stage, "customers: [shop, thief]"),
        "spec.customers names 'thief', which is not in spec.customers of AITeam abc (shop, bank). Add it there, or \
         remove it here"
    );
}

/// A held service keeps serving, for the customers that the team still names.
#[test]
fn a_customer_that_the_team_does_not_name_any_more_is_shut_out() {
    let stage = Stage::new();
    let callers = |more: &str| {
        let plan = plan(&stage, more);
        assert!(plan.hold.is_some(), "{more}");
        plan.draft.callers.unwrap().namespaces
    };
    assert_eq!(callers("customers: [shop, thief]"), ["shop-a", "shop-b"]);
    assert!(callers("customers: [thief]").is_empty());
}

/// Stored objects lost the earlier fields when the definition was replaced.
#[test]
fn a_service_of_an_earlier_form_is_held_and_its_callers_are_current() {
    let stage = Stage::new();
    for (more, field) in [
        ("capture: {dataset: captured}", "spec.capture.percent is not set: it replaced the field sample"),
        ("monitor: {component: drift}", "spec.monitor.everyMinutes is not set: it replaced the field every"),
    ] {
        let more = format!("{more}, customers: [shop]");
        assert!(held(&stage, &more).starts_with(field), "{}", held(&stage, &more));
        assert_eq!(plan(&stage, &more).draft.callers.unwrap().namespaces, ["shop-a", "shop-b"]);
    }
}

#[test]
fn as_many_pods_at_most_as_at_least_unless_it_says_more() {
    let stage = Stage::new();
    let asked = |more: &str| {
        let draft = plan(&stage, more).draft;
        (draft.work.service.unwrap().replicas, draft.scale)
    };
    let scale = Scale { template: "server".to_owned(), replicas: 2 };
    assert_eq!(asked("replicas: {min: 2}"), (ReplicasInputs { min: 2, max: None }, Some(scale)));
    // What an autoscaler scales is nobody else's.
    for max in [2, 5] {
        let expected = (ReplicasInputs { min: 2, max: Some(max) }, None);
        assert_eq!(asked(&format!("replicas: {{min: 2, max: {max}}}")), expected);
    }
}

#[test]
fn requests_are_captured_on_a_volume_that_can_be_written_to() {
    let stage = Stage::new()
        .with_dataset("abc--p--live/calls", "{volume: {size: 1Gi, accessMode: ReadWriteOnce}}")
        .with_dataset("abc--p--live/many", "{volume: {size: 1Gi}}")
        .with_dataset("abc--p--live/old", "{volume: {size: 1Gi}, readOnly: true}")
        .with_dataset("abc--p--live/away", "{uri: 's3://b/c'}")
        .with_dataset("abc--shared/elsewhere", "{volume: {size: 1Gi}}");
    let capture = |name: &str| format!("capture: {{percent: 10, dataset: {name}, retentionDays: 30}}");
    let expected = CaptureInputs {
        percent: 10,
        retention_days: Some(30),
        path: "/data/calls".to_owned(),
        claim: "dataset-calls".to_owned(),
        one_node: true,
    };
    assert_eq!(inputs(&stage, &capture("calls")).capture, Some(expected));
    assert!(!inputs(&stage, &capture("many")).capture.unwrap().one_node);
    assert!(held(&stage, &capture("old")).contains("is read-only"));
    assert!(held(&stage, &capture("away")).contains("has a `uri`"));
    let missing = "spec.capture.dataset is 'elsewhere', but abc--p--live has no dataset of that name";
    assert!(held(&stage, &capture("elsewhere")).starts_with(missing));
}

#[test]
fn a_monitor_is_a_component_of_shared() {
    let stage = Stage::new()
        .with_component(
            "abc--shared/drift",
            "{image: scipy, args: ['$(limit)'], parameters: [{name: limit, default: 'a$b'}], outputs: [{name: out}]}",
        )
        .with_component("abc--shared/fed", "{image: scipy, inputs: [{name: data}]}")
        .with_component("abc--shared/open", "{image: scipy, parameters: [{name: limit}]}")
        .with_component("abc--p--live/own", "{image: scipy}");
    let monitor = |name: &str| format!("monitor: {{component: {name}, everyMinutes: 15}}");
    let serving = inputs(&stage, &monitor("drift"));
    let found = serving.monitor.unwrap();
    // The service comes before its monitor.
    let classes = [serving.sized, found.sized].map(|sized| sized.priority_class_name.unwrap());
    assert_eq!(classes, ["ai-production", "ai-normal"]);
    assert_eq!(found.step.args, Some(vec!["$(limit)".to_owned()]));
    assert_eq!(found.step.command, None);
    let env: Vec<_> = found.step.env.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
    assert_eq!(env, [("limit", "a$$b"), ("out", "/tmp/out")]);
    assert!(found.step.image.contains('/'), "{}", found.step.image);
    assert!(held(&stage, &monitor("fed")).contains("reads input 'data'"));
    assert!(held(&stage, &monitor("open")).contains("'limit' has no default"));
    assert_eq!(
        held(&stage, &monitor("own")),
        "spec.monitor.component is 'own', but abc--shared has no such component. Available: drift, fed, open. Create \
         it there, or choose one of these"
    );
}

#[test]
fn monitor_with_a_claim_of_another_owner_goes_alone() {
    let message = "PersistentVolumeClaim dataset-calls exists";
    let ready = serde_json::json!({"type": "Ready", "status": "False", "reason": "Conflict", "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let stage = Stage::new()
        .with_component("abc--shared/drift", "{image: scipy, datasets: [calls]}")
        .with_dataset("abc--p--live/calls", "{volume: {size: 1Gi}}")
        .with_status("abc--p--live/calls", serde_json::json!({"conditions": [ready]}));
    // What serves goes on, and so do its releases.
    let plan = plan(&stage, "monitor: {component: drift, everyMinutes: 15}");
    assert_eq!(plan.hold, None);
    let Detail::ModelService { withheld: Some(why), .. } = &plan.draft.detail else { panic!("it is monitored") };
    assert_eq!(why.reason, Reason::Conflict);
    assert!(why.message.ends_with(message), "{why}");
    assert_eq!(plan.draft.work.service.unwrap().monitor, None);
    // Its pods would have the claim.
    assert!(held(&stage, "capture: {dataset: calls, percent: 1}").contains(message));
}

#[test]
fn how_often_is_spread_over_the_hour() {
    assert_eq!(cron(5, 3), "3-59/5 * * * *");
    assert_eq!(cron(30, 61), "1-59/30 * * * *");
    assert_eq!(cron(60, 125), "5 * * * *");
    assert_eq!(cron(360, 10), "10 */6 * * *");
    assert_eq!(cron(1440, 10), "10 0 * * *");
}

#[test]
fn what_divides_neither_hour_nor_day_is_a_little_more_often() {
    for (asked, kept) in [(1, "0-59/1"), (7, "3-59/6"), (45, "3-59/30"), (59, "3-59/30")] {
        assert_eq!(cron(asked, if asked == 1 { 0 } else { 3 }), format!("{kept} * * * *"), "{asked}");
    }
    for (asked, kept) in [(90, "*"), (300, "*/4"), (1439, "*/12")] {
        assert_eq!(cron(asked, 3), format!("3 {kept} * * *"), "{asked}");
    }
}

#[test]
fn a_runtime_is_one_that_an_engine_publishes() {
    let asks = |stage: &Stage, runtime: &str| {
        let spec = format!("{{model: {{name: fraud, version: '7'}}, runtime: {runtime}}}");
        stage.plan(&service(&spec, 1, &[("7", DIGEST, None)]))
    };
    let stage = Stage::new();
    assert_eq!(asks(&stage, "mlflow").hold, None);
    let hold = asks(&stage, "vllm").hold.unwrap();
    let said = "spec.runtime is 'vllm', which no engine for Serving has here. Runtimes: mlflow. Choose one of these, or \
                ask a platform engineer for an engine that has it";
    assert_eq!((hold.reason, hold.message.as_str()), (crate::api::Reason::Invalid, said));
}

#[test]
fn newer_engine_revision_restarts_nothing_unasked() {
    let stage = Stage::new();
    let mut running = service(&format!("{{{BASE}}}"), 1, &[("7", DIGEST, None)]);
    let engine = |revision: &str| {
        serde_json::from_value(serde_json::json!({"name": "deployment", "revision": revision})).unwrap()
    };
    running.status.as_mut().unwrap().engine = Some(engine("0"));
    let hold = stage.plan(&running).hold.unwrap();
    assert_eq!(hold.reason, crate::api::Reason::UpgradeAvailable);
    running.status.as_mut().unwrap().engine = Some(engine("1"));
    assert_eq!(stage.plan(&running).hold, None);
}
