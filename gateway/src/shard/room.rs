//! All that a shard knows of one device.

use std::collections::BTreeMap;
use std::sync::Arc;

use diagnosis::{ApplianceType, DeviceState, Tried, Verification};
use firmware_proto::{BootId, CommandId, DeviceAddress, DeviceTime, Fence, MessageOrder, ServerTime, Value, ValueMap};
use serde::{Deserialize, Serialize};

use crate::ingest::dedup::Dedup;
use crate::learning::{self, Lessons};
use crate::models::Watches;
use crate::repair::RepairState;

/// How long repairs count against "the same fix never more than twice" and "at most N a day".
pub const WATCH_WINDOW_MS: i64 = 24 * 3_600_000;

/// A value older than this, by the device's time, says nothing about now.
const STALE_MS: i64 = 10 * 60_000;

/// A device's place in the gateway's memory.
#[derive(Debug)]
pub struct Room {
    /// Whose, and which.
    pub address: DeviceAddress,
    /// Its type.
    pub ty: Arc<ApplianceType>,
    /// Its model, as registered.
    pub model: String,
    /// When that was.
    pub registered: ServerTime,
    /// The lessons that `ty` is of.
    pub lessons: u64,
    /// Records before this have been decided upon.
    pub position: u64,
    /// Records before this are in the history.
    pub flushed: u64,
    /// Which messages were taken.
    pub dedup: Dedup,
    /// What it said last.
    pub twin: Twin,
    /// What is stored as one text.
    pub memory: Memory,
    /// Changed since it was written.
    pub dirty: bool,
    /// Messages taken since the last flush.
    pub dedup_dirty: bool,
}

/// What a device said last.
#[derive(Debug, Default)]
pub struct Twin {
    /// Receive time of its last message.
    pub last_seen: ServerTime,
    /// Device time of its last live message.
    pub last_time: DeviceTime,
    /// Its boot.
    pub boot_id: BootId,
    /// Firmware version.
    pub firmware: String,
    /// Version of its configuration.
    pub config_version: u64,
    /// Latest value of each datapoint of the type, with its device time.
    pub readings: Vec<Option<(Value, DeviceTime)>>,
    /// Settings it reported.
    pub reported: ValueMap,
}

/// What is stored of a device besides its twin.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    /// Detectors and latched evidence.
    pub diagnosis: DeviceState,
    /// What learnt models remember.
    #[serde(default)]
    pub watches: Watches,
    /// Datapoint names by alias, from the birth of the current boot.
    pub aliases: BTreeMap<u32, String>,
    /// Highest fence given or reported.
    pub fence: Fence,
    /// Something is amiss but not clear: look at every message.
    pub suspect: bool,
    /// What is wrong with it, once that is decided.
    pub case: Option<Case>,
    /// The one remote action under way.
    pub repairing: Option<Repairing>,
    /// Repairs tried within the watch window, oldest first.
    pub tried: Vec<Attempted>,
    /// When mutating actions were sent without a person.
    pub automatic: Vec<ServerTime>,
}

/// An open finding.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    /// The finding's id.
    pub finding: String,
    /// Its version in the store.
    pub version: i64,
    /// The root cause it names.
    pub cause: String,
    /// Since when nothing has been decided, where nothing is.
    pub undecided_since: ServerTime,
    /// A work order has it.
    pub order: Option<String>,
}

/// A remote action under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Repairing {
    /// The repair's id.
    pub id: String,
    /// Its version in the store.
    pub version: i64,
    /// Which repair of the catalogue.
    pub key: String,
    /// The cause it is to cure.
    pub cause: String,
    /// Where it stands.
    pub state: RepairState,
    /// Since when it stands there.
    pub since: ServerTime,
    /// Planned without a person.
    pub automatic: bool,
    /// How often the device refused it.
    pub refusals: u32,
    /// Not to be sent before this device time.
    pub not_before: DeviceTime,
    /// The command as sent.
    pub command: Option<Sent>,
    /// Judges later telemetry.
    pub verification: Option<Verification>,
    /// Verifications that saw too little.
    pub inconclusive: u32,
}

/// A command that the device may have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sent {
    /// Which.
    pub id: CommandId,
    /// When it was first put out.
    pub at: ServerTime,
    /// Where its final result stands among the device's messages.
    pub result: Option<MessageOrder>,
}

/// A repair that was tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempted {
    /// Which repair of the catalogue.
    pub repair: String,
    /// When it ended.
    pub at: ServerTime,
    /// Later telemetry proved it.
    pub verified: bool,
}

impl Memory {
    /// A device of which nothing is known.
    pub fn new(ty: &ApplianceType) -> Self {
        Self {
            diagnosis: DeviceState::new(ty),
            watches: Watches::default(),
            aliases: BTreeMap::new(),
            fence: Fence(0),
            suspect: false,
            case: None,
            repairing: None,
            tried: Vec::new(),
            automatic: Vec::new(),
        }
    }

    /// Repairs tried lately, as diagnosis wants them.
    pub fn tried_lately(&self, now: ServerTime) -> Vec<Tried> {
        self.tried
            .iter()
            .filter(|tried| now.since_ms(tried.at) < WATCH_WINDOW_MS)
            .map(|tried| Tried { repair: tried.repair.clone(), verified: tried.verified })
            .collect()
    }

    /// Remembers a tried repair and forgets those that no longer count.
    pub fn remember_tried(&mut self, repair: String, verified: bool, now: ServerTime) {
        self.tried.retain(|tried| now.since_ms(tried.at) < WATCH_WINDOW_MS);
        self.tried.push(Attempted { repair, at: now, verified });
    }

    /// Mutating actions sent without a person within the last 24 hours.
    pub fn automatic_today(&self, now: ServerTime) -> usize {
        self.automatic.iter().filter(|at| now.since_ms(**at) < WATCH_WINDOW_MS).count()
    }

    /// Whether time alone may change something.
    pub fn waits_for_time(&self) -> bool {
        self.repairing.is_some() || self.case.as_ref().is_some_and(|case| case.order.is_none())
    }
}

impl Twin {
    /// Takes the readings of a live message.
    pub fn take(&mut self, readings: &[(usize, Value)], time: DeviceTime) {
        self.last_time = time;
        for (index, value) in readings {
            if let Some(latest) = self.readings.get_mut(*index) {
                *latest = Some((value.clone(), time));
            }
        }
    }

    /// A datapoint's value, if it is fresh: stale state is unsafe to act upon.
    pub fn fresh(&self, ty: &ApplianceType, name: &str) -> Option<Value> {
        let (value, time) = self.readings.get(ty.datapoint(name)?)?.as_ref()?;
        (self.last_time.since_ms(*time) <= STALE_MS).then(|| value.clone())
    }
}

impl Room {
    /// Takes up what was learned since. Device states fit: only the numbers of the type change.
    pub fn learn(&mut self, lessons: &Lessons, now: ServerTime) {
        if self.lessons == lessons.number() {
            return;
        }
        self.lessons = lessons.number();
        if let Some(ty) = lessons.of(&self.ty.key, &self.model, learning::years(self.registered, now)) {
            self.ty = ty.clone();
        }
    }

    /// The device's clock now, as far as the gateway can tell.
    pub fn device_now(&self, now: ServerTime) -> DeviceTime {
        self.twin.last_time.plus_ms(now.since_ms(self.twin.last_seen).max(0))
    }
}
