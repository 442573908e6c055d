//! The commands of people and of CI: the command line, `strata render`, `plan`, `engine`
//! and `retained`. Files come in and YAML goes out through [`manifest`]. The top floor:
//! nothing in the crate imports it.

pub mod args;
pub mod engine;
pub mod manifest;
pub mod plan;
pub mod render;
pub mod retained;
