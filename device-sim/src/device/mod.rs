//! One appliance: physics, firmware and people, stepped by the caller.

use firmware_proto::{Command, DeviceTime, Encoding, Uplink};
use thiserror::Error;

use crate::fault::Fault;
use crate::kind::ApplianceKind;
use crate::spec::DeviceSpec;
use crate::truth::Truth;

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

/// One simulated appliance. Without IO: time is handed in, messages are handed out.
pub struct Device {
    kind: ApplianceKind,
    truth: Truth,
}

impl Device {
    /// An appliance that has been in use for long and whose controller boots at `start`.
    pub fn new(spec: &DeviceSpec, _start: DeviceTime) -> Self {
        Self { kind: spec.kind, truth: Truth::default() }
    }

    /// Lives on until `to` and says what it sent in between, oldest first. A time that
    /// has passed does nothing.
    pub fn advance(&mut self, _to: DeviceTime) -> Vec<Uplink> {
        Vec::new()
    }

    /// Lives on until `now`, then takes a command. What it does is said by this and later
    /// calls of [`advance`](Self::advance).
    pub fn command(&mut self, _command: &Command, now: DeviceTime) -> Vec<Uplink> {
        self.advance(now)
    }

    /// Makes a fault begin now.
    ///
    /// # Errors
    /// The fault belongs to another appliance type.
    pub fn inject(&mut self, fault: &'static Fault) -> Result<(), WrongKind> {
        if fault.kind == self.kind {
            Ok(())
        } else {
            Err(WrongKind { fault: fault.key, of: fault.kind, device: self.kind })
        }
    }

    /// Makes a fault begin when the device's time reaches `at`.
    ///
    /// # Errors
    /// The fault belongs to another appliance type.
    pub fn inject_at(&mut self, _at: DeviceTime, fault: &'static Fault) -> Result<(), WrongKind> {
        self.inject(fault)
    }

    /// What really happened to it.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// How it writes its messages.
    pub fn encoding(&self) -> Encoding {
        Encoding::Json
    }
}
