//! The consequences of a conflict.
//!
//! An object that the cache does not know is looked up before anything of its component is
//! written: no Deployment is created for another owner's Service, and no autoscaler for
//! another owner's Deployment. Existing objects are still kept as desired, so that a
//! serving model keeps serving.

use std::borrow::Borrow;

use futures::StreamExt;

use super::{Applier, IN_FLIGHT, Outcome, Result, write};
use crate::api::identity::Request;
use crate::api::{Issue, ObjectKey, Reason};
use crate::cluster::watch::State;
use crate::objects::{Desired, Stage};

/// Fields of a spec that name the object which it acts upon: of an autoscaler.
const TARGETS: [&str; 2] = ["scaleTargetRef", "targetRef"];

/// The owner of an object that the cache does not know.
enum Whose {
    /// It does not exist.
    Nobodys,
    /// It is ours, or its kind is not watched, and the write says so.
    Ours,
    /// It is somebody else's, or the API server could not be asked.
    NotOurs(Issue),
}

impl Applier {
    /// Asks who has the objects that are not known, before any of them is written.
    pub async fn look<D>(&self, owner: &Request, objects: &[D], outcome: &mut Outcome)
    where
        D: Borrow<Desired> + Sync,
    {
        let mut asked = Vec::new();
        let placed = objects.iter().map(Borrow::borrow).filter(|desired: &&Desired| desired.key.namespace.is_some());
        for desired in placed {
            let key = &desired.key;
            if self.blocking(desired, outcome).is_some() {
                continue;
            }
            match self.cache.get(key) {
                Some(entry) if !entry.deleting && !write::entry_is_ours(&entry, key, owner) => {
                    let failure = write::known_conflict(key, &entry);
                    if entry.is_ours() {
                        outcome.of_team.insert(key.clone());
                    }
                    outcome.results.insert(key.clone(), Result::Failed(failure));
                }
                None if !outcome.is_nobody_elses(key) => {
                    asked.push(async move { (self.whose(key, desired).await, key) });
                }
                _ => {}
            }
        }
        let answers: Vec<_> = futures::stream::iter(asked).buffer_unordered(IN_FLIGHT).collect().await;
        for (whose, key) in answers {
            match whose {
                Whose::Nobodys => drop(outcome.nobodys.insert(key.clone())),
                Whose::Ours => {}
                Whose::NotOurs(failure) => {
                    outcome.not_ours.insert(key.clone());
                    outcome.results.insert(key.clone(), Result::Failed(failure));
                }
            }
        }
    }

    async fn whose(&self, key: &ObjectKey, desired: &Desired) -> Whose {
        let known = self.watches.version(&key.group, &key.kind, &desired.version);
        // Objects of a kind that is not watched are not written; their write reports that.
        let Some(known) = known.filter(|known| matches!(known.state, State::Synced)) else { return Whose::Ours };
        match self.writer.get(&known.kind, key).await {
            Ok(None) => Whose::Nobodys,
            Ok(Some(live)) if self.writer.is_ours(&live, key, &desired.object) => Whose::Ours,
            Ok(Some(live)) => Whose::NotOurs(write::conflict(key, &live)),
            Err(failure) => Whose::NotOurs(failure),
        }
    }

    /// The objects that may be written while some of them are somebody else's.
    #[must_use]
    pub fn without_conflicts<'a, D: Borrow<Desired>>(&self, objects: &'a [D], outcome: &Outcome) -> Vec<&'a Desired> {
        let all = || objects.iter().map(Borrow::borrow);
        let theirs: Vec<&Desired> = all().filter(|desired| is_not_ours(desired, outcome)).collect();
        let there = |key: &ObjectKey| self.cache.get(key).is_some();
        all().filter(|desired| goes_on(desired, &theirs, &there)).collect()
    }
}

/// Whether the object acts upon one of these objects of other owners. An object of the
/// team that only lost its label counts as the team's.
#[must_use]
pub fn acts_on_anothers(desired: &Desired, objects: &[Desired], outcome: &Outcome) -> bool {
    let is_anothers = |other: &Desired| is_conflict(other, outcome) && !outcome.of_team.contains(&other.key);
    objects.iter().any(|other| is_anothers(other) && acts_on(desired, other))
}

fn is_conflict(desired: &Desired, outcome: &Outcome) -> bool {
    outcome.failure(&desired.key).is_some_and(|failure| failure.reason == Reason::Conflict)
}

fn is_not_ours(desired: &Desired, outcome: &Outcome) -> bool {
    is_conflict(desired, outcome) || outcome.not_ours.contains(&desired.key)
}

/// Whether the object is written although these objects are not ours: it is none of them,
/// does not act on or load any, and, if they belong to its own component, exists already.
fn goes_on(desired: &Desired, theirs: &[&Desired], there: &dyn Fn(&ObjectKey) -> bool) -> bool {
    if theirs.iter().any(|other| other.key == desired.key || acts_on(desired, other)) {
        return false;
    }
    let mut beside = theirs.iter().filter(|other| other.component.is_some() && other.component == desired.component);
    match desired.stage {
        Stage::Namespace | Stage::Guardrail | Stage::Binding => true,
        Stage::Identity | Stage::Configuration => beside.next().is_none() || there(&desired.key),
        Stage::Workload => beside.all(|other| other.stage == Stage::Workload && there(&desired.key)),
    }
}

fn acts_on(desired: &Desired, other: &Desired) -> bool {
    let same_place = desired.key.namespace == other.key.namespace;
    let names = |field: &str| {
        let target = &desired.object["spec"][field];
        target["kind"] == other.key.kind.as_str() && target["name"] == other.key.name.as_str()
    };
    same_place && TARGETS.iter().any(|field| names(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::InstanceId;
    use serde_json::{Value, json};

    fn object(stage: Stage, kind: &str, component: Option<&str>, spec: &Value) -> Desired {
        let component = component.map(|engine| InstanceId {
            namespace: "a--p--live".to_owned(),
            engine: engine.to_owned(),
            capability: None,
        });
        let metadata = json!({"namespace": "a--p--live", "name": "service-x"});
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec});
        Desired { component, ..Desired::new(stage, object) }
    }

    fn service() -> Vec<Desired> {
        let target = json!({"scaleTargetRef": {"kind": "Deployment", "name": "service-x"}});
        vec![
            object(Stage::Guardrail, "NetworkPolicy", None, &Value::Null),
            object(Stage::Configuration, "ConfigMap", Some("deployment"), &Value::Null),
            object(Stage::Workload, "Deployment", Some("deployment"), &Value::Null),
            object(Stage::Workload, "HorizontalPodAutoscaler", Some("deployment"), &target),
            object(Stage::Workload, "Service", Some("deployment"), &Value::Null),
            object(Stage::Workload, "CronJob", Some("another"), &Value::Null),
        ]
    }

    /// The kinds that are written while one is somebody else's and these are there.
    fn written(theirs: &str, there: &[&str]) -> Vec<String> {
        let objects = service();
        let theirs: Vec<&Desired> = objects.iter().filter(|desired| desired.key.kind == theirs).collect();
        let there = |key: &ObjectKey| there.contains(&key.kind.as_str());
        let written = objects.iter().filter(|desired| goes_on(desired, &theirs, &there));
        written.map(|desired| desired.key.kind.clone()).collect()
    }

    #[test]
    fn nothing_new_is_made_beside_what_is_somebody_elses() {
        for theirs in ["ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Service"] {
            assert_eq!(written(theirs, &[]), ["NetworkPolicy", "CronJob"], "{theirs}");
        }
        assert_eq!(written("nothing", &[]).len(), 6);
    }

    #[test]
    fn existing_objects_stay_unless_they_use_a_foreign_one() {
        let all = ["ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Service"];
        let kept = |theirs: &str| {
            let there: Vec<&str> = all.iter().filter(|kind| **kind != theirs).copied().collect();
            let of_core = |kind: &String| !["NetworkPolicy", "CronJob"].contains(&kind.as_str());
            written(theirs, &there).into_iter().filter(of_core).collect::<Vec<_>>()
        };
        assert_eq!(kept("Service"), ["ConfigMap", "Deployment", "HorizontalPodAutoscaler"]);
        assert_eq!(kept("Deployment"), ["ConfigMap", "Service"]);
        assert!(kept("ConfigMap").is_empty());
    }

    #[test]
    fn autoscaler_goes_only_where_its_target_is_somebody_elses() {
        let objects = service();
        let going = |reason: Reason, of_team: bool| {
            let mut outcome = Outcome::default();
            outcome.of_team.extend(of_team.then(|| objects[2].key.clone()));
            let failure = Issue::new(reason, "of the Deployment");
            outcome.not_ours.insert(objects[2].key.clone());
            outcome.results.insert(objects[2].key.clone(), Result::Failed(failure));
            let going = objects.iter().filter(|desired| acts_on_anothers(desired, &objects, &outcome));
            going.map(|desired| desired.key.kind.clone()).collect::<Vec<_>>()
        };
        assert_eq!(going(Reason::Conflict, false), ["HorizontalPodAutoscaler"]);
        assert!(going(Reason::ApiError, false).is_empty());
        assert!(going(Reason::Conflict, true).is_empty(), "the target only lost a label");
    }
}
