//! Numbers whose exponent does not run out.

use std::ops::{Add, Mul};

/// At least 0: `mantissa * 2^(512 * step)`, with the mantissa from 2^-256 up to 2^256, or 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Wide {
    mantissa: f64,
    step: i32,
}

/// 2^256 and its inverse: the product of two mantissas stays inside `f64`.
const HIGH: f64 = f64::from_bits((1023 + 256) << 52);
const LOW: f64 = f64::from_bits((1023 - 256) << 52);

impl Wide {
    fn normal(self) -> Self {
        match self.mantissa {
            0.0 => Self::default(),
            m if m >= HIGH => Self { mantissa: m * LOW * LOW, step: self.step + 1 },
            m if m < LOW => Self { mantissa: m * HIGH * HIGH, step: self.step - 1 },
            _ => self,
        }
    }

    /// This number over another, as an ordinary one.
    pub fn over(self, other: Self) -> f64 {
        let ratio = self.mantissa / other.mantissa;
        match self.step - other.step {
            0 => ratio,
            1 => ratio * HIGH * HIGH,
            -1 => ratio * LOW * LOW,
            more if more > 1 => f64::INFINITY,
            _ => 0.0,
        }
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.mantissa == 0.0
    }

    /// Its natural logarithm.
    pub fn ln(self) -> f64 {
        self.mantissa.ln() + f64::from(self.step) * 512.0 * std::f64::consts::LN_2
    }
}

impl From<f64> for Wide {
    fn from(mantissa: f64) -> Self {
        // Twice: a subnormal number may need two steps.
        Self { mantissa, step: 0 }.normal().normal()
    }
}

impl Mul for Wide {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self { mantissa: self.mantissa * other.mantissa, step: self.step + other.step }.normal()
    }
}

impl Add for Wide {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        if self.is_zero() {
            return other;
        }
        if other.is_zero() {
            return self;
        }
        let (high, low) = if self.step >= other.step { (self, other) } else { (other, self) };
        let low = match high.step - low.step {
            0 => low.mantissa,
            1 => low.mantissa * LOW * LOW,
            _ => 0.0,
        };
        Self { mantissa: high.mantissa + low, step: high.step }.normal()
    }
}
