//! `replay`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use device_sim::replay::{
    DEFAULT_CONNECTIONS, Mapping, Recording, RecordingReport, ReplayConfig, check, recordings, run as replay,
};
use firmware_proto::{BootId, DeviceAddress, DeviceId, Encoding, TenantId};

/// Each FILE is one device; each data row one telemetry message whose seq is the row's
/// number. Ends when the broker has acknowledged every row.
#[derive(Debug, Args)]
pub struct Options {
    /// Recordings with a header line
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to read them (TOML)
    #[arg(long, value_name = "MAP.toml")]
    mapping: PathBuf,
    /// Where the broker listens
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "check")]
    broker: Option<String>,
    /// Only read the files and say what is wrong with them
    #[arg(long)]
    check: bool,
    /// Recorded seconds per second; 0 sends as fast as rows are acknowledged
    #[arg(long, default_value_t = 0.0, value_parser = speed)]
    speed: f64,
    /// Whose devices these are
    #[arg(long, default_value = "demo")]
    tenant: TenantId,
    /// Id of the device, for a single file [default: the file's name without extension]
    #[arg(long)]
    device: Option<DeviceId>,
    /// Levels of a file's path that its device id is made of
    #[arg(long, default_value_t = 1, value_name = "N")]
    id_levels: usize,
    /// MQTT password of the devices
    #[arg(long, env = "FETTLE_DEVICE_TOKEN", default_value = "", hide_env_values = true)]
    token: String,
    /// Tokens by device id, as a JSON object; goes before --token
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Boot that the messages belong to [default: the mapping's, or 1]
    #[arg(long, value_name = "N")]
    boot_id: Option<u64>,
    /// Mark the messages as backfill, which raises no live alarm
    #[arg(long)]
    historical: bool,
    /// Leave bad rows out instead of refusing the file
    #[arg(long)]
    skip_bad_rows: bool,
    /// Write JSON instead of protobuf
    #[arg(long)]
    json: bool,
    /// Files sent side by side
    #[arg(long, default_value_t = DEFAULT_CONNECTIONS, value_name = "N")]
    connections: usize,
}

fn speed(text: &str) -> Result<f64> {
    let speed: f64 = text.parse().with_context(|| format!("{text:?} is no number"))?;
    anyhow::ensure!(speed.is_finite() && speed >= 0.0, "{text} is neither 0 nor a positive number");
    Ok(speed)
}

pub async fn run(options: Options) -> Result<ExitCode> {
    let mapping = Mapping::read(&options.mapping)?;
    if options.check {
        return check_files(&options.files, &mapping);
    }
    let recordings = name_devices(&options)?;
    let broker = options.broker.as_deref().unwrap_or_default();
    let config = ReplayConfig {
        broker: super::resolve(broker).await?,
        mapping,
        recordings,
        speed: options.speed,
        boot_id: options.boot_id.map(BootId),
        is_historical: options.historical,
        skip_bad_rows: options.skip_bad_rows,
        encoding: if options.json { Encoding::Json } else { Encoding::Protobuf },
        connections: options.connections,
    };
    let reports = replay(config, super::stop_signal()?).await?;
    reports.iter().for_each(print_report);
    let complete = reports.iter().all(|report| report.incomplete.is_none());
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check_files(files: &[PathBuf], mapping: &Mapping) -> Result<ExitCode> {
    let (mut good_rows, mut bad_rows) = (0, 0);
    for path in files {
        let (good, bad) = check(path, mapping)?;
        bad.iter().for_each(|bad| println!("{}, {bad}", path.display()));
        good_rows += good;
        bad_rows += bad.len();
    }
    println!("{} files, {good_rows} good rows, {bad_rows} bad rows", files.len());
    Ok(if bad_rows == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn name_devices(options: &Options) -> Result<Vec<Recording>> {
    let tokens = options.tokens.as_deref().map(read_tokens).transpose()?.unwrap_or_default();
    let token = |device: &DeviceId| tokens.get(device).unwrap_or(&options.token).clone();
    match (&options.device, options.files.as_slice()) {
        (None, files) => Ok(recordings(&options.tenant, files, options.id_levels, token)?),
        (Some(device), [path]) => Ok(vec![Recording {
            path: path.clone(),
            token: token(device),
            address: DeviceAddress { tenant: options.tenant.clone(), device: device.clone() },
        }]),
        (Some(_), files) => bail!("--device names one device, but there are {} files: leave it out", files.len()),
    }
}

fn read_tokens(path: &Path) -> Result<BTreeMap<DeviceId, String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("--tokens {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("--tokens {}: not a JSON object of device ids and tokens", path.display()))
}

fn print_report(report: &RecordingReport) {
    println!(
        "{}: device {}, {} rows sent, {} skipped, {} not accepted",
        report.path.display(),
        report.device,
        report.rows_sent,
        report.rows_skipped.len(),
        report.rejections
    );
    for bad in &report.rows_skipped {
        println!("  skipped {bad}");
    }
    if let Some(why) = &report.incomplete {
        println!("  incomplete: {why}");
    }
}
