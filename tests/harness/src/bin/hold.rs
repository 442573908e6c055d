//! A control plane or a node (`hold node`) and nothing else, held until this process
//! ends: what the tests of the harness start in order to kill it. It prints the
//! process ids and the folder, or why there is none.

use harness::{ControlPlane, Node, NodeOptions, Options};

#[tokio::main]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some("node") {
        let node = Node::start(NodeOptions::default()).await;
        hold(node, |node| (serde_json::json!(node.processes()), node.directory().display().to_string())).await;
    } else {
        let plane = ControlPlane::start(Options::default()).await;
        hold(plane, |plane| (serde_json::json!(plane.processes()), plane.directory().display().to_string())).await;
    }
}

async fn hold<T>(started: Result<T, harness::Error>, show: impl Fn(&T) -> (serde_json::Value, String)) {
    match started {
        Ok(held) => {
            let (processes, directory) = show(&held);
            println!("started {processes}");
            println!("in {directory}");
            std::future::pending::<()>().await;
        }
        Err(error) => println!("failed {error}"),
    }
}
