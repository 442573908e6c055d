//! The only room that talks to the API server: the client, watches and what they know
//! ([`watch`], [`cache`]), what people wrote ([`store`]), writes ([`apply`]), Events, and
//! the queue. It decides nothing about what is desired.

pub mod apply;
pub mod cache;
pub mod client;
pub mod error;
pub mod events;
#[cfg(test)]
pub(crate) mod fake_api;
pub mod holders;
pub mod queue;
pub mod request;
pub mod store;
pub mod tasks;
pub mod watch;
