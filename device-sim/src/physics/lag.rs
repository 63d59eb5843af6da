//! First-order lag: how masses, rotors and filters follow what drives them.

/// `value` after `dt_s` on its way to `target` with time constant `tau_s`.
/// For steps far below the time constant; it is exact enough up to one third of it.
pub(super) fn lag(value: f64, target: f64, dt_s: f64, tau_s: f64) -> f64 {
    // Padé (0,1) of the exponential: stable for any step, and cheaper than exp.
    value + (target - value) * (dt_s / (tau_s + dt_s))
}
