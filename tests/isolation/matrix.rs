//! Who reaches whom: every connection of a table is tried, and compared with what
//! the design says of namespaces (default deny both ways; DNS; within the namespace;
//! Workspace and Live to the ports of the team's Shared services; customers to the
//! model that names them; the ways out; never the metadata address; the API server
//! for nobody that does not need it).

use std::process::Stdio;

use harness::{programs, wait};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::places::{METADATA, NAMESPACES, OPENED, UNOPENED, probe_pod, targets};
use crate::stage::Stage;

/// What the design says, in the columns of [`NAMESPACES`] and then the machine that the
/// node is on: `o` opens, `.` is dropped without an answer, a blank is not tried. The
/// machine stands for whoever is beyond the node, so what is beyond is not tried from it.
const DESIGN: &[(&str, &str)] = &[
    // Shared services take the team's projects, on the ports of their engines alone.
    ("red: MLflow", "o o o . . . . . ."),
    ("red: MLflow, its pod", "o o o . . . . . ."),
    ("red: Feast, online", "o o o . . . . . ."),
    ("red: Feast, registry", "o o o . . . . . ."),
    ("red: Feast, offline", "o o o . . . . . ."),
    ("red: Shared, any port", "o . . . . . . . ."),
    ("red: Workspace", ". o . . . . . . ."),
    // A model takes its customers; the Workspace that it was made in is none.
    ("red: Live, a model", ". . o . . . o . ."),
    ("red: Live, its pod", ". . o . . . o . ."),
    ("red: Live, any port", ". . o . . . . . ."),
    ("blue: MLflow", ". . . o o o . . ."),
    ("blue: Shared, any port", ". . . o . . . . ."),
    ("blue: Workspace", ". . . . o . . . ."),
    ("blue: Live", ". . . . . o . . ."),
    // Where there are no policies, only what teams may send out keeps them away.
    ("customers", ". . . . . . o o o"),
    ("nobody's", ". . . . . . o o o"),
    ("names, by datagram", "o o o o o o o o o"),
    ("names, by stream", "o o o o o o o o o"),
    // No engine of these teams says that it needs the API server.
    ("API server, by Service", ". . . . . . o o o"),
    ("API server, on the node", ". . . . . . o o o"),
    ("kubelet", ". . . . . . o o o"),
    ("metadata", ". . . . . . o o  "),
    // The way out of team red is every address on this port, but for this one.
    ("metadata, opened port", ". . . . . . o o  "),
    ("beyond, opened port", "o o o . . . o o  "),
    ("beyond, another port", ". . . . . . o o  "),
];

/// How long a connection has; a machine that builds beside the test may be slow.
const WITHIN: &str = "3s";

/// The table's rows, with their addresses, and the servers beyond.
pub struct Matrix {
    rows: Vec<(&'static str, String)>,
    _listening: Vec<Child>,
}

/// Nobody makes pods in a Backbone: its quota has room for none.
pub async fn backbone_takes_no_pods(stage: &Stage) {
    let refused = stage.node.apply(&probe_pod("red--backbone")).await.expect_err("a pod in a Backbone").to_string();
    assert!(refused.contains("exceeded quota: strata-quota"), "{refused}");
}

impl Matrix {
    /// Puts a probe into every namespace, a model into production, and servers where
    /// the ways out lead.
    pub async fn set(stage: &Stage) -> Self {
        let listening = vec![on_the_node(stage).await, on_the_machine().await];
        stage.apply(&NAMESPACES.map(probe_pod).concat()).await;
        for namespace in NAMESPACES {
            let running = |seen: &Value| seen["status"]["containerStatuses"][0]["ready"] == true;
            stage.until(namespace, "pod/probe", "runs", running).await;
        }
        release(stage).await;
        Self { rows: targets(stage).await, _listening: listening }
    }

    /// Every connection is as the design says.
    pub async fn is_as_designed(&self, stage: &Stage) {
        let expected: Vec<Vec<char>> = DESIGN.iter().map(|(_, cells)| cells.chars().step_by(2).collect()).collect();
        let names: Vec<&str> = DESIGN.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, self.rows.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let seen = self.tried(stage).await;
        print(&names, &seen);
        let mut wrong = Vec::new();
        for ((name, wanted), found) in names.iter().zip(&expected).zip(&seen) {
            for ((column, wanted), found) in columns().zip(wanted).zip(found) {
                if wanted != found && *wanted != ' ' {
                    wrong.push(format!("{column} to {name}: {found} instead of {wanted}"));
                }
            }
        }
        assert!(wrong.is_empty(), "not as designed:\n{}", wrong.join("\n"));
    }

    /// Everything connects: so what was dropped before was dropped by policies.
    pub async fn is_open(&self, stage: &Stage) {
        let seen = self.tried(stage).await;
        for ((name, _), found) in self.rows.iter().zip(&seen) {
            for (column, found) in columns().zip(found) {
                assert!(matches!(found, 'o' | ' '), "not enforced, {column} to {name}: {found}");
            }
        }
    }

    /// What came of each connection, by row: `o` open, `.` no answer, `r` refused, `?` anything else.
    async fn tried(&self, stage: &Stage) -> Vec<Vec<char>> {
        let targets: Vec<&str> = self.rows.iter().map(|(_, address)| address.as_str()).collect();
        let order = [&["connect", "-within", WITHIN], targets.as_slice()].concat();
        let mut columns = futures::future::join_all(NAMESPACES.map(|place| stage.probe(place, "probe", &order))).await;
        // The machine's own metadata address is not the node's, and it is itself what is beyond.
        let asked = self.rows.iter().filter(|(name, _)| !name.starts_with("metadata") && !name.starts_with("beyond"));
        let asked: Vec<&str> = asked.map(|(_, address)| address.as_str()).collect();
        columns.push(from_the_machine(&asked).await);
        let columns: Vec<Vec<char>> = columns.iter().map(|said| said.lines().map(cell).collect()).collect();
        let cell = |row: usize, column: &Vec<char>| column.get(row).copied().unwrap_or(' ');
        (0..self.rows.len()).map(|row| columns.iter().map(|column| cell(row, column)).collect()).collect()
    }
}

fn cell(said: &str) -> char {
    match said {
        "open" => 'o',
        "no answer" => '.',
        "refused" => 'r',
        _ => '?',
    }
}

fn columns() -> impl Iterator<Item = &'static str> {
    NAMESPACES.into_iter().chain(["the machine"])
}

fn print(names: &[&str], seen: &[Vec<char>]) {
    println!("\nwho reaches whom: o open, . dropped, blank not tried");
    for (number, column) in columns().enumerate() {
        println!("{:26}{}{column}", "", "| ".repeat(number));
    }
    for (name, cells) in names.iter().zip(seen) {
        let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
        println!("{name:26}{}", cells.join(" "));
    }
    println!();
}

/// The metadata address, as a cloud has it: on the node it is there, and it answers.
async fn on_the_node(stage: &Stage) -> Child {
    let add = ["address", "add", &format!("{METADATA}/32"), "dev", "lo"];
    let added = stage.node.inside_network("ip", &add).status().await.expect("ip runs");
    assert!(added.success(), "the metadata address is there");
    let probe = programs::probe().await.expect("the probe");
    let ports = [80, OPENED].map(|port| format!("{METADATA}:{port}"));
    listening(stage.node.inside_network(probe, &["listen", &ports[0], &ports[1]])).await
}

/// Something beyond the node.
async fn on_the_machine() -> Child {
    let mut command = Command::new(programs::probe().await.expect("the probe"));
    command.arg("listen").args([OPENED, UNOPENED].map(|port| format!("{}:{port}", harness::node::MACHINE)));
    listening(command).await
}

async fn listening(mut command: Command) -> Child {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the probe starts");
    let mut said = String::new();
    let output = child.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut said).await.expect("it says something");
    assert_eq!(said, "listening\n");
    child
}

async fn from_the_machine(targets: &[&str]) -> String {
    let mut command = Command::new(programs::probe().await.expect("the probe"));
    let output = command.args(["connect", "-within", WITHIN]).args(targets).output().await.expect("the probe runs");
    String::from_utf8(output.stdout).expect("text")
}

/// A model that answers, registered from the Workspace and released into Live.
async fn release(stage: &Stage) {
    stage.apply(include_str!("register.yaml")).await;
    let registered = |seen: &Value| seen["status"]["phase"] == "Succeeded";
    stage.until("red--one", "pod/register", "has registered a model", registered).await;
    stage.node.kubectl(["delete", "pod", "register", "--namespace=red--one"]).await.expect("it is deleted");
    stage.apply(include_str!("score.yaml")).await;
    stage.until_ready("red--one--live", "modelservice/score").await;
    // Services change a moment after the pods behind them.
    let score = stage.get("red--one--live", "service/score").await.expect("the Service");
    let address = format!("http://{}:8080/ping", score["spec"]["clusterIP"].as_str().expect("an address"));
    wait::until("the model answers its customers", 60, async || {
        let ask = ["exec", "--namespace=checkout", "probe", "--", "/probe", "ask", &address];
        stage.node.kubectl(ask).await.map(drop).map_err(|error| error.to_string())
    })
    .await
    .expect("it answers");
}
