//! The closed sets of words that the API is written in: layers, levels, rights,
//! capabilities. No behaviour beyond their names.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! names {
    ($kind:ident { $($variant:ident = $kebab:literal),+ $(,)? }) => {
        impl $kind {
            /// Every value, in the order in which people read them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as the API spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// The word as object names spell it: lower case, with hyphens.
            #[must_use]
            pub const fn kebab(self) -> &'static str {
                match self { $(Self::$variant => $kebab),+ }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}

/// The layer of the reference architecture that a namespace belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Layer {
    /// Access, network, security, CI/CD, compute budget.
    Backbone,
    /// The layer that all projects of the team reuse.
    Shared,
    /// Where one project is worked on.
    Workspace,
    /// Where one project serves its customers.
    Live,
}
names!(Layer { Backbone = "backbone", Shared = "shared", Workspace = "workspace", Live = "live" });

/// How much a role may do in a layer; each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Read everything but Secrets.
    View,
    /// View, and write access to own objects.
    Use,
    /// Use, and every Strata kind of the layer.
    Contribute,
    /// Contribute, and Secrets, Roles and bindings of the layer's identities.
    Own,
}
names!(Level { View = "view", Use = "use", Contribute = "contribute", Own = "own" });

/// A right of a role beside its level in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AddedRight {
    /// Read quotas, network policies, Roles and bindings.
    Guardrails,
    /// Write Pipelines and create Runs; in Workspace and Live.
    Pipelines,
}
names!(AddedRight { Guardrails = "guardrails", Pipelines = "pipelines" });

/// A capability that a team asks for and an engine provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Capability {
    /// A way from the team's repository into its namespaces.
    Delivery,
    /// Credentials by reference.
    Secrets,
    /// Who computes when.
    Queue,
    /// Metrics of workloads.
    Metrics,
    /// Tracking of experiments.
    Experiments,
    /// The registry of models.
    Models,
    /// Features, online and offline.
    FeatureStore,
    /// Pipelines and their runs.
    Pipelines,
    /// Datasets and how they are reached.
    Data,
    /// Training beyond one pod.
    Training,
    /// A notebook server per person.
    Notebook,
    /// Models in production.
    Serving,
}
names!(Capability {
    Delivery = "delivery",
    Secrets = "secrets",
    Queue = "queue",
    Metrics = "metrics",
    Experiments = "experiments",
    Models = "models",
    FeatureStore = "feature-store",
    Pipelines = "pipelines",
    Data = "data",
    Training = "training",
    Notebook = "notebook",
    Serving = "serving",
});
