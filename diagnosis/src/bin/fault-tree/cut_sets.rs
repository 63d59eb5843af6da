//! `fault-tree cut-sets`: which sets of events bring the top event about.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use diagnosis::fault_tree::{CutSets, Diagram};
use serde_json::json;

use crate::input::Input;
use crate::output;
use crate::solve::Budget;

/// Lists minimal cut sets, the most probable first
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub input: Input,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: usize,
    /// The smallest first instead
    #[arg(long)]
    by_order: bool,
    #[command(flatten)]
    budget: Budget,
}

/// Weight of an event where the smallest sets come first.
const ONE_EVENT: f64 = -1.0;

/// # Errors
/// What is wrong with the input, or that the budget does not do.
pub fn run(args: Args) -> Result<ExitCode> {
    let tree = args.input.read_static()?;
    let known = tree.known_probabilities();
    let known = if args.by_order { known.ok() } else { Some(known?) };
    let weights: Vec<f64> = match &known {
        Some(known) if !args.by_order => known.iter().map(|p| p.ln()).collect(),
        _ => vec![ONE_EVENT; tree.tree.events.len()],
    };
    let (count, sets) = args.budget.spend(|limits| {
        let sets = CutSets::of(&Diagram::compile(&tree.tree, limits)?, limits)?;
        let listed: Result<Vec<_>, _> = sets.ranked(&weights).take(args.limit).collect();
        Ok((sets.count()?, listed?))
    })?;
    let names = |events: &[usize]| events.iter().map(|event| tree.tree.events[*event].name.clone()).collect::<Vec<_>>();
    let probability =
        |events: &[usize]| known.as_ref().map(|known| events.iter().map(|event| known[*event]).product::<f64>());
    let text = if args.input.json {
        let listed = sets.iter().map(|set| {
            json!({ "events": names(&set.events), "order": set.events.len(), "probability": probability(&set.events) })
        });
        let listed: Vec<_> = listed.collect();
        format!("{}\n", json!({ "count": count.to_string(), "cut_sets": listed }))
    } else {
        let mut text = format!("{count} minimal cut sets, {} listed\n", sets.len());
        for set in &sets {
            let probability = probability(&set.events).map_or(String::from("-"), |p| format!("{p:.4e}"));
            let _ = writeln!(text, "{probability:>11}  {}", names(&set.events).join("  "));
        }
        text
    };
    output::write(None, &text)?;
    Ok(ExitCode::SUCCESS)
}
