//! Messages to devices, whichever way they are connected.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use firmware_proto::DeviceId;
use thiserror::Error;

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
    /// Larger than [`Limits::packet_bytes`](crate::Limits::packet_bytes), or than the device takes.
    #[error("the message is larger than a packet may be")]
    TooLarge,
}

/// A message on its way to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceMessage {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Bytes,
    /// After this it is not sent any more; a client of MQTT 5 is told how long it holds.
    pub expires: Option<Instant>,
    /// Where the device answers, for a client of MQTT 5: response topic and correlation data.
    pub answer: Option<(String, Bytes)>,
}

impl DeviceMessage {
    /// A message that does not expire and asks for no answer.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), expires: None, answer: None }
    }
}

/// One way to reach devices.
pub(crate) trait Downlink: Send + Sync {
    fn send(&self, device: &DeviceId, message: DeviceMessage) -> Result<(), SendError>;
    fn is_online(&self, device: &DeviceId) -> bool;
    fn online_count(&self) -> usize;
    fn disconnect(&self, device: &DeviceId);
    fn disconnect_account(&self, name: &str);
}

/// Sends messages to connected devices. Cheap to clone.
#[derive(Clone)]
pub struct Downlinks(Arc<dyn Downlink>);

impl Downlinks {
    pub(crate) fn new(way: impl Downlink + 'static) -> Self {
        Self(Arc::new(way))
    }

    /// Hands a message to the device's connection, with QoS 1 if the device subscribed so. Never waits. Messages to
    /// one device are written in the order in which they were handed over.
    ///
    /// `Ok` means that it will be written if the connection lasts; whether the device acted on it, only its result
    /// says.
    ///
    /// # Errors
    /// Why it will not be written.
    pub fn send(&self, device: &DeviceId, message: DeviceMessage) -> Result<(), SendError> {
        self.0.send(device, message)
    }

    /// Whether the device is connected and has subscribed to its commands.
    pub fn is_online(&self, device: &DeviceId) -> bool {
        self.0.is_online(device)
    }

    /// How many devices are.
    pub fn online_count(&self) -> usize {
        self.0.online_count()
    }

    /// Ends the device's connection, because it may not be here any more. It is asked who it is when it comes back.
    pub fn disconnect(&self, device: &DeviceId) {
        self.0.disconnect(device);
    }

    /// The same for all connections of a service account.
    pub fn disconnect_account(&self, name: &str) {
        self.0.disconnect_account(name);
    }
}

impl std::fmt::Debug for Downlinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Downlinks").field("online", &self.online_count()).finish_non_exhaustive()
    }
}
