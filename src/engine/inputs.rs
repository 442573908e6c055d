//! The variables of an engine's expressions.
//!
//! Every field is always there, as null where there is nothing, so that an
//! expression can ask `project == null` without asking first whether it may.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

use super::expression::Variables;
use super::work::WorkInputs;
use crate::api::vocabulary::{Capability, Layer};

/// The variables at render, with the most that each can be: what its type says.
/// At judging there is `objects` too.
#[must_use]
pub fn variables() -> &'static Variables {
    static VARIABLES: LazyLock<Variables> = LazyLock::new(|| {
        let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
        Variables::of_types(settings.into_generator().into_root_schema_for::<Inputs>().as_value())
    });
    &VARIABLES
}

/// The live objects, by the id of their template; known to `ready` and `failing`.
pub const OBJECTS: &str = "objects";
/// One item of `forEach`, and its position.
pub const ITEM: &str = "item";
/// See [`ITEM`].
pub const INDEX: &str = "index";

/// The values of the variables.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    /// The team.
    pub team: TeamInputs,
    /// The project; none in Backbone and Shared.
    pub project: Option<ProjectInputs>,
    /// The namespace that the engine's objects go into.
    pub namespace: String,
    /// The layer of that namespace.
    pub layer: Layer,
    /// The request for this instance.
    pub capabilities: Vec<Capability>,
    /// The parameters as the team wrote them; defaults are filled in here.
    pub parameters: Value,
    /// The size of the volume, as a quantity.
    pub storage: Option<String>,
    /// The Secret with the credentials.
    pub credentials: Option<CredentialsInputs>,
    /// The settings of the site.
    pub blueprint: BlueprintInputs,
    /// Every namespace of the team.
    pub namespaces: Vec<NamespaceInputs>,
    /// Where the team's manifests come from.
    pub repository: Option<RepositoryInputs>,
    /// The work object that is provided; nothing at the level of the team.
    #[serde(flatten)]
    pub work: WorkInputs,
}

impl Inputs {
    /// Without anything but the parameters.
    #[must_use]
    pub fn parameters_alone(&self) -> Self {
        Self {
            parameters: self.parameters.clone(),
            layer: self.layer,
            team: TeamInputs::default(),
            project: None,
            namespace: String::new(),
            capabilities: Vec::new(),
            storage: None,
            credentials: None,
            blueprint: BlueprintInputs::default(),
            namespaces: Vec::new(),
            repository: None,
            work: WorkInputs::default(),
        }
    }

    /// The variables as JSON.
    ///
    /// The types here have string keys only and no number that JSON lacks, so
    /// this cannot fail; were it to, expressions would miss every variable and
    /// say so.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The variables with the live objects, for judging.
    #[must_use]
    pub fn with_objects(&self, objects: Value) -> Value {
        let mut value = self.to_value();
        if let Some(map) = value.as_object_mut() {
            map.insert(OBJECTS.to_owned(), objects);
        }
        value
    }
}

/// The team.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct TeamInputs {
    /// Its name.
    pub name: String,
    /// `Infrastructure`, `Applied` or `Research`.
    pub r#type: String,
    /// Its type.
    pub description: Option<String>,
    /// Where to reach it.
    pub contact: Option<String>,
    /// Its own namespaces.
    pub namespaces: TeamNamespaces,
}

/// The namespaces that a team has once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct TeamNamespaces {
    /// Always there.
    pub backbone: String,
    /// Exists when a shared capability is on; the name is always known.
    pub shared: String,
}

/// The project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct ProjectInputs {
    /// Its name.
    pub name: String,
    /// Its purpose.
    pub purpose: Option<String>,
}

/// Credentials by the name of their Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct CredentialsInputs {
    /// The Secret's name.
    pub secret: String,
}

/// The settings of the site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintInputs {
    /// Its name.
    pub name: String,
    /// `StorageClass`es by purpose.
    pub storage_classes: StorageClassInputs,
    /// Registries.
    pub registries: RegistryInputs,
    /// The gateway and where metrics are read from, as the Blueprint has it.
    pub ingress: Value,
    /// The `ConfigMap` with the site's certificates.
    pub trust_bundle: Option<TrustBundleInputs>,
    /// Whether quotas count CPU limits, so that pods must set one.
    pub cpu_limits: bool,
}

/// `StorageClass`es by purpose; none is the cluster's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct StorageClassInputs {
    /// For volumes of one pod.
    pub home: Option<String>,
    /// For volumes of many.
    pub shared: Option<String>,
}

/// Registries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryInputs {
    /// Mirrors by the registry they mirror. The caller applies them to images.
    pub mirrors: BTreeMap<String, String>,
    /// The team's own registry.
    pub team: Option<String>,
    /// Names of pull Secrets.
    pub pull_secrets: Vec<String>,
}

/// The `ConfigMap` with the site's certificates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustBundleInputs {
    /// Its name.
    pub config_map: String,
}

/// One namespace of the team.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NamespaceInputs {
    /// Its name.
    pub name: String,
    /// Its layer.
    pub layer: Layer,
    /// Its project, in a Workspace and in Live.
    pub project: Option<String>,
}

/// Where the team's manifests come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryInputs {
    /// The repository's URL.
    pub repository: Option<String>,
    /// The folder in it.
    pub path: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// Whether it also holds the team's own manifest.
    pub manages_team: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::expression::Expression;

    #[test]
    fn every_variable_is_known_with_its_fields() {
        let known = |source: &str| Expression::compile(source, variables());
        for source in [
            "team.namespaces.shared",
            "project.purpose",
            "namespace",
            "layer",
            "capabilities",
            "parameters.a.b",
            "storage",
            "credentials.secret",
            "blueprint.storageClasses.home",
            "namespaces[0].layer",
            "repository.branch",
            "workbench.sized.resources",
            "run.steps[0].env[0].value",
            "service.monitor.step.args",
            "dataset.volume.size",
        ] {
            assert!(known(source).is_ok(), "{source}: {:?}", known(source));
        }
        assert_eq!(known("run.steps").unwrap().bound().size.length, 20);
        assert_eq!(known("run.retries").unwrap().bound().size.weight, 1);
        assert_eq!(known("team.name").unwrap().bound().size.length, 0);
    }
}
