//! Health probes and metrics over HTTP. Serves no object and knows no secret.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::reconcile::context::Context;

/// Why the probes cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("failed to serve probes and metrics on {address}: {source}")]
pub struct ServerError {
    /// The address asked for.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until it is stopped.
pub async fn serve(
    address: SocketAddr,
    context: Arc<Context>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ServerError> {
    let failed = |source| ServerError { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(context);
    let stopped = async move {
        // The sender is gone only when the program ends.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, router).with_graceful_shutdown(stopped).await.map_err(failed)
}

/// Ready while every kind that is always watched is known whole.
async fn ready(State(context): State<Arc<Context>>) -> impl IntoResponse {
    let unready = context.unready();
    if unready.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n", unready.join(", ")))
}

async fn metrics(State(context): State<Arc<Context>>) -> impl IntoResponse {
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, form)], context.metrics_text())
}
