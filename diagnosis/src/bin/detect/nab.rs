//! `detect nab`: scores the series of the Numenta Anomaly Benchmark.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// Score the series of a folder in the layout of the Numenta Anomaly Benchmark
#[derive(clap::Args)]
pub struct Args {
    /// The folder
    folder: PathBuf,
}

pub fn run(args: Args) -> Result<()> {
    bail!("{}: cannot be read yet", args.folder.display())
}
