//! The commands of people and of CI: the command line, `strata render`, `plan`, `engine`,
//! `migrate` and `retained`. Files come in and YAML goes out through [`manifest`]. The top floor:
//! nothing in the crate imports it. The printer of tables in [`table`] is `cargo xtask`'s too.

pub mod args;
pub mod engine;
pub mod manifest;
pub mod migrate;
pub mod plan;
pub mod render;
pub mod retained;
pub mod table;
