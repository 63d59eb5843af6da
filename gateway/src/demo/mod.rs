//! `gateway demo`: the whole loop on a simulated fleet, judged by the simulator.
//!
//! The only place of the gateway that knows the simulator. The fleet speaks MQTT over
//! TCP like any other; what it knows of its faults reaches the judge alone, at the end.

mod judge;
mod setting;
mod summary;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use device_sim::{FaultPlan, Fleet, FleetConfig, manifest};
use firmware_proto::{DeviceTime, ScaledTime};
use indicatif::{ProgressBar, ProgressStyle};

use crate::app::App;
use crate::auth::Role;
use crate::config::{ClockScale, Config, Listen, Log, Mqtt};
use crate::serve::{log, stop_signal};
use crate::shard::House;
use summary::Summary;

/// Before the first fault the fleet runs undisturbed, so that a false finding shows.
const QUIET_FIRST: Duration = Duration::from_secs(2 * 3_600);

/// Span over which faults are spread when nobody said how long the demo lasts.
const OPEN_END: Duration = Duration::from_secs(20 * 3_600);

/// How long messages under way may take at the end, by the wall.
const DRAIN: Duration = Duration::from_secs(10);

/// How the demo runs.
#[derive(Debug, Clone, Args)]
pub struct DemoOptions {
    /// End by itself after this long, such as 60s or 5m; without it, at Ctrl-C.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub length: Option<Duration>,
    /// Decides devices, homes, weather and faults; the same seed tells the same story.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Simulated appliances, 3 to 2000.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(3..=2_000))]
    pub devices: u16,
    /// Faults to inject; at most three in five devices get one.
    #[arg(long, default_value_t = 24)]
    pub faults: u16,
    /// Simulated seconds per second, 60 to 3600.
    #[arg(long, default_value_t = 1_200, value_parser = clap::value_parser!(u16).range(60..=3_600))]
    pub speed: u16,
    /// Print one JSON object at the end, and nothing else to standard output.
    #[arg(long)]
    pub json: bool,
    /// HTTP port of the status page; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub http_port: u16,
}

/// Runs the demo and prints what came of it.
///
/// # Errors
/// When the gateway cannot start or breaks.
pub async fn run(options: DemoOptions) -> anyhow::Result<ExitCode> {
    log(&Log { filter: std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".into()), ..Log::default() })?;
    let dir = tempfile::tempdir().context("a directory for the demo's state")?;
    let time = from_next_morning(ScaledTime::REAL.now_ms(), f64::from(options.speed));
    let mut app = App::start(config(dir.path(), &options, time)).await?;
    let specs = setting::furnish(&app, manifest(options.devices.into(), options.seed)).await?;
    let plan = plan(&options, &specs, time);
    announce(&app, &options).await?;
    let broker = app.mqtt.context("the demo has a front of its own")?;
    let fleet = Arc::new(Fleet::start(FleetConfig { broker, time, specs, plan: plan.clone() }));
    let house = app.house().clone();
    let started = std::time::Instant::now();
    let complete = tokio::select! {
        () = watch(&house, &fleet, &options) => true,
        () = stop_signal()? => false,
        error = app.failed() => return Err(error),
    };
    let length = started.elapsed();
    let fleet = Arc::into_inner(fleet).expect("only the watch had another handle, and it has ended");
    let truths = fleet.stop().await;
    drain(&house, truths.iter().map(|truth| truth.acknowledged).sum()).await;
    let verdict = judge::judge(&house.store, &truths).await?;
    let summary = Summary::new(&options, length, complete, &house.tally, &plan, &truths, verdict);
    app.stop().await?;
    summary.print(options.json);
    Ok(if summary.broken_invariants.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A clock that reads the next 06:00 at wall time `now_ms`: the town wakes up, and what only
/// shows in the heat of the day has its time.
fn from_next_morning(now_ms: i64, speed: f64) -> ScaledTime {
    const DAY_MS: i64 = 24 * 3_600_000;
    const MORNING_MS: i64 = 6 * 3_600_000;
    let ahead_ms = (MORNING_MS - now_ms).rem_euclid(DAY_MS);
    // now + ahead = anchor + (now - anchor) * speed, solved for the anchor.
    ScaledTime { anchor_ms: now_ms - (ahead_ms as f64 / (speed - 1.0)) as i64, speed }
}

fn config(dir: &std::path::Path, options: &DemoOptions, time: ScaledTime) -> Config {
    Config {
        state: dir.to_owned(),
        mqtt: Mqtt::loopback(0),
        http: Listen::loopback(options.http_port),
        grpc: Listen::loopback(0),
        clock: ClockScale { speed: time.speed, anchor_ms: Some(time.anchor_ms) },
        ..Config::default()
    }
}

fn plan(options: &DemoOptions, specs: &[device_sim::DeviceSpec], time: ScaledTime) -> FaultPlan {
    let simulated = options.length.map_or(OPEN_END, |length| length.mul_f64(time.speed));
    let start = DeviceTime(time.now_ms());
    let from = start.plus_ms(QUIET_FIRST.as_millis() as i64);
    let until = start.plus_ms(simulated.as_millis() as i64);
    FaultPlan::seeded(specs, options.seed, from, until, options.faults.into())
}

async fn announce(app: &App, options: &DemoOptions) -> anyhow::Result<()> {
    let support = app.control.new_token("demo-support", Role::Support).await?;
    let approver = app.control.new_token("demo-approver", Role::Approver).await?;
    let admin = app.control.new_token("demo-admin", Role::Admin).await?;
    eprintln!("status page     http://{}/", app.http);
    let mqtt = app.mqtt.context("the demo has a front of its own")?;
    eprintln!("MQTT            {mqtt}    gRPC {}", app.grpc);
    eprintln!("support token   {support}");
    eprintln!("approver token  {approver}");
    eprintln!("admin token     {admin}");
    eprintln!("{} appliances at {} times real time, seed {}", options.devices, options.speed, options.seed);
    if options.length.is_none() {
        eprintln!("Ctrl-C ends it and prints the summary");
    }
    Ok(())
}

/// Shows progress until the time is up; for ever without a length.
async fn watch(house: &House, fleet: &Fleet, options: &DemoOptions) {
    let started = std::time::Instant::now();
    let bar = match options.length {
        Some(length) => ProgressBar::new(length.as_millis() as u64).with_style(
            ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}").expect("the template is a constant"),
        ),
        None => ProgressBar::new_spinner(),
    };
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    while options.length.is_none_or(|length| started.elapsed() < length) {
        tick.tick().await;
        let hours = started.elapsed().as_secs_f64() * f64::from(options.speed) / 3_600.0;
        let injected = fleet.truths().iter().filter(|truth| truth.truth.fault.is_some()).count();
        let counts = judge::counts(&house.store).await.unwrap_or_default();
        bar.set_position(started.elapsed().as_millis() as u64);
        bar.set_message(format!(
            "{hours:5.1} h simulated  {} messages  {injected} faults  {} findings  {} repairs verified  {} work orders",
            house.tally.messages(),
            counts.findings,
            counts.verified,
            counts.orders
        ));
    }
    bar.finish_and_clear();
}

/// Waits until the gateway has taken what it acknowledged.
async fn drain(house: &House, acknowledged: u64) {
    let taken = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while house.tally.messages() < acknowledged {
            tick.tick().await;
        }
    };
    // The judge reports what is missing after that.
    let _ = tokio::time::timeout(DRAIN, taken).await;
}

/// Reads `90s`, `5m`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is no duration; use for example 60s or 5m"))?;
    let length = span.unsigned_abs();
    if span.is_negative() || length < Duration::from_secs(1) {
        return Err(format!("{text:?} is too short; use at least 1s, and 60s to see a whole story"));
    }
    Ok(length)
}
