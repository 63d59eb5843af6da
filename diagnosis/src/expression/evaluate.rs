//! Typed expressions to values. Nothing here allocates.

use firmware_proto::Value;

use super::compile::{Arithmetic, Comparison, Flag, Measure, Num};
use super::slot::{Slot, SlotState, Truth};

/// Where the values of an expression come from.
pub(crate) trait Values {
    /// The last value of a datapoint as [`number_of`] has it, unless it is too old; finite.
    fn datapoint(&self, index: usize) -> Option<f64>;
    /// A slot and what it remembers.
    fn slot(&self, index: usize) -> Option<(&Slot, &SlotState)>;
    /// Device time of the sample at hand.
    fn now_ms(&self) -> i64;
    /// Since the first message of this boot.
    fn since_boot_ms(&self) -> i64;
}

/// A value as expressions compute with it: truth as 0 or 1, a text as a number that stands for
/// it, since texts are only ever compared. Two texts share one by chance once in 2^52.
pub(crate) fn number_of(value: &Value) -> f64 {
    match value {
        Value::Double(value) => *value,
        Value::Int(value) => *value as f64,
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        Value::Text(text) => text_number(text),
    }
}

/// Its upper bits: those that a float holds exactly.
pub(crate) fn text_number(text: &str) -> f64 {
    (fnv1a(text) >> 12) as f64
}

/// FNV-1a, 64 bit.
pub(crate) fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Most numbers stand alone: those take no further call.
#[inline]
pub(crate) fn number(of: &Num, values: &impl Values) -> Option<f64> {
    match of {
        Num::Constant(value) => Some(*value),
        Num::Datapoint(index) => values.datapoint(*index),
        _ => computed(of, values),
    }
}

fn computed(of: &Num, values: &impl Values) -> Option<f64> {
    let value = match of {
        Num::Constant(_) | Num::Datapoint(_) => return number(of, values),
        Num::SinceBoot => values.since_boot_ms() as f64 / 1_000.0,
        Num::Slot(index, measure) => return measured(*index, *measure, values),
        Num::OfFlag(of) => return flag(of, values).map(|truth| f64::from(u8::from(truth))),
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
        (Slot::Held(_), SlotState::Held { seconds, was }) => (*was != Truth::Missing).then_some(f64::from(*seconds)),
        (Slot::Mean { window_ms, .. }, SlotState::Mean(sums)) => match measure {
            Measure::Rate => sums.slope_per_minute(*window_ms),
            _ => sums.mean(*window_ms),
        },
        (Slot::Range { window_ms, .. }, SlotState::Range(extremes)) => match measure {
            Measure::Lowest => extremes.lowest(*window_ms),
            Measure::Highest => extremes.highest(*window_ms),
            _ => Some(extremes.highest(*window_ms)? - extremes.lowest(*window_ms)?),
        },
        (Slot::Starts { window_ms, .. }, SlotState::Starts(starts)) => starts.counts.total(*window_ms),
        (Slot::Time { .. }, SlotState::Time { seconds }) => Some(f64::from(*seconds)),
        (Slot::Rise { .. }, SlotState::Rise { risen, known, .. }) => known.then_some(f64::from(*risen)),
        (Slot::Run { .. }, SlotState::Run { last, known, .. }) => known.then_some(f64::from(*last)),
        _ => None,
    }
}

pub(crate) fn flag(of: &Flag, values: &impl Values) -> Option<bool> {
    match of {
        Flag::Constant(truth) => Some(*truth),
        Flag::Datapoint(index) => Some(values.datapoint(*index)? == 1.0),
        Flag::Not(of) => flag(of, values).map(|truth| !truth),
        Flag::And(left, right) => decided_by(false, left, right, values),
        Flag::Or(left, right) => decided_by(true, left, right, values),
        Flag::Compare(comparison, left, right) => {
            Some(compare(*comparison, number(left, values)?, number(right, values)?))
        }
        Flag::TextIs { datapoint, number, equal, .. } => Some((values.datapoint(*datapoint)? == *number) == *equal),
        Flag::SameText { left, right, equal } => {
            Some((values.datapoint(*left)? == values.datapoint(*right)?) == *equal)
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
