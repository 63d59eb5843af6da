//! What survives a boot: boot counter, fence, command journal, configuration version.

use std::collections::VecDeque;

use firmware_proto::{
    BootId, Command, CommandId, CommandResult, DeviceTime, Fence, Outcome, Phase, ValueMap, body_hash,
};

/// Results kept for repeats. The fence refuses what is older, so that this only bounds
/// how late a repeat is answered with its result instead of a refusal.
const JOURNAL_LEN: usize = 256;

/// Non-volatile memory of the controller.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    pub boot_id: BootId,
    pub fence: Fence,
    pub config_version: u64,
    journal: VecDeque<Entry>,
}

/// One journalled command: how far it has come.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub command_id: CommandId,
    pub phase: Phase,
    pub outcome: Outcome,
    pub reason: String,
    pub measurements: ValueMap,
}

impl Entry {
    pub fn accepted(command_id: CommandId) -> Self {
        Self {
            command_id,
            phase: Phase::Accepted,
            outcome: Outcome::Pending,
            reason: String::new(),
            measurements: ValueMap::new(),
        }
    }

    pub fn in_progress(command_id: CommandId) -> Self {
        Self { phase: Phase::InProgress, ..Self::accepted(command_id) }
    }

    pub fn refused(command_id: CommandId, reason: impl Into<String>) -> Self {
        Self { phase: Phase::Finished, outcome: Outcome::Refused, reason: reason.into(), ..Self::accepted(command_id) }
    }

    pub fn succeeded(command_id: CommandId, measurements: ValueMap) -> Self {
        Self { phase: Phase::Finished, outcome: Outcome::Succeeded, measurements, ..Self::accepted(command_id) }
    }

    /// The message, its stamp still to be set.
    pub fn result(&self) -> CommandResult {
        CommandResult {
            stamp: Default::default(),
            command_id: self.command_id,
            phase: self.phase,
            outcome: self.outcome,
            reason: self.reason.clone(),
            measurements: self.measurements.clone(),
        }
    }
}

/// What memory makes of a command that has come in.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Admission {
    /// Seen before: this is how far it has come.
    Repeat(Entry),
    /// Not to be believed (wrong hash, old fence): refused and not journalled, so that a
    /// damaged copy cannot spoil the real command.
    Untrusted(String),
    /// Believed, but too late or for another configuration; refused and journalled.
    Unfit(String),
    /// May be done if the appliance allows it. Its fence has been taken over.
    Fit,
}

impl Memory {
    pub fn new(boot_id: BootId, config_version: u64) -> Self {
        Self { boot_id, fence: Fence(0), config_version, journal: VecDeque::new() }
    }

    /// Judges a command by everything but the appliance's present state.
    pub fn admit(&mut self, command: &Command, now: DeviceTime) -> Admission {
        if let Some(entry) = self.journal.iter().find(|entry| entry.command_id == command.command_id) {
            return Admission::Repeat(entry.clone());
        }
        let hash = body_hash(&command.action, &command.arguments);
        if hash != command.body_hash {
            return Admission::Untrusted(format!("body_hash does not fit action and arguments: {hash} would"));
        }
        if command.fence <= self.fence {
            return Admission::Untrusted(format!(
                "fence {} is old: {} has been accepted, use a greater one",
                command.fence, self.fence
            ));
        }
        self.fence = command.fence;
        if now > command.not_after_ms {
            let late_ms = now.since_ms(command.not_after_ms);
            return Admission::Unfit(format!("not_after_ms has passed {late_ms} ms ago"));
        }
        match command.expected_config_version {
            Some(expected) if expected != self.config_version => {
                Admission::Unfit(format!("config_version is {}, the command expects {expected}", self.config_version))
            }
            _ => Admission::Fit,
        }
    }

    /// Journals how far a command has come, before the device acts on it.
    pub fn journal(&mut self, entry: Entry) {
        if let Some(known) = self.journal.iter_mut().find(|known| known.command_id == entry.command_id) {
            *known = entry;
            return;
        }
        if self.journal.len() == JOURNAL_LEN {
            self.journal.pop_front();
        }
        self.journal.push_back(entry);
    }
}
