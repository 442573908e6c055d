//! Volumes of the node: what a storage driver does elsewhere. For every claim that
//! a pod waits for it makes a file of the claim's size, a file system in it, and a
//! `PersistentVolume` of kind `local`; when the claim is gone, so are they. Such
//! volumes are written by the group that a pod asks for (`fsGroup`), and they are
//! full when they are full; host paths are neither. It only ever touches claims of
//! its own class, and volumes that it made.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::NAME;
use super::space::Entrance;
use crate::{Error, cluster};

/// The default class of claims.
pub const CLASS: &str = "disk";

/// Who makes volumes of this class.
const PROVISIONER: &str = "strata-operator.dev/node-volumes";

/// How long to rest after something failed.
const RETRY: Duration = Duration::from_secs(5);

/// Where they are, inside.
const FOLDER: &str = "/var/lib/volumes";

/// The class, for the beginning of a node.
pub(super) fn class() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": PROVISIONER, "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
    })
}

/// Makes and removes volumes until it is dropped: a thread of its own, because tests each have a runtime of their own.
#[derive(Debug)]
pub(super) struct Provisioner {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Provisioner {
    pub(super) fn start(kubeconfig: &Path, entrance: Entrance) -> Result<Self, Error> {
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
                    () = provide(file, entrance) => {}
                }
            });
        });
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Provisioner {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Looks at everything whenever a claim or a volume changed.
async fn provide(file: Kubeconfig, entrance: Entrance) {
    let Ok(mut config) = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await else {
        return;
    };
    config.proxy_url = None;
    let Ok(client) = Client::try_from(config) else {
        return;
    };
    let claims = watcher::watcher(Api::<PersistentVolumeClaim>::all(client.clone()), watcher::Config::default());
    let volumes = watcher::watcher(Api::<PersistentVolume>::all(client.clone()), watcher::Config::default());
    let claims = claims.default_backoff().map(|event| event.map(drop));
    let volumes = volumes.default_backoff().map(|event| event.map(drop));
    let mut changes = pin!(stream::select(claims, volumes).ready_chunks(100));
    loop {
        // Without a change too: what failed is tried again.
        let _ = tokio::time::timeout(RETRY, changes.next()).await;
        if let Err(error) = look(&client, entrance).await {
            eprintln!("volumes of the node: {error}");
        }
    }
}

async fn look(client: &Client, entrance: Entrance) -> Result<(), Error> {
    let every = ListParams::default();
    let claims = Api::<PersistentVolumeClaim>::all(client.clone()).list(&every).await;
    let volumes = Api::<PersistentVolume>::all(client.clone());
    let present = volumes.list(&every).await.map_err(Error::api("cannot list volumes"))?;
    for claim in claims.map_err(Error::api("cannot list claims"))?.items.iter().filter(|claim| waits(claim)) {
        let name = format!("pvc-{}", claim.uid().unwrap_or_default());
        if present.iter().all(|volume| volume.name_any() != name) {
            make(entrance, &name, &size(claim)?).await?;
            let volume = volume(&name, claim)?;
            volumes.create(&PostParams::default(), &volume).await.map_err(Error::api("cannot create a volume"))?;
        }
    }
    for volume in present.iter().filter(|volume| is_left(volume)) {
        let name = volume.name_any();
        remove(entrance, &name).await?;
        volumes.delete(&name, &DeleteParams::default()).await.map_err(Error::api("cannot delete a volume"))?;
    }
    Ok(())
}

/// Whether a pod that is to run here waits for this claim.
fn waits(claim: &PersistentVolumeClaim) -> bool {
    let Some(spec) = &claim.spec else { return false };
    let selected = claim.annotations().get("volume.kubernetes.io/selected-node");
    spec.storage_class_name.as_deref() == Some(CLASS)
        && spec.volume_name.as_deref().unwrap_or_default().is_empty()
        && selected.is_some_and(|node| node == NAME)
}

/// Whether this volume has no claim and need not be kept.
fn is_left(volume: &PersistentVolume) -> bool {
    let ours = volume.annotations().get("pv.kubernetes.io/provisioned-by").is_some_and(|by| by == PROVISIONER);
    let deleted = volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    ours && deleted == Some("Delete") && phase == Some("Released") && volume.metadata.deletion_timestamp.is_none()
}

/// The requested size of the claim, as Kubernetes writes it (`10Gi`).
fn size(claim: &PersistentVolumeClaim) -> Result<u64, Error> {
    let asked = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage"));
    let text = asked.map(|quantity| quantity.0.as_str()).unwrap_or_default();
    bytes(text).ok_or_else(|| Error::Unreadable {
        what: format!("the size `{text}` of a claim"),
        reason: "no quantity".into(),
    })
}

fn bytes(quantity: &str) -> Option<u64> {
    const SUFFIXES: [(&str, u64); 9] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("", 1),
    ];
    let (number, factor) =
        SUFFIXES.iter().find_map(|(suffix, factor)| Some((quantity.strip_suffix(suffix)?, factor)))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn volume(name: &str, claim: &PersistentVolumeClaim) -> Result<PersistentVolume, Error> {
    let spec = claim.spec.as_ref();
    let node = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [NAME]});
    serde_json::from_value(json!({
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "accessModes": spec.and_then(|spec| spec.access_modes.as_ref()),
            "capacity": spec.and_then(|spec| spec.resources.as_ref()?.requests.as_ref()),
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "namespace": claim.namespace(), "name": claim.name_any(), "uid": claim.uid(),
            },
            "local": {"path": format!("{FOLDER}/{name}")},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [node]}]}},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": CLASS,
        },
    }))
    .map_err(|error| Error::Unreadable { what: "a volume".into(), reason: error.to_string() })
}

/// A file of that size, a file system in it, and a folder where it is mounted.
async fn make(entrance: Entrance, name: &str, size: &u64) -> Result<(), Error> {
    let (folder, file) = (format!("{FOLDER}/{name}"), format!("{FOLDER}/{name}.ext4"));
    // Tried before, and not to the end.
    remove(entrance, name).await?;
    run(entrance, "mkdir", &[&folder]).await?;
    run(entrance, "truncate", &["--size", &size.to_string(), &file]).await?;
    // No journal: its data does not outlive the node, and it would fill small volumes.
    let options = ["-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard"];
    run(entrance, "mkfs.ext4", &[&options[..], &[&file]].concat()).await?;
    run(entrance, "mount", &["-o", "loop", &file, &folder]).await
}

async fn remove(entrance: Entrance, name: &str) -> Result<(), Error> {
    let (folder, file) = (format!("{FOLDER}/{name}"), format!("{FOLDER}/{name}.ext4"));
    // Not mounted, or in the last moment of a pod that is on its way out: then the kernel ends it with the pod.
    let _ = run(entrance, "umount", &["--lazy", &folder]).await;
    run(entrance, "rm", &["--recursive", "--force", &folder, &file]).await
}

async fn run(entrance: Entrance, program: &str, args: &[&str]) -> Result<(), Error> {
    cluster::run(entrance.inside(program, args), None).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(spec: &Value, node: Option<&str>) -> PersistentVolumeClaim {
        let annotations = node.map(|node| json!({"volume.kubernetes.io/selected-node": node}));
        serde_json::from_value(json!({"metadata": {"name": "a", "annotations": annotations}, "spec": spec})).unwrap()
    }

    #[test]
    fn a_claim_is_served_when_its_pod_is_to_run_here() {
        let asked = json!({"storageClassName": CLASS, "resources": {"requests": {"storage": "10Gi"}}});
        assert!(waits(&claim(&asked, Some(NAME))));
        assert!(!waits(&claim(&asked, None)), "no pod yet");
        assert!(!waits(&claim(&asked, Some("elsewhere"))));
        assert!(!waits(&claim(&json!({"storageClassName": CLASS, "volumeName": "pvc-1"}), Some(NAME))), "has one");
        assert!(!waits(&claim(&json!({"storageClassName": "theirs"}), Some(NAME))));
        assert_eq!(size(&claim(&asked, None)).unwrap(), 10 << 30);
    }

    #[test]
    fn sizes_are_read_as_kubernetes_writes_them() {
        assert_eq!(bytes("64Mi"), Some(64 << 20));
        assert_eq!(bytes("2G"), Some(2_000_000_000));
        assert_eq!(bytes("4096"), Some(4096));
        assert_eq!(bytes("1.5Gi"), None);
        assert_eq!(bytes(""), None);
    }

    #[test]
    fn only_what_is_left_over_and_ours_is_removed() {
        let volume = |by: &str, policy: &str, phase: &str| {
            let volume = json!({
                "metadata": {"name": "a", "annotations": {"pv.kubernetes.io/provisioned-by": by}},
                "spec": {"persistentVolumeReclaimPolicy": policy}, "status": {"phase": phase},
            });
            is_left(&serde_json::from_value(volume).unwrap())
        };
        assert!(volume(PROVISIONER, "Delete", "Released"));
        assert!(!volume(PROVISIONER, "Delete", "Bound"));
        assert!(!volume(PROVISIONER, "Retain", "Released"));
        assert!(!volume("theirs", "Delete", "Released"));
    }
}
