//! Runs, schedules and volumes for data, as the plain engines write them.

use serde_json::{Value, json};

use super::Catalogue;
use crate::api::engine::PodSecurity;
use crate::api::vocabulary::{Capability, Layer};
use crate::api::{BlueprintSpec, team::AITeam};
use crate::engine::work::{
    DatasetInputs, MountedInputs, RunInputs, ScheduleInputs, SizedInputs, StepInputs, VariableInputs, VolumeInputs,
    WorkInputs,
};
use crate::engine::{Inputs, Verdict, objects_input, pod_security};
use crate::plan::inputs::base;

fn inputs(work: WorkInputs) -> Inputs {
    let team = AITeam::new("fraud", serde_saphyr::from_str("{projects: [{name: chargeback, live: {}}]}").unwrap());
    let base = base(&team, &BlueprintSpec::default(), "fraud--chargeback", Layer::Workspace, Some("chargeback"));
    Inputs { capabilities: vec![Capability::Pipelines], work, ..base }
}

fn render(engine: &str, work: WorkInputs) -> Vec<Value> {
    let engine = Catalogue::builtin().get(engine).unwrap().compiled.clone().unwrap_or_else(|error| panic!("{error}"));
    let rendered = engine.render(&inputs(work).to_value()).unwrap_or_else(|error| panic!("{error}"));
    rendered.into_iter().map(|rendered| rendered.object).collect()
}

fn step(name: &str) -> StepInputs {
    StepInputs {
        name: name.to_owned(),
        image: format!("registry.example.com/{name}:1"),
        command: None,
        args: Some(vec!["--epochs=$(epochs)".to_owned()]),
        env: vec![VariableInputs { name: "epochs".to_owned(), value: "3".to_owned() }],
        resources: json!({"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}}),
        datasets: Vec::new(),
    }
}

fn run(steps: &[&str]) -> RunInputs {
    RunInputs {
        name: "run-first".to_owned(),
        steps: steps.iter().map(|name| step(name)).collect(),
        files: "4Gi".to_owned(),
        ..RunInputs::default()
    }
}

fn of(run: RunInputs) -> Vec<Value> {
    render("jobs", WorkInputs { run: Some(run), ..WorkInputs::default() })
}

#[test]
fn at_the_level_of_the_team_nothing_is_written() {
    assert_eq!(render("jobs", WorkInputs::default()), Vec::<Value>::new());
    assert_eq!(render("references", WorkInputs::default()), Vec::<Value>::new());
}

#[test]
fn a_run_is_one_pod_whose_last_step_is_its_container() {
    let objects = of(run(&["generate", "train", "evaluate"]));
    let [job] = objects.as_slice() else { panic!("{objects:?}") };
    assert_eq!((&job["kind"], &job["metadata"]["name"]), (&json!("Job"), &json!("run-first")));
    assert_eq!(job["metadata"]["namespace"], "fraud--chargeback");
    assert_eq!((&job["spec"]["backoffLimit"], &job["spec"]["podReplacementPolicy"]), (&json!(0), &json!("Failed")));
    assert!(job["spec"].get("ttlSecondsAfterFinished").is_none());
    assert_eq!(pod_security::check(job, PodSecurity::Restricted), Ok(()));
    let pod = &job["spec"]["template"]["spec"];
    for absent in ["nodeSelector", "tolerations", "runtimeClassName", "priorityClassName"] {
        assert!(pod.get(absent).is_none(), "{absent}");
    }
    for (field, value) in [
        ("restartPolicy", json!("Never")),
        ("automountServiceAccountToken", json!(false)),
        ("enableServiceLinks", json!(false)),
    ] {
        assert_eq!(pod[field], value);
    }
    let ids = ["runAsUser", "runAsGroup", "fsGroup"].map(|id| pod["securityContext"][id].clone());
    assert_eq!(ids, [json!(1000), json!(1000), json!(100)]);
    let names = |list: &str| {
        let all = pod[list].as_array().cloned().unwrap_or_default();
        all.iter().map(|container| container["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names("initContainers"), names("containers")),
        (vec!["generate".into(), "train".into()], vec!["evaluate".into()])
    );
    let expected = json!({
        "name": "train", "image": "registry.example.com/train:1", "args": ["--epochs=$(epochs)"],
        "env": [{"name": "epochs", "value": "3"}, {"name": "HOME", "value": "/tmp"}],
        "envFrom": [{"configMapRef": {"name": "connections"}}],
        "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "files", "mountPath": "/run/files", "readOnly": true},
            {"name": "files", "mountPath": "/run/files/train", "subPath": "train"},
            {"name": "temporary", "mountPath": "/tmp", "subPath": "train"}]
    });
    assert_eq!(pod["initContainers"][1], expected);
    let text = pod["containers"][0].to_string().replace("evaluate", "train");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    assert_eq!(
        pod["volumes"],
        json!([{"name": "files", "emptyDir": {"sizeLimit": "4Gi"}}, {"name": "temporary", "emptyDir": {"sizeLimit": "4Gi"}}])
    );
}

#[test]
fn a_run_of_one_step_has_no_init_containers() {
    let job = of(run(&["train"])).swap_remove(0);
    let pod = &job["spec"]["template"]["spec"];
    assert!(pod.get("initContainers").is_none());
    assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1));
}

#[test]
fn nodes_and_data_are_those_that_the_steps_want() {
    let data = |name: &str, claim: Option<&str>, read_only, secret: Option<&str>| MountedInputs {
        name: name.to_owned(),
        path: format!("/data/{name}"),
        claim: claim.map(str::to_owned),
        read_only,
        secret: secret.map(str::to_owned),
    };
    let all = [
        data("payments", Some("dataset-payments"), true, None),
        data("cards", None, false, Some("store")),
        data("notes", Some("dataset-notes"), false, None),
    ];
    let job = of(RunInputs {
        retries: 2,
        sized: SizedInputs {
            resources: Value::Null,
            node_selector: json!({"pool": "a100"}),
            tolerations: json!([{"key": "gpu", "operator": "Exists"}]),
            runtime_class_name: Some("nvidia".to_owned()),
            priority_class_name: Some("ai-low".to_owned()),
        },
        datasets: all.to_vec(),
        steps: vec![
            StepInputs { datasets: all[..1].to_vec(), ..step("generate") },
            StepInputs { datasets: all[1..].to_vec(), ..step("train") },
        ],
        ..run(&[])
    })
    .swap_remove(0);
    assert_eq!(job["spec"]["backoffLimit"], 2);
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(pod["nodeSelector"], json!({"pool": "a100"}));
    assert_eq!(pod["tolerations"], json!([{"key": "gpu", "operator": "Exists"}]));
    assert_eq!(pod["runtimeClassName"], "nvidia");
    assert_eq!(pod["priorityClassName"], "ai-low");
    // Each step is given what its own component names.
    for (container, mount, sources) in [
        (
            &pod["initContainers"][0],
            json!({"name": "dataset-payments", "mountPath": "/data/payments", "readOnly": true}),
            json!([{"configMapRef": {"name": "connections"}}]),
        ),
        (
            &pod["containers"][0],
            json!({"name": "dataset-notes", "mountPath": "/data/notes"}),
            json!([{"configMapRef": {"name": "connections"}}, {"secretRef": {"name": "store"}}]),
        ),
    ] {
        assert_eq!(container["volumeMounts"].as_array().unwrap()[3..], [mount]);
        assert_eq!(container["envFrom"], sources);
    }
    let volumes = json!([
        {"name": "dataset-payments", "persistentVolumeClaim": {"claimName": "dataset-payments", "readOnly": true}},
        {"name": "dataset-notes", "persistentVolumeClaim": {"claimName": "dataset-notes"}}]);
    assert_eq!(pod["volumes"].as_array().unwrap()[2..], *volumes.as_array().unwrap());
}

#[test]
fn a_schedule_runs_the_same_job() {
    let scheduled = |time_zone: Option<&str>, suspend| RunInputs {
        name: "pipeline-nightly".to_owned(),
        retries: 1,
        schedule: Some(ScheduleInputs {
            cron: "0 3 * * *".to_owned(),
            time_zone: time_zone.map(str::to_owned),
            concurrency: "Forbid".to_owned(),
            suspend,
            keep: 7,
        }),
        ..run(&["generate", "train"])
    };
    let objects = of(scheduled(Some("Europe/Berlin"), true));
    let [cron_job] = objects.as_slice() else { panic!("{objects:?}") };
    let mut spec = cron_job["spec"].clone();
    let job = spec["jobTemplate"]["spec"].take();
    assert_eq!(
        (&cron_job["kind"], &cron_job["metadata"]["name"], spec),
        (
            &json!("CronJob"),
            &json!("pipeline-nightly"),
            json!({
                "schedule": "0 3 * * *", "timeZone": "Europe/Berlin", "concurrencyPolicy": "Forbid", "suspend": true,
                "startingDeadlineSeconds": 3600, "successfulJobsHistoryLimit": 7, "failedJobsHistoryLimit": 7,
                "jobTemplate": {"spec": null}
            })
        )
    );
    assert_eq!(job, of(RunInputs { retries: 1, ..run(&["generate", "train"]) })[0]["spec"]);
    assert_eq!(pod_security::check(cron_job, PodSecurity::Restricted), Ok(()));
    assert_eq!(of(scheduled(None, false))[0]["spec"]["timeZone"], "Etc/UTC");
}

#[test]
fn a_job_ends_and_goes_at_the_times_in_its_spec() {
    let timed = |schedule| RunInputs {
        active_deadline_seconds: Some(60),
        ttl_seconds_after_finished: Some(0),
        schedule,
        ..run(&["train"])
    };
    for job in [
        of(timed(None))[0]["spec"].clone(),
        of(timed(Some(ScheduleInputs::default())))[0]["spec"]["jobTemplate"]["spec"].clone(),
    ] {
        assert_eq!((&job["activeDeadlineSeconds"], &job["ttlSecondsAfterFinished"]), (&json!(60), &json!(0)), "{job}");
    }
    let silent = &of(run(&["train"]))[0]["spec"];
    for field in ["activeDeadlineSeconds", "ttlSecondsAfterFinished"] {
        assert!(silent.get(field).is_none(), "{silent}");
    }
}

#[test]
fn a_dataset_on_a_volume_is_a_claim_and_waits_for_it() {
    let dataset = |volume: Option<VolumeInputs>| WorkInputs {
        dataset: Some(DatasetInputs { name: "payments".to_owned(), volume }),
        ..WorkInputs::default()
    };
    assert_eq!(render("references", dataset(None)), Vec::<Value>::new());
    let volume = |class: Option<&str>| VolumeInputs {
        size: "10Gi".to_owned(),
        class: class.map(str::to_owned),
        access_mode: "ReadWriteMany".to_owned(),
    };
    let mut expected = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "dataset-payments", "namespace": "fraud--chargeback"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "10Gi"}}}
    });
    assert_eq!(render("references", dataset(Some(volume(None)))), [expected.clone()]);
    expected["spec"]["storageClassName"] = json!("efs");
    assert_eq!(render("references", dataset(Some(volume(Some("efs"))))), [expected]);

    let engine = Catalogue::builtin().get("references").unwrap().compiled.clone().unwrap();
    let inputs = inputs(dataset(Some(volume(None))));
    let rendered = engine.render(&inputs.to_value()).unwrap();
    for (phase, verdict) in [
        ("Bound", Verdict::Ready),
        ("Pending", Verdict::waiting("PersistentVolumeClaim dataset-payments is not bound to a volume yet")),
    ] {
        let live = objects_input(&rendered, |wanted| {
            let mut live = wanted.object.clone();
            live["status"] = json!({"phase": phase});
            Some(live)
        });
        assert_eq!(engine.judge(&inputs.with_objects(live)), verdict);
    }
}
