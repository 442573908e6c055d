//! The real node: pods run on it, are reached and keep what they write, and nothing
//! is left of it. `cargo xtask test --node` runs these; everywhere else they are
//! ignored, because they need Linux, root and Debian packages.

#[path = "node/footprint.rs"]
mod footprint;
#[path = "node/footprint_tests.rs"]
mod footprint_tests;
#[path = "node/inhabitants.rs"]
mod inhabitants;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use footprint::Footprint;
use harness::{Node, NodeOptions, image, node, programs, wait};
use inhabitants::{Process, everybody, namespaces, processes};
use tokio::sync::Mutex;

/// A machine has room for one node.
static TURN: Mutex<()> = Mutex::const_new(());

/// What lasts: a server, and a pod with a volume.
const PODS: &str = include_str!("node/pods.yaml");

#[tokio::test]
#[ignore = "needs a node: cargo xtask test --node"]
async fn pods_run_and_are_reached_and_nothing_is_left() {
    let _turn = TURN.lock().await;
    let before = Footprint::look();
    let started = Instant::now();
    let node = Node::start(NodeOptions::default().user("token-of-ana", "ana", &["people"])).await.unwrap();
    println!("the node is ready after {:.1?}", started.elapsed());
    let probe = image::small("probe", &programs::probe().await.unwrap()).await.unwrap();
    node.import(&probe).await.unwrap();
    node.apply(PODS).await.unwrap();
    let wait = ["wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s"];
    node.kubectl(wait).await.unwrap();
    println!("pods are ready after {:.1?}", started.elapsed());
    reached(&node).await;
    policies(&node).await;
    volumes(&node).await;
    limits(&node).await;
    people(&node).await;

    let (directory, supervisors) = (node.directory().to_path_buf(), node.processes());
    let lived = everybody();
    let (own, of_own) = inhabitants(&directory);
    assert!(own.len() > 8 && of_own.len() > 8, "control plane, node and pods: {own:?}, {of_own:?}");
    let ended = Instant::now();
    drop(node);
    println!("the node has ended after {:.1?}", ended.elapsed());
    before.is_back(&directory);
    until_ended(&lived, &supervisors, &own, &of_own).await;
    assert!(!directory.exists(), "{}", directory.display());
}

/// What a node's folder and its control group are called.
fn name(directory: &Path) -> String {
    directory.file_name().unwrap().to_string_lossy().into_owned()
}

/// The processes of a node, and the namespaces that are theirs alone.
fn inhabitants(directory: &Path) -> (BTreeSet<Process>, BTreeSet<PathBuf>) {
    let own = processes(&format!("/{}", name(directory)));
    let others = &everybody() - &own;
    let of_own = &namespaces(&own) - &namespaces(&others);
    (own, of_own)
}

/// Runs the probe in a pod: what it prints, or an error with it.
async fn probe(node: &Node, pod: &str, order: &[&str]) -> Result<String, String> {
    let command = [&["exec", pod, "--", "/probe"], order].concat();
    node.kubectl(command).await.map(|said| said.trim().to_owned()).map_err(|error| error.to_string())
}

/// By log, by exec, by its Service and its name, by port-forward, from pods and from the machine.
async fn reached(node: &Node) {
    let log = node.kubectl(["logs", "web"]).await.unwrap();
    assert!(log.starts_with("serving \"hello\" at :8080"), "{log}");
    wait::until("the Service is reached by its name", 20, async || {
        match probe(node, "data", &["ask", "http://greeting.default.svc.cluster.local"]).await?.as_str() {
            "hello" => Ok(()),
            other => Err(other.to_owned()),
        }
    })
    .await
    .unwrap();
    assert_eq!(probe(node, "web", &["ask", "http://greeting"]).await.unwrap(), "hello", "itself, through its Service");
    let address = ["get", "service", "greeting", "--output=jsonpath={.spec.clusterIP}"];
    let address = node.kubectl(address).await.unwrap();
    assert_eq!(ask(&address, 80).await, "hello", "from the machine");
    assert_eq!(probe(node, "data", &["connect", "kubernetes.default:443"]).await.unwrap(), "open");
    let out = probe(node, "data", &["connect", "198.51.100.1:443"]).await.unwrap_err();
    assert!(out.contains("network is unreachable"), "there is no way out: {out}");
    let kubelet = format!("https://{}:10250/pods", node::ADDRESS);
    let refused = probe(node, "data", &["ask", &kubelet]).await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    forwarded(node).await;
}

async fn forwarded(node: &Node) {
    let mut forward = tokio::process::Command::new(&node.programs().kubectl)
        .args(["port-forward", "pod/web", ":8080"])
        .env("KUBECONFIG", node.kubeconfig())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(forward.stdout.take().unwrap()));
    let line = lines.next_line().await.unwrap().unwrap();
    let port = line.rsplit_once(" ->").unwrap().0.rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(ask("127.0.0.1", port).await, "hello");
    forward.kill().await.unwrap();
}

/// The body of what is answered over HTTP.
async fn ask(host: &str, port: u16) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect((host, port)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.rsplit("\r\n").next().unwrap().trim().to_owned()
}

/// A policy is enforced, and it is the enforcer that does it.
async fn policies(node: &Node) {
    let deny = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny}, \
                spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}}";
    node.apply(deny).await.unwrap();
    until_connects(node, "no answer").await;
    node.enforce(false).await.unwrap();
    until_connects(node, "open").await;
    node.enforce(true).await.unwrap();
    until_connects(node, "no answer").await;
    node.kubectl(["delete", "networkpolicy", "deny"]).await.unwrap();
    until_connects(node, "open").await;
}

/// Waits until a connection from one pod to the other's Service comes to this.
async fn until_connects(node: &Node, wanted: &str) {
    wait::until(format!("a connection to the Service: {wanted}"), 20, async || {
        let seen = probe(node, "data", &["connect", "greeting:80"]).await.unwrap_or_else(|error| error);
        if seen.contains(wanted) { Ok(()) } else { Err(seen) }
    })
    .await
    .unwrap();
}

/// A volume is its group's, outlives its pod, is full when it is full, and goes with its claim. Those of the pod
/// `many` stay, for the end of the node.
async fn volumes(node: &Node) {
    probe(node, "data", &["write", "/data/note", "kept"]).await.unwrap();
    let full = probe(node, "data", &["fill", "/data/large", "200"]).await.unwrap_err();
    assert!(full.contains("no space left on device"), "{full}");
    node.kubectl(["delete", "pod", "data"]).await.unwrap();
    node.apply(PODS).await.unwrap();
    node.kubectl(["wait", "--for=condition=Ready", "pod/data", "--timeout=60s"]).await.unwrap();
    assert_eq!(probe(node, "data", &["read", "/data/note"]).await.unwrap(), "kept");
    node.kubectl(["delete", "pod/data", "persistentvolumeclaim/data"]).await.unwrap();
    let claims = "--output=jsonpath={.items[*].spec.claimRef.name}";
    wait::until("the volume goes with its claim", 30, async || {
        let claims = node.kubectl(["get", "persistentvolumes", claims]).await.map_err(|error| error.to_string())?;
        let others = claims.split(' ').all(|claim| claim.starts_with("many-"));
        if others { Ok(()) } else { Err(claims) }
    })
    .await
    .unwrap();
}

/// Memory limits bite, and what a container says at its end is kept.
async fn limits(node: &Node) {
    node.apply(include_str!("node/ends.yaml")).await.unwrap();
    let ended = "--output=jsonpath={.status.containerStatuses[0].state.terminated['reason','exitCode','message']}";
    for (pod, wanted) in [("greedy", "OOMKilled 137"), ("told", "Error 3 no data today")] {
        wait::until(format!("{pod} ends as {wanted}"), 60, async || {
            match node.kubectl(["get", "pod", pod, ended]).await.map_err(|error| error.to_string())? {
                seen if seen.trim() == wanted => Ok(()),
                seen => Err(seen),
            }
        })
        .await
        .unwrap();
    }
}

/// People have their tokens, requests are counted, and the node's own are not among them.
async fn people(node: &Node) {
    let beginning = node.audit().mark();
    let kubeconfig = node.kubeconfig_for("ana", "token-of-ana").unwrap();
    let who = ["auth", "whoami", "--output=jsonpath={.status.userInfo.groups}", "--kubeconfig"];
    let who = node.kubectl(who.map(Into::into).into_iter().chain([kubeconfig])).await.unwrap();
    assert!(who.contains("people"), "{who}");
    let all = wait::until("the request is in the audit log", 10, async || {
        let all = node.audit().since(beginning).map_err(|error| error.to_string())?;
        if all.of("ana").count() == 1 { Ok(all) } else { Err(all.of("ana").to_string()) }
    })
    .await
    .unwrap();
    let own = all.filter(|request| request.user.starts_with("system:node:") || request.user == "system:kube-proxy");
    assert_eq!(own.count(), 0, "{own}");
}

#[tokio::test]
#[ignore = "needs a node: cargo xtask test --node"]
async fn a_node_goes_away_and_comes_back() {
    let _turn = TURN.lock().await;
    let node = Node::start(NodeOptions::default()).await.unwrap();
    node.stop_kubelet().await.unwrap();
    node.stopped().unwrap();
    let ready = "--output=jsonpath={.status.conditions[?(@.type=='Ready')].status}";
    wait::until("the node is missed", 120, async || match node.kubectl(["get", "node", node::NAME, ready]).await {
        Ok(seen) if seen == "Unknown" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
    node.start_kubelet().await.unwrap();
}

#[tokio::test]
#[ignore = "needs a node: cargo xtask test --node"]
async fn nothing_is_left_after_kill_9_and_there_is_room_for_one() {
    let _turn = TURN.lock().await;
    let before = Footprint::look();
    let (mut parent, supervisors, directory) = hold();
    let lived = everybody();
    let (own, of_own) = inhabitants(&directory);
    assert!(own.len() > 8 && of_own.len() > 4, "{own:?}, {of_own:?}");

    let second = Node::start(NodeOptions::default()).await.unwrap_err().to_string();
    assert!(second.contains(&format!("end process {} first", parent.id())), "{second}");

    parent.kill().unwrap();
    parent.wait().unwrap();
    before.is_back(&directory);
    until_ended(&lived, &supervisors, &own, &of_own).await;
    assert!(!directory.exists(), "{}", directory.display());
}

/// Also where the supervisor that cleans up was killed first: then it is found, named and removed when asked for.
#[tokio::test]
#[ignore = "needs a node: cargo xtask test --node"]
async fn what_is_left_where_nobody_cleans_up_is_named_and_removed() {
    let _turn = TURN.lock().await;
    let before = Footprint::look();
    let (mut parent, supervisors, directory) = hold();
    let lived = everybody();
    let (own, of_own) = inhabitants(&directory);
    let killed = Command::new("kill").args(["-9", &supervisors["supervise"].to_string()]).status().unwrap();
    assert!(killed.success());
    parent.kill().unwrap();
    parent.wait().unwrap();
    until_ended(&lived, &supervisors, &own, &of_own).await;

    let found = Node::start(NodeOptions::default()).await.unwrap_err().to_string();
    assert!(found.contains(&name(&directory)) && found.ends_with("say `cargo xtask node --clean`"), "{found}");
    let removed = node::clean().await.unwrap();
    let own = [name(&directory), directory.display().to_string()];
    assert!(own.iter().all(|name| removed.contains(name)), "{removed:?}");
    assert!(!directory.exists());
    before.is_back(&directory);
}

/// A process that holds a node: itself, its supervisors, the node's folder.
fn hold() -> (Child, BTreeMap<String, u32>, PathBuf) {
    let mut parent = Command::new(env!("CARGO_BIN_EXE_hold")).arg("node").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut line_after = |start: &str| {
        let line = lines.next().unwrap();
        line.strip_prefix(start).unwrap_or_else(|| panic!("{line}")).to_owned()
    };
    let supervisors = serde_json::from_str(&line_after("started ")).unwrap();
    let directory = PathBuf::from(line_after("in "));
    assert!(directory.is_dir());
    (parent, supervisors, directory)
}

/// Waits until none of these processes and namespaces is left: a process leaves its control group a moment before it
/// has ended. Only who lived at the same time can be in them: the kernel gives numbers out again.
async fn until_ended(
    lived: &BTreeSet<Process>,
    supervisors: &BTreeMap<String, u32>,
    own: &BTreeSet<Process>,
    of_own: &BTreeSet<PathBuf>,
) {
    wait::until("everything of the node has ended", 30, async || {
        let left = &everybody() & lived;
        let is_own = |process: &&Process| own.contains(process) || supervisors.values().any(|pid| *pid == process.pid);
        let alive: Vec<_> = left.iter().filter(is_own).collect();
        let lives_on = !namespaces(&left).is_disjoint(of_own);
        if alive.is_empty() && !lives_on { Ok(()) } else { Err(format!("{alive:?}, a namespace: {lives_on}")) }
    })
    .await
    .unwrap();
}
