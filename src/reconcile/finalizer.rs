//! The finalizer of a team: set before anything is written for it, taken off
//! once nothing is left to take away.

use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::api::{AITeam, labels};
use crate::cluster::error::Failure;
use crate::cluster::request::request;
use crate::reconcile::context::Context;

/// Sets the finalizer, if it is missing: objects written after it cannot be
/// left behind.
pub async fn add(context: &Context, team: &AITeam) -> Result<(), Failure> {
    let mut finalizers = team.metadata.finalizers.clone().unwrap_or_default();
    if is_set(team) {
        return Ok(());
    }
    finalizers.push(labels::FINALIZER.to_owned());
    set(context, team, &finalizers).await
}

/// Takes the finalizer off: the API server may let the team go.
pub async fn remove(context: &Context, team: &AITeam) -> Result<(), Failure> {
    let finalizers = team.metadata.finalizers.clone().unwrap_or_default();
    let rest: Vec<_> = finalizers.into_iter().filter(|known| known != labels::FINALIZER).collect();
    set(context, team, &rest).await
}

/// Whether the finalizer is set.
#[must_use]
pub fn is_set(team: &AITeam) -> bool {
    team.metadata.finalizers.iter().flatten().any(|known| known == labels::FINALIZER)
}

/// Sets all finalizers, unless the team changed meanwhile.
async fn set(context: &Context, team: &AITeam, finalizers: &[String]) -> Result<(), Failure> {
    let api: Api<AITeam> = Api::all(context.client.clone());
    let patch = json!({"metadata": {
        "finalizers": finalizers, "uid": team.metadata.uid, "resourceVersion": team.metadata.resource_version,
    }});
    let parameters = PatchParams { field_manager: Some(labels::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(&patch);
    let set = api.patch_metadata(team.name(), &parameters, &patch);
    let set = request(&context.metrics.requests, "patch", "AITeam", set).await;
    set.map(|_| ()).map_err(|error| error.failure(&format!("set the finalizer of AITeam {}", team.name())))
}
