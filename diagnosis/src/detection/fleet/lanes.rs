//! One number for each channel, in a width that vector instructions like.

use super::schema::MAX_CHANNELS;

/// Channels a schema does not use stay 0.
pub(super) type Lanes = [f32; MAX_CHANNELS];

/// A row-major square matrix over lanes; symmetric wherever it is used.
pub(super) type Square = [Lanes; MAX_CHANNELS];

pub(super) const ZERO: Lanes = [0.0; MAX_CHANNELS];

/// A loop, not `from_fn`: it is always inlined and becomes vector instructions.
#[inline(always)]
pub(super) fn lanes(mut of: impl FnMut(usize) -> f32) -> Lanes {
    let mut values = ZERO;
    for (channel, value) in values.iter_mut().enumerate() {
        *value = of(channel);
    }
    values
}

/// A bit for each channel of which `is` holds.
#[inline(always)]
pub(super) fn bits(mut is: impl FnMut(usize) -> bool) -> u8 {
    let mut bits = 0;
    for channel in 0..MAX_CHANNELS {
        bits |= u8::from(is(channel)) << channel;
    }
    bits
}

#[inline(always)]
pub(super) fn sum(values: &Lanes) -> f32 {
    let [a, b, c, d, e, f, g, h] = values;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// The larger of two; the second if one is NaN. `f32::max` takes more instructions to be right about NaN.
#[inline(always)]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The smaller of two; the second if one is NaN.
#[inline(always)]
pub(super) fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[inline(always)]
pub(super) fn largest(values: &Lanes) -> f32 {
    let half = lanes(|c| larger(values[c], values[c ^ 4]));
    let quarter = lanes(|c| larger(half[c], half[c ^ 2]));
    larger(quarter[0], quarter[1])
}

/// A symmetric matrix times a vector, column by column.
#[inline(always)]
pub(super) fn times(matrix: &Square, vector: &Lanes) -> Lanes {
    let mut product = ZERO;
    for (column, factor) in matrix.iter().zip(vector) {
        for (sum, entry) in product.iter_mut().zip(column) {
            *sum += entry * factor;
        }
    }
    product
}
