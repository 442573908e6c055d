//! One request to the API server, outside of applying: counted, with a deadline. The
//! deadline of a pass is longer, so a pass can still report a request that hangs.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

use crate::api::{Issue, Reason};
use crate::cluster::error::of_request;
use crate::telemetry::requests::Requests;

/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(10);

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// What the API server, or the way to it, said.
    #[error(transparent)]
    Answered(#[from] kube::Error),
    /// Nothing came.
    #[error("no answer within {} s", ANSWER.as_secs())]
    Silence,
}

impl RequestError {
    /// What it means that this could not be done.
    #[must_use]
    pub fn failure(&self, action: &str) -> Issue {
        match self {
            Self::Answered(error) => of_request(error, action),
            Self::Silence => Issue::new(Reason::ApiError, format!("failed to {action}: {self}")),
        }
    }

    /// Whether the object is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Answered(kube::Error::Api(status)) if status.code == 404)
    }
}

impl RequestError {
    /// Whether a `test` of a JSON patch failed: the object is another one. What is invalid in
    /// an object comes with the kind of that object.
    #[must_use]
    pub fn is_another(&self) -> bool {
        let Self::Answered(kube::Error::Api(status)) = self else { return false };
        status.code == 422 && status.details.as_ref().is_none_or(|details| details.kind.is_empty())
    }
}

/// Makes a request.
pub async fn request<T>(
    requests: &Requests,
    verb: &'static str,
    kind: &str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, RequestError> {
    let answer = match timeout(ANSWER, request).await {
        Ok(answer) => answer.map_err(RequestError::from),
        Err(_) => Err(RequestError::Silence),
    };
    requests.count(verb, kind, answer.is_ok());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_answer_is_given_up_and_said() {
        let begun = tokio::time::Instant::now();
        let never = std::future::pending::<kube::Result<()>>();
        let error = request(&Requests::default(), "get", "Team", never).await.unwrap_err();
        assert_eq!(begun.elapsed(), ANSWER);
        let failure = error.failure("read it");
        assert_eq!(failure.reason, Reason::ApiError);
        assert_eq!(failure.message, "failed to read it: no answer within 10 s");
    }
}
