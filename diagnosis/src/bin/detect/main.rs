//! `detect`: judges the detectors on anybody's data, without a gateway.
//!
//! Each subcommand is a file with its arguments and what it does. Exit codes: 0 done, 1 something
//! is wrong with the input, 2 wrong usage.

mod nab;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "detect", about = "Finds faults, changes and oddities in recorded channels", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Nab(nab::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Nab(args) => nab::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
