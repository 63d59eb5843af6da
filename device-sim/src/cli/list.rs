//! `list` and `manifest`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use device_sim::{ApplianceKind, Cure, Fault, faults};
use serde::Serialize;

#[derive(Debug, Args)]
pub struct Options {
    /// Write JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ManifestOptions {
    /// How many devices; the types take turns
    #[arg(long, default_value_t = 60)]
    count: usize,
    /// Decides homes, people and tolerances; the same seed gives the same devices
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Serialize)]
struct Entry {
    kind: ApplianceKind,
    model: &'static str,
    telemetry_period_s: u64,
    actions: &'static [&'static str],
    faults: &'static [Fault],
}

pub fn list(options: &Options) -> Result<ExitCode> {
    if options.json {
        let entries = ApplianceKind::ALL.map(|kind| Entry {
            kind,
            model: kind.model(),
            telemetry_period_s: kind.telemetry_period().as_secs(),
            actions: kind.actions(),
            faults: faults(kind),
        });
        println!("{}", serde_json::to_string_pretty(&entries)?);
        return Ok(ExitCode::SUCCESS);
    }
    for kind in ApplianceKind::ALL {
        println!("{kind} (model {}, telemetry every {} s)", kind.model(), kind.telemetry_period().as_secs());
        println!("  actions: {}", kind.actions().join(", "));
        for fault in faults(kind) {
            println!(
                "  {:<28} visible within {:>2} h, handled within {:>2} h   {}",
                fault.key,
                fault.visible_after.as_secs() / 3600,
                fault.handling.as_secs() / 3600,
                cure_text(fault.cure)
            );
        }
        println!();
    }
    Ok(ExitCode::SUCCESS)
}

fn cure_text(cure: Cure) -> String {
    match cure {
        Cure::Remote { action, sensor: Some(sensor) } => format!("remote: {action} sensor = {sensor}"),
        Cure::Remote { action, sensor: None } => format!("remote: {action}"),
        Cure::Visit { parts } => format!("visit: {}", parts.join(", ")),
    }
}

pub fn manifest(options: &ManifestOptions) -> Result<ExitCode> {
    let specs = device_sim::manifest(options.count, options.seed);
    println!("{}", serde_json::to_string_pretty(&specs)?);
    Ok(ExitCode::SUCCESS)
}
