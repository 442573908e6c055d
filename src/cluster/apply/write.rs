//! Writes one object: creates, replaces or applies it.
//!
//! It reads an object before it reports a conflict, and never changes an object that is
//! not ours.

use std::sync::Arc;

use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::api::identity::{Request, named_in};
use crate::api::kinds::WriteStrategy;
use crate::api::{Issue, ObjectKey, Reason, labels};
use crate::cluster::cache::fingerprint::{other_writer, written_by_us};
use crate::cluster::cache::state::CachedState;
use crate::cluster::cache::{Entry, ObjectCache};
use crate::cluster::error::of_request;
use crate::cluster::watch::{Watched, value};
use crate::telemetry::requests::Requests;

type Object = kube::api::DynamicObject;

/// The status code for an invalid object.
pub(super) const INVALID: u16 = 422;
/// The status code for an object that changed since it was read.
pub(super) const CONFLICT: u16 = 409;

/// Writes single objects.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    requests: Requests,
    deadline: std::time::Duration,
    cache: Option<Arc<ObjectCache>>,
}

impl Writer {
    /// A writer with this client; every request is counted, and ends after the deadline.
    #[must_use]
    pub fn new(client: Client, requests: Requests, deadline: std::time::Duration) -> Self {
        Self { client, requests, deadline, cache: None }
    }

    /// The writer, knowing objects that were ours until somebody took their labels.
    #[must_use]
    pub fn knowing(self, cache: Arc<ObjectCache>) -> Self {
        Self { cache: Some(cache), ..self }
    }

    pub(super) fn is_ours(&self, live: &Value, key: &ObjectKey, intent: &Value) -> bool {
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
        let was_ours = || self.cache.as_ref().is_some_and(|cache| cache.was_ours(key, uid));
        is_ours(live, key, intent) || live["metadata"]["labels"][labels::TEAM].is_null() && was_ours()
    }

    fn api(&self, kind: &Watched, key: &ObjectKey) -> Api<Object> {
        match &key.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &kind.resource),
            None => Api::all_with(self.client.clone(), &kind.resource),
        }
    }

    async fn request<T>(
        &self,
        verb: &'static str,
        key: &ObjectKey,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Failed> {
        let action = format!("{verb} {key}");
        let answer = tokio::time::timeout(self.deadline, request).await;
        let result = match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Failed::new(&error, &action)),
            Err(_) => Err(Failed {
                failure: Issue::new(
                    Reason::ApiError,
                    format!("failed to {action}: no answer within {} s", self.deadline.as_secs()),
                ),
                code: 0,
            }),
        };
        self.requests.count(verb, &key.kind, result.is_ok());
        result
    }

    /// The object as it is, if it is there.
    pub async fn get(&self, kind: &Watched, key: &ObjectKey) -> Result<Option<Value>, Issue> {
        let api = self.api(kind, key);
        Ok(self.request("get", key, api.get_opt(&key.name)).await?.map(|object| value(&object)))
    }

    /// Creates an object that is owned whole.
    pub async fn create(&self, kind: &Watched, key: &ObjectKey, intent: &Value) -> Result<Value, Issue> {
        match self.post(kind, key, &object(intent)?).await {
            Ok(created) => Ok(created),
            Err(failed) if failed.code == CONFLICT => match self.get(kind, key).await? {
                Some(live) if self.is_ours(&live, key, intent) => self.replace_live(kind, key, intent, live).await,
                Some(live) => Err(conflict(key, &live)),
                None => Err(failed.failure),
            },
            Err(failed) => Err(failed.failure),
        }
    }

    /// Replaces an object that is owned whole, and keeps foreign labels and annotations.
    pub async fn replace(&self, kind: &Watched, key: &ObjectKey, intent: &Value) -> Result<Value, Issue> {
        match self.get(kind, key).await? {
            Some(live) => self.replace_live(kind, key, intent, live).await,
            None => self.create_missing(kind, key, intent).await,
        }
    }

    async fn create_missing(&self, kind: &Watched, key: &ObjectKey, intent: &Value) -> Result<Value, Issue> {
        Ok(self.post(kind, key, &object(intent)?).await?)
    }

    async fn post(&self, kind: &Watched, key: &ObjectKey, object: &Object) -> Result<Value, Failed> {
        let api = self.api(kind, key);
        Ok(value(&self.request("create", key, api.create(&as_us(), object)).await?))
    }

    /// Writes an object whole, in the version that it names.
    pub(super) async fn put(&self, kind: &Watched, key: &ObjectKey, whole: &Value) -> Result<Value, Failed> {
        let (api, whole) = (self.api(kind, key), object(whole).map_err(|failure| Failed { failure, code: 0 })?);
        Ok(value(&self.request("update", key, api.replace(&key.name, &as_us(), &whole)).await?))
    }

    async fn replace_live(&self, kind: &Watched, key: &ObjectKey, intent: &Value, live: Value) -> Result<Value, Issue> {
        if live["roleRef"] != intent["roleRef"] || is_locked(&live, intent) {
            // A roleRef and immutable objects cannot change, so the object is deleted and
            // created again.
            self.delete(kind, key, live["metadata"]["uid"].as_str().unwrap_or_default(), None).await?;
            return self.create_missing(kind, key, intent).await;
        }
        let merged = with_foreign_metadata(intent, &live);
        Ok(self.put(kind, key, &merged).await?)
    }

    /// Leaves only these subjects in a binding.
    pub async fn narrow(&self, kind: &Watched, key: &ObjectKey, subjects: &Value) -> Result<Option<Value>, Issue> {
        let Some(mut live) = self.get(kind, key).await? else { return Ok(None) };
        live["subjects"] = subjects.clone();
        Ok(Some(self.put(kind, key, &live).await?))
    }

    /// Restores the label of a namespace that names its team.
    pub async fn label(&self, kind: &Watched, key: &ObjectKey, uid: &str, team: &str) -> Result<Option<Value>, Issue> {
        let live = self.get(kind, key).await?.filter(|live| live["metadata"]["uid"] == uid);
        let Some(mut live) = live else { return Ok(None) };
        live["metadata"]["labels"][labels::TEAM] = team.into();
        Ok(Some(self.put(kind, key, &live).await?))
    }

    /// Applies an object that is known by this UID: only the fields of the intent become
    /// ours. Another object that took its name is left alone.
    pub(super) async fn apply_once(
        &self,
        kind: &Watched,
        key: &ObjectKey,
        intent: &Value,
        uid: &str,
    ) -> Result<Value, Failed> {
        let mut exact = intent.clone();
        exact["metadata"]["uid"] = uid.into();
        match self.patch(kind, key, &exact, true).await {
            Err(failed) if failed.code == CONFLICT => {
                match self.get(kind, key).await.map_err(|failure| Failed { failure, code: 0 })? {
                    Some(live) if !self.is_ours(&live, key, intent) => {
                        Err(Failed { failure: conflict(key, &live), code: CONFLICT })
                    }
                    // The watch tells how it is by now.
                    _ => Err(failed),
                }
            }
            answer => answer,
        }
    }

    /// Applies an unknown object. Unless its name is reserved for us, it first reads
    /// whether another owner has it. It takes no field from others: an object that was
    /// created in the same moment stays its creator's.
    pub async fn apply_new(
        &self,
        kind: &Watched,
        key: &ObjectKey,
        intent: &Value,
        nobody_elses: bool,
    ) -> Result<Value, Issue> {
        if !nobody_elses && let Some(live) = self.get(kind, key).await? {
            return self.apply_live(kind, key, intent, &live).await;
        }
        match self.patch(kind, key, intent, false).await {
            Ok(live) if other_writer(&live).is_some() && !has_reserved_name(key) => {
                self.give_back(kind, key, &live).await?;
                Err(conflict(key, &Value::Null))
            }
            Err(failed) if failed.code == CONFLICT => match self.get(kind, key).await? {
                Some(live) => self.apply_live(kind, key, intent, &live).await,
                None => Err(failed.failure),
            },
            answer => Ok(answer?),
        }
    }

    async fn apply_live(&self, kind: &Watched, key: &ObjectKey, intent: &Value, live: &Value) -> Result<Value, Issue> {
        if !self.is_ours(live, key, intent) {
            return Err(conflict(key, live));
        }
        self.apply(kind, key, intent, live["metadata"]["uid"].as_str().unwrap_or_default()).await
    }

    /// Removes our fields from an object that another writer created in the same moment.
    async fn give_back(&self, kind: &Watched, key: &ObjectKey, live: &Value) -> Result<(), Issue> {
        let nothing = json!({
            "apiVersion": live["apiVersion"], "kind": live["kind"],
            "metadata": {"name": live["metadata"]["name"], "uid": live["metadata"]["uid"]},
        });
        Ok(self.patch(kind, key, &nothing, true).await.map(drop)?)
    }

    async fn patch(&self, kind: &Watched, key: &ObjectKey, intent: &Value, force: bool) -> Result<Value, Failed> {
        let api = self.api(kind, key);
        let parameters = PatchParams { force, ..PatchParams::apply(labels::FIELD_MANAGER) };
        Ok(value(&self.request("apply", key, api.patch(&key.name, &parameters, &Patch::Apply(intent))).await?))
    }

    /// Sets one field of the spec, under a field manager of its own, so that an apply of
    /// the other fields neither owns nor drops it.
    pub async fn set(&self, kind: &Watched, key: &ObjectKey, field: &str, wanted: &Value) -> Result<Value, Issue> {
        let api = self.api(kind, key);
        let manager = Some(labels::SCALE_FIELD_MANAGER.to_owned());
        let parameters = PatchParams { field_manager: manager, ..PatchParams::default() };
        let patch = json!({"spec": {field: wanted}});
        Ok(value(&self.request("patch", key, api.patch(&key.name, &parameters, &Patch::Merge(&patch))).await?))
    }

    /// Deletes exactly the object with this UID, in this version if it is given.
    pub async fn delete(&self, kind: &Watched, key: &ObjectKey, uid: &str, version: Option<u64>) -> Result<(), Issue> {
        let api = self.api(kind, key);
        let preconditions =
            Preconditions { uid: Some(uid.to_owned()), resource_version: version.map(|version| version.to_string()) };
        // Only the end of the StatefulSet proves that a pod made a moment ago is gone too.
        let with_pods =
            if key.built_in() == "StatefulSet" { DeleteParams::foreground() } else { DeleteParams::background() };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..with_pods };
        match self.request("delete", key, api.delete(&key.name, &parameters)).await {
            Ok(_) => Ok(()),
            Err(failed) if failed.code == 404 => Ok(()),
            Err(failed) => Err(failed.failure),
        }
    }
}

/// A failure with the status code of the answer.
pub(super) struct Failed {
    pub(super) failure: Issue,
    pub(super) code: u16,
}

impl Failed {
    fn new(error: &kube::Error, action: &str) -> Self {
        let code = if let kube::Error::Api(status) = error { status.code } else { 0 };
        Self { failure: of_request(error, action), code }
    }
}

impl From<Failed> for Issue {
    fn from(failed: Failed) -> Self {
        failed.failure
    }
}

/// Writes under our own field manager.
fn as_us() -> PostParams {
    PostParams { field_manager: Some(labels::FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn object(intent: &Value) -> Result<Object, Issue> {
    serde_json::from_value(intent.clone())
        .map_err(|error| Issue::new(Reason::Invalid, format!("failed to read an object as one of Kubernetes: {error}")))
}

/// Whether the content of an object differs from the intent and can never match it.
fn is_locked(live: &Value, intent: &Value) -> bool {
    live["immutable"] == true && ["data", "binaryData", "immutable"].iter().any(|part| live[*part] != intent[*part])
}

/// Whether the object is ours: by our label; because its name is reserved in a namespace
/// of ours; or because we wrote it and the label was removed. The caller has made sure
/// that the namespace is ours.
fn is_ours(live: &Value, key: &ObjectKey, intent: &Value) -> bool {
    let team = &intent["metadata"]["labels"][labels::TEAM];
    let label = &live["metadata"]["labels"][labels::TEAM];
    let labelled = label == team && team.is_string();
    labelled || has_reserved_name(key) || label.is_null() && (written_by_us(live) || has_word_of_ours(live, intent))
}

/// Whether a label of ours that the intent has is left on the object: only we may write
/// these labels.
fn has_word_of_ours(live: &Value, intent: &Value) -> bool {
    let mut ours = intent["metadata"]["labels"].as_object().into_iter().flatten();
    ours.any(|(name, value)| name.starts_with(labels::PREFIX) && live["metadata"]["labels"][name] == *value)
}

/// Whether the name belongs to Strata wherever a team's objects are.
#[must_use]
pub fn has_reserved_name(key: &ObjectKey) -> bool {
    match key.namespace {
        Some(_) => labels::is_reserved(&key.name) || (key.built_in() == "ServiceAccount" && key.name == "default"),
        None => key.name.starts_with("strata:team:"),
    }
}

/// Whether a known object is ours to write. An object that lost the label of its member's
/// object counts as the team's: as an engine's, or by its name.
#[must_use]
pub fn entry_is_ours(entry: &Entry, key: &ObjectKey, owner: &Request) -> bool {
    let lost = match (owner, &entry.work) {
        (Request::Work(id), Request::Team(_)) => entry.engine.is_some() || named_in(key).contains(id),
        _ => false,
    };
    (entry.is_ours() && (entry.work == *owner || lost)) || has_reserved_name(key)
}

pub(super) fn conflict(key: &ObjectKey, live: &Value) -> Issue {
    let owner = live["metadata"]["labels"][labels::TEAM].as_str();
    let whose = owner.map_or_else(|| "has no label of Strata".to_owned(), |team| format!("belongs to team {team}"));
    // Of one whose labels somebody took off, with all that shows who wrote it.
    let team = key.namespace.as_deref().and_then(crate::api::identity::team_of).filter(|_| owner.is_none());
    let lost = team.map_or_else(String::new, |team| {
        format!(
            ". If Strata made it and it lost its labels, an administrator (who may override guardrails) puts {}: \
             {team} back",
            labels::TEAM
        )
    });
    Issue::new(
        Reason::Conflict,
        format!("{key} already exists and {whose}, so it is not changed. Remove it, or choose another name{lost}"),
    )
}

/// Whether its annotations say that it is to be taken over.
fn asks_for_adoption(entry: &Entry) -> bool {
    let annotations = match entry.state.read() {
        Ok(Some(CachedState::Namespace(state))) => state.annotations,
        Ok(Some(CachedState::Binding(state))) => state.annotations,
        _ => return false,
    };
    annotations.contains_key(labels::ADOPT)
}

/// The failure for a known object that is not ours.
#[must_use]
pub fn known_conflict(key: &ObjectKey, entry: &Entry) -> Issue {
    if asks_for_adoption(entry) {
        let message = format!("{key} asks to be adopted, but adoption is not built yet, so it is not changed");
        return Issue::new(Reason::NotImplemented, message);
    }
    if entry.is_ours() {
        let message = format!(
            "{key} belongs to the team, but its labels do not show that it was written for this object, so it is not \
             changed. Delete it to have it written again, or choose another name"
        );
        return Issue::new(Reason::Conflict, message);
    }
    conflict(key, &Value::Null)
}

/// The intent with what others put into the object's metadata.
fn with_foreign_metadata(intent: &Value, live: &Value) -> Value {
    let mut merged = intent.clone();
    for part in ["labels", "annotations"] {
        let foreign = live["metadata"][part].as_object().into_iter().flatten();
        for (name, value) in foreign.filter(|(name, _)| !name.starts_with("strata-operator.dev/")) {
            if merged["metadata"][part][name].is_null() {
                merged["metadata"][part][name] = value.clone();
            }
        }
    }
    merged["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    merged["metadata"]["uid"] = live["metadata"]["uid"].clone();
    for part in ["ownerReferences", "finalizers"] {
        if live["metadata"][part].is_array() {
            merged["metadata"][part] = json!(live["metadata"][part]);
        }
    }
    merged
}

/// Whether a kind is owned whole.
#[must_use]
pub const fn is_whole(write_strategy: WriteStrategy) -> bool {
    matches!(write_strategy, WriteStrategy::Replace(_))
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
