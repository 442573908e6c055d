//! Which program is measured: one that is built as it is released, the one that tests
//! use, or a file.

use std::path::PathBuf;

use crate::cargo;
use crate::error::Error;

/// The options that choose the program.
#[derive(Default, clap::Args)]
pub struct Program {
    /// Measure the program that tests use, instead of building one that is optimized
    #[arg(long)]
    unoptimized: bool,
    /// Measure this program, built before, instead of building one
    #[arg(long, value_name = "FILE", conflicts_with = "unoptimized")]
    program: Option<PathBuf>,
}

impl Program {
    /// The program's file, built if it has to be.
    pub fn built(&self) -> Result<PathBuf, Error> {
        match &self.program {
            Some(program) => Ok(program.clone()),
            None if self.unoptimized => cargo::build_strata(),
            None => cargo::build_optimized(),
        }
    }
}
