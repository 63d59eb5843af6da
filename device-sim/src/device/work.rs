//! From a command to its result.

use firmware_proto::{Command, CommandId, DeviceTime, Uplink, Value, ValueMap};

use super::action::{Action, is_high_risk, unsafe_meanwhile, unsafe_to_begin};
use super::memory::{Admission, Entry};
use super::{Device, Power};
use crate::kind::ApplianceKind;
use crate::truth::{Cured, RefusedCommand, UnsafeExecution};

/// Between accepting a command and beginning it.
const PREPARATION_MS: i64 = 1000;
/// Commands kept for a controller that is off; it is off for seconds only.
const MAX_WAITING: usize = 16;

/// A command that is being done.
#[derive(Debug, Clone)]
pub(super) struct Job {
    command_id: CommandId,
    name: String,
    action: Action,
    begun: bool,
    due: DeviceTime,
}

impl Job {
    /// Nothing may start while this is at work.
    pub fn holds(&self, kind: ApplianceKind) -> bool {
        let resets_burner = self.action == Action::SoftReset && kind == ApplianceKind::GasWaterHeater;
        self.begun && (self.action.holds_appliance() || resets_burner)
    }
}

impl Device {
    /// Takes a command in, and answers it.
    pub(super) fn take(&mut self, command: &Command, now: DeviceTime, out: &mut Vec<Uplink>) {
        if self.power == Power::Off {
            if self.waiting.len() < MAX_WAITING {
                self.waiting.push(command.clone());
            }
            return;
        }
        if is_high_risk(&command.action) && !self.truth.high_risk_arrivals.contains(&command.command_id) {
            self.truth.high_risk_arrivals.push(command.command_id);
        }
        match self.memory.admit(command, now) {
            Admission::Repeat(entry) => out.push(self.voice.result(now, entry.result())),
            Admission::Untrusted(reason) => {
                let entry = Entry::refused(command.command_id, reason);
                self.refuse(&command.action, entry, now, out);
            }
            Admission::Unfit(reason) => self.refuse_for_good(command.command_id, &command.action, reason, now, out),
            Admission::Fit => match self.permitted(command, now) {
                Ok(action) => self.accept(command, action, now, out),
                Err(reason) => self.refuse_for_good(command.command_id, &command.action, reason, now, out),
            },
        }
    }

    fn permitted(&self, command: &Command, now: DeviceTime) -> Result<Action, String> {
        let action = Action::of(command, self.kind, self.machine.as_ref())?;
        if let Some(job) = &self.job {
            return Err(format!("busy with {} ({}): wait for its result", job.name, job.command_id));
        }
        match action.forbidden_because(self.machine.status(), &self.panel, self.remote_start_allowed, now) {
            Some(reason) => Err(reason),
            None => Ok(action),
        }
    }

    fn refuse_for_good(
        &mut self,
        command_id: CommandId,
        name: &str,
        reason: String,
        now: DeviceTime,
        out: &mut Vec<Uplink>,
    ) {
        let entry = Entry::refused(command_id, reason);
        self.memory.journal(entry.clone());
        self.refuse(name, entry, now, out);
    }

    fn refuse(&mut self, name: &str, entry: Entry, now: DeviceTime, out: &mut Vec<Uplink>) {
        self.truth.refused.push(RefusedCommand {
            command_id: entry.command_id,
            action: name.to_owned(),
            at: now,
            reason: entry.reason.clone(),
        });
        out.push(self.voice.result(now, entry.result()));
    }

    fn accept(&mut self, command: &Command, action: Action, now: DeviceTime, out: &mut Vec<Uplink>) {
        self.job = Some(Job {
            command_id: command.command_id,
            name: command.action.clone(),
            action,
            begun: false,
            due: now.plus_ms(PREPARATION_MS),
        });
        self.report(Entry::accepted(command.command_id), now, out);
    }

    /// Journals first, then tells.
    fn report(&mut self, entry: Entry, now: DeviceTime, out: &mut Vec<Uplink>) {
        out.push(self.voice.result(now, entry.result()));
        self.memory.journal(entry);
    }

    /// Brings the command at work as far as this step allows.
    pub(super) fn work(&mut self, out: &mut Vec<Uplink>) {
        while let Some(job) = self.job.clone() {
            if job.begun {
                self.note_unsafe(&job, unsafe_meanwhile(job.action, self.machine.status()));
            }
            if job.due > self.now {
                return;
            }
            if job.begun {
                self.finish(job, out);
            } else {
                self.begin(job, out);
            }
        }
    }

    fn begin(&mut self, job: Job, out: &mut Vec<Uplink>) {
        let status = self.machine.status();
        let forbidden = job.action.forbidden_because(status, &self.panel, self.remote_start_allowed, self.now);
        if let Some(reason) = forbidden {
            self.job = None;
            self.refuse_for_good(job.command_id, &job.name, reason, job.due, out);
            return;
        }
        *self.truth.executions.entry(job.command_id).or_default() += 1;
        self.note_unsafe(&job, unsafe_to_begin(job.action, status, &self.panel, self.now));
        self.report(Entry::in_progress(job.command_id), job.due, out);
        if job.action == Action::PowerCycle {
            self.power = Power::Off;
        }
        let due = job.due.plus_ms(job.action.duration().as_millis() as i64);
        self.job = Some(Job { begun: true, due, ..job });
    }

    fn finish(&mut self, job: Job, out: &mut Vec<Uplink>) {
        self.job = None;
        let was_faulty = self.machine.faulty();
        let measurements = self.act(&job, out);
        if was_faulty && !self.machine.faulty() {
            self.note_cure(&job);
        }
        self.report(Entry::succeeded(job.command_id, measurements), job.due, out);
        for command in std::mem::take(&mut self.waiting) {
            self.take(&command, self.now, out);
        }
    }

    /// The effect itself.
    fn act(&mut self, job: &Job, out: &mut Vec<Uplink>) -> ValueMap {
        match job.action {
            Action::SelfTest => {
                self.take_sample();
                return self.sample.drain(..).map(|(name, value)| (name.to_owned(), value)).collect();
            }
            Action::SoftReset => self.machine.soft_reset(),
            Action::PowerCycle => self.boot(job.due, out),
            Action::Recalibrate(sensor) => {
                let offset_k = (self.machine.recalibrate(sensor) * 100.0).round() / 100.0;
                return ValueMap::from([
                    ("sensor".to_owned(), Value::from(sensor)),
                    ("removed_offset_k".to_owned(), Value::from(offset_k)),
                ]);
            }
            Action::RestoreParameters => {
                self.machine.restore_parameters();
                self.memory.config_version += 1;
                let parameters = self.machine.parameters();
                out.push(self.voice.state(job.due, self.memory.config_version, parameters));
            }
            Action::RestoreDefrostSchedule => self.machine.restore_defrost_schedule(),
            Action::ClearLockout => self.machine.clear_lockout(),
        }
        ValueMap::new()
    }

    fn note_cure(&mut self, job: &Job) {
        if let Some(fault) = &mut self.truth.fault {
            fault.cured = Some(Cured { at: self.now, command_id: job.command_id, action: job.name.clone() });
        }
    }

    /// Notes, once a command, what made it unsafe.
    fn note_unsafe(&mut self, job: &Job, why: Option<&'static str>) {
        let Some(why) = why else { return };
        if self.truth.unsafe_executions.iter().any(|known| known.command_id == job.command_id) {
            return;
        }
        self.truth.unsafe_executions.push(UnsafeExecution {
            command_id: job.command_id,
            action: job.name.clone(),
            at: self.now,
            why: why.to_owned(),
        });
    }
}
