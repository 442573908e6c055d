//! The table of cases (`cases.yaml`): policies, and what connects under them and what
//! does not. One table for two tests: the unit tests hold it against the rules,
//! `tests/enforcer.rs` against packets. It decides nothing itself.

use std::net::Ipv4Addr;

use k8s_openapi::api::networking::v1::NetworkPolicySpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::policy::Objects;
use super::rules::Protocol;
use crate::Error;

/// How the cases call the node that the pods are on.
pub const NODE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The whole table.
#[derive(Debug, Deserialize)]
pub struct Table {
    namespaces: Vec<Value>,
    /// The people.
    pub pods: Vec<CasePod>,
    /// Addresses beyond the node.
    pub outside: Vec<Ipv4Addr>,
    /// The expected connections, by policies.
    pub cases: Vec<Case>,
}

/// A pod of the table.
#[derive(Debug, Deserialize)]
pub struct CasePod {
    namespace: String,
    name: String,
    /// Where it is reached.
    pub address: Ipv4Addr,
    labels: Value,
    ports: Value,
}

/// One case.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// Its text.
    pub name: String,
    policies: Vec<CasePolicy>,
    open: Vec<(String, String, String, u16)>,
    #[serde(default)]
    closed: Vec<(String, String, String, u16)>,
}

#[derive(Debug, Deserialize)]
struct CasePolicy {
    namespace: String,
    spec: NetworkPolicySpec,
}

/// A new connection, and whether it must get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Who connects.
    pub from: Ipv4Addr,
    /// To whom.
    pub to: Ipv4Addr,
    /// How.
    pub protocol: Protocol,
    /// To which port.
    pub port: u16,
    /// Whether the policies let it.
    pub open: bool,
}

impl Table {
    /// The table that is checked in.
    pub fn read() -> Result<Self, Error> {
        serde_saphyr::from_str(include_str!("cases.yaml")).map_err(|error| unreadable(error.to_string()))
    }

    /// The objects of a case, as an API server would give them.
    pub fn objects(&self, case: &Case) -> Result<Objects, Error> {
        fn typed<T: serde::de::DeserializeOwned>(value: Value) -> Result<std::sync::Arc<T>, Error> {
            serde_json::from_value(value).map(std::sync::Arc::new).map_err(|error| unreadable(error.to_string()))
        }
        let policy = |policy: &CasePolicy| {
            typed(json!({"metadata": {"namespace": policy.namespace, "name": "p"}, "spec": policy.spec}))
        };
        Ok(Objects {
            policies: case.policies.iter().map(policy).collect::<Result<_, _>>()?,
            pods: self.pods.iter().map(|pod| typed(pod.object())).collect::<Result<_, _>>()?,
            namespaces: self
                .namespaces
                .iter()
                .map(|meta| typed(json!({"metadata": meta})))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The connections of a case.
    pub fn connections(&self, case: &Case) -> Result<Vec<Connection>, Error> {
        let open = case.open.iter().map(|connection| (connection, true));
        let all = open.chain(case.closed.iter().map(|connection| (connection, false)));
        let read = all.map(|((from, to, protocol, port), open)| {
            let protocol = Protocol::parse(Some(protocol)).ok_or_else(|| unreadable(protocol.clone()))?;
            Ok(Connection { from: self.address(from)?, to: self.address(to)?, protocol, port: *port, open })
        });
        read.collect()
    }

    fn address(&self, who: &str) -> Result<Ipv4Addr, Error> {
        let pod = self.pods.iter().find(|pod| format!("{}/{}", pod.namespace, pod.name) == who);
        let known = pod.map(|pod| pod.address).or((who == "node").then_some(NODE));
        known.or_else(|| who.parse().ok()).ok_or_else(|| unreadable(format!("{who} is no pod of the table")))
    }
}

impl CasePod {
    fn object(&self) -> Value {
        json!({
            "metadata": {"namespace": self.namespace, "name": self.name, "labels": self.labels},
            "spec": {"containers": [{"name": "main", "ports": self.ports}]},
            "status": {"phase": "Running", "podIP": self.address, "podIPs": [{"ip": self.address}]},
        })
    }
}

fn unreadable(reason: String) -> Error {
    Error::Unreadable { what: "the cases of NetworkPolicies".into(), reason }
}
