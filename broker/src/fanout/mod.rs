//! Copies of accepted messages, findings and results for service subscribers, through rumqttd in process.
//!
//! Nothing here is promised to anybody: a subscriber that lags loses messages, and no device, journal or command
//! waits for this side. rumqttd opens no port; only what `filter` lets through reaches its router,
//! which otherwise panics on some inputs and keeps some things for ever. What it would keep per topic and filter is
//! bounded by routes: the router sees topics cut to five levels, the exact match happens here.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use metrics::{Counter, counter};
use rumqttd::local::LinkError;
use rumqttd::{Broker, Config, RouterConfig};
use thiserror::Error;
use tokio::sync::watch;

use crate::filter;

mod feeder;
mod route;
mod subscription;

use feeder::{Feeder, Job};
pub use subscription::FanoutSubscription;

/// Service clients at a time. 64: back offices and dashboards, not people.
const MAX_SUBSCRIPTIONS: usize = 64;

/// Messages that wait for the router. 8,192: some tenths of a second at full load.
const QUEUE_MESSAGES: usize = 8_192;

/// Their bytes. 16 MiB: so that large payloads do not fill the memory before the count is reached.
const QUEUE_BYTES: usize = 16 << 20;

/// rumqttd's log of each filter: two segments of 1 MB. A subscriber that falls further behind skips.
const LOG_SEGMENT_BYTES: usize = 1_000_000;
const LOG_SEGMENTS: usize = 2;

/// Filters that get a log of their own; the router never gives one up. 64 logs are 128 MB at worst; further filters
/// share the log of `#`.
const MAX_LOGS: usize = 64;

/// The service side. Cheap to clone.
#[derive(Clone)]
pub struct Fanout {
    inner: Arc<Inner>,
}

struct Inner {
    broker: Broker,
    jobs: SyncSender<Job>,
    queued_bytes: Arc<AtomicUsize>,
    subscriptions: AtomicUsize,
    /// Names of links that are not in use. The router remembers every name it has seen, so they are used again.
    free_names: Mutex<Vec<usize>>,
    /// Filters that have a log.
    logs: Mutex<HashSet<String>>,
    stopped: watch::Sender<bool>,
    dropped: Dropped,
}

/// Messages that the service side did not get, by reason.
struct Dropped {
    queue: Counter,
    topic: Counter,
    subscriber: Counter,
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
    /// Starts the router; it opens no port.
    ///
    /// # Errors
    /// If its threads cannot be started.
    pub fn start() -> Result<Self, FanoutError> {
        let broker = Broker::new(router_config());
        let (tx, rx) = broker.link("feeder")?;
        let (jobs, queue) = sync_channel(QUEUE_MESSAGES);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let stopped = watch::Sender::new(false);
        let feeder = Feeder { tx, rx, queue, queued_bytes: Arc::clone(&queued_bytes), stopped: stopped.subscribe() };
        std::thread::Builder::new().name("fanout".to_owned()).spawn(move || feeder.run())?;
        let dropped = |reason| counter!("mqtt_fanout_dropped_total", "reason" => reason);
        let inner = Inner {
            broker,
            jobs,
            queued_bytes,
            subscriptions: AtomicUsize::new(0),
            free_names: Mutex::new((0..MAX_SUBSCRIPTIONS).rev().collect()),
            logs: Mutex::new(HashSet::new()),
            stopped,
            dropped: Dropped { queue: dropped("queue"), topic: dropped("topic"), subscriber: dropped("subscriber") },
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Copies a message to whoever subscribed. Never waits: when the service side lags, the message is dropped for
    /// the service side and counted. Levels of the topic beyond the fifth may be as various as they like (ids of
    /// findings, of commands); the first five should be bounded by the number of devices.
    pub fn publish(&self, topic: &str, payload: Bytes) {
        let inner = &*self.inner;
        if inner.subscriptions.load(Ordering::Acquire) == 0 {
            return;
        }
        if !filter::is_topic(topic) {
            return inner.dropped.topic.increment(1);
        }
        let job = Job::publish(topic, &payload);
        let bytes = job.bytes();
        if inner.queued_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > QUEUE_BYTES {
            inner.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return inner.dropped.queue.increment(1);
        }
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = inner.jobs.try_send(job) {
            inner.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            inner.dropped.queue.increment(1);
        }
    }

    /// Subscribes a service client to what is published from now on. Waits for the router's thread: call it on a
    /// blocking thread.
    ///
    /// # Errors
    /// If a filter is malformed, all places are taken, or the router is gone.
    pub fn subscribe(&self, client: &str, filters: &[String]) -> Result<FanoutSubscription, FanoutError> {
        FanoutSubscription::open(&self.inner, client, filters)
    }

    /// Ends all subscriptions and takes no more messages. (rumqttd has no way to end its router thread; it sleeps
    /// until the process ends.)
    pub async fn stop(&self) {
        self.inner.stopped.send_replace(true);
        // If the queue is full, the feeder sees it when the last handle is dropped.
        let _ = self.inner.jobs.try_send(Job::Stop);
    }
}

impl Inner {
    /// What the router is asked for, so that it forwards at least what this filter matches.
    fn log_for(&self, filter: &str) -> String {
        let route = route::of(filter);
        let mut logs = lock(&self.logs);
        if logs.contains(route) || logs.len() < MAX_LOGS {
            logs.insert(route.to_owned());
            return route.to_owned();
        }
        "#".to_owned()
    }
}

impl std::fmt::Debug for Fanout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fanout").field("subscriptions", &self.inner.subscriptions).finish_non_exhaustive()
    }
}

fn router_config() -> Config {
    Config {
        router: RouterConfig {
            max_connections: MAX_SUBSCRIPTIONS + 1,
            max_outgoing_packet_count: 200,
            max_segment_size: LOG_SEGMENT_BYTES,
            max_segment_count: LOG_SEGMENTS,
            ..RouterConfig::default()
        },
        ..Config::default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
