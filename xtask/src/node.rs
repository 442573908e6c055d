//! `cargo xtask node`: a real node to play with, with its control plane. It holds
//! nothing of Strata, and it is gone with this process.

use std::time::Instant;

use harness::{NodeOptions, node};

use crate::control_plane::wait_for_end;
use crate::error::Error;

/// Start a real node, print its KUBECONFIG, and keep it until Ctrl-C (Linux, root, a few Debian packages)
#[derive(clap::Args)]
pub struct Node {
    /// Install the Debian packages that are missing, with apt-get
    #[arg(long)]
    install: bool,
    /// Report whether this machine can be a node, and start none
    #[arg(long)]
    check: bool,
    /// Remove leftovers of killed nodes, and start none
    #[arg(long, conflicts_with_all = ["install", "check"])]
    clean: bool,
}

impl Node {
    /// Starts one and keeps it until Ctrl-C; or cleans up.
    pub async fn run(self) -> Result<(), Error> {
        if self.clean {
            return clean().await;
        }
        if self.install {
            node::install()?;
        }
        if self.check {
            node::check()?;
            println!("this machine can be a node");
            return Ok(());
        }
        let started = Instant::now();
        let node = harness::Node::start(NodeOptions::default()).await?;
        eprintln!("the node is ready after {:.1} s; Ctrl-C ends it", started.elapsed().as_secs_f32());
        println!("export KUBECONFIG={}", node.kubeconfig().display());
        println!("export PATH={}:$PATH", node.programs().kubectl.parent().unwrap_or(node.directory()).display());
        wait_for_end(|| Ok(node.stopped()?)).await
    }
}

async fn clean() -> Result<(), Error> {
    let removed = node::clean().await?;
    if removed.is_empty() {
        println!("nothing is left of earlier nodes");
    }
    for what in removed {
        println!("removed {what}");
    }
    Ok(())
}
