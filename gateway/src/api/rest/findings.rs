//! What is wrong.

use axum::Json;
use axum::extract::State;

use crate::api::extract::{Id, Query};
use crate::api::openapi::{ItemErrors, ListErrors};
use crate::api::{ApiError, ApiState};
use crate::store::views::{self, Finding, FindingDetail, FindingFilter, Page};

/// Findings, newest first.
#[utoipa::path(
    get, path = "/api/v1/findings", tag = "findings", operation_id = "findings", params(FindingFilter),
    responses((status = 200, description = "A page of findings", body = Page<Finding>), ListErrors)
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(filter): Query<FindingFilter>,
) -> Result<Json<Page<Finding>>, ApiError> {
    Ok(Json(views::findings(&state.store, &filter).await?))
}

/// One finding with what was done about it.
#[utoipa::path(
    get, path = "/api/v1/findings/{id}", tag = "findings", operation_id = "finding",
    params(("id" = String, Path, description = "Finding id")),
    responses((status = 200, description = "The finding", body = FindingDetail), ItemErrors)
)]
pub(super) async fn one(State(state): State<ApiState>, Id(id): Id) -> Result<Json<FindingDetail>, ApiError> {
    let finding = views::finding(&state.store, &id).await?;
    finding.map(Json).ok_or_else(|| ApiError::not_found("finding", &id))
}
