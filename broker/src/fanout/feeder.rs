//! The thread that hands messages to the router, so that nobody else waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use bytes::Bytes;
use rumqttd::local::LinkTx;
use rumqttd::protocol::{Packet, Publish};
use tracing::error;

use super::{FanoutError, route};

/// Messages handed over at a time. 256: the router's thread is woken once for all of them.
const BATCH: usize = 256;

/// Between heartbeats when nothing is published. 1 s: rumqttd, when a link that had work to do detaches, sleeps until
/// its next event though other links have work; this is that event.
const HEARTBEAT: Duration = Duration::from_secs(1);

pub(super) enum Job {
    Publish { route: Bytes, wrapped: Bytes },
    Stop,
}

impl Job {
    pub fn publish(topic: &str, payload: &[u8]) -> Self {
        let wrapped = route::wrap(topic, payload);
        // The topic stands behind its length.
        let route = wrapped.slice(2..2 + route::of(topic).len());
        Self::Publish { route, wrapped }
    }

    /// What it counts against the queue.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Publish { wrapped, .. } => wrapped.len(),
            Self::Stop => 0,
        }
    }
}

pub(super) struct Feeder {
    link: LinkTx,
    queue: Receiver<Job>,
    queued_bytes: Arc<AtomicUsize>,
    stopping: bool,
}

impl Feeder {
    pub fn new(link: LinkTx, queue: Receiver<Job>, queued_bytes: Arc<AtomicUsize>) -> Self {
        Self { link, queue, queued_bytes, stopping: false }
    }

    pub fn run(mut self) {
        while !self.stopping {
            let handed_over = match self.queue.recv_timeout(HEARTBEAT) {
                Ok(Job::Publish { route, wrapped }) => self.hand_over(route, wrapped),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                // Has no topic before its payload, so no subscriber gets it.
                Err(RecvTimeoutError::Timeout) => {
                    self.link.publish("heartbeat", Bytes::new()).map(drop).map_err(FanoutError::from)
                }
            };
            if let Err(reason) = handed_over {
                error!(error = %reason, "the fan-out router is gone; service subscribers get nothing more");
                return;
            }
        }
    }

    /// Hands over one message and what has gathered behind it.
    fn hand_over(&mut self, mut route: Bytes, mut wrapped: Bytes) -> Result<(), FanoutError> {
        for _ in 1..BATCH {
            let (next_route, next) = match self.queue.try_recv() {
                Ok(Job::Publish { route, wrapped }) => (route, wrapped),
                Ok(Job::Stop) => {
                    self.stopping = true;
                    break;
                }
                Err(_) => break,
            };
            self.queued_bytes.fetch_sub(wrapped.len(), Ordering::Relaxed);
            let packet = Packet::Publish(Publish::new(route, wrapped, false), None);
            self.link.buffer().push_back(packet);
            (route, wrapped) = (next_route, next);
        }
        self.queued_bytes.fetch_sub(wrapped.len(), Ordering::Relaxed);
        // This also wakes the router for the ones before.
        self.link.publish(route, wrapped)?;
        Ok(())
    }
}
