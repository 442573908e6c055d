//! Brings the cluster to the desired state, and removes objects that are no longer
//! desired.
//!
//! It works stage by stage, with a bounded number of requests at once. The failure of an
//! object stops only those that depend on it. An object that the cache knows to be as
//! desired costs no request. It does not decide what is desired.

mod clear;
mod conflicts;
mod contention;
pub mod outcome;
mod prune;
mod restore;
mod revocation;
mod write;

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::Client;
use serde_json::Value;

use crate::telemetry::requests::Requests;
use clear::{Cleared, Clearer, Left};
pub use conflicts::acts_on_anothers;
pub use contention::ContentionTracker;
use contention::WriteDecision;
pub use outcome::{OtherManager, Outcome, Result};
pub use prune::PruneScope;
pub use revocation::Revocation;
pub use write::{Writer, entry_is_ours as is_ours, has_reserved_name};

use crate::api::identity::Request;
use crate::api::kinds::{WriteStrategy, clearing};
use crate::api::{Issue, ObjectKey, Reason};
use crate::cluster::cache::values::digest;
use crate::cluster::cache::{Entry, ObjectCache};
use crate::cluster::watch::{Known, State, Watched, Watches};
use crate::objects::{Desired, Stage};

/// How many requests of one team are under way at once.
const IN_FLIGHT: usize = 16;
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(10);

/// Writes and removes the objects of teams.
pub struct Applier {
    writer: Writer,
    cache: Arc<ObjectCache>,
    watches: Arc<Watches>,
    contests: ContentionTracker,
    left: Left,
}

impl Applier {
    /// An applier through this client.
    #[must_use]
    pub fn new(client: Client, cache: Arc<ObjectCache>, watches: Arc<Watches>, requests: Requests) -> Self {
        let writer = Writer::new(client, requests, REQUEST).knowing(Arc::clone(&cache));
        Self { writer, cache, watches, contests: ContentionTracker::default(), left: Left::default() }
    }

    /// Applies the objects of these stages for this owner, in the order of the stages.
    pub async fn apply<D>(&self, owner: &Request, objects: &[D], stages: &[Stage], outcome: &mut Outcome)
    where
        D: Borrow<Desired> + Sync,
    {
        for stage in stages {
            let of_stage = objects.iter().map(Borrow::borrow).filter(|desired: &&Desired| desired.stage == *stage);
            let (free, blocked): (Vec<_>, Vec<_>) =
                of_stage.partition(|desired| self.blocking(desired, outcome).is_none());
            for desired in blocked {
                if let Some(failure) = self.blocking(desired, outcome) {
                    outcome.results.insert(desired.key.clone(), Result::Failed(failure));
                }
            }
            let mut steps = Vec::with_capacity(free.len());
            for desired in free {
                let nobody_elses = outcome.is_nobody_elses(&desired.key);
                steps.push(async move { (desired, self.one(owner, desired, nobody_elses).await) });
            }
            let done: Vec<_> = futures::stream::iter(steps).buffer_unordered(IN_FLIGHT).collect().await;
            for (desired, step) in done {
                take(outcome, desired, step);
            }
        }
    }

    /// Why nothing may be written into the object's namespace.
    fn blocking(&self, desired: &Desired, outcome: &Outcome) -> Option<Issue> {
        let namespace = desired.key.namespace.as_ref()?;
        if let Some(failure) = outcome.blocked.get(namespace) {
            return Some(failure.clone());
        }
        let entry = self.cache.get(&ObjectKey::new("", "Namespace", None, namespace));
        entry.is_some_and(|entry| entry.deleting).then(|| {
            Issue::new(
                Reason::Terminating,
                format!("namespace {namespace} is being deleted, so nothing can be written into it"),
            )
        })
    }

    async fn one(&self, owner: &Request, desired: &Desired, nobody_elses: bool) -> Step {
        let key = &desired.key;
        let Some(known) = self.watches.version(&key.group, &key.kind, &desired.version) else {
            return Step::failed(Issue::new(
                Reason::Unavailable,
                format!("{} is not served by this cluster", key.kind),
            ));
        };
        match known.state {
            State::Synced => self.step(&known.kind, owner, desired, nobody_elses).await,
            State::Listing => Step::failed(Issue::new(
                Reason::Progressing,
                format!("the first list of {} is not complete", known.kind.resource.plural),
            )),
            // A kind that is always watched and was listed once can be written safely,
            // because each write reads the object first. But its state is not known.
            State::Failing(failure) if known.always && known.was_synced => {
                self.step(&known.kind, owner, desired, nobody_elses).await.unknown(failure)
            }
            State::Failing(failure) => Step::failed(failure),
        }
    }

    async fn step(&self, kind: &Watched, owner: &Request, desired: &Desired, nobody_elses: bool) -> Step {
        let key = &desired.key;
        match self.cache.get(key) {
            Some(entry) if entry.deleting => Step::failed(Issue::new(
                Reason::Deleting,
                format!("{key} is being deleted and is created again when it is gone"),
            )),
            Some(entry) if !write::entry_is_ours(&entry, key, owner) => {
                Step::failed(write::known_conflict(key, &entry))
            }
            Some(entry) => self.known(kind, desired, entry).await,
            None => self.missing(kind, desired, nobody_elses).await,
        }
    }

    /// Records that the state of objects is unknown if they are not applied and their kind
    /// is not watched.
    pub fn note_unknown(&self, objects: &[Desired], outcome: &mut Outcome) {
        for desired in objects {
            let known = self.watches.version(&desired.key.group, &desired.key.kind, &desired.version);
            if let Some(State::Failing(failure)) = known.map(|known| known.state) {
                outcome.results.insert(desired.key.clone(), Result::Failed(failure));
            }
        }
    }

    /// Sets one field of the spec, if it differs: `replicas`, `suspend`. It is never
    /// applied, so that repairs of other fields do not disturb running pods.
    pub async fn set(&self, key: &ObjectKey, field: &str, wanted: &Value, outcome: &mut Outcome) {
        let Some(entry) = self.cache.get(key).filter(|entry| entry.is_ours() && !entry.deleting) else { return };
        let Some(Known { kind, .. }) = self.watches.kind(&key.group, &key.kind) else { return };
        if entry.state.workload().ok().flatten().is_some_and(|workload| workload.spec(field) == wanted) {
            return;
        }
        // Fought over apart from what is applied, and at the same pace.
        let (apart, intent) = (ObjectKey { name: format!("{}.{field}", key.name), ..key.clone() }, digest(wanted));
        let permission = self.contests.ask(&apart, intent, false, Some(format!("spec.{field}")));
        if let WriteDecision::Wait(pause) = permission {
            let step = self.waiting(key, &apart, entry.other_writer, pause);
            outcome.again = outcome::soonest([outcome.again, step.again]);
            outcome.results.insert(key.clone(), step.result);
            return;
        }
        match self.writer.set(&kind, key, field, wanted).await {
            Ok(live) => {
                self.contests.wrote(&apart, intent);
                self.cache.changed(key, &live, kind.write_strategy);
            }
            Err(failure) => {
                self.contests.failed(&apart, permission, failure.clone());
                outcome.results.insert(key.clone(), Result::Failed(failure));
            }
        }
    }

    async fn known(&self, kind: &Watched, desired: &Desired, entry: Entry) -> Step {
        let (key, intent) = (&desired.key, digest(&desired.object));
        if self.cache.holds(key, &desired.object, kind.write_strategy) {
            self.remember(key, intent);
            let contested = self.contests.contested(key).then(|| self.contender(key, entry.other_writer));
            return Step { contested, ..Step::of(Result::Unchanged) };
        }
        let field = entry.difference(&desired.object, kind.write_strategy);
        let Entry { uid, other_writer: by, .. } = entry;
        let permission = self.contests.ask(key, intent, is_guardrail(kind.write_strategy, key), field);
        if let WriteDecision::Wait(pause) = permission {
            return self.waiting(key, key, by, pause);
        }
        let written = match kind.write_strategy {
            WriteStrategy::Replace(_) => self.writer.replace(kind, key, &desired.object).await,
            WriteStrategy::Apply | WriteStrategy::ApplyAndClear(_) => {
                self.writer.apply(kind, key, &desired.object, &uid).await
            }
        };
        self.written(kind, desired, written, permission, by).await
    }

    /// The step of an object that is not written before this pause ends, because it is
    /// contested or several writes failed. Repairs are counted under the key `apart`.
    fn waiting(&self, key: &ObjectKey, apart: &ObjectKey, by: Option<String>, pause: Duration) -> Step {
        match self.contests.failure(apart) {
            Some(failure) => Step { again: Some(pause), ..Step::failed(failure) },
            None => Step::contested(key, self.contender(apart, by), pause),
        }
    }

    fn contender(&self, key: &ObjectKey, by: Option<String>) -> OtherManager {
        OtherManager { by, field: self.contests.field(key) }
    }

    /// Remembers what an object holds, and forgets objects that went without us.
    fn remember(&self, key: &ObjectKey, intent: u64) {
        self.contests.wrote(key, intent);
        self.contests.tidy(|look| self.cache.each_key(look));
        self.left.tidy(|look| self.cache.each_key(look));
    }

    async fn missing(&self, kind: &Watched, desired: &Desired, nobody_elses: bool) -> Step {
        let key = &desired.key;
        let permission = self.contests.ask(key, digest(&desired.object), is_guardrail(kind.write_strategy, key), None);
        if let WriteDecision::Wait(pause) = permission {
            return self.waiting(key, key, None, pause);
        }
        let written = match kind.write_strategy {
            WriteStrategy::Replace(_) => self.writer.create(kind, key, &desired.object).await,
            WriteStrategy::Apply | WriteStrategy::ApplyAndClear(_) => {
                self.writer.apply_new(kind, key, &desired.object, nobody_elses).await
            }
        };
        let step = self.written(kind, desired, written, permission, None).await;
        let fresh = key.built_in() == "Namespace" && !matches!(step.result, Result::Failed(_));
        Step { fresh, ..step }
    }

    async fn written(
        &self,
        kind: &Watched,
        desired: &Desired,
        written: std::result::Result<Value, Issue>,
        permission: WriteDecision,
        by: Option<String>,
    ) -> Step {
        let key = &desired.key;
        let cleared = match (written, clearing::of(kind.write_strategy, &desired.object)) {
            (Ok(live), Some(clearing)) => {
                let (writer, left, intent) = (&self.writer, &self.left, &desired.object);
                Clearer { writer, left, kind, key, clearing, intent }.clear(live).await
            }
            (Ok(live), None) => Ok(Cleared { live, left: Vec::new() }),
            (Err(failure), _) => Err(failure),
        };
        let Cleared { live, left } = match cleared {
            Ok(cleared) => cleared,
            Err(failure) => {
                self.contests.failed(key, permission, failure.clone());
                return Step::failed(failure);
            }
        };
        self.cache.wrote(key, &live, kind.write_strategy, &desired.object);
        self.remember(key, digest(&desired.object));
        match permission {
            WriteDecision::Repair { contested } => {
                let contested = contested.then(|| self.contender(key, by.clone()));
                Step { contested, left, ..Step::of(Result::Repaired { by }) }
            }
            WriteDecision::Update | WriteDecision::Wait(_) => Step { left, ..Step::of(Result::Written) },
        }
    }
}

/// What came of one object, with what else must be remembered of it.
struct Step {
    result: Result,
    /// Who keeps changing it, if somebody does.
    contested: Option<OtherManager>,
    again: Option<Duration>,
    fresh: bool,
    /// What others put into it and is left there from now on.
    left: Vec<String>,
}

impl Step {
    const fn of(result: Result) -> Self {
        Self { result, contested: None, again: None, fresh: false, left: Vec::new() }
    }

    const fn failed(failure: Issue) -> Self {
        Self::of(Result::Failed(failure))
    }

    /// Whatever was written: whether it is there is not known.
    fn unknown(self, failure: Issue) -> Self {
        match self.result {
            Result::Failed(_) => self,
            _ => Self { result: Result::Failed(failure), ..self },
        }
    }

    fn contested(key: &ObjectKey, contender: OtherManager, pause: Duration) -> Self {
        let failed = Self::failed(contender.failure(key));
        Self { contested: Some(contender), again: Some(pause), ..failed }
    }
}

fn take(outcome: &mut Outcome, desired: &Desired, step: Step) {
    let key = &desired.key;
    if step.fresh {
        outcome.fresh.insert(key.name.clone());
    }
    if let Some(contender) = step.contested {
        outcome.contested.insert(key.clone(), contender);
    }
    if !step.left.is_empty() {
        outcome.left.insert(key.clone(), step.left);
    }
    if let Some(again) = step.again {
        outcome.again = outcome::soonest([outcome.again, Some(again)]);
    }
    if let Result::Failed(failure) = &step.result {
        match desired.stage {
            // Nothing goes into a namespace that is not ours or not there.
            Stage::Namespace => {
                outcome.blocked.insert(key.name.clone(), failure.clone());
            }
            // Without a guardrail nothing may run and nobody may enter; but a contested
            // guardrail is repaired in a moment.
            Stage::Guardrail if failure.reason != Reason::Contested => {
                if let Some(namespace) = &desired.key.namespace {
                    outcome.blocked.insert(namespace.clone(), failure.clone());
                }
            }
            _ => {}
        }
    }
    outcome.results.insert(key.clone(), step.result);
}

/// Bindings, policies, quotas and the Pod Security labels of namespaces: they must not
/// stay open, however often another writer opens them.
fn is_guardrail(write_strategy: WriteStrategy, key: &ObjectKey) -> bool {
    write::is_whole(write_strategy) || key.built_in() == "Namespace"
}
