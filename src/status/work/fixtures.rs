//! Work objects, planned, judged by their live objects and reported: for
//! tests.

use crate::api::identity::WorkId;
use crate::api::status::{Condition, ConditionStatus, READY};
use crate::api::work::WorkKind;
use crate::engine::{Verdict, objects_input};
use crate::plan::work::fixtures::{Scene, at};
use crate::plan::work::pod_state::{Container, Ended, Pod};
use crate::plan::work::{Object, plan};
use crate::status::work::{Judged, status};

/// The status of the object in this scene, at second 1000.
pub(super) fn reported<S: serde::de::DeserializeOwned>(
    scene: &Scene,
    namespace: &str,
    name: &str,
    object: &Object,
    pods: &[Pod],
) -> S {
    refused(scene, namespace, name, object, pods, None)
}

/// The same, with a pod that was refused.
pub(super) fn refused<S: serde::de::DeserializeOwned>(
    scene: &Scene,
    namespace: &str,
    name: &str,
    object: &Object,
    pods: &[Pod],
    refused: Option<&str>,
) -> S {
    let kind = match object {
        Object::Component(_) => WorkKind::Component,
        Object::Dataset(_) => WorkKind::Dataset,
        Object::Workbench(_) => WorkKind::Workbench,
        Object::Pipeline(_) => WorkKind::Pipeline,
        Object::Run(_) => WorkKind::Run,
        Object::ModelService(_) => WorkKind::ModelService,
    };
    let id = WorkId { kind, namespace: namespace.to_owned(), name: name.to_owned() };
    let value = scene.facts(namespace, |facts| {
        let plan = plan(&id, object, facts);
        let verdict = plan.engine.as_ref().zip(plan.inputs.as_ref()).map_or(Verdict::Ready, |(engine, inputs)| {
            let live = objects_input(&plan.objects, |wanted| {
                let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                (facts.live)(&text(&wanted.object["kind"]), &text(&wanted.object["metadata"]["name"]))
            });
            engine.judge(&inputs.with_objects(live))
        });
        let failure = plan.hold.clone();
        let refused = refused.map(str::to_owned);
        let (live, autoscalers, now) = (facts.live, &[][..], &at(1000));
        status(object, &Judged { plan: &plan, failure, verdict, live, pods, refused, ungrown: None, autoscalers, now })
    });
    serde_json::from_value(value).unwrap()
}

/// `Ready` as one line: `False Progressing step train (1 of 2) runs`.
pub(super) fn ready(conditions: &[Condition]) -> String {
    let ready = conditions.iter().find(|condition| condition.type_ == READY).unwrap();
    let status = match ready.status {
        ConditionStatus::True => "True",
        ConditionStatus::False => "False",
        ConditionStatus::Unknown => "Unknown",
    };
    format!("{status} {} {}", ready.reason, ready.message)
}

/// A pod of a Job, begun at second 100, with its containers as they are written:
/// `name` waits, `name+` runs, `name=0` ended well, `name=3:why` did not.
pub(super) fn pod(job: &str, phase: &str, containers: &[&str]) -> Pod {
    let last = containers.len().saturating_sub(1);
    let container = |(index, text): (usize, &&str)| {
        let (name, code) = text.split_once('=').unwrap_or((text, ""));
        let begun = 100 + i64::try_from(index).unwrap() * 10;
        let (code, message) = code.split_once(':').unwrap_or((code, ""));
        let ended = |exit_code| Ended {
            exit_code,
            reason: if message == "OOMKilled" { message } else { "Error" }.to_owned(),
            message: message.to_owned(),
            started: Some(at(begun)),
            finished: Some(at(begun + 10)),
        };
        Container {
            name: name.trim_end_matches('+').to_owned(),
            init: index != last,
            waiting: None,
            running: name.ends_with('+').then(|| at(begun)),
            ended: code.parse().ok().map(ended),
            before: None,
        }
    };
    Pod {
        name: format!("{job}-pod"),
        owner_kind: "Job".to_owned(),
        owner: job.to_owned(),
        phase: phase.to_owned(),
        created: Some(at(90)),
        containers: containers.iter().enumerate().map(container).collect(),
        ..Pod::default()
    }
}

/// A condition of a Job that holds.
pub(super) fn condition(type_: &str, reason: &str, message: &str) -> serde_json::Value {
    serde_json::json!({"type": type_, "status": "True", "reason": reason, "message": message})
}
