//! What somebody adds to an object of ours goes, whoever its `managedFields` say holds
//! it; what is others' by design stays; and what admission adds is left, so that nobody
//! fights.

use harness::audit::Requests;
use serde_json::{Value, json};

use crate::actor::path;
use crate::count::{is_quiet, of_work, settled};
use crate::drift::{Change, are_undone, ours};
use crate::spec::{at_work, everything, with_experiments};
use crate::stage::{alone, stage};
use crate::team::{Team, condition};
use crate::work::{Work, component, of_ana, served};

const LIVE: &str = "first--live";

/// Everything of this list, added to a pod's template at this path.
fn to_pods(at: &str) -> Value {
    let sidecar = json!({"name": "sidecar", "image": "evil.example.com/x:1"});
    let add = |path: &str, value: Value| json!({"op": "add", "path": format!("{at}{path}"), "value": value});
    json!([
        add("/spec/containers/0/env/-", json!({"name": "LD_PRELOAD", "value": "/tmp/evil.so"})),
        add("/spec/containers/0/volumeMounts/-", json!({"name": "evil", "mountPath": "/evil"})),
        add("/spec/containers/0/lifecycle", json!({"postStart": {"exec": {"command": ["sh", "/evil/x"]}}})),
        add("/spec/containers/-", sidecar),
        add("/spec/initContainers", json!([{"name": "first", "image": "evil.example.com/x:1"}])),
        add("/spec/volumes/-", json!({"name": "evil", "emptyDir": {}})),
        add("/spec/hostAliases", json!([{"ip": "192.0.2.1", "hostnames": ["registry.example.com"]}])),
        add("/spec/tolerations", json!([{"operator": "Exists"}])),
        add("/spec/nodeSelector", json!({"evil": "true"})),
        add("/spec/priorityClassName", json!("system-cluster-critical")),
        add("/metadata/labels/evil", json!("true")),
        add("/metadata/annotations", json!({"evil": "true"})),
    ])
}

/// A team with a model in production that is monitored, and a workbench.
async fn at_large(name: &str) -> Team {
    let team = Team::ready(stage().await, name, at_work()).await;
    component(&team, "drift").await.until_ready().await;
    let mut spec = served("1");
    spec["monitor"] = json!({"component": "drift", "everyMinutes": 30});
    let work = Work::create(&team, "ModelService", LIVE, "score", spec).await;
    work.until("serves", |seen| condition(seen, "Ready")["status"] == "True").await;
    Work::create(&team, "Workbench", "first", "ana", of_ana()).await.until_ready().await;
    component(&team, "plain").await.until_ready().await;
    let nightly = json!({"steps": [{"component": "plain"}], "schedule": "0 3 1 1 *"});
    Work::create(&team, "Pipeline", LIVE, "nightly", nightly).await.until_ready().await;
    team
}

/// What is added to each kind: object, change.
fn additions(team: &Team) -> Vec<(&'static str, String, Vec<Change>)> {
    let suspended = || Change::Merge(json!({"spec": {"suspend": true}}));
    let model = |kind: &str, name: &str| team.object(kind, LIVE, name);
    let model_pods = json!([
        {"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["--evil"]},
        {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "sidecar", "image": "evil.example.com/x:1"}},
        {"op": "add", "path": "/spec/template/spec/initContainers/0", "value": {"name": "before", "image": "evil.example.com/x:1"}},
        {"op": "add", "path": "/spec/template/spec/hostAliases", "value": [{"ip": "192.0.2.1", "hostnames": ["mlflow"]}]},
        {"op": "add", "path": "/spec/paused", "value": true},
        {"op": "replace", "path": "/spec/progressDeadlineSeconds", "value": 7},
        {"op": "add", "path": "/spec/minReadySeconds", "value": 3},
        {"op": "replace", "path": "/spec/revisionHistoryLimit", "value": 0},
    ]);
    let schedule = json!({"spec": {"suspend": true, "schedule": "@yearly", "timeZone": "Asia/Tokyo",
        "concurrencyPolicy": "Replace", "startingDeadlineSeconds": 1, "failedJobsHistoryLimit": 0,
        "successfulJobsHistoryLimit": 0,
        "jobTemplate": {"spec": {"ttlSecondsAfterFinished": 0, "activeDeadlineSeconds": 7, "parallelism": 0}}}});
    let behavior = json!({"spec": {"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}}});
    let budget = json!({"spec": {"selector": {"matchLabels": {"evil": "true"}}}});
    let service = json!({"spec": {"publishNotReadyAddresses": true, "sessionAffinity": "ClientIP"}});
    let ports =
        json!([{"op": "add", "path": "/spec/ports/-", "value": {"name": "evil", "port": 22, "targetPort": 22}}]);
    let external = json!({"spec": {"externalIPs": ["192.0.2.1"]}});
    vec![
        (
            "a Deployment of the team",
            team.object("Deployment", "shared", "mlflow"),
            vec![
                Change::Patch(to_pods("/spec/template")),
                Change::Merge(json!({"spec": {"paused": true, "minReadySeconds": 30}})),
            ],
        ),
        ("a Deployment of a model", model("Deployment", "service-score"), vec![Change::Patch(model_pods)]),
        ("an autoscaler", model("HorizontalPodAutoscaler", "service-score"), vec![Change::Merge(behavior)]),
        ("a disruption budget", model("PodDisruptionBudget", "service-score"), vec![Change::Merge(budget)]),
        (
            "a Service",
            model("Service", "score"),
            vec![Change::Merge(service), Change::Patch(ports), Change::Merge(external)],
        ),
        ("a monitor's CronJob", model("CronJob", "service-score-monitor"), vec![suspended()]),
        (
            "a workbench's StatefulSet",
            team.object("StatefulSet", "first", "workbench-ana"),
            vec![Change::Merge(
                json!({"spec": {"minReadySeconds": 9, "template": {"metadata": {"labels": {"evil": "x"}}},
                    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
                    "revisionHistoryLimit": 0,
                    "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"}}}),
            )],
        ),
        ("a pipeline's CronJob", team.object("CronJob", LIVE, "pipeline-nightly"), vec![Change::Merge(schedule)]),
    ]
}

#[tokio::test]
async fn whatever_somebody_adds_goes() {
    let team = at_large("added").await;
    for (what, at, changes) in additions(&team) {
        are_undone(&team, &at, changes.into_iter().map(|change| (what, change)).collect()).await;
    }
    team.until_ready().await;
}

/// Takes everybody's word but ours out of what an object says of its writers.
async fn strike(team: &Team, at: &str) {
    let live = team.admin.get(at).await.expect("it is there");
    let all = live["metadata"]["managedFields"].as_array().expect("managers").iter();
    let ours: Vec<_> = all.filter(|entry| entry["manager"] == "strata").collect();
    assert!(!ours.is_empty(), "{live}");
    let only_ours = json!([{"op": "replace", "path": "/metadata/managedFields", "value": ours}]);
    team.admin.patch(at, &only_ours).await.expect("struck");
}

/// All of it at once, while the operator writes nothing, and nobody said to have done it.
#[tokio::test]
async fn what_nobody_owns_up_to_goes_too() {
    let team = at_large("struck").await;
    let mut before = Vec::new();
    for (_, at, _) in additions(&team) {
        before.push((at.clone(), team.admin.get(&at).await.expect("it is there")));
    }
    team.edit(json!({"managementPolicy": "Suspend"})).await;
    team.until_not_ready("Suspended", "").await;
    for (what, at, changes) in additions(&team) {
        for change in changes {
            let changed = match change {
                Change::Merge(change) => team.admin.merge(&at, &change).await,
                Change::Patch(operations) => team.admin.patch(&at, &operations).await,
                Change::Delete => unreachable!("nothing is deleted"),
            };
            changed.unwrap_or_else(|refused| panic!("{what}: {refused:?}"));
        }
        strike(&team, &at).await;
    }
    for (at, before) in &before {
        assert_ne!(ours(&team.admin.get(at).await.expect("it is there")), ours(before), "{at}");
    }
    team.edit(json!({"managementPolicy": "Enforce"})).await;
    for (at, before) in &before {
        team.until_there(at, |now| ours(now) == ours(before)).await;
    }
    team.until_ready().await;
}

#[tokio::test]
async fn what_is_others_stays() {
    let team = at_large("theirs").await;
    let at = team.object("Deployment", LIVE, "service-score");
    let restarted = json!({"kubectl.kubernetes.io/restartedAt": "2026-11-01T00:00:00Z"});
    let theirs = json!({"spec": {"replicas": 2, "template": {"metadata": {"annotations": restarted}}}});
    team.admin.merge(&at, &theirs).await.expect("restarted");
    // What is added after it goes; that one stays.
    team.admin.merge(&at, &json!({"spec": {"paused": true}})).await.expect("paused");
    let now = team.until_there(&at, |now| now["spec"]["paused"].is_null()).await;
    let annotations = &now["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations["kubectl.kubernetes.io/restartedAt"], "2026-11-01T00:00:00Z", "{now}");
}

#[tokio::test]
async fn what_nobody_may_change_is_made_anew() {
    let team = Team::ready(stage().await, "locked", everything()).await;
    let engines: Vec<String> = team
        .objects()
        .await
        .into_iter()
        .filter(|((kind, _, _), object)| {
            kind == "ConfigMap" && object["metadata"]["labels"]["strata-operator.dev/engine"].is_string()
        })
        .map(|((kind, namespace, name), _)| path(&kind, &namespace, &name))
        .collect();
    assert!(!engines.is_empty(), "no engine has a ConfigMap");
    for at in engines.iter().chain([&team.object("ConfigMap", "first", "connections")]) {
        let before = team.admin.get(at).await.expect("it is there");
        team.admin.merge(at, &json!({"immutable": true})).await.expect("locked");
        let now = team.until_there(at, |now| ours(now) == ours(&before)).await;
        assert_ne!(now["metadata"]["uid"], before["metadata"]["uid"], "{at}");
        let labels = before["metadata"]["labels"].as_object().expect("labels").keys();
        let without: Value = labels.map(|label| (label.clone(), Value::Null)).collect::<serde_json::Map<_, _>>().into();
        for what in [json!({"strata-operator.dev/team": null}), without] {
            let stripped = json!({"metadata": {"labels": what, "managedFields": [{}]}});
            team.admin.merge(at, &stripped).await.expect("stripped");
            team.until_there(at, |now| ours(now) == ours(&before)).await;
        }
    }
    team.until_ready().await;
}

/// A policy of admission that puts a variable into the Deployments of one team.
async fn marking(team: &Team) {
    let of = |kind: &str, spec: Value| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": {"name": format!("marking.{}", team.name)}, "spec": spec})
    };
    let variable = "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{\
        containers: object.spec.template.spec.containers.map(each, Object.spec.template.spec.containers{\
        name: each.name, env: [Object.spec.template.spec.containers.env{name: 'SITE', value: 'here'}]})}}}}";
    let policy = json!({
        "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"strata-operator.dev/team": team.name}},
            "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}],
        },
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": variable}}],
    });
    let both = [
        of("MutatingAdmissionPolicy", policy),
        of("MutatingAdmissionPolicyBinding", json!({"policyName": format!("marking.{}", team.name)})),
    ];
    let paths = ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"];
    for (object, plural) in both.iter().zip(paths) {
        let at = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
        team.admin.post(&at, object).await.unwrap_or_else(|refused| panic!("{refused:?}"));
    }
}

fn written(asked: &Requests) -> usize {
    of_work(asked).writes().resource("deployments").count()
}

#[tokio::test]
async fn nobody_fights_over_what_admission_adds() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "mutated", with_experiments(&json!({}))).await;
    let at = team.object("Deployment", "shared", "mlflow");
    marking(&team).await;
    let is_marked = |now: &Value| {
        let env = now["spec"]["template"]["spec"]["containers"][0]["env"].as_array();
        env.is_some_and(|env| env.iter().any(|variable| variable["name"] == "SITE"))
    };
    // What somebody does to it brings the variable along.
    let tries = std::cell::Cell::new(0);
    let touched = harness::wait::until("the policy is at work", 30, async || {
        tries.set(tries.get() + 1);
        let mark = json!({"metadata": {"annotations": {"touched": tries.get().to_string()}}});
        let now = team.admin.merge(&at, &mark).await.map_err(|refused| refused.message)?;
        if is_marked(&now) { Ok(()) } else { Err(now["spec"].to_string()) }
    });
    touched.await.unwrap_or_else(|error| panic!("{error}"));
    settled(stage).await;
    let before = team.admin.get(&at).await.expect("it is there");
    assert!(is_marked(&before), "{before}");
    team.until_ready().await;
    is_quiet(stage, "an object that admission changes", 3).await;
    // A drift is repaired by two requests; it leaves the variable.
    let mark = stage.plane.audit().mark();
    team.admin.merge(&at, &json!({"spec": {"paused": true}})).await.expect("paused");
    let now = team.until_there(&at, |now| now["spec"]["paused"].is_null()).await;
    assert!(is_marked(&now), "{now}");
    settled(stage).await;
    assert_eq!(written(&stage.asked(mark)), 2, "{}", stage.asked(mark));
    // A new process learns it by two requests without effect.
    let before = team.admin.get(&at).await.expect("it is there");
    stage.operator.stop().await.expect("stopped");
    let mark = stage.plane.audit().mark();
    stage.operator.resume().await.expect("started again");
    settled(stage).await;
    let asked = stage.asked(mark);
    assert_eq!(written(&asked), 2, "{asked}");
    let after = team.admin.get(&at).await.expect("it is there");
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    is_quiet(stage, "an object that admission changes, after a restart", 3).await;
    for plural in ["mutatingadmissionpolicybindings", "mutatingadmissionpolicies"] {
        let policy = format!("/apis/admissionregistration.k8s.io/v1/{plural}/marking.mutated");
        team.admin.delete(&policy).await.expect("deleted");
    }
    team.delete().await;
    team.until_gone().await;
}
