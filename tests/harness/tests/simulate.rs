//! Behaviour of pods that is set beforehand, through the harness: the steps of a Run, a
//! workbench that ends for idleness, a release, a monitor. The objects here are
//! made by hand, as the operator would make them.

use harness::{ControlPlane, Options, Pods, wait};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();

async fn plane() -> &'static ControlPlane {
    PLANE.get_or_init(|| async { ControlPlane::start(Options::default()).await.unwrap() }).await
}

async fn apply(object: &Value) {
    let namespace = object["metadata"]["namespace"].as_str().unwrap();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    plane().await.apply(&namespace.to_string()).await.unwrap();
    plane().await.apply(&object.to_string()).await.unwrap();
}

/// The only pod of an object, as soon as it is as it should be.
async fn pod(namespace: &str, selector: &str, good: impl Fn(&Value) -> bool) -> Value {
    let good = &good;
    let arguments = ["get", "pods", "--output=json", "--namespace", namespace, "--selector", selector];
    wait::until(format!("the pod of {selector} is as it should be"), 30, async || {
        let pods = plane().await.kubectl(arguments).await.map_err(|error| error.to_string())?;
        let pods: Value = serde_json::from_str(&pods).unwrap();
        assert!(pods["items"].as_array().unwrap().len() < 2, "{pods}");
        if good(&pods["items"][0]) { Ok(pods["items"][0].clone()) } else { Err(pods["items"][0]["status"].to_string()) }
    })
    .await
    .unwrap()
}

fn phase(wanted: &str) -> impl Fn(&Value) -> bool + '_ {
    move |pod| pod["status"]["phase"] == wanted
}

/// A Job of one pod with these containers, the last of which is the main one.
fn job(namespace: &str, name: &str, label: (&str, &str), steps: &[&str], env: &Value) -> Value {
    let container = |name: &&str| json!({"name": name, "image": "example.com/step", "env": env});
    let (main, first) = steps.split_last().unwrap();
    let (key, value) = (format!("strata-operator.dev/{}", label.0), label.1);
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": namespace},
        "spec": {"backoffLimit": 0, "template": {
            "metadata": {"labels": {key: value}},
            "spec": {
                "restartPolicy": "Never", "containers": [container(main)],
                "initContainers": first.iter().map(container).collect::<Vec<_>>(),
            },
        }},
    })
}

fn run(name: &str) -> Value {
    job("steps", &format!("run-{name}"), ("run", name), &["generate", "train", "evaluate"], &json!([]))
}

fn states(pod: &Value) -> Vec<(String, Value)> {
    let of = |list: &str| pod["status"][list].as_array().cloned().unwrap_or_default();
    let all = of("initContainerStatuses").into_iter().chain(of("containerStatuses"));
    all.map(|status| (status["name"].as_str().unwrap().to_owned(), status["state"].clone())).collect()
}

#[tokio::test]
async fn the_step_that_was_named_fails() {
    let annotations =
        [("simulate/step", "train"), ("simulate/exit-code", "3"), ("simulate/message", "no such column: amount")];
    let pods = Pods::of("steps", "run", "fails");
    plane().await.simulate(&pods, &annotations).await.unwrap();
    apply(&run("fails")).await;
    let failed = pod("steps", "job-name=run-fails", phase("Failed")).await;
    let [(_, generate), (_, train), (_, evaluate)] = &states(&failed)[..] else { panic!("{failed}") };
    assert_eq!(generate["terminated"]["exitCode"], 0, "{generate}");
    assert_eq!(train["terminated"]["exitCode"], 3, "{train}");
    assert_eq!(train["terminated"]["message"], "no such column: amount");
    assert_eq!(evaluate["waiting"]["reason"], "PodInitializing", "{evaluate}");

    // The next of its pods, with other annotations, fails in its main container.
    plane().await.simulate(&pods, &[("simulate/exit-code", "4")]).await.unwrap();
    plane().await.kubectl(["delete", "job", "run-fails", "--namespace=steps", "--cascade=foreground"]).await.unwrap();
    apply(&run("fails")).await;
    let failed = pod("steps", "job-name=run-fails", |pod| pod["status"]["phase"] == "Failed").await;
    let states = states(&failed);
    assert!(states[..2].iter().all(|(_, state)| state["terminated"]["exitCode"] == 0), "{states:?}");
    assert_eq!(states[2].1["terminated"]["exitCode"], 4, "{states:?}");
    assert_eq!(states[2].1["terminated"].get("message"), None, "{states:?}");

    // And one without annotations succeeds; others never failed.
    plane().await.simulate_nothing(&pods).await.unwrap();
    plane().await.kubectl(["delete", "job", "run-fails", "--namespace=steps", "--cascade=foreground"]).await.unwrap();
    apply(&run("fails")).await;
    pod("steps", "job-name=run-fails", phase("Succeeded")).await;
}

#[tokio::test]
async fn a_step_takes_as_long_as_its_annotation_says() {
    let plane = plane().await;
    plane.simulate(&Pods::of("steps", "run", "slow"), &[("simulate/duration", "3s")]).await.unwrap();
    apply(&run("slow")).await;
    let running = pod("steps", "job-name=run-slow", phase("Running")).await;
    let states_then = states(&running);
    assert!(states_then[..2].iter().all(|(_, state)| state["terminated"]["exitCode"] == 0), "{states_then:?}");
    assert!(states_then[2].1["running"].is_object(), "{states_then:?}");
    pod("steps", "job-name=run-slow", phase("Succeeded")).await;

    let annotations = [("simulate/step", "train"), ("simulate/duration", "3s"), ("simulate/message", "done")];
    plane.simulate(&Pods::of("steps", "run", "trains"), &annotations).await.unwrap();
    apply(&run("trains")).await;
    let training = pod("steps", "job-name=run-trains", |pod| {
        pod["status"]["initContainerStatuses"][1]["state"]["running"].is_object()
    })
    .await;
    assert_eq!(training["status"]["phase"], "Pending");
    assert!(states(&training)[2].1["waiting"].is_object(), "{training}");
    let succeeded = pod("steps", "job-name=run-trains", phase("Succeeded")).await;
    assert_eq!(states(&succeeded)[1].1["terminated"]["message"], "done", "{succeeded}");
}

#[tokio::test]
async fn a_server_ends_once_and_runs_again() {
    let annotations = [("simulate/message", "{\"ended\": \"idle\"}"), ("simulate/duration", "1s")];
    plane().await.simulate(&Pods::of("idle", "workbench", "ana"), &annotations).await.unwrap();
    let labels = json!({"strata-operator.dev/workbench": "ana"});
    apply(&json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "workbench-ana", "namespace": "idle"},
        "spec": {
            "serviceName": "workbench-ana", "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "server", "image": "example.com/server"}]}},
        },
    }))
    .await;
    let again = pod("idle", "strata-operator.dev/workbench=ana", |pod| {
        pod["status"]["containerStatuses"][0]["restartCount"] == 1
    })
    .await;
    let status = &again["status"]["containerStatuses"][0];
    assert_eq!(status["lastState"]["terminated"]["message"], "{\"ended\": \"idle\"}", "{status}");
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 0, "{status}");
    assert!(status["state"]["running"].is_object() && status["ready"] == true, "{status}");
    assert_eq!(again["status"]["phase"], "Running");
}

/// What the only container of a Job's pod said at its end.
async fn said(namespace: &str, job: &str, wanted: &str) -> String {
    let ended = pod(namespace, &format!("job-name={job}"), phase(wanted)).await;
    states(&ended).pop().unwrap().1["terminated"]["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn releases_and_monitors_say_what_is_expected_of_them() {
    let of = ("model-service", "score");
    let release = |version: &Value, name: &str| {
        job("serving", &format!("service-score-release-{name}"), of, &["main"], &json!([version]))
    };
    apply(&release(&json!({"name": "MODEL_VERSION", "value": "12"}), "0000000a")).await;
    let first: Value =
        serde_json::from_str(&said("serving", "service-score-release-0000000a", "Succeeded").await).unwrap();
    assert_eq!(first["version"], "12");
    assert_eq!(first["digest"].as_str().unwrap().len(), "sha256:".len() + 64, "{first}");
    apply(&release(&json!({"name": "MODEL_ALIAS", "value": "champion"}), "0000000b")).await;
    let second: Value =
        serde_json::from_str(&said("serving", "service-score-release-0000000b", "Succeeded").await).unwrap();
    assert_eq!(second["version"], "7");
    assert_ne!(second["digest"], first["digest"]);
    apply(&job("serving", "service-score-monitor-1", of, &["main"], &json!([]))).await;
    assert_eq!(said("serving", "service-score-monitor-1", "Succeeded").await, "{\"verdict\": \"ok\"}");

    // What is said of releases does not concern monitors, though both are of one object.
    let releases = Pods::of("serving", "model-service", "score").named("service-score-release-");
    let annotations = [("simulate/exit-code", "1"), ("simulate/message", "there is no version 13")];
    plane().await.simulate(&releases, &annotations).await.unwrap();
    apply(&release(&json!({"name": "MODEL_VERSION", "value": "13"}), "0000000c")).await;
    assert_eq!(said("serving", "service-score-release-0000000c", "Failed").await, "there is no version 13");
    apply(&job("serving", "service-score-monitor-2", of, &["main"], &json!([]))).await;
    assert_eq!(said("serving", "service-score-monitor-2", "Succeeded").await, "{\"verdict\": \"ok\"}");
}
