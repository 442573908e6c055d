//! Autoscalers that Strata did not write. If two autoscalers have the same workload, Kubernetes
//! follows neither, or each undoes the changes of the other.
//!
//! A separate watch follows the autoscalers without the label of a team. In namespaces of teams
//! only their target and their controller are kept; all others are dropped at once. A change
//! triggers a pass of the object for which the target was written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube::runtime::watcher;

use super::follow::{Change, Opener, follow};
use super::health::Health;
use crate::api::identity::team_of;
use crate::api::{ObjectKey, labels};
use crate::cluster::cache::{Entry, ObjectCache};
use crate::cluster::queue::Queue;
use crate::plan::work::autoscaler::Autoscaler;

/// Autoscalers by namespace and name.
type Found = BTreeMap<(String, String), Autoscaler>;

/// The autoscalers of other owners.
pub struct Autoscalers {
    known: Mutex<Known>,
    /// The health of their watch.
    pub health: Arc<Health>,
}

#[derive(Default)]
struct Known {
    found: Found,
    /// The autoscalers of a list that is not complete yet.
    listed: Found,
}

impl Autoscalers {
    /// Knows no autoscalers until [`Self::follow`] lists them.
    #[must_use]
    pub fn new(opener: &Opener) -> Self {
        let name = "horizontalpodautoscalers.autoscaling (of other owners)";
        Self { known: Mutex::default(), health: opener.health(name) }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Entries are added one by one, so a panic leaves none half-written.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The autoscalers in a namespace with a target for which `is_one` is true.
    pub fn over(&self, namespace: &str, is_one: impl Fn(&ObjectKey) -> bool) -> Vec<Autoscaler> {
        let known = self.lock();
        let from = (namespace.to_owned(), String::new());
        let here = known.found.range(from..).take_while(|((of, _), _)| of == namespace).map(|(_, found)| found);
        here.filter(|found| is_one(&found.target)).cloned().collect()
    }

    /// Follows the autoscalers of other owners in the cluster.
    pub async fn follow(&self, opener: &Opener, cache: &ObjectCache, queue: &Queue) {
        let config = watcher::Config::default().labels(&format!("!{}", labels::TEAM));
        follow(opener, Api::<HorizontalPodAutoscaler>::all, config, &self.health, |change| {
            // The last known autoscalers are used while the watch fails.
            let Change::Event(event) = change else { return };
            for target in self.take(event) {
                if let Some(entry) = cache.get(&target).filter(Entry::is_ours) {
                    queue.add(entry.work);
                }
            }
        })
        .await;
    }

    /// Applies an event, and returns the targets whose autoscalers changed.
    fn take(&self, event: watcher::Event<HorizontalPodAutoscaler>) -> Vec<ObjectKey> {
        let mut known = self.lock();
        match event {
            watcher::Event::Init => {
                known.listed.clear();
                Vec::new()
            }
            watcher::Event::InitApply(object) => {
                known.listed.extend(read(&object));
                Vec::new()
            }
            watcher::Event::InitDone => {
                let listed = std::mem::take(&mut known.listed);
                let before = std::mem::replace(&mut known.found, listed);
                let gone = before.iter().filter(|(at, found)| known.found.get(at) != Some(found));
                let new = known.found.iter().filter(|(at, found)| before.get(at) != Some(found));
                gone.chain(new).map(|(_, found)| found.target.clone()).collect()
            }
            watcher::Event::Apply(object) => {
                let Some((at, now)) = read(&object) else { return Vec::new() };
                let before = known.found.insert(at, now.clone());
                if before.as_ref() == Some(&now) {
                    return Vec::new();
                }
                before.into_iter().chain([now]).map(|found| found.target).collect()
            }
            watcher::Event::Delete(object) => {
                let gone = read(&object).and_then(|(at, _)| known.found.remove(&at));
                gone.into_iter().map(|found| found.target).collect()
            }
        }
    }
}

/// The autoscaler with its namespace and name, if the namespace belongs to a team.
fn read(object: &HorizontalPodAutoscaler) -> Option<((String, String), Autoscaler)> {
    let (namespace, name) = (object.metadata.namespace.clone()?, object.metadata.name.clone()?);
    team_of(&namespace)?;
    let target = &object.spec.scale_target_ref;
    let version = target.api_version.as_deref().unwrap_or_default();
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    let target = ObjectKey::new(group, &target.kind, Some(&namespace), &target.name);
    let controller = object.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let made_by = controller.map(|by| format!("{} {}", by.kind, by.name));
    let found = Autoscaler { name: name.clone(), target, made_by };
    Some(((namespace, name), found))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scaler(namespace: &str, name: &str, target: &str) -> HorizontalPodAutoscaler {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": target});
        let owner = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "s", "uid": "u", "controller": true});
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": namespace, "ownerReferences": [owner]},
            "spec": {"scaleTargetRef": target, "maxReplicas": 3},
        }))
        .unwrap()
    }

    fn none() -> Autoscalers {
        let service = tower::service_fn(|_| async { Err::<http::Response<kube::client::Body>, _>("no cluster") });
        Autoscalers::new(&Opener::new(kube::Client::new(service, "default"), std::time::Duration::MAX))
    }

    fn target(name: &str) -> ObjectKey {
        ObjectKey::new("apps", "Deployment", Some("a--p--live"), name)
    }

    fn names(all: &Autoscalers, of: &str) -> Vec<String> {
        all.over("a--p--live", |key| *key == target(of)).into_iter().map(|found| found.name).collect()
    }

    #[tokio::test]
    async fn only_a_change_wakes_who_has_the_target() {
        let all = none();
        let of = |name: &str, target: &str| watcher::Event::Apply(scaler("a--p--live", name, target));
        assert_eq!(all.take(of("mine", "service-x")), [target("service-x")]);
        assert!(all.take(of("mine", "service-x")).is_empty(), "what it measured is no news");
        assert!(all.take(watcher::Event::Apply(scaler("default", "mine", "service-x"))).is_empty());
        assert_eq!(all.take(of("mine", "service-y")), [target("service-x"), target("service-y")]);
        assert_eq!((names(&all, "service-x"), names(&all, "service-y")), (Vec::new(), vec!["mine".to_owned()]));
        assert_eq!(all.over("a--p--live", |_| true)[0].made_by.as_deref(), Some("ScaledObject s"));
        let gone = watcher::Event::Delete(scaler("a--p--live", "mine", "service-y"));
        assert_eq!(all.take(gone), [target("service-y")]);
        assert!(names(&all, "service-y").is_empty());
    }

    #[tokio::test]
    async fn a_new_list_forgets_what_it_does_not_name() {
        let all = none();
        for name in ["first", "second"] {
            drop(all.take(watcher::Event::Apply(scaler("a--p--live", name, name))));
        }
        assert!(all.take(watcher::Event::Init).is_empty());
        assert!(all.take(watcher::Event::InitApply(scaler("a--p--live", "second", "second"))).is_empty());
        assert!(all.take(watcher::Event::InitApply(scaler("a--p--live", "third", "third"))).is_empty());
        assert_eq!(names(&all, "first"), ["first"], "until the list is complete");
        assert_eq!(all.take(watcher::Event::InitDone), [target("first"), target("third")]);
        assert!(names(&all, "first").is_empty());
        assert_eq!(names(&all, "third"), ["third"]);
    }
}
