//! The instances of engines: the capabilities and values of each, and the
//! objects that it is made of.
//!
//! An instance that cannot be written for whatever reason is held: what runs of
//! it stays as it is, and the others go on.

use std::sync::Arc;

use super::choice::{CapabilityRequest, Chosen, choose, wants};
use super::merged::Merged;
use super::namespaces::name as namespace_name;
use super::parameters::{refused, unknown};
use super::units::missing_in;
use super::ways::ways;
use super::{ApiServer, Choice, Facts, Instance, InstanceId, Problem, Scope, inputs};
use crate::api::blueprint::EngineRules;
use crate::api::team::AITeam;
use crate::api::vocabulary::Capability;
use crate::api::{Issue, Reason};
use crate::engine::CompiledEngine;

/// On an `AITeam`: moves engines to a newer revision, as
/// `<engine>=<revision>`, several with commas.
pub const UPGRADE: &str = "strata-operator.dev/upgrade";

/// Requests that one instance serves.
struct Group<'a> {
    id: InstanceId,
    wants: Vec<CapabilityRequest<'a>>,
    chosen: Chosen,
}

/// The team's instances, and their problems.
#[must_use]
pub fn instances(team: &AITeam, facts: &Facts<'_>) -> (Vec<Instance>, Vec<Problem>) {
    let mut problems = unknown(&team.spec.blueprint, facts);
    let mut instances = Vec::new();
    for group in groups(team, facts) {
        let scope = Scope::Component(group.id.clone());
        let passed_over = group.chosen.passed_over.iter();
        problems.extend(passed_over.map(|issue| Problem {
            scope: scope.clone(),
            issue: issue.clone(),
            blocking: false,
        }));
        let instance = instance(group, team, facts);
        if let Some(hold) = &instance.hold {
            let blocking = hold.reason != Reason::UpgradeAvailable;
            problems.push(Problem { scope, issue: hold.clone(), blocking });
        }
        instances.push(instance);
    }
    (instances, problems)
}

fn groups<'a>(team: &'a AITeam, facts: &Facts<'_>) -> Vec<Group<'a>> {
    let team_name = team.metadata.name.as_deref().unwrap_or_default();
    let mut groups: Vec<Group<'a>> = Vec::new();
    for want in wants(&team.spec, facts) {
        let namespace = namespace_name(team_name, want.layer, None);
        let chosen = choose(&want, facts.choices.get(&namespace, want.capability), facts);
        // A held request has its own instance, so that it blocks no other.
        let together = chosen.hold.is_none() && chosen.engine.as_ref().is_some_and(|engine| engine.spec().together);
        let capability = (!together).then_some(want.capability);
        let id = InstanceId { namespace, engine: chosen.name.clone(), capability };
        match groups.iter_mut().find(|group| group.id == id) {
            Some(group) => {
                group.wants.push(want);
                group.chosen.passed_over.extend(chosen.passed_over);
            }
            None => groups.push(Group { id, wants: vec![want], chosen }),
        }
    }
    groups
}

fn instance(group: Group<'_>, team: &AITeam, facts: &Facts<'_>) -> Instance {
    let Group { id, wants, chosen } = group;
    let capabilities: Vec<Capability> = wants.iter().map(|want| want.capability).collect();
    let recorded = capabilities.iter().find_map(|capability| facts.choices.get(&id.namespace, *capability)).cloned();
    let merged = Merged::of(&wants);
    let inputs = inputs::inputs(team, facts, &id, &wants, &merged);
    let mut instance = Instance {
        layer: wants.first().map_or(crate::api::Layer::Shared, |want| want.layer),
        project: None,
        capabilities,
        revision: recorded
            .iter()
            .find(|choice| choice.engine == id.engine)
            .map(|choice| choice.revision.clone())
            .unwrap_or_default(),
        engine: chosen.engine,
        inputs: Arc::new(inputs),
        hold: chosen.hold.or_else(|| merged.contradiction.map(|message| Issue::new(Reason::Invalid, message))),
        objects: Vec::new(),
        choice: recorded,
        id,
    };
    if let Some(engine) = instance.engine.clone() {
        fill(&mut instance, &engine, team, &wants, facts);
    }
    instance
}

/// Checks the values, renders the objects, and records what others get.
fn fill(
    instance: &mut Instance,
    engine: &Arc<CompiledEngine>,
    team: &AITeam,
    wants: &[CapabilityRequest<'_>],
    facts: &Facts<'_>,
) {
    let spec = engine.spec();
    let path = wants.first().map_or("spec", CapabilityRequest::path);
    let site = (team.spec.blueprint.as_str(), facts.blueprint);
    let refused = refused(engine, &instance.inputs.parameters, Some(path), site);
    let values = instance.inputs.to_value();
    let rendered = engine
        .render(&values)
        .and_then(|objects| Ok((objects, engine.connections(&values)?, ways(&engine.egress(&values)?, path, site))));
    let failed = refused.or_else(|| {
        let error = rendered.as_ref().err()?;
        Some(Issue::new(Reason::EngineInvalid, format!("{path}: {error}")))
    });
    let failed = failed.or_else(|| {
        let (_, _, ways) = rendered.as_ref().ok()?;
        Some(Issue::new(Reason::Invalid, ways.as_ref().err()?.clone()))
    });
    let failed = failed.or_else(|| {
        let (objects, ..) = rendered.as_ref().ok()?;
        let message = missing_in(objects, &instance.inputs.parameters, path)?;
        Some(Issue::new(Reason::Invalid, message))
    });
    let kept = instance
        .hold
        .take()
        .or(failed)
        .or_else(|| outdated(instance, engine, team, facts))
        .or_else(|| unreachable(engine, path, facts.api_server));
    let Ok((mut objects, connections, ways)) = rendered else {
        instance.hold = kept;
        return;
    };
    facts.served.place(&mut objects, &spec.requires);
    instance.objects = objects;
    instance.hold = kept;
    if instance.hold.is_none() {
        instance.revision.clone_from(&spec.revision);
        instance.choice = Some(Choice {
            engine: engine.name().to_owned(),
            revision: spec.revision.clone(),
            connections,
            ports: spec.ports.iter().map(|port| port.port).collect(),
            pod_security: spec.pod_security,
            needs_api_server: spec.needs_api_server,
            // Refused ones hold the instance.
            ways: ways.unwrap_or_default(),
        });
    }
}

/// Pods that need the API server get a way to its addresses, and to no others:
/// they wait until those are known.
#[must_use]
pub fn unreachable(engine: &CompiledEngine, path: &str, api_server: &[ApiServer]) -> Option<Issue> {
    let message = || {
        format!(
            "{path}: nothing is written, because the pods of {} need the API server and its addresses are not known \
             yet. The operator reads them from the EndpointSlice kubernetes in the namespace default, by the chart's \
             Role strata:api-server",
            engine.name()
        )
    };
    let unknown = engine.spec().needs_api_server && api_server.is_empty();
    unknown.then(|| Issue::new(Reason::Progressing, message()))
}

/// Only the newest revision of an engine is available, so an older one that runs
/// is left as it is until moving is asked for.
fn outdated(instance: &Instance, engine: &CompiledEngine, team: &AITeam, facts: &Facts<'_>) -> Option<Issue> {
    let (choice, newest) = (instance.choice.as_ref()?, &engine.spec().revision);
    if choice.engine != engine.name() || choice.revision == *newest || facts.upgrades {
        return None;
    }
    let asked = team.metadata.annotations.as_ref().and_then(|annotations| annotations.get(UPGRADE));
    let wanted = format!("{}={newest}", engine.name());
    if asked.is_some_and(|asked| asked.split(',').any(|entry| entry.trim() == wanted)) {
        return None;
    }
    let name = team.metadata.name.as_deref().unwrap_or_default();
    let how = match facts.blueprint.engines.as_ref().and_then(EngineRules::teams_at_once) {
        Some(1) => "is upgraded when no other team is being upgraded. To upgrade now".to_owned(),
        Some(most) => format!("is upgraded when fewer than {most} other teams are being upgraded. To upgrade now"),
        None => "is not upgraded automatically. To upgrade".to_owned(),
    };
    let message = format!(
        "{}: revision {newest} is available; revision {} is running and {how}: `kubectl annotate aiteam {name} \
         --overwrite {UPGRADE}={wanted}`",
        engine.name(),
        choice.revision
    );
    Some(Issue::new(Reason::UpgradeAvailable, message))
}

#[cfg(test)]
mod tests;
