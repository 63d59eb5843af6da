//! `dispatch`: plans visits and parts from files, without a gateway.
//!
//! Each subcommand is a file with its arguments and what it does. Exit codes: 0 done, 1 something
//! is wrong with the input, 2 wrong usage.

mod draw;
mod effort;
mod formats;
mod plan;
mod replay;
mod solve;
mod stock_sim;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "dispatch", about = "Plans visits and spare parts", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Draw(draw::Draw),
    Plan(plan::PlanArguments),
    Replay(replay::Replay),
    Solve(solve::Solve),
    StockSim(stock_sim::Args),
}

fn main() -> ExitCode {
    let result: anyhow::Result<()> = match Cli::parse().command {
        Command::Draw(arguments) => draw::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Solve(arguments) => solve::run(&arguments),
        Command::StockSim(args) => stock_sim::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
