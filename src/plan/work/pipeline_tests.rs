//! Pipelines with and without a schedule.

use super::*;
use crate::plan::work::fixtures::{Scene, pipeline};

fn scene() -> Scene {
    let component = "{image: python, parameters: [{name: n, default: '1'}]}";
    Scene::new().component("fraud--shared", "train", component).component("fraud--shared", "report", "{image: python}")
}

fn drafted(scene: &Scene, namespace: &str, spec: &str) -> Result<ResolvedSpec, String> {
    scene.facts(namespace, |facts| draft(&pipeline("nightly", spec), facts)).map_err(|hold| hold.message)
}

const STEPS: &str = "steps: [{component: train, arguments: {n: '$(m)'}}, {component: report}]";

#[test]
fn without_a_schedule_nothing_is_written_and_what_was_goes() {
    let spec = format!("{{parameters: [{{name: m}}], {STEPS}}}");
    for namespace in ["fraud--chargeback", "fraud--chargeback--live"] {
        let draft = drafted(&scene(), namespace, &spec).unwrap();
        assert!(draft.write && draft.work == WorkInputs::default());
        assert_eq!(
            draft.detail,
            Detail::Pipeline { order: vec!["train".to_owned(), "report".to_owned()], advice: None }
        );
    }
}

#[test]
fn a_schedule_is_kept_in_live() {
    let spec = format!(
        "{{parameters: [{{name: m, default: '5'}}], schedule: '0 3 * * *', timeZone: Europe/Berlin, concurrency: Replace, keep: 3, retries: 2, {STEPS}}}"
    );
    let run = drafted(&scene(), "fraud--chargeback--live", &spec).unwrap().work.run.unwrap();
    let schedule = ScheduleInputs {
        cron: "0 3 * * *".to_owned(),
        time_zone: Some("Europe/Berlin".to_owned()),
        concurrency: "Replace".to_owned(),
        suspend: false,
        keep: 3,
    };
    assert_eq!((run.name.as_str(), run.retries, run.schedule), ("pipeline-nightly", 2, Some(schedule.clone())));
    let paused = spec.replace("schedule:", "suspend: true, schedule:");
    let paused = drafted(&scene(), "fraud--chargeback--live", &paused).unwrap().work.run.unwrap();
    assert_eq!(paused.schedule, Some(ScheduleInputs { suspend: true, ..schedule }));
    assert_eq!((run.steps.len(), run.steps[0].env[0].value.as_str(), run.files.as_str()), (2, "5", "4Gi"));
    // Nothing is written for a removed project: an existing schedule is suspended.
    let retained = drafted(&scene().retained(), "fraud--chargeback--live", &spec).unwrap();
    assert!(!retained.write && retained.work == WorkInputs::default());
}

#[test]
fn executions_by_schedule_end_as_the_pipeline_or_the_site_says() {
    let times = |scene: &Scene, more: &str| {
        let spec = format!("{{schedule: '@daily', {more} steps: [{{component: report}}]}}");
        let run = drafted(scene, "fraud--chargeback--live", &spec).unwrap().work.run.unwrap();
        (run.active_deadline_seconds, run.ttl_seconds_after_finished)
    };
    let site = scene().runs("{activeDeadlineSeconds: 30, ttlSecondsAfterFinished: 700}");
    let own = "activeDeadlineSeconds: 20, ttlSecondsAfterFinished: 0,";
    assert_eq!([times(&scene(), own), times(&site, own)], [(Some(20), Some(MIN_TTL)); 2], "too short to be reported");
    assert_eq!([times(&scene(), ""), times(&site, "")], [(None, None), (Some(30), Some(700))]);
}

#[test]
fn what_a_schedule_cannot_do_is_said() {
    let scheduled = |more: &str| format!("{{schedule: '@daily', {more}}}");
    for (namespace, spec, message) in [
        (
            "fraud--chargeback",
            scheduled("steps: [{component: report}]"),
            "spec.schedule is '@daily', but fraud--chargeback is Workspace, and schedules run in Live only. Remove the \
             schedule, or create the pipeline in the Live namespace of the project",
        ),
        (
            "fraud--chargeback--live",
            scheduled("parameters: [{name: m}], steps: [{component: report}]"),
            "parameter 'm' has no default, so a run of the schedule '@daily' has no value for it. Give it a default",
        ),
    ] {
        assert_eq!(drafted(&scene(), namespace, &spec).err().as_deref(), Some(message));
    }
}

#[test]
fn parallel_branches_are_reported_as_run_in_turn() {
    let spec = "{steps: [{name: a, component: report}, {name: b, component: report, after: [a]}, {name: c, component: report, after: [a]}]}";
    let draft = drafted(&scene(), "fraud--chargeback", spec).unwrap();
    let advice = "b and c could run at the same time, but run one after another on plain Kubernetes";
    assert_eq!(
        draft.detail,
        Detail::Pipeline { order: ["a", "b", "c"].map(str::to_owned).to_vec(), advice: Some(advice.to_owned()) }
    );
}
