//! Devices and what they said.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::access::Act;
use crate::api::extract::{Id, Query, authorization, json};
use crate::api::history::MAX_POINTS;
use crate::api::openapi::{ActErrors, AnyErrors, ItemErrors, ListErrors};
use crate::api::{ApiError, ApiState, ErrorCode, Overview, Point};
use crate::control::{DeviceLogin, NewDevice};
use crate::store::views::{self, Device, DeviceDetail, DeviceFilter, Page, Reject, RejectFilter};

/// History shown where the caller does not say from when: a day.
const DEFAULT_SPAN_MS: i64 = 24 * 60 * 60 * 1_000;

/// The fleet in numbers.
#[utoipa::path(
    get, path = "/api/v1/overview", tag = "fleet", operation_id = "overview",
    responses((status = 200, description = "Counts", body = Overview), AnyErrors)
)]
pub(super) async fn overview(State(state): State<ApiState>) -> Result<Json<Overview>, ApiError> {
    Ok(Json(state.overview().await?))
}

/// Devices by id, and how each is.
#[utoipa::path(
    get, path = "/api/v1/devices", tag = "fleet", operation_id = "devices", params(DeviceFilter),
    responses((status = 200, description = "A page of devices", body = Page<Device>), ListErrors)
)]
pub(super) async fn devices(
    State(state): State<ApiState>,
    Query(filter): Query<DeviceFilter>,
) -> Result<Json<Page<Device>>, ApiError> {
    Ok(Json(views::devices(&state.store, &filter, state.seen_since()).await?))
}

/// Lets a device in. Role: admin. A token that is made is shown this once.
#[utoipa::path(
    post, path = "/api/v1/devices", tag = "fleet", operation_id = "register_device", request_body = NewDevice,
    security(("bearer" = [])),
    responses((status = 201, description = "Its MQTT login", body = DeviceLogin), ActErrors)
)]
pub(super) async fn register(
    State(state): State<ApiState>,
    request: Request,
) -> Result<(StatusCode, Json<DeviceLogin>), ApiError> {
    let actor = state.admit(authorization(&request), Act::RegisterDevice).await?;
    let device = json::<NewDevice>(request).await?;
    Ok((StatusCode::CREATED, Json(state.control.register_device(device, &actor).await?)))
}

/// All about one device.
#[utoipa::path(
    get, path = "/api/v1/devices/{id}", tag = "fleet", operation_id = "device",
    params(("id" = String, Path, description = "Device id")),
    responses((status = 200, description = "The device", body = DeviceDetail), ItemErrors)
)]
pub(super) async fn device(State(state): State<ApiState>, Id(id): Id) -> Result<Json<DeviceDetail>, ApiError> {
    let device = views::device(&state.store, &id, state.seen_since()).await?;
    device.map(Json).ok_or_else(|| ApiError::not_found("device", &id))
}

/// Which part of a device's history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Span {
    /// Datapoint, such as `power_w`.
    metric: String,
    /// From when, in epoch milliseconds; a day before `to_ms` if absent.
    from_ms: Option<i64>,
    /// Until before when, likewise; now if absent.
    to_ms: Option<i64>,
}

/// A part of a device's history.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct History {
    /// Whose.
    device: String,
    /// Datapoint.
    metric: String,
    /// From when, in epoch milliseconds.
    from_ms: i64,
    /// Until before when, likewise.
    to_ms: i64,
    /// Whether more points follow the last one; ask on from there.
    truncated: bool,
    /// Oldest first, at most 5,000.
    points: Vec<Point>,
}

/// Past readings of one datapoint.
#[utoipa::path(
    get, path = "/api/v1/devices/{id}/history", tag = "fleet", operation_id = "device_history",
    params(("id" = String, Path, description = "Device id"), Span),
    responses((status = 200, description = "Points, oldest first", body = History), ListErrors)
)]
pub(super) async fn history(
    State(state): State<ApiState>,
    Id(device): Id,
    Query(span): Query<Span>,
) -> Result<Json<History>, ApiError> {
    let to_ms = span.to_ms.unwrap_or_else(|| state.clock.now().ms().saturating_add(1));
    let from_ms = span.from_ms.unwrap_or_else(|| to_ms.saturating_sub(DEFAULT_SPAN_MS));
    if from_ms >= to_ms {
        let reason = format!("is {from_ms}, must be before to_ms ({to_ms})");
        return Err(ApiError::in_field(ErrorCode::Malformed, "from_ms", reason));
    }
    let mut points = state
        .history
        .points(&device, &span.metric, from_ms, to_ms, MAX_POINTS + 1)
        .await
        .map_err(|error| ApiError::internal("the history", &error))?;
    let truncated = points.len() > MAX_POINTS;
    points.truncate(MAX_POINTS);
    Ok(Json(History { device, metric: span.metric, from_ms, to_ms, truncated, points }))
}

/// Refused messages, newest first.
#[utoipa::path(
    get, path = "/api/v1/rejects", tag = "fleet", operation_id = "rejects", params(RejectFilter),
    responses((status = 200, description = "A page of refused messages", body = Page<Reject>), ListErrors)
)]
pub(super) async fn rejects(
    State(state): State<ApiState>,
    Query(filter): Query<RejectFilter>,
) -> Result<Json<Page<Reject>>, ApiError> {
    Ok(Json(views::rejects(&state.store, &filter).await?))
}
