//! Solomon's and Gehring and Homberger's instances against their best-known distances.
//!
//! `cargo run --release -p dispatch --example vrptw -- --seconds 5 --seeds 1 --only R1_2_ --csv target/vrptw.csv`
//!
//! Seconds are of the thread's CPU time, so that a busy machine changes nothing. Rows that the CSV file
//! already has are not run again.

#[allow(dead_code, reason = "the command line shows more of an instance than its distance")]
#[path = "../src/bin/dispatch/formats/mod.rs"]
mod formats;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use dispatch::routing::engine::{Settings, solve};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/vrptw");

#[derive(Parser)]
struct Arguments {
    /// CPU-seconds for each run.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Iterations for each run, instead of seconds.
    #[arg(long)]
    iterations: Option<u64>,
    /// Seeds 1 to this.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Only instances whose name begins with one of these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Results, one line a run; read first, and appended to.
    #[arg(long)]
    csv: Option<String>,
}

/// Instance, seed, seconds: what a line of the CSV file is about.
type Key = (String, u64, u64);

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let best: BTreeMap<String, f64> =
        serde_json::from_reader(File::open(format!("{DATA}/best_known_distance_dimacs.json"))?)?;
    let mut done = read_done(arguments.csv.as_deref())?;
    let mut groups: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (name, text) in instances()? {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|part| name.starts_with(part.as_str())) {
            continue;
        }
        let instance = formats::read(&name, &text)?;
        for seed in 1..=arguments.seeds {
            let key = (name.clone(), seed, (arguments.seconds * 1000.0) as u64);
            let distance = match done.get(&key) {
                Some(&distance) => distance,
                None => {
                    let (distance, iterations) = run(&instance, seed, &arguments)?;
                    append(arguments.csv.as_deref(), &key, distance, iterations)?;
                    println!("{name:8} seed {seed} {distance:9.1} {:6.2} % {iterations:8}", gap(distance, best[&name]));
                    done.insert(key, distance);
                    distance
                }
            };
            groups.entry(instance.model.jobs.len()).or_default().push(gap(distance, best[&name]));
        }
    }
    for (customers, gaps) in groups {
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        println!(
            "{customers:5} customers: mean {mean:.3} % above best known, {} runs of {} CPU-s",
            gaps.len(),
            arguments.seconds
        );
    }
    Ok(())
}

fn gap(distance: f64, best: f64) -> f64 {
    100.0 * (distance / best - 1.0)
}

fn run(instance: &formats::Instance, seed: u64, arguments: &Arguments) -> Result<(f64, u64)> {
    let begun = cpu_seconds();
    let timed = arguments.iterations.is_none();
    let progress = |_| if timed { (cpu_seconds() - begun) / arguments.seconds } else { 0.0 };
    let settings = Settings { seed, iterations: arguments.iterations, ..Settings::default() };
    let outcome = solve(&instance.model, &settings, &progress)?;
    ensure!(outcome.plan.unserved.is_empty(), "{} customers unserved", outcome.plan.unserved.len());
    Ok((instance.distance(&outcome.plan), outcome.iterations))
}

/// CPU time of this thread, as Linux counts it.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: f64 = text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(f64::INFINITY);
    nanoseconds / 1e9
}

fn instances() -> Result<Vec<(String, String)>> {
    let path = format!("{DATA}/vrptw-dev.tar.gz");
    let archive = File::open(&path).with_context(|| format!("reading {path}"))?;
    let mut found = Vec::new();
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(archive)).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let mut text = String::new();
        if entry.header().entry_type().is_file() {
            entry.read_to_string(&mut text)?;
            found.push((name, text));
        }
    }
    found.sort();
    Ok(found)
}

fn read_done(csv: Option<&str>) -> Result<BTreeMap<Key, f64>> {
    let Some(path) = csv else { return Ok(BTreeMap::new()) };
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(BTreeMap::new()) };
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let [name, seed, milliseconds, distance, _] = fields[..] else {
                anyhow::bail!("{path}: {line:?} has not five fields")
            };
            Ok(((name.to_owned(), seed.parse()?, milliseconds.parse()?), distance.parse()?))
        })
        .collect()
}

fn append(csv: Option<&str>, key: &Key, distance: f64, iterations: u64) -> Result<()> {
    let Some(path) = csv else { return Ok(()) };
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{},{},{},{distance},{iterations}", key.0, key.1, key.2)?;
    Ok(())
}
