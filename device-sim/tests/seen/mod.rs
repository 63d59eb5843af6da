//! What a reader of the manual sees of a device: rows of datapoints, and the manual's
//! signature of each fault in them. Written from APPLIANCES.md, not from the physics.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod signature;

use std::collections::BTreeMap;

use firmware_proto::{CommandResult, DeviceTime, Event, Reading, ReadingKey, State, Uplink, Value};

/// One telemetry message by names.
#[derive(Debug, Clone)]
pub struct Row {
    pub at: DeviceTime,
    values: BTreeMap<String, Value>,
}

impl Row {
    pub fn number(&self, name: &str) -> f64 {
        self.values.get(name).and_then(Value::as_f64).unwrap_or_else(|| panic!("no datapoint {name}"))
    }

    pub fn yes(&self, name: &str) -> bool {
        self.values.get(name).and_then(Value::as_bool).unwrap_or_else(|| panic!("no flag {name}"))
    }

    pub fn numbers(&self) -> impl Iterator<Item = (String, f64)> + '_ {
        let double = |(name, value): (&String, &Value)| match value {
            Value::Double(number) => Some((name.clone(), *number)),
            _ => None,
        };
        self.values.iter().filter_map(double)
    }

    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {name}"))
    }
}

/// Everything a device has said, in order.
#[derive(Debug, Default)]
pub struct Seen {
    aliases: BTreeMap<u32, String>,
    pub rows: Vec<Row>,
    pub events: Vec<Event>,
    pub states: Vec<State>,
    pub results: Vec<CommandResult>,
    pub births: usize,
}

impl Seen {
    pub fn take(&mut self, uplinks: Vec<Uplink>) {
        for uplink in uplinks {
            match uplink {
                Uplink::Birth(birth) => {
                    self.aliases = birth.aliases.into_iter().map(|(name, alias)| (alias, name)).collect();
                    self.births += 1;
                }
                Uplink::Telemetry(telemetry) => {
                    let at = telemetry.stamp.device_time_ms.expect("telemetry has a time");
                    let values = telemetry.readings.into_iter().map(|reading| self.named(reading)).collect();
                    self.rows.push(Row { at, values });
                }
                Uplink::Event(event) => self.events.push(event),
                Uplink::State(state) => self.states.push(state),
                Uplink::Result(result) => self.results.push(result),
                Uplink::Death => panic!("a device does not say that it died"),
            }
        }
    }

    fn named(&self, reading: Reading) -> (String, Value) {
        match reading.key {
            ReadingKey::Name(name) => (name, reading.value),
            ReadingKey::Alias(alias) => (self.aliases[&alias].clone(), reading.value),
        }
    }

    /// The last row.
    pub fn last(&self) -> &Row {
        self.rows.last().expect("telemetry has come")
    }
}
