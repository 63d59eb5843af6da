//! The gateway's command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gateway::certs::{self, CertsCommand};
use gateway::config::Config;
use gateway::demo::{self, DemoOptions};
use gateway::models::command::{self as models, ModelsCommand};
use gateway::serve::{self, Overrides};

/// Keeps a fleet of connected home appliances in working order.
///
/// Appliances report over MQTT; faults are diagnosed, repaired remotely where that is safe
/// and proved by later telemetry, and otherwise become work orders with technician and parts.
/// Begin with `gateway demo`.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway until Ctrl-C or SIGTERM.
    ///
    /// Without a configuration file everything has a default: state in ./state, MQTT on
    /// 127.0.0.1:1883, HTTP on 127.0.0.1:8080, gRPC on 127.0.0.1:50051. On the first start an
    /// admin token for the API is written to STATE/admin.token.
    Serve {
        /// Configuration file; see README for its keys.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        overrides: Overrides,
    },
    /// Show the whole loop on a simulated fleet, with faults injected into it.
    ///
    /// Starts a gateway on free ports with state in a temporary directory, technicians and
    /// stock, connects simulated appliances over MQTT and injects faults. The simulator
    /// keeps the truth and judges at the end. Exits with 1 if an invariant was broken.
    Demo(DemoOptions),
    /// Certificates for mutual TLS, from an authority of your own.
    ///
    /// Begin with `gateway certs init --name HOST`, HOST being the name by which devices reach the gateway.
    #[command(subcommand)]
    Certs(CertsCommand),
    /// Learnt models: train from history, evaluate, promote, roll back.
    ///
    /// Begin with `gateway models train --state DIR`; it may run beside the gateway.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Check a configuration file and the catalogue it names, and say everything that is wrong.
    CheckConfig {
        /// Configuration file.
        #[arg(value_name = "FILE", default_value = "gateway.toml")]
        file: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve { config, overrides } => {
            serve::run(config.as_deref(), &overrides).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Demo(options) => demo::run(options).await,
        Command::Certs(command) => make_certs(&command),
        Command::Models(command) => models::run(command).await.map(|()| ExitCode::SUCCESS),
        Command::CheckConfig { file } => check_config(&file),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

fn make_certs(command: &CertsCommand) -> anyhow::Result<ExitCode> {
    print!("{}", certs::run(command)?);
    Ok(ExitCode::SUCCESS)
}

fn check_config(file: &std::path::Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(file)?;
    let catalogue = gateway::app::load_catalogue(&config)?;
    let types: Vec<&str> = catalogue.iter().map(|ty| ty.key.as_str()).collect();
    println!("{}: ok; appliance types: {}", file.display(), types.join(", "));
    Ok(ExitCode::SUCCESS)
}
