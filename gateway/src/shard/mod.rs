//! A shard: one task that owns the rooms of its devices, so that nothing is locked.
//!
//! For each batch of the journal: take every record into its room, decide, write what
//! was decided with the rooms it concerns in one transaction, and only then send.
//! Rooms in which nothing was decided are written at checkpoints. Each room knows the
//! position up to which it is true, so a replay decides nothing twice.

mod keep;
pub mod room;
mod take;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broker::{Consumer, DeviceMessage, Downlinks, EdgeWatch, Fanout, Journal, JournalError, Position, Record};
use bytes::Bytes;
use diagnosis::Catalogue;
use firmware_proto::{DeviceId, ServerTime};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::config::Config;
use crate::history::{HistoryError, HistoryStore};
use crate::learning::Learning;
use crate::models::{Models, Voices};
use crate::outbox;
use crate::registry::Registry;
use crate::repair::driver::{self, Moment};
use crate::store::changes::{Change, QueuedCommand};
use crate::store::{Store, StoreError};
use room::Room;

/// How often a shard looks at what time alone changes.
const TICK: Duration = Duration::from_millis(100);

/// Batches that wait for a shard; more push back on the journal's reader.
pub const INBOX: usize = 4;

/// Records behind the journal's end above which time decides nothing: more than the inboxes
/// hold in full flow, so that it means catching up.
const BACKLOG: u64 = 16 * 1_024;

/// Why a shard stopped. The gateway stops with it: what it cannot write it must not forget.
#[derive(Debug, Error)]
pub enum ShardError {
    /// State could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// History could not be written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The journal broke.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What all shards share.
#[derive(Debug)]
pub struct House {
    /// Settings.
    pub config: Config,
    /// Time.
    pub clock: Clock,
    /// Appliance knowledge.
    pub catalogue: Catalogue,
    /// Learnt models.
    pub models: Models,
    /// What closed cases teach.
    pub learning: Learning,
    /// Known devices.
    pub registry: Registry,
    /// State.
    pub store: Store,
    /// Readings of the past.
    pub history: HistoryStore,
    /// Acknowledged messages.
    pub journal: Journal,
    /// Keeps them until every shard has them on disk.
    pub consumer: Consumer,
    /// The way to the devices.
    pub downlinks: Downlinks,
    /// How devices reach the gateway, and how that is.
    pub edge: EdgeWatch,
    /// The way to service subscribers.
    pub fanout: Fanout,
    /// Wakes the dispatcher when a work order was opened.
    pub orders: tokio::sync::Notify,
    /// When this process began to listen.
    pub up_since: ServerTime,
    /// Up to where each shard is on disk.
    pub progress: Vec<AtomicU64>,
    /// What was taken since the start.
    pub tally: Tally,
}

/// Messages since the start.
#[derive(Debug, Default)]
pub struct Tally {
    messages: AtomicU64,
    rejected: AtomicU64,
    taken: AtomicU64,
}

impl Tally {
    /// Messages taken from the journal.
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Messages of which something was refused.
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// Journal position up to which batches were taken.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

impl House {
    /// A moment to decide in.
    pub fn moment<'a>(&'a self, models: &'a Voices, now: ServerTime, position: u64) -> Moment<'a> {
        Moment { now, up_since: self.up_since, position, limits: &self.config.repair, models }
    }
}

/// What a shard is told.
#[derive(Debug)]
pub enum ToShard {
    /// Its share of a batch; it has then seen everything before `until`.
    Records {
        /// In journal order.
        records: Vec<Record>,
        /// Position after the batch.
        until: u64,
    },
    /// A person wants something of a device.
    Ask {
        /// Which device.
        device: DeviceId,
        /// What.
        ask: Ask,
        /// The answer: an id, or why not.
        reply: oneshot::Sender<Result<String, String>>,
    },
}

/// What a person wants of a device.
#[derive(Debug)]
pub enum Ask {
    /// Begin this repair of the catalogue.
    Issue {
        /// Its key.
        repair: String,
        /// Who asks.
        actor: String,
    },
    /// Approve the repair that waits.
    Approve {
        /// Its id.
        repair: String,
        /// Who approves.
        actor: String,
    },
    /// Call off the repair that waits.
    Cancel {
        /// Its id.
        repair: String,
        /// Who calls it off.
        actor: String,
    },
    /// The device's work order has ended in the store.
    OrderEnded,
}

/// What happens after a commit.
#[derive(Debug)]
enum Outgoing {
    Command(QueuedCommand),
    Downlink { device: DeviceId, topic: String, payload: Bytes },
    Service { topic: String, payload: Bytes },
}

/// One shard.
#[derive(Debug)]
pub struct Shard {
    id: u32,
    house: Arc<House>,
    rooms: HashMap<DeviceId, Room>,
    /// Records before this have been taken.
    until: u64,
    changes: Vec<Change>,
    touched: HashSet<DeviceId>,
    outgoing: Vec<Outgoing>,
    checkpointed: Instant,
    flushed: Instant,
    rejects_since_trim: u32,
}

impl Shard {
    /// A shard that will take records from `from` on.
    pub fn new(id: u32, house: Arc<House>, from: Position) -> Self {
        Self {
            id,
            house,
            rooms: HashMap::new(),
            until: from.0,
            changes: Vec::new(),
            touched: HashSet::new(),
            outgoing: Vec::new(),
            checkpointed: Instant::now(),
            flushed: Instant::now(),
            rejects_since_trim: 0,
        }
    }

    /// Works until the inbox is closed; then everything is on disk.
    ///
    /// # Errors
    /// When something could not be written.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<ToShard>) -> Result<(), ShardError> {
        self.load_waiting().await?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(ToShard::Records { records, until }) => self.take(records, until).await?,
                    Some(ToShard::Ask { device, ask, reply }) => {
                        let answer = self.answer(&device, ask).await?;
                        self.commit().await?;
                        // Whoever asked may have gone; what was decided stands.
                        let _ = reply.send(answer);
                    }
                    None => break,
                },
                _ = tick.tick() => self.look_at_time(),
            }
            self.commit().await?;
            self.checkpoint_if_due().await?;
        }
        self.flush().await
    }

    fn look_at_time(&mut self) {
        let house = self.house.clone();
        // What waits in the journal comes first: it may be the answer.
        if house.journal.end().0 > self.until + BACKLOG {
            return;
        }
        let models = house.models.voices();
        let lessons = house.learning.lessons();
        let m = house.moment(&models, house.clock.now(), self.until);
        for (device, room) in &mut self.rooms {
            if !room.memory.waits_for_time() {
                continue;
            }
            room.learn(&lessons, m.now);
            let changes = driver::on_time(room, &m);
            if !changes.is_empty() {
                self.changes.extend(changes);
                self.touched.insert(device.clone());
            }
        }
    }

    async fn answer(&mut self, device: &DeviceId, ask: Ask) -> Result<Result<String, String>, ShardError> {
        if !self.enter(device).await? {
            return Ok(Err(format!("device {device} is not registered")));
        }
        let house = self.house.clone();
        let models = house.models.voices();
        let m = house.moment(&models, house.clock.now(), self.until);
        let Some(room) = self.rooms.get_mut(device) else { return Ok(Err("the device has no room".into())) };
        room.learn(&house.learning.lessons(), m.now);
        let under_way = room.memory.repairing.as_ref().map(|repairing| repairing.id.clone());
        let (id, changes) = match ask {
            Ask::Issue { repair, actor } => match driver::issue(room, &repair, &actor, &m) {
                Ok(issued) => issued,
                Err(reason) => return Ok(Err(reason)),
            },
            Ask::Approve { repair, .. } | Ask::Cancel { repair, .. } if under_way.as_ref() != Some(&repair) => {
                return Ok(Err(format!("repair {repair} is not under way")));
            }
            Ask::Approve { repair, actor } => (repair, driver::approve(room, &actor, &m)),
            Ask::Cancel { repair, actor } => (repair, driver::cancel(room, &actor, &m)),
            Ask::OrderEnded => (String::new(), driver::order_ended(room, &m)),
        };
        if changes.is_empty() && !id.is_empty() {
            return Ok(Err(format!("repair {id} is past that")));
        }
        self.changes.extend(changes);
        self.touched.insert(device.clone());
        Ok(Ok(id))
    }

    /// Sends what the last commit decided.
    fn send(&mut self) {
        for outgoing in self.outgoing.drain(..) {
            match outgoing {
                Outgoing::Command(command) => {
                    // Not connected or busy: the outbox has it, and it is sent when the device is back.
                    let message = outbox::command(&self.house.clock, command.topic, command.payload, command.expires);
                    if let Err(error) = self.house.downlinks.send(&command.device, message) {
                        tracing::debug!(device = %command.device, command = command.command_id, %error, "command waits");
                    }
                }
                Outgoing::Downlink { device, topic, payload } => {
                    // A courtesy to the sender; the reject log has it.
                    let _ = self.house.downlinks.send(&device, DeviceMessage::new(topic, payload));
                }
                Outgoing::Service { topic, payload } => self.house.fanout.publish(&topic, payload),
            }
        }
    }

    fn report_progress(&self, on_disk: u64) {
        self.house.progress[self.id as usize].store(on_disk, Ordering::Release);
        let slowest = self.house.progress.iter().map(|position| position.load(Ordering::Acquire)).min().unwrap_or(0);
        self.house.consumer.release(Position(slowest));
    }
}
