//! gRPC's requests as the views and the control know them.

use super::proto::{self, step_work_order_request as step};
use crate::api::{ApiError, ErrorCode};
use crate::control::{IssueRepair, OrderStep, UsedPart};
use crate::store::views::{DeviceFilter, FindingFilter, OrderFilter, RepairFilter, StockFilter};

impl From<proto::ListDevicesRequest> for DeviceFilter {
    fn from(request: proto::ListDevicesRequest) -> Self {
        let proto::ListDevicesRequest { r#type, area, limit, after } = request;
        Self { r#type, area, limit, after }
    }
}

impl From<proto::ListFindingsRequest> for FindingFilter {
    fn from(request: proto::ListFindingsRequest) -> Self {
        let proto::ListFindingsRequest { state, device, limit, after } = request;
        Self { state, device, limit, after }
    }
}

impl From<proto::ListRepairsRequest> for RepairFilter {
    fn from(request: proto::ListRepairsRequest) -> Self {
        let proto::ListRepairsRequest { state, device, finding, limit, after } = request;
        Self { state, device, finding, limit, after }
    }
}

impl From<proto::ListWorkOrdersRequest> for OrderFilter {
    fn from(request: proto::ListWorkOrdersRequest) -> Self {
        let proto::ListWorkOrdersRequest { state, device, technician, limit, after } = request;
        Self { state, device, technician, limit, after }
    }
}

impl From<proto::ListStockRequest> for StockFilter {
    fn from(request: proto::ListStockRequest) -> Self {
        let proto::ListStockRequest { location, part, limit, after } = request;
        Self { location, part, limit, after }
    }
}

impl TryFrom<proto::IssueRepairRequest> for IssueRepair {
    type Error = ApiError;

    fn try_from(request: proto::IssueRepairRequest) -> Result<Self, ApiError> {
        let proto::IssueRepairRequest { device, repair } = request;
        let device =
            device.parse().map_err(|error| ApiError::in_field(ErrorCode::Malformed, "device", format!("{error}")))?;
        Ok(Self { device, repair })
    }
}

/// Reads the step of a visit.
pub(super) fn order_step(request: Option<step::Step>) -> Result<OrderStep, ApiError> {
    let Some(request) = request else {
        let reason = "is missing: give one of accept, travel, arrive, complete and cancel";
        return Err(ApiError::in_field(ErrorCode::Malformed, "step", reason));
    };
    Ok(match request {
        step::Step::Accept(_) => OrderStep::Accept,
        step::Step::Travel(_) => OrderStep::Travel,
        step::Step::Arrive(_) => OrderStep::Arrive,
        step::Step::Complete(step::Complete { confirmed, used }) => OrderStep::Complete {
            confirmed,
            used: used.into_iter().map(|proto::UsedPart { part, quantity }| UsedPart { part, quantity }).collect(),
        },
        step::Step::Cancel(step::Cancel { reason }) => OrderStep::Cancel { reason },
    })
}
