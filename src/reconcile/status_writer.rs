//! Writes the statuses of teams and work objects: only if they changed, only to the same object
//! (by its UID) that was read, and with an Event for each transition.

use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::runtime::events::Event;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::{Issue, Reason, labels};
use crate::cluster::request::request;
use crate::reconcile::context::Context;
use crate::reconcile::target::Target;

/// The writer of the status of one object.
pub struct StatusWriter<'a, S> {
    /// The object.
    pub target: Target<'a>,
    /// The last known status.
    pub before: S,
    /// The Events for the transitions between two statuses.
    pub turns: fn(&S, &S) -> Vec<Event>,
}

impl<S: Serialize + PartialEq> StatusWriter<'_, S> {
    /// Writes the status if it changed, and records Events for transitions. `read` returns
    /// the last version of the object from the watch, if the object exists.
    pub async fn write(&self, context: &Context, status: &S, read: impl FnOnce() -> Option<u64>) -> Result<(), Issue> {
        if self.before == *status {
            return Ok(());
        }
        let value = json!(status);
        // A deleted object needs no status.
        let Some(written) = replace(context, &self.target, &value).await? else { return Ok(()) };
        context.statuses.remember(&written, value, read);
        for event in (self.turns)(&self.before, status) {
            context.events.record(self.target.reference(), event);
        }
        Ok(())
    }
}

/// Replaces a status. Returns the new metadata of the object, or none if the object was deleted
/// or another one has its name. The API server compares the UID in the same request, because the
/// watch may not have reported a new object yet. An applied status cannot do that, because the
/// API server ignores its metadata.
pub async fn replace(context: &Context, target: &Target<'_>, status: &Value) -> Result<Option<ObjectMeta>, Issue> {
    let (api, key) = (target.api(context), &target.key);
    let patch = serde_json::from_value(operations(target.metadata, status))
        .map_err(|error| Issue::new(Reason::Invalid, format!("failed to write the status of {key}: {error}")))?;
    let manager = Some(labels::STATUS_FIELD_MANAGER.to_owned());
    let parameters = PatchParams { field_manager: manager, ..PatchParams::default() };
    let patch = Patch::<()>::Json(patch);
    let write = api.patch_status(&key.name, &parameters, &patch);
    match request(&context.metrics.requests, "patch status", &key.kind, write).await {
        Ok(written) => Ok(Some(written.metadata)),
        Err(error) if error.is_missing() || error.is_another() => Ok(None),
        Err(error) => Err(error.failure(&format!("write the status of {key}"))),
    }
}

/// The JSON patch that sets the whole status, only if the object has this UID.
fn operations(metadata: &ObjectMeta, status: &Value) -> Value {
    let is_it = metadata.uid.iter().map(|uid| json!({"op": "test", "path": "/metadata/uid", "value": uid}));
    is_it.chain([json!({"op": "add", "path": "/status", "value": status})]).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::api::AITeam;
    use crate::cluster::fake_api::client;

    #[tokio::test]
    async fn a_status_is_for_the_very_object_that_was_read() {
        let client = client(|asked| async move {
            let known = |uid: &str| asked.body[0] == json!({"op": "test", "path": "/metadata/uid", "value": uid});
            assert_eq!((asked.method.as_str(), asked.body[1]["path"].as_str()), ("PATCH", Some("/status")));
            let object =
                json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam", "metadata": {"name": "a"}});
            if known("now") { (200, object) } else { (422, Value::Null) }
        });
        let context = Context::new(client, "test".to_owned(), Arc::default(), Duration::from_secs(200), None);
        let of =
            |uid: &str| ObjectMeta { name: Some("a".to_owned()), uid: Some(uid.to_owned()), ..ObjectMeta::default() };
        for (uid, is_written) in [("now", true), ("before", false)] {
            let metadata = of(uid);
            let written = replace(&context, &Target::of::<AITeam>(&metadata), &json!({"teams": 1})).await;
            assert_eq!(written.map(|written| written.is_some()), Ok(is_written), "{uid}");
        }
    }
}
