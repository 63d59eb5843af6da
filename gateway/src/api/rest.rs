//! REST over axum: routes in the order of the glossary, one file for each tag.

mod findings;
mod fleet;
mod gateway;
mod identity;
mod orders;
mod repairs;
mod stock;

use std::future::Future;
use std::io;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderValue, Method, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiError, ApiState, ErrorCode, MAX_BODY, REQUEST_TIME, openapi, until_shut_down};

/// REST, status page and metrics as one axum router.
pub fn router(state: ApiState) -> axum::Router {
    routes()
        .split_for_parts()
        .0
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(within_time))
        .layer(from_fn(measured))
        .with_state(state)
}

/// Serves [`router`] until `shutdown`, then lets requests under way end, within a few seconds.
///
/// # Errors
/// When the listener fails.
pub async fn serve_http(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    until_shut_down(shutdown, |stop| {
        let serve = axum::serve(listener, router(state)).with_graceful_shutdown(stop.cancelled_owned());
        async move { serve.await }
    })
    .await
    .unwrap_or(Ok(()))
}

/// Every route with its description: what is not here is neither served nor described.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(fleet::overview))
        .routes(routes!(fleet::devices, fleet::register))
        .routes(routes!(fleet::device))
        .routes(routes!(fleet::history))
        .routes(routes!(fleet::rejects))
        .routes(routes!(identity::replace_credentials))
        .routes(routes!(identity::block))
        .routes(routes!(identity::unblock))
        .routes(routes!(identity::claims, identity::add_claim))
        .routes(routes!(identity::withdraw_claim))
        .routes(routes!(identity::accounts))
        .routes(routes!(identity::put_account, identity::remove_account))
        .routes(routes!(findings::list))
        .routes(routes!(findings::one))
        .routes(routes!(repairs::list, repairs::issue))
        .routes(routes!(repairs::one))
        .routes(routes!(repairs::approve))
        .routes(routes!(repairs::cancel))
        .routes(routes!(orders::list))
        .routes(routes!(orders::one))
        .routes(routes!(orders::step))
        .routes(routes!(orders::technicians, orders::put_technician))
        .routes(routes!(stock::list))
        .routes(routes!(stock::receive))
        .routes(routes!(stock::add_location))
        .routes(routes!(gateway::health))
        .routes(routes!(gateway::description))
        .routes(routes!(gateway::metrics))
        .routes(routes!(gateway::page))
}

async fn no_route(uri: Uri) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("there is no route {:?}; /api/openapi.json lists all", uri.path()))
}

async fn no_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("{:?} does not take {method}; /api/openapi.json lists all routes", uri.path());
    ApiError::new(ErrorCode::MethodNotAllowed, message)
}

/// Includes the time that the body takes to arrive.
async fn within_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::too_slow().into_response(),
    }
}

/// Counts by route, not by path, so that a caller cannot make up metrics.
async fn measured(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let began = Instant::now();
    let mut response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::counter!("gateway_http_requests_total", "route" => route.clone(), "status" => status).increment(1);
    metrics::histogram!("gateway_http_request_seconds", "route" => route).record(began.elapsed().as_secs_f64());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
