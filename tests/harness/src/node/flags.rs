//! The configuration of a node's programs: containerd, kubelet and kube-proxy, and
//! the configuration of the network of pods. It starts nothing.

use std::path::Path;

use serde_json::json;

use super::space::{ADDRESS, PODS};
use super::{NAME, PAUSE};
use crate::flags::CommandLine;
use crate::programs::NodePrograms;
use crate::{Error, cluster};

/// Where containerd listens, inside.
pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";
/// The address of the cluster's DNS.
pub(super) const DNS: &str = "10.96.0.10";

/// Writes the files that the programs read.
pub(super) fn write(programs: &NodePrograms, directory: &Path, group: &str) -> Result<(), Error> {
    let network = directory.join("network");
    std::fs::create_dir_all(&network).map_err(Error::file("create", &network))?;
    cluster::write(&network.join("10-pods.conflist"), &pod_network().to_string())?;
    cluster::write(&directory.join("containerd.toml"), &containerd(&programs.shim, &network))?;
    cluster::write(&directory.join("kubelet.json"), &kubelet(directory, group).to_string())?;
    // Pods without the cluster's DNS have no name server.
    cluster::write(&directory.join("resolv.conf"), "# no name server\n")
}

/// containerd alone: images have to be there before pods.
pub(super) fn runtime(programs: &NodePrograms, directory: &Path) -> Vec<CommandLine> {
    let file = directory.join("containerd.toml");
    vec![("containerd", programs.containerd.clone(), vec![format!("--config={}", file.display())])]
}

/// kubelet and kube-proxy.
pub(super) fn command_lines(programs: &NodePrograms, directory: &Path) -> Vec<CommandLine> {
    let file = |flag: &str, name: &str| format!("--{flag}={}", directory.join(name).display());
    let kubelet = vec![
        file("config", "kubelet.json"),
        file("kubeconfig", "kubelet.kubeconfig"),
        format!("--hostname-override={NAME}"),
        format!("--node-ip={ADDRESS}"),
    ];
    let kube_proxy = vec![
        file("kubeconfig", "kube-proxy.kubeconfig"),
        format!("--hostname-override={NAME}"),
        "--proxy-mode=nftables".into(),
        format!("--cluster-cidr={PODS}"),
        // These are the machine's, and cannot be set from a namespace.
        "--conntrack-max-per-core=0".into(),
        "--conntrack-tcp-timeout-established=0".into(),
        "--conntrack-tcp-timeout-close-wait=0".into(),
    ];
    vec![("kubelet", programs.kubelet.clone(), kubelet), ("kube-proxy", programs.kube_proxy.clone(), kube_proxy)]
}

fn kubelet(directory: &Path, group: &str) -> serde_json::Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": directory.join("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{group}"),
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        // The machine's disk is shared with whatever else it does.
        "evictionHard": {
            "memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi", "nodefs.inodesFree": "1%",
        },
        // With control groups of version 1 it would refuse to start.
        "failCgroupV1": false,
        "failSwapOn": false,
        // An imported image that is collected cannot be had again.
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
        "resolvConf": directory.join("resolv.conf"),
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    })
}

fn containerd(shim: &Path, network: &Path) -> String {
    let (shim, network) = (shim.display(), network.display());
    format!(
        r#"version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
address = "{SOCKET}"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE}"

[plugins."io.containerd.cri.v1.runtime"]
# Without it no sandbox starts where processes may not become harder to kill.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "{network}"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
# Else it takes one that it finds on PATH, of whatever version.
runtime_path = "{shim}"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
"#
    )
}

fn pod_network() -> serde_json::Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            // Routed, each pod by an interface of its own: every packet crosses the IP layer, where Services and
            // NetworkPolicies are.
            "type": "ptp",
            "ipam": {
                "type": "host-local", "dataDir": "/run/pod-addresses",
                "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    })
}
