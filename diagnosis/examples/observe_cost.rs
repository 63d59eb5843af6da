//! What one message costs: `cargo run --release -p diagnosis --example observe_cost`.
//!
//! A thousand devices of each type in turn, each message with every datapoint changed a
//! little, so that neither caches nor branch prediction are kinder than in a fleet.

use std::time::Instant;

use diagnosis::{ApplianceType, Catalogue, DeviceState, Kind, Sample, diagnose, observe};
use firmware_proto::{DeviceTime, Value};

const DEVICES: usize = 1_000;
const MESSAGES: i64 = 300;

fn main() -> Result<(), diagnosis::CatalogueErrors> {
    let start = Instant::now();
    let catalogue = Catalogue::builtin()?;
    println!("catalogue loaded in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    println!("{:<18} {:>14} {:>14} {:>12}", "type", "observe ns", "diagnose ns", "state JSON B");
    for ty in catalogue.iter() {
        measure(ty);
    }
    Ok(())
}

fn measure(ty: &ApplianceType) {
    let mut states: Vec<DeviceState> = (0..DEVICES).map(|_| DeviceState::new(ty)).collect();
    let mut readings: Vec<(usize, Value)> = ty.datapoints.iter().enumerate().map(|(i, d)| (i, typical(d))).collect();
    let start = Instant::now();
    for message in 0..MESSAGES {
        let time = DeviceTime(message * ty.telemetry_interval_ms);
        for (number, state) in states.iter_mut().enumerate() {
            let jitter = (number % 17) as f64 * 0.01 + message as f64 * 0.003;
            for (_, value) in &mut readings {
                if let Value::Double(value) = value {
                    *value = value.trunc() + jitter.fract();
                }
            }
            observe(ty, state, &Sample { time, order: None, readings: &readings });
        }
    }
    let observe_ns = start.elapsed().as_secs_f64() * 1e9 / (DEVICES as f64 * MESSAGES as f64);
    let start = Instant::now();
    let sum: f64 = states.iter().map(|state| diagnose(ty, state).fault_probability).sum();
    let diagnose_ns = start.elapsed().as_secs_f64() * 1e9 / DEVICES as f64;
    let json = serde_json::to_string(&states[0]).map_or(0, |text| text.len());
    println!("{:<18} {observe_ns:>14.0} {diagnose_ns:>14.0} {json:>12} (sum {sum:.3})", ty.key);
}

/// A value in the middle of what the datapoint can be.
fn typical(datapoint: &diagnosis::Datapoint) -> Value {
    match datapoint.kind {
        Kind::Number => Value::Double(datapoint.range.map_or(0.0, |(low, high)| (low + high) / 2.0)),
        Kind::Whole => Value::Int(1),
        Kind::Flag => Value::Bool(true),
        Kind::Text => Value::Text(datapoint.values.first().cloned().unwrap_or_default()),
    }
}
