//! Subcommands and their options.

mod fleet;
mod list;
mod replay;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use tokio::sync::watch;

/// Simulated home appliances that speak MQTT as real ones do.
///
/// Each appliance has physics, firmware and people who use it; faults change the physics,
/// and symptoms and error codes follow. Recorded data can be published as an appliance.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the appliance types, their faults, and what cures them
    List(list::Options),
    /// Write a list of devices as JSON, to be given tokens and handed to `fleet`
    Manifest(list::ManifestOptions),
    /// Run simulated devices against a broker
    Fleet(fleet::Options),
    /// Publish recorded data (CSV) as an appliance
    Replay(replay::Options),
}

/// Runs a subcommand.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::List(options) => list::list(&options),
        Command::Manifest(options) => list::manifest(&options),
        Command::Fleet(options) => in_runtime(fleet::run(options)),
        Command::Replay(options) => in_runtime(replay::run(options)),
    }
}

fn in_runtime(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(work)
}

/// The first address that `host:port` stands for.
async fn resolve(broker: &str) -> Result<SocketAddr> {
    let mut addresses = tokio::net::lookup_host(broker)
        .await
        .with_context(|| format!("--broker {broker:?}: give host:port, for example 127.0.0.1:1883"))?;
    addresses.next().with_context(|| format!("--broker {broker:?}: the name has no address"))
}

/// Becomes true on Ctrl-C or SIGTERM.
fn stop_signal() -> Result<watch::Receiver<bool>> {
    let (stop, stopping) = watch::channel(false);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("cannot listen for SIGTERM")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        stop.send_replace(true);
    });
    Ok(stopping)
}

/// A duration as people write it: `90s`, `5m`, `1h 30m`.
fn duration(text: &str) -> Result<Duration> {
    let signed: jiff::SignedDuration =
        text.parse().with_context(|| format!("{text:?} is no duration: write 90s, 5m or 1h30m"))?;
    match Duration::try_from(signed) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => bail!("{text:?} must be more than nothing"),
    }
}
