//! What an object becomes that no apply can put back.

use serde_json::json;

use super::*;
use crate::api::kinds::clearing::{BUDGET, DEPLOYMENT, JOB, SERVICE};

#[test]
fn a_service_keeps_what_it_was_allocated() {
    let allocated = json!({"clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9"], "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack", "type": "NodePort", "internalTrafficPolicy": "Cluster"});
    let live = |ports: Value| {
        let mut spec = allocated.clone();
        spec["ports"] = ports;
        json!({"kind": "Service", "metadata": {"name": "s", "uid": "u", "resourceVersion": "7"}, "spec": spec,
            "status": {"loadBalancer": {}}})
    };
    let port = json!({"name": "http", "port": 80, "targetPort": "http"});
    let intent = json!({"kind": "Service", "metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [port]}});
    for (changed, kept) in [
        (json!([{"name": "http", "port": 81, "protocol": "TCP", "nodePort": 30080}]), json!(30080)),
        (json!([{"name": "http", "port": 80, "protocol": "UDP", "nodePort": 30080}]), json!(30080)),
        (json!([{"port": 80, "protocol": "TCP", "nodePort": 30080}]), json!(30080)),
        (
            json!([{"name": "evil", "port": 22, "nodePort": 30022}, {"name": "http", "port": 81, "nodePort": 30081}]),
            json!(30081),
        ),
        (json!([{"name": "evil", "port": 22, "nodePort": 30022}]), Value::Null),
    ] {
        let live = live(changed);
        let now = restored(&live, &intent, &SERVICE);
        let mut port = port.clone();
        if !kept.is_null() {
            port["nodePort"] = kept;
        }
        assert_eq!(now["spec"]["ports"], json!([port]), "{live}");
        assert_eq!(now["metadata"], live["metadata"]);
        assert_eq!(now["status"], live["status"]);
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            assert_eq!(now["spec"][field], live["spec"][field], "{field}");
        }
        assert!(now["spec"]["internalTrafficPolicy"].is_null(), "defaults are filled in anew");
    }
}

#[test]
fn ports_of_nodes_go_with_the_type_that_asked_for_them() {
    let intent = json!({"kind": "Service", "spec": {"type": "ClusterIP", "ports": [{"name": "http", "port": 80}]}});
    let live = json!({"kind": "Service", "spec": {"type": "NodePort", "clusterIP": "10.0.0.9", "ports": [
        {"name": "http", "port": 81, "nodePort": 30081}, {"name": "evil", "port": 22, "nodePort": 30022}]}});
    let now = restored(&live, &intent, &SERVICE);
    assert_eq!(now["spec"]["ports"], intent["spec"]["ports"]);
    assert_eq!((&now["spec"]["type"], &now["spec"]["clusterIP"]), (&json!("ClusterIP"), &json!("10.0.0.9")));
}

#[test]
fn a_server_keeps_what_is_others() {
    let intent = json!({"metadata": {"name": "d", "labels": {"a": "b"}}, "spec": {"strategy": {"type": "Recreate"},
        "template": {"metadata": {"annotations": {"ours": "1"}}, "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "d"}}]}}}});
    let live = json!({"metadata": {"name": "d", "labels": {"c": "d"}}, "data": {"x": "y"}, "spec": {
        "replicas": 3, "paused": true, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
        "template": {
            "metadata": {"annotations": {"ours": "2", "evil": "1", "kubectl.kubernetes.io/restartedAt": "now"}},
            "spec": {"hostNetwork": true, "volumes": [{"name": "data", "emptyDir": {}}]}}}});
    let now = restored(&live, &intent, &DEPLOYMENT);
    let mut wanted = intent.clone();
    wanted["metadata"]["labels"]["c"] = json!("d");
    wanted["spec"]["replicas"] = json!(3);
    wanted["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = json!("now");
    assert_eq!(now, wanted);
    let mut fixed = intent;
    fixed["spec"]["replicas"] = json!(1);
    assert_eq!(restored(&live, &fixed, &DEPLOYMENT)["spec"]["replicas"], 1, "what the engine writes is not others'");
}

#[test]
fn what_is_others_and_ours_is_both() {
    let intent = json!({"spec": {"template": {"metadata": {"labels": {"ours": "1"}}, "spec": {}}}});
    let live = json!({"spec": {"selector": {"matchLabels": {"uid": "u"}}, "suspend": false,
        "template": {"metadata": {"labels": {"ours": "2", "uid": "u"}}, "spec": {"tolerations": [{"operator": "Exists"}], "hostPID": true}}}});
    let now = restored(&live, &intent, &JOB);
    assert_eq!(
        now["spec"],
        json!({"selector": {"matchLabels": {"uid": "u"}}, "suspend": false,
            "template": {"metadata": {"labels": {"ours": "1", "uid": "u"}}, "spec": {"tolerations": [{"operator": "Exists"}]}}})
    );
    let budget = json!({"spec": {"maxUnavailable": 1}});
    let other = json!({"spec": {"minAvailable": 1}});
    assert_eq!(restored(&other, &budget, &BUDGET), budget);
}
