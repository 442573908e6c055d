//! Engines: the meaning of the files in `engines/` and of `Engine` objects.
//!
//! From an [`EngineSpec`](crate::api::EngineSpec) to objects, connections and a
//! verdict. Pure: nothing here talks to a cluster, reads a clock or decides
//! which engine a team gets. Nothing here panics either, whatever stands in an
//! engine's file.
//!
//! - [`expression`]: CEL, compiled and evaluated behind one guard;
//! - [`tree`]: `${CEL}` substituted, with its type, in a parsed JSON tree;
//! - [`template`]: objects with `forEach`, `when` and `placement`;
//! - [`kinds`], [`pod_security`]: the objects that engines may not write;
//! - [`parameters`]: the schema of an engine's parameters, and its defaults;
//! - [`readiness`]: when standard kinds are ready;
//! - [`compiled`]: one engine, all of the above put together;
//! - [`catalogue`]: the built-in engines and those of the cluster.

pub mod catalogue;
pub mod compiled;
pub mod egress;
pub mod expression;
pub mod image;
pub mod inputs;
pub mod kinds;
pub mod parameters;
pub mod pod_security;
pub mod pods;
pub mod readiness;
mod rules;
pub mod template;
mod text;
pub mod tree;
mod value;
pub mod work;

pub use catalogue::{Catalogue, Entry, Origin, plain};
pub use compiled::{CompiledEngine, objects_input};
pub use egress::Egress;
pub use image::mirror_images;
pub use inputs::Inputs;
pub use readiness::Verdict;
pub use template::{Place, RenderedObject};

use std::fmt::Write as _;

/// A fault of an engine: path and message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("engine {engine}: {path}: {message}")]
pub struct EngineError {
    /// The engine's name.
    pub engine: String,
    /// The place in the engine's spec: `objects[2].template.spec.replicas`.
    pub path: String,
    /// The message.
    pub message: String,
}

/// Something wrong at a place in a tree. Its path grows on the way out, so that
/// nothing is spent on paths while all is well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Fault {
    /// The place.
    pub path: String,
    /// The message.
    pub message: String,
}

impl Fault {
    /// A fault right here.
    #[must_use]
    pub fn here(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    /// A fault at this place.
    #[must_use]
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// The same fault, with the path extended by this key.
    #[must_use]
    pub fn under(mut self, key: &str) -> Self {
        let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let mut path = if plain { key.to_owned() } else { format!("[{key:?}]") };
        if !self.path.is_empty() && !self.path.starts_with('[') {
            path.push('.');
        }
        path.push_str(&self.path);
        self.path = path;
        self
    }

    /// The same fault, with the path extended by this index.
    #[must_use]
    pub fn item(mut self, index: usize) -> Self {
        let mut path = String::new();
        // Writing to a String cannot fail.
        let _ = write!(path, "[{index}]");
        if !self.path.is_empty() && !self.path.starts_with('[') {
            path.push('.');
        }
        path.push_str(&self.path);
        self.path = path;
        self
    }

    /// The same fault, with the path extended by this prefix.
    #[must_use]
    pub fn below(mut self, path: &str) -> Self {
        if !path.is_empty() {
            let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
            self.path = format!("{path}{dot}{}", self.path);
        }
        self
    }

    /// The fault as an error of this engine.
    #[must_use]
    pub fn of(self, engine: &str) -> EngineError {
        EngineError { engine: engine.to_owned(), path: self.path, message: self.message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_from_the_root() {
        let fault = Fault::here("x").under("replicas").under("spec").under("a.b/c").item(2).under("objects");
        assert_eq!(fault.path, "objects[2][\"a.b/c\"].spec.replicas");
    }
}
