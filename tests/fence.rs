//! The admission policies of the chart, on a real API server: for each sentence
//! that stands in `charts/strata/templates/admission/`, an attempt that it refuses and one that it lets through. Rights alone (RBAC) never refuse
//! here: those who try hold every right that their attempt needs, or the test says so.
//!
//! One control plane serves all tests of this file; each test works on teams of
//! its own (their names are the tests').

#[path = "fence/attempt.rs"]
mod attempt;
#[path = "fence/bindings.rs"]
mod bindings;
#[path = "fence/blocks.rs"]
mod blocks;
#[path = "fence/blueprint.rs"]
mod blueprint;
#[path = "fence/connect.rs"]
mod connect;
#[path = "fence/copies.rs"]
mod copies;
#[path = "fence/deletion.rs"]
mod deletion;
#[path = "fence/drains.rs"]
mod drains;
#[path = "fence/guardrails.rs"]
mod guardrails;
#[path = "fence/homes.rs"]
mod homes;
#[path = "fence/jobs.rs"]
mod jobs;
#[path = "fence/labels.rs"]
mod labels;
#[path = "fence/layers.rs"]
mod layers;
#[path = "fence/names.rs"]
mod names;
#[path = "fence/namespaces.rs"]
mod namespaces;
#[path = "fence/objects.rs"]
mod objects;
#[path = "fence/operator.rs"]
mod operator;
#[path = "fence/operator_people.rs"]
mod operator_people;
#[path = "fence/operator_places.rs"]
mod operator_places;
#[path = "fence/operator_rights.rs"]
mod operator_rights;
#[path = "fence/operator_work.rs"]
mod operator_work;
#[path = "fence/owners.rs"]
mod owners;
#[path = "fence/pods.rs"]
mod pods;
#[path = "fence/project.rs"]
mod project;
#[path = "fence/scope.rs"]
mod scope;
#[path = "fence/stage.rs"]
mod stage;
#[path = "fence/stores.rs"]
mod stores;
#[path = "fence/weights.rs"]
mod weights;
