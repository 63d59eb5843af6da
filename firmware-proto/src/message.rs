//! The messages themselves. JSON field names are the field names here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::id::{BootId, CommandId, Fence, MessageOrder, Seq};
use crate::time::DeviceTime;
use crate::value::{Value, ValueMap};

/// Orders and dates a message; flattened into each message in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stamp {
    /// Which boot; 0 where the device does not count its boots.
    pub boot_id: BootId,
    /// Which message of the boot; without it the message is not deduplicated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// By the device's clock; without it the receive time counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_time_ms: Option<DeviceTime>,
    /// Milliseconds since boot.
    pub uptime_ms: u64,
    /// Backfilled after an outage: stored, but never raises a live alarm.
    pub is_historical: bool,
}

impl Stamp {
    /// `(boot_id, seq)`, where the message has a seq.
    pub fn order(&self) -> Option<MessageOrder> {
        self.seq.map(|seq| MessageOrder { boot_id: self.boot_id, seq })
    }
}

/// How a reading names its datapoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadingKey {
    /// The datapoint's name.
    Name(String),
    /// A number that the birth message of this boot declared. In JSON `"#7"`.
    Alias(u32),
}

/// One datapoint's value.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Which datapoint.
    pub key: ReadingKey,
    /// Its value.
    pub value: Value,
}

impl Reading {
    /// A reading by name.
    pub fn named(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { key: ReadingKey::Name(name.into()), value: value.into() }
    }
}

/// Readings that belong to one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// When and in which order.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// In JSON an object: `{"power_w": 12.5, "mode": "cool"}`.
    #[serde(with = "readings_as_map")]
    pub readings: Vec<Reading>,
}

/// How bad an event is by the device's own judgement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    #[default]
    Info,
    /// Works, but not as it should.
    Warning,
    /// Does not do its job.
    Error,
}

/// Something that happened, as a rule an error code that came up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When and in which order.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// The device's code, for example `E6`.
    pub code: String,
    /// The device's own judgement.
    #[serde(default)]
    pub severity: Severity,
    /// For people.
    #[serde(default)]
    pub text: String,
    /// What the device measured at that moment.
    #[serde(default, with = "readings_as_map")]
    pub readings: Vec<Reading>,
}

/// Configuration as it is on the device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// When and in which order.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// Grows with each change of configuration.
    #[serde(default)]
    pub config_version: u64,
    /// Settings by name.
    #[serde(default)]
    pub reported: ValueMap,
}

/// Who the device is; sent once after each boot, before anything else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Birth {
    /// When and in which order.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// Model name, for example `AC-35`.
    pub model: String,
    /// Serial number.
    #[serde(default)]
    pub serial: String,
    /// Firmware version.
    #[serde(default)]
    pub firmware: String,
    /// Hardware revision.
    #[serde(default)]
    pub hardware: String,
    /// Numbers by which this boot's readings may name datapoints.
    #[serde(default)]
    pub aliases: BTreeMap<String, u32>,
    /// Highest fence the device has accepted.
    #[serde(default)]
    pub fence: Fence,
    /// Actions it can perform.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// One action the device shall perform, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// The idempotency key: a device that has seen it replays its stored result.
    pub command_id: CommandId,
    /// Must be greater than any fence the device has accepted.
    pub fence: Fence,
    /// The device refuses to start later than this by its own clock.
    pub not_after_ms: DeviceTime,
    /// [`body_hash`] of action and arguments.
    pub body_hash: String,
    /// The device refuses if its configuration has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_config_version: Option<u64>,
    /// What to do, by its name in the catalogue.
    pub action: String,
    /// With what.
    #[serde(default)]
    pub arguments: ValueMap,
}

/// SHA-256 over action and arguments, in lower-case hexadecimal: what a person
/// approves and what the device checks. Each text is preceded by its length and
/// each value by its kind, so that no two bodies hash the same bytes.
pub fn body_hash(action: &str, arguments: &ValueMap) -> String {
    let mut hash = Sha256::new();
    let mut text = |part: &str| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    };
    text(action);
    for (name, value) in arguments {
        text(name);
        match value {
            Value::Bool(flag) => text(&format!("b{flag}")),
            Value::Int(number) => text(&format!("i{number}")),
            Value::Double(number) => text(&format!("d{:016x}", number.to_bits())),
            Value::Text(words) => text(&format!("s{words}")),
        }
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
        hex
    })
}

/// How far a command has come on the device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Journalled on the device; it will be done.
    #[default]
    Accepted,
    /// Being done.
    InProgress,
    /// Over; `outcome` says how.
    Finished,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not over.
    #[default]
    Pending,
    /// Done, by the device's own account.
    Succeeded,
    /// Begun and failed.
    Failed,
    /// A precondition, the fence, the hash or the deadline forbade it; nothing was done.
    Refused,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandResult {
    /// When and in which order; telemetry greater than the final one is *after the action*.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// Which command.
    pub command_id: CommandId,
    /// How far.
    pub phase: Phase,
    /// How it ended.
    #[serde(default)]
    pub outcome: Outcome,
    /// Why it failed or was refused.
    #[serde(default)]
    pub reason: String,
    /// What the device measured while doing it.
    #[serde(default)]
    pub measurements: ValueMap,
}

/// Tells a device that a message was acknowledged but not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Which message, if it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// Path of the field at fault, for example `readings.power_w`.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// Anything a device says that has a payload.
#[derive(Debug, Clone, PartialEq)]
pub enum Uplink {
    /// Readings.
    Telemetry(Telemetry),
    /// Something that happened.
    Event(Event),
    /// Configuration as it is.
    State(State),
    /// Who it is.
    Birth(Birth),
    /// What became of a command.
    Result(CommandResult),
    /// The will: the connection broke. Its payload means nothing.
    Death,
}

impl Uplink {
    /// The message's stamp; a death has none.
    pub fn stamp(&self) -> Option<&Stamp> {
        match self {
            Self::Telemetry(message) => Some(&message.stamp),
            Self::Event(message) => Some(&message.stamp),
            Self::State(message) => Some(&message.stamp),
            Self::Birth(message) => Some(&message.stamp),
            Self::Result(message) => Some(&message.stamp),
            Self::Death => None,
        }
    }
}

/// Readings as a JSON object, order and repetitions kept.
mod readings_as_map {
    use std::fmt;

    use serde::de::{Error, MapAccess, Visitor};
    use serde::ser::SerializeMap;

    use super::{Deserializer, Reading, ReadingKey, Serializer, Value};

    pub fn serialize<S: Serializer>(readings: &[Reading], serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(readings.len()))?;
        for reading in readings {
            match &reading.key {
                ReadingKey::Name(name) => map.serialize_entry(name, &reading.value)?,
                ReadingKey::Alias(alias) => map.serialize_entry(&format!("#{alias}"), &reading.value)?,
            }
        }
        map.end()
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Reading>, D::Error> {
        deserializer.deserialize_map(Readings)
    }

    struct Readings;

    impl<'de> Visitor<'de> for Readings {
        type Value = Vec<Reading>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of datapoint names and values")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Reading>, A::Error> {
            let mut readings = Vec::with_capacity(map.size_hint().unwrap_or(0).min(256));
            while let Some(name) = map.next_key::<String>()? {
                let value = map.next_value::<serde_json::Value>()?;
                let value = number_bool_or_text(&value).ok_or_else(|| {
                    A::Error::custom(format!("{name}: expected a number, true, false or a text, got {value}"))
                })?;
                readings.push(Reading { key: key(name), value });
            }
            Ok(readings)
        }
    }

    fn key(name: String) -> ReadingKey {
        match name.strip_prefix('#').and_then(|digits| digits.parse().ok()) {
            Some(alias) => ReadingKey::Alias(alias),
            None => ReadingKey::Name(name),
        }
    }

    fn number_bool_or_text(value: &serde_json::Value) -> Option<Value> {
        match value {
            serde_json::Value::Bool(flag) => Some(Value::Bool(*flag)),
            serde_json::Value::Number(number) => {
                number.as_i64().map(Value::Int).or_else(|| number.as_f64().map(Value::Double))
            }
            serde_json::Value::String(text) => Some(Value::Text(text.clone())),
            _ => None,
        }
    }
}
