//! What is done about it on site.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::access::Act;
use crate::api::extract::{Id, Query, authorization, json};
use crate::api::openapi::{ActErrors, ItemErrors, ListErrors};
use crate::api::{ApiError, ApiState};
use crate::control::{NewTechnician, OrderStep};
use crate::store::views::{self, OrderDetail, OrderFilter, Page, Technician, TechnicianFilter, WorkOrder};

/// Work orders, newest first.
#[utoipa::path(
    get, path = "/api/v1/work-orders", tag = "work orders", operation_id = "work_orders", params(OrderFilter),
    responses((status = 200, description = "A page of work orders", body = Page<WorkOrder>), ListErrors)
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(filter): Query<OrderFilter>,
) -> Result<Json<Page<WorkOrder>>, ApiError> {
    Ok(Json(views::orders(&state.store, &filter).await?))
}

/// One work order with what led to it and each step.
#[utoipa::path(
    get, path = "/api/v1/work-orders/{id}", tag = "work orders", operation_id = "work_order",
    params(("id" = String, Path, description = "Work order id")),
    responses((status = 200, description = "The work order", body = OrderDetail), ItemErrors)
)]
pub(super) async fn one(State(state): State<ApiState>, Id(id): Id) -> Result<Json<OrderDetail>, ApiError> {
    let order = views::order(&state.store, &id).await?;
    order.map(Json).ok_or_else(|| ApiError::not_found("work order", &id))
}

/// A step and what it was decided on.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct VersionedStep {
    /// The work order's `version` as it was shown.
    version: i64,
    /// The step.
    #[serde(flatten)]
    step: OrderStep,
}

/// Moves a work order one step. Role: dispatcher.
#[utoipa::path(
    post, path = "/api/v1/work-orders/{id}/steps", tag = "work orders", operation_id = "step_work_order",
    params(("id" = String, Path, description = "Work order id")), request_body = VersionedStep,
    security(("bearer" = [])),
    responses((status = 204, description = "The step is taken"), ActErrors)
)]
pub(super) async fn step(State(state): State<ApiState>, Id(id): Id, request: Request) -> Result<StatusCode, ApiError> {
    let actor = state.admit(authorization(&request), Act::StepOrder).await?;
    let VersionedStep { version, step } = json(request).await?;
    state.control.step_order(&id, version, step, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Technicians by id.
#[utoipa::path(
    get, path = "/api/v1/technicians", tag = "work orders", operation_id = "technicians", params(TechnicianFilter),
    responses((status = 200, description = "A page of technicians", body = Page<Technician>), ListErrors)
)]
pub(super) async fn technicians(
    State(state): State<ApiState>,
    Query(filter): Query<TechnicianFilter>,
) -> Result<Json<Page<Technician>>, ApiError> {
    Ok(Json(views::technicians(&state.store, &filter).await?))
}

/// Adds or replaces a technician. Role: dispatcher.
#[utoipa::path(
    post, path = "/api/v1/technicians", tag = "work orders", operation_id = "put_technician",
    request_body = NewTechnician, security(("bearer" = [])),
    responses((status = 204, description = "He or she can be sent"), ActErrors)
)]
pub(super) async fn put_technician(State(state): State<ApiState>, request: Request) -> Result<StatusCode, ApiError> {
    let actor = state.admit(authorization(&request), Act::PutTechnician).await?;
    let technician = json::<NewTechnician>(request).await?;
    state.control.put_technician(technician, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
