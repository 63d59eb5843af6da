//! May an action be sent now?

use firmware_proto::Value;

use crate::appliance::{ApplianceType, Precondition, shown};
use crate::expression::compile::Comparison;
use crate::expression::evaluate::flag;
use crate::expression::{Flag, Num, Slot, SlotState, Values};

/// Checks an action's preconditions against fresh values. A value that is missing counts against the action.
///
/// # Errors
/// The first precondition that does not hold, for example
/// `not idle: compressor_hz is 45, must be 0`; or an unknown action.
pub fn precondition(ty: &ApplianceType, action: &str, latest: &dyn Fn(&str) -> Option<Value>) -> Result<(), String> {
    let Some(action) = ty.action(action) else {
        let known: Vec<&str> = ty.actions.iter().map(|a| a.name.as_str()).collect();
        return Err(format!("{action:?} is no action of {}: known are {}", ty.key, known.join(", ")));
    };
    action.preconditions.iter().try_for_each(|precondition| check(ty, precondition, latest))
}

fn check(ty: &ApplianceType, wanted: &Precondition, latest: &dyn Fn(&str) -> Option<Value>) -> Result<(), String> {
    let mut values = vec![None; ty.datapoints.len()];
    wanted.condition.datapoints(&mut |index| values[index] = latest(&ty.datapoints[index].name));
    let now = Now(values);
    if flag(&wanted.condition, &now) == Some(true) {
        return Ok(());
    }
    Err(format!("not {}: {}", wanted.name, what_fails(ty, wanted, &wanted.condition, &now)))
}

/// The part of a condition that does not hold, in words.
fn what_fails(ty: &ApplianceType, wanted: &Precondition, part: &Flag, now: &Now) -> String {
    let is = |index: &usize| {
        let value = now.datapoint(*index).map_or_else(|| "unknown".to_owned(), shown);
        format!("{} is {value}", ty.datapoints[*index].name)
    };
    match part {
        Flag::And(left, right) if flag(left, now) == Some(true) => what_fails(ty, wanted, right, now),
        Flag::And(left, _) => what_fails(ty, wanted, left, now),
        Flag::Datapoint(index) => format!("{}, must be true", is(index)),
        Flag::Not(of) if let Flag::Datapoint(index) = &**of => format!("{}, must be false", is(index)),
        Flag::Compare(comparison, Num::Datapoint(index), Num::Constant(limit)) => {
            format!("{}, must {} {limit}", is(index), comparison_words(*comparison))
        }
        Flag::TextIs { datapoint, text, equal } => {
            format!("{}, must {} {text:?}", is(datapoint), if *equal { "be" } else { "not be" })
        }
        _ => {
            let mut parts = Vec::new();
            part.datapoints(&mut |index| parts.push(is(&index)));
            format!("{}; `{}` must hold", parts.join(", "), wanted.require)
        }
    }
}

fn comparison_words(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Less => "be below",
        Comparison::LessOrEqual => "be at most",
        Comparison::Greater => "be above",
        Comparison::GreaterOrEqual => "be at least",
        Comparison::Equal => "be",
        Comparison::NotEqual => "not be",
    }
}

/// Values at one moment, without a past.
struct Now(Vec<Option<Value>>);

impl Values for Now {
    fn datapoint(&self, index: usize) -> Option<&Value> {
        self.0.get(index)?.as_ref()
    }

    fn slot(&self, _: usize) -> Option<(&Slot, &SlotState)> {
        None
    }

    fn now_ms(&self) -> i64 {
        0
    }

    fn since_boot_ms(&self) -> i64 {
        0
    }
}
