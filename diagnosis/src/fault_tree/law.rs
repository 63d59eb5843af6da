//! The probability of an event from its law: the built-in distributions of the Open-PSA Model
//! Exchange Format, with the numbers that SCRAM 0.16.2 gives.

use super::Law;

/// A law that is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LawError {
    /// A parameter outside its range.
    #[error("{parameter} is {value}; it must be {expected}")]
    OutOfRange {
        /// Which parameter.
        parameter: &'static str,
        /// What was given.
        value: f64,
        /// What would be right.
        expected: &'static str,
    },
}

impl Law {
    /// The probability that the event is there, in `[0, 1]`. Rates however small keep their digits.
    ///
    /// # Errors
    /// A parameter is out of its range or no number.
    pub fn probability(&self) -> Result<f64, LawError> {
        self.check()?;
        Ok(match *self {
            Law::Constant(probability) => probability,
            Law::Exponential { rate, time } => failed(rate * time),
            Law::Weibull { scale, shape, age, time } => failed(weibull_hazard(scale, shape, age, time)),
            Law::Repairable { on_demand, rate, repair, time } => repairable(on_demand, rate, repair, time),
            Law::PeriodicTest { rate, interval, first, time } => failed(rate * untested(interval, first, time)),
        })
    }

    /// The hazard gathered over the mission, `-ln(1 - probability)`, if the law is a life: the event
    /// happens at some moment, stays, and may still come after the mission.
    ///
    /// # Errors
    /// A parameter is out of its range or no number.
    pub(super) fn cumulative_hazard(&self) -> Result<Option<f64>, LawError> {
        self.check()?;
        Ok(match *self {
            Law::Exponential { rate, time } => Some(rate * time),
            Law::Weibull { scale, shape, age, time } => Some(weibull_hazard(scale, shape, age, time)),
            Law::Constant(_) | Law::Repairable { .. } | Law::PeriodicTest { .. } => None,
        })
    }

    fn check(&self) -> Result<(), LawError> {
        match *self {
            Law::Constant(probability) => within_one("probability", probability),
            Law::Exponential { rate, time } => {
                not_negative("failure rate", rate)?;
                not_negative("mission time", time)
            }
            Law::Weibull { scale, shape, age, time } => {
                positive("Weibull scale", scale)?;
                positive("Weibull shape", shape)?;
                not_negative("age", age)?;
                not_negative("mission time", time)
            }
            Law::Repairable { on_demand, rate, repair, time } => {
                within_one("probability of failing on demand", on_demand)?;
                not_negative("failure rate", rate)?;
                not_negative("repair rate", repair)?;
                not_negative("mission time", time)
            }
            Law::PeriodicTest { rate, interval, first, time } => {
                not_negative("failure rate", rate)?;
                positive("test interval", interval)?;
                not_negative("time of the first test", first)?;
                not_negative("mission time", time)
            }
        }
    }
}

/// `1 - exp(-hazard)`.
pub(super) fn failed(hazard: f64) -> f64 {
    -(-hazard).exp_m1()
}

/// `((age + time) / scale)^shape - (age / scale)^shape`, without the difference of near equals that
/// a short mission late in life would make of it.
fn weibull_hazard(scale: f64, shape: f64, age: f64, time: f64) -> f64 {
    if time == 0.0 {
        return 0.0;
    }
    let whole = (age / scale + time / scale).powf(shape);
    let share = failed(shape * (time / age).ln_1p());
    // Infinity times a share that vanished is no number, and `max` takes the other side then.
    (whole * share).max(0.0)
}

fn repairable(on_demand: f64, rate: f64, repair: f64, time: f64) -> f64 {
    let both = rate + repair;
    if both == 0.0 {
        return on_demand;
    }
    let changes = rate * time + repair * time;
    let probability = on_demand * (-changes).exp() + rate / both * failed(changes);
    // Rounding may lift a sum of shares of one above one.
    probability.min(1.0)
}

/// Time since the last test; just before a test, not just after it, when `time` meets one.
fn untested(interval: f64, first: f64, time: f64) -> f64 {
    if time <= first {
        return time;
    }
    let since_first = time - first;
    let rest = since_first % interval;
    // A multiple of the interval may miss by rounding, and would pass for freshly tested.
    if rest <= since_first * 4.0 * f64::EPSILON { interval } else { rest }
}

pub(super) fn within_one(parameter: &'static str, value: f64) -> Result<(), LawError> {
    let fits = (0.0..=1.0).contains(&value);
    require(fits, parameter, value, "between 0 and 1")
}

fn positive(parameter: &'static str, value: f64) -> Result<(), LawError> {
    require(value > 0.0 && value.is_finite(), parameter, value, "above 0 and finite")
}

fn not_negative(parameter: &'static str, value: f64) -> Result<(), LawError> {
    require(value >= 0.0 && value.is_finite(), parameter, value, "0 or above and finite")
}

fn require(fits: bool, parameter: &'static str, value: f64, expected: &'static str) -> Result<(), LawError> {
    if fits { Ok(()) } else { Err(LawError::OutOfRange { parameter, value, expected }) }
}

#[cfg(test)]
mod tests;
