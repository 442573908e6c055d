//! Strata: one object per AI team, and the three layers of an MLOps platform
//! kept in place for it.
//!
//! The folders are the data flow, from the bottom up: what people write ([`api`]), what
//! an engine file means ([`engine`]), what follows for a team ([`plan`]), the objects for
//! it ([`objects`]), the API server ([`cluster`]), what is reported ([`status`]), the steps
//! of a reconcile ([`reconcile`]), the process ([`operator`]), commands ([`cli`]). Each
//! room imports only rooms below it (`cargo xtask map`). `api`, `engine`, `plan`, `objects`
//! and `status` are pure: they import no client and read no clock.

pub mod api;
pub mod cli;
pub mod cluster;
pub mod engine;
pub mod objects;
pub mod operator;
pub mod plan;
pub mod reconcile;
pub mod status;
pub mod telemetry;

/// The version of this program, as it reports itself.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
