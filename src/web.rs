//! The operators' page: health, self metrics and explanations, on a port of its own and without
//! TLS.
//!
//! In come the registry, the checks and a desk for questions, out go texts. It tells numbers and
//! names, never what a source was asked, and takes nothing.

pub mod explain;
pub mod rules;

use crate::telemetry::health::{Health, Probe, Report};
use crate::web::explain::Desk;
use crate::web::rules::RulesPage;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// The content type of OpenMetrics text, which Prometheus reads natively.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Page {
    registry: Arc<Registry>,
    health: Arc<Health>,
}

/// `/metrics`, `/livez`, `/readyz`, `/debug/explain` and `/debug/rules`.
pub fn router(
    registry: Arc<Registry>,
    health: Arc<Health>,
    desk: Desk,
    rules: RulesPage,
) -> Router {
    let explain = Router::new()
        .route("/debug/explain", get(explain::list))
        .route("/debug/explain/{namespace}/{metric}", get(explain::metric))
        .with_state(desk);
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|State(page)| async move { probe(&page, Probe::Livez) }))
        .route("/readyz", get(|State(page)| async move { probe(&page, Probe::Readyz) }))
        .with_state(Page { registry, health })
        .merge(explain)
        .merge(Router::new().route("/debug/rules", get(rules::list)).with_state(rules))
}

async fn metrics(State(page): State<Page>) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, &page.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], body).into_response(),
        // Writing into a String cannot fail; if an encoder does, that is a defect to be seen.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn probe(page: &Page, probe: Probe) -> Response {
    let Report { ok, text } = page.health.report(probe, false, &[]);
    let status = if ok { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    (status, text).into_response()
}
