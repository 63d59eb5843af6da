//! What a shard decided, written in one transaction.

use firmware_proto::{DeviceId, ServerTime};

use super::{StoreError, Write, audit};
use crate::repair::RepairState;

/// Refused messages kept; older ones go.
const REJECTS_KEPT: i64 = 10_000;

/// One decision. Each says which version it was based on where somebody else might have moved the row.
#[derive(Debug, Clone)]
pub enum Change {
    /// A device's condition was diagnosed.
    FindingOpened(NewFinding),
    /// A finding went on.
    FindingMoved {
        /// Which.
        id: String,
        /// Version it had.
        version: i64,
        /// Where it stands now.
        state: FindingState,
    },
    /// A remote repair was planned.
    RepairPlanned(NewRepair),
    /// A repair went on.
    RepairMoved {
        /// Which.
        id: String,
        /// Version it had.
        version: i64,
        /// Where it stands now.
        state: RepairState,
        /// Why, with the evidence.
        reason: String,
        /// Who moved it.
        actor: String,
    },
    /// A repair's command was put out.
    CommandQueued(QueuedCommand),
    /// The device has answered for a command.
    CommandAnswered {
        /// Which.
        command_id: String,
    },
    /// People are needed.
    OrderOpened(Box<NewOrder>),
    /// The device reported something.
    Event {
        /// Which device.
        device: DeviceId,
        /// Of the message in the journal.
        position: u64,
        /// By the gateway's clock.
        at: ServerTime,
        /// The device's code.
        code: String,
        /// `info`, `warning` or `error`.
        severity: &'static str,
        /// For people.
        text: String,
    },
    /// Something in a message was refused.
    Rejected {
        /// Of the message in the journal.
        position: u64,
        /// By the gateway's clock.
        at: ServerTime,
        /// Whose.
        device: String,
        /// On which channel.
        channel: String,
        /// Field at fault.
        field: String,
        /// What is wrong.
        reason: String,
        /// First bytes of the payload, as text.
        head: String,
    },
}

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingState {
    /// Nothing decided yet.
    Open,
    /// A remote repair is under way.
    Repairing,
    /// A work order has it.
    HandedOver,
    /// A remote repair was proved.
    Resolved,
    /// Its work order ended.
    Closed,
}

impl FindingState {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Repairing => "repairing",
            Self::HandedOver => "handed_over",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }
}

/// A finding as it is opened.
#[derive(Debug, Clone)]
pub struct NewFinding {
    /// Follows from device and message, so that a replay gives the same.
    pub id: String,
    /// Which device.
    pub device: DeviceId,
    /// Likeliest root cause.
    pub cause: String,
    /// The cause for people.
    pub title: String,
    /// Its posterior.
    pub probability: f64,
    /// The same cause was repaired within the watch window.
    pub reopened: bool,
    /// JSON: causes and posteriors.
    pub ranked: String,
    /// JSON: symptoms.
    pub evidence: String,
    /// For people.
    pub explanation: String,
    /// When.
    pub at: ServerTime,
}

/// A repair as it is planned.
#[derive(Debug, Clone)]
pub struct NewRepair {
    /// Its id.
    pub id: String,
    /// For which finding; none if a person asked for it.
    pub finding: Option<String>,
    /// On which device.
    pub device: DeviceId,
    /// The cause it is to cure.
    pub cause: String,
    /// Which repair of the catalogue.
    pub repair: String,
    /// The action.
    pub action: String,
    /// JSON: its arguments.
    pub arguments: String,
    /// Risk class.
    pub risk: String,
    /// What is approved.
    pub body_hash: String,
    /// Where it starts.
    pub state: RepairState,
    /// Why.
    pub reason: String,
    /// Which attempt at this repair within the watch window, from 1.
    pub attempt: i64,
    /// Who asked for it.
    pub issued_by: String,
    /// When.
    pub at: ServerTime,
}

/// A command on its way.
#[derive(Debug, Clone)]
pub struct QueuedCommand {
    /// Which.
    pub command_id: String,
    /// Its repair.
    pub repair: String,
    /// To which device.
    pub device: DeviceId,
    /// Where it is published.
    pub topic: String,
    /// The message.
    pub payload: Vec<u8>,
    /// Its fence.
    pub fence: u64,
    /// When.
    pub at: ServerTime,
    /// When the device takes it no longer.
    pub expires: ServerTime,
}

/// A work order as it is opened.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// Its id.
    pub id: String,
    /// For which finding.
    pub finding: Option<String>,
    /// On which device.
    pub device: DeviceId,
    /// `diagnosis` or a person's name.
    pub source: String,
    /// Likeliest root cause.
    pub cause: String,
    /// The cause for people.
    pub title: String,
    /// `low` to `urgent`.
    pub priority: &'static str,
    /// Why a visit is needed, and what was tried.
    pub why: String,
    /// What the technician must be able to do.
    pub skill: String,
    /// What to do on site.
    pub sop: String,
    /// JSON: causes and posteriors.
    pub posterior: String,
    /// JSON: symptoms.
    pub evidence: String,
    /// When.
    pub at: ServerTime,
}

/// Writes a decision.
///
/// # Errors
/// When the database fails, or a row is not at the version the decision was based on:
/// then two owners moved it, which is a bug.
pub async fn apply(write: &mut Write, change: &Change, now: ServerTime) -> Result<(), StoreError> {
    match change {
        Change::FindingOpened(finding) => open_finding(write, finding).await,
        Change::FindingMoved { id, version, state } => move_finding(write, id, *version, *state, now).await,
        Change::RepairPlanned(repair) => plan_repair(write, repair).await,
        Change::RepairMoved { id, version, state, reason, actor } => {
            let moved = sqlx::query(
                "UPDATE repair SET state = $1, reason = $2, updated_ms = $3, version = version + 1, \
                 approved_by = CASE WHEN $1 = 'queued' AND state = 'awaiting_approval' THEN $4 ELSE approved_by END \
                 WHERE id = $5 AND version = $6",
            )
            .bind(state.as_str())
            .bind(reason)
            .bind(now.ms())
            .bind(actor)
            .bind(id)
            .bind(version)
            .execute(&mut **write)
            .await?;
            one_row(moved.rows_affected())?;
            step(write, id, now, state.as_str(), actor, reason).await?;
            audit::append(write, now, actor, "repair", id, state.as_str()).await
        }
        Change::CommandQueued(command) => queue_command(write, command).await,
        Change::CommandAnswered { command_id } => {
            sqlx::query("DELETE FROM outbox WHERE command_id = $1").bind(command_id).execute(&mut **write).await?;
            Ok(())
        }
        Change::OrderOpened(order) => open_order(write, order).await,
        Change::Event { device, position, at, code, severity, text } => {
            sqlx::query(
                "INSERT INTO event (device, position, at_ms, code, severity, text) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(device.as_str())
            .bind(*position as i64)
            .bind(at.ms())
            .bind(code)
            .bind(*severity)
            .bind(text)
            .execute(&mut **write)
            .await?;
            Ok(())
        }
        Change::Rejected { position, at, device, channel, field, reason, head } => {
            sqlx::query(
                "INSERT INTO reject (position, at_ms, device, channel, field, reason, head) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            )
            .bind(*position as i64)
            .bind(at.ms())
            .bind(device)
            .bind(channel)
            .bind(field)
            .bind(reason)
            .bind(head)
            .execute(&mut **write)
            .await?;
            Ok(())
        }
    }
}

/// Keeps the reject log bounded.
///
/// # Errors
/// When the database fails.
pub async fn trim_rejects(write: &mut Write) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM reject WHERE position < \
         (SELECT position FROM reject ORDER BY position DESC LIMIT 1 OFFSET $1)",
    )
    .bind(REJECTS_KEPT)
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// Appends to the timeline of a repair or work order.
///
/// # Errors
/// When the database fails.
pub async fn step(
    write: &mut Write,
    subject: &str,
    at: ServerTime,
    state: &str,
    actor: &str,
    detail: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO timeline (subject, step, at_ms, state, actor, detail) \
         SELECT $1, COALESCE(MAX(step), 0) + 1, $2, $3, $4, $5 FROM timeline WHERE subject = $1",
    )
    .bind(subject)
    .bind(at.ms())
    .bind(state)
    .bind(actor)
    .bind(detail)
    .execute(&mut **write)
    .await?;
    Ok(())
}

async fn open_finding(write: &mut Write, finding: &NewFinding) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO finding (id, device, cause, title, probability, state, reopened, ranked, evidence, explanation, \
         opened_ms, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1)",
    )
    .bind(&finding.id)
    .bind(finding.device.as_str())
    .bind(&finding.cause)
    .bind(&finding.title)
    .bind(finding.probability)
    .bind(FindingState::Open.as_str())
    .bind(i64::from(finding.reopened))
    .bind(&finding.ranked)
    .bind(&finding.evidence)
    .bind(&finding.explanation)
    .bind(finding.at.ms())
    .execute(&mut **write)
    .await?;
    audit::append(write, finding.at, "diagnosis", "finding", &finding.id, &finding.cause).await
}

/// Moves a finding.
///
/// # Errors
/// When the database fails or the finding has another version.
pub async fn move_finding(
    write: &mut Write,
    id: &str,
    version: i64,
    state: FindingState,
    now: ServerTime,
) -> Result<(), StoreError> {
    let ended = matches!(state, FindingState::Resolved | FindingState::Closed);
    let moved = sqlx::query(
        "UPDATE finding SET state = $1, closed_ms = $2, version = version + 1 WHERE id = $3 AND version = $4",
    )
    .bind(state.as_str())
    .bind(ended.then(|| now.ms()))
    .bind(id)
    .bind(version)
    .execute(&mut **write)
    .await?;
    one_row(moved.rows_affected())
}

async fn plan_repair(write: &mut Write, repair: &NewRepair) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO repair (id, finding, device, cause, repair, action, arguments, risk, body_hash, state, reason, \
         attempt, issued_by, created_ms, updated_ms, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, 1)",
    )
    .bind(&repair.id)
    .bind(&repair.finding)
    .bind(repair.device.as_str())
    .bind(&repair.cause)
    .bind(&repair.repair)
    .bind(&repair.action)
    .bind(&repair.arguments)
    .bind(&repair.risk)
    .bind(&repair.body_hash)
    .bind(repair.state.as_str())
    .bind(&repair.reason)
    .bind(repair.attempt)
    .bind(&repair.issued_by)
    .bind(repair.at.ms())
    .execute(&mut **write)
    .await?;
    step(write, &repair.id, repair.at, repair.state.as_str(), &repair.issued_by, &repair.reason).await?;
    audit::append(write, repair.at, &repair.issued_by, "repair", &repair.id, repair.state.as_str()).await
}

async fn queue_command(write: &mut Write, command: &QueuedCommand) -> Result<(), StoreError> {
    sqlx::query("UPDATE repair SET command_id = $1, fence = $2 WHERE id = $3")
        .bind(&command.command_id)
        .bind(command.fence as i64)
        .bind(&command.repair)
        .execute(&mut **write)
        .await?;
    sqlx::query("INSERT INTO outbox (command_id, device, topic, payload, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(&command.command_id)
        .bind(command.device.as_str())
        .bind(&command.topic)
        .bind(&command.payload)
        .bind(command.at.ms())
        .bind(command.expires.ms())
        .execute(&mut **write)
        .await?;
    audit::append(write, command.at, "gateway", "command", &command.command_id, &command.topic).await
}

async fn open_order(write: &mut Write, order: &NewOrder) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO work_order (id, number, finding, device, source, cause, title, state, priority, why, skill, area, \
         sop, posterior, evidence, kit, assignment, created_ms, updated_ms, version) \
         SELECT $1, (SELECT COALESCE(MAX(number), 0) + 1 FROM work_order), $2, $3, $4, $5, $6, 'open', $7, $8, $9, \
         device.area, $10, $11, $12, '[]', '{}', $13, $13, 1 FROM device WHERE device.id = $3",
    )
    .bind(&order.id)
    .bind(&order.finding)
    .bind(order.device.as_str())
    .bind(&order.source)
    .bind(&order.cause)
    .bind(&order.title)
    .bind(order.priority)
    .bind(&order.why)
    .bind(&order.skill)
    .bind(&order.sop)
    .bind(&order.posterior)
    .bind(&order.evidence)
    .bind(order.at.ms())
    .execute(&mut **write)
    .await?;
    step(write, &order.id, order.at, "open", &order.source, &order.why).await?;
    audit::append(write, order.at, &order.source, "work_order", &order.id, "open").await
}

/// Compare-and-set: exactly one row had the version.
pub(crate) fn one_row(affected: u64) -> Result<(), StoreError> {
    if affected == 1 { Ok(()) } else { Err(StoreError::Database(sqlx::Error::RowNotFound)) }
}
