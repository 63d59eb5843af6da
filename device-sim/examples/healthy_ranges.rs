//! What healthy appliances report, and what simulating them costs.
//!
//! `cargo run --release -p device-sim --example healthy_ranges [DEVICES] [HOURS] [SEED]`
//! prints minimum, mean and maximum of each numeric datapoint over the whole run and
//! over the samples in which the appliance works (compressor or burner on for a while).

use std::collections::BTreeMap;
use std::time::Instant;

use device_sim::{ApplianceKind, Device, manifest};
use firmware_proto::{DeviceTime, ReadingKey, Uplink, Value};

/// A summer midnight.
const START: DeviceTime = DeviceTime(1_751_328_000_000);
const HOUR_MS: i64 = 3_600_000;

#[derive(Clone, Copy)]
struct Range {
    count: u64,
    low: f64,
    sum: f64,
    high: f64,
}

impl Range {
    fn add(ranges: &mut BTreeMap<(ApplianceKind, String), Self>, key: (ApplianceKind, String), value: f64) {
        let range = ranges.entry(key).or_insert(Self { count: 0, low: value, sum: 0.0, high: value });
        range.count += 1;
        range.low = range.low.min(value);
        range.sum += value;
        range.high = range.high.max(value);
    }
}

fn argument(position: usize, default: u64) -> u64 {
    std::env::args().nth(position).and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Consecutive working samples that must have passed before one counts as settled.
fn settling_samples(kind: ApplianceKind) -> u32 {
    match kind {
        ApplianceKind::SplitAc => 15,
        ApplianceKind::Refrigerator => 5,
        ApplianceKind::GasWaterHeater => 3,
    }
}

fn works(kind: ApplianceKind, values: &BTreeMap<String, Value>) -> bool {
    let number = |name: &str| values.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    match kind {
        ApplianceKind::SplitAc => number("compressor_hz") > 0.0,
        ApplianceKind::Refrigerator => number("compressor_on") > 0.0,
        ApplianceKind::GasWaterHeater => number("burner_on") > 0.0,
    }
}

fn main() {
    let (count, hours, seed) = (argument(1, 60) as usize, argument(2, 24) as i64, argument(3, 1));
    let mut all = BTreeMap::new();
    let mut working = BTreeMap::new();
    let mut events: BTreeMap<String, u64> = BTreeMap::new();
    let mut cost: BTreeMap<ApplianceKind, (f64, f64, u64)> = BTreeMap::new();
    for spec in manifest(count, seed) {
        let begun = Instant::now();
        let mut device = Device::new(&spec, START);
        let settled = begun.elapsed();
        let begun = Instant::now();
        let uplinks = device.advance(START.plus_ms(hours * HOUR_MS));
        let taken = begun.elapsed().as_secs_f64();
        let steps = (hours * 3600) as f64 / spec.kind.physics_step().as_secs_f64();
        let entry = cost.entry(spec.kind).or_insert((0.0, 0.0, 0));
        *entry = (entry.0 + taken * 1e6, entry.1 + steps, entry.2 + uplinks.len() as u64);
        if spec.device.as_str().ends_with("0001") {
            println!("{}: settled in {settled:?}", spec.device);
        }
        let mut names = BTreeMap::new();
        let mut in_a_row = 0;
        for uplink in uplinks {
            match uplink {
                Uplink::Birth(birth) => names = birth.aliases.into_iter().map(|(name, alias)| (alias, name)).collect(),
                Uplink::Event(event) => {
                    *events.entry(format!("{} {} {}", spec.kind, event.code, event.text)).or_default() += 1
                }
                Uplink::Telemetry(telemetry) => {
                    let values: BTreeMap<String, Value> = telemetry
                        .readings
                        .into_iter()
                        .map(|reading| match reading.key {
                            ReadingKey::Name(name) => (name, reading.value),
                            ReadingKey::Alias(alias) => (names[&alias].clone(), reading.value),
                        })
                        .collect();
                    in_a_row = if works(spec.kind, &values) { in_a_row + 1 } else { 0 };
                    for (name, value) in &values {
                        let Some(number) = value.as_f64() else { continue };
                        Range::add(&mut all, (spec.kind, name.clone()), number);
                        if in_a_row > settling_samples(spec.kind) {
                            Range::add(&mut working, (spec.kind, name.clone()), number);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    println!("{count} devices, {hours} h, seed {seed}");
    println!(
        "{:<18} {:<24} {:>8} {:>8} {:>8}   {:>8} {:>8} {:>8}",
        "", "datapoint", "min", "mean", "max", "working", "mean", "max"
    );
    for (key, range) in &all {
        let mean = |range: &Range| range.sum / range.count as f64;
        print!("{:<18} {:<24} {:>8.2} {:>8.2} {:>8.2}", key.0, key.1, range.low, mean(range), range.high);
        match working.get(key) {
            Some(range) => println!("   {:>8.2} {:>8.2} {:>8.2}", range.low, mean(range), range.high),
            None => println!(),
        }
    }
    for (event, times) in events {
        println!("event {event}: {times}");
    }
    for (kind, (micros, steps, messages)) in cost {
        println!("{kind}: {:.2} µs a step, messages included ({steps} steps, {messages} messages)", micros / steps);
    }
}
