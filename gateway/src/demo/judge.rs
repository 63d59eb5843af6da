//! What the gateway did, held against what the simulator knows.

use std::collections::BTreeMap;

use device_sim::DeviceTruth;
use serde::Deserialize;

use crate::store::{Store, StoreError, from_json};

/// Running totals for the progress line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Findings opened.
    pub findings: i64,
    /// Repairs proved.
    pub verified: i64,
    /// Work orders opened.
    pub orders: i64,
}

/// The judgement.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Findings opened.
    pub findings: usize,
    /// Faults whose first finding named the right root cause.
    pub correct_top1: usize,
    /// Repairs proved by later telemetry.
    pub verified: usize,
    /// Of those, on devices whose fault had really gone.
    pub truly_cured: usize,
    /// Repairs that later telemetry disproved.
    pub failed_verification: usize,
    /// Work orders opened.
    pub orders: usize,
    /// Work orders with a technician and every part of a kit reserved.
    pub orders_ready: usize,
    /// Findings on devices that had no fault then.
    pub false_findings: usize,
    /// Faults that ended as a verified repair or as one ready work order.
    pub handled: usize,
    /// Faults that did not, and how they stand.
    pub unhandled: Vec<String>,
    /// What was diagnosed instead of the truth.
    pub mistaken: Vec<String>,
}

struct Finding {
    cause: String,
    opened_ms: i64,
}

struct Repair {
    state: String,
    steps: String,
    updated_ms: i64,
    cause: String,
    reason: String,
}

struct Order {
    state: String,
    ready: bool,
}

#[derive(Deserialize)]
struct KitLine {
    reserved: bool,
}

/// Totals as they are now.
pub async fn counts(store: &Store) -> Result<Counts, StoreError> {
    let (findings, verified, orders) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM finding), (SELECT COUNT(*) FROM repair WHERE state = 'verified'), \
         (SELECT COUNT(*) FROM work_order)",
    )
    .fetch_one(store.read())
    .await?;
    Ok(Counts { findings, verified, orders })
}

/// Judges a finished run.
pub async fn judge(store: &Store, truths: &[DeviceTruth]) -> Result<Verdict, StoreError> {
    let (findings, repairs, orders) = (findings(store).await?, repairs(store).await?, orders(store).await?);
    let none = (Vec::new(), Vec::new(), Vec::new());
    let mut verdict = Verdict::default();
    for truth in truths {
        let device = truth.device.as_str();
        let findings = findings.get(device).unwrap_or(&none.0);
        let repairs = repairs.get(device).unwrap_or(&none.1);
        let orders = orders.get(device).unwrap_or(&none.2);
        verdict.add(truth, findings, repairs, orders);
    }
    Ok(verdict)
}

impl Verdict {
    fn add(&mut self, truth: &DeviceTruth, findings: &[Finding], repairs: &[Repair], orders: &[Order]) {
        let device = &truth.device;
        let verified: Vec<&Repair> = repairs.iter().filter(|repair| repair.state == "verified").collect();
        self.findings += findings.len();
        self.verified += verified.len();
        self.failed_verification += repairs.iter().filter(|repair| repair.steps.contains("verify_failed")).count();
        self.orders += orders.len();
        self.orders_ready += orders.iter().filter(|order| order.ready).count();
        let Some(fault) = &truth.truth.fault else {
            self.false_findings += findings.len();
            self.mistaken
                .extend(findings.iter().map(|finding| format!("{device}: {} on a healthy device", finding.cause)));
            return;
        };
        let injected_ms = fault.injected_at.ms();
        self.false_findings += findings.iter().filter(|finding| finding.opened_ms < injected_ms).count();
        let cured = |repair: &&&Repair| fault.cured.as_ref().is_some_and(|cured| cured.at.ms() <= repair.updated_ms);
        self.truly_cured += verified.iter().filter(cured).count();
        match findings.iter().find(|finding| finding.opened_ms >= injected_ms) {
            Some(first) if first.cause == fault.key => self.correct_top1 += 1,
            Some(first) => self.mistaken.push(format!("{device}: {} taken for {}", fault.key, first.cause)),
            None => self.mistaken.push(format!("{device}: {} not found", fault.key)),
        }
        let repaired = verified.iter().any(|repair| cured(&repair));
        let handed_over = orders.len() == 1 && orders[0].ready;
        if (repaired && orders.is_empty()) || handed_over {
            self.handled += 1;
        } else {
            self.unhandled.push(stand(truth, findings, repairs, orders));
        }
    }
}

fn stand(truth: &DeviceTruth, findings: &[Finding], repairs: &[Repair], orders: &[Order]) -> String {
    let fault = truth.truth.fault.as_ref().map_or("", |fault| fault.key.as_str());
    let findings: Vec<&str> = findings.iter().map(|finding| finding.cause.as_str()).collect();
    let repairs: Vec<String> = repairs
        .iter()
        .map(|repair| format!("{} {} ({}: {})", repair.cause, repair.state, repair.steps, repair.reason))
        .collect();
    let orders: Vec<&str> = orders.iter().map(|order| order.state.as_str()).collect();
    format!("{}: {fault}; findings {findings:?}, repairs {repairs:?}, work orders {orders:?}", truth.device)
}

async fn findings(store: &Store) -> Result<BTreeMap<String, Vec<Finding>>, StoreError> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT device, cause, opened_ms FROM finding ORDER BY opened_ms")
            .fetch_all(store.read())
            .await?;
    Ok(by_device(rows.into_iter().map(|(device, cause, opened_ms)| (device, Finding { cause, opened_ms }))))
}

async fn repairs(store: &Store) -> Result<BTreeMap<String, Vec<Repair>>, StoreError> {
    let rows: Vec<(String, String, i64, String, String, String)> = sqlx::query_as(
        "SELECT device, repair.state, updated_ms, cause, reason, (SELECT COALESCE(GROUP_CONCAT(timeline.state, ' '), '') \
         FROM timeline WHERE subject = repair.id) FROM repair ORDER BY created_ms",
    )
    .fetch_all(store.read())
    .await?;
    Ok(by_device(rows.into_iter().map(|(device, state, updated_ms, cause, reason, steps)| {
        (device, Repair { state, steps, updated_ms, cause, reason })
    })))
}

async fn orders(store: &Store) -> Result<BTreeMap<String, Vec<Order>>, StoreError> {
    let rows: Vec<(String, String, Option<String>, String)> =
        sqlx::query_as("SELECT device, state, technician, kit FROM work_order ORDER BY number")
            .fetch_all(store.read())
            .await?;
    let orders: Result<Vec<_>, StoreError> = rows
        .into_iter()
        .map(|(device, state, technician, kit)| {
            let kit: Vec<KitLine> = from_json(|| format!("kit of a work order of {device}"), &kit)?;
            let ready = technician.is_some() && !kit.is_empty() && kit.iter().all(|line| line.reserved);
            Ok((device, Order { state, ready }))
        })
        .collect();
    Ok(by_device(orders?))
}

fn by_device<T>(rows: impl IntoIterator<Item = (String, T)>) -> BTreeMap<String, Vec<T>> {
    let mut devices: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for (device, row) in rows {
        devices.entry(device).or_default().push(row);
    }
    devices
}
