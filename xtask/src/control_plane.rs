//! `cargo xtask control-plane`: a control plane to play with. It holds nothing of
//! Strata, and it is gone with this process.

use std::time::Instant;

use harness::{ControlPlane, Options};

use crate::error::Error;

/// Starts one and keeps it until Ctrl-C.
pub async fn run() -> Result<(), Error> {
    let started = Instant::now();
    let plane = ControlPlane::start(Options::default()).await?;
    eprintln!("the control plane is up after {:.1} s; Ctrl-C ends it", started.elapsed().as_secs_f32());
    println!("export KUBECONFIG={}", plane.kubeconfig().display());
    println!("export PATH={}:$PATH", plane.programs().kubectl.parent().unwrap_or(plane.directory()).display());
    wait_for_end(|| Ok(plane.stopped()?)).await
}

/// Waits for Ctrl-C, or until `check` says that something ended on its own.
pub async fn wait_for_end(check: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
    loop {
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => return pressed.map_err(Error::file("wait for Ctrl-C")),
            () = tokio::time::sleep(std::time::Duration::from_millis(500)) => check()?,
        }
    }
}
