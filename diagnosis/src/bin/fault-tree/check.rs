//! `fault-tree check`: everything that is wrong with a tree.

use std::process::ExitCode;

use anyhow::Result;
use diagnosis::fault_tree::{Limits, Problems};
use serde_json::json;

use crate::failure::{self, INPUT};
use crate::input::Input;
use crate::output;

/// Tells everything that is wrong with a tree, or odd; nothing means it is sound
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub input: Input,
}

/// Diagram nodes that may be spent on finding out whether the top event is constant: a second
/// or so. Beyond that only constants are looked at.
const NODES: usize = 1_000_000;

/// # Errors
/// A file that cannot be read.
pub fn run(args: Args) -> Result<ExitCode> {
    let limits = Limits { nodes: NODES, stop: &|| false };
    let problems = match args.input.open() {
        Ok(opened) => opened.inspect(&limits),
        Err(error) => error.downcast::<Problems>()?,
    };
    let text = if args.input.json {
        let listed: Vec<_> = problems.0.iter().map(failure::problem).collect();
        format!("{}\n", json!({ "problems": listed }))
    } else {
        problems.0.iter().map(|problem| format!("{problem}\n")).collect()
    };
    output::write(None, &text)?;
    Ok(if problems.0.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(INPUT) })
}
