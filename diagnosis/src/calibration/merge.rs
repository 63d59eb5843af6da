//! One p-value from several that may depend on each other in ways nobody knows.
//!
//! Logs of likelihood ratios may only be added for detectors that err independently. Those that
//! watch the same channels do not: merge them first, then count the result once.

/// Keeps tangents finite; a p-value this near to 0 or 1 is no better known anyway.
const LEAST: f64 = 1e-15;

/// The Cauchy combination with equal weights (Liu & Xie 2020): the mean of tan((½ − p)π) is about
/// a standard Cauchy variable in its upper tail under any correlation of normal statistics. Values
/// outside 0..=1 and NaN are left out; None if nothing is left.
pub fn cauchy(p_values: &[f64]) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for p in p_values.iter().filter(|p| (0.0..=1.0).contains(*p)) {
        // A p-value of 1 would cancel any other one; it means "nothing seen" and is kept mild.
        let p = p.clamp(LEAST, 1.0 - 1.0 / (1.0 + p_values.len() as f64));
        // tan((½ − p)π) = cot(pπ) = 1 / (pπ) for small p, without the loss of digits.
        sum += if p < 1e-8 { 1.0 / (p * std::f64::consts::PI) } else { ((0.5 - p) * std::f64::consts::PI).tan() };
        count += 1.0;
    }
    let mean: f64 = sum / count;
    if count == 0.0 {
        return None;
    }
    let merged =
        if mean > 1e8 { 1.0 / (mean * std::f64::consts::PI) } else { 0.5 - mean.atan() / std::f64::consts::PI };
    Some(merged.clamp(LEAST, 1.0))
}
