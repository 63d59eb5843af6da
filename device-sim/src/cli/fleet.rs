//! `fleet`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use device_sim::{DeviceSpec, DeviceTruth, FaultPlan, Fleet, FleetConfig};
use firmware_proto::{DeviceTime, ScaledTime};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// Faults are planned this far ahead (simulated time) where the run has no end.
const OPEN_END: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Args)]
pub struct Options {
    /// Devices as JSON, as `manifest` writes them, each with its token
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Where the broker listens
    #[arg(long, value_name = "HOST:PORT")]
    broker: String,
    /// Simulated seconds per second
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Wall time (epoch milliseconds) at which simulated and wall time are equal; share it
    /// with the gateway and keep it when this process is started again [default: now]
    #[arg(long, value_name = "MS")]
    anchor_ms: Option<i64>,
    /// Decides which device gets which fault, and when
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many devices get a fault; at most 60 % of them do
    #[arg(long, default_value_t = 0)]
    faults: usize,
    /// End after this much wall time, for example 90s or 1h30m [default: at Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = super::duration)]
    span: Option<Duration>,
    /// Keep what really happened here, rewritten every second
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
}

fn speed(text: &str) -> Result<f64> {
    let speed: f64 = text.parse().with_context(|| format!("{text:?} is no number"))?;
    anyhow::ensure!((1.0..=100_000.0).contains(&speed), "{text} is not between 1 and 100000");
    Ok(speed)
}

#[derive(Serialize)]
struct TruthFile<'a> {
    time: ScaledTime,
    plan: &'a FaultPlan,
    devices: Vec<DeviceTruth>,
}

#[derive(Serialize)]
struct Summary {
    devices: usize,
    faults_planned: usize,
    faults_injected: usize,
    faults_cured: usize,
    messages_produced: u64,
    messages_acknowledged: u64,
    messages_dropped: u64,
    rejections: u64,
    commands_executed: usize,
    commands_executed_twice: usize,
    commands_refused: usize,
    unsafe_executions: usize,
    touched_lockouts: usize,
    high_risk_arrivals: usize,
}

pub async fn run(options: Options) -> Result<ExitCode> {
    let specs = read_manifest(&options.manifest)?;
    let broker = super::resolve(&options.broker).await?;
    let anchor_ms = options.anchor_ms.unwrap_or_else(|| ScaledTime::REAL.now_ms());
    let time = ScaledTime { anchor_ms, speed: options.speed };
    let from = DeviceTime(time.now_ms());
    let ahead = options.span.map_or(OPEN_END, |span| span.mul_f64(options.speed));
    let until = from.plus_ms(i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX));
    let plan = FaultPlan::seeded(&specs, options.seed, from, until, options.faults);
    if plan.0.len() < options.faults {
        eprintln!("{} of {} faults fit: more devices or a longer run would hold more", plan.0.len(), options.faults);
    }
    let fleet = Fleet::start(FleetConfig { broker, time, specs, plan: plan.clone() });
    keep_truth_until_the_end(&fleet, &options, time, &plan).await?;
    let devices = fleet.stop().await;
    let summary = summarise(&plan, &devices);
    write_truth(options.truth.as_deref(), &TruthFile { time, plan: &plan, devices })?;
    println!("{}", serde_json::to_string_pretty(&summary)?);
    Ok(ExitCode::SUCCESS)
}

fn read_manifest(path: &Path) -> Result<Vec<DeviceSpec>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("--manifest {}", path.display()))?;
    let specs: Vec<DeviceSpec> = serde_json::from_str(&text)
        .with_context(|| format!("--manifest {}: not as `manifest` writes it", path.display()))?;
    anyhow::ensure!(!specs.is_empty(), "--manifest {}: names no device", path.display());
    Ok(specs)
}

async fn keep_truth_until_the_end(fleet: &Fleet, options: &Options, time: ScaledTime, plan: &FaultPlan) -> Result<()> {
    let mut stop = super::stop_signal()?;
    let end = options.span.map(|span| Instant::now() + span);
    let mut every_second = interval(Duration::from_secs(1));
    every_second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every_second.tick() => {
                write_truth(options.truth.as_deref(), &TruthFile { time, plan, devices: fleet.truths() })?;
            }
            () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => return Ok(()),
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

/// Writes beside the file and renames, so that a reader never sees half of it.
fn write_truth(path: Option<&Path>, truth: &TruthFile<'_>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, serde_json::to_vec_pretty(truth)?)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("--truth {}", path.display()))
}

fn summarise(plan: &FaultPlan, devices: &[DeviceTruth]) -> Summary {
    let sum = |count: fn(&DeviceTruth) -> usize| devices.iter().map(count).sum();
    let messages = |count: fn(&DeviceTruth) -> u64| devices.iter().map(count).sum();
    Summary {
        devices: devices.len(),
        faults_planned: plan.0.len(),
        faults_injected: sum(|device| usize::from(device.truth.fault.is_some())),
        faults_cured: sum(|device| usize::from(device.truth.fault.as_ref().is_some_and(|fault| fault.cured.is_some()))),
        messages_produced: messages(|device| device.produced),
        messages_acknowledged: messages(|device| device.acknowledged),
        messages_dropped: messages(|device| device.dropped),
        rejections: messages(|device| device.rejections),
        commands_executed: sum(|device| device.truth.executions.len()),
        commands_executed_twice: sum(|device| device.truth.repeated_executions()),
        commands_refused: sum(|device| device.truth.refused.len()),
        unsafe_executions: sum(|device| device.truth.unsafe_executions.len()),
        touched_lockouts: sum(|device| device.touched_lockout.len()),
        high_risk_arrivals: sum(|device| device.truth.high_risk_arrivals.len()),
    }
}
