//! Which component fails within the next 24 h, on machines never seen:
//! `cargo run --release -p diagnosis --example azure_pdm`.
//!
//! Data: the Azure predictive-maintenance sample (synthetic), every machine that has telemetry.
//! Sample: each hour of each machine; features are what was recorded up to and in that hour.
//! Label: components that fail after it and at most 24 h later, so that the hour of the failure
//! itself, and the replacement recorded then, belong to what follows. Split: machines, in five
//! parts; within the other four the forest is chosen and calibrated by leaving machines out again.

mod data;
mod evaluate;
#[path = "../recorded/mod.rs"]
mod recorded;
mod score;

use std::error::Error;
use std::time::Instant;

use data::{CLASSES, NONE};
use diagnosis::classifier::expected_calibration_error;
use score::{Judged, mean};

const DRAWS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let Some(machines) = data::machines()? else { return Ok(()) };
    let judged = evaluate::leave_machines_out(&machines, None)?;
    println!("{} machines left out in {} parts, {} hours", machines.len(), evaluate::FOLDS, judged.len());
    let thirds: Vec<Judged> = judged.iter().filter(|hour| hour.hour % 3 == 0).cloned().collect();
    for (name, judged) in [("every hour", &judged), ("every third hour", &thirds)] {
        println!("\n{name:<52} {:>6}   95 % over machines   bar", "figure");
        let f1 = |judged: &[&Judged]| mean(score::f1_by_class(judged));
        show("macro-F1, one class an hour", judged, f1, "0.70");
        show("macro-F1, each component asked on its own", judged, |j| mean(score::f1_by_question(j)), "0.70");
        show("AP of some component failing, sum of components", judged, score::any_precision, "0.88");
        show("AP of some component failing, 1 - P(none)", judged, score::not_none_precision, "0.88");
        show("AP of each component failing, mean", judged, score::component_precision, "none");
    }
    let all: Vec<&Judged> = judged.iter().collect();
    for (class, f1) in CLASSES.iter().zip(score::f1_by_class(&all)) {
        println!("F1 of {class}: {f1:.3}");
    }
    calibration(&judged);
    let held_out = 3;
    unknown(&evaluate::leave_machines_out(&machines, Some(held_out))?, held_out);
    println!("\n{:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn show(name: &str, judged: &[Judged], score: impl Fn(&[&Judged]) -> f64, bar: &str) {
    let (figure, low, high) = score::bootstrap(judged, DRAWS, score);
    println!("{name:<52} {figure:>6.3}   {low:>8.3} to {high:.3}   {bar:>6}");
}

fn calibration(judged: &[Judged]) {
    let any: Vec<(f64, bool)> = judged.iter().map(|hour| (hour.any(), !hour.failing.is_empty())).collect();
    println!("\ncalibration error of some component failing: {:.4}", expected_calibration_error(&any));
    let likeliest = |hour: &Judged| {
        let first = hour.failing.iter().map(|class| hour.probabilities[*class]).fold(0.0, f64::max);
        -if hour.failing.is_empty() { hour.probabilities[NONE] } else { first }.max(1e-15).ln()
    };
    let base = any.iter().filter(|(_, is)| *is).count() as f64 / any.len() as f64;
    let knows_the_rate = -base * (base / 4.0).ln() - (1.0 - base) * (1.0 - base).ln();
    println!("log loss: {:.4}; of the base rates {knows_the_rate:.4}", mean(judged.iter().map(likeliest)));
    let unknown = mean(judged.iter().map(|hour| hour.probabilities[CLASSES.len()]));
    println!("mean mass of unknown: {unknown:.4}");
}

/// What failures of a component are taken for that was not trained on.
fn unknown(judged: &[Judged], held_out: usize) {
    let failing: Vec<&Judged> = judged.iter().filter(|hour| hour.failing == [held_out]).collect();
    println!("\n{} hours before failures of {}, which was left out of training:", failing.len(), CLASSES[held_out]);
    for (class, name) in CLASSES.iter().chain([&"unknown"]).enumerate() {
        let mass = mean(failing.iter().map(|hour| hour.probabilities[class]));
        println!("taken for {name}: {mass:.3}");
    }
    let wrong = failing.iter().filter(|hour| (1..CLASSES.len()).any(|class| hour.probabilities[class] > 0.5)).count();
    println!("taken for another component with more than 0.5: {wrong}");
}
