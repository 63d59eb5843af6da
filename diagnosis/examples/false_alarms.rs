//! How often healthy devices are called strange: `cargo run --release -p diagnosis --example false_alarms`.
//!
//! Data: simulated healthy fleets, each device with its own place and scatter, a row a minute.
//! Split: 200 devices x 10 days train, other 600 devices x 10 days are judged, from their first row
//! on. A p-value keeps its word if P(p <= α) is between 0.5 and 2 times α, for rows and for
//! device-days (the largest score of a day). The naive method takes the threshold of each device
//! from its first 400 rows and judges the rest.

mod simulated;

use std::time::Instant;

use diagnosis::detection::fleet::{Alarm, Baseline, Monitor, Settings, Step};
use simulated::{Device, Process, histories};

const TRAIN: u64 = 200;
const JUDGED: u64 = 600;
const DAYS: i64 = 10;
const NOMINAL: [f32; 2] = [1e-2, 1e-3];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{TRAIN} devices x {DAYS} days train, {JUDGED} others judged; rates over nominal, bar 0.5 to 2");
    println!(
        "{:<12} {:>17} {:>17} {:>17} {:>8} {:>8}",
        "process", "row 1e-2 1e-3", "day 1e-2 1e-3", "naive row", "alarms", "seconds"
    );
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for process in Process::ALL {
        let name = format!("{process:?}");
        if wanted.is_empty() || wanted.contains(&name) {
            print(&name, process)?;
        }
    }
    Ok(())
}

fn print(name: &str, process: Process) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let baseline = Baseline::train(&process.schema(), &histories(process, 0..TRAIN, DAYS), &Settings::new("1", name))?;
    let rates = judge(process, &baseline);
    let naive = naive(process);
    let pair = |rates: [f64; 2]| format!("{:.2} {:.2}", rates[0], rates[1]);
    println!(
        "{name:<12} {:>17} {:>17} {:>17} {:>8.5} {:>8.1}",
        pair(rates.rows),
        pair(rates.units),
        pair(naive),
        rates.alarms,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Rates in multiples of the nominal ones, and alarms per device-day.
struct Rates {
    rows: [f64; 2],
    units: [f64; 2],
    alarms: f64,
}

fn judge(process: Process, baseline: &Baseline) -> Rates {
    let (mut rows, mut units, mut alarms) = (Share::default(), Share::default(), 0.0);
    for number in TRAIN..TRAIN + JUDGED {
        let (mut device, mut monitor) = (Device::new(process, number), Monitor::new(baseline));
        let mut last = 1.0;
        for _ in 0..DAYS * 1440 {
            device.minute();
            if let Ok(Step::Judged(verdict)) = monitor.step(baseline, &device.row()) {
                rows.count(verdict.p_row);
                verdict.finished_unit.iter().for_each(|p| units.count(*p));
                alarms += f64::from(u8::from(verdict.alarm == Alarm::Raised));
                last = verdict.p_unit;
            }
        }
        units.count(last);
    }
    Rates { rows: rows.over_nominal(), units: units.over_nominal(), alarms: alarms / units.all }
}

#[derive(Default)]
struct Share {
    all: f64,
    below: [f64; 2],
}

impl Share {
    fn count(&mut self, p: f32) {
        self.all += 1.0;
        for (below, nominal) in self.below.iter_mut().zip(NOMINAL) {
            *below += f64::from(u8::from(p <= nominal));
        }
    }

    fn over_nominal(&self) -> [f64; 2] {
        std::array::from_fn(|at| self.below[at] / self.all / f64::from(NOMINAL[at]))
    }
}

/// Each device's largest deviation over its channels, in standard deviations of its first 400 rows,
/// against the quantile of those rows.
fn naive(process: Process) -> [f64; 2] {
    let mut share = Share::default();
    for number in TRAIN..TRAIN + JUDGED / 10 {
        let mut device = Device::new(process, number);
        let rows: Vec<Vec<f64>> = (0..DAYS * 1440)
            .map(|_| {
                device.minute();
                device.channels.iter().map(|value| f64::from(*value)).collect()
            })
            .collect();
        let channels = 0..rows[0].len();
        let places: Vec<(f64, f64)> = channels.map(|c| moments(rows[..400].iter().map(|row| row[c]))).collect();
        let score = |row: &Vec<f64>| {
            row.iter().zip(&places).map(|(value, (mean, sd))| ((value - mean) / sd).abs()).fold(0.0, f64::max)
        };
        let mut taught: Vec<f64> = rows[..400].iter().map(score).collect();
        taught.sort_by(f64::total_cmp);
        for row in &rows[400..] {
            let above = taught.len() - taught.partition_point(|known| *known < score(row));
            share.count((above as f32 / 400.0).max(if above == 0 { 0.0 } else { 1e-9 }));
        }
    }
    share.over_nominal()
}

fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    (mean, (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt())
}
