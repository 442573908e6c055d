//! The variables of an engine's expressions for one instance.

use super::choice::CapabilityRequest;
use super::merged::Merged;
use super::namespaces::{name as namespace_name, places};
use super::parameters::over_the_sites;
use super::{Facts, InstanceId};
use crate::api::BlueprintSpec;
use crate::api::team::AITeam;
use crate::api::vocabulary::{Capability, Layer};
use crate::engine::Inputs;
use crate::engine::inputs::{
    BlueprintInputs, CredentialsInputs, NamespaceInputs, ProjectInputs, RegistryInputs, RepositoryInputs,
    StorageClassInputs, TeamInputs, TeamNamespaces, TrustBundleInputs,
};
use crate::engine::work::WorkInputs;

/// The inputs of the instance for these requests.
#[must_use]
pub fn inputs(
    team: &AITeam,
    facts: &Facts<'_>,
    id: &InstanceId,
    wants: &[CapabilityRequest<'_>],
    merged: &Merged,
) -> Inputs {
    let layer = wants.first().map_or(Layer::Shared, |want| want.layer);
    let capabilities: Vec<Capability> = wants.iter().map(|want| want.capability).collect();
    let delivers = capabilities.contains(&Capability::Delivery);
    Inputs {
        capabilities,
        parameters: over_the_sites(facts.blueprint, &id.engine, merged.parameters.clone()),
        storage: merged.storage.clone(),
        credentials: merged.secret.clone().map(|secret| CredentialsInputs { secret }),
        repository: if delivers { repository(team) } else { None },
        ..base(team, facts.blueprint, &id.namespace, layer, None)
    }
}

/// The inputs that every place of the team has.
#[must_use]
pub fn base(team: &AITeam, blueprint: &BlueprintSpec, namespace: &str, layer: Layer, project: Option<&str>) -> Inputs {
    let name = team.metadata.name.clone().unwrap_or_default();
    let spec = &team.spec;
    let namespaces = places(&name, spec).into_iter();
    let found = project.and_then(|project| spec.projects.iter().find(|known| known.name == project));
    Inputs {
        project: found.map(|project| ProjectInputs { name: project.name.clone(), purpose: project.purpose.clone() }),
        namespace: namespace.to_owned(),
        layer,
        capabilities: Vec::new(),
        parameters: serde_json::Value::Object(serde_json::Map::new()),
        storage: None,
        credentials: None,
        blueprint: site(&spec.blueprint, &name, blueprint),
        namespaces: namespaces
            .map(|place| NamespaceInputs { name: place.name, layer: place.layer, project: place.project })
            .collect(),
        repository: None,
        work: WorkInputs::default(),
        team: TeamInputs {
            r#type: spec.type_.name().to_owned(),
            description: spec.description.clone(),
            contact: spec.contact.clone(),
            namespaces: TeamNamespaces {
                backbone: namespace_name(&name, Layer::Backbone, None),
                shared: namespace_name(&name, Layer::Shared, None),
            },
            name,
        },
    }
}

fn repository(team: &AITeam) -> Option<RepositoryInputs> {
    let delivery = team.spec.backbone.as_ref()?.delivery.as_ref()?;
    Some(RepositoryInputs {
        repository: delivery.repository.clone(),
        path: delivery.path.clone(),
        branch: delivery.branch.clone(),
        manages_team: delivery.manages_team,
    })
}

fn site(name: &str, team: &str, blueprint: &BlueprintSpec) -> BlueprintInputs {
    let classes = blueprint.storage_classes.clone().unwrap_or_default();
    let registries = blueprint.registries.clone().unwrap_or_default();
    // Serializing a typed block with string keys has no failing case.
    let ingress = blueprint.ingress.as_ref().and_then(|ingress| serde_json::to_value(ingress).ok());
    BlueprintInputs {
        name: name.to_owned(),
        storage_classes: StorageClassInputs { home: classes.home, shared: classes.shared },
        registries: RegistryInputs {
            mirrors: registries.mirrors,
            team: registries.team.map(|own| own.replace("${team}", team)),
            pull_secrets: registries.pull_secrets,
        },
        ingress: ingress.unwrap_or_default(),
        trust_bundle: blueprint
            .trust_bundle
            .as_ref()
            .map(|bundle| TrustBundleInputs { config_map: bundle.config_map.clone() }),
        cpu_limits: blueprint.budget.as_ref().is_some_and(|rules| rules.cpu_limits),
    }
}
