//! Logs, and what is counted. Others count here; this room knows none of them.

pub mod events;
pub mod logs;
pub mod metrics;
pub mod requests;
