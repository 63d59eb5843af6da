//! What the handles of the service side, its subscriptions and its feeder share.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use metrics::{Counter, Gauge, counter, gauge};
use tokio::sync::watch;

use super::FanoutError;
use super::router::{Router, lock};

/// How the service side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FanoutHealth {
    /// While it does not serve: when its router answered last.
    pub silent_since: Option<Instant>,
    /// How often it has been given a new router.
    pub rebuilt: u64,
}

impl FanoutHealth {
    /// Whether subscribers are served.
    pub fn serving(&self) -> bool {
        self.silent_since.is_none()
    }
}

pub(super) enum State {
    Serving(Arc<Router>),
    /// The last router is given up, and there is no new one yet.
    Down,
    /// For good.
    Stopped,
}

pub(super) struct Shared {
    pub state: watch::Sender<State>,
    /// Of the messages that wait for the router.
    pub queued_bytes: AtomicUsize,
    pub dropped: Dropped,
    health: Mutex<FanoutHealth>,
    rebuilt: Counter,
    serving: Gauge,
}

/// Messages that the service side did not get, by reason.
pub(super) struct Dropped {
    pub queue: Counter,
    pub topic: Counter,
    pub subscriber: Counter,
    pub router: Counter,
}

impl Shared {
    pub fn new(router: Arc<Router>) -> Self {
        let dropped = |reason| counter!("mqtt_fanout_dropped_total", "reason" => reason);
        let shared = Self {
            state: watch::Sender::new(State::Serving(router)),
            queued_bytes: AtomicUsize::new(0),
            dropped: Dropped {
                queue: dropped("queue"),
                topic: dropped("topic"),
                subscriber: dropped("subscriber"),
                router: dropped("router"),
            },
            health: Mutex::new(FanoutHealth { silent_since: None, rebuilt: 0 }),
            rebuilt: counter!("mqtt_fanout_rebuilt_total"),
            serving: gauge!("mqtt_fanout_serving"),
        };
        shared.serving.set(1.0);
        shared
    }

    pub fn health(&self) -> FanoutHealth {
        *lock(&self.health)
    }

    /// The router that serves.
    pub fn router(&self) -> Result<Arc<Router>, FanoutError> {
        match &*self.state.borrow() {
            State::Serving(router) => Ok(Arc::clone(router)),
            State::Down => Err(FanoutError::Silent),
            State::Stopped => Err(FanoutError::Stopped),
        }
    }

    pub fn is_stopped(&self) -> bool {
        matches!(*self.state.borrow(), State::Stopped)
    }

    pub fn stop(&self) {
        self.serving.set(0.0);
        self.state.send_replace(State::Stopped);
    }

    /// The router is given up; it answered last at `answered`. Ends all subscriptions.
    pub fn give_up(&self, answered: Instant) {
        lock(&self.health).silent_since = Some(answered);
        self.serving.set(0.0);
        self.enter(State::Down);
    }

    /// Another router serves.
    pub fn rebuilt(&self, router: Arc<Router>) {
        self.rebuilt.increment(1);
        {
            let mut health = lock(&self.health);
            *health = FanoutHealth { silent_since: None, rebuilt: health.rebuilt + 1 };
        }
        self.serving.set(1.0);
        if !self.enter(State::Serving(router)) {
            self.serving.set(0.0);
        }
    }

    /// Nothing follows a stop.
    fn enter(&self, next: State) -> bool {
        self.state.send_if_modified(|state| {
            let goes_on = !matches!(state, State::Stopped);
            if goes_on {
                *state = next;
            }
            goes_on
        })
    }
}
