//! Rooms on disk: loading, committing what was decided, checkpoints, flushes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use diagnosis::DeviceState;
use firmware_proto::{BootId, DeviceId, DeviceTime, ServerTime, Value, ValueMap};
use serde::{Deserialize, Serialize};

use super::room::{Memory, Room, Twin};
use super::{Outgoing, Shard, ShardError};
use crate::ingest::shard_of;
use crate::models::Voices;
use crate::repair::driver;
use crate::store::changes::{self, Change};
use crate::store::{Store, StoreError, Write, from_json, json};

/// Refused messages after which the reject log is trimmed.
const TRIM_EVERY: u32 = 1_000;

/// A datapoint's latest value, as the twin table has it.
#[derive(Debug, Serialize, Deserialize)]
struct Latest {
    value: Value,
    at_ms: i64,
}

impl Shard {
    /// Makes sure that a device has its room; false if it is not registered.
    pub(super) async fn enter(&mut self, device: &DeviceId) -> Result<bool, ShardError> {
        if self.rooms.contains_key(device) {
            return Ok(true);
        }
        let Some(registered) = self.house.registry.get(device) else { return Ok(false) };
        let Some(ty) = self.house.catalogue.get(&registered.r#type).cloned() else {
            tracing::error!(%device, r#type = registered.r#type, "the catalogue no longer has this device's type");
            return Ok(false);
        };
        let mut room = load(&self.house.store, registered.address.clone(), ty, &self.house.models.voices()).await?;
        if order_is_over(&self.house.store, &room).await? {
            let house = self.house.clone();
            let models = house.models.voices();
            let m = house.moment(&models, house.clock.now(), self.until);
            self.changes.extend(driver::order_ended(&mut room, &m));
            self.touched.insert(device.clone());
        }
        self.rooms.insert(device.clone(), room);
        Ok(true)
    }

    /// Loads the rooms in which something waits for time, so that it does not wait for a message.
    pub(super) async fn load_waiting(&mut self) -> Result<(), ShardError> {
        let devices: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT device FROM finding WHERE state IN ('open', 'repairing') UNION \
             SELECT DISTINCT device FROM repair WHERE state IN ('awaiting_approval', 'queued', 'dispatched', 'accepted', \
             'in_progress', 'verifying', 'outcome_unknown')",
        )
        .fetch_all(self.house.store.read())
        .await
        .map_err(StoreError::from)?;
        let shards = self.house.progress.len();
        for device in devices.iter().filter_map(|id| id.parse::<DeviceId>().ok()) {
            if shard_of(&device, shards) == self.id as usize {
                self.enter(&device).await?;
            }
        }
        Ok(())
    }

    /// Writes what was decided, with the rooms it concerns; then sends.
    pub(super) async fn commit(&mut self) -> Result<(), ShardError> {
        if !self.changes.is_empty() || !self.touched.is_empty() {
            let now = self.house.clock.now();
            let mut write = self.house.store.write().await?;
            for change in &self.changes {
                changes::apply(&mut write, change, now).await?;
            }
            for device in self.touched.drain() {
                if let Some(room) = self.rooms.get_mut(&device) {
                    write_room(&mut write, room).await?;
                }
            }
            write.commit().await.map_err(StoreError::from)?;
            self.hand_out();
        }
        self.send();
        Ok(())
    }

    /// What the committed changes set in motion.
    fn hand_out(&mut self) {
        for change in self.changes.drain(..) {
            match change {
                Change::CommandQueued(command) => self.outgoing.push(Outgoing::Command(command)),
                Change::OrderOpened(order) => {
                    self.house.orders.notify_one();
                    let payload =
                        json(&serde_json::json!({"id": order.id, "device": order.device, "cause": order.cause}));
                    self.outgoing.push(service("work-order", &order.device, payload));
                }
                Change::FindingOpened(finding) => {
                    let payload = json(&serde_json::json!({
                        "id": finding.id, "device": finding.device, "cause": finding.cause, "probability": finding.probability
                    }));
                    self.outgoing.push(service("finding", &finding.device, payload));
                }
                _ => {}
            }
        }
    }

    pub(super) async fn checkpoint_if_due(&mut self) -> Result<(), ShardError> {
        let config = &self.house.config;
        let flush_due = self.flushed.elapsed() >= Duration::from_millis(config.history.flush_ms)
            || self.house.history.pending_rows(self.id) >= config.history.flush_rows;
        if flush_due {
            self.flush().await
        } else if self.checkpointed.elapsed() >= Duration::from_millis(config.ingest.checkpoint_ms) {
            self.checkpoint(None).await
        } else {
            Ok(())
        }
    }

    /// Writes the history, then all that is true at the same position.
    pub(super) async fn flush(&mut self) -> Result<(), ShardError> {
        self.house.history.flush(self.id, self.until, self.house.clock.now()).await?;
        self.checkpoint(Some(self.until)).await?;
        self.flushed = Instant::now();
        self.report_progress(self.until);
        Ok(())
    }

    /// Writes every changed room; `flushed` if the history has been written up to there.
    async fn checkpoint(&mut self, flushed: Option<u64>) -> Result<(), ShardError> {
        let mut write = self.house.store.write().await?;
        for room in self.rooms.values_mut().filter(|room| room.dirty) {
            write_room(&mut write, room).await?;
        }
        if let Some(flushed) = flushed {
            for room in self.rooms.values_mut().filter(|room| room.dedup_dirty) {
                write_dedup(&mut write, room, flushed).await?;
            }
        }
        if self.rejects_since_trim >= TRIM_EVERY {
            changes::trim_rejects(&mut write).await?;
            self.rejects_since_trim = 0;
        }
        sqlx::query(
            "INSERT INTO shard (id, position, flushed) VALUES ($1, $2, COALESCE($3, 0)) ON CONFLICT (id) DO UPDATE \
             SET position = excluded.position, flushed = COALESCE($3, shard.flushed)",
        )
        .bind(i64::from(self.id))
        .bind(self.until as i64)
        .bind(flushed.map(|position| position as i64))
        .execute(&mut *write)
        .await
        .map_err(StoreError::from)?;
        write.commit().await.map_err(StoreError::from)?;
        self.checkpointed = Instant::now();
        Ok(())
    }
}

fn service(what: &str, device: &DeviceId, payload: String) -> Outgoing {
    Outgoing::Service { topic: format!("fettle/v1/{device}/{what}"), payload: payload.into() }
}

async fn load(
    store: &Store,
    address: firmware_proto::DeviceAddress,
    ty: std::sync::Arc<diagnosis::ApplianceType>,
    voices: &Voices,
) -> Result<Room, StoreError> {
    let device = address.device.clone();
    let what = |table: &'static str| {
        let device = device.clone();
        move || format!("{table} of device {device}")
    };
    let state: Option<(i64, String)> = sqlx::query_as("SELECT position, room FROM device_state WHERE device = $1")
        .bind(device.as_str())
        .fetch_optional(store.read())
        .await?;
    let dedup: Option<(i64, String)> = sqlx::query_as("SELECT flushed, ranges FROM device_dedup WHERE device = $1")
        .bind(device.as_str())
        .fetch_optional(store.read())
        .await?;
    let (position, mut memory) = match state {
        Some((position, text)) => (position as u64, read_memory(&ty, &text, what("device_state"))?),
        None => (0, Memory::new(&ty)),
    };
    memory.diagnosis = DeviceState::restore(&ty, memory.diagnosis).into_state();
    memory.watches.keep_known(voices);
    let (flushed, dedup) = match dedup {
        Some((flushed, text)) => (flushed as u64, from_json(what("device_dedup"), &text)?),
        None => Default::default(),
    };
    let twin = load_twin(store, &ty, &device).await?;
    let registered = sqlx::query_as("SELECT model, registered_ms FROM device WHERE id = $1").bind(device.as_str());
    let (model, registered): (String, i64) = registered.fetch_one(store.read()).await?;
    let registered = ServerTime(registered);
    let lessons = 0;
    Ok(Room {
        address,
        ty,
        model,
        registered,
        lessons,
        position,
        flushed,
        dedup,
        twin,
        memory,
        dirty: false,
        dedup_dirty: false,
    })
}

/// Reads a room back. Detector states that an older gateway wrote in another shape begin anew, as they do with
/// another catalogue.
fn read_memory(
    ty: &diagnosis::ApplianceType,
    text: &str,
    what: impl Fn() -> String + Clone,
) -> Result<Memory, StoreError> {
    from_json(what.clone(), text).or_else(|error| {
        let mut stored: serde_json::Value = from_json(what.clone(), text)?;
        let (Some(state), fresh) = (stored.get_mut("diagnosis"), serde_json::to_value(DeviceState::new(ty))) else {
            return Err(error);
        };
        *state = fresh.expect("a state has text keys only, so JSON can hold it");
        from_json(what, &stored.to_string())
    })
}

async fn load_twin(store: &Store, ty: &diagnosis::ApplianceType, device: &DeviceId) -> Result<Twin, StoreError> {
    type Stored = (i64, i64, String, i64, String, String);
    let stored: Option<Stored> = sqlx::query_as(
        "SELECT last_seen_ms, boot_id, firmware, config_version, readings, reported FROM twin WHERE device = $1",
    )
    .bind(device.as_str())
    .fetch_optional(store.read())
    .await?;
    let mut twin = Twin { readings: vec![None; ty.datapoints.len()], ..Twin::default() };
    let Some((last_seen, boot, firmware, config_version, readings, reported)) = stored else { return Ok(twin) };
    let what = || format!("twin of device {device}");
    let readings: BTreeMap<String, Latest> = from_json(what, &readings)?;
    let reported: ValueMap = from_json(what, &reported)?;
    for (name, latest) in readings {
        let time = DeviceTime(latest.at_ms);
        twin.last_time = twin.last_time.max(time);
        if let Some(index) = ty.datapoint(&name) {
            twin.readings[index] = Some((latest.value, time));
        }
    }
    Ok(Twin {
        last_seen: ServerTime(last_seen),
        boot_id: BootId(boot as u64),
        firmware,
        config_version: config_version as u64,
        reported,
        ..twin
    })
}

/// The room waits for a work order that has ended meanwhile.
async fn order_is_over(store: &Store, room: &Room) -> Result<bool, StoreError> {
    let Some(order) = room.memory.case.as_ref().and_then(|case| case.order.as_ref()) else { return Ok(false) };
    let closed: Option<Option<i64>> = sqlx::query_scalar("SELECT closed_ms FROM work_order WHERE id = $1")
        .bind(order)
        .fetch_optional(store.read())
        .await?;
    Ok(closed.flatten().is_some())
}

async fn write_room(write: &mut Write, room: &mut Room) -> Result<(), StoreError> {
    let device = room.address.device.as_str();
    sqlx::query(
        "INSERT INTO device_state (device, position, room) VALUES ($1, $2, $3) \
         ON CONFLICT (device) DO UPDATE SET position = excluded.position, room = excluded.room",
    )
    .bind(device)
    .bind(room.position as i64)
    .bind(json(&room.memory))
    .execute(&mut **write)
    .await?;
    let readings: BTreeMap<&str, Latest> = room
        .ty
        .datapoints
        .iter()
        .zip(&room.twin.readings)
        .filter_map(|(datapoint, latest)| {
            let (value, time) = latest.clone()?;
            Some((datapoint.name.as_str(), Latest { value, at_ms: time.ms() }))
        })
        .collect();
    sqlx::query(
        "INSERT INTO twin (device, last_seen_ms, boot_id, firmware, config_version, readings, reported) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (device) DO UPDATE SET last_seen_ms = excluded.last_seen_ms, \
         boot_id = excluded.boot_id, firmware = excluded.firmware, config_version = excluded.config_version, \
         readings = excluded.readings, reported = excluded.reported",
    )
    .bind(device)
    .bind(room.twin.last_seen.ms())
    .bind(room.twin.boot_id.0 as i64)
    .bind(&room.twin.firmware)
    .bind(room.twin.config_version as i64)
    .bind(json(&readings))
    .bind(json(&room.twin.reported))
    .execute(&mut **write)
    .await?;
    room.dirty = false;
    Ok(())
}

async fn write_dedup(write: &mut Write, room: &mut Room, flushed: u64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO device_dedup (device, flushed, ranges) VALUES ($1, $2, $3) \
         ON CONFLICT (device) DO UPDATE SET flushed = excluded.flushed, ranges = excluded.ranges",
    )
    .bind(room.address.device.as_str())
    .bind(flushed as i64)
    .bind(json(&room.dedup))
    .execute(&mut **write)
    .await?;
    room.flushed = flushed;
    room.dedup_dirty = false;
    Ok(())
}
