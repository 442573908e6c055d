//! Strata: one object per AI team, and the three layers of an MLOps platform
//! kept in place for it.
//!
//! The folders are the data flow. What users write is in [`api`]; a reconcile
//! observes, plans ([`plan`]), desires ([`desired`]), applies, judges and
//! reports. `api`, `engine`, `plan` and `desired` are pure: they import no
//! client and read no clock.

pub mod allowed;
pub mod api;
pub mod apply;
pub mod cli;
pub mod content;
pub mod daily;
pub mod desired;
pub mod engine;
pub mod engine_command;
pub mod engine_kinds;
pub mod error;
#[cfg(test)]
mod fake_api;
pub mod fence;
pub mod finalizer;
pub mod ground;
pub mod health;
pub mod kinds;
pub mod manifest;
pub mod packed;
pub mod plan;
pub mod queue;
pub mod render;
pub mod status;
pub mod status_cache;
pub mod triggers;
pub mod watch;

/// The version of this program, as it reports itself.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
pub mod client;
pub mod context;
pub mod controller;
pub mod events;
pub mod hold;
pub mod lease;
pub mod metrics;
pub mod observe;
pub mod plan_command;
pub mod reconcile;
pub mod record;
pub mod references;
pub mod report;
pub mod request;
pub mod retained;
pub mod retained_command;
pub mod revoke;
pub mod run;
pub mod server;
pub mod stalled;
pub mod store;
pub mod tasks;
pub mod teardown;
pub mod telemetry;
