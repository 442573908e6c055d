//! Releases, case by case.

use super::super::serving_stage::{DIGEST, OTHER, Stage, service};
use super::super::{Detail, WorkPlan};
use super::*;

const SEVEN: &str = "{model: {name: fraud, version: '7'}, runtime: mlflow}";
const EIGHT: &str = "{model: {name: fraud, version: '8'}, runtime: mlflow}";
const CHAMPION: &str = "{model: {name: fraud, alias: champion}, runtime: mlflow}";

/// Releases by version and alias, what failed, and whether one is being made.
type Decided = (Vec<(String, Option<String>)>, Option<String>, bool);

fn decided(plan: &WorkPlan) -> Decided {
    assert_eq!(plan.hold.as_ref().map(|hold| &hold.message), None);
    let Detail::ModelService { releases, failed, releasing, .. } = &plan.draft.detail else { panic!("no detail") };
    let releases = releases.iter().map(|release| (release.version.clone(), release.alias.clone()));
    (releases.collect(), failed.clone(), *releasing)
}

/// The release to serve, and the Job.
fn written(plan: &WorkPlan) -> (Option<String>, Option<String>) {
    let service = plan.draft.work.service.as_ref().unwrap();
    let job = service.resolve.as_ref().map(|resolve| job("score", &resolve.suffix));
    let named = plan.objects.iter().find(|made| made.object["kind"] == "Job");
    assert_eq!(named.map(|made| made.object["metadata"]["name"].as_str().unwrap()), job.as_deref());
    (service.release.as_ref().map(|release| release.version.clone()), job)
}

fn said(version: &str, digest: &str) -> String {
    json!({"version": version, "digest": digest}).to_string()
}

#[test]
fn the_first_release_is_made_before_anything_serves() {
    let mut stage = Stage::new();
    let service = service(SEVEN, 1, &[]);
    let plan = stage.plan(&service);
    assert_eq!(decided(&plan), (vec![], None, true));
    let (serving, job) = written(&plan);
    assert_eq!(serving, None);
    assert!(plan.objects.iter().all(|made| made.object["kind"] != "Deployment"));

    stage.ended(&job.clone().unwrap(), "release", 0, &said("7", DIGEST));
    let plan = stage.plan(&service);
    assert_eq!(decided(&plan), (vec![("7".to_owned(), None)], None, false));
    // The Job is kept until the release is recorded.
    assert_eq!(written(&plan), (Some("7".to_owned()), job));
}

#[test]
fn serving_version_stays_during_and_after_a_failed_release() {
    let mut stage = Stage::new();
    let service = service(EIGHT, 4, &[("7", DIGEST, None)]);
    let plan = stage.plan(&service);
    assert_eq!(decided(&plan), (vec![("7".to_owned(), None)], None, true));
    let (serving, job) = written(&plan);
    assert_eq!(serving.as_deref(), Some("7"));
    let job = job.unwrap();

    stage.ended(&job, "release", 75, "the registry does not answer");
    assert!(decided(&stage.plan(&service)).2, "the Job tries again by itself");
    stage.ended(&job, "release", 1, "model fraud has no version 8");
    stage.gave_up(&job, "PodFailurePolicy", "exit code 1");
    let plan = stage.plan(&service);
    assert_eq!(decided(&plan), (vec![("7".to_owned(), None)], Some("model fraud has no version 8".to_owned()), false));
    assert_eq!(written(&plan), (Some("7".to_owned()), Some(job)));
}

#[test]
fn a_job_that_gave_up_silently_is_known_by_its_condition() {
    let mut stage = Stage::new();
    let service = service(SEVEN, 1, &[]);
    let job = written(&stage.plan(&service)).1.unwrap();
    stage.gave_up(&job, "DeadlineExceeded", "Job was active longer than specified deadline");
    let failed = decided(&stage.plan(&service)).1.unwrap();
    assert_eq!(failed, "DeadlineExceeded: Job was active longer than specified deadline");
    stage.ended(&job, "release", 137, "");
    assert_eq!(decided(&stage.plan(&service)).1.unwrap(), "the pod of the release ended with Error and exit code 137");
}

#[test]
fn rolling_back_is_immediate() {
    let stage = Stage::new();
    let service = service(SEVEN, 9, &[("8", OTHER, Some("champion")), ("7", DIGEST, None)]);
    let plan = stage.plan(&service);
    let expected = vec![("7".to_owned(), None), ("8".to_owned(), Some("champion".to_owned()))];
    assert_eq!(decided(&plan), (expected, None, false));
    assert_eq!(written(&plan), (Some("7".to_owned()), None));
    assert_eq!(plan.draft.work.service.unwrap().release.unwrap().digest.as_deref(), Some(DIGEST));
}

#[test]
fn alias_is_resolved_once_and_not_at_every_spec_change() {
    let stage = Stage::new();
    let recorded = [("7", DIGEST, Some("champion"))];
    for spec in [CHAMPION, "{model: {name: fraud, alias: champion}, runtime: mlflow, replicas: {min: 3}, size: medium}"]
    {
        let plan = stage.plan(&service(spec, 5, &recorded));
        assert_eq!(written(&plan), (Some("7".to_owned()), None), "{spec}");
    }
    // Another version was asked for in between: the alias may have moved.
    let plan = stage.plan(&service(CHAMPION, 6, &[("8", OTHER, None), ("7", DIGEST, Some("champion"))]));
    assert!(decided(&plan).2);
    assert_eq!(written(&plan).0.as_deref(), Some("8"));
}

#[test]
fn a_change_of_the_spec_tries_again_under_another_name() {
    let stage = Stage::new();
    let job = |spec: &str, generation| written(&stage.plan(&service(spec, generation, &[]))).1.unwrap();
    let with = |field: &str| SEVEN.replacen('{', &format!("{{{field}, "), 1);
    assert_eq!(job(SEVEN, 1), job(SEVEN, 1));
    assert_ne!(job(SEVEN, 1), job(&with("customers: [shop]"), 2));
    // An autoscaler scales while the release is under way.
    assert_eq!(job(SEVEN, 1), job(&with("replicas: {min: 3}"), 2));
}

#[test]
fn what_a_job_says_is_believed_only_in_its_form() {
    for (words, expected) in [
        ("done", "instead of a version and a digest"),
        (&said("7", "sha256:abc"), "instead of a version and a digest"),
        (&said("$(HOME)", DIGEST), "instead of a version and a digest"),
        (&said("9", DIGEST), "asked for version 7 and found 9"),
    ] {
        let mut stage = Stage::new();
        let service = service(SEVEN, 1, &[]);
        let job = written(&stage.plan(&service)).1.unwrap();
        stage.ended(&job, "release", 0, words);
        let (releases, failed, _) = decided(&stage.plan(&service));
        assert_eq!(releases, []);
        assert!(failed.as_ref().is_some_and(|failed| failed.contains(expected)), "{failed:?}");
    }
}

#[test]
fn a_version_that_changed_since_its_release_is_refused() {
    let mut stage = Stage::new();
    let service = service(CHAMPION, 3, &[("8", OTHER, None), ("7", DIGEST, None)]);
    let job = written(&stage.plan(&service)).1.unwrap();
    stage.ended(&job, "release", 0, &said("7", OTHER));
    let plan = stage.plan(&service);
    assert!(decided(&plan).1.unwrap().contains("Register a new version"));
    assert_eq!(written(&plan).0.as_deref(), Some("8"));
}

#[test]
fn an_image_is_its_own_release() {
    let stage = Stage::new();
    let spec = format!("{{model: {{name: fraud, version: '9'}}, image: 'registry.example.com/ai/abc/score@{DIGEST}'}}");
    let plan = stage.plan(&service(&spec, 2, &[("7", OTHER, None)]));
    if let Some(hold) = &plan.hold {
        panic!("{}", hold.message);
    }
    assert_eq!(decided(&plan).0.len(), 2);
    assert_eq!(written(&plan), (Some("9".to_owned()), None));
    let inputs = plan.draft.work.service.clone().unwrap();
    assert_eq!((inputs.runtime, inputs.release.unwrap().digest.as_deref()), (None, Some(DIGEST)));
    // And it goes on while a model of the registry is looked up after it.
    let Detail::ModelService { releases, .. } = plan.draft.detail else { panic!("no detail") };
    let mut next = service(SEVEN, 3, &[]);
    next.status.as_mut().unwrap().releases = releases[..1].to_vec();
    let plan = stage.plan(&next);
    assert!(decided(&plan).2);
    let inputs = plan.draft.work.service.unwrap();
    assert!(inputs.image.unwrap().starts_with("registry.example.com/ai/abc/score@"));
}

#[test]
fn nothing_new_is_released_for_a_project_that_was_taken_away() {
    let mut stage = Stage::new();
    stage.retained = true;
    let plan = stage.plan(&service(EIGHT, 4, &[("7", DIGEST, None)]));
    assert_eq!(decided(&plan), (vec![("7".to_owned(), None)], None, false));
    assert_eq!(written(&plan), (Some("7".to_owned()), None));
    assert!(!plan.draft.write);
}

#[test]
fn ten_releases_are_remembered() {
    let versions: Vec<String> = (10..20).map(|number| number.to_string()).collect();
    let recorded: Vec<_> = versions.iter().map(|version| (version.as_str(), DIGEST, None)).collect();
    let mut stage = Stage::new();
    let service = service(SEVEN, 1, &recorded);
    let job = written(&stage.plan(&service)).1.unwrap();
    stage.ended(&job, "release", 0, &said("7", DIGEST));
    let releases = decided(&stage.plan(&service)).0;
    assert_eq!((releases.len(), releases[0].0.as_str(), releases[9].0.as_str()), (10, "7", "18"));
}

#[test]
fn the_site_names_the_image_and_another_one_tries_again() {
    let service = service(SEVEN, 1, &[]);
    let image = |plan: &WorkPlan| {
        let job = plan.objects.iter().find(|made| made.object["kind"] == "Job").unwrap();
        job.object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    };
    let plans = [
        "{}",
        "{parameters: [{engine: deployment, values: {image: 'r.example.com/a:1'}}]}",
        "{parameters: [{engine: deployment, values: {image: 'r.example.com/a:2'}}]}",
    ]
    .map(|engines| Stage::new().with_engines(engines).plan(&service));
    assert_eq!([image(&plans[1]), image(&plans[2])], ["r.example.com/a:1", "r.example.com/a:2"]);
    let jobs: std::collections::BTreeSet<_> = plans.iter().map(|plan| written(plan).1).collect();
    assert_eq!(jobs.len(), 3, "{jobs:?}");
}
