//! Tells Blueprints and Engines how many teams use them, and whether they can
//! be read. The deletion guard asks for that count.

use kube::api::ApiResource;
use serde_json::{Value, json};

use crate::api::status::{Condition, Finding, READY, STALLED, conditions};
use crate::api::{Blueprint, BlueprintSpec, Engine, EngineSpec, Reason};
use crate::context::Context;
use crate::error::Failure;
use crate::observe;
use crate::queue::Key;
use crate::report::{now, write_status};

/// Has every Blueprint and Engine whose count differs told.
pub fn count(context: &Context) {
    for (name, _) in context.store.blueprints.all() {
        context.queue.add(Key::Blueprint(name));
    }
    for (name, _) in context.store.engines.all() {
        context.queue.add(Key::Engine(name));
    }
}

/// Writes the status of a Blueprint, if it says something new.
pub async fn blueprint(context: &Context, name: &str) -> Result<(), Failure> {
    let Some(object) = context.store.blueprints.get(name) else { return Ok(()) };
    let teams = context.store.teams.all();
    let followers =
        teams.iter().filter(|(_, team)| team["spec"]["blueprint"].as_str().unwrap_or("default") == name).count();
    let parsed = serde_json::from_value::<BlueprintSpec>(object["spec"].clone()).map_err(|error| error.to_string());
    let finding = match parsed {
        Ok(_) => Finding::new(READY, true, Reason::Ready, "the Blueprint can be followed"),
        Err(error) => {
            Finding::new(READY, false, Reason::BlueprintInvalid, format!("the Blueprint cannot be read: {error}"))
        }
    };
    tell(context, &ApiResource::erase::<Blueprint>(&()), "Blueprint", name, &object, followers, finding).await
}

/// Writes the status of an Engine object, if it says something new.
pub async fn engine(context: &Context, name: &str) -> Result<(), Failure> {
    let Some(object) = context.store.engines.get(name) else { return Ok(()) };
    let teams = context.store.teams.all();
    let followers = teams.iter().filter(|(team, object)| uses(context, team, object, name)).count();
    let parsed = serde_json::from_value::<EngineSpec>(object["spec"].clone()).map_err(|error| error.to_string());
    let compiled =
        parsed.and_then(|_| match context.store.catalogue().get(name).map(|entry| entry.compiled.as_ref()) {
            Some(Err(error)) => Err(error.to_string()),
            _ => Ok(()),
        });
    let finding = match compiled {
        Ok(()) => Finding::new(READY, true, Reason::Ready, "the engine can be used"),
        Err(error) => Finding::new(READY, false, Reason::EngineInvalid, error),
    };
    tell(context, &ApiResource::erase::<Engine>(&()), "Engine", name, &object, followers, finding).await
}

/// Whether a team runs on an engine: by its record, or by its status where that
/// cannot be read.
fn uses(context: &Context, team: &str, object: &Value, engine: &str) -> bool {
    match observe::record(team, &context.mirror) {
        Ok(record) => record.is_some_and(|record| record.uses(engine)),
        Err(_) => object["status"]["components"].as_array().into_iter().flatten().any(|one| one["engine"] == engine),
    }
}

async fn tell(
    context: &Context,
    resource: &ApiResource,
    kind: &str,
    name: &str,
    object: &Value,
    users: usize,
    finding: Finding,
) -> Result<(), Failure> {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
    let before: Vec<Condition> = serde_json::from_value(object["status"]["conditions"].clone()).unwrap_or_default();
    let mut findings = vec![finding.clone()];
    if finding.reason != Reason::Ready {
        findings.push(Finding { type_: STALLED, status: crate::api::status::ConditionStatus::True, ..finding });
    }
    let status = json!({
        "observedGeneration": generation,
        "conditions": conditions(&before, &findings, generation, &now()),
        "teams": users,
    });
    if object["status"] == status {
        return Ok(());
    }
    write_status(context, resource, kind, name, object["metadata"]["uid"].as_str(), status).await.map(|_| ())
}
