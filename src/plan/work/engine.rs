//! The engine of a work object, and its rendered objects.
//!
//! The choice sticks to the object: neither a newly installed engine nor a newer
//! revision takes over running objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Object, WorkFacts, WorkPlan};
use crate::api::vocabulary::Capability;
use crate::api::work::WorkKind;
use crate::api::{BlueprintSpec, Issue, Reason};
use crate::engine::inputs::CredentialsInputs;
use crate::engine::{CompiledEngine, Inputs, plain};
use crate::plan::choice::{CapabilityRequest, Chosen, choose, path};
use crate::plan::instances::{UPGRADE, unreachable};
use crate::plan::parameters::{over_the_sites, refused};
use crate::plan::units::missing_in;
use crate::plan::{Choice, Facts, Instance, Plan, inputs};

/// Chooses the engine and renders its objects.
pub fn fill(plan: &mut WorkPlan, object: &Object, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let runtime = match object {
        Object::ModelService(service) => service.spec.runtime.as_deref(),
        _ => None,
    };
    let chosen = chosen(plan, runtime, facts);
    if let Some(hold) = chosen.hold {
        return Err(hold);
    }
    let Some(engine) = chosen.engine else {
        let message = format!("engine '{}' does not exist", chosen.name);
        return Err(Issue::new(Reason::EngineMissing, message));
    };
    if let Some(runtime) = runtime.filter(|runtime| !has_runtime(&engine, runtime)) {
        return Err(no_runtime(runtime, &engine, facts));
    }
    let of_team = of_team(plan, &engine, facts);
    let inputs = of(plan, &engine, of_team, facts);
    let site = (facts.team.spec.blueprint.as_str(), &*facts.plan.site);
    let asked = of_team.map(|_| path(plan.id.kind.capability()));
    // Nothing is written for a retained object, so its problems block nothing.
    let unwritten = plan.retained && !plan.draft.write;
    let refused = refused(&engine, &inputs.parameters, asked, site);
    let held = refused.or_else(|| unreachable(&engine, path(plan.id.kind.capability()), &facts.plan.api_server));
    if let Some(hold) = held.filter(|_| !unwritten) {
        return Err(hold);
    }
    let rendered = engine.render(&inputs.to_value());
    plan.inputs = Some(inputs);
    plan.engine = Some(Arc::clone(&engine));
    plan.objects = match rendered {
        Ok(objects) => objects,
        Err(_) if unwritten => Vec::new(),
        Err(error) => return Err(Issue::new(Reason::EngineInvalid, error.to_string())),
    };
    let parameters = plan.inputs.as_ref().map(|inputs| inputs.parameters.clone()).unwrap_or_default();
    if let Some(message) =
        missing_in(&plan.objects, &parameters, path(plan.id.kind.capability())).filter(|_| !unwritten)
    {
        return Err(Issue::new(Reason::Invalid, message));
    }
    facts.served.place(&mut plan.objects, &engine.spec().requires);
    outdated(plan, &engine, object)?;
    plan.choice = Some((engine.name().to_owned(), engine.spec().revision.clone()));
    Ok(())
}

/// The engine that was recorded, else the team's for the capability, else by the
/// Blueprint's preference: among the engines with the runtime, if the object names one.
fn chosen(plan: &WorkPlan, runtime: Option<&str>, facts: &WorkFacts<'_>) -> Chosen {
    let capability = plan.id.kind.capability();
    let of_team = facts.plan.instances.iter().find(|instance| instance.capabilities.contains(&capability));
    let choice = |engine: &str| Choice { engine: engine.to_owned(), ..Choice::default() };
    let recorded = plan.choice.as_ref().map(|(engine, _)| choice(engine));
    let recorded = recorded.or_else(|| of_team.map(|instance| choice(&instance.id.engine)));
    let site = with_runtime(capability, runtime, facts);
    let site = site.as_ref().unwrap_or(&facts.plan.site);
    let general = Facts { served: facts.served, ..Facts::offline(site, facts.catalogue) };
    let want = CapabilityRequest {
        capability,
        layer: plan.layer,
        engine: None,
        parameters: None,
        storage: None,
        secret: None,
    };
    choose(&want, recorded.as_ref(), &general)
}

/// The Blueprint without the engines that lack the runtime, if a preferred engine has it.
fn with_runtime(capability: Capability, runtime: Option<&str>, facts: &WorkFacts<'_>) -> Option<BlueprintSpec> {
    let preferred = facts.plan.site.preferred_engines(capability)?;
    let has = |name: &&String| {
        let compiled = facts.catalogue.get(name).and_then(|entry| entry.compiled.as_ref().ok());
        runtime.is_some_and(|runtime| compiled.is_some_and(|engine| has_runtime(engine, runtime)))
    };
    let having: Vec<String> = preferred.iter().filter(has).cloned().collect();
    if having.is_empty() || having.len() == preferred.len() {
        return None;
    }
    let mut site = (*facts.plan.site).clone();
    for entry in site.engines.iter_mut().flat_map(|engines| &mut engines.prefer) {
        if entry.capability == capability {
            entry.engines.clone_from(&having);
        }
    }
    Some(site)
}

fn has_runtime(engine: &CompiledEngine, runtime: &str) -> bool {
    engine.spec().runtimes.iter().any(|known| known == runtime)
}

/// The issue that no engine for it has the runtime, or that its chosen engine lacks it.
fn no_runtime(runtime: &str, engine: &CompiledEngine, facts: &WorkFacts<'_>) -> Issue {
    let compiled =
        |name: &str| facts.catalogue.get(name).and_then(|entry| entry.compiled.as_ref().ok().map(Arc::as_ref));
    let others = candidates(facts.plan, Capability::Serving).into_iter().filter_map(compiled);
    let known: std::collections::BTreeSet<&str> =
        others.chain([engine]).flat_map(|engine| engine.spec().runtimes.iter().map(String::as_str)).collect();
    let elsewhere = if known.contains(runtime) {
        format!("which engine {} does not have", engine.name())
    } else {
        "which no engine for Serving has here".to_owned()
    };
    let known: Vec<&str> = known.into_iter().collect();
    let listed = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Issue::new(
        Reason::Invalid,
        format!(
            "spec.runtime is '{runtime}', {elsewhere}. Runtimes: {listed}. Choose one of these, or ask a platform engineer \
             for an engine that has it"
        ),
    )
}

/// The engines that could come to provide the capability where nothing is
/// recorded: the team's for it, else those that the site prefers, and the plain one.
#[must_use]
pub fn candidates(plan: &Plan, capability: Capability) -> Vec<&str> {
    if let Some(instance) = plan.instances.iter().find(|instance| instance.capabilities.contains(&capability)) {
        return vec![&instance.id.engine];
    }
    let preferred = plan.site.preferred_engines(capability).into_iter().flatten().map(String::as_str);
    preferred.chain(plain(capability)).collect()
}

/// The instance of this engine in the team for the capability.
fn of_team<'a>(plan: &WorkPlan, engine: &CompiledEngine, facts: &'a WorkFacts<'_>) -> Option<&'a Instance> {
    let capability = plan.id.kind.capability();
    let mut instances = facts.plan.instances.iter();
    instances.find(|instance| instance.capabilities.contains(&capability) && instance.id.engine == engine.name())
}

/// The inputs: those of the place, the team's parameters of the engine or else the
/// site's, and the object's.
fn of(plan: &WorkPlan, engine: &CompiledEngine, of_team: Option<&Instance>, facts: &WorkFacts<'_>) -> Inputs {
    let base = inputs::base(facts.team, &facts.plan.site, &plan.id.namespace, plan.layer, plan.project.as_deref());
    // Where the registry needs a login, its engine names the Secret to its consumers.
    let registry = facts.plan.connections.get("MODELS_SECRET").filter(|_| plan.id.kind == WorkKind::ModelService);
    Inputs {
        credentials: registry.map(|secret| CredentialsInputs { secret: secret.clone() }),
        capabilities: vec![plan.id.kind.capability()],
        parameters: of_team.map_or_else(
            || over_the_sites(&facts.plan.site, engine.name(), BTreeMap::new()),
            |instance| instance.inputs.parameters.clone(),
        ),
        work: plan.draft.work.clone(),
        ..base
    }
}

/// What serves is left as it is until moving is asked for. All else moves by
/// itself: a workbench when it starts again, a pipeline with its next run.
fn outdated(plan: &WorkPlan, engine: &CompiledEngine, object: &Object) -> Result<(), Issue> {
    let newest = &engine.spec().revision;
    let Some((name, revision)) = &plan.choice else { return Ok(()) };
    if plan.id.kind != WorkKind::ModelService || name != engine.name() || revision == newest {
        return Ok(());
    }
    let wanted = format!("{name}={newest}");
    let asked = object.metadata().annotations.as_ref().and_then(|annotations| annotations.get(UPGRADE));
    if asked.is_some_and(|asked| asked.split(',').any(|entry| entry.trim() == wanted)) {
        return Ok(());
    }
    let message = format!(
        "{name}: revision {revision} is serving and is not upgraded automatically; revision {newest} is available. To \
         upgrade: `kubectl annotate modelservice {} --namespace {} --overwrite {UPGRADE}={wanted}`",
        plan.id.name, plan.id.namespace
    );
    Err(Issue::new(Reason::UpgradeAvailable, message))
}
