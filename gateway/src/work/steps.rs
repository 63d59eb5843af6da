//! A visit, step by step.

use firmware_proto::ServerTime;

use super::OrderState;
use crate::auth::Actor;
use crate::control::{ControlError, OrderStep, UsedPart};
use crate::parts::ledger::{self, Booked, Entry, EntryKind};
use crate::store::changes::step as record;
use crate::store::{Store, StoreError, Write, audit};

/// What ended, if an order did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stepped {
    /// The device.
    pub device: String,
    /// Its work order is over.
    pub ended: bool,
}

/// Moves an order one step, in one transaction with its parts.
///
/// # Errors
/// As [`crate::control::Control::step_order`].
pub async fn take_step(
    store: &Store,
    order: &str,
    version: i64,
    step: &OrderStep,
    actor: &Actor,
    now: ServerTime,
) -> Result<Stepped, ControlError> {
    let mut write = store.write().await?;
    let (state, stored, device) = current(&mut write, order).await?;
    if stored != version {
        return Err(ControlError::Conflict(format!(
            "work order {order} is at version {stored}, not {version}: read it again"
        )));
    }
    let (next, detail) = follow(state, step)?;
    let ended = matches!(next, OrderState::Completed | OrderState::Canceled);
    if let OrderStep::Complete { used, .. } = step {
        consume(&mut write, order, used, actor, now).await?;
    }
    if ended {
        release(&mut write, order, actor, now).await?;
    }
    let confirmed = match step {
        OrderStep::Complete { confirmed, .. } => Some(confirmed.as_str()),
        _ => None,
    };
    sqlx::query(
        "UPDATE work_order SET state = $1, confirmed = $2, updated_ms = $3, closed_ms = $4, version = version + 1 WHERE id = $5",
    )
    .bind(next.as_str())
    .bind(confirmed)
    .bind(now.ms())
    .bind(ended.then(|| now.ms()))
    .bind(order)
    .execute(&mut *write)
    .await
    .map_err(StoreError::from)?;
    record(&mut write, order, now, next.as_str(), &actor.name, &detail).await?;
    audit::append(&mut write, now, &actor.name, "work_order", order, next.as_str()).await?;
    write.commit().await.map_err(StoreError::from)?;
    Ok(Stepped { device, ended })
}

async fn current(write: &mut Write, order: &str) -> Result<(OrderState, i64, String), ControlError> {
    let row: Option<(String, i64, String)> =
        sqlx::query_as("SELECT state, version, device FROM work_order WHERE id = $1")
            .bind(order)
            .fetch_optional(&mut **write)
            .await
            .map_err(StoreError::from)?;
    let (state, version, device) = row.ok_or_else(|| ControlError::NotFound(format!("no work order {order}")))?;
    let state = OrderState::parse(&state)
        .ok_or_else(|| ControlError::Conflict(format!("work order {order} has the unknown state {state:?}")))?;
    Ok((state, version, device))
}

/// Which step may follow which state.
fn follow(state: OrderState, step: &OrderStep) -> Result<(OrderState, String), ControlError> {
    let next = match (state, step) {
        (OrderState::Assigned, OrderStep::Accept) => (OrderState::Accepted, String::new()),
        (OrderState::Accepted, OrderStep::Travel) => (OrderState::Travelling, String::new()),
        (OrderState::Travelling, OrderStep::Arrive) => (OrderState::OnSite, String::new()),
        (OrderState::OnSite, OrderStep::Complete { confirmed, used }) => {
            let used: Vec<String> = used.iter().map(|used| format!("{} × {}", used.quantity, used.part)).collect();
            let used = if used.is_empty() { "no parts".to_owned() } else { used.join(", ") };
            (OrderState::Completed, format!("confirmed: {confirmed}; used: {used}"))
        }
        (OrderState::Completed | OrderState::Canceled, _) => {
            return Err(ControlError::Conflict(format!("the work order is {} already", state.as_str())));
        }
        (_, OrderStep::Cancel { reason }) => (OrderState::Canceled, reason.clone()),
        _ => {
            let right = match state {
                OrderState::Open => "wait for its technician, or cancel",
                OrderState::Assigned => "accept or cancel",
                OrderState::Accepted => "travel or cancel",
                OrderState::Travelling => "arrive or cancel",
                _ => "complete or cancel",
            };
            return Err(ControlError::Conflict(format!("the work order is {}: {right}", state.as_str())));
        }
    };
    Ok(next)
}

/// Books what was fitted, from what was reserved for the order.
async fn consume(
    write: &mut Write,
    order: &str,
    used: &[UsedPart],
    actor: &Actor,
    now: ServerTime,
) -> Result<(), ControlError> {
    for part in used {
        let mut open = i64::from(part.quantity);
        for (location, reserved_part, reserved) in ledger::reserved_for(write, order).await? {
            let pieces = open.min(reserved);
            if reserved_part != part.part || pieces == 0 {
                continue;
            }
            let entry = Entry {
                at: now,
                kind: EntryKind::Consume,
                location: &location,
                part: &part.part,
                on_hand: -pieces,
                reserved: -pieces,
                work_order: Some(order),
                actor: &actor.name,
            };
            if let Booked::Short(level) = ledger::book(write, &entry).await? {
                let reason = format!("{} × {} are not at {location}, only {}", pieces, part.part, level.on_hand);
                return Err(ControlError::Invalid { field: "used", reason });
            }
            open -= pieces;
        }
        if open > 0 {
            let reason = format!("{open} × {} more than was reserved for this work order", part.part);
            return Err(ControlError::Invalid { field: "used", reason });
        }
    }
    Ok(())
}

/// Gives back what was reserved and not used.
async fn release(write: &mut Write, order: &str, actor: &Actor, now: ServerTime) -> Result<(), ControlError> {
    for (location, part, reserved) in ledger::reserved_for(write, order).await? {
        let entry = Entry {
            at: now,
            kind: EntryKind::Release,
            location: &location,
            part: &part,
            on_hand: 0,
            reserved: -reserved,
            work_order: Some(order),
            actor: &actor.name,
        };
        ledger::book(write, &entry).await?;
    }
    Ok(())
}
