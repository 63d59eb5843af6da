//! Numbers of laws and spreads within their ranges.

use crate::fault_tree::model::{Law, Spread};
use crate::fault_tree::problem::ProblemKind;

/// What is wrong with a law.
pub(in crate::fault_tree) fn wrong(law: &Law) -> Option<(ProblemKind, String)> {
    if let Law::Constant(probability) = law {
        let outside = !(0.0..=1.0).contains(probability);
        return outside
            .then(|| (ProblemKind::Probability, format!("is {probability}, a probability lies between 0 and 1")));
    }
    let reason = match *law {
        Law::Constant(_) => None,
        Law::Exponential { rate, time } => negative(&[("rate", rate), ("time", time)]),
        Law::Weibull { scale, shape, age, time } => {
            not_above(&[("scale", scale), ("shape", shape)]).or_else(|| negative(&[("age", age), ("time", time)]))
        }
        Law::Repairable { on_demand, rate, repair, time } => {
            let outside = !(0.0..=1.0).contains(&on_demand);
            let numbers = [("rate", rate), ("repair rate", repair), ("time", time)];
            let on_demand = || format!("probability on demand is {on_demand}, must lie between 0 and 1");
            negative(&numbers).or_else(|| outside.then(on_demand))
        }
        Law::PeriodicTest { rate, interval, first, time } => not_above(&[("test interval", interval)])
            .or_else(|| negative(&[("rate", rate), ("first test", first), ("time", time)])),
    };
    reason.map(|reason| (ProblemKind::Number, reason))
}

/// What is wrong with a spread.
pub(super) fn wrong_spread(spread: &Spread) -> Option<(ProblemKind, String)> {
    let reason = match *spread {
        Spread::LogNormal { error_factor } if !(error_factor >= 1.0 && error_factor.is_finite()) => {
            Some(format!("error factor is {error_factor}, must be 1 or more"))
        }
        Spread::LogNormal { .. } => None,
        Spread::Beta { alpha, beta } => not_above(&[("alpha", alpha), ("beta", beta)]),
        Spread::Uniform { min, max } if !(min <= max) => {
            Some(format!("is even from {min} to {max}: the first is less"))
        }
        Spread::Uniform { min, max } => negative(&[("least value", min), ("greatest value", max)]),
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
