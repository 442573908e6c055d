//! The operator as a process: its options, its workers, the Lease, the probe of the
//! admission policies, the server of metrics and health. It knows when something is
//! reconciled, and not what that does.

pub mod admission_probe;
pub mod controller;
pub mod lease;
pub mod options;
pub mod run;
pub mod server;
