//! Quantiles: below which value a draw falls with a given probability.

/// Of the standard normal law. Algorithm AS 241 (PPND16) of Wichura, Applied Statistics 37 (1988);
/// relative error below 1e-15. `probability` is above 0 and below 1.
pub(super) fn normal(probability: f64) -> f64 {
    let centred = probability - 0.5;
    if centred.abs() <= 0.425 {
        let r = 0.180_625 - centred * centred;
        return centred * ratio(r, &CENTRE);
    }
    let tail = (-probability.min(1.0 - probability).ln()).sqrt();
    let size = if tail <= 5.0 { ratio(tail - 1.6, &SHOULDER) } else { ratio(tail - 5.0, &TAIL) };
    size.copysign(centred)
}

/// Coefficients of a ratio of two polynomials, from the constant term on.
type Ratio = [[f64; 8]; 2];

fn ratio(x: f64, [above, below]: &Ratio) -> f64 {
    let value = |coefficients: &[f64; 8]| coefficients.iter().rev().fold(0.0, |sum, term| sum * x + term);
    value(above) / value(below)
}

const CENTRE: Ratio = [
    [
        3.387_132_872_796_366_6,
        1.331_416_678_917_843_8e2,
        1.971_590_950_306_551_4e3,
        1.373_169_376_550_946e4,
        4.592_195_393_154_987e4,
        6.726_577_092_700_87e4,
        3.343_057_558_358_813e4,
        2.509_080_928_730_122_7e3,
    ],
    [
        1.0,
        4.231_333_070_160_091e1,
        6.871_870_074_920_579e2,
        5.394_196_021_424_751e3,
        2.121_379_430_158_66e4,
        3.930_789_580_009_271e4,
        2.872_908_573_572_194_3e4,
        5.226_495_278_852_854e3,
    ],
];
const SHOULDER: Ratio = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        2.417_807_251_774_506e-1,
        2.272_384_498_926_918_4e-2,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1,
        1.519_866_656_361_645_7e-2,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
];
const TAIL: Ratio = [
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        2.965_605_718_285_048_7e-1,
        2.653_218_952_657_612_4e-2,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        5.998_322_065_558_879e-1,
        1.369_298_809_227_358e-1,
        1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
];

/// Of Student's law with so many degrees of freedom: the size that a draw exceeds, to either side
/// together, with probability `both_tails`.
pub(super) fn student(freedom: f64, both_tails: f64) -> f64 {
    let x = Beta::new(freedom / 2.0, 0.5).quantile(both_tails);
    (freedom * (1.0 - x) / x).sqrt()
}

/// The beta law.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beta {
    alpha: f64,
    beta: f64,
    /// `ln B(α, β)`.
    ln_norm: f64,
}

/// Newton needs a handful, halving the bracket below 60.
const MAX_STEPS: usize = 100;

impl Beta {
    /// Both shapes are above 0.
    pub(super) fn new(alpha: f64, beta: f64) -> Self {
        Self { alpha, beta, ln_norm: ln_gamma(alpha) + ln_gamma(beta) - ln_gamma(alpha + beta) }
    }

    /// Of `probability` above 0 and below 1: Newton's method for the logit of the quantile and the
    /// logarithm of the distribution, kept inside a bracket. Relative error below 1e-11 for shapes
    /// up to 1,000; rounding in `ln B` makes it 1e-6 at 1e8.
    pub(super) fn quantile(&self, probability: f64) -> f64 {
        let (mut low, mut high) = (-700.0, 700.0);
        let mut logit = (self.alpha / self.beta).ln();
        for _ in 0..MAX_STEPS {
            let below = self.distribution(logit);
            if below > probability {
                high = logit
            } else {
                low = logit
            }
            let newton = logit - (below / probability).ln() * below / self.slope(logit);
            let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
            let moved = (next - logit).abs();
            logit = next;
            if moved <= 1e-14 * logit.abs().max(1.0) {
                break;
            }
        }
        1.0 / (1.0 + (-logit).exp())
    }

    /// The probability of a draw below, `I_x(α, β)`.
    fn distribution(&self, logit: f64) -> f64 {
        let x = 1.0 / (1.0 + (-logit).exp());
        let rest = 1.0 / (1.0 + logit.exp());
        let front = self.slope(logit);
        // Each fraction converges fast on its own side of the mean.
        if x < (self.alpha + 1.0) / (self.alpha + self.beta + 2.0) {
            front * fraction(self.alpha, self.beta, x) / self.alpha
        } else {
            1.0 - front * fraction(self.beta, self.alpha, rest) / self.beta
        }
    }

    /// The distribution's derivative by the logit, `x^α (1 - x)^β / B(α, β)`.
    fn slope(&self, logit: f64) -> f64 {
        let ln_x = -softplus(-logit);
        let ln_rest = -softplus(logit);
        (self.alpha * ln_x + self.beta * ln_rest - self.ln_norm).exp()
    }
}

/// `ln(1 + exp(x))`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The fraction needs as many terms as the root of the larger shape, times a small number.
const MAX_TERMS: usize = 100_000;

/// Continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let not_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut below = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut above = 1.0;
    let mut value = below;
    for term in 1..=MAX_TERMS {
        let m = term as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = value;
        for numerator in [even, odd] {
            below = 1.0 / not_zero(1.0 + numerator * below);
            above = not_zero(1.0 + numerator / above);
            value *= below * above;
        }
        if (value - before).abs() <= f64::EPSILON * value.abs() {
            break;
        }
    }
    value
}

/// `ln Γ(x)` for `x > 0`, by Lanczos' series (g = 7, nine terms), relative error about 1e-15.
fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        // Γ(x) = Γ(x + 1) / x.
        return ln_gamma(x + 1.0) - x.ln();
    }
    let shifted = x - 1.0;
    let term = |(index, coefficient): (usize, &f64)| coefficient / (shifted + index as f64 + 1.0);
    let series = 0.999_999_999_999_809_9 + LANCZOS.iter().enumerate().map(term).sum::<f64>();
    let t = shifted + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (shifted + 0.5) * t.ln() - t + series.ln()
}

const LANCZOS: [f64; 8] = [
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(got: f64, wanted: f64, relative: f64) {
        assert!((got - wanted).abs() <= relative * wanted.abs(), "{got:e} is not {wanted:e}");
    }

    /// Against 40-digit arithmetic.
    #[test]
    fn normal_quantiles() {
        let cases = [
            (1e-20, -9.262_340_089_798_408),
            (1e-12, -7.034_483_825_301_132),
            (1e-5, -4.264_890_793_922_825),
            (0.025, -1.959_963_984_540_054_2),
            (0.3, -0.524_400_512_708_040_8),
            (0.45, -0.125_661_346_855_074_03),
        ];
        for (probability, wanted) in cases {
            assert_close(normal(probability), wanted, 1e-15);
        }
        assert_close(normal(0.95), 1.644_853_626_951_472_7, 1e-15);
        assert_eq!(normal(0.5), 0.0);
    }

    /// Against 40-digit arithmetic.
    #[test]
    fn beta_quantiles() {
        let cases = [
            (0.5, 0.5, 0.05, 0.006_155_829_702_431_137),
            (2.0, 3.0, 0.95, 0.751_395_374_269_818_5),
            (0.5, 9.5, 1e-6, 8.487_696_057_274_924e-14),
            (1.5, 298.5, 0.5, 0.003_951_962_692_362_11),
            (30.0, 70.0, 0.05, 0.227_299_054_471_040_13),
            (0.1, 1.0, 0.5, 0.000_976_562_5),
            (800.0, 200.0, 0.05, 0.778_867_267_234_108_5),
        ];
        for (alpha, beta, probability, wanted) in cases {
            assert_close(Beta::new(alpha, beta).quantile(probability), wanted, 1e-11);
        }
        // `x^α` and its mirror image have quantiles in closed form.
        assert_close(Beta::new(0.01, 1.0).quantile(0.5), 0.5f64.powi(100), 1e-11);
        assert_close(Beta::new(1.0, 1e6).quantile(0.5), -(0.5f64.ln() / 1e6).exp_m1(), 1e-8);
        assert_close(Beta::new(3.5, 1e6).quantile(0.5), 3.172_896_597_989_197e-6, 1e-9);
        // Nearly normal.
        let deviation = (4.0 * (2e8f64 + 1.0)).sqrt().recip();
        assert_close(Beta::new(1e8, 1e8).quantile(0.05), 0.5 + normal(0.05) * deviation, 1e-9);
    }

    /// Against 30-digit arithmetic.
    #[test]
    fn student_quantiles() {
        for (freedom, wanted) in
            [(1.0, 12.706_204_736_174_7), (9.0, 2.262_157_162_798_205_5), (30.0, 2.042_272_456_301_238)]
        {
            assert_close(student(freedom, 0.05), wanted, 1e-12);
        }
    }
}
