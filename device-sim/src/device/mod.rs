//! One appliance: physics, firmware and people, stepped by the caller.
//!
//! Each step lets the [machine](crate::physics) live for a few seconds, then the
//! firmware: boot, commands at work, error codes, telemetry.

mod action;
mod memory;
mod voice;
mod work;

use std::fmt;

use firmware_proto::{BootId, Command, DeviceTime, Encoding, Severity, Uplink};
use thiserror::Error;

pub(crate) use self::action::is_mutating;
use self::memory::Memory;
use self::voice::{Identity, Style, Voice};
use self::work::Job;
use crate::fault::Fault;
use crate::kind::ApplianceKind;
use crate::physics::{Machine, Moment, Panel, Sample, machine};
use crate::random::Random;
use crate::spec::DeviceSpec;
use crate::truth::{InjectedFault, Truth};

/// So long an appliance has lived before the simulation begins, so that a fleet does
/// not start in step.
const SETTLING_MS: i64 = 3 * 3_600_000;

/// A fault of another appliance type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{fault} is a fault of {of}, and this is a {device}: choose one of its own faults")]
pub struct WrongKind {
    /// The fault's key.
    pub fault: &'static str,
    /// Whose fault it is.
    pub of: ApplianceKind,
    /// What the device is.
    pub device: ApplianceKind,
}

/// Whether the controller has power.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Power {
    On,
    /// It boots in this step.
    Starting,
    Off,
}

/// One simulated appliance. Without IO: time is handed in, messages are handed out.
pub struct Device {
    kind: ApplianceKind,
    serial: String,
    remote_start_allowed: bool,
    now: DeviceTime,
    machine: Box<dyn Machine>,
    panel: Panel,
    sensors: Random,
    faults: Random,
    planned: Option<(DeviceTime, &'static Fault)>,
    power: Power,
    memory: Memory,
    voice: Voice,
    job: Option<Job>,
    /// Commands that came while the controller was off.
    waiting: Vec<Command>,
    reported_code: &'static str,
    next_telemetry: DeviceTime,
    /// Kept to reuse its memory; empty between uses.
    sample: Sample,
    truth: Truth,
}

impl Device {
    /// An appliance that has been in use for long and whose controller boots at `start`.
    ///
    /// Its boot counter starts from the seconds of `start`, so that a later run goes on
    /// counting where an earlier one stopped, although nothing is stored.
    pub fn new(spec: &DeviceSpec, start: DeviceTime) -> Self {
        let mut random = Random::new(spec.seed, "firmware");
        let step_ms = spec.kind.physics_step().as_millis() as i64;
        let born = start.plus_ms(-SETTLING_MS);
        let boot_id = BootId((start.ms() / 1000).max(1) as u64);
        let mut device = Self {
            kind: spec.kind,
            serial: spec.device.to_string(),
            remote_start_allowed: random.chance(0.8),
            now: born,
            machine: machine(spec, born),
            panel: Panel::new(spec.seed, born),
            sensors: Random::new(spec.seed, "sensors"),
            faults: Random::new(spec.seed, "faults"),
            planned: None,
            power: Power::On,
            memory: Memory::new(boot_id, 1 + random.below(5) as u64),
            voice: Voice::new(Style::of_seed(spec.seed), boot_id, start),
            job: None,
            waiting: Vec::new(),
            reported_code: "",
            next_telemetry: start,
            sample: Sample::new(),
            truth: Truth::default(),
        };
        while device.now < start {
            device.now = device.now.plus_ms(step_ms);
            device.live();
        }
        device.now = start;
        device.power = Power::Starting;
        device.next_telemetry = start.plus_ms(random.below(spec.kind.telemetry_period().as_millis() as usize) as i64);
        device
    }

    /// Lives on until `to` and says what it sent in between, oldest first. A time that
    /// has passed does nothing.
    pub fn advance(&mut self, to: DeviceTime) -> Vec<Uplink> {
        let mut out = Vec::new();
        self.advance_into(to, &mut out);
        out
    }

    fn advance_into(&mut self, to: DeviceTime, out: &mut Vec<Uplink>) {
        let step_ms = self.kind.physics_step().as_millis() as i64;
        while self.now.plus_ms(step_ms) <= to {
            self.now = self.now.plus_ms(step_ms);
            self.step(out);
        }
    }

    /// Lives on until `now`, then takes a command. What it does is said by this and later
    /// calls of [`advance`](Self::advance).
    pub fn command(&mut self, command: &Command, now: DeviceTime) -> Vec<Uplink> {
        let mut out = Vec::new();
        self.advance_into(now, &mut out);
        self.take(command, now.max(self.now), &mut out);
        out
    }

    /// Makes a fault begin now.
    ///
    /// # Errors
    /// The fault belongs to another appliance type.
    pub fn inject(&mut self, fault: &'static Fault) -> Result<(), WrongKind> {
        self.inject_at(self.now, fault)?;
        self.begin_planned_fault();
        Ok(())
    }

    /// Makes a fault begin when the device's time reaches `at`.
    ///
    /// # Errors
    /// The fault belongs to another appliance type.
    pub fn inject_at(&mut self, at: DeviceTime, fault: &'static Fault) -> Result<(), WrongKind> {
        if fault.kind != self.kind {
            return Err(WrongKind { fault: fault.key, of: fault.kind, device: self.kind });
        }
        self.planned = Some((at, fault));
        Ok(())
    }

    fn begin_planned_fault(&mut self) {
        let Some((at, fault)) = self.planned else { return };
        if at > self.now {
            return;
        }
        self.planned = None;
        let severity = self.faults.between(0.0, 1.0);
        self.machine.inject(fault.key, severity, &mut self.faults);
        self.truth.fault = Some(InjectedFault { key: fault.key.to_owned(), injected_at: self.now, cured: None });
    }

    /// What really happened to it.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// How it writes its messages.
    pub fn encoding(&self) -> Encoding {
        self.voice.style().encoding()
    }

    /// The time it has lived to; behind the last [`advance`](Self::advance) by less than a step.
    pub fn now(&self) -> DeviceTime {
        self.now
    }

    /// A safety lockout is latched.
    pub fn locked_out(&self) -> bool {
        self.machine.status().latched
    }

    /// Physics and people, for one step.
    fn live(&mut self) {
        self.panel.step(self.now);
        let held = self.job.as_ref().is_some_and(|job| job.holds(self.kind));
        self.machine.step(&mut Moment {
            now: self.now,
            dt_s: self.kind.physics_step().as_secs_f64(),
            powered: self.power != Power::Off,
            held,
            panel: &mut self.panel,
        });
    }

    fn step(&mut self, out: &mut Vec<Uplink>) {
        self.begin_planned_fault();
        self.live();
        self.work(out);
        if self.power == Power::Off {
            return;
        }
        if self.power == Power::Starting {
            self.say_hello(self.now, out);
        }
        self.tell_codes(out);
        if self.now >= self.next_telemetry {
            self.tell_readings(out);
        }
    }

    /// Birth and state, the first messages of a boot.
    fn say_hello(&mut self, now: DeviceTime, out: &mut Vec<Uplink>) {
        self.power = Power::On;
        self.truth.boots += 1;
        self.take_sample();
        let datapoints: Vec<_> = self.sample.drain(..).map(|(name, _)| name).collect();
        let identity =
            Identity { kind: self.kind, serial: &self.serial, fence: self.memory.fence, datapoints: &datapoints };
        out.push(self.voice.birth(now, &identity));
        out.push(self.voice.state(now, self.memory.config_version, self.machine.parameters()));
    }

    fn boot(&mut self, now: DeviceTime, out: &mut Vec<Uplink>) {
        self.memory.boot_id = BootId(self.memory.boot_id.0 + 1);
        self.voice = Voice::new(self.voice.style(), self.memory.boot_id, now);
        self.machine.boot();
        self.say_hello(now, out);
    }

    fn tell_codes(&mut self, out: &mut Vec<Uplink>) {
        let code = self.machine.code();
        if code == self.reported_code {
            return;
        }
        let gone = std::mem::replace(&mut self.reported_code, code);
        if !gone.is_empty() {
            self.take_sample();
            out.push(self.voice.event(self.now, gone, Severity::Info, "cleared", &mut self.sample));
        }
        if !code.is_empty() {
            let text = self.machine.code_text(code);
            self.take_sample();
            out.push(self.voice.event(self.now, code, Severity::Error, text, &mut self.sample));
        }
    }

    fn tell_readings(&mut self, out: &mut Vec<Uplink>) {
        self.take_sample();
        out.push(self.voice.telemetry(self.now, &mut self.sample));
        let period_ms = self.kind.telemetry_period().as_millis() as i64;
        while self.next_telemetry <= self.now {
            self.next_telemetry = self.next_telemetry.plus_ms(period_ms);
        }
    }

    /// Reads every sensor into `sample`.
    fn take_sample(&mut self) {
        self.sample.clear();
        self.machine.sample(&mut self.sensors, &mut self.sample);
        self.sample.extend([
            ("local_control_active", self.panel.local_control(self.now).into()),
            ("child_lock", self.panel.child_lock(self.now).into()),
            ("remote_start_allowed", self.remote_start_allowed.into()),
            ("error_code", self.machine.code().into()),
        ]);
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("serial", &self.serial).field("now", &self.now).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
