//! How a device puts what it has to say into messages.

use std::collections::BTreeMap;

use firmware_proto::{
    Birth, BootId, CommandResult, DeviceTime, Encoding, Event, Fence, Reading, ReadingKey, Seq, Severity, Stamp, State,
    Telemetry, Uplink, Value, ValueMap,
};

use crate::kind::ApplianceKind;
use crate::physics::Sample;

/// How a device writes: half of the fleet uses aliases in protobuf, a few JSON, the
/// rest names in protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Aliases,
    Names,
    Json,
}

impl Style {
    pub fn of_seed(seed: u64) -> Self {
        match seed % 10 {
            0..=4 => Self::Aliases,
            5 => Self::Json,
            _ => Self::Names,
        }
    }

    pub fn encoding(self) -> Encoding {
        if self == Self::Json { Encoding::Json } else { Encoding::Protobuf }
    }
}

/// Stamps messages of one boot, one counter for all of them.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    style: Style,
    boot_id: BootId,
    booted_at: DeviceTime,
    next_seq: u64,
}

/// Who is speaking.
pub(super) struct Identity<'a> {
    pub kind: ApplianceKind,
    pub serial: &'a str,
    pub fence: Fence,
    /// The datapoints of the boot, in the order of their aliases.
    pub datapoints: &'a [&'static str],
}

const FIRMWARE: &str = "4.2.1";
const HARDWARE: &str = "B";

impl Voice {
    pub fn new(style: Style, boot_id: BootId, booted_at: DeviceTime) -> Self {
        Self { style, boot_id, booted_at, next_seq: 1 }
    }

    pub fn style(&self) -> Style {
        self.style
    }

    fn stamp(&mut self, now: DeviceTime) -> Stamp {
        let seq = self.next_seq;
        self.next_seq += 1;
        Stamp {
            boot_id: self.boot_id,
            seq: Some(Seq(seq)),
            device_time_ms: Some(now),
            uptime_ms: now.since_ms(self.booted_at).max(0) as u64,
            is_historical: false,
        }
    }

    pub fn birth(&mut self, now: DeviceTime, identity: &Identity<'_>) -> Uplink {
        let aliases = match self.style {
            Style::Aliases => {
                identity.datapoints.iter().enumerate().map(|(at, name)| ((*name).to_owned(), alias(at))).collect()
            }
            _ => BTreeMap::new(),
        };
        Uplink::Birth(Birth {
            stamp: self.stamp(now),
            model: identity.kind.model().into(),
            serial: identity.serial.into(),
            firmware: FIRMWARE.into(),
            hardware: HARDWARE.into(),
            aliases,
            fence: identity.fence,
            capabilities: identity.kind.actions().iter().map(|action| (*action).to_owned()).collect(),
        })
    }

    pub fn state(&mut self, now: DeviceTime, config_version: u64, parameters: Vec<(&'static str, Value)>) -> Uplink {
        let reported: ValueMap = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Uplink::State(State { stamp: self.stamp(now), config_version, reported })
    }

    pub fn telemetry(&mut self, now: DeviceTime, sample: &mut Sample) -> Uplink {
        Uplink::Telemetry(Telemetry { stamp: self.stamp(now), readings: self.readings(sample) })
    }

    pub fn event(
        &mut self,
        now: DeviceTime,
        code: &str,
        severity: Severity,
        text: &str,
        sample: &mut Sample,
    ) -> Uplink {
        Uplink::Event(Event {
            stamp: self.stamp(now),
            code: code.into(),
            severity,
            text: text.into(),
            readings: self.readings(sample),
        })
    }

    pub fn result(&mut self, now: DeviceTime, result: CommandResult) -> Uplink {
        Uplink::Result(CommandResult { stamp: self.stamp(now), ..result })
    }

    fn readings(&self, sample: &mut Sample) -> Vec<Reading> {
        let key = |at: usize, name: &str| match self.style {
            Style::Aliases => ReadingKey::Alias(alias(at)),
            _ => ReadingKey::Name(name.to_owned()),
        };
        sample.drain(..).enumerate().map(|(at, (name, value))| Reading { key: key(at, name), value }).collect()
    }
}

fn alias(position: usize) -> u32 {
    position as u32 + 1
}
