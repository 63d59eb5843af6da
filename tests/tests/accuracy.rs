//! Diagnosis and repair against the simulator, without network or database: simulated
//! days in seconds, so that many seeds can be looked at.
//!
//! The rooms and the driver are the gateway's own; the simulator keeps the truth.
//! `FETTLE_SEEDS=100 cargo nextest run --release -p fettle-tests accuracy` looks at more.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use device_sim::{Device, DeviceSpec, FaultPlan, fault, manifest};
use diagnosis::{ApplianceType, Catalogue};
use firmware_proto::{DeviceTime, ServerTime, Uplink, decode_command};
use gateway::config::RepairLimits;
use gateway::ingest::check;
use gateway::models::Voices;
use gateway::repair::RepairState;
use gateway::repair::driver::{self, Moment};
use gateway::shard::room::{Memory, Room, Twin};
use gateway::store::changes::Change;

const HOUR_MS: i64 = 3_600_000;
/// 06:00 of a day, as the demo begins: what only shows in the heat of the day then has its time.
const START_MS: i64 = 20_600 * 24 * HOUR_MS + 6 * HOUR_MS;
const DEVICES: usize = 60;
const FAULTS: usize = 24;
const HOURS: i64 = 20;
/// How far time goes before messages are looked at; also how long a command takes to arrive.
const STEP_MS: i64 = 20_000;

/// One device in its room.
struct House {
    spec: DeviceSpec,
    device: Device,
    room: Room,
    findings: Vec<(i64, String)>,
    repairs: Vec<RepairState>,
    orders: usize,
}

#[derive(Debug, Default)]
struct Outcome {
    faults: usize,
    kinds: std::collections::BTreeSet<String>,
    correct: usize,
    verified: usize,
    falsely_verified: usize,
    orders: usize,
    unhandled: Vec<String>,
    mistaken: Vec<String>,
    false_findings: Vec<String>,
    unsafe_actions: usize,
}

impl Outcome {
    /// Bars of the demo that this run missed.
    fn broken(&self) -> Vec<String> {
        let bars = [
            (self.faults >= 20, format!("{} faults", self.faults)),
            (self.kinds.len() >= 10, format!("{} kinds", self.kinds.len())),
            (self.correct * 100 >= self.faults * 80, format!("{} of {} right", self.correct, self.faults)),
            (self.false_findings.len() <= 2, format!("false findings {:?}", self.false_findings)),
            (self.falsely_verified == 0, format!("{} falsely verified", self.falsely_verified)),
            (self.unsafe_actions == 0, format!("{} unsafe actions", self.unsafe_actions)),
            (self.unhandled.is_empty(), format!("not handled {:?}", self.unhandled)),
        ];
        bars.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what).collect()
    }
}

impl House {
    fn new(spec: DeviceSpec, ty: Arc<ApplianceType>) -> Self {
        let room = Room {
            address: spec.address(),
            position: 0,
            flushed: 0,
            dedup: Default::default(),
            twin: Twin { readings: vec![None; ty.datapoints.len()], ..Twin::default() },
            memory: Memory::new(&ty),
            dirty: false,
            dedup_dirty: false,
            model: spec.kind.model().to_owned(),
            registered: ServerTime(START_MS),
            lessons: 0,
            ty,
        };
        let device = Device::new(&spec, DeviceTime(START_MS));
        Self { spec, device, room, findings: Vec::new(), repairs: Vec::new(), orders: 0 }
    }

    fn live(&mut self, until_ms: i64, limits: &RepairLimits) {
        let mut now = START_MS;
        let models = Voices::default();
        while now < until_ms {
            now += STEP_MS;
            let uplinks = self.device.advance(DeviceTime(now));
            self.hear(uplinks, now, limits);
            let m = moment(now, limits, &models);
            let changes = driver::on_time(&mut self.room, &m);
            self.act(changes, now, limits);
        }
    }

    fn hear(&mut self, uplinks: Vec<Uplink>, now: i64, limits: &RepairLimits) {
        let models = Voices::default();
        let m = moment(now, limits, &models);
        for uplink in uplinks {
            self.room.twin.last_seen = ServerTime(now);
            let changes = match uplink {
                Uplink::Telemetry(message) => {
                    let aliases = &self.room.memory.aliases;
                    let (readings, refused) =
                        check::readings(&self.room.ty, aliases, message.stamp.seq, message.readings);
                    assert!(refused.is_empty(), "{}: {refused:?}", self.spec.device);
                    let time = message.stamp.device_time_ms.expect("the simulator has a clock");
                    driver::look(&mut self.room, &message.stamp, time, &readings, &m)
                }
                Uplink::Result(result) => driver::on_result(&mut self.room, &result, &m),
                Uplink::Birth(birth) => {
                    self.room.memory.aliases = birth.aliases.into_iter().map(|(name, alias)| (alias, name)).collect();
                    Vec::new()
                }
                _ => Vec::new(),
            };
            self.act(changes, now, limits);
        }
    }

    fn act(&mut self, changes: Vec<Change>, now: i64, limits: &RepairLimits) {
        for change in changes {
            match change {
                Change::FindingOpened(finding) => self.findings.push((now, finding.cause)),
                Change::RepairMoved { state, .. } => self.repairs.push(state),
                Change::OrderOpened(_) => self.orders += 1,
                Change::CommandQueued(command) => {
                    let command = decode_command(&command.payload).expect("the gateway encodes what it can decode");
                    let uplinks = self.device.command(&command, DeviceTime(now + STEP_MS / 2));
                    self.hear(uplinks, now + STEP_MS / 2, limits);
                }
                _ => {}
            }
        }
    }

    fn judge(&self, outcome: &mut Outcome) {
        let truth = self.device.truth();
        let device = &self.spec.device;
        let verified = self.repairs.iter().filter(|state| **state == RepairState::Verified).count();
        outcome.verified += verified;
        outcome.orders += self.orders;
        outcome.unsafe_actions +=
            truth.unsafe_executions.len() + truth.high_risk_arrivals.len() + truth.repeated_executions();
        let injected = truth.fault.as_ref().map_or(i64::MAX, |fault| fault.injected_at.ms());
        let early = self.findings.iter().filter(|(at, _)| *at < injected);
        outcome.false_findings.extend(early.map(|(at, cause)| format!("{device}: {cause} at {:.1} h", hours(*at))));
        let Some(fault) = &truth.fault else {
            return;
        };
        outcome.faults += 1;
        outcome.kinds.insert(format!("{}/{}", self.spec.kind.key(), fault.key));
        if verified > 0 && fault.cured.is_none() {
            outcome.falsely_verified += 1;
        }
        let first = self.findings.iter().find(|(at, _)| *at >= injected);
        match first {
            Some((_, cause)) if *cause == fault.key => outcome.correct += 1,
            Some((at, cause)) => outcome.mistaken.push(format!(
                "{device}: {} (at {:.1} h) taken for {cause} at {:.1} h",
                fault.key,
                hours(injected),
                hours(*at)
            )),
            None => outcome.mistaken.push(format!("{device}: {} (at {:.1} h) not found", fault.key, hours(injected))),
        }
        let handled = (verified == 1 && self.orders == 0) || self.orders == 1;
        if !handled {
            let found: Vec<f64> = self.findings.iter().map(|(at, _)| hours(*at)).collect();
            outcome.unhandled.push(format!(
                "{device}: {} (at {:.1} h, found at {found:.1?} h) {:?}",
                fault.key,
                hours(injected),
                self.repairs
            ));
        }
    }
}

fn moment<'a>(now: i64, limits: &'a RepairLimits, models: &'a Voices) -> Moment<'a> {
    Moment { now: ServerTime(now), up_since: ServerTime(START_MS), position: now as u64, limits, models }
}

fn hours(at_ms: i64) -> f64 {
    (at_ms - START_MS) as f64 / HOUR_MS as f64
}

fn run(seed: u64, catalogue: &Catalogue) -> Outcome {
    let specs = manifest(DEVICES, seed);
    let (from, until) = (DeviceTime(START_MS + 2 * HOUR_MS), DeviceTime(START_MS + HOURS * HOUR_MS));
    let plan = FaultPlan::seeded(&specs, seed, from, until, FAULTS);
    let limits = RepairLimits::default();
    let mut outcome = Outcome::default();
    for spec in specs {
        let ty = catalogue.get(spec.kind.key()).expect("the catalogue has the simulated types").clone();
        let mut house = House::new(spec, ty);
        if let Some(planned) = plan.of(&house.spec.device) {
            let fault = fault(planned.kind, &planned.fault).expect("the plan names faults of the manual");
            house.device.inject_at(planned.at, fault).expect("the plan fits the kind");
        }
        house.live(until.ms(), &limits);
        house.judge(&mut outcome);
    }
    outcome
}

#[test]
fn faults_are_found_named_and_handled() {
    let seeds: u64 = std::env::var("FETTLE_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
    let catalogue = Catalogue::builtin().expect("the built-in catalogue is valid");
    let mut broken: Vec<String> = Vec::new();
    let mut mistakes: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 1..=seeds {
        let outcome = run(seed, &catalogue);
        println!(
            "seed {seed}: {} faults of {} kinds, {} named right, {} verified, {} work orders, {} false findings",
            outcome.faults,
            outcome.kinds.len(),
            outcome.correct,
            outcome.verified,
            outcome.orders,
            outcome.false_findings.len()
        );
        for line in outcome.mistaken.iter().chain(&outcome.false_findings).chain(&outcome.unhandled) {
            println!("    {line}");
            let what = line.split(": ").nth(1).unwrap_or_default().split(" (").next().unwrap_or_default();
            *mistakes.entry(what.to_owned()).or_default() += 1;
        }
        broken.extend(outcome.broken().into_iter().map(|what| format!("seed {seed}: {what}")));
    }
    println!("mistakes by kind: {mistakes:#?}");
    assert!(broken.is_empty(), "{broken:#?}");
}
