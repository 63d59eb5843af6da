//! The thread that hands messages to the router, so that nobody else waits for it.
//!
//! The router's queue has a thousand places, and it works them off by the hundred before it looks at its subscribers.
//! So a batch is handed over only when the router has confirmed the last: subscribers get their turn in between, and
//! what waits, waits in our queue, whose bytes are counted.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rumqttd::Notification;
use rumqttd::local::{LinkError, LinkRx, LinkTx};
use rumqttd::protocol::{Packet, PingReq, Publish};
use tokio::sync::watch;
use tracing::{error, info};

use super::{FanoutError, route};

/// Messages handed over at a time. 256: a few milliseconds of the router's time.
const BATCH: usize = 256;

/// Between heartbeats when nothing is published. 1 s: rumqttd, when a link that had work to do detaches, sleeps until
/// its next event though other links have work; this is that event.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Without a confirmation for so long, the router counts as silent. 5 s: a thousand times what it takes.
const SILENCE: Duration = Duration::from_secs(5);

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
    pub tx: LinkTx,
    pub rx: LinkRx,
    pub queue: Receiver<Job>,
    pub queued_bytes: Arc<AtomicUsize>,
    pub stopped: watch::Receiver<bool>,
}

impl Feeder {
    /// Feeds the router until the fan-out is stopped or the router is gone.
    pub fn run(mut self) {
        loop {
            match self.hand_over() {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return,
                Err(reason) => {
                    error!(error = %reason, "the fan-out router is gone; service subscribers get nothing more");
                    return;
                }
            }
        }
    }

    /// Hands over a message and what has gathered behind it, or a heartbeat, and waits until the router has it.
    fn hand_over(&mut self) -> Result<ControlFlow<()>, FanoutError> {
        let mut flow = match self.queue.recv_timeout(HEARTBEAT) {
            Ok(job) => self.push(job),
            Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(()),
            Err(RecvTimeoutError::Disconnected) => return Ok(ControlFlow::Break(())),
        };
        for _ in 1..BATCH {
            let (ControlFlow::Continue(()), Ok(job)) = (flow, self.queue.try_recv()) else { break };
            flow = self.push(job);
        }
        self.tx.buffer().push_back(Packet::PingReq(PingReq));
        // Wakes the router for all of them. Has no topic before its payload, so no subscriber gets it.
        self.tx.publish("heartbeat", Bytes::new())?;
        match flow {
            ControlFlow::Continue(()) => self.wait_for_confirmation(),
            ControlFlow::Break(()) => Ok(flow),
        }
    }

    /// Puts a message before the router, without waking it.
    fn push(&mut self, job: Job) -> ControlFlow<()> {
        self.queued_bytes.fetch_sub(job.bytes(), Ordering::Relaxed);
        let Job::Publish { route, wrapped } = job else { return ControlFlow::Break(()) };
        let packet = Packet::Publish(Publish::new(route, wrapped, false), None);
        self.tx.buffer().push_back(packet);
        ControlFlow::Continue(())
    }

    /// The router answers a ping behind everything that came before it.
    fn wait_for_confirmation(&mut self) -> Result<ControlFlow<()>, FanoutError> {
        let began = Instant::now();
        let mut silent = false;
        loop {
            let asked = Instant::now();
            match self.rx.recv_deadline(asked + SILENCE) {
                Ok(Some(Notification::DeviceAck(_))) => break,
                Ok(_) => {}
                Err(LinkError::RecvTimeout(reason)) if asked.elapsed() >= SILENCE => {
                    if *self.stopped.borrow() {
                        return Ok(ControlFlow::Break(()));
                    }
                    if !silent {
                        error!(error = %reason, "the fan-out router is silent; service subscribers get nothing");
                        silent = true;
                    }
                }
                Err(gone) => return Err(gone.into()),
            }
        }
        if silent {
            info!(after = ?began.elapsed(), "the fan-out router answers again");
        }
        Ok(ControlFlow::Continue(()))
    }
}
