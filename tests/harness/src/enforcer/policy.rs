//! What NetworkPolicies mean: from the objects of a cluster to which pod lets
//! what in and out, by address and port. Pure; it knows nothing of packets or nft.
//!
//! It follows the specification of `networking.k8s.io/v1` for IPv4. Where that is
//! silent: pods in the node's own network are left alone and are nobody's peers; a
//! block of addresses holds pods, too; a named port is looked up in the pod that
//! is connected to, so it never means anything beyond the pods; what this reading
//! does not understand opens nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, Namespace, Pod};
use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::{Selector, SelectorExt};

use super::rules::{Block, Opening, Peer, PodRules, Ports, Protocol, Rules};

/// The objects that decide.
#[derive(Debug, Default, Clone)]
pub struct Objects {
    /// All policies of the cluster.
    pub policies: Vec<Arc<NetworkPolicy>>,
    /// All pods of the cluster.
    pub pods: Vec<Arc<Pod>>,
    /// All namespaces of the cluster.
    pub namespaces: Vec<Arc<Namespace>>,
}

impl Rules {
    /// The policies of the objects.
    #[must_use]
    pub fn of(objects: &Objects) -> Self {
        let cluster = Cluster::of(objects);
        let rules = |pod: &Known| PodRules {
            name: format!("{}/{}", pod.namespace, pod.name),
            ingress: cluster.ingress(pod),
            egress: cluster.egress(pod),
        };
        Self(cluster.pods.iter().map(|(address, pod)| (*address, rules(pod))).collect())
    }
}

type Labels = BTreeMap<String, String>;

/// The objects, as far as they matter.
struct Cluster<'a> {
    policies: &'a [Arc<NetworkPolicy>],
    namespaces: BTreeMap<String, Labels>,
    pods: BTreeMap<Ipv4Addr, Known>,
}

/// A pod with an address of its own.
struct Known {
    namespace: String,
    name: String,
    labels: Labels,
    address: Ipv4Addr,
    named: BTreeSet<(String, Protocol, u16)>,
}

impl<'a> Cluster<'a> {
    fn of(objects: &'a Objects) -> Self {
        let namespaces = objects.namespaces.iter().map(|namespace| {
            let meta = &namespace.metadata;
            (meta.name.clone().unwrap_or_default(), meta.labels.clone().unwrap_or_default())
        });
        // An address that two pods claim belongs to the younger.
        let mut pods: Vec<&Arc<Pod>> = objects.pods.iter().collect();
        pods.sort_by_key(|pod| (pod.metadata.creation_timestamp.clone(), pod.metadata.uid.clone()));
        let known = pods.into_iter().filter_map(|pod| Known::of(pod)).map(|pod| (pod.address, pod));
        Self { policies: &objects.policies, namespaces: namespaces.collect(), pods: known.collect() }
    }

    fn ingress(&self, pod: &Known) -> Option<BTreeSet<Opening>> {
        self.openings(pod, "Ingress", |namespace, policy| {
            let rules = policy.spec.iter().flat_map(|spec| spec.ingress.iter().flatten());
            let openings = rules.flat_map(|rule| {
                let ports = rule.ports.as_deref().unwrap_or_default();
                let own = ports_of(ports, |name, protocol| pod.named(name, protocol));
                let peers = self.peers(namespace, rule.from.as_deref().unwrap_or_default());
                peers.into_iter().flat_map(move |peer| with_ports(&peer, &own))
            });
            openings.collect()
        })
    }

    fn egress(&self, pod: &Known) -> Option<BTreeSet<Opening>> {
        self.openings(pod, "Egress", |namespace, policy| {
            let rules = policy.spec.iter().flat_map(|spec| spec.egress.iter().flatten());
            let openings = rules.flat_map(|rule| {
                let ports = rule.ports.as_deref().unwrap_or_default();
                let numbers = ports_of(ports, |_, _| BTreeSet::new());
                let peers = self.peers(namespace, rule.to.as_deref().unwrap_or_default());
                let named: Vec<Opening> = peers.iter().flat_map(|peer| self.named(peer, ports)).collect();
                peers.into_iter().flat_map(move |peer| with_ports(&peer, &numbers)).chain(named)
            });
            openings.collect()
        })
    }

    /// The union of the policies that select the pod; none if no policy does.
    fn openings(
        &self,
        pod: &Known,
        way: &str,
        open: impl Fn(&str, &NetworkPolicy) -> BTreeSet<Opening>,
    ) -> Option<BTreeSet<Opening>> {
        let selecting = self.policies.iter().filter(|policy| {
            let here = policy.metadata.namespace.as_deref() == Some(&pod.namespace);
            here && ways(policy).contains(&way) && selects(selector_of(policy), &pod.labels)
        });
        let opened: Vec<_> = selecting.map(|policy| open(&pod.namespace, policy)).collect();
        (!opened.is_empty()).then(|| opened.into_iter().flatten().collect())
    }

    /// Who is meant; no peers at all means everyone.
    fn peers(&self, namespace: &str, peers: &[NetworkPolicyPeer]) -> Vec<Peer> {
        if peers.is_empty() {
            return vec![Peer::Anyone];
        }
        peers.iter().filter_map(|peer| self.peer(namespace, peer)).collect()
    }

    fn peer(&self, namespace: &str, peer: &NetworkPolicyPeer) -> Option<Peer> {
        if let Some(block) = &peer.ip_block {
            return block_of(block);
        }
        if peer.pod_selector.is_none() && peer.namespace_selector.is_none() {
            return None;
        }
        let in_namespace = |pod: &Known| match &peer.namespace_selector {
            None => pod.namespace == namespace,
            some => self.namespaces.get(&pod.namespace).is_some_and(|labels| selects(some.as_ref(), labels)),
        };
        let pods =
            self.pods.values().filter(|pod| in_namespace(pod) && selects(peer.pod_selector.as_ref(), &pod.labels));
        let addresses: BTreeSet<Ipv4Addr> = pods.map(|pod| pod.address).collect();
        (!addresses.is_empty()).then_some(Peer::Pods(addresses))
    }

    /// The named ports of the pods among the peers, each at its number there.
    fn named(&self, peer: &Peer, ports: &[NetworkPolicyPort]) -> Vec<Opening> {
        let among = |pod: &&Known| match peer {
            Peer::Anyone => true,
            Peer::Pods(addresses) => addresses.contains(&pod.address),
            Peer::Block { within, except } => {
                within.holds(pod.address) && !except.iter().any(|block| block.holds(pod.address))
            }
        };
        let wanted: Vec<(&str, Protocol)> = ports.iter().filter_map(named_port).collect();
        let mut found: BTreeMap<Ports, BTreeSet<Ipv4Addr>> = BTreeMap::new();
        for pod in self.pods.values().filter(among) {
            for number in wanted.iter().flat_map(|(name, protocol)| pod.named(name, *protocol)) {
                found.entry(number).or_default().insert(pod.address);
            }
        }
        found.into_iter().map(|(ports, pods)| Opening { peer: Peer::Pods(pods), ports }).collect()
    }
}

impl Known {
    /// Nothing for a pod that has ended, has no address yet, or has the node's.
    fn of(pod: &Pod) -> Option<Self> {
        let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
        let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        if ended || spec.host_network == Some(true) {
            return None;
        }
        let listed = status.pod_ips.iter().flatten().map(|address| address.ip.as_str());
        let address = listed.chain(status.pod_ip.as_deref()).find_map(|address| address.parse().ok())?;
        let sidecars = spec
            .init_containers
            .iter()
            .flatten()
            .filter(|container| container.restart_policy.as_deref() == Some("Always"));
        let ports = spec.containers.iter().chain(sidecars).flat_map(named_ports);
        Some(Self {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            labels: pod.metadata.labels.clone().unwrap_or_default(),
            address,
            named: ports.collect(),
        })
    }

    fn named(&self, name: &str, protocol: Protocol) -> BTreeSet<Ports> {
        let found = self.named.iter().filter(|(own, of, _)| own == name && *of == protocol);
        found.map(|(_, protocol, number)| Ports::Range(*protocol, *number, *number)).collect()
    }
}

fn named_ports(container: &Container) -> impl Iterator<Item = (String, Protocol, u16)> {
    let ports = container.ports.iter().flatten();
    ports.filter_map(|port| {
        let number = u16::try_from(port.container_port).ok()?;
        Some((port.name.clone()?, Protocol::parse(port.protocol.as_deref())?, number))
    })
}

/// The ways in which a policy isolates; by its rules, where it does not say.
fn ways(policy: &NetworkPolicy) -> Vec<&str> {
    let spec = policy.spec.as_ref();
    match spec.and_then(|spec| spec.policy_types.as_deref()) {
        Some(types) if !types.is_empty() => types.iter().map(String::as_str).collect(),
        _ if spec.is_some_and(|spec| spec.egress.as_ref().is_some_and(|rules| !rules.is_empty())) => {
            vec!["Ingress", "Egress"]
        }
        _ => vec!["Ingress"],
    }
}

fn selector_of(policy: &NetworkPolicy) -> Option<&LabelSelector> {
    policy.spec.as_ref()?.pod_selector.as_ref()
}

/// No selector selects everything, as an empty one does.
fn selects(selector: Option<&LabelSelector>, labels: &Labels) -> bool {
    let selector = selector.cloned().unwrap_or_default();
    Selector::try_from(selector).is_ok_and(|selector| selector.matches(labels))
}

fn block_of(block: &IPBlock) -> Option<Peer> {
    let within = Block::parse(&block.cidr)?;
    let except = block.except.iter().flatten().filter_map(|text| Block::parse(text)).collect();
    Some(Peer::Block { within, except })
}

/// The ports of a rule; no ports at all mean all.
fn ports_of(ports: &[NetworkPolicyPort], named: impl Fn(&str, Protocol) -> BTreeSet<Ports>) -> BTreeSet<Ports> {
    if ports.is_empty() {
        return [Ports::All].into();
    }
    let of = |port: &NetworkPolicyPort| {
        if let Some((name, protocol)) = named_port(port) {
            return named(name, protocol);
        }
        numbered(port).into_iter().collect()
    };
    ports.iter().flat_map(of).collect()
}

fn numbered(port: &NetworkPolicyPort) -> Option<Ports> {
    let protocol = Protocol::parse(port.protocol.as_deref())?;
    match &port.port {
        None => Some(Ports::Protocol(protocol)),
        Some(IntOrString::Int(first)) => {
            let last = port.end_port.unwrap_or(*first);
            let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(last).ok()?);
            (first <= last).then_some(Ports::Range(protocol, first, last))
        }
        Some(IntOrString::String(_)) => None,
    }
}

fn named_port(port: &NetworkPolicyPort) -> Option<(&str, Protocol)> {
    match &port.port {
        Some(IntOrString::String(name)) => Some((name, Protocol::parse(port.protocol.as_deref())?)),
        _ => None,
    }
}

fn with_ports(peer: &Peer, ports: &BTreeSet<Ports>) -> Vec<Opening> {
    ports.iter().map(|ports| Opening { peer: peer.clone(), ports: *ports }).collect()
}
