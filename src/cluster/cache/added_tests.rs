//! What counts as added to an object, and what is left when it is taken out.

use serde_json::{Value, json};

use super::*;
use crate::api::kinds::clearing::{AUTOSCALER, CRON_JOB, DEPLOYMENT, JOB, SERVICE, STATEFUL_SET};

fn intent() -> Value {
    json!({"kind": "Deployment", "metadata": {"name": "d"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
            "serviceAccountName": "d", "tolerations": null,
            "containers": [{"name": "main", "image": "i:1", "env": [{"name": "HOME", "value": "/tmp"}],
                "ports": [{"containerPort": 80}], "readinessProbe": {"httpGet": {"port": 80}}}],
            "volumes": [{"name": "files", "configMap": {"name": "files"}}],
        }},
    }})
}

/// The same as the API server gives it back.
fn live() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "annotations": {"x": "y"}}, "status": {"replicas": 1}, "spec": {
        "progressDeadlineSeconds": 600, "replicas": 3, "revisionHistoryLimit": 10,
        "selector": {"matchLabels": {"a": "b"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "template": {"metadata": {"creationTimestamp": null, "labels": {"a": "b"}}, "spec": {
            "serviceAccountName": "d", "serviceAccount": "d", "dnsPolicy": "ClusterFirst", "restartPolicy": "Always",
            "schedulerName": "default-scheduler", "securityContext": {}, "terminationGracePeriodSeconds": 30,
            "containers": [{"name": "main", "image": "i:1", "imagePullPolicy": "IfNotPresent", "resources": {},
                "env": [{"name": "HOME", "value": "/tmp"}],
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "readinessProbe": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "timeoutSeconds": 1,
                    "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}],
            "volumes": [{"name": "files", "configMap": {"name": "files", "defaultMode": 420}}],
        }},
    }})
}

/// The object after a JSON merge of this change into its spec.
fn changed(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match parent {
        Value::Array(items) => items.insert(field.parse().unwrap(), value),
        other => other[field] = value,
    }
    object
}

#[test]
fn what_the_api_server_gives_back_has_no_additions() {
    assert_eq!(additions(&live(), &intent(), &DEPLOYMENT), []);
}

#[test]
fn whatever_is_added_is_named_and_goes_without_a_trace() {
    let pod = "/spec/template/spec";
    for (pointer, value, name) in [
        ("/spec/paused".to_owned(), json!(true), "spec.paused"),
        ("/spec/minReadySeconds".to_owned(), json!(3), "spec.minReadySeconds"),
        (format!("{pod}/containers/0"), json!({"name": "s", "image": "x"}), "spec.template.spec.containers[s]"),
        (format!("{pod}/containers/1"), json!({"name": "main", "image": "x"}), "spec.template.spec.containers[main]"),
        (format!("{pod}/initContainers"), json!([{"name": "s"}]), "spec.template.spec.initContainers"),
        (format!("{pod}/containers/0/command"), json!(["sh"]), "spec.template.spec.containers[main].command"),
        (
            format!("{pod}/containers/0/env/0"),
            json!({"name": "LD_PRELOAD", "value": "x"}),
            "spec.template.spec.containers[main].env[LD_PRELOAD]",
        ),
        (
            format!("{pod}/containers/0/env/1"),
            json!({"name": "HOME", "value": "x"}),
            "spec.template.spec.containers[main].env[HOME]",
        ),
        (
            format!("{pod}/containers/0/ports/1"),
            json!({"containerPort": 80, "protocol": "UDP"}),
            "spec.template.spec.containers[main].ports[80/UDP]",
        ),
        (format!("{pod}/tolerations"), json!([{"operator": "Exists"}]), "spec.template.spec.tolerations"),
        (format!("{pod}/hostAliases"), json!([{"ip": "192.0.2.1"}]), "spec.template.spec.hostAliases"),
        (format!("{pod}/nodeSelector"), json!({"a": "b"}), "spec.template.spec.nodeSelector"),
        (format!("{pod}/priorityClassName"), json!("high"), "spec.template.spec.priorityClassName"),
        // A probe without what it asks would be refused: it goes as one.
        (
            format!("{pod}/containers/0/livenessProbe"),
            json!({"exec": {"command": ["x"]}, "periodSeconds": 10}),
            "spec.template.spec.containers[main].livenessProbe",
        ),
        (format!("{pod}/volumes/1"), json!({"name": "v", "emptyDir": {}}), "spec.template.spec.volumes[v]"),
        ("/spec/template/metadata/labels/c".to_owned(), json!("d"), "spec.template.metadata.labels.c"),
    ] {
        let more = changed(&live(), &pointer, value);
        let found = additions(&more, &intent(), &DEPLOYMENT);
        assert_eq!(found.iter().map(|addition| addition.name.as_str()).collect::<Vec<_>>(), [name]);
        assert_eq!(without(&more, found.iter()), live(), "{name}");
        assert_ne!(guarded(&more, &DEPLOYMENT), guarded(&live(), &DEPLOYMENT), "{name}");
    }
}

#[test]
fn several_additions_go_together() {
    let mut more = live();
    for index in [0, 2, 3] {
        more = changed(&more, &format!("/spec/template/spec/containers/{index}"), json!({"name": index.to_string()}));
    }
    more = changed(&more, "/spec/paused", json!(true));
    let found = additions(&more, &intent(), &DEPLOYMENT);
    assert_eq!(found.len(), 4);
    assert_eq!(without(&more, found.iter()), live());
    assert_eq!(additions(&without(&more, found[..2].iter()), &intent(), &DEPLOYMENT).len(), 2);
}

#[test]
fn what_is_others_stays_and_wakes_nobody() {
    let restarted = json!({"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"});
    let more = changed(&live(), "/spec/template/metadata/annotations", restarted);
    let more = changed(&more, "/spec/replicas", json!(9));
    assert_eq!(additions(&more, &intent(), &DEPLOYMENT), []);
    assert_eq!(guarded(&more, &DEPLOYMENT), guarded(&live(), &DEPLOYMENT));
    let both = changed(&more, "/spec/template/metadata/annotations/evil", json!("x"));
    let found = additions(&both, &intent(), &DEPLOYMENT);
    assert_eq!(found[0].name, "spec.template.metadata.annotations.evil");
    assert_eq!(without(&both, found.iter()), more);
}

#[test]
fn every_kind_knows_its_own_defaults() {
    let service = json!({"spec": {"clusterIP": "198.18.0.9", "clusterIPs": ["198.18.0.9"], "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster", "sessionAffinity": "None", "type": "ClusterIP",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}});
    let intent = json!({"spec": {"ports": [{"port": 80}]}});
    assert_eq!(additions(&service, &intent, &SERVICE), []);
    for (field, value) in [
        ("publishNotReadyAddresses", json!(true)),
        ("sessionAffinity", json!("ClientIP")),
        ("externalIPs", json!(["192.0.2.1"])),
        ("type", json!("NodePort")),
        ("internalTrafficPolicy", json!("Local")),
    ] {
        let more = changed(&service, &format!("/spec/{field}"), value);
        assert_eq!(additions(&more, &intent, &SERVICE)[0].name, format!("spec.{field}"));
    }
    let more = changed(&service, "/spec/ports/1", json!({"port": 81, "protocol": "TCP", "targetPort": 81}));
    assert_eq!(additions(&more, &intent, &SERVICE)[0].name, "spec.ports[81/TCP]");
    let scaler = json!({"spec": {"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}, "minReplicas": 1}});
    assert_eq!(additions(&scaler, &json!({"spec": {"maxReplicas": 2}}), &AUTOSCALER)[0].name, "spec.behavior");
    let cron = |suspend: bool| json!({"spec": {"suspend": suspend, "concurrencyPolicy": "Allow"}});
    assert_eq!(additions(&cron(false), &json!({"spec": {"schedule": "x"}}), &CRON_JOB), []);
    assert_eq!(additions(&cron(true), &json!({"spec": {"schedule": "x"}}), &CRON_JOB)[0].name, "spec.suspend");
    let job = json!({"spec": {"suspend": true, "parallelism": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"job-name": "j"}}, "spec": {"nodeSelector": {"flavor": "a"}}}}});
    assert_eq!(additions(&job, &json!({"spec": {"template": {"spec": {}}}}), &JOB), []);
    let set = json!({"spec": {"updateStrategy": {"type": "OnDelete"}, "replicas": 1, "serviceName": ""}});
    assert_eq!(additions(&set, &json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}), &STATEFUL_SET), []);
}

/// Of an engine's own kind others' fields are free, unless the engine says otherwise.
#[test]
fn what_an_engine_owns_whole_is_cleared_too() {
    use crate::api::kinds::{WriteStrategy, clearing};
    use crate::cluster::cache::fingerprint::fingerprint;
    let object = |annotations: Value, more: Value| {
        let managed = json!([{"manager": "strata", "operation": "Apply", "fieldsV1": {"f:spec": {"f:size": {}},
            "f:metadata": {"f:annotations": {"f:strata-operator.dev/owned-whole": {}}}}}]);
        json!({"metadata": {"annotations": annotations, "managedFields": managed}, "spec": {"size": 1, "more": more}})
    };
    let changes = |annotations: &Value| {
        let of = |more: Value| fingerprint(&object(annotations.clone(), more), WriteStrategy::Apply);
        of(Value::Null) != of(json!("x"))
    };
    let whole = json!({"strata-operator.dev/owned-whole": "true"});
    assert!(changes(&whole) && !changes(&json!({})));
    let intent = json!({"metadata": {"annotations": whole}, "spec": {"size": 1}});
    let clearing = clearing::of(WriteStrategy::Apply, &intent).unwrap();
    assert_eq!(additions(&object(whole.clone(), json!("x")), &intent, clearing)[0].name, "spec.more");
    assert!(clearing::of(WriteStrategy::Apply, &json!({"spec": {"size": 1}})).is_none());
    // Removing the annotation changes the fingerprint.
    let stripped = fingerprint(&object(json!({}), Value::Null), WriteStrategy::Apply);
    assert_ne!(stripped, fingerprint(&object(whole, Value::Null), WriteStrategy::Apply));
}
