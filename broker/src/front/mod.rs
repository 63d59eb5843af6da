//! The MQTT 3.1.1 listener.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use firmware_proto::{DeviceAddress, DeviceId, ServerTime};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::fanout::Fanout;
use crate::journal::Journal;

mod limits;
mod policy;

pub use limits::Limits;
pub use policy::{Credentials, Denied, Identity, Policy};

/// Where to listen, and how much to take.
#[derive(Debug, Clone)]
pub struct FrontConfig {
    /// Address to bind; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The limits.
    pub limits: Limits,
}

/// A device came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// It has subscribed to all its commands: they can be sent.
    Online(DeviceAddress),
    /// Its connection is fully gone. Always preceded by `Online`.
    Offline(DeviceAddress),
}

/// Why the front did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrontError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}; choose a free port, or 0")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why a message was not handed to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// No connection.
    #[error("the device is not connected")]
    NotConnected,
    /// Connected, but nothing it subscribed to covers the topic.
    #[error("the device has not subscribed to this topic")]
    NotSubscribed,
    /// Too many messages wait for it already; try again when it has taken some.
    #[error("too many messages wait for the device already")]
    Busy,
    /// Larger than [`Limits::packet_bytes`].
    #[error("the message is larger than a packet may be")]
    TooLarge,
}

/// The running listener.
#[derive(Debug)]
pub struct Front {
    local_addr: SocketAddr,
}

/// Sends messages to connected devices. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Downlinks {}

impl Front {
    /// Binds and starts to accept. `sessions` must be drained: a full channel holds connections up.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(
        config: FrontConfig,
        _policy: Arc<dyn Policy>,
        _journal: Journal,
        _clock: Arc<dyn Fn() -> ServerTime + Send + Sync>,
        _fanout: Fanout,
        _sessions: mpsc::Sender<SessionEvent>,
    ) -> Result<Self, FrontError> {
        Ok(Self { local_addr: config.listen })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The way to the devices.
    pub fn downlink(&self) -> Downlinks {
        Downlinks {}
    }

    /// Stops accepting and reading, acknowledges what is in flight within [`Limits::shutdown`], closes.
    pub async fn shutdown(self) {}
}

impl Downlinks {
    /// Hands a message to the device's connection, with QoS 1 if the device subscribed so. Never waits.
    ///
    /// `Ok` means that it will be written; whether the device acted on it only its result says.
    ///
    /// # Errors
    /// Why it will not be written.
    pub fn send(&self, _device: &DeviceId, _topic: String, _payload: Bytes) -> Result<(), SendError> {
        Err(SendError::NotConnected)
    }

    /// Whether the device is connected and has subscribed to its commands.
    pub fn is_online(&self, _device: &DeviceId) -> bool {
        false
    }

    /// How many devices are.
    pub fn online_count(&self) -> usize {
        0
    }
}
