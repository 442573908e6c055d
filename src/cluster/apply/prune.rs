//! Removes objects that are no longer desired, and objects that must not exist.
//!
//! It removes only our objects, by UID and resource version; never a namespace, never a
//! volume under `Retain`, never an object of a held engine.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;

use super::outcome::soonest;
use super::revocation::Revocation;
use super::{Applier, IN_FLIGHT, Outcome};
use crate::api::ObjectKey;
use crate::api::allowed::Allowed;
use crate::api::labels;
use crate::cluster::cache::Entry;
use crate::cluster::watch::Known;

/// How often a binding that breaks glass is checked: the clock may be changed meanwhile,
/// and timers do not follow it.
const GLASS: Duration = Duration::from_secs(3600);

/// What must stay, besides what is desired.
#[derive(Clone, Debug, Default)]
pub struct PruneScope {
    /// What is desired, and what held engines would write.
    pub desired: BTreeSet<ObjectKey>,
    /// Engines that are held, with their namespaces.
    pub held: BTreeSet<(String, String)>,
    /// Namespaces of which only the bindings of people may go.
    pub retained: BTreeSet<String>,
    /// Which claims may go, with what is on their volumes.
    pub claims: Allowed,
}

impl PruneScope {
    /// Whether an object of the team is to be removed.
    #[must_use]
    pub fn prunes(&self, key: &ObjectKey, entry: &Entry) -> bool {
        let never = key.built_in() == "Namespace" || key.is_only_read() || key.name == labels::RECORD;
        // The Jobs of a CronJob are deleted with it.
        let never = never || key.built_in() == "Job" && entry.controller.is_some();
        if never || entry.deleting || !entry.is_ours() || self.desired.contains(key) {
            return false;
        }
        let claim = key.namespace.as_deref().filter(|_| key.built_in() == "PersistentVolumeClaim");
        if claim.is_some_and(|namespace| !self.claims.claim(namespace, &key.name)) {
            return false;
        }
        let Some(namespace) = &key.namespace else {
            let is_engines =
                entry.engine.as_ref().is_some_and(|engine| !self.held.iter().any(|(_, held)| held == engine));
            return is_engines || key.name.starts_with("strata:team:");
        };
        if self.retained.contains(namespace) && key.built_in() != "RoleBinding" {
            return false;
        }
        // The team's own engines are in Backbone and Shared: elsewhere it is an object of
        // a member whose label was removed.
        let place = namespace.strip_prefix(&entry.team).and_then(|rest| rest.strip_prefix("--"));
        if entry.engine.is_some() && place.is_some_and(|place| !matches!(place, "backbone" | "shared")) {
            return false;
        }
        entry.engine.as_ref().is_none_or(|engine| !self.held.contains(&(namespace.clone(), engine.clone())))
    }
}

impl Applier {
    /// Removes the bindings that are no longer desired, before anything else: the removal
    /// of rights must not wait.
    pub async fn prune_bindings(&self, team: &str, keep: &PruneScope, outcome: &mut Outcome) {
        let bindings =
            self.cache.team(team).into_iter().filter(|(key, entry)| is_binding(key) && keep.prunes(key, entry));
        self.remove(bindings.collect(), outcome).await;
    }

    /// Removes everything else that is no longer desired.
    pub async fn prune(&self, team: &str, keep: &PruneScope, outcome: &mut Outcome) {
        let rest = self.cache.team(team).into_iter().filter(|(key, entry)| !is_binding(key) && keep.prunes(key, entry));
        self.remove(rest.collect(), outcome).await;
    }

    /// Removes the objects of a member's object that are no longer desired. Volumes stay:
    /// homes and data outlive their purpose.
    pub async fn prune_work(
        &self,
        written: Vec<(ObjectKey, Entry)>,
        desired: &BTreeSet<ObjectKey>,
        outcome: &mut Outcome,
    ) {
        let rest = written.into_iter().filter(|(key, entry)| {
            let stays = key.is_only_read() || key.built_in() == "PersistentVolumeClaim";
            let stays = stays || key.built_in() == "Job" && entry.controller.is_some();
            !stays && !entry.deleting && entry.is_ours() && !desired.contains(key)
        });
        self.remove(rest.collect(), outcome).await;
    }

    /// Removes exactly this object, if it is still in its known state.
    pub async fn remove_one(&self, key: &ObjectKey, outcome: &mut Outcome) {
        let known = self.cache.get(key).filter(|entry| entry.is_ours() && !entry.deleting);
        self.remove(known.map(|entry| (key.clone(), entry)).into_iter().collect(), outcome).await;
    }

    /// Removes foreign bindings that let people into the team's namespaces: only the
    /// `AITeam` gives people rights. A binding that breaks glass is removed at its time,
    /// and the outcome asks for another pass then.
    pub async fn remove_foreign_bindings(&self, team: &str, namespaces: &BTreeSet<String>, outcome: &mut Outcome) {
        let now = jiff::Timestamp::now();
        let foreign = self.cache.team(team).into_iter().filter(|(key, entry)| {
            key.built_in() == "RoleBinding"
                && !entry.is_ours()
                && !entry.deleting
                && key
                    .namespace
                    .as_ref()
                    .is_some_and(|namespace| namespaces.contains(namespace) && lets_people_in(entry, namespace))
        });
        let (stay, go): (Vec<_>, Vec<_>) = foreign.partition(|(_, entry)| breaks_glass(entry, now).is_some());
        let first = stay.iter().filter_map(|(_, entry)| breaks_glass(entry, now)).min();
        outcome.again = soonest([outcome.again, first]);
        self.remove(go, outcome).await;
    }

    /// Deletes namespaces of ours, each by its UID, with everything in them.
    pub async fn remove_namespaces(&self, team: &str, names: &[String], outcome: &mut Outcome) {
        let all = self.cache.team(team).into_iter();
        let gone = all.filter(|(key, entry)| {
            key.built_in() == "Namespace" && entry.is_ours() && !entry.deleting && names.contains(&key.name)
        });
        self.remove(gone.collect(), outcome).await;
    }

    /// Restores the label of the team on its namespaces: without it the fence refuses to
    /// remove them or their objects. Returns whether one had lost it.
    pub async fn relabel_namespaces(&self, team: &str, outcome: &mut Outcome) -> bool {
        let Some(Known { kind, .. }) = self.watches.kind("", "Namespace") else { return false };
        let mut put_back = false;
        let all = self.cache.team(team).into_iter();
        let strayed = all.filter(|(key, entry)| {
            key.built_in() == "Namespace"
                && entry.is_ours()
                && !entry.deleting
                && entry.state.namespace().is_ok_and(|state| state.strayed)
        });
        for (key, entry) in strayed {
            match self.writer.label(&kind, &key, &entry.uid, team).await {
                Ok(Some(live)) => {
                    self.cache.changed(&key, &live, kind.write_strategy);
                    put_back = true;
                }
                Ok(None) => {}
                Err(failure) => {
                    outcome.not_removed.insert(key, failure);
                }
            }
        }
        put_back
    }

    /// Removes the engines' objects outside of the team's namespaces.
    pub async fn remove_outside(&self, team: &str, outcome: &mut Outcome) {
        let own = format!("{team}--");
        let all = self.cache.team(team).into_iter();
        let outside = all.filter(|(key, entry)| {
            let inside = key.namespace.as_ref().is_some_and(|namespace| namespace.starts_with(&own));
            entry.is_ours() && entry.engine.is_some() && !entry.deleting && !inside
        });
        self.remove(outside.collect(), outcome).await;
    }

    /// Removes every binding of the team: on the way out they go first.
    pub async fn remove_bindings(&self, team: &str, outcome: &mut Outcome) {
        let roles = self.cache.team(team).into_iter().filter(|(key, _)| key.built_in() == "ClusterRole");
        let all = self.cache.bindings(team).into_iter().chain(roles);
        self.remove(all.filter(|(_, entry)| entry.is_ours() && !entry.deleting).collect(), outcome).await;
    }

    /// Removes people from bindings, and bindings that are then empty.
    pub async fn revoke(&self, revocations: Vec<(ObjectKey, Entry, Revocation)>, outcome: &mut Outcome) {
        let mut emptied = Vec::new();
        for (key, entry, revocation) in revocations {
            let Revocation::Keep(subjects) = revocation else {
                emptied.push((key, entry));
                continue;
            };
            let Some(Known { kind, .. }) = self.watches.kind(&key.group, &key.kind) else { continue };
            match self.writer.narrow(&kind, &key, &subjects).await {
                Ok(Some(live)) => self.cache.changed(&key, &live, kind.write_strategy),
                Ok(None) => {}
                Err(failure) => {
                    outcome.not_removed.insert(key, failure);
                }
            }
        }
        self.remove(emptied, outcome).await;
    }

    async fn remove(&self, objects: Vec<(ObjectKey, Entry)>, outcome: &mut Outcome) {
        let removed: Vec<_> = futures::stream::iter(objects)
            .map(|(key, entry)| async move {
                let Known { kind, .. } = self.watches.kind(&key.group, &key.kind)?;
                let result = self.writer.delete(&kind, &key, &entry.uid, Some(entry.version)).await;
                if result.is_ok() {
                    self.cache.deleted(&key, &entry.uid);
                    self.contests.forget(&key);
                }
                Some((key, result))
            })
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await;
        for (key, result) in removed.into_iter().flatten() {
            match result {
                Ok(()) => outcome.removed.push(key),
                Err(failure) => {
                    outcome.not_removed.insert(key, failure);
                }
            }
        }
        outcome.removed.sort();
    }
}

fn is_binding(key: &ObjectKey) -> bool {
    matches!(key.built_in(), "RoleBinding" | "ClusterRoleBinding")
}

/// Whether the binding names people. Of one that cannot be read that is not known.
fn lets_people_in(entry: &Entry, namespace: &str) -> bool {
    let own_accounts = format!("system:serviceaccounts:{namespace}");
    let Ok(binding) = entry.state.binding() else { return false };
    binding.subjects.iter().any(|subject| match subject.kind.as_str() {
        "User" => true,
        "Group" => subject.name != own_accounts,
        _ => false,
    })
}

/// How long the binding still breaks glass, if its annotation names a time in the future.
/// No role of a team may write bindings, so none can write that annotation.
fn breaks_glass(entry: &Entry, now: jiff::Timestamp) -> Option<Duration> {
    let binding = entry.state.binding().ok()?;
    let until = binding.annotations.get(labels::BREAK_GLASS)?;
    let until = until.parse::<jiff::Timestamp>().ok().filter(|until| *until > now)?;
    // Rounded up to what timers count in: a moment too early would be one pass more.
    let left = until.duration_since(now).unsigned_abs() + Duration::from_millis(1);
    Some(left.min(GLASS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kinds::{KINDS, built_in};
    use crate::cluster::cache::ObjectCache;
    use serde_json::{Value, json};

    fn entry(kind: &str, namespace: &str, engine: Option<&str>) -> (ObjectKey, Entry) {
        let cache = ObjectCache::default();
        let mut object = json!({"metadata": {"name": "x", "namespace": namespace, "uid": "u", "resourceVersion": "1",
            "labels": {"strata-operator.dev/team": "a", "strata-operator.dev/team-uid": "t"}}});
        if let Some(engine) = engine {
            object["metadata"]["labels"][labels::ENGINE] = json!(engine);
        }
        let known = KINDS.iter().find(|known| known.kind == kind).unwrap();
        let key = ObjectKey::new(known.group, kind, Some(namespace), "x");
        cache.observe(&key, &object, built_in(known.group, kind).unwrap().write_strategy);
        (key.clone(), cache.get(&key).unwrap())
    }

    #[test]
    fn a_volume_stays_unless_everything_goes() {
        let (key, claim) = entry("PersistentVolumeClaim", "a--shared", Some("mlflow"));
        assert!(!PruneScope::default().prunes(&key, &claim));
        let keep = |claims| PruneScope { claims, ..PruneScope::default() };
        assert!(keep(Allowed::Everything).prunes(&key, &claim));
        assert!(keep(Allowed::Named(["a--shared/x".to_owned()].into())).prunes(&key, &claim));
        assert!(!keep(Allowed::Named(["a--shared".to_owned(), "x".to_owned()].into())).prunes(&key, &claim));
    }

    #[test]
    fn team_prunes_its_own_engine_objects_and_those_outside() {
        for (namespace, goes) in [("a--shared", true), ("a--backbone", true), ("a--p", false), ("a--p--live", false)] {
            let (key, deployment) = entry("Deployment", namespace, Some("jupyterlab"));
            assert_eq!(PruneScope::default().prunes(&key, &deployment), goes, "{namespace}");
        }
        let (key, placed) = entry("Deployment", "a--shared", Some("argo-cd"));
        let key = ObjectKey { namespace: Some("argocd".to_owned()), name: "a--x".to_owned(), ..key };
        assert!(PruneScope::default().prunes(&key, &placed));
    }

    #[test]
    fn nothing_of_a_held_engine_goes() {
        let (key, deployment) = entry("Deployment", "a--shared", Some("mlflow"));
        assert!(PruneScope::default().prunes(&key, &deployment));
        let held = BTreeSet::from([("a--shared".to_owned(), "mlflow".to_owned())]);
        assert!(!PruneScope { held, ..PruneScope::default() }.prunes(&key, &deployment));
    }

    #[test]
    fn of_a_retained_namespace_only_bindings_go() {
        let keep = PruneScope { retained: BTreeSet::from(["a--p".to_owned()]), ..PruneScope::default() };
        let (key, deployment) = entry("Deployment", "a--p", None);
        assert!(!keep.prunes(&key, &deployment));
        let (key, binding) = entry("RoleBinding", "a--p", None);
        assert!(keep.prunes(&key, &binding));
    }

    #[test]
    fn glass_is_broken_until_it_says_and_no_longer() {
        let now: jiff::Timestamp = "2026-11-01T12:00:00Z".parse().unwrap();
        let left = |until: Value| {
            let cache = ObjectCache::default();
            let key = ObjectKey::new("rbac.authorization.k8s.io", "RoleBinding", Some("a--p"), "of-somebody");
            let object = json!({"metadata": {"name": key.name, "namespace": "a--p", "uid": "u", "resourceVersion": "1",
                "annotations": {"strata-operator.dev/break-glass-until": until}}, "subjects": []});
            cache.observe(&key, &object, built_in(&key.group, &key.kind).unwrap().write_strategy);
            breaks_glass(&cache.get(&key).unwrap(), now)
        };
        let seconds = |seconds: u64| Some(Duration::from_millis(1000 * seconds + 1));
        assert_eq!(left(json!("2026-11-01T12:00:30Z")), seconds(30));
        assert_eq!(left(json!("2026-11-01T13:00:05+01:00")), seconds(5));
        assert_eq!(left(json!("9999-12-30T00:00:00Z")), Some(GLASS));
        for over in ["2026-11-01T12:00:00Z", "2026-11-01T11:59:59Z", "tomorrow", "2026-11-02", ""] {
            assert_eq!(left(json!(over)), None, "{over}");
        }
        assert_eq!(left(Value::Null), None);
    }
}
