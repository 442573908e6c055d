//! The table of cases, held against the rules; and what is no connection: which pods
//! are known, and by which address.

use std::net::Ipv4Addr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer};
use serde_json::json;

use super::cases::{Connection, NODE, Table};
use super::policy::Objects;
use super::rules::{Opening, Peer, Ports, Protocol, Rules};

/// Whether a new connection gets through, as the table of nft decides it.
fn passes(rules: &Rules, connection: Connection) -> bool {
    let Connection { from, to, protocol, port, .. } = connection;
    let opens = |opening: &Opening, peer: Ipv4Addr| {
        let who = match &opening.peer {
            Peer::Anyone => true,
            Peer::Pods(pods) => pods.contains(&peer),
            Peer::Block { within, except } => within.holds(peer) && !except.iter().any(|block| block.holds(peer)),
        };
        let which = match opening.ports {
            Ports::All => true,
            Ports::Protocol(of) => of == protocol,
            Ports::Range(of, first, last) => of == protocol && (first..=last).contains(&port),
        };
        who && which
    };
    let out = rules.0.get(&from).and_then(|pod| pod.egress.as_ref());
    let into = rules.0.get(&to).and_then(|pod| pod.ingress.as_ref());
    let let_out = out.is_none_or(|openings| openings.iter().any(|opening| opens(opening, to)));
    let let_in = into.is_none_or(|openings| openings.iter().any(|opening| opens(opening, from)));
    from == to || from == NODE || (let_out && let_in)
}

#[test]
fn every_case_is_decided_as_it_says() {
    let table = Table::read().unwrap();
    let mut decided = 0;
    for case in &table.cases {
        let rules = Rules::of(&table.objects(case).unwrap());
        for connection in table.connections(case).unwrap() {
            assert_eq!(passes(&rules, connection), connection.open, "{}: {connection:?}; {rules:#?}", case.name);
            decided += 1;
        }
    }
    assert!(decided > 80, "{decided}");
}

fn known(pods: &[Pod]) -> Vec<(String, String)> {
    let pods = pods.iter().cloned().map(Arc::new).collect();
    let rules = Rules::of(&Objects { pods, ..Objects::default() });
    rules.0.iter().map(|(address, pod)| (address.to_string(), pod.name.clone())).collect()
}

fn pod(change: impl FnOnce(&mut Pod)) -> Pod {
    let mut pod = serde_json::from_value(json!({
        "metadata": {"namespace": "a", "name": "b"},
        "spec": {"containers": []},
        "status": {"phase": "Running", "podIP": "10.244.0.9"},
    }))
    .unwrap();
    change(&mut pod);
    pod
}

#[test]
fn a_pod_without_an_address_of_its_own_is_not_known() {
    assert_eq!(known(&[pod(|_| ())]), [("10.244.0.9".to_owned(), "a/b".to_owned())]);
    let status = |change: fn(&mut PodStatus)| pod(|pod| change(pod.status.as_mut().unwrap()));
    assert_eq!(known(&[status(|status| status.phase = Some("Succeeded".into()))]), []);
    assert_eq!(known(&[status(|status| status.pod_ip = None)]), []);
    assert_eq!(known(&[pod(|pod| pod.spec.as_mut().unwrap().host_network = Some(true))]), []);
    let second = status(|status| {
        let both = json!([{"ip": "fd00::9"}, {"ip": "10.244.0.10"}]);
        (status.pod_ip, status.pod_ips) = (Some("fd00::9".into()), serde_json::from_value(both).unwrap());
    });
    assert_eq!(known(&[second]), [("10.244.0.10".to_owned(), "a/b".to_owned())]);
}

#[test]
fn an_address_that_two_pods_claim_is_the_youngers() {
    let born = |name: &str, time: &str| {
        pod(|pod| {
            pod.metadata.name = Some(name.into());
            pod.metadata.creation_timestamp = serde_json::from_value(json!(time)).unwrap();
        })
    };
    let (older, younger) = (born("older", "2026-01-01T00:00:00Z"), born("younger", "2026-01-01T00:00:01Z"));
    for pods in [[older.clone(), younger.clone()], [younger, older]] {
        assert_eq!(known(&pods), [("10.244.0.9".to_owned(), "a/younger".to_owned())]);
    }
}

#[test]
fn what_cannot_be_understood_opens_nothing() {
    for peer in [
        json!({}),
        json!({"ipBlock": {"cidr": "10.0.0.0/33"}}),
        json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}),
    ] {
        let peer: NetworkPolicyPeer = serde_json::from_value(peer).unwrap();
        let policy: NetworkPolicy = serde_json::from_value(json!({
            "metadata": {"namespace": "a"}, "spec": {"podSelector": {}, "ingress": [{"from": [peer]}]},
        }))
        .unwrap();
        let objects =
            Objects { policies: vec![Arc::new(policy)], pods: vec![Arc::new(pod(|_| ()))], ..Objects::default() };
        let rules = Rules::of(&objects);
        assert_eq!(rules.0[&Ipv4Addr::new(10, 244, 0, 9)].ingress, Some([].into()), "{peer:?}");
    }
}

#[test]
fn a_named_port_may_be_a_sidecars_but_not_of_what_only_prepares() {
    let port = |name: &str, number: i32| json!([{"name": name, "containerPort": number}]);
    let with_sidecar = pod(|pod| {
        pod.spec.as_mut().unwrap().init_containers = serde_json::from_value(json!([
            {"name": "beside", "restartPolicy": "Always", "ports": port("http", 8080)},
            {"name": "before", "ports": port("http", 9090)},
        ]))
        .unwrap();
    });
    let policy: NetworkPolicy = serde_json::from_value(json!({
        "metadata": {"namespace": "a"}, "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": "http"}]}]},
    }))
    .unwrap();
    let objects =
        Objects { policies: vec![Arc::new(policy)], pods: vec![Arc::new(with_sidecar)], ..Objects::default() };
    let opened = Opening { peer: Peer::Anyone, ports: Ports::Range(Protocol::Tcp, 8080, 8080) };
    assert_eq!(Rules::of(&objects).0[&Ipv4Addr::new(10, 244, 0, 9)].ingress, Some([opened].into()));
}
