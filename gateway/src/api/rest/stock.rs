//! Parts and where they lie.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::access::Act;
use crate::api::extract::{Query, authorization, json};
use crate::api::openapi::{ActErrors, ListErrors};
use crate::api::{ApiError, ApiState};
use crate::control::{NewLocation, Receipt};
use crate::store::views::{self, Page, Stock, StockFilter};

/// Stock by location and part.
#[utoipa::path(
    get, path = "/api/v1/stock", tag = "stock", operation_id = "stock", params(StockFilter),
    responses((status = 200, description = "A page of stock", body = Page<Stock>), ListErrors)
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(filter): Query<StockFilter>,
) -> Result<Json<Page<Stock>>, ApiError> {
    Ok(Json(views::stock(&state.store, &filter).await?))
}

/// What lies there now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Received {
    /// Pieces on hand after the receipt.
    on_hand: i64,
}

/// Books parts that arrived. Role: dispatcher.
#[utoipa::path(
    post, path = "/api/v1/stock/receipts", tag = "stock", operation_id = "receive_stock", request_body = Receipt,
    security(("bearer" = [])),
    responses((status = 201, description = "They are booked", body = Received), ActErrors)
)]
pub(super) async fn receive(
    State(state): State<ApiState>,
    request: Request,
) -> Result<(StatusCode, Json<Received>), ApiError> {
    let actor = state.admit(authorization(&request), Act::ReceiveStock).await?;
    let receipt = json::<Receipt>(request).await?;
    let on_hand = state.control.receive(receipt, &actor).await?;
    Ok((StatusCode::CREATED, Json(Received { on_hand })))
}

/// Adds a stock location. Role: dispatcher.
#[utoipa::path(
    post, path = "/api/v1/locations", tag = "stock", operation_id = "add_location", request_body = NewLocation,
    security(("bearer" = [])),
    responses((status = 204, description = "Parts can lie there"), ActErrors)
)]
pub(super) async fn add_location(State(state): State<ApiState>, request: Request) -> Result<StatusCode, ApiError> {
    let actor = state.admit(authorization(&request), Act::AddLocation).await?;
    let location = json::<NewLocation>(request).await?;
    state.control.add_location(location, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
