//! Copies of accepted messages, findings and results for service subscribers, through rumqttd in process.
//!
//! Nothing here is promised to anybody: a subscriber that lags loses messages, and no device, journal or command
//! waits for this side. rumqttd opens no port; only what `filter` lets through reaches its router,
//! which otherwise panics on some inputs and keeps some things for ever. What it would keep per topic and filter is
//! bounded by routes: the router sees topics cut to five levels, the exact match happens here.
//!
//! A router that dies or falls silent all the same is replaced by a new one (`feeder`). That ends all subscriptions;
//! their owners make them anew.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use bytes::Bytes;
use rumqttd::local::LinkError;
use thiserror::Error;

use crate::filter;

mod feeder;
mod route;
mod router;
mod state;
mod subscription;
#[cfg(test)]
mod tests;

use feeder::{Feeder, Job, Pace};
use router::{MAX_SUBSCRIPTIONS, Router};
pub use state::FanoutHealth;
use state::{Shared, State};
pub use subscription::FanoutSubscription;

/// Messages that wait for the router. 8,192: some tenths of a second at full load.
const QUEUE_MESSAGES: usize = 8_192;

/// Their bytes. 16 MiB: so that large payloads do not fill the memory before the count is reached.
const QUEUE_BYTES: usize = 16 << 20;

/// The service side. Cheap to clone; when the last clone goes, it stops.
#[derive(Clone)]
pub struct Fanout {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
}

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
    /// A thread did not start.
    #[error("cannot start the fan-out thread: {0}")]
    Thread(#[from] io::Error),
    /// The router is gone, or did not take a request.
    #[error("the router does not answer: {0}")]
    Router(String),
    /// The router hangs, or there is none at the moment.
    #[error("the router does not answer; it is replaced, subscribe again when the service side serves")]
    Silent,
    /// Stopped.
    #[error("the service side has been stopped")]
    Stopped,
    /// No place.
    #[error("{MAX_SUBSCRIPTIONS} service clients are connected already, {0:?} must wait")]
    Full(String),
    /// Not a filter that the router may be given.
    #[error("{0:?} is no topic filter: use printable ASCII, '+' and '#' only as whole levels, '#' last, no '$'")]
    Filter(String),
}

impl From<LinkError> for FanoutError {
    fn from(error: LinkError) -> Self {
        Self::Router(error.to_string())
    }
}

impl Fanout {
    /// Starts the router; it opens no port. Metrics go to the recorder that is installed now.
    ///
    /// # Errors
    /// If its threads cannot be started.
    pub fn start() -> Result<Self, FanoutError> {
        Self::start_at(Pace::default())
    }

    fn start_at(pace: Pace) -> Result<Self, FanoutError> {
        let (router, link) = Router::start(1)?;
        let shared = Arc::new(Shared::new(router));
        let (jobs, queue) = sync_channel(QUEUE_MESSAGES);
        let feeder = Feeder::new(Arc::clone(&shared), queue, link, pace);
        std::thread::Builder::new().name("fanout".to_owned()).spawn(move || feeder.run())?;
        Ok(Self { jobs, shared })
    }

    /// Copies a message to whoever subscribed. Never waits: when the service side lags, or has no router at the
    /// moment, the message is dropped for the service side and counted. Levels of the topic beyond the fifth may be
    /// as various as they like (ids of findings, of commands); the first five should be bounded by the number of
    /// devices.
    pub fn publish(&self, topic: &str, payload: Bytes) {
        let Shared { state, queued_bytes, dropped, .. } = &*self.shared;
        match &*state.borrow() {
            State::Serving(router) if router.subscriptions() == 0 => return,
            State::Serving(_) => {}
            State::Down => return dropped.router.increment(1),
            State::Stopped => return,
        }
        if !filter::is_topic(topic) {
            return dropped.topic.increment(1);
        }
        let job = Job::publish(topic, &payload);
        let bytes = job.bytes();
        if queued_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > QUEUE_BYTES {
            queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return dropped.queue.increment(1);
        }
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.jobs.try_send(job) {
            queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            dropped.queue.increment(1);
        }
    }

    /// Subscribes a service client to what is published from now on. Waits for the router's thread: call it on a
    /// blocking thread.
    ///
    /// # Errors
    /// If a filter is malformed, all places are taken, or the router is gone.
    pub fn subscribe(&self, client: &str, filters: &[String]) -> Result<FanoutSubscription, FanoutError> {
        FanoutSubscription::open(&self.shared, client, filters)
    }

    /// How it is. Cheap.
    pub fn health(&self) -> FanoutHealth {
        self.shared.health()
    }

    /// Waits until subscriptions can be made; for ever, if the service side has been stopped. Cancel-safe.
    pub async fn serves(&self) {
        let mut state = self.shared.state.subscribe();
        if state.wait_for(|state| matches!(state, State::Serving(_))).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends all subscriptions and takes no more messages. (rumqttd has no way to end its router thread; it sleeps
    /// until the process ends.)
    pub async fn stop(&self) {
        self.shared.stop();
        // If the queue is full, the feeder sees it behind its batch.
        let _ = self.jobs.try_send(Job::Stop);
    }
}

impl std::fmt::Debug for Fanout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fanout").field("health", &self.health()).finish_non_exhaustive()
    }
}
