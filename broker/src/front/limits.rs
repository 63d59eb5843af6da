//! Every limit of the front, with the reason for its default.

use std::time::Duration;

use tokio::sync::Semaphore;

/// Half of the packet ids there are, so that a free one is always found.
const MAX_COMMANDS_INFLIGHT: usize = 32_767;

/// The limits. All are per connection unless the name says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections in total; the next one is closed at once. 20,000: twice the largest fleet one gateway
    /// of two cores is meant for, at about 10 KB each.
    pub connections: usize,
    /// Largest packet either way, in bytes. 64 KiB: a telemetry message of a thousand readings has 20 KB.
    pub packet_bytes: usize,
    /// QoS 1 messages of one device that wait for the disk before its socket is no longer read. 64: more than
    /// three times the window that clients use by default (20), so that one group commit serves a full window.
    pub inflight_per_device: usize,
    /// Commands written to a device and not yet acknowledged. 16: a device with little memory handles one at a
    /// time; more only helps while a backlog drains.
    pub commands_inflight: usize,
    /// Commands that wait behind those; then [`SendError::Busy`](crate::SendError). 32: the outbox keeps the rest.
    pub commands_queued: usize,
    /// From accepting the socket to CONNACK. 10 s: a modem on a bad line needs some seconds, a slowloris gets no
    /// more.
    pub handshake: Duration,
    /// For one write to finish. 10 s: a peer that takes nothing for so long is gone.
    pub write: Duration,
    /// Longest silence, whatever keepalive the client asked for (0 means this). 1 h: an appliance that says
    /// nothing for an hour is not there.
    pub idle: Duration,
    /// Filters one client may hold. 16: a device needs two, a dashboard a handful.
    pub filters_per_client: usize,
    /// For messages in flight to be acknowledged when the front shuts down. 5 s: thousands of group commits.
    pub shutdown: Duration,
}

/// No clock of ours counts further; longer waits are cut to this.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

impl Limits {
    /// Without what could never work: a limit of nothing, or a wait that no clock can count.
    pub(super) fn sane(self) -> Self {
        Self {
            connections: self.connections.clamp(1, Semaphore::MAX_PERMITS),
            inflight_per_device: self.inflight_per_device.max(1),
            commands_inflight: self.commands_inflight.clamp(1, MAX_COMMANDS_INFLIGHT),
            commands_queued: self.commands_queued.clamp(1, Semaphore::MAX_PERMITS),
            handshake: self.handshake.min(LONGEST),
            write: self.write.min(LONGEST),
            idle: self.idle.min(LONGEST),
            shutdown: self.shutdown.min(LONGEST),
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            packet_bytes: 64 * 1024,
            inflight_per_device: 64,
            commands_inflight: 16,
            commands_queued: 32,
            handshake: Duration::from_secs(10),
            write: Duration::from_secs(10),
            idle: Duration::from_secs(3600),
            filters_per_client: 16,
            shutdown: Duration::from_secs(5),
        }
    }
}
