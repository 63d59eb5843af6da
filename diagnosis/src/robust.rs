//! Location and scale that a few wild values do not move.

/// Turns a median absolute deviation into the standard deviation of a normal distribution
/// (1 / Φ⁻¹(3/4); Rousseeuw & Croux 1993).
const NORMAL: f64 = 1.482_602_218_505_602;

/// Centre and spread of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The median, in the sample's unit.
    pub centre: f64,
    /// The median absolute deviation, scaled to be the standard deviation of normal data, in the
    /// sample's unit. 0 if half of the sample is one value.
    pub spread: f64,
}

/// Median and scaled median absolute deviation of the finite values; None without any. Leaves
/// `values` in another order, without those that are not finite.
pub fn scale(values: &mut Vec<f64>) -> Option<Scale> {
    values.retain(|value| value.is_finite());
    let centre = quantile(values, 0.5)?;
    let mut distances: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    let spread = NORMAL * quantile(&mut distances, 0.5)?;
    Some(Scale { centre, spread })
}

/// The value below which the part `p` (0 to 1) of the sample lies, linear between neighbours (type
/// 7 of Hyndman & Fan 1996); None for an empty sample. Leaves `values` in another order.
pub fn quantile(values: &mut [f64], p: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let at = p.clamp(0.0, 1.0) * last as f64;
    let (_, low, above) = values.select_nth_unstable_by(at.floor() as usize, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some(low + (high - low) * at.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(&mut [4.0, 1.0, 3.0, 2.0], 0.5), Some(2.5));
        assert_eq!(quantile(&mut [4.0, 1.0, 3.0, 2.0], 1.0), Some(4.0));
        assert_eq!(quantile(&mut [], 0.5), None);
    }

    #[test]
    fn one_wild_value_moves_nothing() {
        let mut values = vec![1.0, 2.0, 3.0, 4.0, f64::NAN, 1e9];
        let scale = scale(&mut values).unwrap();
        assert_eq!(scale.centre, 3.0);
        assert!((scale.spread - NORMAL).abs() < 1e-12);
    }
}
