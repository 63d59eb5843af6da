//! What of a message may enter: known datapoints, possible values, a possible time.

use std::collections::BTreeMap;

use diagnosis::ApplianceType;
use firmware_proto::{DeviceTime, Reading, ReadingKey, Seq, ServerTime, Stamp, Value};

/// Something in a message that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which message, if it said.
    pub seq: Option<Seq>,
    /// For the metrics: a small set of words.
    pub kind: &'static str,
    /// Path of the field at fault.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// The time a message counts for: the device's, or the receive time where it has no clock.
///
/// # Errors
/// When the device's clock is further ahead than `tolerance_ms`.
pub fn time(stamp: &Stamp, received: ServerTime, tolerance_ms: i64) -> Result<DeviceTime, Refusal> {
    let Some(time) = stamp.device_time_ms else { return Ok(DeviceTime(received.ms())) };
    let ahead = time.ms().saturating_sub(received.ms());
    if ahead > tolerance_ms {
        return Err(Refusal {
            seq: stamp.seq,
            kind: "future",
            field: "device_time_ms".into(),
            reason: format!(
                "is {ahead} ms ahead of the gateway's clock ({received}); at most {tolerance_ms} ms are accepted"
            ),
        });
    }
    Ok(time)
}

/// Splits readings into those that may enter, by datapoint index, and refusals.
pub fn readings(
    ty: &ApplianceType,
    aliases: &BTreeMap<u32, String>,
    seq: Option<Seq>,
    readings: Vec<Reading>,
) -> (Vec<(usize, Value)>, Vec<Refusal>) {
    let (mut accepted, mut refused) = (Vec::with_capacity(readings.len()), Vec::new());
    for reading in readings {
        match reading_index(ty, aliases, &reading) {
            Ok(index) => accepted.push((index, reading.value)),
            Err((kind, name, reason)) => refused.push(Refusal { seq, kind, field: format!("readings.{name}"), reason }),
        }
    }
    (accepted, refused)
}

fn reading_index(
    ty: &ApplianceType,
    aliases: &BTreeMap<u32, String>,
    reading: &Reading,
) -> Result<usize, (&'static str, String, String)> {
    let name = match &reading.key {
        ReadingKey::Name(name) => name,
        ReadingKey::Alias(alias) => aliases.get(alias).ok_or_else(|| {
            ("alias", format!("#{alias}"), "alias was not declared by the birth message of this boot".to_owned())
        })?,
    };
    let index = ty.datapoint(name).ok_or_else(|| {
        let known: Vec<&str> = ty.datapoints.iter().map(|datapoint| datapoint.name.as_str()).collect();
        ("datapoint", name.clone(), format!("no such datapoint; type {} has {}", ty.key, known.join(", ")))
    })?;
    ty.datapoints[index].check(&reading.value).map_err(|reason| ("value", name.clone(), reason))?;
    Ok(index)
}
