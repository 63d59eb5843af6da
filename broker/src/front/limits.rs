//! Every limit of the front, with the reason for its default.

use std::time::Duration;

use tokio::sync::Semaphore;

/// A receive maximum has 16 bits.
const MAX_INFLIGHT: usize = 65_535;

/// Half of the packet ids there are, so that a free one is always found.
const MAX_COMMANDS_INFLIGHT: usize = 32_767;

/// The limits. All are per connection unless the name says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections in total; the next one is closed at once. 20,000: twice the largest fleet one gateway
    /// of two cores is meant for, at about 20 KB each over TLS.
    pub connections: usize,
    /// Connections of one network address (of IPv6: of one /64); the next one is closed at once. 12,000: less than
    /// all, so that one address cannot take them all, and more than a town behind one address of its provider has.
    pub connections_per_address: usize,
    /// Connections a second that one network address may open, once it has used up its burst. 1,000: each costs up
    /// to a millisecond of the processor for its handshake.
    pub connects_per_second: u32,
    /// Connections that one network address may open at once. 12,000: after a power cut all come back together.
    pub connects_burst: u32,
    /// Largest packet either way, in bytes. 64 KiB: a telemetry message of a thousand readings has 20 KB.
    pub packet_bytes: usize,
    /// QoS 1 messages of one device that wait for the disk before its socket is no longer read. 64: more than
    /// three times the window that clients use by default (20), so that one group commit serves a full window.
    pub inflight_per_device: usize,
    /// Messages a second of one device; above it, its socket is read more slowly. 10,000: a hundred times what the
    /// most talkative appliance says, and what a backlog may bring.
    pub messages_per_second: u32,
    /// Their bytes. 4 MiB, for the same reason.
    pub bytes_per_second: u32,
    /// Topic aliases of one device (MQTT 5). 16: a device has six topics, besides its results.
    pub topic_aliases: u16,
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
    /// Longest time that a session outlives its connection. 24 h: an appliance that is unplugged overnight finds its
    /// subscriptions again.
    pub session: Duration,
    /// Logins decided at a time. 16: most take microseconds, and those that hash a password must not keep them all;
    /// how many passwords are hashed at a time is the policy's to bound.
    pub logins: usize,
    /// Filters one client may hold. 16: a device needs two, a dashboard a handful.
    pub filters_per_client: usize,
    /// For messages in flight to be acknowledged when the front shuts down. 5 s: thousands of group commits.
    pub shutdown: Duration,
}

/// No clock of ours counts further; longer waits are cut to this.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

impl Limits {
    /// How long a session goes on that its client wants to outlive the connection by so many seconds.
    pub(super) fn session_for(&self, seconds: u32) -> Duration {
        Duration::from_secs(seconds.into()).min(self.session)
    }

    /// The silence that a keepalive allows: one and a half times (MQTT 3.1.1 and 5, 3.1.2.10), capped by the idle
    /// limit, which is also what 0 means. And the keepalive that a client of MQTT 5 is told if its own is capped.
    pub(super) fn silence_for(&self, keepalive_s: u16) -> (Duration, Option<u16>) {
        let wanted = Duration::from_millis(u64::from(keepalive_s) * 1500);
        if keepalive_s > 0 && wanted <= self.idle {
            return (wanted, None);
        }
        let capped = u16::try_from(self.idle.as_millis() / 1500).unwrap_or(u16::MAX).max(1);
        (self.idle, Some(capped))
    }

    /// Without what could never work: a limit of nothing, or a wait that no clock can count.
    pub(super) fn sane(self) -> Self {
        Self {
            connections: self.connections.clamp(1, Semaphore::MAX_PERMITS),
            inflight_per_device: self.inflight_per_device.clamp(1, MAX_INFLIGHT),
            logins: self.logins.clamp(1, Semaphore::MAX_PERMITS),
            session: self.session.min(LONGEST),
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
            connections_per_address: 12_000,
            connects_per_second: 1_000,
            connects_burst: 12_000,
            packet_bytes: 64 * 1024,
            inflight_per_device: 64,
            messages_per_second: 10_000,
            bytes_per_second: 4 << 20,
            topic_aliases: 16,
            commands_inflight: 16,
            commands_queued: 32,
            handshake: Duration::from_secs(10),
            write: Duration::from_secs(10),
            idle: Duration::from_secs(3600),
            session: Duration::from_secs(24 * 3600),
            logins: 16,
            filters_per_client: 16,
            shutdown: Duration::from_secs(5),
        }
    }
}
