//! How early power alone tells a faulty appliance: `cargo run --release -p diagnosis --example
//! appliance_power [ARCHIVE]`.
//!
//! Data: one-minute power of real appliances, one file a day, faults put in by inserting minutes of
//! load (Papaioannou et al. 2024). One score for each day; area under the curve of the days with one
//! kind of fault against the healthy days of the same device, for every device and kind of fault.
//!
//! Split: by device. A device is judged by its own healthy days, never by one that shares an hour
//! with the day judged (a fault's day is a copy of a healthy day), and by a prior from the healthy
//! days of the *other* devices of its kind (`_1` for `_2` and the reverse; a kind with one device
//! has no prior). No faulty day and no label is learned from.

#[path = "../recorded/mod.rs"]
pub mod recorded;

pub mod baselines;
pub mod days;
pub mod measure;

use std::time::Instant;

use days::{Day, Device};
use diagnosis::detection::cycle::{Cycle, Fleet, Held, Segmentation, Segmenter, Usual, day};
use measure::Figures;

const MINUTE_MS: i64 = 60_000;

/// How many first days make a fixed installation baseline.
const INSTALLATION_DAYS: usize = 5;

fn main() -> std::io::Result<()> {
    let archive = std::env::args().nth(1).unwrap_or("appliance-power/appliance-power-dev.tar.gz".to_owned());
    let Some(files) = recorded::archive(&archive)? else { return Ok(()) };
    let devices = days::devices(&files);
    let start = Instant::now();
    let held = held_on(&devices);
    print_table(&held);
    println!("{:.1} s for {} days\n", start.elapsed().as_secs_f64(), files.len());
    println!("{:<44} {:>5}  by appliance", "in the same run", "mean");
    print_line("held on, duration and load (this)", &held);
    let durations = |device: &Device, day: &Day| score(&devices, device, &device.baseline(day), day, duration);
    print_line("  from durations alone", &measure::measure(&devices, durations));
    let installed = |device: &Device, day: &Day| {
        let first = device.first_days(INSTALLATION_DAYS);
        let later = !first.iter().any(|first| first.overlaps(day));
        later.then(|| score(&devices, device, &first, day, |held| held))?
    };
    print_line("  baseline fixed on the first 5 days", &measure::measure(&devices, installed));
    for (name, baseline) in baselines::ALL {
        print_line(name, &measure::measure(&devices, |device, day| baseline(&device.baseline(day), day)));
    }
    Ok(())
}

/// What is judged: every day of every device, by all of its healthy days but those of the same hours.
pub fn held_on(devices: &[Device]) -> Figures {
    measure::measure(devices, |device, day| score(devices, device, &device.baseline(day), day, |held| held))
}

/// What the duration alone says.
fn duration(held: Held) -> Held {
    Held { log_bayes_factor: held.from_duration, ..held }
}

/// The score of one day by the device's baseline days and the fleet of its kind.
fn score(devices: &[Device], device: &Device, baseline: &[&Day], judged: &Day, part: fn(Held) -> Held) -> Option<f64> {
    let peers = devices.iter().filter(|peer| peer.kind == device.kind && peer.name != device.name);
    let peers: Vec<Usual> = peers
        .filter_map(|peer| usual(None, &peer.healthy.iter().collect::<Vec<_>>()).map(|(_, usual)| usual))
        .collect();
    let (how, usual) = usual(Fleet::of(&peers), baseline)?;
    let held: Vec<Held> = cycles(how, judged).iter().filter_map(|cycle| usual.held(cycle)).map(part).collect();
    // A day without a cycle speaks neither for nor against a fault.
    Some(day(&held).unwrap_or(0.0))
}

/// What is usual on these days, and how to cut them.
fn usual(fleet: Option<Fleet>, days: &[&Day]) -> Option<(Segmentation, Usual)> {
    let watts: Vec<f64> = days.iter().flat_map(|day| &day.watts).copied().collect();
    let how = Segmentation::main_load(&watts, 5 * MINUTE_MS)?;
    let mut usual = Usual::new(fleet, 1.0);
    days.iter().flat_map(|day| cycles(how, day)).for_each(|cycle| usual.learn(&cycle));
    Some((how, usual))
}

fn cycles(how: Segmentation, day: &Day) -> Vec<Cycle> {
    let mut segmenter = Segmenter::new(how);
    let samples = day.watts.iter().enumerate();
    samples.filter_map(|(minute, watts)| segmenter.step(minute as i64 * MINUTE_MS, *watts)).collect()
}

fn print_table(figures: &Figures) {
    println!("{:<18} {:<30} {:>6}", "device", "fault", "AUC");
    for ((device, fault), auc) in &figures.each {
        println!("{device:<18} {fault:<30} {auc:>6.3}");
    }
    println!();
    for (kind, figure) in &figures.by_kind {
        let bar = if ["Dryer", "Fridge", "Water_Heater"].contains(&kind.as_str()) { "0.90" } else { "   -" };
        println!("{kind:<18} {:.3}  90 % interval {:.3} to {:.3}  bar {bar}", figure.mean, figure.low, figure.high);
    }
    let all = &figures.all;
    println!("{:<18} {:.3}  90 % interval {:.3} to {:.3}  bar 0.85", "all kinds of fault", all.mean, all.low, all.high);
}

fn print_line(name: &str, figures: &Figures) {
    print!("{name:<44} {:.3} ", figures.all.mean);
    figures.by_kind.iter().for_each(|(kind, figure)| print!(" {kind} {:.3}", figure.mean));
    println!();
}
