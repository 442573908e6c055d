//! The facts about one member's object and its plan. It makes no API calls: everything is
//! in the store and the cache already.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::api::identity::{Request, WorkId, team_of};
use crate::api::work::{Component, Dataset, Pipeline, Run, WorkKind, Workbench};
use crate::api::{Issue, ObjectKey, Reason};
use crate::cluster::cache::Entry;
use crate::cluster::store::Store;
use crate::plan::work::autoscaler::Autoscaler;
use crate::plan::work::pod_state::Pod;
use crate::plan::work::{Lookup, Object, ObjectLookup, unreadable};
use crate::reconcile::context::Context;
use crate::reconcile::snapshot::TeamSnapshot;

/// The inputs of an object's plan.
pub enum Standing {
    /// Its team, planned.
    On(Arc<TeamSnapshot>),
    /// Nothing is written for it now, for this reason.
    Held(Issue),
    /// The team was not observed yet; the pass that observes it requests this object.
    Unknown,
}

/// The inputs of the object's plan.
pub fn standing(context: &Context, id: &WorkId) -> Standing {
    let space = context.cache.get(&ObjectKey::new("", "Namespace", None, &id.namespace)).filter(Entry::is_ours);
    let (Some(team), Some(space)) = (team_of(&id.namespace), space) else {
        let message =
            format!("namespace {} belongs to no team. Create the {} in a namespace of a team", id.namespace, id.kind);
        return Standing::Held(Issue::new(Reason::NoTeam, message));
    };
    if space.deleting {
        let message = format!("namespace {} is being deleted, so nothing can be written into it", id.namespace);
        return Standing::Held(Issue::new(Reason::Terminating, message));
    }
    let Some(snapshot) = context.snapshot(team) else { return Standing::Unknown };
    if let Some(failure) = &snapshot.held {
        let message = format!("team {team} is held, and its objects with it: {}", failure.message);
        return Standing::Held(Issue::new(Reason::TeamNotReady, message));
    }
    let Some(planned) = &snapshot.planned else { return Standing::Unknown };
    if let Some(failure) = planned.blocked.get(&id.namespace) {
        let message = format!("namespace {} is not ready: {}", id.namespace, failure.message);
        return Standing::Held(Issue::new(Reason::TeamNotReady, message));
    }
    if planned.plan.namespace(&id.namespace).is_none() {
        let message = format!("namespace {} is not planned for team {team} yet", id.namespace);
        return Standing::Held(Issue::new(Reason::TeamNotReady, message));
    }
    Standing::On(snapshot)
}

/// The observed state of the objects written for one object. The Job of an earlier run of
/// the same name is not its own: it stays until the garbage collector deletes it.
pub struct Observed {
    objects: Vec<(ObjectKey, Entry)>,
    /// Its pods, believed.
    pub pods: Vec<Pod>,
    /// Why a pod of it was refused, while one is missing.
    pub refused: Option<String>,
    /// Autoscalers of other owners over its workloads.
    pub autoscalers: Vec<Autoscaler>,
}

impl Observed {
    /// What is known now of the object with this UID.
    pub fn of(context: &Context, id: &WorkId, uid: Option<&str>) -> Result<Self, Issue> {
        let mut objects = context.cache.of(&Request::Work(id.clone()));
        if id.kind == WorkKind::Run {
            objects.retain(|(key, entry)| key.built_in() != "Job" || entry.controller.as_deref() == uid);
        }
        let pods = pods(&objects)?;
        let refused = objects.iter().find_map(|(key, entry)| {
            misses_pods(key, entry).then(|| context.watches.refusals.of(&entry.uid)).flatten()
        });
        let is_own = |target: &ObjectKey| objects.iter().any(|(key, entry)| key == target && entry.is_ours());
        let autoscalers = context.watches.autoscalers.over(&id.namespace, is_own);
        Ok(Self { objects, pods, refused, autoscalers })
    }

    /// The cached state of an object in the namespace, by kind and name.
    pub fn live(&self, kind: &str, name: &str) -> Option<Value> {
        let found = self.objects.iter().find(|(key, _)| key.kind == kind && key.name == name);
        found.map(|(_, entry)| entry).and_then(state_of)
    }

    /// The cached state of an object.
    pub fn state(&self, key: &ObjectKey) -> Option<Value> {
        let found = self.objects.iter().find(|(known, _)| known == key);
        found.map(|(_, entry)| entry).and_then(state_of)
    }
}

fn state_of(entry: &Entry) -> Option<Value> {
    // An object of which nothing is kept is there all the same.
    (!entry.deleting).then(|| entry.live().unwrap_or_else(|| serde_json::json!({})))
}

/// Whether a workload has fewer pods than desired: only then a message about refused pods
/// is still true.
fn misses_pods(key: &ObjectKey, entry: &Entry) -> bool {
    let workload = || entry.state.workload().ok().map(Option::unwrap_or_default);
    match key.built_in() {
        "StatefulSet" => {
            workload().is_some_and(|set| set.count("replicas") < set.spec("replicas").as_i64().unwrap_or(1))
        }
        "Job" => {
            workload().is_some_and(|job| ["active", "succeeded", "failed"].iter().all(|field| job.count(field) == 0))
        }
        _ => false,
    }
}

/// The pods whose messages can be believed: their controlling owner is, by UID, an object
/// that we wrote, or an object that its controller made: a Job of a `CronJob`, a
/// `ReplicaSet` of a Deployment.
fn pods(objects: &[(ObjectKey, Entry)]) -> Result<Vec<Pod>, Issue> {
    let ours = || objects.iter().filter(|(key, entry)| key.built_in() != "Pod" && entry.is_ours());
    let is_written = |key: &ObjectKey, entry: &Entry| match key.built_in() {
        "ReplicaSet" => false,
        "Job" => entry.controller.is_none() || is_run(key),
        _ => true,
    };
    let written: BTreeSet<&str> =
        ours().filter(|(key, entry)| is_written(key, entry)).map(|(_, entry)| entry.uid.as_str()).collect();
    let made = ours().filter(|(key, entry)| {
        let of_ours = entry.controller.as_deref().is_some_and(|owner| written.contains(owner));
        matches!(key.built_in(), "Job" | "ReplicaSet") && of_ours
    });
    let made: BTreeSet<&str> = made.map(|(_, entry)| entry.uid.as_str()).collect();
    let all = objects.iter().filter(|(key, _)| key.built_in() == "Pod");
    let pods = all.filter_map(|(_, entry)| entry.state.work_pod().transpose());
    let pods = pods.collect::<Result<Vec<_>, _>>()?.into_iter();
    let believed = pods.filter_map(|mut pod| {
        let is_believed = [&written, &made].iter().any(|owners| owners.contains(pod.owner_uid.as_str()));
        if is_believed {
            return Some(pod);
        }
        // A ReplicaSet that is not known yet: the kubelet's state of its pods counts,
        // their own messages do not.
        if pod.owner_kind != "ReplicaSet" {
            return None;
        }
        for container in &mut pod.containers {
            for ended in [&mut container.ended, &mut container.before].into_iter().flatten() {
                ended.message.clear();
            }
        }
        Some(pod)
    });
    Ok(believed.collect())
}

/// The Job of a run is controlled by the run itself.
fn is_run(key: &ObjectKey) -> bool {
    key.name.starts_with("run-")
}

/// The work objects in the store.
pub struct InStore<'a>(pub &'a Store);

impl InStore<'_> {
    /// The object of this name, if it exists and is not being deleted.
    fn read(&self, kind: WorkKind, namespace: &str, name: &str) -> Lookup<Object> {
        let id = WorkId { kind, namespace: namespace.to_owned(), name: name.to_owned() };
        match self.0.work_object(&id) {
            Some(Ok(object)) if object.metadata().deletion_timestamp.is_some() => Ok(None),
            Some(Ok(object)) => Ok(Some((*object).clone())),
            Some(Err(object)) => Err(unreadable(&id, &object.error)),
            None => Ok(None),
        }
    }
}

impl ObjectLookup for InStore<'_> {
    fn component(&self, namespace: &str, name: &str) -> Lookup<Component> {
        Ok(match self.read(WorkKind::Component, namespace, name)? {
            Some(Object::Component(component)) => Some(*component),
            _ => None,
        })
    }

    fn dataset(&self, namespace: &str, name: &str) -> Lookup<Dataset> {
        Ok(match self.read(WorkKind::Dataset, namespace, name)? {
            Some(Object::Dataset(dataset)) => Some(*dataset),
            _ => None,
        })
    }

    fn pipeline(&self, namespace: &str, name: &str) -> Lookup<Pipeline> {
        Ok(match self.read(WorkKind::Pipeline, namespace, name)? {
            Some(Object::Pipeline(pipeline)) => Some(*pipeline),
            _ => None,
        })
    }

    fn components(&self, namespace: &str) -> Vec<String> {
        let objects = self.0.work_objects(WorkKind::Component).beginning(&format!("{namespace}/"));
        objects.into_iter().map(|(name, _)| name).collect()
    }

    fn credentials(&self, namespace: &str) -> BTreeMap<String, String> {
        let datasets = self.0.work_objects(WorkKind::Dataset).beginning(&format!("{namespace}/")).into_iter();
        let named = datasets.filter_map(|(name, object)| match object.as_deref() {
            Ok(Object::Dataset(dataset)) => Some((dataset.spec.credentials.as_ref()?.secret.clone(), name)),
            _ => None,
        });
        named.collect()
    }

    fn have_status(&self) -> bool {
        true
    }

    fn older_workbenches(&self, namespace: &str, workbench: &Workbench, limit: usize) -> usize {
        self.0.work.older_workbenches(namespace, workbench, limit)
    }

    fn ended_after(&self, namespace: &str, run: &Run, number: usize) -> bool {
        let Some(finished) = run.status.as_ref().and_then(|status| status.end()) else { return false };
        let own = (finished, run.metadata.name.as_deref().unwrap_or_default());
        self.0.work.newer_ended(namespace, &run.spec.pipeline, own, number) >= number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kinds::WriteStrategy;
    use crate::cluster::cache::ObjectCache;
    use serde_json::json;

    fn known(kind: &str, name: &str, owner: &Value) -> (ObjectKey, Value) {
        let labels = json!({"strata-operator.dev/team": "a", "strata-operator.dev/run": "x", "strata-operator.dev/engine": "jobs"});
        let owners: Vec<&Value> = Some(owner).filter(|owner| owner.is_object()).into_iter().collect();
        let object = json!({
            "metadata": {"name": name, "namespace": "a--p", "uid": format!("uid-{name}"), "resourceVersion": "1", "labels": labels,
                "ownerReferences": owners},
            "spec": {"containers": [{"name": "train"}]},
            "status": {"phase": "Failed", "containerStatuses": [
                {"name": "train", "state": {"terminated": {"exitCode": 1, "message": "no"}}}]},
        });
        let group = match kind {
            "Job" => "batch",
            "Pod" => "",
            _ => "apps",
        };
        (ObjectKey::new(group, kind, Some("a--p"), name), object)
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_not_taken_for_absent() {
        let client = kube::Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
        let store = Store::new(crate::cluster::watch::follow::Opener::new(client, std::time::Duration::from_secs(200)));
        let unreadable = crate::cluster::store::Unreadable { error: "unknown field".to_owned(), ..Default::default() };
        store.work_objects(WorkKind::Component).set("a--shared/train", Err(Arc::new(unreadable)));
        let around = InStore(&store);
        let hold = around.component("a--shared", "train").unwrap_err();
        let begin = "Component a--shared/train exists, but this version of Strata cannot read it: unknown field";
        assert!(hold.message.starts_with(begin), "{}", hold.message);
        assert_eq!(around.component("a--shared", "other"), Ok(None));
        assert_eq!(around.components("a--shared"), ["train"]);
    }

    #[test]
    fn a_pod_is_believed_by_the_uid_of_what_controls_it() {
        let by = |uid: &str, kind: &str| json!({"kind": kind, "name": "n", "uid": uid, "controller": true});
        let cache = ObjectCache::default();
        for (key, object) in [
            known("Job", "run-x", &by("uid-of-the-run", "Run")),
            known("Pod", "run-x-1", &by("uid-run-x", "Job")),
            known("Pod", "run-x-forged", &by("another", "Job")),
            known("Pod", "run-x-bare", &Value::Null),
            known("ReplicaSet", "forged", &by("another", "Deployment")),
            known("Pod", "run-x-replica-forged", &by("uid-forged", "ReplicaSet")),
            known("Deployment", "service-x", &Value::Null),
            known("ReplicaSet", "service-x-1", &by("uid-service-x", "Deployment")),
            known("Pod", "run-x-replica", &by("uid-service-x-1", "ReplicaSet")),
        ] {
            cache.observe(&key, &object, WriteStrategy::Apply);
        }
        let id = WorkId { kind: WorkKind::Run, namespace: "a--p".to_owned(), name: "x".to_owned() };
        let pods = pods(&cache.of(&Request::Work(id))).unwrap();
        let said: Vec<_> = pods
            .iter()
            .map(|pod| (pod.name.as_str(), pod.containers[0].ended.as_ref().map_or("", |ended| ended.message.as_str())))
            .collect();
        assert_eq!(said, [("run-x-1", "no"), ("run-x-replica", "no"), ("run-x-replica-forged", "")]);
    }
}
