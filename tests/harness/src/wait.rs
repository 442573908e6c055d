//! Waiting for something to become true, by asking again and again. It never
//! hides what was last seen: a test that times out says what it was looking at.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::Error;

/// How long to rest between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Polls until `look` returns `Ok`; its `Err` is the last state.
///
/// ```no_run
/// # async fn example(pods: kube::Api<k8s_openapi::api::core::v1::Pod>) -> Result<(), harness::Error> {
/// let pod = harness::wait::until("pod web-0 runs", 10, async || {
///     let pod = pods.get("web-0").await.map_err(|error| error.to_string())?;
///     match pod.status.as_ref().and_then(|status| status.phase.as_deref()) {
///         Some("Running") => Ok(pod),
///         other => Err(format!("{other:?}")),
///     }
/// }).await?;
/// # Ok(()) }
/// ```
pub async fn until<T, F, L>(what: impl Into<String>, seconds: u64, mut look: L) -> Result<T, Error>
where
    L: FnMut() -> F,
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(last) if Instant::now() >= deadline => {
                return Err(Error::Timeout { what: what.into(), seconds, last });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::until;

    #[tokio::test]
    async fn a_timeout_names_what_was_last_observed() {
        let error = until("the sun rises", 0, async || Err::<(), _>("clouds".to_owned())).await.unwrap_err();
        assert_eq!(error.to_string(), "the sun rises: not within 0 s; last seen: clouds");
    }

    #[tokio::test]
    async fn returns_what_it_found() {
        let mut looks = 0;
        let found = until("three", 5, || {
            looks += 1;
            let now = looks;
            async move { if now == 3 { Ok(now) } else { Err(now.to_string()) } }
        })
        .await
        .unwrap();
        assert_eq!(found, 3);
    }
}
