//! Runs before they start, while they run and after they ended.

use serde_json::json;

use super::*;
use crate::api::Issue;
use crate::plan::work::fixtures::{Scene, run};

const NAMESPACE: &str = "fraud--chargeback";

fn scene() -> Scene {
    Scene::new()
        .component("fraud--shared", "train", "{image: train, args: ['-n', '$(n)'], parameters: [{name: n, default: '1'}]}")
        .pipeline(
            NAMESPACE,
            "experiment",
            "{parameters: [{name: m}, {name: k, default: '2'}], retries: 1, keep: 3, steps: [{component: train, arguments: {n: '$(m)$(k)'}}]}",
        )
        .pipeline(NAMESPACE, "broken", "{steps: [{component: gone}]}")
}

fn drafted(scene: &Scene, run: &Run) -> Result<ResolvedSpec, Issue> {
    scene.facts(NAMESPACE, |facts| draft(run, facts))
}

fn detail(draft: &ResolvedSpec) -> RunDetail {
    let Detail::Run(detail) = &draft.detail else { panic!("{draft:?}") };
    detail.clone()
}

fn recorded_step(command: &[&str]) -> StepStatus {
    StepStatus {
        name: "train".to_owned(),
        image: "registry.example.com/own/train:2".to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        ..StepStatus::default()
    }
}

#[test]
fn a_run_is_written_from_the_pipeline_as_it_is() {
    let draft = drafted(&scene(), &run("first", "{pipeline: experiment, parameters: {m: '4'}}")).unwrap();
    let inputs = draft.work.run.clone().unwrap();
    assert!(draft.write);
    assert_eq!((inputs.name.as_str(), inputs.retries, &inputs.schedule), ("run-first", 1, &None));
    let expected = RunDetail { job: "run-first".to_owned(), steps: vec![recorded_step(&["-n", "42"])], surplus: false };
    assert_eq!(detail(&draft), expected);
}

#[test]
fn a_deadline_is_the_runs_or_its_pipelines_or_the_sites() {
    let pipelines = |scene: Scene| {
        let timed = "{activeDeadlineSeconds: 20, ttlSecondsAfterFinished: 5, steps: [{component: train}]}";
        scene.pipeline(NAMESPACE, "timed", timed)
    };
    let deadline = |scene: &Scene, spec: &str| {
        let inputs = drafted(scene, &run("first", spec)).unwrap().work.run.unwrap();
        // The run is deleted, and its Job with it: never the Job alone.
        assert_eq!(inputs.ttl_seconds_after_finished, None);
        inputs.active_deadline_seconds
    };
    let silent = pipelines(scene());
    let site = pipelines(scene().runs("{activeDeadlineSeconds: 30, ttlSecondsAfterFinished: 7}"));
    let own = "{pipeline: timed, activeDeadlineSeconds: 10, ttlSecondsAfterFinished: 3}";
    let other = "{pipeline: experiment, parameters: {m: '1'}}";
    assert_eq!([deadline(&silent, own), deadline(&site, own)], [Some(10); 2]);
    assert_eq!([deadline(&silent, "{pipeline: timed}"), deadline(&site, "{pipeline: timed}")], [Some(20); 2]);
    assert_eq!([deadline(&silent, other), deadline(&site, other)], [None, Some(30)]);
}

#[test]
fn run_waits_for_the_settings_of_its_datasets() {
    let scene = || {
        Scene::new()
            .component("fraud--shared", "read", "{image: train, datasets: [cards]}")
            .dataset("fraud--shared", "cards", "{uri: 's3://cards', splits: {train: a}}")
            .pipeline(NAMESPACE, "reads", "{steps: [{component: read}]}")
            .given([("DATASET_CARDS_URI", "s3://cards")])
    };
    let run = run("first", "{pipeline: reads}");
    let hold = drafted(&scene(), &run).unwrap_err();
    assert_eq!(hold.reason, Reason::Progressing);
    assert!(hold.message.contains("the settings of dataset cards"), "{}", hold.message);
    // Another dataset's value of that name is not its own.
    let other = scene().given([("DATASET_CARDS_TRAIN", "s3://other")]);
    assert_eq!(drafted(&other, &run).unwrap_err().reason, Reason::Progressing);
    assert!(drafted(&scene().given([("DATASET_CARDS_TRAIN", "s3://cards/a")]), &run).unwrap().write);
}

#[test]
fn a_run_that_lacks_values_names_each() {
    let two = "{parameters: [{name: b}, {name: c, default: '1'}, {name: a}], steps: [{component: read}]}";
    let hold = drafted(&scene().pipeline(NAMESPACE, "two", two), &run("first", "{pipeline: two}")).unwrap_err();
    let said = "pipeline two needs a value for 'b', 'a', which has no default, and";
    assert!(hold.message.starts_with(said), "{}", hold.message);
}

#[test]
fn a_run_that_cannot_start_says_why() {
    for (spec, message) in [
        (
            "{pipeline: nothing}",
            "spec.pipeline is 'nothing', but fraud--chargeback has no pipeline of that name. Create it, or create \
             another run",
        ),
        (
            "{pipeline: experiment, parameters: {m: '1', epochs: '2'}}",
            "spec.parameters has 'epochs', which pipeline experiment does not declare. Available: m, k. Create another \
             run",
        ),
        (
            "{pipeline: experiment, parameters: {m: '1', epochs: '2', b: '3'}}",
            "spec.parameters has 'b', 'epochs', which pipeline experiment does not declare. Available: m, k. Create \
             another run",
        ),
        (
            "{pipeline: experiment}",
            "pipeline experiment needs a value for 'm', which has no default, and spec.parameters has none. Create \
             another run with one",
        ),
        (
            "{pipeline: broken}",
            "pipeline broken: step gone names component gone, which fraud--shared does not have; available: train",
        ),
    ] {
        let hold = drafted(&scene(), &run("first", spec)).unwrap_err();
        assert_eq!((hold.reason, hold.message.as_str()), (Reason::Invalid, message), "{spec}");
    }
    let hold = drafted(&scene().retained(), &run("first", "{pipeline: experiment}")).unwrap_err();
    let message = "the project of fraud--chargeback left the team's spec, so no run starts";
    assert_eq!((hold.reason, hold.message.as_str()), (Reason::Retained, message));
}

/// The Job as the API server has it, of another image than the component has by now.
fn job() -> Value {
    json!({"spec": {"template": {"spec": {
        "initContainers": [{"name": "generate", "image": "old:1", "command": ["make", "$(rows)"], "env": [{"name": "rows", "value": "/run/files/generate/rows"}]}],
        "containers": [{"name": "train", "image": "old:2", "args": ["$(n)", "$$(n)"], "env": [{"name": "n", "value": "a$$(n)"}, {"name": "HOME", "value": "/tmp"}]}]
    }}}})
}

#[test]
fn a_run_that_started_is_never_written_again() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let of_job = vec![
        StepStatus {
            name: "generate".to_owned(),
            image: "old:1".to_owned(),
            command: words(&["make", "/run/files/generate/rows"]),
            ..StepStatus::default()
        },
        StepStatus {
            name: "train".to_owned(),
            image: "old:2".to_owned(),
            command: words(&["a$(n)", "$(n)"]),
            ..StepStatus::default()
        },
    ];
    let of_status = vec![recorded_step(&["-n", "7"])];
    let started = RunStatus { job: Some("run-first".to_owned()), ..RunStatus::default() };
    let recorded = RunStatus { steps: of_status.clone(), ..started.clone() };
    for (scene, status, steps) in [
        (&scene().live("Job", "run-first", job()), None, of_job),
        (&scene().live("Job", "run-first", job()), Some(recorded.clone()), of_status.clone()),
        (&scene(), Some(recorded.clone()), of_status.clone()),
        (&scene().retained(), Some(recorded), of_status),
        (&scene(), Some(started), vec![]),
    ] {
        // Not even what could never start is held once it did.
        for spec in ["{pipeline: experiment, parameters: {m: '4'}}", "{pipeline: nothing}"] {
            let run = Run { status: status.clone(), ..run("first", spec) };
            let draft = drafted(scene, &run).unwrap();
            assert!(!draft.write && draft.work == WorkInputs::default());
            assert_eq!(detail(&draft), RunDetail { job: "run-first".to_owned(), steps: steps.clone(), surplus: false });
        }
    }
}

#[test]
fn a_job_is_surplus_when_newer_ones_are_as_many_as_are_kept() {
    for (pipeline, state, newer, surplus) in [
        ("experiment", RunState::Succeeded, 2, false),
        ("experiment", RunState::Succeeded, 3, true),
        ("experiment", RunState::Failed, 4, true),
        ("experiment", RunState::Running, 4, false),
        ("gone", RunState::Failed, 9, false),
        ("gone", RunState::Failed, 10, true),
    ] {
        let status = RunStatus { state: Some(state), job: Some("run-first".to_owned()), ..RunStatus::default() };
        let run = Run { status: Some(status), ..run("first", &format!("{{pipeline: {pipeline}}}")) };
        let draft = drafted(&scene().newer(newer), &run).unwrap();
        assert_eq!(detail(&draft).surplus, surplus, "{pipeline} {state:?} {newer}");
    }
}

#[test]
fn size_with_ungranted_devices_starts_nothing_and_says_why() {
    let scene = |amount| {
        Scene::new()
            .component("fraud--shared", "big", "{image: train, size: gpu}")
            .pipeline(NAMESPACE, "deep", "{steps: [{component: big}]}")
            .pipeline("fraud--chargeback--live", "deep", "{steps: [{component: big}]}")
            .granted("nvidia.com/gpu", amount)
    };
    let run = run("first", "{pipeline: deep}");
    for enough in [Some(1), None] {
        assert!(drafted(&scene(enough), &run).unwrap().write, "{enough:?}");
    }
    for (namespace, field) in [(NAMESPACE, "workspace"), ("fraud--chargeback--live", "live")] {
        let hold = scene(Some(0)).facts(namespace, |facts| draft(&run, facts)).unwrap_err();
        let expected = format!(
            "'gpu' needs 1 of nvidia.com/gpu, but {namespace} has 0. Raise \
             spec.projects[chargeback].{field}.share.requests[nvidia.com/gpu] of the team, or choose another size"
        );
        assert_eq!(hold.reason, Reason::Invalid);
        assert!(hold.message.ends_with(&expected), "{}", hold.message);
    }
}

/// An earlier form of the status had the end under another name, which is dropped.
#[test]
fn a_run_of_an_earlier_form_ended_when_that_was_reported() {
    let mut ended = run("old", "{pipeline: experiment, ttlSecondsAfterFinished: 60}");
    let status = json!({"state": "Failed", "conditions": [{"type": "Failed", "status": "True", "reason": "StepFailed",
        "message": "", "lastTransitionTime": "1970-01-01T00:01:40Z"}]});
    ended.status = Some(serde_json::from_value(status).unwrap());
    assert_eq!(expires(&ended, None), Some(160));
    ended.status.as_mut().unwrap().state = Some(RunState::Running);
    assert_eq!((expires(&ended, None), ended.status.unwrap().end()), (None, None));
}
