//! The part of a team's spec and of its Blueprint that guardrails need, resolved: the
//! values, and nothing of the fields that they were read from.
//!
//! What shapes only what runs (images, sizes, parameters of engines) is not here:
//! of a team that was taken away nothing starts, and what serves is left as it is.
//! What its pods may have is: they are made anew when a node goes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::format::{readable, texts};
use crate::api::blueprint::{
    Dns, EgressPeer, EgressPort, EgressProfile, Gateway, Ingress, LabelRules, MetricsIngress, NamespaceRules, PodRules,
    Protocol, Registries, StorageClasses, Toleration, TolerationOperator, pod_security_version,
};
use crate::api::team::{self, Backbone, Resources};
use crate::api::{AITeamSpec, BlueprintSpec};
use crate::plan::check::{allowed_registries, wrong_peer};
use crate::plan::cidr;
use crate::plan::pod_rules::pod_rules;

/// The customers of the team's production.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The customer's name.
    pub name: String,
    /// The namespaces from which the customer calls.
    #[serde(default)]
    pub namespaces: Vec<String>,
}

/// The part of a spec that guardrails need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TeamValues {
    /// The Blueprint's name.
    pub blueprint: String,
    /// The labels of the team's namespaces.
    pub labels: BTreeMap<String, String>,
    /// The callers of services, without people.
    pub customers: Vec<Customer>,
    /// The names of the ways out.
    pub egress: Vec<String>,
}

impl TeamValues {
    /// The needed part of this spec.
    #[must_use]
    pub fn of(spec: &AITeamSpec) -> Self {
        let customer = |customer: &team::Customer| Customer {
            name: customer.name.clone(),
            namespaces: customer.namespaces.clone(),
        };
        Self {
            blueprint: spec.blueprint.clone(),
            labels: spec.labels.clone(),
            customers: spec.customers.iter().map(customer).collect(),
            egress: spec.backbone.as_ref().map(|backbone| backbone.egress.clone()).unwrap_or_default(),
        }
    }

    pub(super) fn read(value: &Value) -> Self {
        Self {
            blueprint: value["blueprint"].as_str().unwrap_or("default").to_owned(),
            labels: texts(&value["labels"]),
            customers: readable(&value["customers"]),
            egress: readable(&value["egress"]),
        }
    }

    /// A spec that says this and nothing else. Of the ways out those that are known.
    #[must_use]
    pub fn spec(&self, site: &Site) -> AITeamSpec {
        let mut names = site.egress.iter().map(|way| &way.name).chain(site.ways.iter().map(|way| &way.name));
        let known = |name: &&String| names.any(|way| way == *name);
        let customer = |customer: &Customer| team::Customer {
            name: customer.name.clone(),
            namespaces: customer.namespaces.clone(),
            groups: Vec::new(),
        };
        AITeamSpec {
            blueprint: self.blueprint.clone(),
            labels: self.labels.clone(),
            customers: self.customers.iter().map(customer).collect(),
            backbone: Some(Backbone {
                egress: self.egress.iter().filter(known).cloned().collect(),
                ..Backbone::default()
            }),
            ..AITeamSpec::default()
        }
    }
}

/// A way out of the team's namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayOut {
    /// The profile's name.
    pub name: String,
    /// Blocks of addresses.
    #[serde(default)]
    pub blocks: Vec<String>,
    /// TCP ports; none stands for all.
    #[serde(default)]
    pub ports: Vec<i32>,
}

impl WayOut {
    /// The way that the profile opens, if it leads to addresses by single TCP ports alone.
    fn of(profile: &EgressProfile) -> Option<Self> {
        let block = |peer: &EgressPeer| peer.cidr.clone().filter(|_| peer.namespace.is_none());
        let port = |port: &EgressPort| {
            (port.protocol == Protocol::Tcp && port.end_port.is_none_or(|end| end == port.port)).then_some(port.port)
        };
        Some(Self {
            name: profile.name.clone(),
            blocks: profile.to.iter().map(block).collect::<Option<_>>()?,
            ports: profile.ports.iter().map(port).collect::<Option<_>>()?,
        })
    }

    fn profile(&self) -> EgressProfile {
        let blocks = self.blocks.iter().filter(|block| cidr::parse(block).is_ok());
        let peer = |block: &String| EgressPeer { cidr: Some(block.clone()), ..EgressPeer::default() };
        let port = |port: &i32| EgressPort { port: *port, ..EgressPort::default() };
        EgressProfile {
            name: self.name.clone(),
            to: blocks.map(peer).collect(),
            ports: self.ports.iter().map(port).collect(),
            ..EgressProfile::default()
        }
    }
}

/// The part of a Blueprint that guardrails need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// The version of the Pod Security standards.
    pub pod_security_version: String,
    /// From where images may come, each ending in a slash.
    pub registries: Vec<String>,
    /// The ways out that the team uses, of those that lead to addresses by single TCP ports alone.
    pub egress: Vec<WayOut>,
    /// The other ways out that the team uses. Programs that know `egress` alone leave them closed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<EgressProfile>,
    /// Where names are resolved, if the Blueprint says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// Labels and annotations of the namespaces.
    #[serde(skip_serializing_if = "NamespaceRules::is_empty")]
    pub namespaces: NamespaceRules,
    /// Where metrics are collected from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_namespace: Option<String>,
    /// Where the gateway in front of production is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_namespace: Option<String>,
    /// The storage classes of volumes, by purpose.
    pub storage_classes: BTreeMap<String, String>,
    /// The devices, tolerations and priorities of pods.
    pub pods: PodRules,
}

impl Site {
    /// The needed part of this Blueprint for this team.
    #[must_use]
    pub fn of(name: &str, spec: &AITeamSpec, site: &BlueprintSpec) -> Self {
        let names = spec.backbone.iter().flat_map(|backbone| &backbone.egress);
        let used: Vec<&EgressProfile> = names.filter_map(|name| site.egress_profile(name)).collect();
        let other = |profile: &&&EgressProfile| WayOut::of(profile).is_none();
        let closed = |profile: &&EgressProfile| EgressProfile { env: BTreeMap::new(), ..(*profile).clone() };
        let ingress = site.ingress.clone().unwrap_or_default();
        let classes = site.storage_classes.clone().unwrap_or_default();
        let classes = [("home", classes.home), ("shared", classes.shared)].into_iter();
        Self {
            pod_security_version: site.pod_security_version.clone(),
            registries: allowed_registries(name, site),
            egress: used.iter().filter_map(|profile| WayOut::of(profile)).collect(),
            ways: used.iter().filter(other).map(closed).collect(),
            dns: site.dns.clone(),
            namespaces: site.namespaces.clone().unwrap_or_default(),
            metrics_namespace: ingress.metrics.map(|metrics| metrics.namespace),
            gateway_namespace: ingress.gateway.map(|gateway| gateway.namespace),
            storage_classes: classes.filter_map(|(purpose, class)| Some((purpose.to_owned(), class?))).collect(),
            pods: of_team(pod_rules(site), spec),
        }
    }

    /// What is known of the Blueprint; nothing if it is not known from where images
    /// may come, for that would open what was closed.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let registries: Vec<String> = readable(&value["registries"]);
        if registries.is_empty() && !value["registries"].as_array()?.is_empty() {
            return None;
        }
        Some(Self {
            pod_security_version: text("podSecurityVersion").unwrap_or_else(pod_security_version),
            registries,
            egress: readable(&value["egress"]),
            ways: readable(&value["ways"]),
            dns: serde_json::from_value(value["dns"].clone()).ok().filter(|dns: &Dns| !dns.namespace.contains("--")),
            namespaces: namespaces(&value["namespaces"]),
            metrics_namespace: text("metricsNamespace"),
            gateway_namespace: text("gatewayNamespace"),
            storage_classes: texts(&value["storageClasses"]),
            pods: pods(&value["pods"]),
        })
    }

    /// A Blueprint that says this and nothing else, for planning the guardrails of a
    /// team with these labels.
    #[must_use]
    pub fn blueprint(&self, labels: &BTreeMap<String, String>) -> BlueprintSpec {
        let mirrors = self.registries.iter().map(|prefix| (prefix.clone(), prefix.clone())).collect();
        let class = |purpose: &str| self.storage_classes.get(purpose).cloned();
        BlueprintSpec {
            pod_security_version: self.pod_security_version.clone(),
            labels: Some(LabelRules { allowed: labels.keys().cloned().collect(), ..LabelRules::default() }),
            registries: Some(Registries { mirrors, ..Registries::default() }),
            pods: Some(self.pods.clone()),
            storage_classes: Some(StorageClasses { home: class("home"), shared: class("shared") }),
            egress: self.egress.iter().map(WayOut::profile).chain(self.ways.iter().map(possible)).collect(),
            dns: self.dns.clone(),
            namespaces: Some(self.namespaces.clone()),
            ingress: Some(Ingress {
                metrics: self.metrics_namespace.clone().map(|namespace| MetricsIngress { namespace }),
                gateway: self.gateway_namespace.clone().map(|namespace| Gateway { namespace, name: None, host: None }),
            }),
            ..BlueprintSpec::default()
        }
    }
}

/// The profile without the ways that cannot be.
fn possible(profile: &EgressProfile) -> EgressProfile {
    let to = profile.to.iter().filter(|peer| wrong_peer(peer).is_none()).cloned().collect();
    EgressProfile { to, ..profile.clone() }
}

/// Labels and annotations of namespaces, as far as they can be read.
fn namespaces(value: &Value) -> NamespaceRules {
    NamespaceRules {
        labels: texts(&value["labels"]),
        annotations: texts(&value["annotations"]),
        layers: readable(&value["layers"]),
    }
}

/// The devices, tolerations and priorities of pods, with the devices of the team's budget.
fn of_team(mut rules: PodRules, spec: &AITeamSpec) -> PodRules {
    rules.devices.extend(spec.budget.iter().flat_map(Resources::devices).cloned());
    rules.devices.sort_unstable();
    rules.devices.dedup();
    rules
}

/// What pods may have. Where it was not recorded yet, any taint may be tolerated: what
/// served must come back when its node goes.
fn pods(value: &Value) -> PodRules {
    if value.is_null() {
        let every = Toleration { operator: Some(TolerationOperator::Exists), ..Toleration::default() };
        return PodRules { tolerations: vec![every], ..PodRules::default() };
    }
    PodRules {
        priority_classes: readable(&value["priorityClasses"]),
        devices: readable(&value["devices"]),
        tolerations: readable(&value["tolerations"]),
    }
}
