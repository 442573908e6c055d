//! The life of a model on a real node: one team with two projects beside a second
//! team, the operator installed by its chart, and everything done by people with
//! credentials of their own.
//!
//! What they apply stands in `deploy/tour/`, and what they type in `docs/tour.md`,
//! where a newcomer follows it; at the end it is looked whether every command of
//! that walk-through was given here. It needs what a node needs (Linux, root, a few
//! Debian packages): `cargo xtask test --node`.

#[path = "node/ask.rs"]
mod ask;
#[path = "node/citizen.rs"]
mod citizen;
#[path = "node/costs.rs"]
mod costs;
#[path = "node/drift.rs"]
mod drift;
#[path = "harness/tests/node/footprint.rs"]
mod footprint;
#[path = "node/kernel.rs"]
mod kernel;
#[path = "node/life.rs"]
mod life;
#[path = "node/notebook.rs"]
mod notebook;
#[path = "node/object.rs"]
mod object;
#[path = "node/person.rs"]
mod person;
#[path = "node/pipelines.rs"]
mod pipelines;
#[path = "node/platform.rs"]
mod platform;
#[path = "node/production.rs"]
mod production;
#[path = "node/stage.rs"]
mod stage;
#[path = "node/steps.rs"]
mod steps;
#[path = "node/tour.rs"]
mod tour;
