//! Removes a deleted team. Its people lose their rights first, whatever else exists or
//! not. Then under `Retain` everything else stays, and under `Delete` its namespaces are
//! deleted, in order.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::Api;
use serde_json::json;

use crate::api::identity::Request;
use crate::api::team::DeletionPolicy;
use crate::api::{AITeam, GROUP, Issue, Layer, ObjectKey, Reason};
use crate::cluster::apply::{Outcome, Revocation};
use crate::cluster::cache::Entry;
use crate::cluster::request::request;
use crate::objects::record::Record;
use crate::plan::Identity;
use crate::reconcile::context::Context;
use crate::reconcile::publish::publish;
use crate::reconcile::report::held;
use crate::reconcile::requeue::{Failure, Pass, RECHECK};
use crate::reconcile::snapshot::TeamSnapshot;
use crate::reconcile::target::Target;
use crate::reconcile::{finalizer, observe, retained, stalled};

/// Removes the team's objects, and then its finalizer.
pub async fn teardown(context: &Context, team: &AITeam) -> Pass {
    if !finalizer::is_set(&team.metadata) {
        return Ok(None);
    }
    // The deletion of a CRD deletes its objects without any admission check. Nobody wants
    // that for this team, so everything stays, whatever its policy.
    let done = kind_is_going(context, "aiteams").await? || take_away(context, team).await?;
    if !done {
        // No watch reports what blocks the deletion of a namespace.
        let namespaces = observe::namespaces(team.name(), &context.cache);
        return Ok(namespaces
            .values()
            .filter(|entry| entry.deleting)
            .map(|entry| stalled::again(context, entry))
            .min());
    }
    finalizer::remove(context, &Target::of::<AITeam>(&team.metadata)).await?;
    context.forget(team.name(), team.metadata.uid.as_deref().unwrap_or_default());
    Ok(None)
}

/// Removes the people of a deleted team and nothing else: its deletion policy is
/// unreadable, so the team stays and says so.
pub async fn take_people_away(context: &Context, team: &AITeam, failure: &Issue) -> Pass {
    if kind_is_going(context, "aiteams").await? || !nobody_is_left(context, team).await? {
        return Ok(None);
    }
    held(context, team, failure).await?;
    Ok(Some(RECHECK))
}

/// Whether the definition of the kind is deleted or being deleted.
pub(crate) async fn kind_is_going(context: &Context, plural: &str) -> Result<bool, Issue> {
    let api: Api<CustomResourceDefinition> = Api::all(context.client.clone());
    let name = format!("{plural}.{GROUP}");
    let read = api.get_metadata_opt(&name);
    let read = request(&context.metrics.requests, "get", "CustomResourceDefinition", read).await;
    let definition =
        read.map_err(|error| error.failure(&format!("read the definition of {plural} before removing anything")))?;
    Ok(definition.is_none_or(|definition| definition.metadata.deletion_timestamp.is_some()))
}

/// Deletes the team. Returns whether the deletion is complete.
async fn take_away(context: &Context, team: &AITeam) -> Result<bool, Failure> {
    let name = team.name();
    if !nobody_is_left(context, team).await? {
        return Ok(false);
    }
    match team.spec.deletion_policy {
        DeletionPolicy::Retain => {
            if let Err(failure) = withdraw(context, team).await {
                held(context, team, &failure).await?;
                return Err(failure.into());
            }
            retained::reconcile(context, name).await?;
            Ok(true)
        }
        DeletionPolicy::Delete => Ok(delete(context, team).await?),
    }
}

/// Removes every binding of the team, in every namespace, and returns whether none is left
/// that names anybody. It needs neither Backbone nor record.
async fn nobody_is_left(context: &Context, team: &AITeam) -> Result<bool, Issue> {
    let name = team.name();
    let mut outcome = Outcome::default();
    context.applier.relabel_namespaces(name, &mut outcome).await;
    let bound =
        || context.cache.bindings(name).into_iter().filter(|(_, entry)| entry.is_ours() && names_anybody(entry));
    // A binding that somebody's finalizer holds stays empty until the finalizer is
    // removed.
    let kept = bound().filter(|(_, entry)| entry.deleting);
    let emptied = kept.map(|(key, entry)| (key, entry, Revocation::Keep(json!([]))));
    context.applier.revoke(emptied.collect(), &mut outcome).await;
    context.applier.remove_bindings(name, &mut outcome).await;
    let namespaces = observe::namespaces(name, &context.cache).into_keys().collect();
    context.applier.remove_foreign_bindings(name, &namespaces, &mut outcome).await;
    let unknown = ["RoleBinding", "ClusterRoleBinding"]
        .into_iter()
        .find_map(|kind| observe::unwatched(context, "rbac.authorization.k8s.io", kind));
    let refused = || outcome.failures().next().map(|(_, failure)| failure.clone());
    // Without our label the fence refuses every deletion in a namespace: this says more
    // than each refusal.
    let failed = outcome.failures().next().and(lost(context, name)).or_else(refused).or(unknown);
    if let Some(failure) = failed {
        held(context, team, &failure).await?;
        return Err(failure);
    }
    // The watch tells of each that is gone, and has the team looked at again.
    Ok(bound().next().is_none())
}

/// Whether it may give rights to anybody.
fn names_anybody(entry: &Entry) -> bool {
    entry.state.binding().map_or(true, |binding| !binding.subjects.is_empty())
}

/// Writes into the record that the team was withdrawn, before that takes effect.
async fn withdraw(context: &Context, team: &AITeam) -> Result<(), Issue> {
    let name = team.name();
    let uid = team.metadata.uid.clone().unwrap_or_default();
    // One that cannot be read is not written over: the team waits for who can.
    let Some(mut record) = observe::record(name, &context.cache)?.or_else(|| from_scratch(context, team)) else {
        return Ok(());
    };
    record.withdrawn = true;
    let mut outcome = Outcome::default();
    let owner = Request::Team(name.to_owned());
    let desired = record.desired(&Identity { name: name.to_owned(), uid });
    context.applier.apply(&owner, &[desired], &[crate::objects::Stage::Guardrail], &mut outcome).await;
    outcome.failures().next().map_or(Ok(()), |(_, failure)| match failure.reason {
        // Without a Backbone the record cannot be kept, so nothing is retained.
        Reason::Terminating | Reason::Progressing | Reason::Conflict => Ok(()),
        _ => Err(failure.clone()),
    })
}

/// A record for a team whose own was lost: only if a namespace is there to keep it.
fn from_scratch(context: &Context, team: &AITeam) -> Option<Record> {
    let namespaces = observe::namespaces(team.name(), &context.cache);
    namespaces.contains_key(&format!("{}--backbone", team.name())).then(|| {
        let site = context.store.blueprints.get(&team.spec.blueprint).and_then(Result::ok);
        let known = site.map(|site| Record::of(team.name(), &team.spec, &site.spec));
        Record {
            uid: team.metadata.uid.clone().unwrap_or_default(),
            namespaces: namespaces.into_iter().map(|(name, entry)| (name, entry.uid)).collect(),
            ..known.unwrap_or_default()
        }
    })
}

/// The order of deletion: services, then workspaces, then shared components.
const ORDER: [Layer; 4] = [Layer::Live, Layer::Workspace, Layer::Shared, Layer::Backbone];

async fn delete(context: &Context, team: &AITeam) -> Result<bool, Issue> {
    let name = team.name();
    let mut outcome = Outcome::default();
    let going = Issue::new(Reason::Deleting, "the team is being deleted with everything in it");
    publish(context, name, TeamSnapshot::held(&going));
    context.applier.remove_outside(name, &mut outcome).await;
    let namespaces = observe::namespaces(name, &context.cache);
    let of = |layer: Layer| -> Vec<(String, &Entry)> {
        let of_layer = namespaces.iter().filter(move |(name, entry)| observe::layer(name, entry) == layer);
        of_layer.map(|(name, entry)| (name.clone(), entry)).collect()
    };
    let next = ORDER.into_iter().map(of).find(|of_layer| !of_layer.is_empty());
    let waiting = match next {
        Some(of_layer) => {
            let mut why = Vec::new();
            for (name, entry) in &of_layer {
                why.extend(stalled::why(context, name, entry).await.map(|why| format!("; {why}")));
            }
            let names: Vec<_> = of_layer.into_iter().map(|(name, _)| name).collect();
            context.applier.remove_namespaces(name, &names, &mut outcome).await;
            format!("waiting for the API server to remove {}{}", names.join(", "), why.join(""))
        }
        None => String::new(),
    };
    if let Some(failure) = lost(context, name) {
        held(context, team, &failure).await?;
        return Err(failure);
    }
    if let Some((_, failure)) = outcome.failures().next() {
        held(context, team, failure).await?;
        return Err(failure.clone());
    }
    if waiting.is_empty() {
        return Ok(true);
    }
    held(context, team, &Issue::new(Reason::Deleting, waiting)).await?;
    Ok(false)
}

/// Why a namespace that is the team's by its recorded UID cannot be removed: it lost our
/// label.
fn lost(context: &Context, team: &str) -> Option<Issue> {
    let record = observe::record(team, &context.cache).ok().flatten()?;
    record.namespaces.iter().find_map(|(namespace, uid)| {
        let entry = context.cache.get(&ObjectKey::new("", "Namespace", None, namespace))?;
        (entry.uid == *uid && !entry.is_ours() && !entry.deleting).then(|| observe::lost_label(team, namespace))
    })
}
