//! `dispatch solve`: plans an instance file of the literature.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use dispatch::routing::engine::{Outcome, Settings, Stop, solve};
use serde::Serialize;

use crate::effort::Effort;
use crate::formats::{self, Instance};

/// Plans a Solomon or Gehring-Homberger, technician or trsp instance.
#[derive(Args)]
pub struct Solve {
    /// The instance file; its format is recognised by its content.
    file: PathBuf,
    #[command(flatten)]
    effort: Effort,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer {
    distance: f64,
    routes: Vec<Vec<u32>>,
    unserved: Vec<u32>,
    seconds: f64,
    iterations: u64,
    /// Where vehicles differ or visit the depot: the vehicle of each route, counted from 1, and its visits
    /// with 0 for the depot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    visits: Vec<Visits>,
    /// Working time, in the file's unit, where that is what is minimised.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
}

#[derive(Serialize)]
struct Visits {
    vehicle: usize,
    visits: Vec<u32>,
}

/// Runs the subcommand.
pub fn run(arguments: &Solve) -> Result<()> {
    let begun = Instant::now();
    let name = arguments.file.display().to_string();
    let text = std::fs::read_to_string(&arguments.file).with_context(|| format!("reading {name}"))?;
    let instance = formats::read(&name, &text)?;
    let shown = AtomicU64::new(0);
    let terminal = std::io::stderr().is_terminal();
    let progress = |iterations: u64| {
        let elapsed = begun.elapsed();
        // One line, a few times a second.
        if terminal
            && shown.fetch_max(elapsed.as_millis() as u64 / 250, Ordering::Relaxed) < elapsed.as_millis() as u64 / 250
        {
            eprint!("\r{:.1} s, {iterations} iterations ", elapsed.as_secs_f64());
        }
        arguments.effort.share(begun)
    };
    let Effort { seed, threads, iterations, .. } = arguments.effort;
    let settings = Settings { seed, threads, iterations, ..Settings::default() };
    let outcome = solve(&instance.model, &settings, &progress).with_context(|| name.clone())?;
    if terminal {
        eprintln!();
    }
    let answer = answer(&instance, &outcome, begun.elapsed().as_secs_f64());
    if arguments.json {
        println!("{}", serde_json::to_string(&answer)?);
    } else {
        print(&answer);
    }
    Ok(())
}

fn answer(instance: &Instance, outcome: &Outcome, seconds: f64) -> Answer {
    let number = |job: u32| instance.numbers[job as usize];
    let plan = &outcome.plan;
    let routes = plan.routes.iter().map(|route| route.jobs().into_iter().map(number).collect::<Vec<_>>());
    Answer {
        distance: instance.distance(plan),
        routes: routes.filter(|route| !route.is_empty()).collect(),
        unserved: plan.unserved.iter().map(|&job| number(job)).collect(),
        seconds,
        iterations: outcome.iterations,
        visits: if instance.differing { visits(instance, outcome) } else { Vec::new() },
        duration: instance.duration(plan),
    }
}

fn visits(instance: &Instance, outcome: &Outcome) -> Vec<Visits> {
    let number = |stop: &Stop| stop.job.map_or(0, |job| instance.numbers[job as usize]);
    let routes = outcome.plan.routes.iter().enumerate().filter(|(_, route)| !route.stops.is_empty());
    routes
        .map(|(index, route)| Visits { vehicle: index + 1, visits: route.stops.iter().map(number).collect() })
        .collect()
}

fn print(answer: &Answer) {
    for (route, number) in answer.routes.iter().zip(1..) {
        let jobs: Vec<String> = route.iter().map(u32::to_string).collect();
        println!("route {number}: {}", jobs.join(" "));
    }
    println!(
        "distance {:.1}, {} unserved, {:.2} s, {} iterations",
        answer.distance,
        answer.unserved.len(),
        answer.seconds,
        answer.iterations
    );
}
