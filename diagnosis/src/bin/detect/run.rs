//! `detect run`: scores each row of a recording.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// Score each row of a CSV file
#[derive(clap::Args)]
pub struct Args {
    /// The recording
    file: PathBuf,
}

pub fn run(args: Args) -> Result<()> {
    bail!("{}: cannot be read yet", args.file.display())
}
