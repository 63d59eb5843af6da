//! Every limit of the connection to a cluster, with the reason for its default.

use std::time::Duration;

use tokio::sync::Semaphore;

/// The limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalLimits {
    /// Messages of the cluster that wait for the disk before its socket is no longer read. 1,000: clusters send some
    /// tens before they wait for an acknowledgement, unless told to send more.
    pub window: usize,
    /// Largest message either way, in bytes; a larger one is acknowledged, counted and dropped, for else it would come
    /// again with every connection and hold up all others. 64 KiB: as the front takes.
    pub packet_bytes: usize,
    /// Messages to devices that the cluster has not acknowledged. 100: a round trip of 10 ms carries 10,000 a second.
    pub inflight: u16,
    /// Messages that wait behind those; then [`SendError::Busy`](crate::SendError). 1,024: the outbox keeps the rest.
    pub queued: usize,
    /// Devices that are known to be online; messages of further ones are taken, but nothing is sent to them. 100,000:
    /// some 20 MB, and more than one gateway serves.
    pub devices: usize,
    /// Between signs of life, in whole seconds. 30 s: a cluster that is gone without a word is noticed within a minute.
    pub keep_alive: Duration,
    /// For a connection to be made, and for a write to finish; in whole seconds. 10 s.
    pub patience: Duration,
    /// Before the second attempt to connect; doubled each time. 500 ms: a restart of the cluster takes some seconds.
    pub first_backoff: Duration,
    /// Longest wait between attempts, and the one after a refused login. 30 s: nothing is lost meanwhile.
    pub longest_backoff: Duration,
    /// For messages in flight to be acknowledged at shutdown. 5 s: thousands of group commits.
    pub shutdown: Duration,
}

/// Packet ids of messages to devices, before they are used again. Ten times the default limit: the client library
/// stops when one that is still in use comes round.
const PACKET_IDS: u16 = 1_000;

/// Keepalive is a 16 bit number of seconds in MQTT.
const LONGEST: Duration = Duration::from_secs(u16::MAX as u64);

impl ExternalLimits {
    /// Without what could never work.
    pub(super) fn sane(self) -> Self {
        let second = Duration::from_secs(1);
        let longest_backoff = self.longest_backoff.min(LONGEST);
        Self {
            window: self.window.max(1),
            inflight: self.inflight.clamp(1, PACKET_IDS - 1),
            queued: self.queued.clamp(1, Semaphore::MAX_PERMITS),
            devices: self.devices.max(1),
            keep_alive: self.keep_alive.clamp(second, LONGEST),
            patience: self.patience.clamp(second, LONGEST),
            first_backoff: self.first_backoff.min(longest_backoff),
            longest_backoff,
            shutdown: self.shutdown.min(LONGEST),
            ..self
        }
    }

    /// Packet ids in the round.
    pub(super) fn packet_ids(&self) -> u16 {
        PACKET_IDS
    }
}

impl Default for ExternalLimits {
    fn default() -> Self {
        Self {
            window: 1_000,
            packet_bytes: 64 * 1024,
            inflight: 100,
            queued: 1_024,
            devices: 100_000,
            keep_alive: Duration::from_secs(30),
            patience: Duration::from_secs(10),
            first_backoff: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(30),
            shutdown: Duration::from_secs(5),
        }
    }
}
