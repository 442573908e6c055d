//! A control plane and nothing else, held until this process ends: what the tests
//! of the harness start in order to kill it. It prints the process ids and the
//! folder, or why there is no control plane.

use harness::{ControlPlane, Options};

#[tokio::main]
async fn main() {
    match ControlPlane::start(Options::default()).await {
        Ok(plane) => {
            println!("started {}", serde_json::json!(plane.processes()));
            println!("in {}", plane.directory().display());
            std::future::pending::<()>().await;
        }
        Err(error) => println!("failed {error}"),
    }
}
