//! `cargo xtask bench`: what Strata takes, in numbers, on a control plane of its
//! own. This module only knows which measurements there are.

mod flood;
mod intended;
mod memory;
mod process;
mod program;
mod stage;

use clap::Subcommand;

use crate::error::Error;

/// The measurement.
#[derive(Subcommand)]
pub enum Bench {
    /// The operator's memory: with teams, after a restart, after a flood that is deleted again
    Memory(memory::Memory),
    /// A flood by one member: the operator's memory, etcd's size, and another team's wait
    Flood(flood::Flood),
}

impl Bench {
    /// Measures it.
    pub async fn run(self) -> Result<(), Error> {
        match self {
            Self::Memory(memory) => memory.run().await,
            Self::Flood(flood) => flood.run().await,
        }
    }
}
