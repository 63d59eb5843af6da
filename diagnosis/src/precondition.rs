//! May an action be sent now?

use firmware_proto::Value;

use crate::appliance::{ApplianceType, Datapoint, Precondition, shown};
use crate::expression::compile::Comparison;
use crate::expression::evaluate::flag;
use crate::expression::{Flag, Num, Slot, SlotState, Values, number_of};

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
    let known = |(datapoint, value): (&Datapoint, &Option<Value>)| {
        value.as_ref().filter(|value| datapoint.check(value).is_ok()).map(number_of)
    };
    let numbers = ty.datapoints.iter().zip(&values).map(known).collect();
    let now = Now { values, numbers };
    if flag(&wanted.condition, &now) == Some(true) {
        return Ok(());
    }
    Err(format!("not {}: {}", wanted.name, what_fails(ty, wanted, &wanted.condition, &now)))
}

/// The part of a condition that does not hold, in words.
fn what_fails(ty: &ApplianceType, wanted: &Precondition, part: &Flag, now: &Now) -> String {
    let is = |index: &usize| {
        let value = now.values[*index].as_ref().map_or_else(|| "unknown".to_owned(), shown);
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
        Flag::TextIs { datapoint, text, equal, .. } => {
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
struct Now {
    values: Vec<Option<Value>>,
    /// As expressions compute with them; what cannot be true is missing.
    numbers: Vec<Option<f64>>,
}

impl Values for Now {
    fn datapoint(&self, index: usize) -> Option<f64> {
        *self.numbers.get(index)?
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::testing::{HIGH, thing};

    fn asked(values: &[(&str, Value)]) -> Result<(), String> {
        let latest = |name: &str| values.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
        precondition(&thing(HIGH), "reset", &latest)
    }

    #[test]
    fn each_precondition_says_what_fails() {
        let good = [("a", 0.0.into()), ("b", 1.0.into()), ("on", false.into()), ("mode", "cool".into())];
        assert_eq!(asked(&good), Ok(()));
        let cases: [(&str, Value, &str); 5] = [
            ("a", 45.0.into(), "not idle: a is 45, must be 0"),
            ("on", true.into(), "not idle: on is true, must be false"),
            ("b", 9.5.into(), "not safe: a is 0, b is 9.5; `a + b < 5` must hold"),
            ("mode", "off".into(), "not cooling: mode is \"off\", must be \"cool\""),
            ("mode", true.into(), "not cooling: mode is true, must be \"cool\""),
        ];
        for (name, value, expected) in cases {
            let mut values = good.clone();
            values.iter_mut().find(|(n, _)| *n == name).unwrap().1 = value;
            assert_eq!(asked(&values), Err(expected.to_owned()));
        }
    }

    #[test]
    fn what_is_unknown_is_unsafe() {
        assert_eq!(asked(&[("on", false.into())]), Err("not idle: a is unknown, must be 0".to_owned()));
        let catalogue = Catalogue::builtin().unwrap();
        for ty in catalogue.iter() {
            for action in ty.actions.iter().filter(|a| a.risk != crate::RiskClass::R0) {
                assert!(precondition(ty, &action.name, &|_| None).is_err(), "{} {}", ty.key, action.name);
            }
        }
    }

    #[test]
    fn an_unknown_action_is_refused() {
        let error = precondition(&thing(HIGH), "explode", &|_| None).unwrap_err();
        assert_eq!(error, "\"explode\" is no action of thing: known are reset");
    }
}
