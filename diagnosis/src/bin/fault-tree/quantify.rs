//! `fault-tree quantify`: how likely the top event is, and in how many ways it comes about.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use diagnosis::fault_tree::{CutSets, Diagram};
use serde_json::{Value, json};

use crate::input::Input;
use crate::output;
use crate::solve::Budget;

/// Tells the exact probability of the top event and the numbers of minimal cut sets
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub input: Input,
    /// Only the probability
    #[arg(long)]
    no_cut_sets: bool,
    #[command(flatten)]
    budget: Budget,
}

/// # Errors
/// What is wrong with the input, or that the budget does not do.
pub fn run(args: Args) -> Result<ExitCode> {
    let began = Instant::now();
    let tree = args.input.read_static()?;
    let (probability, counts) = args.budget.spend(|limits| {
        let diagram = Diagram::compile(&tree.tree, limits)?;
        let probability = tree.known_probabilities().map(|known| diagram.probability(&known));
        if args.no_cut_sets {
            return Ok((probability, None));
        }
        let sets = CutSets::of(&diagram, limits)?;
        Ok((probability, Some((sets.count()?, sets.count_by_order()?))))
    })?;
    if args.no_cut_sets {
        probability.as_ref().map_err(|missing| anyhow::anyhow!("{missing}"))?;
    }
    let probability = probability.ok();
    let seconds = began.elapsed().as_secs_f64();
    let mut text = String::new();
    if args.input.json {
        let mut answer = json!({ "probability": probability, "seconds": seconds });
        if let Some((count, by_order)) = counts {
            answer["cut_sets"] = count.to_string().into();
            answer["cut_sets_by_order"] = by_order.iter().map(|count| number(*count)).collect();
        }
        text = format!("{answer}\n");
    } else {
        match probability {
            Some(probability) => text += &format!("P(top event)      {probability:e}\n"),
            None => text += "P(top event)      not known: some events have no probability\n",
        }
        if let Some((count, by_order)) = counts {
            text += &format!("minimal cut sets  {count}\n");
            let orders = by_order.iter().enumerate().filter(|(_, count)| **count > 0);
            orders.for_each(|(index, count)| text += &format!("  of order {:>3}    {count}\n", index + 1));
        }
        text += &format!("took              {seconds:.3} s\n");
    }
    output::write(None, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// A count as a JSON number, or as text where it does not fit one.
fn number(count: u128) -> Value {
    u64::try_from(count).map_or_else(|_| count.to_string().into(), Value::from)
}
