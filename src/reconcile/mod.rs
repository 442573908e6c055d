//! The reconcile of one team ([`team`]) and of one object of its members ([`work`]), in
//! the same six steps: observe, plan, make objects, apply, judge, report. The special
//! cases are [`teardown`], [`retained`] and [`revoke`]; [`triggers`] enqueues requests.

pub mod context;
pub mod engine_kinds;
pub mod engine_uses;
pub mod finalizer;
pub mod hold;
pub mod holders;
pub mod observe;
pub mod publish;
pub mod report;
pub mod requeue;
pub mod retained;
pub mod revoke;
pub mod snapshot;
pub mod stalled;
pub mod start;
pub mod status_cache;
pub mod status_writer;
pub mod target;
pub mod team;
pub mod teardown;
pub mod triggers;
pub mod upgrade_places;
pub mod upgrades;
pub mod usage;
pub mod work;
