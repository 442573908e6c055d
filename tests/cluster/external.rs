//! Services that the site runs already: the way out to them, and a probe that asks them.

use harness::Pods;
use serde_json::{Value, json};

use crate::spec::minimal;
use crate::stage::stage;
use crate::team::{Team, component, condition};

fn spec(url: &str) -> Value {
    let mut spec = minimal();
    spec["shared"] = json!({"experiments": {"engine": "external", "parameters": {"url": url}}});
    spec
}

#[tokio::test]
async fn a_service_of_the_cluster_is_reached_and_asked() {
    let team = Team::ready(stage().await, "tracks", spec("http://mlflow.tools.svc:5000")).await;
    for end in ["shared", "first"] {
        let policy = team.admin.get(&team.object("NetworkPolicy", end, "strata-out-tools")).await.expect("the way out");
        let rule = json!([{
            "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}}}],
            "ports": [{"protocol": "TCP"}],
        }]);
        assert_eq!(policy["spec"]["egress"], rule, "{policy}");
    }
    let backbone = team.object("NetworkPolicy", "backbone", "strata-out-tools");
    assert!(team.admin.find(&backbone).await.is_none(), "Backbone uses no service");
    let probed = team.admin.list(&crate::actor::collection("Job", Some(&team.space("shared")))).await;
    assert_eq!(probed.len(), 1, "{probed:?}");

    // Another address is another probe, and the way to the earlier one is closed.
    let pods = Pods::of(&team.space("shared"), "engine", "external");
    let message = json!({"message": "http://mlflow.other.svc:5000 does not answer: timed out"}).to_string();
    let fails = [("simulate/exit-code", "1"), ("simulate/message", message.as_str())];
    team.stage.plane.simulate(&pods, &fails).await.unwrap();
    team.edit(json!({"shared": {"experiments": {"parameters": {"url": "http://mlflow.other.svc:5000"}}}})).await;
    let seen = team.until_not_ready("PodFailing", "http://mlflow.other.svc:5000 does not answer: timed out").await;
    assert_eq!(component(&seen, "Experiments")["state"], "Progressing", "{seen}");
    assert!(condition(&seen, "Stalled").is_null(), "it can come back by itself: {seen}");
    team.until_missing(&team.object("NetworkPolicy", "shared", "strata-out-tools")).await;

    team.stage.plane.simulate_nothing(&pods).await.unwrap();
    team.edit(json!({"shared": {"experiments": {"parameters": {"url": "http://mlflow.third.svc:5000"}}}})).await;
    team.until_ready().await;
    let jobs = team.admin.list(&crate::actor::collection("Job", Some(&team.space("shared")))).await;
    assert_eq!(jobs.len(), 1, "earlier probes are removed: {jobs:?}");
}

#[tokio::test]
async fn a_way_that_may_not_be_opened_is_refused_by_name() {
    let team = Team::ready(stage().await, "tracker", spec("https://mlflow.example.com")).await;
    for (parameters, words) in [
        (json!({"url": "http://mlflow.risk--shared.svc"}), "'risk--shared' is a namespace of a team"),
        (json!({"url": "http://x.kube-system.svc"}), "'kube-system' is a namespace of Kubernetes itself"),
        (json!({"url": "https://mlflow.example.com", "egress": "nowhere"}), "'nowhere' is no egress profile"),
    ] {
        team.edit(json!({"shared": {"experiments": {"parameters": parameters}}})).await;
        team.until_not_ready("Invalid", words).await;
    }
}
