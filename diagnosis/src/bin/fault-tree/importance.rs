//! `fault-tree importance`: how much each event matters.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use diagnosis::fault_tree::{CutSets, Diagram, Importance, Origin, QuantifyError};
use serde_json::json;

use crate::input::Input;
use crate::output;
use crate::solve::Budget;

/// Tells how much each event matters, those that matter most first
///
/// Where nothing is left of the top event without an event, its RRW is infinite; JSON, which has
/// no such number, says 0.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    budget: Budget,
}

/// What is told of one event.
struct Row {
    name: String,
    probability: f64,
    importance: Importance,
    occurrences: Option<u128>,
    fussell_vesely: Option<f64>,
}

/// Nodes that Fussell-Vesely may take: it needs a function for each event.
const FUSSELL_VESELY_NODES: usize = 3_000_000;

/// # Errors
/// What is wrong with the input, or that the budget does not do.
pub fn run(args: Args) -> Result<ExitCode> {
    let tree = args.input.read_static()?;
    let known = tree.known_probabilities()?;
    let coherent = tree.is_coherent();
    let (top, importance, occurrences, parts) = args.budget.spend(|limits| {
        let diagram = Diagram::compile(&tree.tree, limits)?;
        let sets = within_reach(CutSets::of(&diagram, limits))?;
        let few = diagnosis::fault_tree::Limits { nodes: FUSSELL_VESELY_NODES.min(limits.nodes), ..*limits };
        let parts = match &sets {
            Some(sets) if coherent => within_reach(sets.part_played(&known, &few))?,
            _ => None,
        };
        let occurrences = sets.and_then(|sets| sets.occurrences().ok());
        Ok((diagram.probability(&known), diagram.importance(&known), occurrences, parts))
    })?;
    let shown = (0..known.len()).filter(|event| !matches!(tree.origins[*event], Origin::Absorbed { .. }));
    let rows = shown.map(|event| Row {
        name: tree.tree.events[event].name.clone(),
        probability: known[event],
        importance: importance[event],
        occurrences: occurrences.as_ref().map(|all| all[event]),
        fussell_vesely: parts.as_ref().map(|all| all[event] / top),
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by(|a, b| b.importance.diagnostic.total_cmp(&a.importance.diagnostic));
    output::write(None, &if args.input.json { as_json(top, &rows) } else { as_table(top, &rows) })?;
    Ok(ExitCode::SUCCESS)
}

/// What costs too much is left out rather than all the rest with it.
fn within_reach<T>(result: Result<T, QuantifyError>) -> Result<Option<T>, QuantifyError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(QuantifyError::Budget { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn as_json(top: f64, rows: &[Row]) -> String {
    let rows = rows.iter().map(|row| {
        let Importance { birnbaum, criticality, diagnostic, achievement, reduction } = row.importance;
        json!({
            "event": row.name, "probability": row.probability, "mif": birnbaum, "cif": criticality,
            "dif": diagnostic, "raw": achievement, "rrw": finite(reduction), "fussell_vesely": row.fussell_vesely,
            "occurrences": row.occurrences.map(|count| count.to_string()),
        })
    });
    let rows: Vec<_> = rows.collect();
    format!("{}\n", json!({ "probability": top, "importance": rows }))
}

/// A ratio as JSON has it.
fn finite(ratio: f64) -> f64 {
    if ratio.is_infinite() { 0.0 } else { ratio }
}

fn as_table(top: f64, rows: &[Row]) -> String {
    let mut text = format!("P(top event) {top:e}\n");
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max("event".len());
    let _ = writeln!(
        text,
        "{:<width$} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}  cut sets",
        "event", "p", "MIF", "CIF", "DIF", "FV", "RAW", "RRW"
    );
    for row in rows {
        let Importance { birnbaum, criticality, diagnostic, achievement, reduction } = row.importance;
        let fussell_vesely = row.fussell_vesely.map_or(String::from("-"), |fv| format!("{fv:.4e}"));
        let occurrences = row.occurrences.map_or(String::from("-"), |count| count.to_string());
        let _ = writeln!(
            text,
            "{:<width$} {:>11.4e} {birnbaum:>11.4e} {criticality:>11.4e} {diagnostic:>11.4e} {fussell_vesely:>11} \
             {achievement:>11.4e} {reduction:>11.4e}  {occurrences}",
            row.name, row.probability
        );
    }
    text
}
