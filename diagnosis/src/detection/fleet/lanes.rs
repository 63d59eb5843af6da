//! One number for each channel, in a width that vector instructions like.

use super::schema::MAX_CHANNELS;

/// Channels a schema does not use stay 0.
pub(super) type Lanes = [f32; MAX_CHANNELS];

/// A row-major square matrix over lanes; symmetric wherever it is used.
pub(super) type Square = [Lanes; MAX_CHANNELS];

pub(super) const ZERO: Lanes = [0.0; MAX_CHANNELS];

#[inline(always)]
pub(super) fn lanes(of: impl FnMut(usize) -> f32) -> Lanes {
    std::array::from_fn(of)
}

#[inline(always)]
pub(super) fn sum(values: &Lanes) -> f32 {
    let four: [f32; 4] = std::array::from_fn(|i| values[i] + values[i + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

#[inline(always)]
pub(super) fn largest(values: &Lanes) -> f32 {
    let four: [f32; 4] = std::array::from_fn(|i| values[i].max(values[i + 4]));
    four[0].max(four[2]).max(four[1].max(four[3]))
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
