//! An attempt and what comes of it: requests exactly as they are written in the
//! tests, and whether rights, a policy or nothing stood in the way.

use kube::Client;
use kube::core::Request;
use kube::core::params::PostParams;
use serde_json::Value;

/// Somebody who sends requests.
pub struct Actor {
    client: Client,
}

impl Actor {
    /// Whoever this client acts as.
    #[track_caller]
    pub fn with<E: std::fmt::Debug>(client: Result<Client, E>) -> Self {
        Self { client: client.expect("a client") }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "application/json", None).await
    }

    /// Creates, or calls a subresource.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, "application/json", Some(body)).await
    }

    /// Replaces.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, "application/json", Some(body)).await
    }

    /// Changes a part (a merge patch).
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, "application/merge-patch+json", Some(body)).await
    }

    /// Applies, as the operator does.
    pub async fn apply(&self, path: &str, body: Value) -> Answer {
        self.apply_as(path, "strata", body).await
    }

    /// Applies under this name.
    pub async fn apply_as(&self, path: &str, manager: &str, body: Value) -> Answer {
        let path = format!("{path}?fieldManager={manager}&force=true");
        self.send("PATCH", &path, "application/apply-patch+yaml", Some(body)).await
    }

    /// Deletes one object, or a collection.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "application/json", None).await
    }

    /// Deletes with options of its own.
    pub async fn delete_with(&self, path: &str, options: Value) -> Answer {
        self.send("DELETE", path, "application/json", Some(options)).await
    }

    async fn send(&self, method: &str, path: &str, content: &'static str, body: Option<Value>) -> Answer {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        // The builder is for POST; what differs is put right.
        let mut request = Request::new("/").create(&PostParams::default(), body).expect("a request");
        *request.method_mut() = method.parse().expect("a method");
        *request.uri_mut() = path.parse().expect("a path");
        request.headers_mut().insert("content-type", content.parse().expect("a media type"));
        let what = format!("{method} {path}");
        match self.client.request_text(request).await {
            Ok(text) => Answer { what, result: Ok(serde_json::from_str(&text).unwrap_or(Value::String(text))) },
            Err(kube::Error::Api(status)) => Answer { what, result: Err((status.code, status.message.clone())) },
            Err(error) => Answer { what, result: Err((0, error.to_string())) },
        }
    }
}

/// What came of an attempt.
#[derive(Debug)]
#[must_use]
pub struct Answer {
    what: String,
    result: Result<Value, (u16, String)>,
}

impl Answer {
    /// It was let through.
    #[track_caller]
    pub fn passes(self) -> Value {
        match self.result {
            Ok(value) => value,
            Err((code, message)) => panic!("{}: {code} {message}", self.what),
        }
    }

    /// It was refused by this policy, whose message says this.
    #[track_caller]
    pub fn refused_by(self, policy: &str, words: &str) {
        assert!(self.by(policy), "{}: not refused by {policy}: {:?}", self.what, self.result);
        let message = self.result.err().map(|(_, message)| message).unwrap_or_default();
        assert!(message.contains(words), "{}: the message does not say {words:?}: {message}", self.what);
        assert!(!message.contains("resulted in error"), "{}: {message}", self.what);
    }

    /// It was refused for want of a right, before any policy was asked.
    #[track_caller]
    pub fn refused_by_rights(self) {
        let rights = matches!(&self.result, Err((403, message)) if message.contains(" cannot ") || message.contains("not currently held"));
        assert!(rights, "{}: not refused by rights: {:?}", self.what, self.result);
    }

    /// No policy refused it; whether it came to something is another matter.
    #[track_caller]
    pub fn refused_by_no_policy(self) {
        let policy = matches!(&self.result, Err((_, message)) if message.contains("ValidatingAdmissionPolicy"));
        assert!(!policy, "{}: {:?}", self.what, self.result);
    }

    /// Neither a right nor a policy stood in the way. It may still come to nothing:
    /// there is no kubelet, so connections into pods end later.
    #[track_caller]
    pub fn gets_through(self) {
        let refused = matches!(&self.result, Err((0 | 403, _)));
        assert!(!refused, "{}: {:?}", self.what, self.result);
    }

    /// It was refused as invalid, in these words.
    #[track_caller]
    pub fn refused_as_invalid(self, words: &str) {
        let invalid = matches!(&self.result, Err((422, message)) if message.contains(words));
        assert!(invalid, "{}: not invalid by {words:?}: {:?}", self.what, self.result);
    }

    /// Whether it was let through.
    pub const fn went_through(&self) -> bool {
        self.result.is_ok()
    }

    /// There is no such object.
    pub fn is_missing(&self) -> bool {
        matches!(self.result, Err((404, _)))
    }

    /// Whether this policy refused it.
    pub fn by(&self, policy: &str) -> bool {
        let name = format!("ValidatingAdmissionPolicy '{policy}'");
        matches!(&self.result, Err((403, message)) if message.contains(&name))
    }
}
