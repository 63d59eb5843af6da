//! `fault-tree draw`: a picture of a tree.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use diagnosis::fault_tree::draw;

use crate::input::Input;
use crate::output;

/// Draws a tree with the symbols of IEC 61025, as SVG or DOT
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub input: Input,
    /// Write DOT for Graphviz
    #[arg(long)]
    dot: bool,
    /// Write the probability of each event below it
    #[arg(long)]
    probabilities: bool,
    /// File to write; by default standard output
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// # Errors
/// What is wrong with the tree, one too big to draw, or a file that cannot be read or written.
pub fn run(args: Args) -> Result<ExitCode> {
    let tree = args.input.read()?;
    let picture = if args.dot { draw::dot(&tree, args.probabilities) } else { draw::svg(&tree, args.probabilities)? };
    output::write(args.output, &picture)?;
    Ok(ExitCode::SUCCESS)
}
