//! The way to the API server, for the pods of an engine that needs it.

use std::collections::BTreeSet;

use harness::wait;
use serde_json::{Value, json};

use crate::spec::with_experiments;
use crate::stage::stage;
use crate::team::{PATIENCE, Team};

const SLICE: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
const SERVICE: &str = "/api/v1/namespaces/default/services/kubernetes";

fn engine() -> Value {
    json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Engine", "metadata": {"name": "reaching"},
        "spec": {
            "description": "An engine of a test", "capabilities": ["Experiments"], "revision": "1", "needsApiServer": true,
            "objects": [{"id": "settings", "template": {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "reaching"}, "data": {"a": "b"},
            }}],
        },
    })
}

fn opened(policy: &Value) -> BTreeSet<String> {
    let rules = policy["spec"]["egress"].as_array().into_iter().flatten();
    let opened = rules.map(|rule| {
        assert_eq!((rule["to"].as_array().map(Vec::len), rule["ports"].as_array().map(Vec::len)), (Some(1), Some(1)));
        format!("{}:{}", rule["to"][0]["ipBlock"]["cidr"].as_str().expect("a block"), rule["ports"][0]["port"])
    });
    opened.collect()
}

#[tokio::test]
async fn pods_that_need_the_api_server_reach_it_and_nothing_else() {
    let stage = stage().await;
    let admin = stage.admin().await;
    admin.create(&engine()).await.expect("an engine");
    let spec = with_experiments(&json!({"shared": {"experiments": {"engine": "reaching"}}}));
    let team = Team::ready(stage, "reaching", spec).await;
    let slice = admin.find(SLICE).await.expect("the API server publishes itself");
    let service = admin.find(SERVICE).await.expect("its Service");
    let address = |value: &Value, port: &Value| format!("{}/32:{port}", value.as_str().expect("an address"));
    let mut expected = BTreeSet::from([
        address(&slice["endpoints"][0]["addresses"][0], &slice["ports"][0]["port"]),
        address(&service["spec"]["clusterIP"], &service["spec"]["ports"][0]["port"]),
    ]);
    let policy = team.object("NetworkPolicy", "shared", "strata-api-server-reaching");
    let written = team.until_there(&policy, |_| true).await;
    assert_eq!(opened(&written), expected);

    // Another one joins. The API server takes it off every few seconds, because it is not
    // there: it joins again until the operator has seen it.
    let mut endpoints = slice["endpoints"].as_array().expect("endpoints").clone();
    endpoints.push(json!({"addresses": ["198.51.100.7"], "conditions": {"ready": true}}));
    expected.insert(format!("198.51.100.7/32:{}", slice["ports"][0]["port"]));
    let waited = wait::until("the address that joined is opened", PATIENCE, async || {
        admin.merge(SLICE, &json!({"endpoints": endpoints})).await.map_err(|refused| format!("{refused:?}"))?;
        let now = opened(&admin.find(&policy).await.unwrap_or_default());
        if now == expected { Ok(()) } else { Err(format!("{now:?}")) }
    });
    waited.await.unwrap_or_else(|error| panic!("{error}"));
    admin.merge(SLICE, &json!({"endpoints": slice["endpoints"]})).await.expect("changed back");
    expected.remove(&format!("198.51.100.7/32:{}", slice["ports"][0]["port"]));
    team.until_there(&policy, |policy| opened(policy) == expected).await;
}
