//! The engine `deployment`, for models in production.

use super::*;
use crate::engine::work::{
    CaptureInputs, ModelInputs, MonitorInputs, MountedInputs, ReleaseInputs, ReplicasInputs, ResolveInputs,
    ServiceInputs, SizedInputs, StepInputs, VariableInputs, WorkInputs,
};

fn sized() -> SizedInputs {
    SizedInputs {
        resources: json!({
            "requests": {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "1Gi", "nvidia.com/gpu": "1"},
            "limits": {"memory": "2Gi", "ephemeral-storage": "4Gi", "nvidia.com/gpu": "1"}
        }),
        node_selector: json!({"pool": "a100"}),
        tolerations: json!([{"key": "gpu", "operator": "Exists"}]),
        runtime_class_name: Some("nvidia".to_owned()),
        priority_class_name: Some("ai-production".to_owned()),
    }
}

fn released() -> ServiceInputs {
    ServiceInputs {
        name: "score".to_owned(),
        runtime: Some("mlflow".to_owned()),
        sized: sized(),
        replicas: ReplicasInputs { min: 2, max: Some(4) },
        model: ModelInputs { name: "fraud score".to_owned() },
        release: Some(ReleaseInputs { version: "7".to_owned(), digest: Some("sha256:ab".to_owned()) }),
        ..ServiceInputs::default()
    }
}

fn resolving() -> ServiceInputs {
    let resolve = ResolveInputs {
        suffix: "0123abcd".to_owned(),
        model: "fraud score".to_owned(),
        version: None,
        alias: Some("champion".to_owned()),
    };
    ServiceInputs { release: None, resolve: Some(resolve), ..released() }
}

fn watched() -> ServiceInputs {
    let captured = MountedInputs {
        name: "captured".to_owned(),
        path: "/data/captured".to_owned(),
        claim: Some("dataset-captured".to_owned()),
        ..MountedInputs::default()
    };
    let cards = MountedInputs {
        name: "cards".to_owned(),
        path: "/data/cards".to_owned(),
        secret: Some("cards-key".to_owned()),
        ..MountedInputs::default()
    };
    let step = StepInputs {
        name: "drift".to_owned(),
        image: "registry.example.com/drift:1".to_owned(),
        args: Some(vec!["--strict".to_owned()]),
        env: vec![VariableInputs { name: "threshold".to_owned(), value: "0.2".to_owned() }],
        resources: sized().resources,
        ..StepInputs::default()
    };
    let monitor =
        MonitorInputs { cron: "*/5 * * * *".to_owned(), step, sized: sized(), datasets: vec![captured, cards] };
    let capture = CaptureInputs {
        percent: 10,
        retention_days: None,
        path: "/data/captured".to_owned(),
        claim: "dataset-captured".to_owned(),
        one_node: true,
    };
    ServiceInputs { capture: Some(capture), monitor: Some(monitor), ..released() }
}

fn own_image() -> ServiceInputs {
    let release = ReleaseInputs { version: "3".to_owned(), digest: None };
    let image = Some("registry.example.com/score:3".to_owned());
    ServiceInputs { runtime: None, image, release: Some(release), ..released() }
}

fn of(service: Option<ServiceInputs>) -> Inputs {
    let inputs = inputs(Layer::Live, &[Capability::Serving], json!({}));
    Inputs { work: WorkInputs { service, ..WorkInputs::default() }, ..inputs }
}

fn render(service: ServiceInputs) -> Vec<RenderedObject> {
    builtin("deployment").render(&of(Some(service)).to_value()).unwrap_or_else(|error| panic!("{error}"))
}

fn names(objects: &[RenderedObject]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    objects.iter().map(|made| text(&made.object["kind"]) + " " + &text(&made.object["metadata"]["name"])).collect()
}

fn pod(objects: &[RenderedObject], kind: &str) -> Value {
    pods::template(find(objects, kind).unwrap()).unwrap().0.clone()
}

fn variable<'a>(container: &'a Value, name: &str) -> &'a Value {
    let all = container["env"].as_array().unwrap();
    all.iter().find(|entry| entry["name"] == name).map_or(&Value::Null, |entry| &entry["value"])
}

#[test]
fn there_is_nothing_at_the_level_of_the_team() {
    let (engine, inputs) = (builtin("deployment"), of(None));
    assert_eq!(engine.render(&inputs.to_value()).unwrap(), []);
    assert_eq!(engine.endpoint(&inputs.to_value()).unwrap(), None);
    assert_eq!(engine.judge(&inputs.with_objects(json!({}))), Verdict::Ready);
}

#[test]
fn nothing_serves_before_the_first_release() {
    let objects = render(resolving());
    assert_eq!(names(&objects), ["ConfigMap service-score", "Job service-score-release-0123abcd"]);
    let container = &pod(&objects, "Job")["spec"]["containers"][0];
    assert_eq!(variable(container, "MODEL_NAME"), "fraud score");
    assert_eq!(variable(container, "MODEL_ALIAS"), "champion");
    assert_eq!(variable(container, "MODEL_VERSION"), &Value::Null);
    // Only files are moved, so no device waits for it.
    assert_eq!(container["resources"]["limits"], json!({"memory": "2Gi", "ephemeral-storage": "4Gi"}));
}

#[test]
fn what_is_released_is_fetched_summed_and_served_from_there() {
    let objects = render(released());
    assert_eq!(
        names(&objects),
        [
            "ConfigMap service-score",
            "Deployment service-score",
            "HorizontalPodAutoscaler service-score",
            "PodDisruptionBudget service-score",
            "Service score"
        ]
    );
    let deployment = find(&objects, "Deployment").unwrap();
    assert!(deployment["spec"].get("replicas").is_none(), "the autoscaler owns them");
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"], json!({"maxUnavailable": 0, "maxSurge": 1}));
    let pod = pod(&objects, "Deployment");
    assert_eq!(pod["metadata"]["annotations"]["strata-operator.dev/model-version"], "7");
    assert_eq!(pod["metadata"]["annotations"]["strata-operator.dev/model-digest"], "sha256:ab");
    let (fetch, server) = (&pod["spec"]["initContainers"][0], &pod["spec"]["containers"][0]);
    assert_eq!(
        (variable(fetch, "MODEL_VERSION"), variable(fetch, "EXPECTED_DIGEST")),
        (&json!("7"), &json!("sha256:ab"))
    );
    assert_eq!(server["resources"], sized().resources);
    let mount = server["volumeMounts"].as_array().unwrap().iter().find(|mount| mount["name"] == "model").unwrap();
    assert_eq!(mount["readOnly"], true);
    let autoscaler = &find(&objects, "HorizontalPodAutoscaler").unwrap()["spec"];
    assert_eq!((&autoscaler["minReplicas"], &autoscaler["maxReplicas"]), (&json!(2), &json!(4)));
}

#[test]
fn an_image_of_ones_own_is_the_whole_pod() {
    let objects = render(own_image());
    assert!(find(&objects, "ConfigMap").is_none());
    let pod = pod(&objects, "Deployment");
    assert!(pod["spec"].get("initContainers").is_none());
    let server = &pod["spec"]["containers"][0];
    assert_eq!((&server["image"], variable(server, "PORT")), (&json!("registry.example.com/score:3"), &json!("8080")));
    assert!(server.get("command").is_none());
    assert!(pod["metadata"]["annotations"].get("strata-operator.dev/model-digest").is_none());
}

#[test]
fn a_monitor_knows_what_it_looks_at() {
    let objects = render(watched());
    let cron = find(&objects, "CronJob").unwrap();
    assert_eq!(cron["metadata"]["name"], "service-score-monitor");
    assert_eq!(
        (&cron["spec"]["schedule"], &cron["spec"]["concurrencyPolicy"]),
        (&json!("*/5 * * * *"), &json!("Forbid"))
    );
    let pod = pod(&objects, "CronJob");
    let container = &pod["spec"]["containers"][0];
    assert_eq!((&container["name"], &container["args"]), (&json!("drift"), &json!(["--strict"])));
    assert!(container.get("command").is_none());
    assert_eq!(variable(container, "SERVICE_URL"), "http://score.fraud-team--live.svc:8080");
    assert_eq!((variable(container, "MODEL_VERSION"), variable(container, "threshold")), (&json!("7"), &json!("0.2")));
    assert_eq!(
        container["envFrom"],
        json!([{"configMapRef": {"name": "connections"}}, {"secretRef": {"name": "cards-key"}}])
    );
    assert_eq!(
        container["volumeMounts"][1],
        json!({"name": "dataset-captured", "mountPath": "/data/captured", "readOnly": false})
    );
    assert!(!pod["spec"]["affinity"].is_null(), "the captured requests are on a volume of one node");
}

#[test]
fn what_is_captured_is_mounted_where_the_server_writes() {
    let pod = pod(&render(watched()), "Deployment");
    let server = &pod["spec"]["containers"][0];
    assert_eq!(
        (variable(server, "CAPTURE_SAMPLE"), variable(server, "CAPTURE_PATH")),
        (&json!("10"), &json!("/data/captured"))
    );
    let mounts = server["volumeMounts"].as_array().unwrap();
    assert!(mounts.contains(&json!({"name": "captured", "mountPath": "/data/captured"})), "{mounts:?}");
    assert!(!pod["spec"]["affinity"].is_null());
    let mut service = watched();
    service.capture.as_mut().unwrap().one_node = false;
    let objects = render(service);
    for kind in ["Deployment", "CronJob"] {
        let (template, _) = pods::template(find(&objects, kind).unwrap()).unwrap();
        assert!(template["spec"].get("affinity").is_none(), "{kind}");
    }
}

#[test]
fn every_pod_is_restricted_and_says_what_it_takes() {
    for service in [resolving(), released(), watched(), own_image()] {
        for rendered in render(service) {
            let object = &rendered.object;
            assert_eq!(pod_security::check(object, PodSecurity::Restricted), Ok(()));
            assert!(!object.to_string().contains("${"), "{object}");
            let Some((template, _)) = pods::template(object) else { continue };
            let spec = &template["spec"];
            assert_eq!(
                (&spec["automountServiceAccountToken"], &spec["enableServiceLinks"]),
                (&json!(false), &json!(false))
            );
            assert!(template["metadata"]["labels"]["app.kubernetes.io/component"].is_string());
            for container in CONTAINERS.iter().flat_map(|list| spec[*list].as_array().into_iter().flatten()) {
                for pointer in
                    ["/requests/cpu", "/requests/ephemeral-storage", "/limits/memory", "/limits/ephemeral-storage"]
                {
                    assert!(container["resources"].pointer(pointer).is_some(), "{container}");
                }
                assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
            }
            mounts_have_volumes(spec);
        }
    }
}

#[test]
fn without_a_most_no_autoscaler_is_written() {
    let fixed = ServiceInputs { replicas: ReplicasInputs { min: 2, max: None }, ..released() };
    let objects = render(fixed);
    assert!(find(&objects, "HorizontalPodAutoscaler").is_none());
    assert!(find(&objects, "Deployment").unwrap()["spec"].get("replicas").is_none(), "they are set apart");
}

#[test]
fn only_who_asks_for_it_has_an_end_of_what_is_captured() {
    let days = |days: Option<i32>| {
        let mut service = released();
        let capture = CaptureInputs {
            percent: 10,
            retention_days: days,
            path: "/data/calls".to_owned(),
            claim: "dataset-calls".to_owned(),
            one_node: false,
        };
        service.capture = Some(capture);
        let pod = pod(&render(service), "Deployment");
        let set = pod["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        set.into_iter().find(|set| set["name"] == "CAPTURE_RETENTION_DAYS").map(|set| set["value"].clone())
    };
    assert_eq!((days(None), days(Some(30))), (None, Some(json!("30"))));
}

#[test]
fn it_is_ready_once_the_autoscaler_brought_it_up() {
    let (engine, inputs) = (builtin("deployment"), of(Some(released())));
    let rendered = engine.render(&inputs.to_value()).unwrap();
    let judge = |desired: Option<i64>| {
        let objects = objects_input(&rendered, |wanted| {
            let mut live = wanted.object.clone();
            live["metadata"]["generation"] = json!(1);
            live["status"] = match (live["kind"].as_str(), desired) {
                (Some("Deployment"), _) => {
                    json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
                    "availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]})
                }
                (Some("PodDisruptionBudget"), _) => json!({"observedGeneration": 1}),
                (Some("HorizontalPodAutoscaler"), Some(desired)) => {
                    json!({"currentReplicas": desired, "desiredReplicas": 0})
                }
                _ => Value::Null,
            };
            Some(live)
        });
        engine.judge(&inputs.with_objects(objects))
    };
    assert_eq!(judge(None), Verdict::waiting("score is brought up to 2 pods"));
    assert_eq!(judge(Some(1)), Verdict::waiting("score is brought up to 2 pods"));
    assert_eq!(judge(Some(2)), Verdict::Ready);
}
