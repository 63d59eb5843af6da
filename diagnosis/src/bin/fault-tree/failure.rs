//! How a failure is told: in words on stderr, or as JSON on stdout.

use std::process::ExitCode;

use diagnosis::CatalogueErrors;
use diagnosis::fault_tree::draw::DrawError;
use diagnosis::fault_tree::{
    ExpandError, NoProbability, Problem, ProblemKind, Problems, QuantifyError, UncertaintyError,
};
use diagnosis::inference::{CompileError, Impossible, UnknownName};
use serde_json::{Value, json};

use crate::solve::OutOfReach;

/// Exit code: something is wrong with the input, or the answer is out of reach.
pub const INPUT: u8 = 1;
/// Exit code: wrong usage, such as a file that is not there.
const USAGE: u8 = 2;

/// Tells a failure and returns its exit code.
pub fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    if json {
        println!("{}", json!({ "error": described(error) }));
    } else {
        eprintln!("error: {error:#}");
    }
    ExitCode::from(if error.root_cause().is::<std::io::Error>() { USAGE } else { INPUT })
}

fn described(error: &anyhow::Error) -> Value {
    let mut described = json!({ "kind": kind(error), "message": format!("{error:#}") });
    if let Some(Problems(problems)) = error.downcast_ref() {
        described["problems"] = problems.iter().map(problem).collect();
    }
    if let Some(OutOfReach { bounds, .. }) = error.downcast_ref() {
        described["bounds"] = json!({ "lower": bounds.lower, "upper": bounds.upper });
    }
    described
}

/// A problem as JSON.
pub fn problem(problem: &Problem) -> Value {
    let Problem { kind, file, line, field, reason } = problem;
    json!({ "kind": kind.name(), "file": file, "line": line, "field": field, "reason": reason })
}

fn kind(error: &anyhow::Error) -> &'static str {
    if let Some(Problems(problems)) = error.downcast_ref() {
        let worst = problems.iter().find(|problem| problem.kind.is_fatal()).or(problems.first());
        return worst.map_or("input", |problem| problem.kind.name());
    }
    if error.root_cause().is::<std::io::Error>() {
        return "file";
    }
    if error.is::<NoProbability>() {
        return "no_probability";
    }
    if error.is::<CompileError>() {
        return "circuit";
    }
    if error.is::<UnknownName>() {
        return "unknown_name";
    }
    if error.is::<Impossible>() {
        return "impossible_evidence";
    }
    if error.is::<UncertaintyError>() {
        return "uncertainty";
    }
    if error.is::<CatalogueErrors>() {
        return "catalogue";
    }
    if error.is::<ExpandError>() {
        return "expansion";
    }
    if error.is::<DrawError>() {
        return ProblemKind::TooBig.name();
    }
    let out_of_reach = error.downcast_ref().map(|OutOfReach { source, .. }| source);
    match out_of_reach.or(error.downcast_ref()) {
        Some(QuantifyError::TooLarge { .. }) => "too_big",
        Some(QuantifyError::Circle) => "cycle",
        Some(QuantifyError::Dynamic { .. }) => "dynamic",
        Some(QuantifyError::Budget { .. }) => "budget",
        Some(QuantifyError::Stopped) => "stopped",
        Some(QuantifyError::TooManyCutSets) => "too_many_cut_sets",
        Some(QuantifyError::ListTooLong) => "list_too_long",
        None => "failure",
    }
}
