//! What each default engine takes while the team works, as the kubelet measures it,
//! beside what it requests; and how long its pods took to be ready.

use serde_json::Value;

use crate::stage::Stage;

/// Prints the table, and holds the Shared layer of a team to one gibibyte.
pub async fn running_costs(stage: &Stage) {
    let summary = stage.node.kubectl(["get", "--raw", "/api/v1/nodes/node-1/proxy/stats/summary"]).await;
    let summary: Value = serde_json::from_str(&summary.expect("the kubelet's figures")).expect("JSON");
    let pods = stage.node.kubectl(["get", "pods", "--all-namespaces", "--output=json"]).await.expect("pods");
    let pods: Value = serde_json::from_str(&pods).expect("JSON");
    println!(
        "{:<18} {:<34} {:<10} {:>8} {:>9} {:>8} {:>7}",
        "namespace", "pod", "container", "MiB now", "requested", "limit", "ready"
    );
    let (mut measured, mut requested) = (0, 0);
    for pod in pods["items"].as_array().into_iter().flatten() {
        let (namespace, name) = (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
        if !namespace.contains("--") {
            continue;
        }
        for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
            let Some(bytes) = used(&summary, &namespace, &name, &text(&container["name"])) else { continue };
            let (now, asked) = (bytes >> 20, mebibytes(&container["resources"]["requests"]["memory"]));
            let limit = mebibytes(&container["resources"]["limits"]["memory"]);
            println!(
                "{namespace:<18} {name:<34} {:<10} {now:>8} {asked:>9} {limit:>8} {:>6}s",
                text(&container["name"]),
                seconds(pod)
            );
            if namespace == "loans--shared" {
                (measured, requested) = (measured + now, requested + asked);
            }
        }
    }
    println!("Shared of team loans, MLflow and Feast: {measured} MiB measured, {requested} MiB requested");
    assert!(measured > 0 && requested <= 1024 && measured <= requested, "{measured} MiB of {requested} MiB");
}

/// What a container uses, of what the kubelet counts towards its limit.
fn used(summary: &Value, namespace: &str, pod: &str, container: &str) -> Option<u64> {
    let of_pod = summary["pods"]
        .as_array()?
        .iter()
        .find(|each| each["podRef"]["namespace"] == namespace && each["podRef"]["name"] == pod)?;
    let of_container = of_pod["containers"].as_array()?.iter().find(|each| each["name"] == container)?;
    of_container["memory"]["workingSetBytes"].as_u64()
}

/// How long it took from its first container's start to ready.
fn seconds(pod: &Value) -> i64 {
    let ready = pod["status"]["conditions"].as_array().into_iter().flatten().find(|each| each["type"] == "Ready");
    let begun = &pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"];
    let at = |time: &Value| text(time).parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    match (at(begun), ready.and_then(|ready| at(&ready["lastTransitionTime"]))) {
        (Some(begun), Some(ready)) => ready - begun,
        _ => 0,
    }
}

fn mebibytes(quantity: &Value) -> u64 {
    let quantity = text(quantity);
    let number = |unit| quantity.strip_suffix(unit).and_then(|number: &str| number.parse::<u64>().ok());
    number("Mi").or_else(|| number("Gi").map(|number| number * 1024)).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
