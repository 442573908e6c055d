//! What each default engine takes while the team works, as the kubelet measures it,
//! beside what it requests; and how long its pods took to be ready.

use std::time::Duration;

use serde_json::Value;

use crate::stage::Stage;

/// Prints the table, and holds the Shared layer of a team to one gibibyte.
pub async fn running_costs(stage: &Stage) {
    let measured = harness::wait::until("the kubelet has measured every container", 60, async || {
        let rows = rows(stage).await?;
        if rows.iter().all(|row| row.now > 0) {
            return Ok(rows);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err(format!("{rows:?}"))
    });
    let rows = measured.await.unwrap_or_else(|error| panic!("{error}"));
    println!(
        "{:<18} {:<38} {:<10} {:>8} {:>9} {:>6} {:>6}",
        "namespace", "pod", "container", "MiB now", "requested", "limit", "ready"
    );
    for Row { namespace, pod, container, now, requested, limit, ready } in &rows {
        println!("{namespace:<18} {pod:<38} {container:<10} {now:>8} {requested:>9} {limit:>6} {ready:>4} s");
    }
    let shared = || rows.iter().filter(|row| row.namespace == "loans--shared");
    let (now, requested) = (shared().map(|row| row.now).sum::<u64>(), shared().map(|row| row.requested).sum::<u64>());
    println!("Shared of team loans, MLflow and Feast: {now} MiB measured, {requested} MiB requested");
    assert!(shared().count() == 4 && requested <= 1024 && now <= requested, "{now} MiB of {requested} MiB");
}

/// A container that runs: what it uses, requests and may use, in MiB, and after how many seconds it was ready.
#[derive(Debug)]
struct Row {
    namespace: String,
    pod: String,
    container: String,
    now: u64,
    requested: u64,
    limit: u64,
    ready: i64,
}

/// What runs in namespaces of teams.
async fn rows(stage: &Stage) -> Result<Vec<Row>, String> {
    let read = async |args: &[&str]| -> Result<Value, String> {
        let printed = stage.node.kubectl(args).await.map_err(|error| error.to_string())?;
        serde_json::from_str(&printed).map_err(|error| error.to_string())
    };
    let summary = read(&["get", "--raw", "/api/v1/nodes/node-1/proxy/stats/summary"]).await?;
    let pods =
        read(&["get", "pods", "--all-namespaces", "--field-selector=status.phase=Running", "--output=json"]).await?;
    let mut rows = Vec::new();
    for pod in pods["items"].as_array().into_iter().flatten() {
        let (namespace, name) = (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
        for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
            let (container, resources) = (text(&container["name"]), &container["resources"]);
            let now = used(&summary, &namespace, &name, &container).unwrap_or_default() >> 20;
            let requested = mebibytes(&resources["requests"]["memory"]);
            let (limit, ready) = (mebibytes(&resources["limits"]["memory"]), seconds(pod));
            rows.push(Row { namespace: namespace.clone(), pod: name.clone(), container, now, requested, limit, ready });
        }
    }
    rows.retain(|row| row.namespace.contains("--"));
    Ok(rows)
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
