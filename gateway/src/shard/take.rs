//! One record: decode, check, deduplicate, remember, observe, decide.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use broker::Record;
use firmware_proto::{
    Birth, DeviceTime, Downlink, Encoding, Event, Reading, Rejection, Severity, Stamp, State, Topic, Uplink,
    UplinkKind, Value, decode, encode,
};

use super::room::Room;
use super::{House, Outgoing, Shard, ShardError};
use crate::history::{DeviceRow, Row};
use crate::ingest::check::{self, Refusal};
use crate::ingest::dedup::Taken;
use crate::models::Voices;
use crate::repair::driver::{self, Moment};
use crate::store::changes::Change;

/// How much of a refused payload the reject log keeps, in bytes.
const REJECT_HEAD: usize = 1_024;

/// What a record led to.
#[derive(Debug, Default)]
struct Taking {
    changes: Vec<Change>,
    refusals: Vec<Refusal>,
    row: Option<DeviceRow>,
    accepted: bool,
}

impl Shard {
    /// Takes a batch; nothing is written or sent yet.
    pub(super) async fn take(&mut self, records: Vec<Record>, until: u64) -> Result<(), ShardError> {
        self.house.tally.messages.fetch_add(records.len() as u64, Ordering::Relaxed);
        let mut rows = Vec::with_capacity(records.len());
        let models = self.house.models.voices();
        let lessons = self.house.learning.lessons();
        for record in records {
            let device = &record.address.device;
            if !self.enter(device).await? {
                let refusal = refusal("device", "device", format!("device {device} is not registered"));
                self.refuse(&record, vec![refusal]);
                continue;
            }
            let Some(room) = self.rooms.get_mut(device) else { continue };
            // The front sees to this; the access list of a cluster may not.
            if room.address != record.address {
                let refusal =
                    refusal("tenant", "tenant", format!("device {device} is not of {}", record.address.tenant));
                self.refuse(&record, vec![refusal]);
                continue;
            }
            if record.position.0 < room.flushed {
                continue;
            }
            room.learn(&lessons, record.received);
            let undecided = record.position.0 >= room.position;
            let taking = take_safely(&self.house, &models, room, &record, undecided);
            room.position = room.position.max(record.position.0 + 1);
            room.dirty = true;
            room.dedup_dirty = true;
            rows.extend(taking.row);
            if undecided {
                self.keep(&record, taking.changes, taking.refusals, taking.accepted);
            }
        }
        metrics::counter!("history_rows_total").increment(rows.len() as u64);
        self.house.history.push(self.id, rows);
        self.until = self.until.max(until);
        self.house.tally.taken.fetch_max(until, Ordering::Relaxed);
        Ok(())
    }

    fn keep(&mut self, record: &Record, changes: Vec<Change>, refusals: Vec<Refusal>, accepted: bool) {
        if !changes.is_empty() {
            self.touched.insert(record.address.device.clone());
            self.changes.extend(changes);
        }
        if accepted {
            let topic = record.address.topic(&Topic::Up(record.kind.clone()));
            self.outgoing.push(Outgoing::Service { topic, payload: record.payload.clone() });
        }
        if !refusals.is_empty() {
            self.refuse(record, refusals);
        }
    }

    /// Tells the sender, the metrics and the reject log.
    fn refuse(&mut self, record: &Record, refusals: Vec<Refusal>) {
        self.house.tally.rejected.fetch_add(1, Ordering::Relaxed);
        let head = &record.payload[..record.payload.len().min(REJECT_HEAD)];
        let head = String::from_utf8_lossy(head).into_owned();
        let encoding = Encoding::of(&record.payload);
        for refusal in refusals {
            metrics::counter!("messages_rejected_total", "reason" => refusal.kind).increment(1);
            self.rejects_since_trim += 1;
            let rejection =
                Rejection { seq: refusal.seq, field: refusal.field.clone(), reason: refusal.reason.clone() };
            self.outgoing.push(Outgoing::Downlink {
                device: record.address.device.clone(),
                topic: record.address.topic(&Topic::Error),
                payload: encode(&Downlink::Rejection(rejection), encoding).into(),
            });
            self.changes.push(Change::Rejected {
                position: record.position.0,
                at: record.received,
                device: record.address.device.to_string(),
                channel: record.kind.to_string(),
                field: refusal.field,
                reason: refusal.reason,
                head: head.clone(),
            });
        }
        self.touched.insert(record.address.device.clone());
    }
}

/// A message that panics us is refused like any other bad one; the rest goes on.
fn take_safely(house: &Arc<House>, models: &Voices, room: &mut Room, record: &Record, undecided: bool) -> Taking {
    catch_unwind(AssertUnwindSafe(|| take_one(house, models, room, record, undecided))).unwrap_or_else(|_| {
        tracing::error!(device = %room.address, position = record.position.0, "a message could not be digested; it is in the reject log");
        let reason = "the gateway failed on this message; its maintainers need it".to_owned();
        Taking { refusals: vec![refusal("bug", "payload", reason)], ..Taking::default() }
    })
}

fn take_one(house: &House, models: &Voices, room: &mut Room, record: &Record, undecided: bool) -> Taking {
    metrics::counter!("messages_total", "channel" => channel(&record.kind)).increment(1);
    let uplink = match decode(&record.kind, &record.payload) {
        Ok(uplink) => uplink,
        Err(error) => {
            let refusal = Refusal { seq: None, kind: "payload", field: error.field, reason: error.reason };
            return Taking { refusals: vec![refusal], ..Taking::default() };
        }
    };
    match uplink.stamp().and_then(Stamp::order).map(|order| room.dedup.take(order)) {
        Some(Taken::Duplicate) => {
            metrics::counter!("messages_duplicate_total").increment(1);
            return Taking::default();
        }
        Some(Taken::TooOld) => {
            let reason = "too far behind the device's later messages to be told from a duplicate".to_owned();
            return Taking { refusals: vec![refusal("late", "seq", reason)], ..Taking::default() };
        }
        Some(Taken::New) | None => {}
    }
    let m = house.moment(models, record.received, record.position.0);
    if undecided {
        room.twin.last_seen = room.twin.last_seen.max(record.received);
        if let Some(stamp) = uplink.stamp() {
            room.twin.boot_id = room.twin.boot_id.max(stamp.boot_id);
        }
    }
    let mut taking = match uplink {
        Uplink::Telemetry(message) => {
            take_readings(house, room, record, &message.stamp, message.readings, undecided, &m)
        }
        Uplink::Event(message) => take_event(house, room, record, message, undecided, &m),
        _ if !undecided => Taking::default(),
        Uplink::State(message) => take_state(room, message),
        Uplink::Birth(message) => take_birth(room, message),
        Uplink::Result(result) => Taking { changes: driver::on_result(room, &result, &m), ..Taking::default() },
        Uplink::Death => Taking::default(),
    };
    taking.accepted = taking.row.is_some() || taking.refusals.is_empty();
    taking
}

fn take_readings(
    house: &House,
    room: &mut Room,
    record: &Record,
    stamp: &Stamp,
    readings: Vec<Reading>,
    undecided: bool,
    m: &Moment<'_>,
) -> Taking {
    let tolerance_ms = house.config.ingest.future_tolerance_s as i64 * 1_000;
    let time = match check::time(stamp, record.received, tolerance_ms) {
        Ok(time) => time,
        Err(refusal) => return Taking { refusals: vec![refusal], ..Taking::default() },
    };
    let (accepted, refusals) = check::readings(&room.ty, &room.memory.aliases, stamp.seq, readings);
    // A message without readings is a row too: that nothing was measured is part of the story.
    let row = (!accepted.is_empty() || refusals.is_empty()).then(|| history_row(room, record, stamp, time, &accepted));
    let live = undecided && !stamp.is_historical && !accepted.is_empty();
    let changes = if live { driver::look(room, stamp, time, &accepted, m) } else { Vec::new() };
    Taking { changes, refusals, row, accepted: false }
}

fn take_event(
    house: &House,
    room: &mut Room,
    record: &Record,
    event: Event,
    undecided: bool,
    m: &Moment<'_>,
) -> Taking {
    let mut taking = take_readings(house, room, record, &event.stamp, event.readings, undecided, m);
    if undecided && taking.refusals.is_empty() {
        taking.changes.push(Change::Event {
            device: room.address.device.clone(),
            position: record.position.0,
            at: record.received,
            code: event.code,
            severity: match event.severity {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Error => "error",
            },
            text: event.text,
        });
    }
    taking
}

fn take_state(room: &mut Room, state: State) -> Taking {
    room.twin.config_version = state.config_version;
    room.twin.reported.extend(state.reported);
    Taking::default()
}

fn take_birth(room: &mut Room, birth: Birth) -> Taking {
    room.memory.aliases = birth.aliases.into_iter().map(|(name, alias)| (alias, name)).collect();
    room.memory.fence = room.memory.fence.max(birth.fence);
    room.twin.firmware = birth.firmware;
    Taking::default()
}

fn history_row(
    room: &Room,
    record: &Record,
    stamp: &Stamp,
    time: DeviceTime,
    readings: &[(usize, Value)],
) -> DeviceRow {
    DeviceRow {
        device: room.address.device.clone(),
        r#type: room.ty.key.as_str().into(),
        row: Row {
            time,
            received: record.received,
            order: stamp.order(),
            position: record.position.0,
            readings: readings
                .iter()
                .map(|(index, value)| (room.ty.datapoints[*index].name.clone(), value.clone()))
                .collect(),
        },
    }
}

fn refusal(kind: &'static str, field: &str, reason: String) -> Refusal {
    Refusal { seq: None, kind, field: field.to_owned(), reason }
}

fn channel(kind: &UplinkKind) -> &'static str {
    match kind {
        UplinkKind::Telemetry => "tlm",
        UplinkKind::Event => "evt",
        UplinkKind::State => "state",
        UplinkKind::Birth => "birth",
        UplinkKind::Result(_) => "cmd/rsp",
        UplinkKind::Death => "death",
    }
}
