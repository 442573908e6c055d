//! The API: the kinds of `strata-operator.dev/v1alpha1` as
//! Rust types, from which `crds/` is generated.
//!
//! Nothing in here talks to a cluster or decides anything.

pub mod addresses;
pub mod allowed;
pub mod amounts;
pub mod blueprint;
pub mod content;
pub mod crd;
pub mod engine;
pub mod identity;
pub mod image;
pub mod issue;
pub mod kinds;
pub mod labels;
pub mod object_key;
pub mod prefixes;
pub mod quantity;
pub mod reason;
pub mod roles;
pub mod rules;
pub mod schema;
pub mod status;
pub mod team;
pub mod team_status;
pub mod text;
pub mod vocabulary;
pub mod work;

pub use blueprint::{Blueprint, BlueprintSpec};
pub use engine::{Engine, EngineSpec};
pub use issue::Issue;
pub use object_key::ObjectKey;
pub use prefixes::Prefixes;
pub use quantity::Quantity;
pub use reason::Reason;
pub use status::Condition;
pub use team::{AITeam, AITeamSpec};
pub use team_status::AITeamStatus;
pub use vocabulary::{Capability, Layer, Level};

/// The API group of every kind of Strata.
pub const GROUP: &str = "strata-operator.dev";
/// The one version that is served.
pub const VERSION: &str = "v1alpha1";
