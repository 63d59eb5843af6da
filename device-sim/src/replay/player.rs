//! One recording behind its connection.

use std::fs::File;
use std::io::BufReader;
use std::time::{Duration, Instant};

use firmware_proto::{DeviceTime, Encoding, Seq, Stamp, Telemetry, Topic, Uplink};
use tokio::sync::watch;

use super::rows::{BadRow, RecordingError, Row, Rows};
use super::{Recording, RecordingReport, ReplayConfig, rows};
use crate::link::{LinkOptions, MAX_IN_FLIGHT, Message, Next, Occupant, Outbox, keep_up};

/// Rows kept ready beyond those in flight.
const READ_AHEAD: usize = 2 * MAX_IN_FLIGHT;
/// A broker that stays away longer (wall time) has gone: a restart takes seconds.
const GIVE_UP_AFTER: Duration = Duration::from_secs(120);

pub(super) struct Player {
    rows: Rows<BufReader<File>>,
    next: Option<Row>,
    over: bool,
    stamp: Stamp,
    encoding: Encoding,
    speed: f64,
    /// Wall time and recorded time of the first row.
    begun: Option<(Instant, DeviceTime)>,
    away_since: Option<Instant>,
    now: DeviceTime,
    sent: u64,
    skipped: Vec<BadRow>,
    rejections: u64,
    trouble: Option<String>,
}

impl Player {
    /// Publishes a recording to its end.
    pub async fn play(
        config: &ReplayConfig,
        recording: Recording,
        stop: watch::Receiver<bool>,
    ) -> Result<RecordingReport, RecordingError> {
        let boot_id = config.boot_id.unwrap_or(config.mapping.boot_id);
        let mut player = Self {
            rows: rows::open(&recording.path, &config.mapping)?,
            next: None,
            over: false,
            stamp: Stamp { boot_id, is_historical: config.is_historical, ..Stamp::default() },
            encoding: config.encoding,
            speed: config.speed,
            begun: None,
            away_since: Some(Instant::now()),
            now: DeviceTime(0),
            sent: 0,
            skipped: Vec::new(),
            rejections: 0,
            trouble: None,
        };
        let options = LinkOptions {
            broker: config.broker,
            address: recording.address.clone(),
            token: recording.token,
            takes_commands: false,
        };
        let left_in_peace = keep_up(options, &mut player, stop).await;
        let unsent = !player.over || !left_in_peace;
        Ok(RecordingReport {
            path: recording.path,
            device: recording.address.device,
            rows_sent: player.sent,
            rows_skipped: player.skipped,
            rejections: player.rejections,
            incomplete: player.trouble.or_else(|| unsent.then(|| "stopped before its end".to_owned())),
        })
    }

    /// The next good row, kept until it is due.
    fn peek(&mut self) -> Option<&Row> {
        while self.next.is_none() && !self.over {
            match self.rows.read() {
                None => self.over = true,
                Some(Ok(Ok(row))) => self.next = Some(row),
                Some(Ok(Err(bad))) => self.skipped.push(bad),
                Some(Err(error)) => {
                    self.over = true;
                    self.trouble = Some(format!("cannot be read on: {error}"));
                }
            }
        }
        self.next.as_ref()
    }

    /// Wall time until a row is due; none if it is.
    fn wait_for(&mut self, row_time: DeviceTime) -> Option<Duration> {
        let (begun, first) = *self.begun.get_or_insert_with(|| (Instant::now(), row_time));
        if self.speed <= 0.0 {
            return None;
        }
        let recorded_s = row_time.since_ms(first).max(0) as f64 / 1000.0;
        let due = Duration::try_from_secs_f64(recorded_s / self.speed).unwrap_or(Duration::MAX);
        due.checked_sub(begun.elapsed()).filter(|wait| !wait.is_zero())
    }

    fn message(&self, row: Row) -> Message {
        let stamp = Stamp { seq: Some(Seq(row.number)), device_time_ms: Some(row.time), ..self.stamp };
        Message::new(&Uplink::Telemetry(Telemetry { stamp, readings: row.readings }), self.encoding)
    }
}

impl Occupant for Player {
    fn live(&mut self, outbox: &mut Outbox, connected: bool) -> Next {
        if !connected && self.begun.is_none() {
            return Next::WhenSomethingHappens;
        }
        while outbox.len() < READ_AHEAD {
            let Some(time) = self.peek().map(|row| row.time) else { return Next::Done };
            if let Some(wait) = self.wait_for(time) {
                return Next::After(wait);
            }
            if let Some(row) = self.next.take() {
                self.now = row.time;
                outbox.push(self.message(row));
            }
        }
        Next::WhenSomethingHappens
    }

    fn hear(&mut self, topic: &Topic, payload: &[u8], _outbox: &mut Outbox, _connected: bool) {
        if *topic == Topic::Error {
            self.rejections += 1;
            tracing::warn!(rejection = %String::from_utf8_lossy(payload), "a row was not accepted");
        }
    }

    fn connected(&mut self) {
        self.away_since = None;
    }

    fn acknowledged(&mut self, _message: &Message) {
        self.sent += 1;
    }

    fn now(&self) -> DeviceTime {
        self.now
    }

    fn disconnected(&mut self, why: &str) {
        let since = *self.away_since.get_or_insert_with(Instant::now);
        if since.elapsed() > GIVE_UP_AFTER {
            self.trouble = Some(format!("no connection for {} s: {why}", GIVE_UP_AFTER.as_secs()));
        }
        tracing::info!(why, "the connection is lost");
    }

    fn gives_up(&self) -> bool {
        self.trouble.is_some() && self.away_since.is_some()
    }
}
