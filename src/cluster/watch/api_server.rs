//! The addresses of the API server: those that it publishes, and those of its Service,
//! which some network plugins use before they are translated.
//!
//! Two objects are watched, each by its name in the namespace `default`: the
//! `EndpointSlice` and the Service `kubernetes`. Unknown addresses are reported as
//! unknown, and nothing is opened for them.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::follow::{Change, Opener, follow};
use super::health::Health;
use crate::cluster::queue::Queue;
use crate::plan::ApiServer;
use crate::plan::cidr::is_metadata;

/// Where Kubernetes publishes its API server.
const NAMESPACE: &str = "default";
/// The name of both objects, by which alone the operator may read the first.
const NAME: &str = "kubernetes";

/// Addresses with their ports.
type Addresses = BTreeSet<ApiServer>;

/// The state of both.
#[derive(Debug, Default)]
struct Known {
    endpoints: Addresses,
    service: Addresses,
}

/// Where the API server is reached.
#[derive(Debug, Default)]
pub struct ApiServers {
    known: RwLock<Known>,
}

impl ApiServers {
    /// Every address and port; none while its own are not known.
    #[must_use]
    pub fn all(&self) -> Vec<ApiServer> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.endpoints.is_empty() {
            return Vec::new();
        }
        known.endpoints.union(&known.service).cloned().collect()
    }

    /// Takes what one of the objects says now, and tells whether that changes anything.
    fn set(&self, of: fn(&mut Known) -> &mut Addresses, now: Addresses) -> bool {
        let before = self.all();
        *of(&mut self.known.write().unwrap_or_else(PoisonError::into_inner)) = now;
        before != self.all()
    }
}

/// The watches of both objects.
pub struct ApiServerWatch {
    servers: Arc<ApiServers>,
    /// How the watch of the `EndpointSlice` is.
    pub endpoints: Arc<Health>,
    /// How the watch of the Service is.
    pub service: Arc<Health>,
}

impl ApiServerWatch {
    /// Watches that keep these addresses.
    #[must_use]
    pub fn new(opener: &Opener, servers: Arc<ApiServers>) -> Self {
        let endpoints = opener.health("endpointslices.discovery.k8s.io (kubernetes)");
        Self { servers, endpoints, service: opener.health("services (kubernetes)") }
    }

    /// Follows both, for ever. Every team looks again when an address changes.
    pub async fn follow(&self, opener: &Opener, queue: &Queue) {
        tokio::join!(
            self.one(opener, &self.endpoints, queue, endpoints, |known| &mut known.endpoints),
            self.one(opener, &self.service, queue, of_service, |known| &mut known.service),
        );
    }

    async fn one<K>(
        &self,
        opener: &Opener,
        health: &Arc<Health>,
        queue: &Queue,
        read: fn(&K) -> Addresses,
        of: fn(&mut Known) -> &mut Addresses,
    ) where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let config = watcher::Config::default().fields(&format!("metadata.name={NAME}"));
        let mut listed = Addresses::new();
        follow(
            opener,
            |client| Api::<K>::namespaced(client, NAMESPACE),
            config,
            health,
            |change| {
                let Change::Event(event) = change else { return };
                if let Some(now) = said(event, &mut listed, read)
                    && self.servers.set(of, now)
                {
                    queue.add_known();
                }
            },
        )
        .await;
    }
}

/// What the object says now, once that is whole.
fn said<K>(event: watcher::Event<K>, listed: &mut Addresses, read: fn(&K) -> Addresses) -> Option<Addresses> {
    match event {
        watcher::Event::Init => listed.clear(),
        watcher::Event::InitApply(object) => *listed = read(&object),
        watcher::Event::InitDone => return Some(std::mem::take(listed)),
        watcher::Event::Apply(object) => return Some(read(&object)),
        watcher::Event::Delete(_) => return Some(Addresses::new()),
    }
    None
}

fn endpoints(slice: &EndpointSlice) -> Addresses {
    let ports = slice.ports.iter().flatten().filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP");
    let ports: Vec<i32> = ports.filter_map(|port| port.port).collect();
    let addresses = slice.endpoints.iter().flatten().flat_map(|endpoint| &endpoint.addresses);
    addresses.flat_map(|text| ports.iter().filter_map(|port| server(text, *port))).collect()
}

fn of_service(service: &Service) -> Addresses {
    let spec = service.spec.as_ref();
    let ports = spec.and_then(|spec| spec.ports.as_ref()).into_iter().flatten();
    let ports: Vec<i32> = ports.map(|port| port.port).collect();
    let addresses = spec.and_then(|spec| spec.cluster_ips.as_ref()).into_iter().flatten();
    addresses.flat_map(|text| ports.iter().filter_map(|port| server(text, *port))).collect()
}

/// One address with its port, unless pods must never reach it, whoever wrote it there.
fn server(text: &str, port: i32) -> Option<ApiServer> {
    let (address, port): (std::net::IpAddr, _) = (text.parse().ok()?, u16::try_from(port).ok()?);
    let never = address.is_loopback() || address.is_unspecified() || address.is_multicast();
    (!never && !is_metadata(&address.into())).then_some(ApiServer { address, port })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(addresses: &[&str]) -> EndpointSlice {
        let endpoints: Vec<_> = addresses.iter().map(|address| json!({"addresses": [address]})).collect();
        let ports = json!([{"name": "https", "port": 6443, "protocol": "TCP"}, {"name": "other", "port": 1, "protocol": "UDP"}]);
        let slice = json!({"addressType": "IPv4", "endpoints": endpoints, "ports": ports, "metadata": {"name": NAME}});
        serde_json::from_value(slice).unwrap()
    }

    fn service() -> Service {
        let spec = json!({"clusterIPs": ["10.96.0.1", "None"], "ports": [{"port": 443, "targetPort": 6443}]});
        serde_json::from_value(json!({"metadata": {"name": NAME}, "spec": spec})).unwrap()
    }

    fn texts(servers: &ApiServers) -> Vec<String> {
        servers.all().iter().map(|server| format!("{}:{}", server.address, server.port)).collect()
    }

    #[test]
    fn its_own_addresses_and_its_services_are_known() {
        let servers = ApiServers::default();
        assert!(!servers.set(|known| &mut known.service, of_service(&service())), "its own are not known yet");
        assert!(servers.all().is_empty());
        assert!(servers.set(|known| &mut known.endpoints, endpoints(&slice(&["192.0.2.1", "192.0.2.2"]))));
        assert_eq!(texts(&servers), ["10.96.0.1:443", "192.0.2.1:6443", "192.0.2.2:6443"]);
    }

    #[test]
    fn what_changes_is_followed_and_what_goes_is_unknown() {
        let servers = ApiServers::default();
        let mut listed = Addresses::new();
        let mut take = |event| {
            said(event, &mut listed, endpoints).is_some_and(|now| servers.set(|known| &mut known.endpoints, now))
        };
        assert!(!take(watcher::Event::Init));
        assert!(!take(watcher::Event::InitApply(slice(&["192.0.2.1"]))));
        assert!(take(watcher::Event::InitDone));
        assert!(!take(watcher::Event::Apply(slice(&["192.0.2.1"]))), "nothing changed");
        assert!(take(watcher::Event::Apply(slice(&["192.0.2.2"]))));
        assert_eq!(texts(&servers), ["192.0.2.2:6443"]);
        // Listed anew, and not there any more.
        assert!(!take(watcher::Event::Init));
        assert!(take(watcher::Event::InitDone));
        assert!(texts(&servers).is_empty());
        take(watcher::Event::Apply(slice(&["192.0.2.2"])));
        assert!(take(watcher::Event::Delete(slice(&["192.0.2.2"]))));
        assert!(texts(&servers).is_empty());
    }

    #[test]
    fn what_no_pod_may_reach_is_no_address_of_it() {
        let never = ["169.254.169.254", "127.0.0.1", "0.0.0.0", "::1", "224.0.0.1", "fd00:ec2::254", "a.name"];
        assert!(endpoints(&slice(&never)).is_empty());
    }
}
