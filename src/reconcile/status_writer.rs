//! Writes statuses, of teams and of work objects alike: by server-side apply, only if they
//! say something new, and with an Event for what turned.

use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::runtime::events::Event;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::{GROUP, Issue, VERSION, labels};
use crate::cluster::request::request;
use crate::reconcile::context::Context;
use crate::reconcile::target::Target;

/// A status that is to be reported, beside the one that is known.
pub struct StatusWriter<'a, S> {
    /// Of which object.
    pub target: Target<'a>,
    /// What is known of it, or was written last.
    pub before: S,
    /// What turned between two statuses.
    pub turns: fn(&S, &S) -> Vec<Event>,
}

impl<S: Serialize + PartialEq> StatusWriter<'_, S> {
    /// Writes the status, if it says something new, and tells of what turned. `read` says
    /// which version of the object the watch gave last, if the object is there.
    pub async fn write(&self, context: &Context, status: &S, read: impl FnOnce() -> Option<u64>) -> Result<(), Issue> {
        if self.before == *status {
            return Ok(());
        }
        let value = json!(status);
        // If it went meanwhile, there is nobody left to tell.
        let Some(written) = apply(context, &self.target, &value).await? else { return Ok(()) };
        context.statuses.remember(&written, value, read);
        for event in (self.turns)(&self.before, status) {
            context.events.record(self.target.reference(), event);
        }
        Ok(())
    }
}

/// Writes a status by server-side apply: what it no longer says goes. Returns the metadata
/// of the object since, or nothing if it is gone.
pub async fn apply(context: &Context, target: &Target<'_>, status: &Value) -> Result<Option<ObjectMeta>, Issue> {
    let (api, key) = (target.api(context), &target.key);
    let metadata = ObjectMeta {
        name: Some(key.name.clone()),
        namespace: key.namespace.clone(),
        uid: target.metadata.uid.clone(),
        ..ObjectMeta::default()
    };
    let patch = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": key.kind, "metadata": metadata, "status": status,
    });
    let parameters = PatchParams::apply(labels::STATUS_FIELD_MANAGER).force();
    let patch = Patch::Apply(&patch);
    let write = api.patch_status(&key.name, &parameters, &patch);
    match request(&context.metrics.requests, "apply status", &key.kind, write).await {
        Ok(written) => Ok(Some(written.metadata)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.failure(&format!("write the status of {key}"))),
    }
}
