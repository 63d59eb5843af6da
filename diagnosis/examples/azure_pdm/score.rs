//! How good probabilities of failing components are.

use super::data::{CLASSES, NONE};

/// An hour of a machine that was left out, and what was said of it.
#[derive(Clone)]
pub struct Judged {
    pub machine: u32,
    pub hour: i64,
    pub failing: Vec<usize>,
    /// Of the classes in their order, then of `unknown`.
    pub probabilities: Vec<f64>,
}

impl Judged {
    /// The class of a single-label problem: the first of two components that fail together.
    fn class(&self) -> usize {
        self.failing.iter().copied().min().unwrap_or(NONE)
    }

    fn likeliest(&self) -> usize {
        let p = &self.probabilities;
        (0..p.len()).max_by(|a, b| p[*a].total_cmp(&p[*b])).expect("there are classes")
    }

    /// Probability that some component fails.
    pub fn any(&self) -> f64 {
        self.probabilities[NONE + 1..CLASSES.len()].iter().sum()
    }

    fn happens(&self, class: usize) -> bool {
        if class == NONE { self.failing.is_empty() } else { self.failing.contains(&class) }
    }

    /// Said of a class on its own. Two components that fail together share the probability.
    fn said(&self, class: usize) -> bool {
        self.probabilities[class] > if class == NONE { 0.5 } else { 1.0 / 3.0 }
    }
}

/// F1 of each class where each hour has one class and gets the likeliest.
pub fn f1_by_class(judged: &[&Judged]) -> Vec<f64> {
    let mut tally = [(0.0, 0.0); CLASSES.len() + 1];
    for (is, said) in judged.iter().map(|hour| (hour.class(), hour.likeliest())) {
        tally[is].1 += 1.0;
        tally[said].1 += 1.0;
        tally[is].0 += f64::from(u8::from(is == said));
    }
    f1(&tally[..CLASSES.len()])
}

/// F1 of each class where each is a question of its own.
pub fn f1_by_question(judged: &[&Judged]) -> Vec<f64> {
    let mut tally = [(0.0, 0.0); CLASSES.len()];
    for hour in judged {
        for (class, tally) in tally.iter_mut().enumerate() {
            let (is, said) = (hour.happens(class), hour.said(class));
            tally.0 += f64::from(u8::from(is && said));
            tally.1 += f64::from(u8::from(is)) + f64::from(u8::from(said));
        }
    }
    f1(&tally)
}

/// Of hits, and what is or is said to be; NaN where there is neither.
fn f1(tally: &[(f64, f64)]) -> Vec<f64> {
    tally.iter().map(|(hits, either)| 2.0 * hits / either).collect()
}

/// Average precision of "some component fails within 24 h", ranked by the sum of the components'
/// probabilities.
pub fn any_precision(judged: &[&Judged]) -> f64 {
    average_precision(judged.iter().map(|hour| (hour.any(), !hour.failing.is_empty())).collect())
}

/// The same, ranked by 1 - P(none), which counts what is unknown as failing.
pub fn not_none_precision(judged: &[&Judged]) -> f64 {
    average_precision(judged.iter().map(|hour| (1.0 - hour.probabilities[NONE], !hour.failing.is_empty())).collect())
}

/// Mean over components of the average precision of "it fails within 24 h".
pub fn component_precision(judged: &[&Judged]) -> f64 {
    let one = |class| average_precision(judged.iter().map(|h| (h.probabilities[class], h.happens(class))).collect());
    mean((1..CLASSES.len()).map(one))
}

/// Σ (recallₙ - recallₙ₋₁) precisionₙ over thresholds, equal scores together (scikit-learn's
/// definition); NaN if it never happens.
fn average_precision(mut scored: Vec<(f64, bool)>) -> f64 {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = scored.iter().filter(|(_, is)| *is).count() as f64;
    let (mut above, mut hits, mut sum) = (0.0, 0.0, 0.0);
    for equal in scored.chunk_by(|a, b| a.0 == b.0) {
        let new = equal.iter().filter(|(_, is)| *is).count() as f64;
        above += equal.len() as f64;
        hits += new;
        sum += new / positives * (hits / above);
    }
    if positives == 0.0 { f64::NAN } else { sum }
}

/// Mean of what is defined.
pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let defined: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
    defined.iter().sum::<f64>() / defined.len() as f64
}

/// A score with its 95 % percentile interval over machines drawn with replacement (Efron 1979).
pub fn bootstrap(judged: &[Judged], draws: usize, score: impl Fn(&[&Judged]) -> f64) -> (f64, f64, f64) {
    let machines: Vec<&[Judged]> = judged.chunk_by(|a, b| a.machine == b.machine).collect();
    let mut state = 1u64;
    let mut pick = || {
        // Numerical Recipes' 64-bit congruential generator; the high bits are good enough to draw.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        machines[(state >> 33) as usize % machines.len()]
    };
    let mut scores: Vec<f64> =
        (0..draws).map(|_| score(&(0..machines.len()).flat_map(|_| pick()).collect::<Vec<_>>())).collect();
    scores.retain(|score| !score.is_nan());
    scores.sort_by(f64::total_cmp);
    let at = |p: f64| scores[((scores.len() - 1) as f64 * p).round() as usize];
    (score(&judged.iter().collect::<Vec<_>>()), at(0.025), at(0.975))
}
