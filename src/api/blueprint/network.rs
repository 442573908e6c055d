//! Ways out of a namespace, and into it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{rules, schema};

/// Ways out of a namespace, and the settings to use them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::egress()))]
pub struct EgressProfile {
    /// The profile's name. Teams choose it under `backbone.egress`.
    #[schemars(schema_with = "schema::profile_name")]
    pub name: String,
    /// Where the ways lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub to: Vec<EgressPeer>,
    /// The ports; absent, all ports of all protocols.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub ports: Vec<EgressPort>,
    /// Settings that the users of the profile need: proxies, package indexes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::environment")]
    pub env: BTreeMap<String, String>,
}

/// Where a way leads: a block of addresses, or pods of this cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::egress_peer()))]
pub struct EgressPeer {
    /// A block of addresses outside this cluster. The metadata addresses of nodes are never reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cidr")]
    pub cidr: Option<String>,
    /// A namespace of this cluster, but not of a team: teams offer their services under `shared.offers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::site_namespace")]
    pub namespace: Option<String>,
    /// Labels of the pods in that namespace; absent, all of its pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::pod_labels")]
    pub pod_labels: BTreeMap<String, String>,
}

/// A port, or a range of ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::egress_port()))]
pub struct EgressPort {
    /// The port, or the first one of a range.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// The last port of the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub end_port: Option<i32>,
    /// The protocol.
    #[serde(default)]
    #[schemars(default = "Protocol::default")]
    pub protocol: Protocol,
}

/// A protocol of ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// Connections.
    #[default]
    Tcp,
    /// Single packets.
    Udp,
    /// Connections of several streams.
    Sctp,
}

impl Protocol {
    /// The word of Kubernetes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// Where the name servers of the cluster are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dns {
    /// The namespace of the name servers: `kube-system`, or `openshift-dns` on OpenShift.
    #[serde(default = "dns_namespace")]
    #[schemars(schema_with = "schema::site_namespace")]
    pub namespace: String,
    /// Labels of the pods in that namespace; absent, all of its pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::pod_labels")]
    pub pod_labels: BTreeMap<String, String>,
    /// Their ports, over UDP and TCP: the ports of the pods, not of the Service. `[5353]` on OpenShift.
    #[serde(default = "dns_ports")]
    #[schemars(schema_with = "schema::dns_ports")]
    pub ports: Vec<i32>,
}

impl Default for Dns {
    fn default() -> Self {
        Self { namespace: dns_namespace(), pod_labels: BTreeMap::new(), ports: dns_ports() }
    }
}

fn dns_namespace() -> String {
    "kube-system".to_owned()
}

fn dns_ports() -> Vec<i32> {
    vec![53]
}

/// From where connections come in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ingress {
    /// Where metrics are collected from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<MetricsIngress>,
    /// The gateway in front of production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
}

/// Where metrics are collected from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetricsIngress {
    /// The collector's namespace.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: String,
}

/// The gateway in front of production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gateway {
    /// The namespace of the gateway and its pods.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: String,
    /// The gateway's name. It has no effect yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub name: Option<String>,
    /// Host names, with `${service}`, `${project}` and `${team}`. It has no effect yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host: Option<String>,
}
