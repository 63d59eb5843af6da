//! What is remembered of one device.

use serde::{Deserialize, Serialize};

use crate::appliance::ApplianceType;

/// What is remembered of one device between two samples: bounded, and ready to be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceState {
    fingerprint: u64,
}

/// What became of a stored state.
#[derive(Debug, Clone, PartialEq)]
pub enum Restored {
    /// It fits the catalogue.
    Kept(DeviceState),
    /// It was made with other datapoints or detectors; here is a fresh one.
    Fresh(DeviceState),
}

impl Restored {
    /// The state, kept or fresh.
    pub fn into_state(self) -> DeviceState {
        match self {
            Self::Kept(state) | Self::Fresh(state) => state,
        }
    }
}

impl DeviceState {
    /// A device of which nothing is known yet.
    pub fn new(_ty: &ApplianceType) -> Self {
        Self { fingerprint: 0 }
    }

    /// Whether this state was made with the datapoints and detectors of `ty`.
    pub fn fits(&self, _ty: &ApplianceType) -> bool {
        self.fingerprint == 0
    }

    /// Takes up a stored state if it fits the catalogue, else starts afresh.
    pub fn restore(ty: &ApplianceType, stored: Self) -> Restored {
        if stored.fits(ty) { Restored::Kept(stored) } else { Restored::Fresh(Self::new(ty)) }
    }

    /// Forgets what spoke for `cause`, so that only later telemetry counts: call it when
    /// the device has reported the repair as done, before the next [`observe`](crate::observe).
    pub fn after_repair(&mut self, _ty: &ApplianceType, _cause: &str) {}
}
