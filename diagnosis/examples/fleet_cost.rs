//! What one row of one of 100,000 devices costs: `cargo run --release -p diagnosis --example fleet_cost`.
//!
//! Eight channels, two modes, two inputs, full verdict with calibrated p-values. Devices are visited
//! in random order, so that each state comes from memory. Bar: 400 ns and 1 KB a device. Beside it
//! a walk over the same states in the same order that only adds up one number of each: what the
//! memory alone costs.

mod simulated;

use std::time::Instant;

use diagnosis::detection::fleet::{Baseline, Monitor, Row, Settings, Step};
use simulated::{DAY_MS, Device, MINUTE_MS, Process, Random, histories};

const DEVICES: usize = 100_000;
const ROUNDS: i64 = 10;
/// Rows timed together: so few that most parts are not interrupted by what else the machine does.
const PART: usize = 500;
/// Rows prepared beforehand: making them up is not what is measured.
const PREPARED: usize = 4096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let process = Process::Appliance;
    let baseline = Baseline::train(&process.schema(), &histories(process, 0..20, 5), &Settings::new("1", "20 x 5"))?;
    let mut device = Device::new(process, 77);
    let rows: Vec<(u8, Vec<f32>, Vec<f32>)> = (0..PREPARED)
        .map(|_| {
            device.minute();
            (device.mode(), device.inputs.clone(), device.channels.clone())
        })
        .collect();
    let mut random = Random::new(5);
    let mut order: Vec<u32> = (0..DEVICES as u32).collect();
    for at in (1..DEVICES).rev() {
        order.swap(at, (random.bits() % (at as u64 + 1)) as usize);
    }
    let mut monitors = vec![Monitor::new(&baseline); DEVICES];
    println!("{DEVICES} devices of {} bytes in random order, 8 channels, {ROUNDS} rounds", size_of::<Monitor>());
    let (mut judged, mut sum, mut alarms, mut steps, mut walks) = (0u64, 0.0, 0u64, vec![], vec![]);
    for round in 0..ROUNDS {
        let time_ms = 20_010 * DAY_MS + round * MINUTE_MS;
        for (part, numbers) in order.chunks(PART).enumerate() {
            let start = Instant::now();
            for (at, number) in numbers.iter().enumerate() {
                let (mode, inputs, channels) = &rows[(part * PART + at * 7 + round as usize) % PREPARED];
                let row = Row { time_ms, mode: *mode, inputs, channels };
                if let Step::Judged(verdict) = monitors[*number as usize].step(&baseline, &row)? {
                    sum += f64::from(verdict.p_row + verdict.p_unit);
                    judged += 1;
                }
            }
            steps.push(start.elapsed().as_secs_f64() * 1e9 / numbers.len() as f64);
        }
        for numbers in order.chunks(PART) {
            let start = Instant::now();
            alarms += numbers.iter().map(|number| u64::from(monitors[*number as usize].alarm())).sum::<u64>();
            walks.push(start.elapsed().as_secs_f64() * 1e9 / numbers.len() as f64);
        }
    }
    println!("{judged} judged, sum of p-values {sum:.1}, {alarms} alarms");
    for (what, costs) in [("step", &mut steps), ("walk", &mut walks)] {
        costs.sort_by(f64::total_cmp);
        let at = |part: f64| costs[(part * (costs.len() - 1) as f64) as usize];
        println!("{what}: median {:.0} ns a row, 10 % {:.0}, 90 % {:.0}", at(0.5), at(0.1), at(0.9));
    }
    Ok(())
}
