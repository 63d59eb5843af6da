//! Remaining life of turbofan engines: C-MAPSS FD001 (Saxena and Goebel 2008), life up to 125 cycles.
//!
//! `cargo run --release -p diagnosis --example cmapss [TRAIN.txt.gz TEST.txt.gz RUL.txt.gz]`
//!
//! Trained on the training file; asked once for each engine of the test file, after its last
//! cycle. Baseline: the mean life of training engines less the age.

mod recorded;

use std::collections::BTreeMap;
use std::time::Instant;

use diagnosis::prognosis::equipment::{EquipmentModel, Trace};

const CAP: f64 = 125.0;

pub(crate) type Engines = Vec<Vec<Vec<f64>>>;

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let default = ["cmapss/train_FD001.txt.gz", "cmapss/test_FD001.txt.gz", "cmapss/RUL_FD001.txt.gz"];
    let name = |at: usize| names.get(at).map_or(default[at], String::as_str);
    let text = |at| recorded::text(name(at)).expect("the file can be read");
    let (Some(train), Some(test), Some(lives)) = (text(0), text(1), text(2)) else { return };
    let train = engines(&train);
    let begin = Instant::now();
    for seed in 1..=3 {
        let model = fit(&train, seed);
        let size = serde_json::to_string(&model).expect("a model is plain data").len();
        println!(
            "seed {seed}: left-out engines of the training file, all cycles: RMSE {:.2}; model {} kB, {:.1} s",
            model.left_out_rmse(),
            size / 1000,
            begin.elapsed().as_secs_f64()
        );
        report(&train, &asked(&model, &engines(&test), &lives));
    }
}

pub(crate) fn fit(train: &Engines, seed: u64) -> EquipmentModel {
    let devices: Vec<&[Vec<f64>]> = train.iter().map(Vec::as_slice).collect();
    EquipmentModel::fit(&devices, CAP, seed).expect("a hundred engines make a model")
}

/// Truth, P10, P50, P90 and age of each test engine.
pub(crate) fn asked(model: &EquipmentModel, test: &Engines, lives: &str) -> Vec<[f64; 5]> {
    let lives = lives.split_whitespace().map(|life| life.parse::<f64>().expect("a number").min(CAP));
    let one = |(cycles, life): (&Vec<Vec<f64>>, f64)| {
        let mut trace = Trace::new(model);
        for (at, values) in cycles.iter().enumerate() {
            trace.take(model, at as u32 + 1, values).expect("cycles follow each other");
        }
        let said = model.remaining(&trace).expect("there are cycles");
        [life, said.p10, said.p50, said.p90, cycles.len() as f64]
    };
    test.iter().zip(lives).map(one).collect()
}

pub(crate) fn rmse(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let squares: Vec<f64> = pairs.map(|(a, b)| (a - b) * (a - b)).collect();
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}

fn report(train: &Engines, asked: &[[f64; 5]]) {
    let mean_life = train.iter().map(|engine| engine.len() as f64).sum::<f64>() / train.len() as f64;
    let baseline = rmse(asked.iter().map(|one| (one[0], (mean_life - one[4]).clamp(0.0, CAP))));
    let covered = asked.iter().filter(|one| one[1] <= one[0] && one[0] <= one[3]).count();
    println!("  test engines, last cycle: {}", asked.len());
    println!("  baseline (mean life less age)  RMSE {baseline:5.2}");
    println!("  model                          RMSE {:5.2}   bar 12.0", rmse(asked.iter().map(|one| (one[0], one[2]))));
    println!("  P10 to P90 covers              {:5.1} %", 100.0 * covered as f64 / asked.len() as f64);
}

/// Settings and sensors of each engine, cycle by cycle.
pub(crate) fn engines(text: &str) -> Engines {
    let mut engines: BTreeMap<u32, Vec<Vec<f64>>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let numbers: Vec<f64> = line.split_whitespace().map(|number| number.parse().expect("a number")).collect();
        engines.entry(numbers[0] as u32).or_default().push(numbers[2..].to_vec());
    }
    engines.into_values().collect()
}
