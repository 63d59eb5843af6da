//! The appliance types of the manual.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A simulated appliance type; see APPLIANCES.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplianceKind {
    /// 3.5 kW inverter unit, model `AC-35`.
    SplitAc,
    /// Frost-free two-compartment unit, model `RF-420`.
    Refrigerator,
    /// Instantaneous 16 l/min unit, model `GW-16`.
    GasWaterHeater,
}

impl ApplianceKind {
    /// Every type, in the order of the manual.
    pub const ALL: [Self; 3] = [Self::SplitAc, Self::Refrigerator, Self::GasWaterHeater];

    /// The type's name on the wire and in catalogues, for example `split-ac`.
    pub fn key(self) -> &'static str {
        match self {
            Self::SplitAc => "split-ac",
            Self::Refrigerator => "refrigerator",
            Self::GasWaterHeater => "gas-water-heater",
        }
    }

    /// The model that a birth message names, for example `AC-35`.
    pub fn model(self) -> &'static str {
        match self {
            Self::SplitAc => "AC-35",
            Self::Refrigerator => "RF-420",
            Self::GasWaterHeater => "GW-16",
        }
    }

    /// First letters of a device id, for example `AC`.
    pub fn id_prefix(self) -> &'static str {
        match self {
            Self::SplitAc => "AC",
            Self::Refrigerator => "RF",
            Self::GasWaterHeater => "GW",
        }
    }

    /// How often it sends telemetry.
    pub fn telemetry_period(self) -> Duration {
        match self {
            Self::SplitAc | Self::Refrigerator => Duration::from_secs(60),
            Self::GasWaterHeater => Duration::from_secs(20),
        }
    }

    /// One step of its physics. The water heater ignites and heats within seconds,
    /// the others move in minutes.
    pub fn physics_step(self) -> Duration {
        match self {
            Self::SplitAc | Self::Refrigerator => Duration::from_secs(10),
            Self::GasWaterHeater => Duration::from_secs(2),
        }
    }

    /// What it can be told to do.
    pub fn actions(self) -> &'static [&'static str] {
        match self {
            Self::SplitAc => {
                &["self_test", "soft_reset", "power_cycle_controller", "recalibrate_sensor", "restore_parameters"]
            }
            Self::Refrigerator => &[
                "self_test",
                "soft_reset",
                "power_cycle_controller",
                "recalibrate_sensor",
                "restore_parameters",
                "restore_defrost_schedule",
            ],
            Self::GasWaterHeater => &[
                "self_test",
                "soft_reset",
                "power_cycle_controller",
                "recalibrate_sensor",
                "restore_parameters",
                "clear_lockout",
            ],
        }
    }
}

impl fmt::Display for ApplianceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}
