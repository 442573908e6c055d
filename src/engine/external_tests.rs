//! The engine `external`: what it publishes, what its probe asks, and what that means.

use serde_json::{Value, json};

use super::tests::{builtin, inputs};
use crate::api::vocabulary::{Capability, Layer};
use crate::engine::inputs::CredentialsInputs;
use crate::engine::work::DatasetInputs;
use crate::engine::{Egress, Verdict, objects_input};

#[test]
fn external_publishes_only_what_its_capability_needs() {
    let engine = builtin("external");
    assert_eq!(engine.parameters_valid(&json!({})).len(), 1);
    assert_eq!(engine.parameters_valid(&json!({"url": "https://user:password@host"})).len(), 1);
    for (capability, key, secret) in [
        (Capability::Experiments, "MLFLOW_TRACKING_URI", "EXPERIMENTS_SECRET"),
        (Capability::Models, "MLFLOW_REGISTRY_URI", "MODELS_SECRET"),
        (Capability::FeatureStore, "FEAST_ONLINE_URL", "FEATURE_STORE_SECRET"),
        (Capability::Pipelines, "PIPELINES_URL", "PIPELINES_SECRET"),
        (Capability::Data, "DATA_URL", "DATA_SECRET"),
        (Capability::Training, "TRAINING_URL", "TRAINING_SECRET"),
    ] {
        let mut inputs = inputs(Layer::Shared, &[capability], json!({"url": "https://x.example.com"}));
        inputs.credentials = Some(CredentialsInputs { secret: "key".to_owned() });
        let value = inputs.to_value();
        let expected = [(key.to_owned(), "https://x.example.com".to_owned()), (secret.to_owned(), "key".to_owned())];
        assert_eq!(engine.connections(&value).unwrap(), expected.into());
        let named = format!("external-{}-", capability.name().to_ascii_lowercase());
        let rendered = engine.render(&value).unwrap();
        assert!(rendered.iter().all(|one| one.object["metadata"]["name"].as_str().unwrap().starts_with(&named)));
    }
}

#[test]
fn the_probe_is_the_teams_and_not_written_again_for_each_object_of_a_member() {
    let mut inputs = inputs(Layer::Shared, &[Capability::Data], json!({"url": "https://x.example.com"}));
    let engine = builtin("external");
    assert_eq!(engine.render(&inputs.to_value()).unwrap().len(), 2);
    inputs.work.dataset = Some(DatasetInputs { name: "cards".to_owned(), volume: None });
    assert_eq!(engine.render(&inputs.to_value()).unwrap(), []);
    assert_eq!(engine.judge(&inputs.with_objects(json!({}))), Verdict::Ready);
}

#[test]
fn the_probe_asks_every_address_that_consumers_get() {
    let parameters = json!({"url": "http://online.feast.svc:6566", "registry": "registry.feast.svc:6570",
        "offlineHost": "offline.feast.svc", "proxy": "http://proxy.example.com:3128"});
    let inputs = inputs(Layer::Shared, &[Capability::FeatureStore], parameters);
    let asked = ["http://online.feast.svc:6566", "registry.feast.svc:6570", "offline.feast.svc:8815"];
    let engine = builtin("external");
    let rendered = engine.render(&inputs.to_value()).unwrap();
    let pods = [&rendered[0].object["spec"], &rendered[1].object["spec"]["jobTemplate"]["spec"]];
    for pod in pods.map(|job| &job["template"]["spec"]["containers"][0]) {
        assert_eq!(pod["args"], json!(asked));
        assert_eq!(pod["env"][1], json!({"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}));
    }
    let egress = engine.egress(&inputs.to_value()).unwrap();
    assert_eq!(egress, Egress { profile: None, services: asked.map(str::to_owned).to_vec() });
    let schedule = rendered[1].object["spec"]["schedule"].as_str().unwrap();
    assert!(
        schedule.ends_with("-59/5 * * * *") && schedule.starts_with(|c: char| ('0'..'5').contains(&c)),
        "{schedule}"
    );
}

#[test]
fn the_newest_probe_that_ended_decides() {
    let inputs = inputs(Layer::Shared, &[Capability::Experiments], json!({"url": "https://x.example.com"}));
    let engine = builtin("external");
    let rendered = engine.render(&inputs.to_value()).unwrap();
    let judge = |first: Value, probe: Value| {
        let live = objects_input(&rendered, |wanted| {
            let status = if wanted.id == "first" { &first } else { &probe };
            Some(json!({"metadata": {"name": wanted.id}, "spec": {}, "status": status}))
        });
        engine.judge(&inputs.with_objects(live))
    };
    let (succeeded, failed) =
        (json!({"succeeded": 1}), json!({"failed": 3, "conditions": [{"type": "Failed", "status": "True"}]}));
    let at = |minute: &str| format!("2026-11-01T00:{minute}Z");
    let ran = |scheduled: &str, success: Option<&str>, active: bool| json!({"lastScheduleTime": at(scheduled), "lastSuccessfulTime": success.map(at), "active": active.then(|| json!([{"name": "x"}]))});
    let clean = |mut status: Value| {
        status.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        status
    };
    for (first, probe, ready) in [
        (json!({}), json!({}), false),
        (json!({"active": 1}), json!({}), false),
        (failed.clone(), json!({}), false),
        (succeeded.clone(), json!({}), true),
        (succeeded.clone(), ran("05:00", None, true), true),
        (succeeded.clone(), ran("05:00", None, false), false),
        (succeeded.clone(), ran("05:00", Some("05:09"), false), true),
        (failed.clone(), ran("05:00", Some("05:09"), false), true),
        (failed.clone(), ran("05:00", None, true), false),
        (succeeded.clone(), ran("10:00", Some("05:09"), true), true),
        (succeeded.clone(), ran("10:00", Some("05:09"), false), false),
        (succeeded.clone(), ran("15:00", Some("05:09"), true), false),
    ] {
        let verdict = judge(first.clone(), clean(probe.clone()));
        assert_eq!(verdict == Verdict::Ready, ready, "{first} {probe}: {verdict:?}");
        // The service may come back by itself, and the next probe sees it.
        assert!(!matches!(verdict, Verdict::Failing { .. }), "{verdict:?}");
    }
    let said = |first: Value| match judge(first, json!({})) {
        Verdict::Waiting { message } => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(said(json!({})), "the first probe of https://x.example.com has not finished yet");
    assert!(said(failed).starts_with("the service at https://x.example.com did not answer the last probe"));
}
