//! Who names whom.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

fn id(kind: WorkKind, namespace: &str, name: &str) -> WorkId {
    WorkId { kind, namespace: namespace.to_owned(), name: name.to_owned() }
}

#[allow(clippy::needless_pass_by_value, reason = "what is written in place is read better so")]
fn object(kind: WorkKind, namespace: &str, name: &str, spec: Value, status: Value) -> (WorkId, Known<Object>) {
    let object = json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec, "status": status});
    let object = Object::read(kind, &object).unwrap_or_else(|error| panic!("{name}: {error}"));
    (id(kind, namespace, name), Ok(Arc::new(object)))
}

/// A team with something of everything.
fn team() -> Vec<(WorkId, Known<Object>)> {
    use WorkKind::{Component, Dataset, ModelService, Pipeline, Run, Workbench};
    let component = |datasets: &[&str]| json!({"image": "scipy", "datasets": datasets});
    let steps = |components: &[&str]| {
        let steps: Vec<Value> = components.iter().map(|component| json!({"component": component})).collect();
        json!({"steps": steps})
    };
    let service = |monitor: &str| {
        json!({"model": {"name": "m", "version": "1"}, "runtime": "mlflow",
            "monitor": {"component": monitor, "everyMinutes": 60}})
    };
    let uri = || json!({"uri": "s3://x"});
    vec![
        object(Component, "a--shared", "train", component(&["cards"]), json!({})),
        object(Component, "a--shared", "report", component(&[]), json!({})),
        object(Component, "a--p", "own", component(&["cards"]), json!({})),
        object(Dataset, "a--shared", "cards", uri(), json!({})),
        object(Dataset, "a--p", "cards-old", uri(), json!({})),
        object(Dataset, "a--q", "other", uri(), json!({})),
        object(Workbench, "a--p", "ana", json!({"owner": "ana", "image": "scipy", "datasets": ["cards"]}), json!({})),
        object(Workbench, "a--q", "bob", json!({"owner": "bob", "image": "scipy"}), json!({})),
        object(Pipeline, "a--p", "nightly", steps(&["report", "train"]), json!({})),
        object(Pipeline, "a--q", "weekly", steps(&["report"]), json!({})),
        object(Run, "a--p", "waits", json!({"pipeline": "nightly"}), json!({"state": "Pending"})),
        object(Run, "a--p", "runs", json!({"pipeline": "nightly"}), json!({"state": "Running", "job": "run-runs"})),
        object(Run, "a--q", "elsewhere", json!({"pipeline": "nightly"}), json!({})),
        object(ModelService, "a--p-live", "score", service("report"), json!({})),
    ]
}

fn found(changed: &[WorkId]) -> Vec<String> {
    let all = team();
    let of = |kind| all.iter().filter(|(id, _)| id.kind == kind).cloned().collect();
    let found = dependents("a", &changed.iter().cloned().collect(), &of);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_dataset_wakes_those_that_name_it_and_those_that_name_these() {
    assert_eq!(
        found(&[id(WorkKind::Dataset, "a--shared", "cards")]),
        [
            "Component a--p/own",
            "Component a--shared/train",
            "Dataset a--p/cards-old",
            "Dataset a--shared/cards",
            "Workbench a--p/ana",
            "Pipeline a--p/nightly",
            "Run a--p/waits",
        ]
    );
}

#[test]
fn what_is_not_shared_wakes_its_own_namespace_alone() {
    assert_eq!(found(&[id(WorkKind::Dataset, "a--q", "cards")]), Vec::<String>::new());
    assert_eq!(
        found(&[id(WorkKind::Dataset, "a--p", "cards")]),
        // A component of Shared that names it means this one in that namespace.
        [
            "Component a--p/own",
            "Dataset a--p/cards-old",
            "Workbench a--p/ana",
            "Pipeline a--p/nightly",
            "Run a--p/waits"
        ]
    );
}

#[test]
fn a_component_wakes_pipelines_their_waiting_runs_and_monitors() {
    assert_eq!(
        found(&[id(WorkKind::Component, "a--shared", "report")]),
        ["Pipeline a--p/nightly", "Pipeline a--q/weekly", "Run a--p/waits", "ModelService a--p-live/score"]
    );
    assert_eq!(found(&[id(WorkKind::Pipeline, "a--p", "nightly")]), ["Run a--p/waits"]);
    assert!(found(&[id(WorkKind::Workbench, "a--p", "ana")]).is_empty());
}

#[test]
fn an_engine_wakes_what_it_provides() {
    let mut all = team();
    let bench = json!({"owner": "eva", "image": "scipy"});
    let status = json!({"engine": {"name": "lab", "revision": "1"}});
    all.push(object(WorkKind::Workbench, "a--p", "eva", bench, status));
    let of = |kind| all.iter().filter(|(id, _)| id.kind == kind).cloned().collect();
    let by = |name: &str| -> Vec<String> {
        provided_by(&BTreeSet::from([name.to_owned()]), None, &of).iter().map(ToString::to_string).collect()
    };
    assert_eq!(by("lab"), ["Workbench a--p/eva"]);
    assert!(by("jobs").is_empty());
}
