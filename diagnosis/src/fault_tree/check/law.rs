//! Numbers of laws and spreads within their ranges.

use crate::fault_tree::model::{Law, Spread};
use crate::fault_tree::problem::ProblemKind;

/// What is wrong with a law.
pub(in crate::fault_tree) fn wrong(law: &Law) -> Option<(ProblemKind, String)> {
    let error = law.probability().err()?;
    let kind = if matches!(law, Law::Constant(_)) { ProblemKind::Probability } else { ProblemKind::Number };
    Some((kind, error.to_string()))
}

/// What is wrong with a spread.
pub(super) fn wrong_spread(spread: &Spread) -> Option<(ProblemKind, String)> {
    let reason = match *spread {
        Spread::LogNormal { error_factor } if !(error_factor >= 1.0 && error_factor.is_finite()) => {
            Some(format!("error factor is {error_factor}, must be 1 or more"))
        }
        Spread::LogNormal { .. } => None,
        Spread::Beta { alpha, beta } => not_above(&[("alpha", alpha), ("beta", beta)]),
        Spread::Uniform { min, max } => negative(&[("least value", min), ("greatest value", max)])
            .or_else(|| (min > max).then(|| format!("is even from {min} to {max}: the first must be the less"))),
    };
    reason.map(|reason| (ProblemKind::Number, reason))
}

fn negative(numbers: &[(&str, f64)]) -> Option<String> {
    let wrong = numbers.iter().find(|(_, number)| !(*number >= 0.0 && number.is_finite()))?;
    Some(format!("{} is {}, must be a finite number, 0 or more", wrong.0, wrong.1))
}

fn not_above(numbers: &[(&str, f64)]) -> Option<String> {
    let wrong = numbers.iter().find(|(_, number)| !(*number > 0.0 && number.is_finite()))?;
    Some(format!("{} is {}, must be a finite number above 0", wrong.0, wrong.1))
}
