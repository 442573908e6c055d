//! The enforcer on real packets: every case of its table, between network namespaces
//! that stand for pods, with the rules in force and without; and its watch of a
//! cluster. It needs root, nft and iproute2: `cargo xtask test --node` runs it, and
//! everywhere else it is ignored. All it makes is in namespaces of its own, which go
//! with the process that holds them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use harness::enforcer::cases::{Connection, NODE, Table};
use harness::enforcer::rules::{Block, Protocol, Rules};
use harness::enforcer::ruleset;
use harness::node::PODS;
use harness::{ControlPlane, Enforcer, Options, programs, wait};

/// What every end listens on: all that the cases connect to.
const PORTS: [&str; 7] = ["8080", "8081", "8082", "8090", "8091", "udp:5353", "udp:8080"];

/// A node: network, mount and process namespaces, whose first process waits for the
/// end of its input. So all of it goes when this process does, however it ends.
struct Stage {
    unshare: Child,
    _input: ChildStdin,
    init: String,
    probe: PathBuf,
}

impl Stage {
    async fn start() -> Self {
        let probe = programs::probe().await.unwrap();
        let script = "mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && echo ready && exec cat";
        let mut unshare = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        let mut said = String::new();
        BufReader::new(unshare.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "a network namespace needs root: run it as `cargo xtask test --node`");
        let id = unshare.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        Self { _input: unshare.stdin.take().unwrap(), init: children.trim().to_owned(), unshare, probe }
    }

    /// A command on the node, with the machine's programs.
    fn inside(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init, "--net", "--mount", "--pid", "--"]).arg(program);
        command
    }

    /// The probe, run by whoever has the address: a pod, an outsider, or the node.
    fn at(&self, address: Ipv4Addr) -> Command {
        if address == NODE {
            return self.inside(&self.probe);
        }
        let mut command = self.inside("ip");
        command.args(["netns", "exec", &address.to_string()]).arg(&self.probe);
        command
    }

    fn run(&self, program: &str, input: &str) -> Output {
        let mut command = self.inside(program);
        let mut child = command
            .args(if program == "nft" { ["-f", "-"] } else { ["-e", "-s"] })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program}: {}\n{input}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Wires somebody to the node, which routes, as the `ptp` plugin does for pods.
    fn join(&self, number: usize, address: Ipv4Addr) {
        self.run(
            "sh",
            &format!(
                "ip netns add {address}
                 ip link add veth{number} type veth peer name eth0 netns {address}
                 ip address add 10.244.0.1/32 dev veth{number}
                 ip link set veth{number} up
                 ip route add {address}/32 dev veth{number}
                 ip -n {address} link set lo up
                 ip -n {address} link set eth0 up
                 ip -n {address} address add {address}/32 dev eth0
                 ip -n {address} route add 10.244.0.1/32 dev eth0
                 ip -n {address} route add default via 10.244.0.1"
            ),
        );
    }

    /// Answers there until the stage is gone.
    fn listen(&self, address: Ipv4Addr) -> Child {
        let mut command = self.at(address);
        let mut child = command.arg("listen").args(PORTS).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "listening\n");
        child
    }

    /// What became of each connection, all tried at once. One that should be open has
    /// long to become so; a closed one is believed after a second of silence.
    fn connect(&self, connections: &[Connection], open: impl Fn(&Connection) -> bool) -> Vec<(Connection, String)> {
        let mut groups: BTreeMap<(Ipv4Addr, &str), Vec<Connection>> = BTreeMap::new();
        for connection in connections {
            let within = if open(connection) { "10s" } else { "1s" };
            groups.entry((connection.from, within)).or_default().push(*connection);
        }
        let started: Vec<_> = groups
            .into_iter()
            .map(|((from, within), group)| {
                let mut command = self.at(from);
                command.args(["connect", "-within", within]).args(group.iter().map(target));
                (command.stdout(Stdio::piped()).spawn().unwrap(), group)
            })
            .collect();
        let ended = started.into_iter().flat_map(|(child, group)| {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(said.lines().count(), group.len(), "{group:?}: {said}");
            group.into_iter().zip(said.lines().map(ToOwned::to_owned).collect::<Vec<_>>())
        });
        ended.collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It takes its child, the first process in there, along; and that all others.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

fn target(connection: &Connection) -> String {
    let protocol = if connection.protocol == Protocol::Udp { "udp:" } else { "" };
    format!("{protocol}{}:{}", connection.to, connection.port)
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test --node"]
async fn every_case_holds_on_packets_and_only_while_it_is_enforced() {
    let (table, stage) = (Table::read().unwrap(), Stage::start().await);
    stage.run("sh", &format!("echo 1 > /proc/sys/net/ipv4/ip_forward\nip address add {NODE}/32 dev lo"));
    let others = table.pods.iter().map(|pod| pod.address).chain(table.outside.iter().copied());
    let mut listening = vec![stage.listen(NODE)];
    for (number, address) in others.enumerate() {
        stage.join(number, address);
        listening.push(stage.listen(address));
    }
    let (mut open, mut closed) = (0, 0);
    for case in &table.cases {
        // A kernel may lack SCTP; its rules are loaded all the same.
        let all = table.connections(case).unwrap();
        let connections: Vec<_> = all.into_iter().filter(|connection| connection.protocol != Protocol::Sctp).collect();
        let rules = Rules::of(&table.objects(case).unwrap());
        stage.run("nft", &ruleset::text(&rules, Block::parse(PODS).unwrap()));
        for (connection, seen) in stage.connect(&connections, |connection| connection.open) {
            let wanted = if connection.open { "open" } else { "no answer" };
            assert_eq!(seen, wanted, "{}: {connection:?}", case.name);
            *(if connection.open { &mut open } else { &mut closed }) += 1;
        }
        stage.run("nft", &ruleset::removal());
        for (connection, seen) in stage.connect(&connections, |_| true) {
            assert_eq!(seen, "open", "{}, not enforced: {connection:?}", case.name);
        }
    }
    println!("{} cases, {open} connections open, {closed} closed, all open when not enforced", table.cases.len());
    drop(stage);
    for mut child in listening {
        child.wait().unwrap();
    }
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test --node"]
async fn an_unknown_pod_is_closed_both_ways() {
    let (table, stage) = (Table::read().unwrap(), Stage::start().await);
    let (known, unknown) = (table.pods[0].address, Ipv4Addr::new(10, 244, 9, 9));
    stage.run("sh", &format!("echo 1 > /proc/sys/net/ipv4/ip_forward\nip address add {NODE}/32 dev lo"));
    let mut listening = vec![stage.listen(NODE)];
    for (number, address) in [known, unknown].into_iter().enumerate() {
        stage.join(number, address);
        listening.push(stage.listen(address));
    }
    let connection = |from, to, open| Connection { from, to, protocol: Protocol::Tcp, port: 8080, open };
    let connections = [
        connection(known, unknown, false),
        connection(unknown, known, false),
        connection(unknown, NODE, false),
        connection(NODE, unknown, true),
        connection(known, NODE, true),
    ];
    let rules = Rules::of(&table.objects(&table.cases[0]).unwrap());
    stage.run("nft", &ruleset::text(&rules, Block::parse(PODS).unwrap()));
    for (connection, seen) in stage.connect(&connections, |connection| connection.open) {
        assert_eq!(seen, if connection.open { "open" } else { "no answer" }, "{connection:?}");
    }
    drop(stage);
    for mut child in listening {
        child.wait().unwrap();
    }
}

/// The table as nft has it now; nothing if it is not there.
fn in_kernel(stage: &Stage) -> Option<String> {
    let output = stage.inside("nft").args(["list", "table", "inet", ruleset::TABLE]).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

async fn until(stage: &Stage, what: &str, there: impl Fn(&str) -> bool) -> Result<(), harness::Error> {
    wait::until(what, 30, async || {
        let table = in_kernel(stage).unwrap_or_default();
        if there(&table) { Ok(()) } else { Err(table) }
    })
    .await
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test --node"]
async fn it_follows_a_cluster_and_takes_its_table_along() {
    let (stage, plane) = (Stage::start().await, ControlPlane::start(Options::default()).await.unwrap());
    let refused = Enforcer::start(plane.kubeconfig(), || tokio::process::Command::new("false")).unwrap();
    let error = refused.in_force().await.unwrap_err().to_string();
    assert!(error.starts_with("NetworkPolicies are not enforced: nft ended with"), "{error}");
    drop(refused);

    let init = stage.init.clone();
    let nft = move || {
        let mut command = tokio::process::Command::new("nsenter");
        command.args(["--target", &init, "--net", "--", "nft", "-f", "-"]);
        command
    };
    let enforcer = Enforcer::start(plane.kubeconfig(), nft).unwrap();
    enforcer.in_force().await.unwrap();
    plane
        .apply(
            "{apiVersion: v1, kind: Namespace, metadata: {name: bank}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: bank, name: closed}, spec: {podSelector: {}}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: bank, name: db}, spec: {containers: [{name: main, image: none}]}}",
        )
        .await
        .unwrap();
    until(&stage, "the pod is isolated", |table| table.contains("comment \"bank/db\"")).await.unwrap();
    plane.kubectl(["delete", "networkpolicy", "-n", "bank", "closed"]).await.unwrap();
    until(&stage, "the pod is open", |table| table.contains("set pods") && !table.contains("bank/db")).await.unwrap();
    enforcer.stop().await.unwrap();
    assert_eq!(in_kernel(&stage), None, "nothing of it may be left");
}
