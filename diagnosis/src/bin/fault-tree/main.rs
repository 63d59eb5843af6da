//! `fault-tree`: what a service engineer uses beside an editor.
//!
//! Each subcommand is a file with its arguments and what it does. Exit codes: 0 done, 1 something
//! is wrong with the input or the answer is out of reach, 2 wrong usage.

mod check;
mod convert;
mod cut_sets;
mod draw;
mod failure;
mod importance;
mod input;
mod next_step;
mod output;
mod posterior;
mod quantify;
mod solve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "fault-tree", about = "Checks, quantifies, converts and draws fault trees", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Args),
    Quantify(quantify::Args),
    CutSets(cut_sets::Args),
    Importance(importance::Args),
    Convert(convert::Args),
    Draw(draw::Args),
    Posterior(posterior::Args),
    NextStep(next_step::Args),
}

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let (json, result) = match command {
        Command::Check(args) => (args.input.json, check::run(args)),
        Command::Quantify(args) => (args.input.json, quantify::run(args)),
        Command::CutSets(args) => (args.input.json, cut_sets::run(args)),
        Command::Importance(args) => (args.input.json, importance::run(args)),
        Command::Convert(args) => (args.input.json, convert::run(args)),
        Command::Draw(args) => (args.input.json, draw::run(args)),
        Command::Posterior(args) => (args.input.json, posterior::run(args)),
        Command::NextStep(args) => (args.json, next_step::run(args)),
    };
    result.unwrap_or_else(|error| failure::report(&error, json))
}
