//! Which engine provides a capability: the one named, else the one chosen
//! before, else the first of the Blueprint's preference whose kinds are served,
//! else the plain one.
//!
//! Nothing falls back from an engine that is named or running to another: if
//! that one is missing, broken or cannot run here, the component is held as it
//! is. Only a first choice by preference skips unusable engines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::{Choice, Facts};
use crate::api::quantity::Quantity;
use crate::api::vocabulary::{Capability, Layer};
use crate::api::{AITeamSpec, Issue, Reason};
use crate::engine::{CompiledEngine, plain};

/// A capability that the team asks for, and how.
#[derive(Clone, Debug)]
pub struct CapabilityRequest<'a> {
    /// The capability.
    pub capability: Capability,
    /// The layer of the request.
    pub layer: Layer,
    /// The engine, if the team names one.
    pub engine: Option<&'a str>,
    /// The engine's parameters.
    pub parameters: Option<&'a BTreeMap<String, Value>>,
    /// The size of its volume.
    pub storage: Option<&'a Quantity>,
    /// The Secret with its credentials.
    pub secret: Option<&'a str>,
}

impl CapabilityRequest<'_> {
    /// Where the spec asks for it.
    #[must_use]
    pub fn path(&self) -> &'static str {
        path(self.capability)
    }
}

/// Where a spec asks for the capability.
#[must_use]
pub const fn path(capability: Capability) -> &'static str {
    match capability {
        Capability::Delivery => "spec.backbone.delivery",
        Capability::Secrets => "spec.backbone.secrets",
        Capability::Queue => "spec.backbone.queue",
        Capability::Metrics => "spec.backbone.metrics",
        Capability::Experiments => "spec.shared.experiments",
        Capability::Models => "spec.shared.models",
        Capability::FeatureStore => "spec.shared.featureStore",
        Capability::Pipelines => "spec.shared.pipelines",
        Capability::Data => "spec.shared.datasets",
        Capability::Training => "spec.shared.training",
        Capability::Notebook => "workbenches",
        Capability::Serving => "modelservices",
    }
}

/// Everything that the team asks for, layer by layer. A budget asks
/// for a Queue where the Blueprint prefers an engine for it.
#[must_use]
pub fn wants<'a>(spec: &'a AITeamSpec, facts: &Facts<'_>) -> Vec<CapabilityRequest<'a>> {
    let mut wants = Vec::new();
    let bare = |capability, layer| CapabilityRequest {
        capability,
        layer,
        engine: None,
        parameters: None,
        storage: None,
        secret: None,
    };
    let delivery = spec.backbone.as_ref().and_then(|backbone| backbone.delivery.as_ref());
    if let Some(delivery) = delivery.filter(|delivery| delivery.enabled.unwrap_or(true)) {
        wants.push(CapabilityRequest {
            engine: delivery.engine.as_deref(),
            parameters: Some(&delivery.parameters),
            ..bare(Capability::Delivery, Layer::Backbone)
        });
    }
    let mut blocks = Vec::new();
    if let Some(backbone) = &spec.backbone {
        let own = [
            (Capability::Secrets, &backbone.secrets),
            (Capability::Queue, &backbone.queue),
            (Capability::Metrics, &backbone.metrics),
        ];
        blocks.extend(
            own.into_iter().filter_map(|(capability, block)| Some((capability, Layer::Backbone, block.as_ref()?))),
        );
    }
    let queue_preferred = facts.blueprint.preferred_engines(Capability::Queue).is_some();
    if queue_preferred && !blocks.iter().any(|(capability, ..)| *capability == Capability::Queue) {
        wants.push(bare(Capability::Queue, Layer::Backbone));
    }
    if let Some(shared) = &spec.shared {
        blocks.extend(shared.blocks().into_iter().map(|(capability, block)| (capability, Layer::Shared, block)));
    }
    wants.extend(blocks.into_iter().filter(|(.., block)| block.wanted()).map(|(capability, layer, block)| {
        CapabilityRequest {
            engine: block.engine.as_deref(),
            parameters: Some(&block.parameters),
            storage: block.storage.as_ref(),
            secret: block.credentials.as_ref().map(|credentials| credentials.secret.as_str()),
            ..bare(capability, layer)
        }
    }));
    wants.sort_by_key(|want| want.capability);
    wants
}

/// Every engine that the plan of a team may use: those it names or chose,
/// those that could be chosen for it, and those that the Blueprint has parameters for.
#[must_use]
pub fn looked_at(spec: &AITeamSpec, facts: &Facts<'_>) -> BTreeSet<String> {
    let chosen = facts.choices.0.values().flat_map(BTreeMap::values).map(|choice| choice.engine.as_str());
    let site = facts.blueprint;
    let wants = wants(spec, facts);
    let for_want = |want: &CapabilityRequest<'_>| -> Vec<&str> {
        let preferred = site.preferred_engines(want.capability).into_iter().flatten().map(String::as_str);
        want.engine.map_or_else(|| preferred.chain(plain(want.capability)).collect(), |_| Vec::new())
    };
    let could: Vec<&str> = wants.iter().flat_map(for_want).collect();
    let named = wants.iter().filter_map(|want| want.engine);
    let all =
        named.chain(could).chain(chosen).chain(site.engine_parameters().iter().map(|entry| entry.engine.as_str()));
    all.map(str::to_owned).collect()
}

/// The engine for a request, by name, and whether it can be used.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The engine's name.
    pub name: String,
    /// The engine, if it exists and is valid.
    pub engine: Option<Arc<CompiledEngine>>,
    /// Present: the component is held.
    pub hold: Option<Issue>,
    /// Broken or missing engines that the preference skipped.
    pub passed_over: Vec<Issue>,
}

/// Chooses the engine for a request.
#[must_use]
pub fn choose(want: &CapabilityRequest<'_>, recorded: Option<&Choice>, facts: &Facts<'_>) -> Chosen {
    let path = want.path();
    if let Some(name) = want.engine {
        return examined(name, &format!("{path}.engine is '{name}'"), want.capability, facts);
    }
    if let Some(choice) = recorded {
        let name = &choice.engine;
        return examined(name, &format!("{path} uses engine '{name}'"), want.capability, facts);
    }
    let mut passed_over = Vec::new();
    let preferred = facts.blueprint.preferred_engines(want.capability).into_iter().flatten();
    for name in preferred {
        let why = format!("the Blueprint prefers engine '{name}' for {}", want.capability);
        let chosen = examined(name, &why, want.capability, facts);
        match chosen.hold {
            None => return Chosen { passed_over, ..chosen },
            // Not served: the next one of the preference is tried.
            Some(hold) if hold.reason == Reason::Unavailable => {}
            Some(hold) => passed_over.push(hold),
        }
    }
    let Some(name) = plain(want.capability) else {
        let message =
            format!("{path}: {} has no default engine. Set `engine` to one that provides it", want.capability);
        let hold = Some(Issue::new(Reason::EngineMissing, message));
        return Chosen { name: want.capability.kebab().to_owned(), engine: None, hold, passed_over };
    };
    let chosen = examined(name, &format!("{path} uses the default engine '{name}'"), want.capability, facts);
    Chosen { passed_over, ..chosen }
}

/// The engine of this name, and why it cannot be used, if it cannot.
fn examined(name: &str, why: &str, capability: Capability, facts: &Facts<'_>) -> Chosen {
    let chosen = |engine, hold: Option<Issue>| Chosen {
        name: name.to_owned(),
        engine,
        hold: hold.map(|hold| hold.of(why)),
        passed_over: Vec::new(),
    };
    let Some(entry) = facts.catalogue.get(name) else {
        return chosen(None, Some(Issue::new(Reason::EngineMissing, "no engine has this name")));
    };
    let engine = match &entry.compiled {
        Ok(engine) => Arc::clone(engine),
        Err(error) => return chosen(None, Some(Issue::new(Reason::EngineInvalid, error.to_string()))),
    };
    let hold = unusable(&engine, capability, facts);
    chosen(Some(engine), hold)
}

fn unusable(engine: &CompiledEngine, capability: Capability, facts: &Facts<'_>) -> Option<Issue> {
    let spec = engine.spec();
    if !engine.provides(capability) {
        let provided: Vec<&str> = spec.capabilities.iter().map(|capability| capability.name()).collect();
        return Some(Issue::new(
            Reason::Invalid,
            format!("the engine provides {}, not {capability}", provided.join(", ")),
        ));
    }
    if spec.runs_with_own_rights && !facts.blueprint.accepts_privileged(engine.name()) {
        let message = "the engine runs with rights of its own, which the Blueprint does not accept. Add the engine to \
                       spec.engines.acceptPrivileged of the Blueprint, or choose another";
        return Some(Issue::new(Reason::Refused, message));
    }
    let missing = spec.requires.iter().find(|required| !facts.served.serves(required))?;
    let versions = missing.versions.join(" or ");
    let message = format!("this cluster does not serve {}.{} in {versions}", missing.kind, missing.group);
    Some(Issue::new(Reason::Unavailable, message))
}
