//! Counts over members' objects, updated with each change so that nobody has to read all
//! of them: the ended runs in their order, and the engines in use in each team.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Change;
use super::expiring::{Due, Expiring};
use crate::api::identity::team_of;
use crate::api::work::Workbench;
use crate::plan::work::Object;
use crate::plan::work::run::has_ended;

/// A namespace and a pipeline in it.
type Of = (String, String);

#[derive(Debug, Default)]
struct Index {
    /// The ended runs by pipeline, the oldest first; within one second, by name.
    ended: BTreeMap<Of, BTreeSet<(Time, String)>>,
    /// Those of them that speak of a Job.
    with_job: BTreeMap<Of, BTreeSet<(Time, String)>>,
    /// All that ended, by the time at which they are to be deleted.
    expiring: Expiring,
    /// The workbenches by namespace and owner, the oldest first.
    workbenches: BTreeMap<Of, BTreeSet<(Option<Time>, String)>>,
    /// How many objects each engine provides, by team.
    engines: BTreeMap<String, BTreeMap<String, usize>>,
}

/// What is counted over the work objects.
#[derive(Debug, Default)]
pub struct WorkIndex {
    index: RwLock<Index>,
}

impl WorkIndex {
    /// How many runs of the pipeline ended after this one, counted up to a limit; none
    /// while it runs.
    #[must_use]
    pub fn newer_ended(&self, namespace: &str, pipeline: &str, run: (&Time, &str), limit: usize) -> usize {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let Some(ended) = index.ended.get(&(namespace.to_owned(), pipeline.to_owned())) else { return 0 };
        let own = (run.0.clone(), run.1.to_owned());
        ended.range(own.clone()..).filter(|other| **other != own).take(limit).count()
    }

    /// The runs of the pipeline that ended and have a Job, without this many of the
    /// newest. They are few: a deleted Job is removed from the status.
    #[must_use]
    pub fn outnumbered(&self, namespace: &str, pipeline: &str, keep: usize) -> Vec<String> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let of = (namespace.to_owned(), pipeline.to_owned());
        let newest = index.ended.get(&of).and_then(|ended| ended.iter().rev().nth(keep));
        let (Some(newest), Some(with_job)) = (newest, index.with_job.get(&of)) else { return Vec::new() };
        with_job.range(..=newest.clone()).map(|(_, name)| name.clone()).collect()
    }

    /// How many other workbenches of its owner are older, in its namespace, counted up to a limit.
    #[must_use]
    pub fn older_workbenches(&self, namespace: &str, workbench: &Workbench, limit: usize) -> usize {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let Some(all) = index.workbenches.get(&(namespace.to_owned(), workbench.spec.owner.clone())) else { return 0 };
        all.range(..age(workbench)).take(limit).count()
    }

    /// The runs of the team that are due for deletion, at most this many; `default` is how
    /// long a run stays that sets no time.
    #[must_use]
    pub fn due(&self, team: &str, now: i64, default: Option<i64>, most: usize, may: impl Fn(&str) -> bool) -> Due {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.expiring.due(team, now, default, most, may)
    }

    /// Whether the engine provides anything in the team's work.
    #[must_use]
    pub fn uses(&self, team: &str, engine: &str) -> bool {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.engines.get(team).is_some_and(|engines| engines.contains_key(engine))
    }

    /// The engines that provide something in the team's work.
    #[must_use]
    pub fn engines(&self, team: &str) -> BTreeSet<String> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.engines.get(team).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// Takes note of a change.
    pub(crate) fn take(&self, change: &Change<'_, Object>) {
        let Some((namespace, name)) = change.key.split_once('/') else { return };
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(before)) = change.before {
            index.leave(namespace, name, before);
        }
        if let Some(Ok(after)) = change.after {
            index.enter(namespace, name, after);
        }
    }
}

impl Index {
    fn enter(&mut self, namespace: &str, name: &str, object: &Object) {
        if let Some(team) = team_of(namespace) {
            self.expiring.enter(team, &format!("{namespace}/{name}"), object);
        }
        if let Object::Workbench(workbench) = object {
            let of = (namespace.to_owned(), workbench.spec.owner.clone());
            self.workbenches.entry(of).or_default().insert(age(workbench));
        }
        if let Some((pipeline, finished)) = end(object) {
            let of = (namespace.to_owned(), pipeline.to_owned());
            let run = (finished.clone(), name.to_owned());
            if speaks_of_job(object) {
                self.with_job.entry(of.clone()).or_default().insert(run.clone());
            }
            self.ended.entry(of).or_default().insert(run);
        }
        if let (Some(team), Some(engine)) = (team_of(namespace), provided_by(object)) {
            *self.engines.entry(team.to_owned()).or_default().entry(engine.to_owned()).or_default() += 1;
        }
    }

    fn leave(&mut self, namespace: &str, name: &str, object: &Object) {
        if let Some(team) = team_of(namespace) {
            self.expiring.leave(team, &format!("{namespace}/{name}"), object);
        }
        if let Object::Workbench(workbench) = object {
            let of = (namespace.to_owned(), workbench.spec.owner.clone());
            if let Some(all) = self.workbenches.get_mut(&of) {
                all.remove(&age(workbench));
                if all.is_empty() {
                    self.workbenches.remove(&of);
                }
            }
        }
        if let Some((pipeline, finished)) = end(object) {
            let of = (namespace.to_owned(), pipeline.to_owned());
            let run = (finished.clone(), name.to_owned());
            for all in [&mut self.ended, &mut self.with_job] {
                let Some(runs) = all.get_mut(&of) else { continue };
                runs.remove(&run);
                if runs.is_empty() {
                    all.remove(&of);
                }
            }
        }
        let (Some(team), Some(engine)) = (team_of(namespace), provided_by(object)) else { return };
        let Some(engines) = self.engines.get_mut(team) else { return };
        if let Some(count) = engines.get_mut(engine) {
            *count -= 1;
            if *count == 0 {
                engines.remove(engine);
            }
        }
        if engines.is_empty() {
            self.engines.remove(team);
        }
    }
}

/// What tells an older workbench from a newer one.
fn age(workbench: &Workbench) -> (Option<Time>, String) {
    let metadata = &workbench.metadata;
    (metadata.creation_timestamp.clone(), metadata.name.clone().unwrap_or_default())
}

/// The pipeline of a run that ended, and when it did.
fn end(object: &Object) -> Option<(&str, &Time)> {
    let Object::Run(run) = object else { return None };
    Some((&run.spec.pipeline, run.status.as_ref()?.end()?))
}

fn speaks_of_job(object: &Object) -> bool {
    matches!(object, Object::Run(run) if run.status.as_ref().is_some_and(|status| status.job.is_some()))
}

/// The engine that provides an object which may still be changed.
fn provided_by(object: &Object) -> Option<&str> {
    let ended = matches!(object, Object::Run(run) if run.status.as_ref().is_some_and(has_ended));
    object.recorded_engine().filter(|_| !ended).map(|engine| engine.name.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::work::WorkKind;
    use crate::cluster::store::Known;
    use serde_json::json;

    #[allow(clippy::unnecessary_wraps, reason = "a store keeps it so")]
    fn run(second: u32) -> Known<Object> {
        let run = json!({
            "metadata": {"name": "r"}, "spec": {"pipeline": "p"},
            "status": {"state": "Succeeded", "completionTime": format!("2026-11-01T00:00:{second:02}Z"), "job": (second != 1).then_some("run-r"),
                "engine": {"name": "jobs", "revision": "1"}},
        });
        Ok(Arc::new(Object::read(WorkKind::Run, &run).unwrap()))
    }

    fn change<'a>(
        key: &'a str,
        before: Option<&'a Known<Object>>,
        after: Option<&'a Known<Object>>,
    ) -> Change<'a, Object> {
        Change { key, before, after, others: false, first: false }
    }

    fn newer(index: &WorkIndex, second: i64, name: &str, limit: usize) -> usize {
        let begin: k8s_openapi::jiff::Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let finished = Time(k8s_openapi::jiff::Timestamp::from_second(begin.as_second() + second).unwrap());
        index.newer_ended("a--p", "p", (&finished, name), limit)
    }

    #[test]
    fn ended_runs_are_counted_as_they_come_and_go() {
        let index = WorkIndex::default();
        let runs: Vec<Known<Object>> = (0..5).map(run).collect();
        for (number, run) in runs.iter().enumerate() {
            index.take(&change(&format!("a--p/r{number}"), None, Some(run)));
        }
        assert_eq!((newer(&index, 0, "r0", 10), newer(&index, 0, "r0", 2), newer(&index, 4, "r4", 10)), (4, 2, 0));
        // Of r1, the Job is gone already.
        assert_eq!(index.outnumbered("a--p", "p", 2), ["r0", "r2"]);
        assert_eq!(index.outnumbered("a--p", "p", 4), ["r0"]);
        assert!(index.outnumbered("a--p", "p", 5).is_empty());
        index.take(&change("a--p/r3", Some(&runs[3]), None));
        assert_eq!(newer(&index, 0, "r0", 10), 3);
        assert!(index.outnumbered("a--p", "other", 0).is_empty());
        // What ended uses no engine any more.
        assert!(!index.uses("a", "jobs"));
    }

    #[test]
    fn workbenches_are_counted_by_their_owner_and_age() {
        let index = WorkIndex::default();
        let bench = |owner: &str, name: &str, minute: u32| {
            let bench = json!({
                "metadata": {"name": name, "creationTimestamp": format!("2026-11-01T00:{minute:02}:00Z")},
                "spec": {"owner": owner, "image": "scipy"},
            });
            Object::read(WorkKind::Workbench, &bench).unwrap()
        };
        let all = [bench("ana", "a", 2), bench("ana", "b", 1), bench("ana", "c", 1), bench("bo", "d", 0)];
        for object in &all {
            let name = object.metadata().name.clone().unwrap();
            index.take(&change(&format!("a--p/{name}"), None, Some(&Ok(Arc::new(object.clone())))));
        }
        let older = |object: &Object, place: &str, limit: usize| {
            let Object::Workbench(workbench) = object else { panic!("{object:?}") };
            index.older_workbenches(place, workbench, limit)
        };
        assert_eq!(all.each_ref().map(|object| older(object, "a--p", 9)), [2, 0, 1, 0]);
        assert_eq!((older(&all[0], "a--p", 1), older(&all[0], "a--q", 9)), (1, 0));
        index.take(&change("a--p/b", Some(&Ok(Arc::new(all[1].clone()))), None));
        assert_eq!(older(&all[0], "a--p", 9), 1);
    }

    #[test]
    fn an_engine_is_in_use_while_anything_names_it() {
        let index = WorkIndex::default();
        let bench = json!({
            "metadata": {"name": "w"}, "spec": {"owner": "ana", "image": "scipy"},
            "status": {"engine": {"name": "lab", "revision": "1"}},
        });
        let bench: Known<Object> = Ok(Arc::new(Object::read(WorkKind::Workbench, &bench).unwrap()));
        index.take(&change("a--p/w", None, Some(&bench)));
        index.take(&change("a--p/v", None, Some(&bench)));
        index.take(&change("a--p/w", Some(&bench), None));
        assert!(index.uses("a", "lab") && !index.uses("b", "lab"));
        assert_eq!((index.engines("a"), index.engines("b")), (BTreeSet::from(["lab".to_owned()]), BTreeSet::new()));
        index.take(&change("a--p/v", Some(&bench), None));
        assert!(!index.uses("a", "lab"));
    }
}
