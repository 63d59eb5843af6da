//! The thread that hands messages to the router, so that nobody else waits for it, and that replaces a router which
//! has died or fallen silent.
//!
//! The router's queue has a thousand places, and it works them off by the hundred before it looks at its subscribers.
//! So a batch is handed over only when the router has confirmed the last: subscribers get their turn in between, and
//! what waits, waits in our queue, whose bytes are counted. The same confirmation is the router's sign of life.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rumqttd::Notification;
use rumqttd::local::{LinkError, LinkRx, LinkTx};
use rumqttd::protocol::{Packet, PingReq, Publish};
use tracing::{error, info};

use super::router::{Link, Router};
use super::state::Shared;
use super::{FanoutError, route};

/// Messages handed over at a time. 256: a few milliseconds of the router's time.
const BATCH: usize = 256;

/// Between heartbeats when nothing is published. 1 s: rumqttd, when a link that had work to do detaches, sleeps until
/// its next event though other links have work; this is that event.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Looks without a confirmation after which the router counts as silent. 5 looks of a second: a thousand times what
/// it takes. Counted in looks, so that a process that was itself suspended does not take the time for the router's.
const SILENT_LOOKS: u32 = 5;

/// Silent routers left behind, with their thread and up to 128 MB each. 8: what hangs so often hangs for a reason that
/// a further router does not cure, and memory is worth more to the devices than to the service side.
const MAX_LEFT_BEHIND: u32 = 8;

/// For a dead router to be told from one that takes nothing: its end of the channel is closed already.
const CLOSED_WITHIN: Duration = Duration::from_millis(10);

/// How fast routers are watched and replaced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// One look for a confirmation.
    pub look: Duration,
    /// From one rebuild to the next at least; the first comes at once. 10 s: rumqttd has no way to end a router, so
    /// that each silent one leaves a parked thread and its memory behind; what kills routers must not use up the
    /// machine.
    pub between_rebuilds: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { look: Duration::from_secs(1), between_rebuilds: Duration::from_secs(10) }
    }
}

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

/// Why a router is fed no more.
enum End {
    /// The service side has stopped.
    Stopped,
    /// The router's thread has ended.
    Died,
    /// It does not answer.
    Silent,
}

pub(super) struct Feeder {
    shared: Arc<Shared>,
    queue: Receiver<Job>,
    tx: LinkTx,
    rx: LinkRx,
    pace: Pace,
    /// When the router answered last.
    answered: Instant,
    routers: u64,
    next_rebuild: Instant,
    left_behind: u32,
}

impl Feeder {
    pub fn new(shared: Arc<Shared>, queue: Receiver<Job>, (tx, rx): Link, pace: Pace) -> Self {
        let now = Instant::now();
        Self { shared, queue, tx, rx, pace, answered: now, routers: 1, next_rebuild: now, left_behind: 0 }
    }

    /// Feeds one router after the other until the fan-out is stopped, or all its handles are gone.
    pub fn run(mut self) {
        while self.feed_until_lost().is_some() && self.rebuild().is_some() {}
        self.shared.stop();
    }

    /// `None` when the service side has stopped.
    fn feed_until_lost(&mut self) -> Option<()> {
        let end = loop {
            if let Err(end) = self.hand_over() {
                break end;
            }
        };
        match end {
            End::Stopped => return None,
            End::Died => error!("the fan-out router has died; service subscribers wait for a new one"),
            End::Silent => {
                self.left_behind += 1;
                let silent = self.answered.elapsed();
                error!(?silent, "the fan-out router is silent; service subscribers wait for a new one");
            }
        }
        self.shared.give_up(self.answered);
        Some(())
    }

    /// Starts a new router, as soon as that may be; `None` when the service side has stopped.
    fn rebuild(&mut self) -> Option<()> {
        loop {
            if self.left_behind >= MAX_LEFT_BEHIND {
                let left_behind = self.left_behind;
                error!(left_behind, "too many fan-out routers hang; the service side is down until the next start");
            }
            self.rest()?;
            self.next_rebuild = Instant::now() + self.pace.between_rebuilds;
            self.routers += 1;
            match Router::start(self.routers) {
                Ok((router, (tx, rx))) => {
                    info!(after = ?self.answered.elapsed(), "a new fan-out router serves");
                    (self.tx, self.rx, self.answered) = (tx, rx, Instant::now());
                    self.shared.rebuilt(router);
                    return Some(());
                }
                Err(error) => {
                    self.left_behind += u32::from(matches!(error, FanoutError::Silent));
                    error!(%error, "no new fan-out router; the next try follows");
                }
            }
        }
    }

    /// Waits until a router may be built, and drops what was meant for the last.
    fn rest(&mut self) -> Option<()> {
        loop {
            let may_rebuild = self.left_behind < MAX_LEFT_BEHIND;
            let due = self.next_rebuild.saturating_duration_since(Instant::now());
            match self.queue.recv_timeout(if may_rebuild { due } else { HEARTBEAT }) {
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
                Ok(job) => {
                    self.shared.queued_bytes.fetch_sub(job.bytes(), Ordering::Relaxed);
                    self.shared.dropped.router.increment(1);
                }
                Err(RecvTimeoutError::Timeout) if self.shared.is_stopped() => return None,
                Err(RecvTimeoutError::Timeout) if may_rebuild => return Some(()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Hands over a message and what has gathered behind it, or a heartbeat, and waits until the router has it.
    fn hand_over(&mut self) -> Result<(), End> {
        match self.queue.recv_timeout(HEARTBEAT.min(self.pace.look)) {
            Ok(job) => self.push(job)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(End::Stopped),
        }
        for _ in 1..BATCH {
            let Ok(job) = self.queue.try_recv() else { break };
            self.push(job)?;
        }
        if self.shared.is_stopped() {
            return Err(End::Stopped);
        }
        self.tx.buffer().push_back(Packet::PingReq(PingReq));
        // Wakes the router for all of them. Has no topic before its payload, so no subscriber gets it.
        if self.tx.try_publish("heartbeat", Bytes::new()).is_err() {
            return Err(self.dead_or_silent());
        }
        self.wait_for_confirmation()
    }

    /// Puts a message before the router, without waking it.
    fn push(&mut self, job: Job) -> Result<(), End> {
        self.shared.queued_bytes.fetch_sub(job.bytes(), Ordering::Relaxed);
        let Job::Publish { route, wrapped } = job else { return Err(End::Stopped) };
        let packet = Packet::Publish(Publish::new(route, wrapped, false), None);
        self.tx.buffer().push_back(packet);
        Ok(())
    }

    /// The router answers a ping behind everything that came before it.
    fn wait_for_confirmation(&mut self) -> Result<(), End> {
        for _ in 0..SILENT_LOOKS {
            let until = Instant::now() + self.pace.look;
            loop {
                match self.rx.recv_deadline(until) {
                    Ok(Some(Notification::DeviceAck(_))) => {
                        self.answered = Instant::now();
                        return Ok(());
                    }
                    Ok(_) => {}
                    Err(LinkError::RecvTimeout(_)) if Instant::now() >= until => break,
                    Err(_) => return Err(End::Died),
                }
            }
            if self.shared.is_stopped() {
                return Err(End::Stopped);
            }
        }
        Err(End::Silent)
    }

    /// What a router is that takes no events: its queue is closed, or full.
    fn dead_or_silent(&mut self) -> End {
        let until = Instant::now() + CLOSED_WITHIN;
        while self.rx.recv_deadline(until).is_ok() {}
        if Instant::now() < until { End::Died } else { End::Silent }
    }
}
