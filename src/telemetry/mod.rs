//! Logs and metrics. Other rooms count here; this room knows none of them.

pub mod events;
pub mod logs;
pub mod metrics;
pub mod requests;
pub mod teams;
