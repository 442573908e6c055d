//! The status of a work object, from its health.
//!
//! Pure: the time is handed in, and is used only where something changed.

mod autoscalers;
pub mod component;
pub mod dataset;
pub mod execution;
#[cfg(test)]
mod fixtures;
pub mod model_service;
pub mod monitor;
pub mod pipeline;
pub mod run;
pub mod workbench;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::team::progress;
use crate::api::status::{Condition, Finding, READY, RECONCILING, STALLED, conditions};
use crate::api::work::EngineStatus;
use crate::api::{Issue, Reason, text};
use crate::engine::Verdict;
use crate::plan::work::autoscaler::Autoscaler;
use crate::plan::work::pod_state::Pod;
use crate::plan::work::{Object, WorkPlan};

/// A work object that was planned, applied and judged.
pub struct Judged<'a> {
    /// Its plan.
    pub plan: &'a WorkPlan,
    /// The failures: blocks and failed writes. Worst first.
    pub failure: Option<Issue>,
    /// The verdict of the engine's rules on its live objects.
    pub verdict: Verdict,
    /// What the cache keeps of an object in its namespace, by kind and name.
    pub live: &'a dyn Fn(&str, &str) -> Option<Value>,
    /// Its pods, believed.
    pub pods: &'a [Pod],
    /// Why a pod of it was refused, while one is missing.
    pub refused: Option<String>,
    /// Why its volume stays smaller than is asked for, in the words of the API server.
    pub ungrown: Option<String>,
    /// Autoscalers of other owners over its workloads.
    pub autoscalers: &'a [Autoscaler],
    /// The time, for changes.
    pub now: &'a Time,
}

impl Judged<'_> {
    /// How it is by what is common to all kinds: held, not written, refused,
    /// waiting or failing; nothing if all that was written is ready.
    #[must_use]
    pub fn trouble(&self) -> Option<Issue> {
        if let Some(failure) = &self.failure {
            return Some(failure.clone());
        }
        let of_pods = crate::status::health::work::trouble(self.pods);
        match &self.verdict {
            Verdict::Ready => None,
            verdict => self
                .refused
                .clone()
                .map(|message| Issue::new(Reason::Refused, message))
                .or(of_pods)
                .or_else(|| Some(crate::status::health::work::failure(verdict))),
        }
    }

    /// The message for a missing Secret also names the dataset.
    fn explained(&self, failure: &Issue) -> String {
        let message = &failure.message;
        let named = |(secret, _): &(&String, &String)| message.contains(&format!("Secret {secret}. "));
        match self.plan.credentials.iter().find(named).filter(|_| failure.reason == Reason::SecretMissing) {
            Some((_, dataset)) => format!("{message}. Dataset {dataset} names the Secret as its credentials"),
            None => message.clone(),
        }
    }

    /// The engine as it is recorded.
    #[must_use]
    pub fn engine(&self) -> Option<EngineStatus> {
        let (name, revision) = self.plan.choice.clone()?;
        Some(EngineStatus { name, revision })
    }

    /// The conditions: `Ready` and what follows from it, and more of the kind's own.
    #[must_use]
    pub fn conditions(
        &self,
        before: &[Condition],
        generation: i64,
        ready: &Result<(Reason, String), Issue>,
        more: Vec<Finding>,
    ) -> Vec<Condition> {
        let mut findings = vec![match ready {
            Ok((reason, message)) => Finding::new(READY, true, *reason, message.clone()),
            Err(failure) => Finding::new(READY, false, failure.reason, text::message(&self.explained(failure), 1000)),
        }];
        findings.extend(more);
        let failure = ready.as_ref().err().map(|failure| Issue::new(failure.reason, self.explained(failure)));
        findings.extend(progress(failure.as_ref()));
        conditions(before, &findings, generation, self.now)
    }
}

/// The status of an object for which nothing is written now: known facts stay.
#[must_use]
pub fn held(object: &Object, failure: &Issue, now: &Time) -> Value {
    let mut status = object.status();
    let generation = object.metadata().generation.unwrap_or_default();
    let before: Vec<Condition> = serde_json::from_value(status["conditions"].clone()).unwrap_or_default();
    let mut findings = vec![Finding::new(READY, false, failure.reason, failure.message.clone())];
    findings.extend(progress(Some(failure)));
    let mut all = conditions(&before, &findings, generation, now);
    let own = |type_: &str| ![READY, RECONCILING, STALLED].contains(&type_);
    all.extend(before.into_iter().filter(|known| own(&known.type_)));
    status["conditions"] = json!(all);
    status["observedGeneration"] = Value::from(generation);
    status
}

/// The status of the object, as JSON.
#[must_use]
pub fn status(object: &Object, judged: &Judged<'_>) -> Value {
    // Typed statuses have string keys and finite numbers only: writing them has no failing case.
    match object {
        Object::Component(object) => json!(super::work::component::status(object, judged)),
        Object::Dataset(object) => json!(super::work::dataset::status(object, judged)),
        Object::Workbench(object) => json!(super::work::workbench::status(object, judged)),
        Object::Pipeline(object) => json!(super::work::pipeline::status(object, judged)),
        Object::Run(object) => json!(super::work::run::status(object, judged)),
        Object::ModelService(object) => json!(super::work::model_service::status(object, judged)),
    }
}
