//! The views as gRPC's messages.

use super::proto;
use super::value::value;
use crate::store::views::{self, Condition, Page};

/// Lists differ in the name of their items only.
macro_rules! list {
    ($view:ty => $response:ident { $items:ident }) => {
        impl From<Page<$view>> for proto::$response {
            fn from(page: Page<$view>) -> Self {
                Self { $items: all(page.items), next: page.next }
            }
        }
    };
}

list!(views::Device => ListDevicesResponse { devices });
list!(views::Finding => ListFindingsResponse { findings });
list!(views::Repair => ListRepairsResponse { repairs });
list!(views::WorkOrder => ListWorkOrdersResponse { work_orders });
list!(views::Stock => ListStockResponse { stock });

fn all<V, T: From<V>>(views: Vec<V>) -> Vec<T> {
    views.into_iter().map(T::from).collect()
}

/// Messages that have the fields of their view, name by name.
macro_rules! same {
    ($($view:ident => $message:ident { $($field:ident),* $(,)? })*) => {$(
        impl From<views::$view> for proto::$message {
            fn from(view: views::$view) -> Self {
                let views::$view { $($field),* } = view;
                Self { $($field),* }
            }
        }
    )*};
}

same! {
    DeviceEvent => DeviceEvent { at_ms, code, severity, text }
    Reject => Reject { position, at_ms, device, channel, field, reason, head }
    RankedCause => RankedCause { cause, probability }
    Evidence => Evidence { symptom, state, llr, why }
    FindingBrief => FindingBrief { id, cause, title, probability, state, opened_ms }
    RepairBrief => RepairBrief { id, repair, state }
    OrderBrief => WorkOrderBrief { id, number, state }
    StateChange => StateChange { state, at_ms }
    KitItem => KitItem { part, quantity, location, reserved }
    Stock => Stock { location, location_kind, location_name, part, on_hand, reserved, available }
}

impl From<views::Device> for proto::Device {
    fn from(device: views::Device) -> Self {
        Self {
            id: device.id,
            tenant: device.tenant,
            r#type: device.r#type,
            model: device.model,
            area: device.area,
            firmware: device.firmware,
            last_seen_ms: device.last_seen_ms,
            online: device.online,
            condition: condition(device.condition).to_owned(),
            finding: device.finding.map(Into::into),
            repair: device.repair.map(Into::into),
            work_order: device.work_order.map(Into::into),
        }
    }
}

/// The words of the REST API.
fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Healthy => "healthy",
        Condition::Finding => "finding",
        Condition::Repairing => "repairing",
        Condition::HandedOver => "handed_over",
        Condition::Offline => "offline",
    }
}

impl From<views::DeviceDetail> for proto::DeviceDetail {
    fn from(detail: views::DeviceDetail) -> Self {
        Self {
            device: Some(detail.device.into()),
            lat: detail.lat,
            lon: detail.lon,
            registered_ms: detail.registered_ms,
            boot_id: detail.boot_id,
            config_version: detail.config_version,
            readings: Some(value(detail.readings)),
            reported: Some(value(detail.reported)),
            findings: all(detail.findings),
            repairs: all(detail.repairs),
            work_orders: all(detail.work_orders),
            events: all(detail.events),
            rejects: all(detail.rejects),
        }
    }
}

impl From<views::Finding> for proto::Finding {
    fn from(finding: views::Finding) -> Self {
        Self {
            id: finding.id,
            device: finding.device,
            device_type: finding.device_type,
            cause: finding.cause,
            title: finding.title,
            probability: finding.probability,
            state: finding.state,
            reopened: finding.reopened,
            ranked: all(finding.ranked),
            evidence: all(finding.evidence),
            explanation: finding.explanation,
            opened_ms: finding.opened_ms,
            closed_ms: finding.closed_ms,
            version: finding.version,
        }
    }
}

impl From<views::FindingDetail> for proto::FindingDetail {
    fn from(detail: views::FindingDetail) -> Self {
        Self {
            finding: Some(detail.finding.into()),
            repairs: all(detail.repairs),
            work_orders: all(detail.work_orders),
        }
    }
}

impl From<views::Repair> for proto::Repair {
    fn from(repair: views::Repair) -> Self {
        Self {
            id: repair.id,
            finding: repair.finding,
            device: repair.device,
            cause: repair.cause,
            repair: repair.repair,
            action: repair.action,
            arguments: Some(value(repair.arguments)),
            risk: repair.risk,
            body_hash: repair.body_hash,
            state: repair.state,
            reason: repair.reason,
            attempt: repair.attempt,
            command_id: repair.command_id,
            fence: repair.fence,
            issued_by: repair.issued_by,
            approved_by: repair.approved_by,
            created_ms: repair.created_ms,
            updated_ms: repair.updated_ms,
            version: repair.version,
            states: all(repair.states),
        }
    }
}

impl From<views::RepairDetail> for proto::RepairDetail {
    fn from(detail: views::RepairDetail) -> Self {
        Self { repair: Some(detail.repair.into()), timeline: all(detail.timeline) }
    }
}

impl From<views::Step> for proto::Step {
    fn from(step: views::Step) -> Self {
        let views::Step { step, at_ms, state, actor, detail } = step;
        Self { step, at_ms, state, actor, detail: Some(value(detail)) }
    }
}

impl From<views::WorkOrder> for proto::WorkOrder {
    fn from(order: views::WorkOrder) -> Self {
        Self {
            id: order.id,
            number: order.number,
            finding: order.finding,
            device: order.device,
            device_type: order.device_type,
            source: order.source,
            cause: order.cause,
            title: order.title,
            state: order.state,
            priority: order.priority,
            why: order.why,
            skill: order.skill,
            area: order.area,
            sop: order.sop,
            kit: all(order.kit),
            technician: order.technician,
            technician_name: order.technician_name,
            starts_ms: order.starts_ms,
            confirmed: order.confirmed,
            created_ms: order.created_ms,
            updated_ms: order.updated_ms,
            closed_ms: order.closed_ms,
            version: order.version,
        }
    }
}

impl From<views::OrderDetail> for proto::WorkOrderDetail {
    fn from(detail: views::OrderDetail) -> Self {
        Self {
            work_order: Some(detail.order.into()),
            posterior: all(detail.posterior),
            evidence: all(detail.evidence),
            assignment: Some(value(detail.assignment)),
            timeline: all(detail.timeline),
        }
    }
}
