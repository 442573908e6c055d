//! The network policies of a namespace.
//!
//! Everything is closed, both ways, and each policy opens one thing. Peers are
//! selected by `kubernetes.io/metadata.name`, which nobody can set, and never
//! by an empty selector of namespaces; only egress profiles and the API server are blocks
//! of addresses, and never the metadata address of nodes.
//!
//! Names are resolved where the Blueprint says under `dns`: in `kube-system`, if it says
//! nothing. Where name servers are no pods (a cache on each node's own address), an
//! egress profile opens the way.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::object::{core, metadata};
use super::{Desired, Stage};
use crate::api::blueprint::{Dns, EgressPeer, EgressPort, Protocol};
use crate::api::labels;
use crate::api::vocabulary::Layer;
use crate::api::work::WorkKind;
use crate::plan::cidr;
use crate::plan::work::Callers;
use crate::plan::{Instance, NamespacePlan, Plan};

/// The label that the API server itself keeps on every namespace.
const NAMESPACE: &str = "kubernetes.io/metadata.name";
/// The name of the port of metrics.
const METRICS_PORT: &str = "metrics";

/// Which way a policy opens.
enum Opens {
    In(NetworkPolicyIngressRule),
    Out(Vec<NetworkPolicyEgressRule>),
    Both(NetworkPolicyIngressRule, NetworkPolicyEgressRule),
    Nothing,
    NobodyIn,
}

/// All policies of the namespace.
#[must_use]
pub fn policies(plan: &Plan, namespace: &NamespacePlan) -> Vec<Desired> {
    let everyone = LabelSelector::default;
    let mut policies = vec![
        ("strata-default-deny".to_owned(), everyone(), Opens::Nothing),
        ("strata-dns".to_owned(), everyone(), Opens::Out(vec![dns(plan)])),
        ("strata-within".to_owned(), everyone(), within(&namespace.name)),
    ];
    let mut open = |name: &str, opens: Option<Opens>| {
        policies.extend(opens.map(|opens| (name.to_owned(), everyone(), opens)));
    };
    open("strata-shared", to_shared(plan, namespace));
    open("strata-projects", from_projects(plan, namespace));
    open("strata-metrics", from_metrics(plan));
    for profile in &namespace.egress {
        open(&format!("strata-egress-{}", object_name(profile)), egress(plan, profile));
    }
    for service in &namespace.services {
        open(&format!("strata-out-{service}"), Some(to_services(service)));
    }
    policies.into_iter().map(|(name, pods, opens)| policy(plan, namespace, name, pods, opens)).collect()
}

/// The ways to the API server, one for the pods of each engine that needs it.
/// Unknown addresses open nothing: existing policies stay.
#[must_use]
pub fn to_api_server(plan: &Plan, namespace: &NamespacePlan) -> Vec<Desired> {
    let engines = engines_with_api_server(plan, namespace).into_iter();
    let of_engine = engines.map(|engine| {
        let pods = LabelSelector {
            match_labels: Some([(labels::ENGINE.to_owned(), engine.clone())].into()),
            match_expressions: None,
        };
        policy(plan, namespace, format!("strata-api-server-{engine}"), pods, api_server(plan))
    });
    of_engine.collect()
}

fn policy(plan: &Plan, namespace: &NamespacePlan, name: String, pods: LabelSelector, opens: Opens) -> Desired {
    let (ingress, egress, types): (_, _, &[&str]) = match opens {
        Opens::In(rule) => (Some(vec![rule]), None, &["Ingress"]),
        Opens::Out(rules) => (None, Some(rules), &["Egress"]),
        Opens::Both(ingress, egress) => (Some(vec![ingress]), Some(vec![egress]), &["Ingress", "Egress"]),
        Opens::Nothing => (None, None, &["Ingress", "Egress"]),
        Opens::NobodyIn => (None, None, &["Ingress"]),
    };
    let spec = NetworkPolicySpec {
        pod_selector: Some(pods),
        ingress,
        egress,
        policy_types: Some(types.iter().map(|type_| (*type_).to_owned()).collect()),
    };
    let object = NetworkPolicy { metadata: metadata(plan, namespace, name), spec: Some(spec) };
    core(Stage::Guardrail, &object)
}

fn dns(plan: &Plan) -> NetworkPolicyEgressRule {
    let Dns { namespace, pod_labels, ports } = plan.site.dns.clone().unwrap_or_default();
    let ports: BTreeSet<i32> = ports.into_iter().collect();
    let over = |protocol| ports.iter().map(move |number| port(&EgressPort { port: *number, end_port: None, protocol }));
    NetworkPolicyEgressRule {
        to: Some(vec![pods(&namespace, &pod_labels)]),
        ports: Some([Protocol::Udp, Protocol::Tcp].into_iter().flat_map(over).collect()),
    }
}

fn within(namespace: &str) -> Opens {
    let peer = || Some(vec![namespaces(&[namespace])]);
    Opens::Both(
        NetworkPolicyIngressRule { from: peer(), ports: None },
        NetworkPolicyEgressRule { to: peer(), ports: None },
    )
}

/// From a project to the ports that the engines of Shared declare.
fn to_shared(plan: &Plan, namespace: &NamespacePlan) -> Option<Opens> {
    let ports = shared_ports(plan)?;
    let shared = plan.namespaces.iter().find(|place| place.layer == Layer::Shared)?;
    let project = matches!(namespace.layer, Layer::Workspace | Layer::Live);
    let rule = NetworkPolicyEgressRule { to: Some(vec![namespaces(&[&shared.name])]), ports: Some(tcp(&ports)) };
    project.then(|| Opens::Out(vec![rule]))
}

/// Into Shared, from the team's projects.
fn from_projects(plan: &Plan, namespace: &NamespacePlan) -> Option<Opens> {
    let ports = shared_ports(plan)?;
    let projects: BTreeSet<&str> = plan
        .namespaces
        .iter()
        .filter(|place| matches!(place.layer, Layer::Workspace | Layer::Live))
        .map(|place| place.name.as_str())
        .collect();
    let from = namespaces(&projects.iter().copied().collect::<Vec<_>>());
    let rule = NetworkPolicyIngressRule { from: Some(vec![from]), ports: Some(tcp(&ports)) };
    (namespace.layer == Layer::Shared && !projects.is_empty()).then_some(Opens::In(rule))
}

/// Who may connect to a model in production: the customers that it names, and
/// the gateway. Everybody else is kept out by the default.
#[must_use]
pub fn callers(plan: &Plan, namespace: &NamespacePlan, service: &str, callers: &Callers) -> Desired {
    let gateway = plan.site.ingress.as_ref().and_then(|ingress| ingress.gateway.as_ref());
    let mut from: BTreeSet<&str> = callers.namespaces.iter().map(String::as_str).collect();
    from.extend(gateway.map(|gateway| gateway.namespace.as_str()));
    let from: Vec<&str> = from.into_iter().collect();
    let rule = NetworkPolicyIngressRule { from: Some(vec![namespaces(&from)]), ports: Some(tcp(&[callers.port])) };
    let label = WorkKind::ModelService.label();
    let pods =
        LabelSelector { match_labels: Some([(label.to_owned(), service.to_owned())].into()), match_expressions: None };
    // A rule without peers would let everybody in.
    let opens = if from.is_empty() { Opens::NobodyIn } else { Opens::In(rule) };
    let mut desired = policy(plan, namespace, format!("strata-service-{service}"), pods, opens);
    desired.object["metadata"]["labels"][label] = Value::from(service);
    desired
}

/// In to the ports that a pod declares by the name `metrics`, and to no other.
fn from_metrics(plan: &Plan) -> Option<Opens> {
    let metrics = plan.site.ingress.as_ref()?.metrics.as_ref()?;
    let port = NetworkPolicyPort {
        port: Some(IntOrString::String(METRICS_PORT.to_owned())),
        protocol: Some("TCP".to_owned()),
        end_port: None,
    };
    let from = Some(vec![namespaces(&[&metrics.namespace])]);
    Some(Opens::In(NetworkPolicyIngressRule { from, ports: Some(vec![port]) }))
}

/// The ways out that a profile opens. An entry that is neither a block nor a namespace of
/// the site was refused before; here it opens nothing.
fn egress(plan: &Plan, profile: &str) -> Option<Opens> {
    let profile = plan.site.egress_profile(profile)?;
    let places: BTreeSet<&EgressPeer> = profile.to.iter().collect();
    let peers: Vec<NetworkPolicyPeer> = places.into_iter().filter_map(peer).collect();
    let ports: BTreeSet<&EgressPort> = profile.ports.iter().collect();
    let rule = NetworkPolicyEgressRule {
        to: Some(peers.clone()),
        ports: (!ports.is_empty()).then(|| ports.into_iter().map(port).collect()),
    };
    // A rule without peers would open everything.
    (!peers.is_empty()).then(|| Opens::Out(vec![rule]))
}

/// Out to the pods of a namespace of the site, over TCP. Their ports are not known: that of a
/// Service is another.
fn to_services(namespace: &str) -> Opens {
    let any = NetworkPolicyPort { protocol: Some("TCP".to_owned()), ..NetworkPolicyPort::default() };
    Opens::Out(vec![NetworkPolicyEgressRule { to: Some(vec![namespaces(&[namespace])]), ports: Some(vec![any]) }])
}

fn peer(place: &EgressPeer) -> Option<NetworkPolicyPeer> {
    match (&place.cidr, &place.namespace) {
        (Some(cidr), None) => block(cidr),
        (None, Some(namespace)) => (!namespace.contains("--")).then(|| pods(namespace, &place.pod_labels)),
        _ => None,
    }
}

/// The pods with these labels in the namespace; all of its pods where there are none.
fn pods(namespace: &str, pod_labels: &BTreeMap<String, String>) -> NetworkPolicyPeer {
    let selector = LabelSelector { match_labels: Some(pod_labels.clone()), match_expressions: None };
    NetworkPolicyPeer { pod_selector: (!pod_labels.is_empty()).then_some(selector), ..namespaces(&[namespace]) }
}

fn port(port: &EgressPort) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(port.port)),
        protocol: Some(port.protocol.name().to_owned()),
        end_port: port.end_port,
    }
}

/// Out to each address of the API server on its port: to its own, and to its
/// Service's, which some network plugins see before they are translated.
fn api_server(plan: &Plan) -> Opens {
    let addresses: BTreeSet<_> = plan.api_server.iter().collect();
    let rules = addresses.into_iter().map(|server| {
        let block = IPBlock { cidr: IpNet::from(server.address).to_string(), except: None };
        NetworkPolicyEgressRule {
            to: Some(vec![NetworkPolicyPeer { ip_block: Some(block), ..NetworkPolicyPeer::default() }]),
            ports: Some(tcp(&[i32::from(server.port)])),
        }
    });
    Opens::Out(rules.collect())
}

/// The engines here whose pods must reach the API server.
fn engines_with_api_server(plan: &Plan, namespace: &NamespacePlan) -> BTreeSet<String> {
    let here = plan.instances.iter().filter(|instance| instance.id.namespace == namespace.name);
    let choices = here.filter_map(|instance| instance.choice.as_ref());
    let own = choices.filter(|choice| choice.needs_api_server).map(|choice| choice.engine.clone());
    let is_worked_in = matches!(namespace.layer, Layer::Workspace | Layer::Live);
    own.chain(plan.work_with_api_server.iter().filter(|_| is_worked_in).cloned()).collect()
}

/// The ports of everything in Shared; none if nothing there declares any.
fn shared_ports(plan: &Plan) -> Option<Vec<i32>> {
    let shared = plan.instances.iter().filter(|instance| instance.layer == Layer::Shared);
    let choices = shared.filter_map(|instance: &Instance| instance.choice.as_ref());
    let ports: BTreeSet<i32> = choices.flat_map(|choice| choice.ports.iter().copied()).collect();
    (!ports.is_empty()).then(|| ports.into_iter().collect())
}

/// A block of addresses without the metadata addresses in it.
fn block(text: &str) -> Option<NetworkPolicyPeer> {
    let within = cidr::metadata_within(&cidr::parse(text).ok()?);
    let except: Vec<String> = within.into_iter().map(ToOwned::to_owned).collect();
    let block = IPBlock { cidr: text.to_owned(), except: (!except.is_empty()).then_some(except) };
    Some(NetworkPolicyPeer { ip_block: Some(block), ..NetworkPolicyPeer::default() })
}

/// Everything in these namespaces, by their names.
fn namespaces(names: &[&str]) -> NetworkPolicyPeer {
    let selector = if let [name] = names {
        LabelSelector {
            match_labels: Some([(NAMESPACE.to_owned(), (*name).to_owned())].into()),
            match_expressions: None,
        }
    } else {
        let any = LabelSelectorRequirement {
            key: NAMESPACE.to_owned(),
            operator: "In".to_owned(),
            values: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        };
        LabelSelector { match_labels: None, match_expressions: Some(vec![any]) }
    };
    NetworkPolicyPeer { namespace_selector: Some(selector), ..NetworkPolicyPeer::default() }
}

fn tcp(ports: &[i32]) -> Vec<NetworkPolicyPort> {
    let port = |number: &i32| NetworkPolicyPort {
        port: Some(IntOrString::Int(*number)),
        protocol: Some("TCP".to_owned()),
        end_port: None,
    };
    ports.iter().map(port).collect()
}

/// A profile's name as part of an object's name.
fn object_name(profile: &str) -> String {
    profile.to_ascii_lowercase().replace('_', "-")
}
