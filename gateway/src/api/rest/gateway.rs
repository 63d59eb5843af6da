//! The gateway itself.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};

use crate::api::{ApiState, HealthReport, openapi, page};

/// Prometheus text exposition format 0.0.4.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How the gateway and its parts are.
#[utoipa::path(
    get, path = "/api/v1/health", tag = "gateway", operation_id = "health",
    responses(
        (status = 200, description = "Every part does its work", body = HealthReport),
        (status = 503, description = "Some part does not", body = HealthReport)
    )
)]
pub(super) async fn health(State(state): State<ApiState>) -> (StatusCode, Json<HealthReport>) {
    let health = (state.health)();
    let status = if health.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health.into()))
}

/// This description.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "gateway", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value))
)]
pub(super) async fn description() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi::document())
}

/// All metrics, for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "gateway", operation_id = "metrics",
    responses((status = 200, description = "Prometheus text", body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(State(state): State<ApiState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS)], (state.metrics)())
}

/// The status page.
#[utoipa::path(
    get, path = "/", tag = "gateway", operation_id = "status_page",
    responses((status = 200, description = "HTML", body = String, content_type = "text/html"))
)]
pub(super) async fn page() -> impl IntoResponse {
    let page::Page { html, policy } = page::page();
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(html))
}
