//! Bytes to messages and back. Decoding never panics, whatever the bytes.

use prost::Message as _;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::id::{BootId, Fence, Seq};
use crate::message::{
    Birth, Command, CommandResult, Event, Outcome, Phase, Reading, ReadingKey, Rejection, Severity, Stamp, State,
    Telemetry, Uplink,
};
use crate::time::DeviceTime;
use crate::topic::UplinkKind;
use crate::value::{Value, ValueMap};
use crate::wire;

/// How a payload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// For people and small scripts.
    Json,
    /// For appliances.
    Protobuf,
}

impl Encoding {
    /// The encoding of a payload: JSON if it begins with `{`.
    pub fn of(payload: &[u8]) -> Self {
        match payload.first() {
            Some(b'{') => Self::Json,
            _ => Self::Protobuf,
        }
    }
}

/// Why a payload is no message, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {reason}")]
pub struct DecodeError {
    /// Path of the field at fault; `payload` if it is the whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl DecodeError {
    fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// What the gateway says to a device.
#[derive(Debug, Clone, PartialEq)]
pub enum Downlink {
    /// On `cmd/req/{command_id}`.
    Command(Command),
    /// On `err`.
    Rejection(Rejection),
}

/// Reads what a device published on the channel `kind`.
///
/// # Errors
/// Names the field at fault.
pub fn decode(kind: &UplinkKind, payload: &[u8]) -> Result<Uplink, DecodeError> {
    let json = Encoding::of(payload) == Encoding::Json;
    let uplink = match kind {
        UplinkKind::Telemetry if json => Uplink::Telemetry(from_json(payload)?),
        UplinkKind::Telemetry => Uplink::Telemetry(from_wire::<wire::Telemetry, _>(payload)?),
        UplinkKind::Event if json => Uplink::Event(from_json(payload)?),
        UplinkKind::Event => Uplink::Event(from_wire::<wire::Event, _>(payload)?),
        UplinkKind::State if json => Uplink::State(from_json(payload)?),
        UplinkKind::State => Uplink::State(from_wire::<wire::State, _>(payload)?),
        UplinkKind::Birth if json => Uplink::Birth(from_json(payload)?),
        UplinkKind::Birth => Uplink::Birth(from_wire::<wire::Birth, _>(payload)?),
        UplinkKind::Result(id) => {
            let result: CommandResult =
                if json { from_json(payload)? } else { from_wire::<wire::CommandResult, _>(payload)? };
            if result.command_id != *id {
                return Err(DecodeError::new(
                    "command_id",
                    format!("is {}, but the topic says {id}", result.command_id),
                ));
            }
            Uplink::Result(result)
        }
        UplinkKind::Death => Uplink::Death,
    };
    Ok(uplink)
}

/// Reads a command, on the device's side.
///
/// # Errors
/// Names the field at fault.
pub fn decode_command(payload: &[u8]) -> Result<Command, DecodeError> {
    match Encoding::of(payload) {
        Encoding::Json => from_json(payload),
        Encoding::Protobuf => from_wire::<wire::Command, _>(payload),
    }
}

/// Writes a message.
pub fn encode<'a>(message: impl Into<Outgoing<'a>>, encoding: Encoding) -> Vec<u8> {
    message.into().encode(encoding)
}

/// Anything that [`encode`] can write.
#[derive(Debug, Clone, Copy)]
pub enum Outgoing<'a> {
    /// From a device.
    Up(&'a Uplink),
    /// To a device.
    Down(&'a Downlink),
}

impl<'a> From<&'a Uplink> for Outgoing<'a> {
    fn from(uplink: &'a Uplink) -> Self {
        Self::Up(uplink)
    }
}

impl<'a> From<&'a Downlink> for Outgoing<'a> {
    fn from(downlink: &'a Downlink) -> Self {
        Self::Down(downlink)
    }
}

impl Outgoing<'_> {
    fn encode(self, encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Json => self.to_json(),
            Encoding::Protobuf => self.to_wire(),
        }
    }

    fn to_json(self) -> Vec<u8> {
        let json = match self {
            Self::Up(Uplink::Telemetry(message)) => serde_json::to_vec(message),
            Self::Up(Uplink::Event(message)) => serde_json::to_vec(message),
            Self::Up(Uplink::State(message)) => serde_json::to_vec(message),
            Self::Up(Uplink::Birth(message)) => serde_json::to_vec(message),
            Self::Up(Uplink::Result(message)) => serde_json::to_vec(message),
            Self::Up(Uplink::Death) => Ok(b"{}".to_vec()),
            Self::Down(Downlink::Command(message)) => serde_json::to_vec(message),
            Self::Down(Downlink::Rejection(message)) => serde_json::to_vec(message),
        };
        json.expect("the messages have text keys only, so JSON can hold them")
    }

    fn to_wire(self) -> Vec<u8> {
        match self {
            Self::Up(Uplink::Telemetry(message)) => wire::Telemetry {
                stamp: Some(message.stamp.into()),
                readings: message.readings.iter().map(wire::Reading::from).collect(),
            }
            .encode_to_vec(),
            Self::Up(Uplink::Event(message)) => wire::Event {
                stamp: Some(message.stamp.into()),
                code: message.code.clone(),
                severity: wire::Severity::from(message.severity).into(),
                text: message.text.clone(),
                readings: message.readings.iter().map(wire::Reading::from).collect(),
            }
            .encode_to_vec(),
            Self::Up(Uplink::State(message)) => wire::State {
                stamp: Some(message.stamp.into()),
                config_version: message.config_version,
                reported: values_to_wire(&message.reported),
            }
            .encode_to_vec(),
            Self::Up(Uplink::Birth(message)) => wire::Birth {
                stamp: Some(message.stamp.into()),
                model: message.model.clone(),
                serial: message.serial.clone(),
                firmware: message.firmware.clone(),
                hardware: message.hardware.clone(),
                aliases: message.aliases.clone().into_iter().collect(),
                fence: message.fence.0,
                capabilities: message.capabilities.clone(),
            }
            .encode_to_vec(),
            Self::Up(Uplink::Result(message)) => wire::CommandResult {
                stamp: Some(message.stamp.into()),
                command_id: message.command_id.to_string(),
                phase: wire::Phase::from(message.phase).into(),
                outcome: wire::Outcome::from(message.outcome).into(),
                reason: message.reason.clone(),
                measurements: values_to_wire(&message.measurements),
            }
            .encode_to_vec(),
            Self::Up(Uplink::Death) => Vec::new(),
            Self::Down(Downlink::Command(message)) => wire::Command {
                command_id: message.command_id.to_string(),
                fence: message.fence.0,
                not_after_ms: message.not_after_ms.ms(),
                body_hash: message.body_hash.clone(),
                expected_config_version: message.expected_config_version,
                action: message.action.clone(),
                arguments: values_to_wire(&message.arguments),
            }
            .encode_to_vec(),
            Self::Down(Downlink::Rejection(message)) => wire::Rejection {
                seq: message.seq.map(|seq| seq.0),
                field: message.field.clone(),
                reason: message.reason.clone(),
            }
            .encode_to_vec(),
        }
    }
}

fn from_json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    let mut json = serde_json::Deserializer::from_slice(payload);
    let message = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        // Flattened stamps hide the path from serde; the reason then names the field.
        let field = if path == "." || path.contains('?') { "payload".to_owned() } else { path };
        DecodeError::new(field, error.inner().to_string())
    })?;
    json.end().map_err(|error| DecodeError::new("payload", error.to_string()))?;
    Ok(message)
}

fn from_wire<W, T>(payload: &[u8]) -> Result<T, DecodeError>
where
    W: prost::Message + Default,
    T: TryFrom<W, Error = DecodeError>,
{
    W::decode(payload)
        .map_err(|error| {
            DecodeError::new("payload", format!("neither JSON (must begin with '{{') nor protobuf: {error}"))
        })?
        .try_into()
}

impl From<Stamp> for wire::Stamp {
    fn from(stamp: Stamp) -> Self {
        Self {
            boot_id: stamp.boot_id.0,
            seq: stamp.seq.map(|seq| seq.0),
            device_time_ms: stamp.device_time_ms.map(DeviceTime::ms),
            uptime_ms: stamp.uptime_ms,
            is_historical: stamp.is_historical,
        }
    }
}

fn stamp(wire: Option<wire::Stamp>) -> Stamp {
    let wire = wire.unwrap_or_default();
    Stamp {
        boot_id: BootId(wire.boot_id),
        seq: wire.seq.map(Seq),
        device_time_ms: wire.device_time_ms.map(DeviceTime),
        uptime_ms: wire.uptime_ms,
        is_historical: wire.is_historical,
    }
}

impl From<&Reading> for wire::Reading {
    fn from(reading: &Reading) -> Self {
        use wire::reading::{Key, Value as W};
        let key = match &reading.key {
            ReadingKey::Name(name) => Key::Name(name.clone()),
            ReadingKey::Alias(alias) => Key::Alias(*alias),
        };
        let value = match &reading.value {
            Value::Double(number) => W::DoubleValue(*number),
            Value::Int(number) => W::IntValue(*number),
            Value::Bool(flag) => W::BoolValue(*flag),
            Value::Text(text) => W::StringValue(text.clone()),
        };
        Self { key: Some(key), value: Some(value) }
    }
}

fn readings(wire: Vec<wire::Reading>) -> Result<Vec<Reading>, DecodeError> {
    wire.into_iter().enumerate().map(|(index, reading)| self::reading(index, reading)).collect()
}

fn reading(index: usize, reading: wire::Reading) -> Result<Reading, DecodeError> {
    use wire::reading::{Key, Value as W};
    let missing = |what: &str| DecodeError::new(format!("readings[{index}]"), format!("has no {what}"));
    let key = match reading.key.ok_or_else(|| missing("name or alias"))? {
        Key::Name(name) => ReadingKey::Name(name),
        Key::Alias(alias) => ReadingKey::Alias(alias),
    };
    let value = match reading.value.ok_or_else(|| missing("value"))? {
        W::DoubleValue(number) => Value::Double(number),
        W::IntValue(number) => Value::Int(number),
        W::BoolValue(flag) => Value::Bool(flag),
        W::StringValue(text) => Value::Text(text),
    };
    Ok(Reading { key, value })
}

fn values_to_wire(values: &ValueMap) -> std::collections::HashMap<String, wire::Value> {
    use wire::value::Kind;
    let kind = |value: &Value| match value {
        Value::Double(number) => Kind::DoubleValue(*number),
        Value::Int(number) => Kind::IntValue(*number),
        Value::Bool(flag) => Kind::BoolValue(*flag),
        Value::Text(text) => Kind::StringValue(text.clone()),
    };
    values.iter().map(|(name, value)| (name.clone(), wire::Value { kind: Some(kind(value)) })).collect()
}

fn values(field: &str, wire: std::collections::HashMap<String, wire::Value>) -> Result<ValueMap, DecodeError> {
    use wire::value::Kind;
    wire.into_iter()
        .map(|(name, value)| {
            let value = match value.kind {
                Some(Kind::DoubleValue(number)) => Value::Double(number),
                Some(Kind::IntValue(number)) => Value::Int(number),
                Some(Kind::BoolValue(flag)) => Value::Bool(flag),
                Some(Kind::StringValue(text)) => Value::Text(text),
                None => return Err(DecodeError::new(format!("{field}.{name}"), "has no value")),
            };
            Ok((name, value))
        })
        .collect()
}

impl TryFrom<wire::Telemetry> for Telemetry {
    type Error = DecodeError;
    fn try_from(wire: wire::Telemetry) -> Result<Self, DecodeError> {
        Ok(Self { stamp: stamp(wire.stamp), readings: readings(wire.readings)? })
    }
}

impl TryFrom<wire::Event> for Event {
    type Error = DecodeError;
    fn try_from(wire: wire::Event) -> Result<Self, DecodeError> {
        Ok(Self {
            severity: wire.severity().into(),
            stamp: stamp(wire.stamp),
            code: wire.code,
            text: wire.text,
            readings: readings(wire.readings)?,
        })
    }
}

impl TryFrom<wire::State> for State {
    type Error = DecodeError;
    fn try_from(wire: wire::State) -> Result<Self, DecodeError> {
        Ok(Self {
            stamp: stamp(wire.stamp),
            config_version: wire.config_version,
            reported: values("reported", wire.reported)?,
        })
    }
}

impl TryFrom<wire::Birth> for Birth {
    type Error = DecodeError;
    fn try_from(wire: wire::Birth) -> Result<Self, DecodeError> {
        Ok(Self {
            stamp: stamp(wire.stamp),
            model: wire.model,
            serial: wire.serial,
            firmware: wire.firmware,
            hardware: wire.hardware,
            aliases: wire.aliases.into_iter().collect(),
            fence: Fence(wire.fence),
            capabilities: wire.capabilities,
        })
    }
}

impl TryFrom<wire::CommandResult> for CommandResult {
    type Error = DecodeError;
    fn try_from(wire: wire::CommandResult) -> Result<Self, DecodeError> {
        Ok(Self {
            phase: wire.phase().into(),
            outcome: wire.outcome().into(),
            stamp: stamp(wire.stamp),
            command_id: wire
                .command_id
                .parse()
                .map_err(|error: crate::IdError| DecodeError::new("command_id", error.to_string()))?,
            reason: wire.reason,
            measurements: values("measurements", wire.measurements)?,
        })
    }
}

impl TryFrom<wire::Command> for Command {
    type Error = DecodeError;
    fn try_from(wire: wire::Command) -> Result<Self, DecodeError> {
        Ok(Self {
            command_id: wire
                .command_id
                .parse()
                .map_err(|error: crate::IdError| DecodeError::new("command_id", error.to_string()))?,
            fence: Fence(wire.fence),
            not_after_ms: DeviceTime(wire.not_after_ms),
            body_hash: wire.body_hash,
            expected_config_version: wire.expected_config_version,
            action: wire.action,
            arguments: values("arguments", wire.arguments)?,
        })
    }
}

macro_rules! same_variants {
    ($ours:ident: $($variant:ident),+) => {
        impl From<$ours> for wire::$ours {
            fn from(ours: $ours) -> Self {
                match ours { $($ours::$variant => Self::$variant),+ }
            }
        }

        impl From<wire::$ours> for $ours {
            fn from(wire: wire::$ours) -> Self {
                match wire { $(wire::$ours::$variant => Self::$variant),+ }
            }
        }
    };
}

same_variants!(Severity: Info, Warning, Error);
same_variants!(Phase: Accepted, InProgress, Finished);
same_variants!(Outcome: Pending, Succeeded, Failed, Refused);

#[cfg(test)]
#[path = "codec/tests.rs"]
mod tests;
