//! Makes sure, before anything is written, that the fence around the operator
//! stands: without it the account's rights reach further than they should.
//!
//! The proof is an attempt that the fence must refuse, as a dry run.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tracing::{info, warn};

/// How long to wait before trying again.
const PAUSE: Duration = Duration::from_secs(2);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Returns once the fence refused a write.
pub async fn wait_until_it_stands(client: &Client) {
    let mut reported = String::new();
    loop {
        let doubt = match tokio::time::timeout(ATTEMPT, attempt(client)).await {
            Ok(Ok(())) => return info!("the fence is in force: a write outside of it was refused"),
            Ok(Err(doubt)) => doubt,
            Err(_) => format!("the API server did not answer within {} s", ATTEMPT.as_secs()),
        };
        if doubt != reported {
            warn!("nothing is written before the fence is in force: {doubt}");
            reported = doubt;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tries a write that the fence must refuse; the error is the reason for doubt.
async fn attempt(client: &Client) -> Result<(), String> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let metadata = ObjectMeta { name: Some("strata-fence-probe".to_owned()), ..ObjectMeta::default() };
    let probe = ConfigMap { metadata, ..ConfigMap::default() };
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    match api.create(&dry_run, &probe).await {
        Ok(_) => Err("a write into the namespace default was allowed. Install the chart's admission policies, or set \
                      --without-fence where something else limits the operator's account"
            .to_owned()),
        Err(kube::Error::Api(status)) if status.code == 403 && status.message.contains("ValidatingAdmissionPolicy") => {
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::Value;

    use super::*;
    use crate::cluster::fake_api::client;

    #[tokio::test(start_paused = true)]
    async fn a_hanging_attempt_does_not_stop_the_wait() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let client = client(move |asked| {
            assert_eq!(asked.path, "/api/v1/namespaces/default/configmaps");
            let number = count.fetch_add(1, Ordering::Relaxed);
            async move { if number == 0 { std::future::pending().await } else { (503, Value::Null) } }
        });
        let waited = tokio::time::timeout(Duration::from_secs(20), wait_until_it_stands(&client)).await;
        assert!(waited.is_err(), "nobody refused the write");
        assert!(asked.load(Ordering::Relaxed) > 2, "{asked:?}");
    }
}
