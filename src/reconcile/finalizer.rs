//! The finalizer of a team or a work object: set before the first write for it, and
//! removed after the last deletion.

use kube::api::{ObjectMeta, Patch, PatchParams};
use serde_json::json;

use crate::api::{Issue, labels};
use crate::cluster::request::{RequestError, request};
use crate::reconcile::context::Context;
use crate::reconcile::target::Target;

/// Sets the finalizer, if it is missing, so that no object written later is left behind.
pub async fn add(context: &Context, target: &Target<'_>) -> Result<(), Issue> {
    if is_set(target.metadata) {
        return Ok(());
    }
    let all = target.metadata.finalizers.iter().flatten().map(String::as_str);
    let all = all.chain([labels::FINALIZER]).collect::<Vec<_>>();
    set(context, target, &all).await.map_err(|error| failed(target, &error))
}

/// Removes the finalizer, so that the API server can delete the object.
pub async fn remove(context: &Context, target: &Target<'_>) -> Result<(), Issue> {
    let all = target.metadata.finalizers.iter().flatten().map(String::as_str);
    let rest = all.filter(|known| *known != labels::FINALIZER).collect::<Vec<_>>();
    match set(context, target, &rest).await {
        Err(error) if !error.is_missing() => Err(failed(target, &error)),
        _ => Ok(()),
    }
}

/// Whether the finalizer is set.
#[must_use]
pub fn is_set(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.iter().flatten().any(|known| known == labels::FINALIZER)
}

/// Sets all finalizers, unless the object changed meanwhile.
async fn set(context: &Context, target: &Target<'_>, finalizers: &[&str]) -> Result<(), RequestError> {
    let (api, ObjectMeta { uid, resource_version, .. }) = (target.api(context), target.metadata);
    let patch = json!({"metadata": {"finalizers": finalizers, "uid": uid, "resourceVersion": resource_version}});
    let parameters = PatchParams { field_manager: Some(labels::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(&patch);
    let set = api.patch_metadata(&target.key.name, &parameters, &patch);
    request(&context.metrics.requests, "patch", &target.key.kind, set).await.map(|_| ())
}

fn failed(target: &Target<'_>, error: &RequestError) -> Issue {
    error.failure(&format!("set the finalizer of {}", target.key))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::api::{AITeam, Reason};
    use crate::cluster::fake_api::client;
    use crate::reconcile::status_writer::replace;

    #[tokio::test]
    async fn a_gone_object_gets_no_finalizer_and_waits_for_nothing() {
        let client = client(|_| async { (404, Value::Null) });
        let context = Context::new(client, "test".to_owned(), Arc::default(), Duration::from_secs(200), None);
        let metadata = ObjectMeta { name: Some("a".to_owned()), ..ObjectMeta::default() };
        let target = Target::of::<AITeam>(&metadata);
        let failed = add(&context, &target).await.unwrap_err();
        assert_eq!(
            failed,
            Issue::new(Reason::Progressing, "failed to set the finalizer of AITeam a: answered with 404")
        );
        assert_eq!(remove(&context, &target).await, Ok(()));
        assert_eq!(replace(&context, &target, &Value::Null).await, Ok(None));
    }
}
