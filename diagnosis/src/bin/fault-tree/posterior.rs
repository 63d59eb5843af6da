//! `fault-tree posterior`: how likely every event and gate is, given what was seen.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use diagnosis::fault_tree::{CutSets, Diagram, Limits, Origin, StaticTree, expand};
use diagnosis::inference::{Circuit, Evidence, Named, ObservedTree, Scratch, Weights};
use serde_json::{Value, json};

use crate::input::Input;
use crate::output;

/// Tells how likely every event and gate is, given evidence
///
/// In the folder of an appliance type the catalogue's detectors tell of the tree; of any other
/// tree events and gates themselves can be known.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub input: Input,
    /// What is known, as name=state: a symptom, gate or event that is present or absent
    #[arg(long, value_delimiter = ',', value_name = "NAME=STATE")]
    evidence: Vec<String>,
    /// Which evidence moved the likeliest events by how much, and which cut sets remain
    #[arg(long)]
    explain: bool,
}

/// Events that are explained.
const EXPLAINED: usize = 5;

/// Cut sets that are weighed and listed; nodes that may be spent on finding them.
const CUT_SETS: usize = 10;
const NODES: usize = 1_000_000;

/// # Errors
/// Input that cannot be read or compiled, evidence about nothing, evidence that cannot happen.
pub fn run(args: Args) -> Result<ExitCode> {
    let mut observed = observed(&args.input)?;
    let evidence = evidence(&mut observed, &args.evidence)?;
    let circuit = Circuit::compile(&observed)?;
    let told = Told { observed: &observed, circuit: &circuit, evidence: &evidence };
    let answer = told.answer(args.explain)?;
    let text = if args.input.json { format!("{answer}\n") } else { told.text(&answer) };
    output::write(None, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// The tree with what can be observed of it.
fn observed(input: &Input) -> Result<ObservedTree> {
    if let Some(ty) = input.appliance_type()? {
        return Ok(ty.observed_tree().clone());
    }
    let StaticTree { tree, probabilities, origins } = expand(&input.read()?)?;
    let mut priors = Vec::new();
    for (index, probability) in probabilities.iter().enumerate() {
        let absorbed = matches!(origins[index], Origin::Absorbed { .. });
        let prior = probability.or(absorbed.then_some(0.0));
        priors.push(
            prior.with_context(|| format!("event {:?} has no probability: give it one", tree.events[index].name))?,
        );
    }
    Ok(ObservedTree { tree, priors, symptoms: Vec::new() })
}

fn evidence(observed: &mut ObservedTree, written: &[String]) -> Result<Evidence> {
    let mut known: Vec<(usize, Weights)> = Vec::new();
    for text in written {
        let Some((name, state)) = text.split_once('=') else {
            bail!("--evidence {text}: write name=present or name=absent");
        };
        let weights = match state {
            "present" | "true" => Weights::PRESENT,
            "absent" | "false" => Weights::ABSENT,
            "unknown" => Weights::UNKNOWN,
            _ => bail!("--evidence {text}: {state:?} is no state; write present, absent or unknown"),
        };
        let symptom = match observed.find(name).with_context(|| format!("--evidence {text}"))? {
            Named::Symptom(symptom) => symptom,
            Named::Node(node) => observed.watch(name, node),
        };
        known.push((symptom, weights));
    }
    let mut evidence = Evidence::unknown(observed.symptoms.len());
    known.into_iter().for_each(|(symptom, weights)| evidence.set_symptom(symptom, weights));
    Ok(evidence)
}

/// What is asked, and of what.
struct Told<'a> {
    observed: &'a ObservedTree,
    circuit: &'a Circuit,
    evidence: &'a Evidence,
}

impl Told<'_> {
    fn answer(&self, explain: bool) -> Result<Value> {
        let Self { observed: ObservedTree { tree, priors, .. }, circuit, evidence } = *self;
        let mut scratch = circuit.scratch();
        let before = circuit.posterior(&Evidence::default(), &mut scratch)?.gates().to_vec();
        let posterior = circuit.posterior(evidence, &mut scratch)?;
        let log_evidence = posterior.log_evidence();
        let events = posterior.events().to_vec();
        let gates = posterior.gates().to_vec();
        let row =
            |name: &str, prior: f64, posterior: f64| json!({ "name": name, "prior": prior, "posterior": posterior });
        let of_event = |index: usize| row(&tree.events[index].name, priors[index], events[index]);
        let mut answer = json!({
            "evidence": { "probability": log_evidence.exp(), "log_probability": log_evidence },
            "top": row(&tree.gates[tree.top].name, before[tree.top], gates[tree.top]),
            "events": by_falling(&events).into_iter().map(of_event).collect::<Vec<_>>(),
            "gates": by_falling(&gates).into_iter().map(|i| row(&tree.gates[i].name, before[i], gates[i])).collect::<Vec<_>>(),
        });
        if explain {
            answer["moved"] = self.moved(&events, &mut scratch);
            answer["cut_sets"] = self.cut_sets(&events, &mut scratch)?;
        }
        Ok(answer)
    }

    /// For the likeliest events: what each observation added to the log of their odds.
    fn moved(&self, events: &[f64], scratch: &mut Scratch) -> Value {
        let likeliest = by_falling(events).into_iter().take(EXPLAINED);
        let moved = likeliest.map(|event| {
            let shifts = self.circuit.shifts(self.evidence, event, scratch);
            let known = (0..shifts.len()).filter(|symptom| self.evidence.symptom(*symptom) != Weights::UNKNOWN);
            let mut by: Vec<(usize, f64)> = known.map(|symptom| (symptom, shifts[symptom])).collect();
            by.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
            let by = by.into_iter().map(|(symptom, shift)| {
                let present = self.evidence.symptom(symptom) == Weights::PRESENT;
                // Infinite where the observation alone decides; JSON knows no such number.
                let log_odds = if shift.is_finite() {
                    json!(shift)
                } else {
                    json!(if shift > 0.0 { "decides for" } else { "decides against" })
                };
                json!({ "name": self.observed.symptoms[symptom].name, "present": present, "log_odds": log_odds })
            });
            json!({ "event": self.observed.tree.events[event].name, "by": by.collect::<Vec<_>>() })
        });
        moved.collect()
    }

    /// The likeliest minimal cut sets, each with the probability that all its events are there.
    fn cut_sets(&self, events: &[f64], scratch: &mut Scratch) -> Result<Value> {
        let tree = &self.observed.tree;
        let limits = Limits { nodes: NODES, stop: &|| false };
        let sets = CutSets::of(&Diagram::compile(tree, &limits)?, &limits)?;
        let weights: Vec<f64> = events.iter().map(|p| p.clamp(f64::MIN_POSITIVE, 1.0).ln()).collect();
        let mut listed: Vec<(f64, Vec<usize>)> = Vec::new();
        for set in sets.ranked(&weights).take(CUT_SETS) {
            let events = set?.events;
            listed.push((self.circuit.joint(self.evidence, &events, scratch)?, events));
        }
        listed.retain(|(probability, _)| *probability > 0.0);
        listed.sort_by(|a, b| b.0.total_cmp(&a.0));
        let named = |events: &[usize]| events.iter().map(|event| tree.events[*event].name.clone()).collect::<Vec<_>>();
        Ok(listed
            .iter()
            .map(|(probability, events)| json!({ "events": named(events), "probability": probability }))
            .collect())
    }

    fn text(&self, answer: &Value) -> String {
        let mut text = format!("P(evidence) = {}\n", answer["evidence"]["probability"]);
        for (title, rows) in [("event", &answer["events"]), ("gate", &answer["gates"])] {
            let _ = writeln!(text, "\n{title:<40} {:>12} {:>12}", "prior", "posterior");
            for row in rows.as_array().into_iter().flatten() {
                let number = |field: &str| row[field].as_f64().unwrap_or(f64::NAN);
                let _ = writeln!(
                    text,
                    "{:<40} {:>12.4e} {:>12.4e}",
                    row["name"].as_str().unwrap_or_default(),
                    number("prior"),
                    number("posterior")
                );
            }
        }
        for moved in answer["moved"].as_array().into_iter().flatten() {
            let _ = writeln!(text, "\nlog odds of {} moved by", moved["event"].as_str().unwrap_or_default());
            for by in moved["by"].as_array().into_iter().flatten() {
                let state = if by["present"] == true { "present" } else { "not present" };
                let shift = by["log_odds"].as_f64().map_or_else(
                    || by["log_odds"].as_str().unwrap_or_default().to_owned(),
                    |shift| format!("{shift:+.3}"),
                );
                let _ = writeln!(text, "  {:<38} {state:>12} {shift:>12}", by["name"].as_str().unwrap_or_default());
            }
        }
        if let Some(sets) = answer["cut_sets"].as_array() {
            let _ = writeln!(text, "\ncut sets that remain, and the probability that all their events are there");
            for set in sets {
                let names: Vec<&str> =
                    set["events"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let _ = writeln!(
                    text,
                    "  {:>12.4e}  {}",
                    set["probability"].as_f64().unwrap_or(f64::NAN),
                    names.join(" + ")
                );
            }
        }
        text
    }
}

/// Indices, the greatest number first.
fn by_falling(numbers: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*b].total_cmp(&numbers[*a]));
    order
}
