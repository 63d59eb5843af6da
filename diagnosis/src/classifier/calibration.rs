//! From shares of votes to probabilities.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Added to a share before its logarithm: a class without a vote is not impossible.
const FLOOR: f64 = 1e-3;
/// Steps of Newton's method; the loss is convex and needs about ten.
const STEPS: usize = 50;

/// Bias-corrected temperature scaling: `softmax(sharpness · ln share + bias)` (Alexandari, Kundaje
/// & Shrikumar, "Maximum Likelihood with Bias-Corrected Calibration", ICML 2020).
///
/// One parameter a class and one more can be learnt from tens of labels, where isotonic curves
/// cannot; a normal prior with deviation 1 keeps them near doing nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Calibration {
    sharpness: f64,
    biases: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    sharpness: f64,
    biases: Vec<f64>,
}

impl TryFrom<Raw> for Calibration {
    type Error = &'static str;

    fn try_from(raw: Raw) -> Result<Self, Self::Error> {
        let finite = raw.sharpness.is_finite() && raw.biases.iter().all(|bias| bias.is_finite());
        if !finite || raw.biases.is_empty() {
            return Err("a calibration has finite numbers, and one bias a class");
        }
        Ok(Calibration { sharpness: raw.sharpness, biases: raw.biases })
    }
}

impl Calibration {
    /// The parameters under which the labels are likeliest. `shares` has one row a label; they must
    /// come from a forest that has not seen their appliance.
    pub fn fit(shares: &[Vec<f32>], labels: &[usize], classes: usize) -> Self {
        let mut now = Calibration { sharpness: 1.0, biases: vec![0.0; classes] };
        let mut loss = now.penalised(shares, labels);
        for _ in 0..STEPS {
            let step = now.newton(shares, labels);
            // Halved until it helps: far from the optimum a full step may overshoot.
            let next = (0..30).map(|halvings| now.moved(&step, 0.5f64.powi(halvings))).find_map(|next| {
                let after = next.penalised(shares, labels);
                (after < loss).then_some((next, after))
            });
            let Some((next, after)) = next else { break };
            let gain = loss - after;
            (now, loss) = (next, after);
            if gain < 1e-9 * loss {
                break;
            }
        }
        now
    }

    /// How many classes it is for.
    pub fn classes(&self) -> usize {
        self.biases.len()
    }

    /// Probabilities, which sum to 1.
    pub fn apply(&self, shares: &[f32]) -> Vec<f64> {
        let score = |(share, bias): (&f32, &f64)| self.sharpness * evidence(*share) + bias;
        let scores: Vec<f64> = shares.iter().zip(&self.biases).map(score).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    /// Mean of `-ln` of the probability of the true class.
    pub fn log_loss(&self, shares: &[Vec<f32>], labels: &[usize]) -> f64 {
        let losses = shares.iter().zip(labels).map(|(shares, label)| -self.apply(shares)[*label].max(1e-15).ln());
        losses.sum::<f64>() / labels.len() as f64
    }

    fn penalised(&self, shares: &[Vec<f32>], labels: &[usize]) -> f64 {
        let prior = (self.sharpness - 1.0).powi(2) + self.biases.iter().map(|bias| bias * bias).sum::<f64>();
        self.log_loss(shares, labels) * labels.len() as f64 + prior / 2.0
    }

    fn moved(&self, step: &DVector<f64>, part: f64) -> Self {
        let biases = self.biases.iter().enumerate().map(|(class, bias)| bias - part * step[class + 1]).collect();
        Calibration { sharpness: self.sharpness - part * step[0], biases }
    }

    /// Hessian⁻¹ · gradient of the penalised loss. Parameter 0 is the sharpness.
    fn newton(&self, shares: &[Vec<f32>], labels: &[usize]) -> DVector<f64> {
        let size = self.biases.len() + 1;
        let mut gradient = DVector::zeros(size);
        let mut hessian = DMatrix::identity(size, size);
        gradient[0] = self.sharpness - 1.0;
        self.biases.iter().enumerate().for_each(|(class, bias)| gradient[class + 1] = *bias);
        for (shares, label) in shares.iter().zip(labels) {
            let p = self.apply(shares);
            let z: Vec<f64> = shares.iter().map(|share| evidence(*share)).collect();
            let mean: f64 = p.iter().zip(&z).map(|(p, z)| p * z).sum();
            gradient[0] += mean - z[*label];
            gradient[label + 1] -= 1.0;
            for (a, (p_a, z_a)) in p.iter().zip(&z).enumerate() {
                gradient[a + 1] += p_a;
                hessian[(0, 0)] += p_a * (z_a - mean).powi(2);
                hessian[(0, a + 1)] += p_a * (z_a - mean);
                hessian[(a + 1, 0)] += p_a * (z_a - mean);
                hessian[(a + 1, a + 1)] += p_a;
                p.iter().enumerate().for_each(|(b, p_b)| hessian[(a + 1, b + 1)] -= p_a * p_b);
            }
        }
        // The identity of the prior makes it positive definite.
        hessian.cholesky().map_or_else(|| gradient.clone(), |factors| factors.solve(&gradient))
    }
}

fn evidence(share: f32) -> f64 {
    (f64::from(share) + FLOOR).ln()
}

/// Expected calibration error (Naeini, Cooper & Hauskrecht 2015) of the probability of one event:
/// predictions fall into ten bins of equal width, and the distance between mean prediction and
/// frequency is averaged with the bins' sizes. 0 to 1; 0 for no predictions.
pub fn expected_calibration_error(predictions: &[(f64, bool)]) -> f64 {
    let mut bins = [(0.0, 0.0); 10];
    for (probability, happened) in predictions {
        let bin = &mut bins[((probability * 10.0) as usize).min(9)];
        bin.0 += probability;
        bin.1 += f64::from(u8::from(*happened));
    }
    let distance: f64 = bins.iter().map(|(expected, seen)| (expected - seen).abs()).sum();
    distance / predictions.len().max(1) as f64
}
