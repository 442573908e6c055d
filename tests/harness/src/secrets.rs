//! The part of a kubelet that kwok has not: a pod whose Secret is missing does not
//! start. It writes one annotation, `simulate/secrets`, on pods that name Secrets
//! they cannot do without: `present`, or which one is missing; the stages of
//! `tests/control-plane/stages/pod.yaml` do the rest. It reads nothing in a Secret
//! but its name, and touches no pod that already runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::pin::pin;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Config};
use serde_json::json;
use tokio::sync::oneshot;

use crate::Error;

/// The annotation that the stages read.
const ANNOTATION: &str = "simulate/secrets";

/// Namespace and name.
type Key = (String, String);

/// A thread of its own, because tests each have a runtime of their own.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Keeper {
    pub(crate) fn start(kubeconfig: &Path) -> Result<Self, Error> {
        let unusable = |reason: String| Error::Kubeconfig { path: kubeconfig.to_path_buf(), reason };
        let file = Kubeconfig::read_from(kubeconfig).map_err(|error| unusable(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::file("make a runtime for", kubeconfig))?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = keep(file) => {}
                }
            });
        });
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn keep(file: Kubeconfig) {
    let Ok(mut config) = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await else {
        return;
    };
    config.proxy_url = None;
    let Ok(client) = Client::try_from(config) else {
        return;
    };
    let secrets = watcher::watcher(Api::<PartialObjectMeta<Secret>>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .map(|event| event.map(|event| Seen::Secret(Box::new(event))));
    let pods = watcher::watcher(Api::<Pod>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .map(|event| event.map(|event| Seen::Pod(Box::new(event))));
    let mut events = pin!(stream::select(secrets, pods));
    let mut node = Node::default();
    while let Some(event) = events.next().await {
        let Ok(event) = event else { continue };
        node.see(event);
        for ((namespace, name), verdict) in node.verdicts() {
            let patch = json!({"metadata": {"annotations": {ANNOTATION: verdict}}});
            let pods = Api::<Pod>::namespaced(client.clone(), &namespace);
            match pods.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
                // A deleted pod needs no verdict.
                Ok(_) => node.reported.insert((namespace, name), verdict),
                Err(kube::Error::Api(refused)) if refused.code == 404 => {
                    node.reported.insert((namespace, name), verdict)
                }
                Err(_) => None,
            };
        }
    }
}

enum Seen {
    Secret(Box<watcher::Event<PartialObjectMeta<Secret>>>),
    Pod(Box<watcher::Event<Pod>>),
}

/// The known Secrets, and the pods that have not started.
#[derive(Default)]
struct Node {
    secrets: BTreeSet<Key>,
    secrets_listed: bool,
    waiting: BTreeMap<Key, BTreeSet<String>>,
    reported: BTreeMap<Key, String>,
}

impl Node {
    fn see(&mut self, seen: Seen) {
        use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
        match seen {
            Seen::Secret(event) => match *event {
                Apply(secret) | InitApply(secret) => {
                    self.secrets.insert(key(&secret));
                }
                Delete(secret) => {
                    self.secrets.remove(&key(&secret));
                }
                Init => self.secrets.clear(),
                InitDone => self.secrets_listed = true,
            },
            Seen::Pod(event) => match *event {
                Apply(pod) | InitApply(pod) => self.see_pod(&pod),
                Delete(pod) => self.forget(&key(&pod)),
                Init => self.waiting.clear(),
                InitDone => {}
            },
        }
    }

    fn see_pod(&mut self, pod: &Pod) {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let wanted = secrets_of(pod);
        if wanted.is_empty() || phase.is_some_and(|phase| phase != "Pending") {
            self.forget(&key(pod));
        } else {
            self.waiting.insert(key(pod), wanted);
        }
    }

    fn forget(&mut self, pod: &Key) {
        self.waiting.remove(pod);
        self.reported.remove(pod);
    }

    /// The missing annotations of pods.
    fn verdicts(&self) -> Vec<(Key, String)> {
        if !self.secrets_listed {
            return Vec::new();
        }
        let verdict = |(namespace, _): &Key, wanted: &BTreeSet<String>| {
            wanted
                .iter()
                .find(|name| !self.secrets.contains(&(namespace.clone(), (*name).clone())))
                .map_or_else(|| "present".to_owned(), |name| format!("secret \"{name}\" not found"))
        };
        self.waiting
            .iter()
            .map(|(pod, wanted)| (pod.clone(), verdict(pod, wanted)))
            .filter(|(pod, verdict)| self.reported.get(pod) != Some(verdict))
            .collect()
    }
}

fn key(object: &impl kube::Resource) -> Key {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// The Secrets that a pod cannot start without.
fn secrets_of(pod: &Pod) -> BTreeSet<String> {
    let Some(spec) = &pod.spec else {
        return BTreeSet::new();
    };
    let containers = || spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let from = containers()
        .flat_map(|container| container.env_from.iter().flatten())
        .filter_map(|source| source.secret_ref.as_ref())
        .map(|secret| (secret.name.clone(), secret.optional));
    let variables = containers()
        .flat_map(|container| container.env.iter().flatten())
        .filter_map(|variable| variable.value_from.as_ref()?.secret_key_ref.as_ref())
        .map(|secret| (secret.name.clone(), secret.optional));
    let volumes = spec
        .volumes
        .iter()
        .flatten()
        .filter_map(|volume| volume.secret.as_ref())
        .map(|secret| (secret.secret_name.clone().unwrap_or_default(), secret.optional));
    from.chain(variables).chain(volumes).filter(|(_, optional)| *optional != Some(true)).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(phase: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"namespace": "n", "name": "p"},
            "spec": {"containers": [{
                "name": "c",
                "envFrom": [{"secretRef": {"name": "a"}}, {"secretRef": {"name": "maybe", "optional": true}}],
                "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "b", "key": "k"}}}],
            }]},
            "status": {"phase": phase},
        }))
        .unwrap()
    }

    fn secret(name: &str) -> PartialObjectMeta<Secret> {
        serde_json::from_value(json!({"metadata": {"namespace": "n", "name": name}})).unwrap()
    }

    fn pod_event(phase: &str) -> Seen {
        Seen::Pod(Box::new(watcher::Event::Apply(pod(phase))))
    }

    fn secret_event(event: watcher::Event<PartialObjectMeta<Secret>>) -> Seen {
        Seen::Secret(Box::new(event))
    }

    #[test]
    fn names_the_first_secret_that_is_missing() {
        let mut node = Node::default();
        node.see(pod_event("Pending"));
        assert!(node.verdicts().is_empty(), "Secrets are not yet known");
        node.see(secret_event(watcher::Event::InitApply(secret("a"))));
        node.see(secret_event(watcher::Event::InitDone));
        let verdicts = node.verdicts();
        assert_eq!(verdicts, [(("n".into(), "p".into()), "secret \"b\" not found".into())]);
        node.reported.extend(verdicts);
        assert!(node.verdicts().is_empty(), "reported once");
        node.see(secret_event(watcher::Event::Apply(secret("b"))));
        assert_eq!(node.verdicts()[0].1, "present");
    }

    #[test]
    fn a_running_pod_is_left_alone() {
        let mut node = Node { secrets_listed: true, ..Node::default() };
        node.see(pod_event("Running"));
        assert!(node.verdicts().is_empty());
    }
}
