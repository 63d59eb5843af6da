//! What is printed at the end of a demo.

use std::collections::BTreeMap;
use std::time::Duration;

use device_sim::{DeviceTruth, FaultPlan};
use serde::Serialize;

use super::DemoOptions;
use super::judge::Verdict;
use crate::shard::Tally;

/// The outcome of a demo; what `--json` prints.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// As given.
    pub seed: u64,
    /// Simulated appliances.
    pub devices: usize,
    /// How long it ran, in seconds of the wall.
    pub seconds: f64,
    /// It ran to its end; otherwise faults may still be under way.
    pub complete: bool,
    /// How long it was for the appliances, in hours.
    pub simulated_hours: f64,
    /// When the last fault was injected, in hours for the appliances; there is time left to handle it.
    pub last_injection_hours: f64,
    /// Messages the gateway took in.
    pub messages_received: u64,
    /// Messages of which something was refused.
    pub messages_rejected: u64,
    /// Faults injected.
    pub faults_injected: usize,
    /// By type and fault.
    pub faults_by_kind: BTreeMap<String, usize>,
    /// Findings opened.
    pub findings: usize,
    /// Faults whose first finding named the right root cause.
    pub correct_top1: usize,
    /// Repairs proved by later telemetry.
    pub repairs_verified: usize,
    /// Repairs that later telemetry disproved.
    pub repairs_failed_verification: usize,
    /// Work orders opened.
    pub work_orders: usize,
    /// Work orders with a technician and all parts of their kit reserved.
    pub work_orders_ready: usize,
    /// Faults that ended as a verified repair or as one ready work order.
    pub faults_handled: usize,
    /// Actions carried out while unsafe, commands to locked-out appliances, R3 and R4 actions that arrived.
    pub unsafe_actions: usize,
    /// Commands that an appliance carried out more than once.
    pub repeated_commands: usize,
    /// Findings on appliances that had no fault then.
    pub false_findings_on_healthy: usize,
    /// Wrong or missing diagnoses.
    pub mistaken: Vec<String>,
    /// What must never happen and did.
    pub broken_invariants: Vec<String>,
}

impl Summary {
    pub(super) fn new(
        options: &DemoOptions,
        length: Duration,
        complete: bool,
        tally: &Tally,
        plan: &FaultPlan,
        truths: &[DeviceTruth],
        verdict: Verdict,
    ) -> Self {
        let hours = length.as_secs_f64() * f64::from(options.speed) / 3_600.0;
        let ended_ms = truths.iter().map(|truth| truth.at.ms()).max().unwrap_or(0);
        let injected: Vec<(&DeviceTruth, &device_sim::InjectedFault)> =
            truths.iter().filter_map(|truth| Some((truth, truth.truth.fault.as_ref()?))).collect();
        let mut faults_by_kind = BTreeMap::new();
        for (truth, fault) in &injected {
            *faults_by_kind.entry(format!("{}/{}", truth.kind.key(), fault.key)).or_default() += 1;
        }
        let last_ms = injected.iter().map(|(_, fault)| fault.injected_at.ms()).max();
        let sum = |count: fn(&DeviceTruth) -> usize| truths.iter().map(count).sum::<usize>();
        let mut summary = Self {
            seed: options.seed,
            devices: truths.len(),
            seconds: length.as_secs_f64(),
            complete,
            simulated_hours: hours,
            last_injection_hours: last_ms.map_or(0.0, |last| hours - (ended_ms - last) as f64 / 3_600_000.0),
            messages_received: tally.messages(),
            messages_rejected: tally.rejected(),
            faults_injected: injected.len(),
            faults_by_kind,
            findings: verdict.findings,
            correct_top1: verdict.correct_top1,
            repairs_verified: verdict.verified,
            repairs_failed_verification: verdict.failed_verification,
            work_orders: verdict.orders,
            work_orders_ready: verdict.orders_ready,
            faults_handled: verdict.handled,
            unsafe_actions: sum(|truth| {
                truth.truth.unsafe_executions.len() + truth.truth.high_risk_arrivals.len() + truth.touched_lockout.len()
            }),
            repeated_commands: sum(|truth| truth.truth.repeated_executions()),
            false_findings_on_healthy: verdict.false_findings,
            mistaken: verdict.mistaken.clone(),
            broken_invariants: Vec::new(),
        };
        summary.broken_invariants = summary.check(plan, truths, &verdict);
        summary
    }

    fn check(&self, plan: &FaultPlan, truths: &[DeviceTruth], verdict: &Verdict) -> Vec<String> {
        let acknowledged: u64 = truths.iter().map(|truth| truth.acknowledged).sum();
        let mut broken = Vec::new();
        let mut must = |holds: bool, text: String| {
            if !holds {
                broken.push(text);
            }
        };
        must(self.unsafe_actions == 0, format!("{} unsafe actions", self.unsafe_actions));
        must(
            self.repeated_commands == 0,
            format!("{} commands were carried out more than once", self.repeated_commands),
        );
        must(
            self.messages_received >= acknowledged,
            format!("{acknowledged} messages were acknowledged, only {} taken in", self.messages_received),
        );
        must(
            verdict.truly_cured == verdict.verified,
            format!("{} repairs are called verified, {} of them are", verdict.verified, verdict.truly_cured),
        );
        must(
            !self.complete || self.faults_injected == plan.0.len(),
            format!("{} faults were planned, {} injected: it ended too early", plan.0.len(), self.faults_injected),
        );
        let unhandled = if self.complete { verdict.unhandled.as_slice() } else { &[] };
        broken.extend(unhandled.iter().map(|stand| format!("not handled: {stand}")));
        broken
    }

    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            println!("{}", serde_json::to_string_pretty(self).expect("a summary has text keys only"));
            return;
        }
        println!(
            "after {:.0} s, {:.1} hours for {} appliances (seed {}):",
            self.seconds, self.simulated_hours, self.devices, self.seed
        );
        println!("  messages received             {:>7}", self.messages_received);
        println!(
            "  faults injected               {:>7}   of {} kinds, the last after {:.1} h",
            self.faults_injected,
            self.faults_by_kind.len(),
            self.last_injection_hours
        );
        println!(
            "  findings                      {:>7}   {} on healthy appliances",
            self.findings, self.false_findings_on_healthy
        );
        println!("  right root cause first        {:>7}", self.correct_top1);
        println!(
            "  remote repairs verified       {:>7}   {} failed verification",
            self.repairs_verified, self.repairs_failed_verification
        );
        println!(
            "  work orders                   {:>7}   {} with technician and parts",
            self.work_orders, self.work_orders_ready
        );
        println!("  faults handled                {:>7}", self.faults_handled);
        println!("  unsafe actions                {:>7}", self.unsafe_actions);
        for line in &self.mistaken {
            println!("  mistaken: {line}");
        }
        for line in &self.broken_invariants {
            println!("  BROKEN: {line}");
        }
    }
}
