//! What a start waits for, and what it does not wait for.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::*;
use crate::cluster::fake_api::{Asked, client};

/// Watches of an API server that is made of a function.
fn watches<F, A>(answer: F) -> Arc<Watches>
where
    F: Fn(Asked) -> A + Clone + Send + 'static,
    A: Future<Output = (u16, Value)> + Send,
{
    Watches::new(Opener::new(client(answer), Duration::from_secs(200)), Arc::default(), Queue::default())
}

fn kind(group: &str, kind: &str, plural: &str) -> Watched {
    let gvk = GroupVersionKind::gvk(group, "v1", kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
    Watched { resource, namespaced: true, write_strategy: WriteStrategy::Apply, selection: WatchScope::Managed }
}

/// What is waited for but the addresses of the API server.
fn kinds_waited_for(watches: &Watches) -> Vec<String> {
    watches.listing().into_iter().filter(|name| !name.contains("(kubernetes)")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_an_engine_that_cannot_be_listed_holds_up_no_start() {
    let watches = watches(|_| async { (500, Value::Null) });
    watches.ensure(kind("example.com", "Widget", "widgets"));
    watches.begin(kind("", "ConfigMap", "configmaps"), true);
    assert_eq!(kinds_waited_for(&watches), ["configmaps", "widgets.example.com"]);
    tokio::time::sleep(health::PATIENCE * 2).await;
    assert_eq!(kinds_waited_for(&watches), ["configmaps"], "nothing goes on without Kubernetes' own kinds");
}

/// A list of one object of a kind.
fn list(kind: &str, object: &Value) -> Value {
    json!({"kind": format!("{kind}List"), "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": [object]})
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_the_addresses_of_the_api_server() {
    let (answers, held) = watch::channel(false);
    let watches = watches(move |asked| {
        let mut held = held.clone();
        async move {
            if asked.query.contains("watch=") {
                std::future::pending::<()>().await;
            }
            let metadata = json!({"name": "kubernetes", "namespace": "default", "resourceVersion": "1"});
            if asked.path.ends_with("/services") {
                let spec = json!({"clusterIPs": ["10.96.0.1"], "ports": [{"port": 443}]});
                return (200, list("Service", &json!({"metadata": metadata, "spec": spec})));
            }
            let _ = held.wait_for(|answers| *answers).await;
            let slice = json!({"metadata": metadata, "addressType": "IPv4", "ports": [{"port": 6443}],
                "endpoints": [{"addresses": ["192.0.2.1"]}]});
            (200, list("EndpointSlice", &slice))
        }
    });
    let (opener, queue) = (watches.opener.clone(), watches.queue.clone());
    let follows = Arc::clone(&watches);
    let task = tokio::spawn(async move { follows.api_server.follow(&opener, &queue).await });
    let all = "endpointslices.discovery.k8s.io (kubernetes)";
    tokio::time::sleep(health::PATIENCE * 2).await;
    assert!(watches.listing().contains(&all.to_owned()), "{:?}", watches.listing());
    assert!(watches.cache.api_server.all().is_empty());
    answers.send(true).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let known: Vec<String> =
        watches.cache.api_server.all().iter().map(|server| format!("{}:{}", server.address, server.port)).collect();
    assert_eq!(known, ["10.96.0.1:443", "192.0.2.1:6443"]);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_start_does_not_wait_for_addresses_that_it_may_not_read() {
    let watches = watches(|_| async { (403, Value::Null) });
    let (opener, queue) = (watches.opener.clone(), watches.queue.clone());
    let follows = Arc::clone(&watches);
    let task = tokio::spawn(async move { follows.api_server.follow(&opener, &queue).await });
    assert_eq!(watches.listing().len(), 2);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(watches.listing().is_empty(), "{:?}", watches.listing());
    task.abort();
}
