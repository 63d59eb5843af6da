//! What one prediction of a forest costs: `cargo run --release -p diagnosis --example forest_cost`.
//!
//! 50 trees, 10 splits deep, 24 features, 5 classes, 4,096 rows in random order, one row a call,
//! beside `smartcore`'s own prediction with the same options. The classes are noisy, so that the
//! trees are as bushy as the depth allows: what they cost depends on it, not on what they mean.

use std::hint::black_box;
use std::time::Instant;

use diagnosis::forest::{Forest, GrowOptions, grow};
use smartcore::ensemble::random_forest_classifier::{RandomForestClassifier, RandomForestClassifierParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

const FEATURES: usize = 24;
const CLASSES: usize = 5;
const ROWS: usize = 4_096;
const REPEATS: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut random = Random(7);
    let rows: Vec<Vec<f64>> = (0..ROWS).map(|_| (0..FEATURES).map(|_| random.normal()).collect()).collect();
    let labels: Vec<usize> = rows.iter().map(|row| class(row, &mut random)).collect();
    let options = GrowOptions::default();
    let slices: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
    let forest = grow(&slices, &labels, CLASSES, &options)?;
    let json = serde_json::to_string(&forest)?;
    println!("{} trees of at most {} splits, {} nodes", forest.trees(), options.depth, forest.nodes());
    println!("{FEATURES} features, {CLASSES} classes, {} KB as JSON", json.len() / 1024);

    let fresh: Vec<Vec<f64>> = (0..ROWS).map(|_| (0..FEATURES).map(|_| random.normal()).collect()).collect();
    let ours = fastest(|| ask(&forest, &fresh));
    println!("{:<44} {ours:>8.0} ns", "one row, all class probabilities");

    let x = DenseMatrix::from_2d_vec(&rows)?;
    let y: Vec<u32> = labels.iter().map(|label| *label as u32).collect();
    let parameters =
        RandomForestClassifierParameters { n_trees: 50, max_depth: Some(11), seed: options.seed, ..Default::default() };
    let peer = RandomForestClassifier::fit(&x, &y, parameters)?;
    let single: Vec<DenseMatrix<f64>> =
        fresh.iter().map(|row| DenseMatrix::from_2d_vec(&vec![row.clone()])).collect::<Result<_, _>>()?;
    let theirs = fastest(|| single.iter().for_each(|row| drop(black_box(peer.predict(row)))));
    println!("{:<44} {theirs:>8.0} ns", "smartcore, one row, the class alone");
    let all = DenseMatrix::from_2d_vec(&fresh)?;
    let theirs = fastest(|| drop(black_box(peer.predict(&all))));
    println!("{:<44} {theirs:>8.0} ns", "smartcore, all rows in one call, a row");
    Ok(())
}

fn ask(forest: &Forest, rows: &[Vec<f64>]) {
    let mut sums = Vec::new();
    for row in rows {
        forest.sums(black_box(row), &mut sums).expect("rows are as wide as in training");
        black_box(&sums);
    }
}

/// Nanoseconds a row of the fastest run, which other programs disturbed least.
fn fastest(mut run: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e9 / ROWS as f64
    };
    (0..REPEATS).map(time).fold(f64::INFINITY, f64::min)
}

/// A class that depends on a few features, and in a third of the rows on nothing.
fn class(row: &[f64], random: &mut Random) -> usize {
    if random.uniform() < 1.0 / 3.0 {
        return (random.uniform() * CLASSES as f64) as usize;
    }
    let score = row[0] + row[1] * row[2] - (row[3] * 2.0).sin() + 0.5 * row[4];
    ((score + 3.0) / 6.0 * CLASSES as f64).clamp(0.0, CLASSES as f64 - 1.0) as usize
}

/// splitmix64 (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box–Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
