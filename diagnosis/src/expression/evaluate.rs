//! Typed expressions to values. Nothing here allocates.

use firmware_proto::Value;

use super::compile::{Arithmetic, Comparison, Flag, Measure, Num};
use super::slot::{Slot, SlotState};

/// Where the values of an expression come from.
pub(crate) trait Values {
    /// The last value of a datapoint, unless it is too old.
    fn datapoint(&self, index: usize) -> Option<&Value>;
    /// A slot and what it remembers.
    fn slot(&self, index: usize) -> Option<(&Slot, &SlotState)>;
    /// Device time of the sample at hand.
    fn now_ms(&self) -> i64;
    /// Since the first message of this boot.
    fn since_boot_ms(&self) -> i64;
}

pub(crate) fn number(of: &Num, values: &impl Values) -> Option<f64> {
    let value = match of {
        Num::Constant(value) => *value,
        Num::Datapoint(index) => match values.datapoint(*index)? {
            Value::Double(value) => *value,
            Value::Int(value) => *value as f64,
            _ => return None,
        },
        Num::SinceBoot => values.since_boot_ms() as f64 / 1_000.0,
        Num::Slot(index, measure) => measured(*index, *measure, values)?,
        Num::OfFlag(of) => f64::from(u8::from(flag(of, values)?)),
        Num::Negate(of) => -number(of, values)?,
        Num::Abs(of) => number(of, values)?.abs(),
        Num::Arithmetic(operator, left, right) => {
            let (left, right) = (number(left, values)?, number(right, values)?);
            match operator {
                Arithmetic::Add => left + right,
                Arithmetic::Subtract => left - right,
                Arithmetic::Multiply => left * right,
                Arithmetic::Divide => left / right,
                Arithmetic::Least => left.min(right),
                Arithmetic::Greatest => left.max(right),
            }
        }
    };
    // Division by zero, overflow and NaN make a value missing, not wrong.
    value.is_finite().then_some(value)
}

fn measured(index: usize, measure: Measure, values: &impl Values) -> Option<f64> {
    let (slot, state) = values.slot(index)?;
    match (slot, state) {
        (Slot::Held(_), SlotState::Held { since_ms, known }) => {
            let held_ms = since_ms.map_or(0, |since| values.now_ms().saturating_sub(since));
            known.then_some(held_ms as f64 / 1_000.0)
        }
        (Slot::Window { window_ms, .. }, SlotState::Window(window)) => match measure {
            Measure::Lowest => window.lowest(*window_ms),
            Measure::Highest => window.highest(*window_ms),
            Measure::Spread => Some(window.highest(*window_ms)? - window.lowest(*window_ms)?),
            Measure::Value | Measure::Mean => window.mean(*window_ms),
        },
        (Slot::Time { .. }, SlotState::Time { held_ms }) => Some(*held_ms as f64 / 1_000.0),
        (Slot::Rise { .. }, SlotState::Rise { base, last }) => Some((*last)? - (*base)?),
        _ => None,
    }
}

pub(crate) fn flag(of: &Flag, values: &impl Values) -> Option<bool> {
    match of {
        Flag::Constant(truth) => Some(*truth),
        Flag::Datapoint(index) => values.datapoint(*index)?.as_bool(),
        Flag::Not(of) => flag(of, values).map(|truth| !truth),
        Flag::And(left, right) => decided_by(false, left, right, values),
        Flag::Or(left, right) => decided_by(true, left, right, values),
        Flag::Compare(comparison, left, right) => {
            Some(compare(*comparison, number(left, values)?, number(right, values)?))
        }
        Flag::TextIs { datapoint, text, equal } => {
            Some((values.datapoint(*datapoint)?.as_str()? == text.as_str()) == *equal)
        }
        Flag::SameText { left, right, equal } => {
            Some((values.datapoint(*left)?.as_str()? == values.datapoint(*right)?.as_str()?) == *equal)
        }
        Flag::Same { left, right, equal } => Some((flag(left, values)? == flag(right, values)?) == *equal),
    }
}

/// `and` is decided by one false side, `or` by one true side, even if the other is missing.
fn decided_by(truth: bool, left: &Flag, right: &Flag, values: &impl Values) -> Option<bool> {
    let left = flag(left, values);
    if left == Some(truth) {
        return left;
    }
    let right = flag(right, values);
    if right == Some(truth) { right } else { left.and(right) }
}

/// How far from equal two numbers may be and still count as equal: sensors quantise, floats round.
const EQUAL_WITHIN: f64 = 1e-9;

fn compare(comparison: Comparison, left: f64, right: f64) -> bool {
    match comparison {
        Comparison::Less => left < right,
        Comparison::LessOrEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterOrEqual => left >= right,
        Comparison::Equal => (left - right).abs() <= EQUAL_WITHIN,
        Comparison::NotEqual => (left - right).abs() > EQUAL_WITHIN,
    }
}
