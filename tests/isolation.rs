//! Isolation on real packets and processes: who reaches whom, held against what the
//! design says; and what pods run into (limits, quotas, Pod Security, a full volume,
//! an image that is not there, a crash, a node that goes away), each reported in a status
//! and recovered from without help.
//!
//! One test, because a machine has room for one node. It needs what a node needs
//! (Linux, root, a few Debian packages): `cargo xtask test --node`.

#[path = "isolation/components.rs"]
mod components;
#[path = "harness/tests/node/footprint.rs"]
mod footprint;
#[path = "isolation/matrix.rs"]
mod matrix;
#[path = "isolation/places.rs"]
mod places;
#[path = "isolation/reports.rs"]
mod reports;
#[path = "isolation/stage.rs"]
mod stage;
#[path = "isolation/work.rs"]
mod work;

use std::time::Instant;

use footprint::Footprint;
use stage::Stage;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: cargo xtask test --node"]
async fn nobody_reaches_too_much_and_every_failure_is_reported() {
    let (begun, before) = (Instant::now(), Footprint::look());
    let stage = Stage::start().await;
    let said = |what: &str| println!("{:>6.1} s  {what}", begun.elapsed().as_secs_f32());
    said("two teams are ready, their services run");
    matrix::backbone_takes_no_pods(&stage).await;
    let matrix = matrix::Matrix::set(&stage).await;
    said("a model serves, and a probe stands in every namespace");
    matrix.is_as_designed(&stage).await;
    said("the matrix is as designed");
    stage.node.enforce(false).await.expect("policies are no longer enforced");
    matrix.is_open(&stage).await;
    stage.node.enforce(true).await.expect("policies are enforced");
    said("without enforcement everything connects");

    tokio::join!(components::of_red(&stage), components::of_blue(&stage), work::of_red(&stage));
    said("failures of components and members' objects are reported, and pass");
    components::a_node_that_goes_away(&stage).await;
    said("a node went away and came back");
    stage.reports.print();
    let folder = stage.node.directory().to_path_buf();
    // What listens in the node's network would keep that.
    drop(matrix);
    drop(stage);
    before.is_back(&folder);
    said("nothing is left of it on the machine");
}
