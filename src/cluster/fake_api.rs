//! An API server for tests: a client whose requests a function answers, late or never if
//! it chooses.

use std::future::Future;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// A request as the function sees it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: Value,
}

/// A client that is answered by a function: with a status code and a body.
pub fn client<F, A>(answer: F) -> Client
where
    F: Fn(Asked) -> A + Clone + Send + 'static,
    A: Future<Output = (u16, Value)> + Send,
{
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let body = serde_json::from_slice(&bytes).unwrap_or_default();
            let asked = Asked {
                method: parts.method.to_string(),
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                body,
            };
            let (code, object) = answer(asked).await;
            Ok::<_, std::io::Error>(response(code, &object))
        }
    });
    Client::new(service, "default")
}

fn response(code: u16, object: &Value) -> Response<Body> {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "",
    };
    let failed = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": reason, "message": format!("answered with {code}")});
    let text = if code < 300 { object.to_string() } else { failed.to_string() };
    let response = Response::builder().status(StatusCode::from_u16(code).unwrap());
    response.header("content-type", "application/json").body(Body::from(text.into_bytes())).unwrap()
}
