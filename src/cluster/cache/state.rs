//! The cached state of an object, in types: only the fields that judging needs.
//!
//! The state is read seldom, and kept for as long as the object exists: as text it takes a
//! fifth of the memory of a value. [`StoredState::read`] is the one place that reads this
//! text. Pure.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::rbac::v1::Subject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::error;

use super::text::Text;
use crate::api::engine::PodSecurity;
use crate::api::quantity::Amount;
use crate::api::{Issue, Layer, Reason, labels};
use crate::plan::work::pod_state::Pod;

/// The state of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CachedState {
    /// Of a namespace.
    Namespace(NamespaceState),
    /// Of a quota.
    Quota(QuotaState),
    /// Of a binding.
    Binding(BindingState),
    /// The data of a team's record.
    Record(BTreeMap<String, String>),
    /// Of a pod of a work object.
    WorkPod(Pod),
    /// Of another pod that does not run as it should.
    Pod(PodTrouble),
    /// Of an object of an engine.
    Workload(Workload),
}

/// The state of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NamespaceState {
    /// The causes of its unfinished deletion, in the words of Kubernetes.
    pub remaining: Vec<String>,
    /// The start of its deletion.
    pub deleted: Option<Time>,
    /// Its finalizers while it is being deleted, without Kubernetes' own.
    pub finalizers: Vec<String>,
    /// Its annotations of our group.
    pub annotations: BTreeMap<String, String>,
    /// The layer of its label.
    pub layer: Option<Layer>,
    /// The project of its label.
    pub project: Option<String>,
    /// Whether its team label differs from the team in its name.
    pub strayed: bool,
    /// The level of the Pod Security Standards in its label.
    pub pod_security: Option<PodSecurity>,
}

impl NamespaceState {
    /// Whether it was left behind by a team or a project that was taken away.
    #[must_use]
    pub fn is_retained(&self) -> bool {
        self.annotations.get(labels::RETAINED).is_some_and(|value| value == "true")
    }
}

/// The state of a quota, by resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QuotaState {
    /// The granted amounts.
    pub hard: BTreeMap<String, String>,
    /// The amounts in use.
    pub used: BTreeMap<String, String>,
}

impl QuotaState {
    /// The used part of a resource in reported steps: 0, 50, 80, 100, or 101 for more than is
    /// granted.
    #[must_use]
    pub fn mark(&self, resource: &str) -> u8 {
        let thousandths = |amounts: &BTreeMap<String, String>| {
            let amount = amounts.get(resource).and_then(|text| Amount::parse(text).ok());
            amount.map_or(0, Amount::thousandths)
        };
        let (used, hard) = (thousandths(&self.used), thousandths(&self.hard));
        match used {
            _ if used > hard => 101,
            0 => 0,
            _ if used == hard => 100,
            _ if used * 100 >= hard * 80 => 80,
            _ if used * 100 >= hard * 50 => 50,
            _ => 0,
        }
    }
}

/// The state of a binding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BindingState {
    /// The subjects that get its rights.
    pub subjects: Vec<Subject>,
    /// The name of the role that it gives.
    pub role: String,
    /// Its annotations of our group.
    pub annotations: BTreeMap<String, String>,
}

/// The trouble of a pod that does not run, or runs and is not ready.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PodTrouble {
    /// The reasons that it does not run, each with its message.
    pub troubles: Vec<(String, String)>,
    /// Whether the readiness probe of a running container fails.
    pub unready: bool,
    /// The engine that it belongs to.
    pub engine: Option<String>,
}

/// An object of an engine. The engine's own rules decide which fields are read, so it stays
/// a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload(pub(super) Value);

impl Workload {
    /// An object as a test has it.
    #[cfg(test)]
    #[must_use]
    pub fn of(object: Value) -> Self {
        Self(object)
    }

    /// Its generation, if its kind has one.
    #[must_use]
    pub fn generation(&self) -> Option<i64> {
        self.0["metadata"]["generation"].as_i64()
    }

    /// A field of its spec; null if it is not set.
    #[must_use]
    pub fn spec(&self, field: &str) -> &Value {
        &self.0["spec"][field]
    }

    /// A number of its status; 0 if it is not set.
    #[must_use]
    pub fn count(&self, field: &str) -> i64 {
        self.0["status"][field].as_i64().unwrap_or(0)
    }

    /// An annotation of our group.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.0["metadata"]["annotations"][name].as_str()
    }

    /// The object, for the rules of engines.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.0
    }
}

/// Why the state of an object is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cached state of an object cannot be read: {0}. Restart the operator, which lists every object again")]
pub struct UnreadableState(String);

impl From<UnreadableState> for Issue {
    fn from(error: UnreadableState) -> Self {
        Self::new(Reason::ApiError, error.to_string())
    }
}

/// The stored state of one object, and a number that changes when a pass is needed.
#[derive(Clone, Debug, Default)]
pub struct StoredState {
    text: Option<Text>,
    wakes: u64,
}

impl StoredState {
    /// A state that gives reason to look whenever anything in it changes.
    pub(super) fn new(state: &CachedState) -> Self {
        let text = text(state);
        Self { wakes: number(&text), text: Some(Text::Plain(text.into())) }
    }

    /// A state that gives reason to look when these marks change.
    pub(super) fn with_marks(state: &CachedState, marks: &impl Hash) -> Self {
        Self { text: Some(Text::Plain(text(state).into())), wakes: number(marks) }
    }

    /// The stored state from its text and its number.
    pub(super) const fn from_parts(text: Option<Text>, wakes: u64) -> Self {
        Self { text, wakes }
    }

    /// What [`StoredState::from_parts`] takes.
    pub(super) fn into_parts(self) -> (Option<Text>, u64) {
        (self.text, self.wakes)
    }

    /// The number that changes when a pass is needed.
    pub(super) const fn wakes(&self) -> u64 {
        self.wakes
    }

    /// The state; none where nothing is kept. What cannot be read is logged, and an error.
    pub fn read(&self) -> Result<Option<CachedState>, UnreadableState> {
        let Some(text) = &self.text else { return Ok(None) };
        let read = serde_json::from_str(&text.read());
        read.map(Some).map_err(|cause| {
            let unreadable = UnreadableState(cause.to_string());
            error!("{unreadable}");
            unreadable
        })
    }

    /// The state of a namespace.
    pub fn namespace(&self) -> Result<NamespaceState, UnreadableState> {
        match self.read()? {
            Some(CachedState::Namespace(state)) => Ok(state),
            other => Err(unexpected(other.as_ref())),
        }
    }

    /// The state of a quota.
    pub fn quota(&self) -> Result<QuotaState, UnreadableState> {
        match self.read()? {
            Some(CachedState::Quota(state)) => Ok(state),
            other => Err(unexpected(other.as_ref())),
        }
    }

    /// The state of a binding.
    pub fn binding(&self) -> Result<BindingState, UnreadableState> {
        match self.read()? {
            Some(CachedState::Binding(state)) => Ok(state),
            other => Err(unexpected(other.as_ref())),
        }
    }

    /// The data of a record.
    pub fn record(&self) -> Result<BTreeMap<String, String>, UnreadableState> {
        match self.read()? {
            Some(CachedState::Record(data)) => Ok(data),
            other => Err(unexpected(other.as_ref())),
        }
    }

    /// The pod of a work object; none if it is not known as one.
    pub fn work_pod(&self) -> Result<Option<Pod>, UnreadableState> {
        match self.read()? {
            Some(CachedState::WorkPod(pod)) => Ok(Some(pod)),
            Some(CachedState::Pod(_)) => Ok(None),
            other => Err(unexpected(other.as_ref())),
        }
    }

    /// The trouble of a pod that belongs to no work object.
    pub fn pod(&self) -> Result<PodTrouble, UnreadableState> {
        match self.read()? {
            Some(CachedState::Pod(trouble)) => Ok(trouble),
            Some(CachedState::WorkPod(_)) => Ok(PodTrouble::default()),
            other => Err(unexpected(other.as_ref())),
        }
    }

    /// An object of an engine; none if nothing is kept of the object.
    pub fn workload(&self) -> Result<Option<Workload>, UnreadableState> {
        match self.read()? {
            Some(CachedState::Workload(workload)) => Ok(Some(workload)),
            None => Ok(None),
            other => Err(unexpected(other.as_ref())),
        }
    }
}

fn unexpected(state: Option<&CachedState>) -> UnreadableState {
    UnreadableState(format!("it is {}", state.map_or("missing", |_| "the state of another kind")))
}

/// A state as text. It has names for keys and finite numbers only, so that writing it has
/// no failing case; an empty text would be one that cannot be read.
fn text(state: &CachedState) -> String {
    serde_json::to_string(state).unwrap_or_default()
}

/// A number for a value, the same for equal values while the process lives.
fn number(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(key: &str, value: &str) -> BTreeMap<String, String> {
        [(key.to_owned(), value.to_owned())].into()
    }

    fn states() -> Vec<CachedState> {
        let time: Time = serde_json::from_value(json!("2026-11-01T00:00:00Z")).unwrap();
        let user = Subject { kind: "User".to_owned(), name: "ana".to_owned(), ..Subject::default() };
        let workload =
            json!({"metadata": {"annotations": {"a": "b"}}, "spec": {"replicas": 2}, "status": {"ready": 1}});
        vec![
            CachedState::Namespace(NamespaceState {
                remaining: vec!["some content".to_owned()],
                deleted: Some(time.clone()),
                finalizers: vec!["example.com/hold".to_owned()],
                annotations: map("strata-operator.dev/retained", "true"),
                layer: Some(Layer::Live),
                project: Some("p".to_owned()),
                strayed: true,
                pod_security: Some(PodSecurity::Baseline),
            }),
            CachedState::Quota(QuotaState { hard: map("cpu", "10"), used: map("cpu", "2") }),
            CachedState::Binding(BindingState {
                subjects: vec![user],
                role: "strata:view".to_owned(),
                annotations: map("a", "b"),
            }),
            CachedState::Record(map("record.json", "{}")),
            CachedState::WorkPod(Pod { name: "run-x-1".to_owned(), created: Some(time), ..Pod::default() }),
            CachedState::Pod(PodTrouble {
                troubles: vec![("NodeLost".to_owned(), "n".to_owned())],
                unready: true,
                engine: Some("mlflow".to_owned()),
            }),
            CachedState::Workload(Workload(workload)),
        ]
    }

    #[test]
    fn a_state_is_read_as_it_was_kept() {
        for state in states() {
            assert_eq!(StoredState::new(&state).read(), Ok(Some(state)));
        }
        assert_eq!(StoredState::default().read(), Ok(None));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_absent() {
        for text in ["", "{}", "null", "{\"Namespace\":{}}", "{\"Elsewhere\":{}}"] {
            let stored = StoredState::from_parts(Some(Text::Plain(text.into())), 0);
            assert!(stored.read().is_err() && stored.namespace().is_err() && stored.workload().is_err(), "{text}");
        }
        let quota = StoredState::new(&CachedState::Quota(QuotaState::default()));
        assert!(quota.quota().is_ok() && quota.namespace().is_err() && quota.workload().is_err());
    }
}
