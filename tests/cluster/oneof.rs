//! What no apply puts back, because it adds to what it finds: the key of an item of a
//! list, and the one of several fields of which only one may be set. It is back all the
//! same, in the object that was there, and what is others' stays.

use std::time::Duration;

use harness::operator::USER;
use harness::wait;
use serde_json::{Value, json};

use crate::actor::Actor;
use crate::count::{is_quiet, of_work, settled};
use crate::drift::ours;
use crate::spec::{at_work, with_experiments};
use crate::stage::{alone, stage};
use crate::team::{Team, condition, summary};
use crate::work::{Work, component, of_ana, served};

const LIVE: &str = "first--live";

/// Changes an object, as somebody who may, and sees it back as it was. What its
/// controller and an autoscaler write meanwhile is left out.
async fn is_back(team: &Team, who: &Actor, at: &str, what: &str, operations: &Value) {
    let before = team.admin.get(at).await.unwrap_or_else(|refused| panic!("{what}: {refused:?}"));
    let changed = who.patch(at, operations).await.unwrap_or_else(|refused| panic!("{what}: {refused:?}"));
    assert_ne!(meant(&changed), meant(&before), "{what}: nothing was changed");
    let now = team.until_there(at, |now| meant(now) == meant(&before)).await;
    println!("back: {what}");
    for field in ["/metadata/uid", "/spec/clusterIP", "/spec/clusterIPs", "/spec/replicas"] {
        assert_eq!(now.pointer(field), before.pointer(field), "{what}: {field}");
    }
}

fn meant(object: &Value) -> Value {
    let mut object = ours(object);
    object["status"] = Value::Null;
    object["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = Value::Null;
    object
}

fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!([{"op": "replace", "path": path, "value": value.into()}])
}

/// Changes of a pod's template at this path, each of which the API server takes.
struct Pods<'a> {
    at: &'a str,
    template: &'a Value,
}

impl Pods<'_> {
    fn container(&self, field: &str) -> String {
        format!("{}/spec/containers/0/{field}", self.at)
    }

    fn port(&self) -> (&'static str, Value) {
        ("the port of a container", replace(&self.container("ports/0/containerPort"), json!(9999)))
    }

    fn protocol(&self) -> (&'static str, Value) {
        ("the protocol of a container's port", replace(&self.container("ports/0/protocol"), json!("UDP")))
    }

    fn variable(&self) -> (&'static str, Value) {
        let name = &self.template["spec"]["containers"][0]["env"][0]["name"];
        let from = json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
        ("the source of a variable", replace(&self.container("env/0"), from))
    }

    /// A probe that asks by a command asks by a socket, any other by a command.
    fn probe(&self) -> (&'static str, Value) {
        let by_command = self.template["spec"]["containers"][0]["livenessProbe"]["exec"].is_object();
        let other =
            if by_command { json!({"tcpSocket": {"port": 80}}) } else { json!({"exec": {"command": ["true"]}}) };
        ("the kind of a probe", replace(&self.container("livenessProbe"), other))
    }

    /// One volume is of another kind.
    fn volume(&self, name: &str, other: Value) -> (&'static str, Value) {
        let volumes = self.template["spec"]["volumes"].as_array().expect("volumes");
        let index = volumes.iter().position(|volume| volume["name"] == name).expect("the volume");
        let mut volume = other;
        volume["name"] = json!(name);
        ("the kind of a volume", replace(&format!("{}/spec/volumes/{index}", self.at), volume))
    }
}

fn of_service() -> Vec<(&'static str, Value)> {
    let nameless = json!([
        {"op": "remove", "path": "/spec/ports/0/name"}, {"op": "replace", "path": "/spec/ports/0/port", "value": 81},
    ]);
    vec![
        ("the port of a Service", replace("/spec/ports/0/port", json!(81))),
        ("the protocol of a Service", replace("/spec/ports/0/protocol", json!("UDP"))),
        ("a port without its name", nameless),
    ]
}

/// Each in turn, three in a minute: five make an object contested.
async fn are_back(team: &Team, who: &Actor, at: &str, changes: &[(&str, Value)]) {
    for (number, some) in changes.chunks(3).enumerate() {
        if number > 0 {
            tokio::time::sleep(Duration::from_secs(61)).await;
        }
        for (what, operations) in some {
            is_back(team, who, at, what, operations).await;
        }
    }
    team.until_ready().await;
}

#[tokio::test]
async fn objects_of_the_team_are_back() {
    let team = Team::ready(stage().await, "oneof", with_experiments(&json!({}))).await;
    let at = team.object("Deployment", "shared", "mlflow");
    let live = team.admin.get(&at).await.expect("it is there");
    let pods = Pods { at: "/spec/template", template: &live["spec"]["template"] };
    let changes = [
        ("no strategy", json!([{"op": "remove", "path": "/spec/strategy"}])),
        (
            "the type of the strategy",
            replace("/spec/strategy", json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2}})),
        ),
        pods.volume("data", json!({"emptyDir": {}})),
        pods.probe(),
        pods.variable(),
    ];
    are_back(&team, &team.admin, &at, &changes).await;
    are_back(&team, &team.admin, &team.object("Service", "shared", "mlflow"), &of_service()).await;
}

#[tokio::test]
async fn objects_of_a_model_are_back() {
    let team = Team::ready(stage().await, "oneof-live", at_work()).await;
    component(&team, "drift").await.until_ready().await;
    let mut spec = served("1");
    spec["monitor"] = json!({"component": "drift", "everyMinutes": 30});
    spec["replicas"] = json!({"min": 1, "max": 4});
    let work = Work::create(&team, "ModelService", LIVE, "score", spec).await;
    work.until("serves", |seen| condition(seen, "Ready")["status"] == "True").await;
    let mia = team.stage.somebody("mia@example.com", &[]).await;
    let at = team.object("Deployment", LIVE, "service-score");
    // As the autoscaler does.
    let scaled = team.admin.merge(&at, &json!({"spec": {"replicas": 3}})).await.expect("scaled");
    let pods = Pods { at: "/spec/template", template: &scaled["spec"]["template"] };
    let claim = json!({"persistentVolumeClaim": {"claimName": "other"}});
    let changes = [pods.port(), pods.protocol(), pods.variable(), pods.volume("model", claim), pods.probe()];
    are_back(&team, &mia, &at, &changes).await;
    are_back(&team, &mia, &team.object("Service", LIVE, "score"), &of_service()).await;

    let at = team.object("PodDisruptionBudget", LIVE, "service-score");
    let all = json!([{"op": "remove", "path": "/spec/maxUnavailable"}, {"op": "add", "path": "/spec/minAvailable", "value": 1}]);
    are_back(&team, &team.admin, &at, &[("the other bound of a disruption budget", all)]).await;
    let at = team.object("HorizontalPodAutoscaler", LIVE, "service-score");
    let average = json!({"type": "Pods", "pods": {"metric": {"name": "x"}, "target": {"type": "AverageValue", "averageValue": "1"}}});
    let target = json!({"type": "AverageValue", "averageValue": "1"});
    let changes = [
        ("the type of a metric", replace("/spec/metrics/0", average)),
        ("the target of a metric", replace("/spec/metrics/0/resource/target", target)),
    ];
    are_back(&team, &mia, &at, &changes).await;
    let at = team.object("CronJob", LIVE, "service-score-monitor");
    let live = team.admin.get(&at).await.expect("it is there");
    let template = "/spec/jobTemplate/spec/template";
    let pods = Pods { at: template, template: live.pointer(template).expect("its pods") };
    let changes = [pods.volume("temporary", json!({"configMap": {"name": "service-score"}})), pods.variable()];
    are_back(&team, &team.admin, &at, &changes).await;
    let live = team.admin.get(&team.object("Deployment", LIVE, "service-score")).await.expect("it is there");
    assert_eq!(live["spec"]["replicas"], 3, "what the autoscaler wrote");
}

#[tokio::test]
async fn a_workbench_is_back() {
    let team = Team::ready(stage().await, "oneof-bench", at_work()).await;
    Work::create(&team, "Workbench", "first", "ana", of_ana()).await.until_ready().await;
    let at = team.object("StatefulSet", "first", "workbench-ana");
    let live = team.admin.get(&at).await.expect("it is there");
    let pods = Pods { at: "/spec/template", template: &live["spec"]["template"] };
    let changes = [
        pods.variable(),
        pods.probe(),
        pods.volume("home", json!({"emptyDir": {}})),
        ("the kind of a strategy", replace("/spec/updateStrategy", json!({"type": "RollingUpdate"}))),
    ];
    are_back(&team, &team.admin, &at, &changes).await;
}

#[tokio::test]
async fn it_takes_one_refusal_and_two_writes() {
    let (_turn, stage) = alone().await;
    let team = Team::ready(stage, "oneof-count", with_experiments(&json!({}))).await;
    settled(stage).await;
    let mark = stage.plane.audit().mark();
    let at = team.object("Service", "shared", "mlflow");
    is_back(&team, &team.admin, &at, "a port", &replace("/spec/ports/0/port", json!(81))).await;
    settled(stage).await;
    let asked = of_work(&stage.asked(mark)).resource("services");
    let writes: Vec<_> = asked.writes().iter().map(|request| (request.verb.clone(), request.code)).collect();
    let verbs = [("patch", 422), ("update", 200), ("patch", 200)].map(|(verb, code)| (verb.to_owned(), code));
    assert_eq!(writes, verbs, "{asked}");
    assert_eq!(asked.reads().count(), 1, "{asked}");
    is_quiet(stage, "an object that was put back whole", 3).await;
    // Other drift takes one write, as ever.
    let mark = stage.plane.audit().mark();
    is_back(&team, &team.admin, &at, "another target", &replace("/spec/ports/0/targetPort", json!(9))).await;
    settled(stage).await;
    let asked = of_work(&stage.asked(mark)).resource("services");
    assert_eq!((asked.writes().count(), asked.reads().count()), (1, 0), "{asked}");
    team.delete().await;
    team.until_gone().await;
}

/// A policy of admission that takes nothing from the operator for the Deployments of one
/// team, and says so as the API server refuses what is invalid.
async fn refusing(team: &Team) -> Vec<String> {
    let name = format!("refusing.{}", team.name);
    let of = |kind: &str, spec: Value| json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let policy = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"strata-operator.dev/team": team.name}},
            "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}],
        },
        "matchConditions": [{"name": "operator", "expression": format!("request.userInfo.username == '{USER}'")}],
        "validations": [{"expression": "false", "message": "not today"}],
    });
    let binding = json!({"policyName": name, "validationActions": ["Deny"]});
    let mut paths = Vec::new();
    for (plural, object) in [
        ("validatingadmissionpolicies", of("ValidatingAdmissionPolicy", policy)),
        ("validatingadmissionpolicybindings", of("ValidatingAdmissionPolicyBinding", binding)),
    ] {
        let all = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
        team.admin.post(&all, &object).await.unwrap_or_else(|refused| panic!("{refused:?}"));
        paths.push(format!("{all}/{name}"));
    }
    paths
}

#[tokio::test]
async fn what_is_refused_either_way_is_no_contest() {
    let team = Team::ready(stage().await, "oneof-refused", with_experiments(&json!({}))).await;
    let policies = refusing(&team).await;
    let at = team.object("Deployment", "shared", "mlflow");
    let before = team.admin.get(&at).await.expect("it is there");
    let operator = team.stage.somebody(USER, &[]).await;
    let in_force = wait::until("the policy is in force", 30, async || {
        let try_it = json!({"metadata": {"annotations": {"tried": "true"}}});
        match operator.merge(&format!("{at}?dryRun=All"), &try_it).await {
            Err(refused) if refused.message.contains("not today") => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    });
    in_force.await.unwrap_or_else(|error| panic!("{error}"));
    // It is tried no more often than a contested object, and reported as such.
    let mut tried = Vec::new();
    while tried.last() != Some(&0) && tried.len() < 12 {
        let mark = team.mark();
        let change = json!({"spec": {"revisionHistoryLimit": 20 + tried.len()}});
        team.admin.merge(&at, &change).await.expect("changed");
        tokio::time::sleep(Duration::from_secs(2)).await;
        tried.push(team.asked(mark).writes().resource("deployments").count());
    }
    assert!(tried.len() > 1 && tried.last() == Some(&0), "{tried:?}");
    let seen = team.get().await;
    let ready = condition(&seen, "Ready");
    assert_eq!(ready["reason"], "Refused", "{}", summary(&seen));
    assert!(ready["message"].as_str().is_some_and(|words| words.contains("not today")), "{ready}");
    for policy in policies.iter().rev() {
        team.admin.delete(policy).await.expect("deleted");
    }
    team.until_there(&at, |now| meant(now) == meant(&before)).await;
    team.until_ready().await;
}
