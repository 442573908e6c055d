//! The harness itself, against a real control plane: workloads come up and fail as
//! their annotations say, requests are counted, people are who they say, and nothing is
//! left when the process that started it is killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::{ControlPlane, Options, wait};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;
use tokio::sync::OnceCell;

static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();

async fn plane() -> &'static ControlPlane {
    PLANE
        .get_or_init(|| async {
            let options = Options::default().user("token-of-ana", "ana@example.com", &["fraud-ml", "people"]);
            ControlPlane::start(options).await.unwrap()
        })
        .await
}

/// One field of one object, by kubectl's JSON path.
async fn field(namespace: &str, object: &str, path: &str) -> Result<String, String> {
    let output = format!("--output=jsonpath={{{path}}}");
    plane().await.kubectl(["get", "-n", namespace, object, &output]).await.map_err(|error| error.to_string())
}

async fn until_field(namespace: &str, object: &str, path: &str, wanted: &str) {
    wait::until(format!("{object} {path} is {wanted}"), 30, async || {
        let seen = field(namespace, object, path).await?;
        if seen == wanted { Ok(()) } else { Err(seen) }
    })
    .await
    .unwrap();
}

fn namespaced(name: &str, rest: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n---\n{rest}")
}

#[tokio::test]
async fn workloads_with_volumes_become_ready() {
    let plane = plane().await;
    let started = Instant::now();
    plane.apply(&namespaced("ready", include_str!("workloads.yaml"))).await.unwrap();
    until_field("ready", "deployment/web", ".status.readyReplicas", "2").await;
    until_field("ready", "statefulset/store", ".status.readyReplicas", "1").await;
    until_field("ready", "persistentvolumeclaim/data-store-0", ".status.phase", "Bound").await;
    println!("a Deployment and a StatefulSet with a volume: ready after {:?}", started.elapsed());
    until_field("ready", "job/told", ".status.succeeded", "1").await;
    let pods =
        plane.kubectl(["get", "pods", "-n", "ready", "--selector=job-name=told", "--output=json"]).await.unwrap();
    let pods: Value = serde_json::from_str(&pods).unwrap();
    let ended = &pods["items"][0]["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["message"], "{\"verdict\": \"ok\"}");
    assert_eq!(ended["exitCode"], 0);
    until_field("ready", "job/fails", ".status.failed", "1").await;

    plane.kubectl(["delete", "namespace", "ready", "--timeout=60s"]).await.unwrap();
    wait::until("the volume is gone with its claim", 30, async || {
        let volumes = plane.kubectl(["get", "persistentvolumes", "--output=name"]).await.map_err(|e| e.to_string())?;
        if volumes.is_empty() { Ok(()) } else { Err(volumes) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn pods_fail_as_their_annotations_say() {
    const WAITING: &str = ".status.containerStatuses[0].state.waiting";
    let plane = plane().await;
    plane.apply(&namespaced("broken", include_str!("broken.yaml"))).await.unwrap();
    until_field("broken", "pod/crashes", &format!("{WAITING}.reason"), "CrashLoopBackOff").await;
    until_field("broken", "pod/crashes", &format!("{WAITING}.message"), "back-off 5m0s").await;
    let init = ".status.initContainerStatuses[0].state.terminated";
    until_field("broken", "pod/init-fails", &format!("{init}.exitCode"), "7").await;
    until_field("broken", "pod/init-fails", &format!("{init}.message"), "no such model").await;
    until_field("broken", "pod/init-fails", ".status.phase", "Failed").await;

    until_field("broken", "pod/wants-secret", &format!("{WAITING}.reason"), "CreateContainerConfigError").await;
    until_field("broken", "pod/wants-secret", &format!("{WAITING}.message"), "secret \"database\" not found").await;
    plane.kubectl(["create", "secret", "generic", "database", "-n", "broken", "--from-literal=a=b"]).await.unwrap();
    until_field("broken", "pod/wants-secret", ".status.phase", "Running").await;
}

#[tokio::test]
async fn people_are_who_they_say_and_requests_are_counted() {
    let plane = plane().await;
    let mark = plane.audit().mark();
    let ana = plane.client_for("token-of-ana").await.unwrap();
    Api::<Namespace>::all(ana).list(&ListParams::default()).await.unwrap_err();
    let bo = plane.client_as("bo@example.com", &["people"]).await.unwrap();
    Api::<ConfigMap>::default_namespaced(bo).get("nothing").await.unwrap_err();
    let requests = wait::until("both are in the audit log", 10, async || {
        let requests = plane.audit().since(mark).map_err(|error| error.to_string())?;
        let both = requests.filter(|request| ["ana@example.com", "bo@example.com"].contains(&request.user.as_str()));
        if both.count() == 2 { Ok(both) } else { Err(requests.to_string()) }
    })
    .await
    .unwrap();
    assert_eq!(requests.of("ana@example.com").by_verb(), BTreeMap::from([("list".into(), 1)]));
    assert_eq!(requests.of("bo@example.com").resource("configmaps").refused().count(), 1);
    assert_eq!(requests.writes().count(), 0);
    let own = plane.audit().since(mark).unwrap().filter(|request| request.user.starts_with("system:kube"));
    assert_eq!(own.count(), 0, "the control plane's own requests are left out: {own}");

    let kubeconfig = plane.kubeconfig_for("ana", "token-of-ana").unwrap();
    let who = ["auth", "whoami", "--output=jsonpath={.status.userInfo.groups}", "--kubeconfig"];
    let who = plane.kubectl(who.map(Into::into).into_iter().chain([kubeconfig])).await.unwrap();
    assert!(who.contains("fraud-ml"), "{who}");
}

#[tokio::test]
async fn helm_and_kubectl_see_this_cluster_alone() {
    let plane = plane().await;
    let releases = plane.helm(["list", "--all-namespaces", "--output=json"]).await.unwrap();
    assert_eq!(releases.trim(), "[]");
    let context = plane.kubectl(["config", "current-context"]).await.unwrap();
    assert_eq!(context.trim(), "strata");
    let cluster = harness::Cluster::at(plane.kubeconfig()).await.unwrap();
    let nodes = cluster.kubectl(["get", "nodes", "--output=name"]).await.unwrap();
    assert_eq!(nodes, "node/node-1\n");
}

#[test]
fn without_go_one_sentence_says_so() {
    let cache = std::env::temp_dir().join(format!("strata-no-go-{}", std::process::id()));
    let output =
        Command::new(env!("CARGO_BIN_EXE_hold")).env("PATH", "/nowhere").env("STRATA_CACHE", &cache).output().unwrap();
    let _ = std::fs::remove_dir_all(cache);
    let printed = String::from_utf8(output.stdout).unwrap();
    let said = printed.lines().find_map(|line| line.strip_prefix("failed ")).unwrap();
    assert!(said.contains("no `go` program was found on PATH: install Go"), "{said}");
}

#[test]
fn nothing_is_left_after_kill_9() {
    let mut parent = Command::new(env!("CARGO_BIN_EXE_hold")).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut line_after = |start: &str| lines.find_map(|line| line.strip_prefix(start).map(ToOwned::to_owned)).unwrap();
    let processes: BTreeMap<String, u32> = serde_json::from_str(&line_after("started ")).unwrap();
    let directory = PathBuf::from(line_after("in "));
    assert_eq!(processes.len(), 6, "{processes:?}");
    assert!(processes.values().all(|pid| runs(*pid)) && directory.is_dir());

    parent.kill().unwrap();
    parent.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while directory.exists() || processes.values().any(|pid| runs(*pid)) {
        let left: Vec<_> = processes.iter().filter(|(_, pid)| runs(**pid)).collect();
        assert!(Instant::now() < deadline, "left after 10 s: {left:?}, folder: {}", directory.exists());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn programs_die_with_a_killed_supervisor() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plane = runtime.block_on(ControlPlane::start(Options::default())).unwrap();
    let processes = plane.processes();
    let killed = Command::new("kill").args(["-9", &processes["supervise"].to_string()]).status().unwrap();
    assert!(killed.success());
    // Only Linux can do this; elsewhere the programs are left to be found.
    if cfg!(target_os = "linux") {
        let deadline = Instant::now() + Duration::from_secs(10);
        let one_runs = || processes.iter().any(|(name, pid)| name != "supervise" && runs(*pid));
        while one_runs() || plane.stopped().is_ok() {
            assert!(Instant::now() < deadline, "still there: {processes:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let directory = plane.directory().to_path_buf();
    drop(plane);
    let _ = std::fs::remove_dir_all(directory);
}

/// Whether a process runs (a zombie does not).
fn runs(pid: u32) -> bool {
    if !Path::new("/proc/self").exists() {
        return Command::new("kill").args(["-0", &pid.to_string()]).status().is_ok_and(|status| status.success());
    }
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with('Z'))
}
