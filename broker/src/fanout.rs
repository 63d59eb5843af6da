//! Copies of accepted messages, findings and results for service subscribers, through rumqttd in process.

use bytes::Bytes;
use thiserror::Error;

/// The service side. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fanout {}

/// What one service client subscribed to. Dropping it ends the subscription.
#[derive(Debug)]
pub struct FanoutSubscription {}

/// A message for a service client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanoutMessage {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Bytes,
}

/// Why the service side does not serve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FanoutError {
    /// The thread that feeds the router did not start.
    #[error("cannot start the fan-out thread: {0}")]
    Thread(#[from] std::io::Error),
    /// Stopped, or the router does not answer.
    #[error("the router takes no client: stopped, or all its places are taken")]
    Refused,
    /// Not a filter that the router may be given.
    #[error("{0:?} is no topic filter: use printable ASCII, '+' and '#' only as whole levels, '#' last")]
    Filter(String),
}

impl Fanout {
    /// Starts the router; it opens no port.
    ///
    /// # Errors
    /// If its threads cannot be started.
    pub fn start() -> Result<Self, FanoutError> {
        Ok(Self {})
    }

    /// Copies a message to whoever subscribed. Never waits: when the service side lags, the message is dropped
    /// for the service side and counted.
    pub fn publish(&self, _topic: &str, _payload: Bytes) {}

    /// Subscribes a service client. May wait for the router: call it on a blocking thread.
    ///
    /// # Errors
    /// If a filter is malformed or the router has no place.
    pub fn subscribe(&self, _client: &str, _filters: &[String]) -> Result<FanoutSubscription, FanoutError> {
        Err(FanoutError::Refused)
    }

    /// Ends all subscriptions.
    pub async fn stop(&self) {}
}

impl FanoutSubscription {
    /// Waits for the next message; `None` when the service side has stopped. Cancel-safe.
    pub async fn recv(&mut self) -> Option<FanoutMessage> {
        None
    }
}
