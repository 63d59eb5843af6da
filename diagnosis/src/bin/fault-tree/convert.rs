//! `fault-tree convert`: a tree from one format into another.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use diagnosis::fault_tree::Problems;
use diagnosis::fault_tree::exchange;

use crate::input::Input;
use crate::output;

/// Writes a tree in another format
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub input: Input,
    /// Format to write
    #[arg(long, value_enum, default_value_t = To::Toml)]
    to: To,
    /// File to write; by default standard output
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// Formats that are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum To {
    /// The catalogue's own
    Toml,
    /// Open-PSA model exchange format (XML)
    Mef,
}

/// # Errors
/// What is wrong with the tree, what the format cannot say, or a file that cannot be read or
/// written.
pub fn run(args: Args) -> Result<ExitCode> {
    let written = args.input.read_written()?;
    let text = match args.to {
        To::Toml => exchange::toml::write(&written),
        To::Mef => exchange::mef::write(&written.tree).map_err(Problems::from)?,
    };
    output::write(args.output, &text)?;
    Ok(ExitCode::SUCCESS)
}
