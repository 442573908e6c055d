//! A pass that fails again and again holds up no edit of its team.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use harness::wait;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::spec::with_experiments;
use crate::stage::stage;
use crate::team::{Team, condition};

const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// A webhook that is asked and never answers.
struct Webhook {
    port: u16,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Webhook {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let asked: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let times = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                times.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                open.push(connection);
            }
        });
        Self { port, asked }
    }

    /// How often it was asked, and how far apart the last two times were.
    fn seen(&self) -> (usize, Duration) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = asked.last_chunk().map_or(Duration::ZERO, |[before, last]| *last - *before);
        (asked.len(), gap)
    }

    fn configuration(&self, namespace: &str) -> Value {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": namespace},
            "webhooks": [{
                "name": "hangs.example.com", "failurePolicy": "Fail", "timeoutSeconds": 1, "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": format!("https://127.0.0.1:{}/", self.port)},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}],
            }],
        })
    }
}

#[tokio::test]
async fn who_is_removed_during_a_failing_pass_goes_with_the_next() {
    let webhook = Webhook::listen().await;
    let team = Team::named(stage().await, "stumbles").await;
    let configuration = webhook.configuration("stumbles--shared");
    team.admin.post(CONFIGURATIONS, &configuration).await.expect("a webhook");
    let members = |users: &[&str]| json!({"members": [{"role": "DataScientist", "users": users}]});
    team.write(with_experiments(&members(&["ana@example.com", "dana@example.com"]))).await;
    let binding = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
    let names_dana = |binding: &Value| binding["subjects"].to_string().contains("dana@example.com");
    team.until_there(&binding, names_dana).await;
    let asked = async |what: &str, times: usize, apart: Duration| {
        let asked = wait::until(what, 60, async || match webhook.seen() {
            (seen, gap) if seen >= times && gap >= apart => Ok((seen, gap)),
            seen => Err(format!("{seen:?}")),
        });
        asked.await.unwrap()
    };
    let (times, _) = asked("it backs off", 2, Duration::from_millis(4500)).await;
    let (times, before) = asked("a pass is under way", times + 1, Duration::ZERO).await;
    team.edit(members(&["ana@example.com"])).await;
    let (_, after) = asked("the next pass fails too", times + 1, Duration::ZERO).await;
    println!("measured: passes that fail were {before:?} apart, and {after:?} after an edit during one");
    assert!(!names_dana(&team.admin.get(&binding).await.expect("the binding")), "she is bound after the next pass");
    assert!(after < before, "the edit waited {after:?}, as long as the failures themselves ({before:?})");
    assert_eq!(condition(&team.get().await, "Ready")["reason"], "ApiError");
    team.admin.delete(&format!("{CONFIGURATIONS}/stumbles--shared")).await.expect("the webhook goes");
}
