//! `dispatch plan`: plans a problem given as JSON.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use dispatch::routing::{Limits, Plan, Problem, Route, Stop, Time, plan};

use crate::effort::Effort;

/// Plans a problem: which technician visits whom, and when.
#[derive(Args)]
pub struct PlanArguments {
    /// The problem, as JSON.
    #[arg(required_unless_present = "schema")]
    problem: Option<PathBuf>,
    /// A plan to go on from, as JSON.
    #[arg(long)]
    from: Option<PathBuf>,
    #[command(flatten)]
    effort: Effort,
    /// Print the plan as JSON instead of text.
    #[arg(long)]
    json: bool,
    /// Print the JSON schema of a problem, or with --json of a plan, and end.
    #[arg(long)]
    schema: bool,
}

/// Runs the subcommand.
pub fn run(arguments: &PlanArguments) -> Result<()> {
    let begun = Instant::now();
    let Some(file) = arguments.problem.as_ref().filter(|_| !arguments.schema) else {
        let schema = if arguments.json { Plan::schema() } else { Problem::schema() };
        println!("{}", serde_json::to_string_pretty(&schema)?);
        return Ok(());
    };
    let problem = read_problem(file)?;
    let from = arguments.from.as_ref().map(|file| read_plan(file)).transpose()?;
    let Effort { seed, threads, iterations, .. } = arguments.effort;
    let limits = Limits { seed, threads, iterations, progress: &|| arguments.effort.share(begun) };
    let plan = plan(&problem, &limits, from.as_ref()).with_context(|| file.display().to_string())?;
    if arguments.json {
        println!("{}", serde_json::to_string(&plan)?);
    } else {
        print!("{}", describe(&plan));
    }
    Ok(())
}

/// Reads a problem; the error names file and field.
pub fn read_problem(file: &Path) -> Result<Problem> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {name}"))?;
    Problem::from_json(&text).with_context(|| name)
}

/// Reads a plan as `dispatch plan --json` prints it.
pub fn read_plan(file: &Path) -> Result<Plan> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {name}"))?;
    let mut reader = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut reader).with_context(|| name)
}

/// The plan as a dispatcher reads it.
fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    for route in &plan.routes {
        describe_route(&mut text, route);
    }
    if !plan.unassigned.is_empty() {
        let _ = writeln!(text, "not assigned:");
    }
    for left in &plan.unassigned {
        let _ = writeln!(text, "  {} ({:?}): {}", left.order, left.priority, left.why);
    }
    let totals = &plan.totals;
    let _ = writeln!(
        text,
        "{} served, {} not; {:.1} h on the road, {:.0} km, {:.1} h overtime; {:.1} visits expected late; {} moved",
        totals.served,
        totals.unserved.iter().sum::<u32>(),
        totals.travel_s as f64 / 3600.0,
        totals.metres / 1000.0,
        totals.overtime_s as f64 / 3600.0,
        totals.expected_late,
        totals.moved,
    );
    text
}

fn describe_route(text: &mut String, route: &Route) {
    let overtime =
        if route.overtime_s > 0 { format!(", {} min overtime", route.overtime_s.div_ceil(60)) } else { String::new() };
    let _ = writeln!(
        text,
        "{} (shift {}): {} to {}, {} visits, {} min on the road{overtime}",
        route.technician,
        route.shift + 1,
        route.leave,
        route.back,
        route.visits().count(),
        route.travel_s.div_ceil(60),
    );
    for stop in &route.stops {
        let _ = writeln!(text, "  {}", describe_stop(stop));
    }
}

fn describe_stop(stop: &Stop) -> String {
    let minutes = |seconds: u32| seconds.div_ceil(60);
    let wait = |arrive: &Time, start: &Time| match (start.0 - arrive.0) / 60 {
        0 => String::new(),
        wait => format!(", arrives {wait} min before"),
    };
    match stop {
        Stop::Visit(visit) => {
            let risk = match (visit.lateness_risk * 100.0).round() as i64 {
                0 => String::new(),
                risk => format!(", late with {risk} %"),
            };
            let parts = visit.parts_from.as_ref().map_or(String::new(), |station| format!(", parts from {station}"));
            let (way, wait) = (minutes(visit.travel_s), wait(&visit.arrive, &visit.start));
            format!("{} - {}  {} ({way} min away{wait}{risk}{parts})", visit.start, visit.end, visit.order)
        }
        Stop::PickUp(pick_up) => {
            let parts: Vec<String> =
                pick_up.parts.iter().map(|need| format!("{} × {}", need.quantity, need.part)).collect();
            let (way, wait) = (minutes(pick_up.travel_s), wait(&pick_up.arrive, &pick_up.start));
            let (start, end, station) = (pick_up.start, pick_up.end, &pick_up.station);
            format!("{start} - {end}  picks up {} at {station} ({way} min away{wait})", parts.join(", "))
        }
        Stop::Break { start, end } => format!("{start} - {end}  break"),
    }
}
