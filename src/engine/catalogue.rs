//! All engines: the built-in ones, and those of the cluster.
//!
//! An `Engine` object by the name of a built-in one takes its place, so
//! that a platform can fix one without waiting for a release. A broken engine
//! is an entry that holds its error, and so is one that cannot be read; the
//! others are none the worse for it, and nothing falls back from it to the one
//! that is built in.

#[cfg(test)]
#[path = "external_tests.rs"]
mod external_tests;
#[cfg(test)]
#[path = "jobs_tests.rs"]
mod jobs_tests;
#[cfg(test)]
#[path = "jupyterlab_tests.rs"]
mod jupyterlab_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use super::EngineError;
use super::compiled::CompiledEngine;
use crate::api::engine::{Engine, EngineSpec};
use crate::api::vocabulary::Capability;

/// The built-in files, by the name of the engine.
const FILES: &[(&str, &str)] = &[
    ("annotations", include_str!("../../engines/annotations.yaml")),
    ("deployer", include_str!("../../engines/deployer.yaml")),
    ("deployment", include_str!("../../engines/deployment.yaml")),
    ("external", include_str!("../../engines/external.yaml")),
    ("feast", include_str!("../../engines/feast.yaml")),
    ("jobs", include_str!("../../engines/jobs.yaml")),
    ("jupyterlab", include_str!("../../engines/jupyterlab.yaml")),
    ("mlflow", include_str!("../../engines/mlflow.yaml")),
    ("quota", include_str!("../../engines/quota.yaml")),
    ("references", include_str!("../../engines/references.yaml")),
    ("secrets", include_str!("../../engines/secrets.yaml")),
];

static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| {
    let entries = FILES.iter().map(|(name, text)| ((*name).to_owned(), Entry::parse(name, text)));
    Catalogue { entries: entries.collect() }
});

/// The engine that provides the capability on plain Kubernetes, where nobody
/// names another and nothing better is served.
#[must_use]
pub const fn plain(capability: Capability) -> Option<&'static str> {
    match capability {
        Capability::Delivery => Some("deployer"),
        Capability::Secrets => Some("secrets"),
        Capability::Queue => Some("quota"),
        Capability::Metrics => Some("annotations"),
        Capability::Experiments | Capability::Models => Some("mlflow"),
        Capability::FeatureStore => Some("feast"),
        Capability::Pipelines | Capability::Training => Some("jobs"),
        Capability::Data => Some("references"),
        Capability::Notebook => Some("jupyterlab"),
        Capability::Serving => Some("deployment"),
    }
}

/// Where an engine comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is built in.
    BuiltIn,
    /// An `Engine` object.
    Object,
}

/// One engine of the catalogue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it comes from.
    pub origin: Origin,
    /// Its file.
    pub spec: Arc<EngineSpec>,
    /// The engine, or the fault of its file.
    pub compiled: Result<Arc<CompiledEngine>, EngineError>,
}

impl Entry {
    fn new(name: &str, spec: EngineSpec, origin: Origin) -> Self {
        let spec = Arc::new(spec);
        let compiled = CompiledEngine::compile(name, &spec).map(Arc::new);
        Self { origin, spec, compiled }
    }

    /// The kinds that the engine requires and those that it writes: group and kind.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<(&str, &str)> {
        let required = self.spec.requires.iter().map(|required| (required.group.as_str(), required.kind.as_str()));
        let written = self.compiled.iter().flat_map(|engine| engine.kinds());
        required.chain(written.map(|(kind, _)| (kind.group.as_str(), kind.kind.as_str()))).collect()
    }

    fn parse(name: &str, text: &str) -> Self {
        // By way of a value, as every other file is read: code of one reader is enough.
        let read = serde_saphyr::from_str::<serde_json::Value>(text).map_err(|error| error.to_string());
        match read.and_then(|value| serde_json::from_value::<Engine>(value).map_err(|error| error.to_string())) {
            Ok(engine) => Self::new(name, engine.spec, Origin::BuiltIn),
            Err(error) => Self::unreadable(name, "file", error, Origin::BuiltIn),
        }
    }

    fn unreadable(name: &str, path: &str, message: String, origin: Origin) -> Self {
        let error = EngineError { engine: name.to_owned(), path: path.to_owned(), message };
        Self { origin, spec: Arc::default(), compiled: Err(error) }
    }
}

/// All engines, by name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: BTreeMap<String, Entry>,
}

impl Catalogue {
    /// The built-in engines. They are compiled once per process.
    #[must_use]
    pub fn builtin() -> Self {
        BUILTIN.clone()
    }

    /// The built-in engines, and these.
    #[must_use]
    pub fn with<'a>(engines: impl IntoIterator<Item = (&'a str, &'a EngineSpec)>) -> Self {
        Self::builtin().refreshed(engines.into_iter().map(|(name, spec)| (name, Ok(spec))))
    }

    /// The built-in engines, and these, or why one cannot be read; what
    /// this catalogue holds of them already, unchanged, is not compiled again.
    #[must_use]
    pub fn refreshed<'a>(&self, engines: impl IntoIterator<Item = (&'a str, Result<&'a EngineSpec, &'a str>)>) -> Self {
        let mut entries = BUILTIN.entries.clone();
        for (name, spec) in engines {
            let entry = match spec {
                Ok(spec) => self.compiled(name, spec),
                Err(error) => {
                    let message = format!("this version of Strata cannot read the Engine: {error}");
                    Entry::unreadable(name, "spec", message, Origin::Object)
                }
            };
            entries.insert(name.to_owned(), entry);
        }
        Self { entries }
    }

    fn compiled(&self, name: &str, spec: &EngineSpec) -> Entry {
        let known = self.entries.get(name).filter(|entry| entry.origin == Origin::Object && *entry.spec == *spec);
        known.cloned().unwrap_or_else(|| Entry::new(name, spec.clone(), Origin::Object))
    }

    /// The engine by this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether both have the same engine by this name, or none.
    #[must_use]
    pub fn agrees_on(&self, other: &Self, name: &str) -> bool {
        match (self.get(name), other.get(name)) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                one.spec == other.spec && one.compiled.as_ref().err() == other.compiled.as_ref().err()
            }
            _ => false,
        }
    }

    /// Every engine, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
