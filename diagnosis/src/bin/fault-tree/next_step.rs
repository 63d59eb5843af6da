//! `fault-tree next-step`: what to do next about an appliance, by expected cost.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use diagnosis::next_step::{Known, NextStep, next_steps};
use diagnosis::{ApplianceType, Diagnosis, RiskClass, Tried, diagnose_symptoms};
use serde_json::json;

use crate::{input, output};

/// Ranks what can be done next about an appliance, by expected cost
#[derive(clap::Args)]
pub struct Args {
    /// Folder of an appliance type in the catalogue, or its faults.toml
    path: PathBuf,
    /// What is known, as symptom=present or symptom=absent
    #[arg(long, value_delimiter = ',', value_name = "SYMPTOM=STATE")]
    evidence: Vec<String>,
    /// Steps that were answered, as step=yes or step=no
    #[arg(long, value_delimiter = ',', value_name = "STEP=ANSWER")]
    answer: Vec<String>,
    /// Remote repairs that were tried and did not help, each as often as it was tried
    #[arg(long, value_delimiter = ',', value_name = "REPAIR")]
    tried: Vec<String>,
    /// Steps that are ruled out
    #[arg(long, value_delimiter = ',', value_name = "STEP")]
    veto: Vec<String>,
    /// A technician is there
    #[arg(long)]
    on_site: bool,
    /// Machine-readable output
    #[arg(long)]
    pub json: bool,
}

/// # Errors
/// A type that cannot be read, or names that it does not know.
pub fn run(args: Args) -> Result<ExitCode> {
    let ty = &*input::appliance_type(&args.path)?;
    let symptoms = states(&args.evidence, "--evidence", ["present", "absent"])?;
    let answers = states(&args.answer, "--answer", ["yes", "no"])?;
    check_names(ty, &args, &symptoms, &answers)?;
    let tried: Vec<Tried> = args.tried.iter().map(|repair| Tried { repair: repair.clone(), verified: false }).collect();
    let diagnosis = diagnose_symptoms(ty, &symptoms);
    let lockout = ty.lockout_symptoms().any(|key| symptoms.iter().any(|(name, present)| *present && name == key));
    let known = Known {
        tried: &tried,
        answers: &answers,
        vetoed: &args.veto,
        most_risk: RiskClass::R2,
        lockout,
        on_site: args.on_site,
    };
    let steps = next_steps(ty, &diagnosis, &known)?;
    output::write(None, &if args.json { machine(&diagnosis, &steps) } else { text(&diagnosis, &steps) })?;
    Ok(ExitCode::SUCCESS)
}

/// `name=state` pairs, where a state is one of two.
fn states(written: &[String], option: &str, [yes, no]: [&str; 2]) -> Result<Vec<(String, bool)>> {
    let each = written.iter().map(|text| match text.split_once('=') {
        Some((name, state)) if state == yes => Ok((name.to_owned(), true)),
        Some((name, state)) if state == no => Ok((name.to_owned(), false)),
        _ => bail!("{option} {text}: write name={yes} or name={no}"),
    });
    each.collect()
}

/// Misspelt names would be passed over in silence.
fn check_names(ty: &ApplianceType, args: &Args, symptoms: &[(String, bool)], answers: &[(String, bool)]) -> Result<()> {
    let known = |option: &str, name: &str, mut names: Vec<&str>| {
        if names.contains(&name) {
            return Ok(());
        }
        names.sort_unstable();
        bail!("{option} {name}: {} knows {}", ty.key, names.join(", "))
    };
    let repairs = || ty.repairs.iter().map(|repair| repair.key.as_str());
    let steps = || ty.steps.iter().map(|step| step.key.as_str());
    symptoms.iter().try_for_each(|(name, _)| known("--evidence", name, ty.symptoms().map(|(key, _)| key).collect()))?;
    answers.iter().try_for_each(|(name, _)| known("--answer", name, steps().collect()))?;
    args.tried.iter().try_for_each(|name| known("--tried", name, repairs().collect()))?;
    let causes = || ty.causes.iter().map(|cause| cause.key.as_str());
    args.veto.iter().try_for_each(|name| known("--veto", name, repairs().chain(steps()).chain(causes()).collect()))
}

fn machine(diagnosis: &Diagnosis, steps: &[NextStep]) -> String {
    let likely: Vec<_> = diagnosis.ranked.iter().take(LIKELY).collect();
    let answer = json!({ "fault_probability": diagnosis.fault_probability, "causes": likely, "steps": steps });
    format!("{answer}\n")
}

/// Causes that are told beside the steps.
const LIKELY: usize = 5;

fn text(diagnosis: &Diagnosis, steps: &[NextStep]) -> String {
    let mut text = format!("{}\n", diagnosis.explanation);
    for step in steps {
        let cost =
            step.expected_cost_cents.map_or_else(|| "ruled out".to_owned(), |cents| format!("{:.2}", cents / 100.0));
        let why = step.ruled_out.as_ref().unwrap_or(&step.why);
        let _ = write!(text, "\n{cost:>10}  {}: {}\n{:12}{why}\n", step.key, step.text, "");
    }
    text
}
