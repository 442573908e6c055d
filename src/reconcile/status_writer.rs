//! Writes the statuses of teams and work objects: by server-side apply, only if they
//! changed, and with an Event for each transition.

use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::runtime::events::Event;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::{GROUP, Issue, VERSION, labels};
use crate::cluster::request::request;
use crate::reconcile::context::Context;
use crate::reconcile::target::Target;

/// A writer of one status, with the known one.
pub struct StatusWriter<'a, S> {
    /// The object.
    pub target: Target<'a>,
    /// The known status, or the one written last.
    pub before: S,
    /// The Events for the transitions between two statuses.
    pub turns: fn(&S, &S) -> Vec<Event>,
}

impl<S: Serialize + PartialEq> StatusWriter<'_, S> {
    /// Writes the status if it changed, and records Events for transitions. `read` returns
    /// the version of the object that the watch gave last, if the object exists.
    pub async fn write(&self, context: &Context, status: &S, read: impl FnOnce() -> Option<u64>) -> Result<(), Issue> {
        if self.before == *status {
            return Ok(());
        }
        let value = json!(status);
        // A deleted object needs no status.
        let Some(written) = apply(context, &self.target, &value).await? else { return Ok(()) };
        context.statuses.remember(&written, value, read);
        for event in (self.turns)(&self.before, status) {
            context.events.record(self.target.reference(), event);
        }
        Ok(())
    }
}

/// Writes a status by server-side apply: fields that it no longer has are removed. Returns
/// the new metadata of the object, or nothing if the object is gone.
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
