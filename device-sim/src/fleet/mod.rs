//! Many devices, each with its own MQTT connection, in simulated time.

use std::net::SocketAddr;

use firmware_proto::ScaledTime;

use crate::plan::FaultPlan;
use crate::spec::DeviceSpec;
use crate::truth::DeviceTruth;

/// What a fleet needs to start.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// Where the broker listens.
    pub broker: SocketAddr,
    /// How fast time passes.
    pub time: ScaledTime,
    /// The devices; their `token` is the MQTT password.
    pub specs: Vec<DeviceSpec>,
    /// Their faults.
    pub plan: FaultPlan,
}

/// A running fleet.
pub struct Fleet {
    truths: Vec<DeviceTruth>,
}

impl Fleet {
    /// Starts one task for each device. Must be called within a tokio runtime.
    pub fn start(_config: FleetConfig) -> Self {
        Self { truths: Vec::new() }
    }

    /// The ledgers of all devices as they are now.
    pub fn truths(&self) -> Vec<DeviceTruth> {
        self.truths.clone()
    }

    /// Messages that the gateway told its devices it did not accept.
    pub fn rejections(&self) -> u64 {
        0
    }

    /// Messages the broker has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        0
    }

    /// Stops time, lets what is due be acknowledged (for two seconds at most), and
    /// disconnects. Says what the ledgers held in the end.
    pub async fn stop(self) -> Vec<DeviceTruth> {
        self.truths
    }
}
