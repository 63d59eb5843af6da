//! `fault-tree quantify`: how likely the top event is, and in how many ways it comes about.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use diagnosis::fault_tree::{
    CutSets, Diagram, Limits, NoProbability, QuantifyError, Sampling, StaticTree, Uncertainty, UncertaintyError,
    propagate,
};
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
    /// Also how uncertain the probability is, from so many draws of the events' spreads
    #[arg(long, value_name = "TRIALS")]
    trials: Option<usize>,
    /// The same seed draws the same
    #[arg(long, default_value_t = 1, requires = "trials")]
    seed: u64,
    #[command(flatten)]
    budget: Budget,
}

/// What is told.
struct Answer {
    probability: Result<f64, NoProbability>,
    uncertainty: Option<Result<Uncertainty, UncertaintyError>>,
    /// Minimal cut sets: all, and by order from 1 on.
    counts: Option<(u128, Vec<u128>)>,
}

/// # Errors
/// What is wrong with the input, or that the budget does not do.
pub fn run(args: Args) -> Result<ExitCode> {
    let began = Instant::now();
    let tree = args.input.read_static()?;
    let answer = args.budget.spend(|limits| answer(&args, &tree, limits));
    let mut answer = answer.map_err(|error| args.budget.with_bounds(error, &tree))?;
    if args.no_cut_sets || args.trials.is_some() {
        answer.probability.clone()?;
    }
    let uncertainty = answer.uncertainty.take().transpose()?;
    let seconds = began.elapsed().as_secs_f64();
    let told =
        if args.input.json { as_json(&answer, uncertainty, seconds) } else { as_text(&answer, uncertainty, seconds) };
    output::write(None, &told)?;
    Ok(ExitCode::SUCCESS)
}

fn answer(args: &Args, tree: &StaticTree, limits: &Limits<'_>) -> Result<Answer, QuantifyError> {
    let diagram = Diagram::compile(&tree.tree, limits)?;
    let known = tree.known_probabilities();
    let probability = known.clone().map(|known| diagram.probability(&known));
    let uncertainty = args.trials.zip(known.ok()).map(|(trials, known)| {
        let sampling = Sampling { trials, seed: args.seed };
        propagate(&tree.tree.events, &known, sampling, limits.stop, &mut |drawn| diagram.probability(drawn))
    });
    let counts = if args.no_cut_sets {
        None
    } else {
        let sets = CutSets::of(&diagram, limits)?;
        Some((sets.count()?, sets.count_by_order()?))
    };
    Ok(Answer { probability, uncertainty, counts })
}

fn as_json(answer: &Answer, uncertainty: Option<Uncertainty>, seconds: f64) -> String {
    let mut told = json!({ "probability": answer.probability.as_ref().ok(), "seconds": seconds });
    if let Some((count, by_order)) = &answer.counts {
        told["cut_sets"] = count.to_string().into();
        told["cut_sets_by_order"] = by_order.iter().map(|count| number(*count)).collect();
    }
    if let Some(of_draws) = uncertainty {
        let Uncertainty { trials, mean, mean_interval, deviation, p05, median, p95, error_factor, cut } = of_draws;
        told["uncertainty"] = json!({
            "trials": trials, "mean": mean, "mean_interval": mean_interval, "deviation": deviation, "p05": p05,
            "median": median, "p95": p95, "error_factor": error_factor, "cut": cut,
        });
    }
    format!("{told}\n")
}

fn as_text(answer: &Answer, uncertainty: Option<Uncertainty>, seconds: f64) -> String {
    let mut text = match &answer.probability {
        Ok(probability) => format!("P(top event)      {probability:e}\n"),
        Err(missing) => format!("P(top event)      not known: {missing}\n"),
    };
    if let Some(Uncertainty { mean, p05, median, p95, trials, .. }) = uncertainty {
        let _ =
            writeln!(text, "  5, 50, 95 %     {p05:.4e}  {median:.4e}  {p95:.4e}, mean {mean:.4e} of {trials} draws");
    }
    if let Some((count, by_order)) = &answer.counts {
        let _ = writeln!(text, "minimal cut sets  {count}");
        for (index, count) in by_order.iter().enumerate().filter(|(_, count)| **count > 0) {
            let _ = writeln!(text, "  of order {:>3}    {count}", index + 1);
        }
    }
    let _ = writeln!(text, "took              {seconds:.3} s");
    text
}

/// A count as a JSON number, or as text where it does not fit one.
fn number(count: u128) -> Value {
    u64::try_from(count).map_or_else(|_| count.to_string().into(), Value::from)
}
