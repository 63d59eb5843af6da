//! What the rows after training have shown of how often a healthy row is rare.
//!
//! Training rows are few and dependent: a pump whose flow dips for ten rows in a thousand may show
//! no dip in the four hundred that train. So the calibration is only where the belief starts, worth
//! as many rows as it rests on, and every row without a flag moves it: how many are rare, and how far
//! out the rare ones are.

use serde::{Deserialize, Serialize};

/// The p-value from which a row counts as rare: evidence starts here, and a smaller one would leave
/// too few rare rows to learn from.
const RARE: f64 = 0.01;
/// Rows that are remembered for good: 1e-3 of them are ten. Once they are twice as many, all that
/// was seen counts half.
const REMEMBERED_ROWS: f64 = 10_000.0;
/// The smallest p-value: no recording says more.
pub(super) const LEAST_P: f64 = 1e-12;

/// The tail of the p-values of one recording.
///
/// That a row is rare has a beta posterior; by how much, in units of -ln p, is exponential with a
/// gamma posterior of its rate, so that the next is a Lomax variable: a generalised Pareto tail
/// that is heavier the less was seen (Gelman et al. 2013, chapter 2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Experience {
    /// Rows that the calibration counts for; the part [`RARE`] of them is rare, with an excess of 1
    /// on average.
    believed_rows: f64,
    rows: f64,
    rare: f64,
    /// Sum of ln(RARE / p) of the rare ones.
    excess: f64,
}

impl Experience {
    pub(super) fn new(believed_rows: usize) -> Self {
        Self { believed_rows: believed_rows as f64, rows: 0.0, rare: 0.0, excess: 0.0 }
    }

    /// How often a row is as surprising as one whose p-value is `p` by the calibration; 1e-12 to 1.
    pub(super) fn p_value(&self, p: f64) -> f64 {
        let believed = RARE * self.believed_rows;
        let (rare, excess) = (believed + self.rare, believed + self.excess);
        let share = rare / (self.believed_rows + self.rows);
        if p > RARE {
            return 1.0 - (1.0 - p) * (1.0 - share) / (1.0 - RARE);
        }
        let further = (1.0 + (RARE / p).ln() / excess).powf(-rare);
        (share * further).max(LEAST_P)
    }

    /// Takes a healthy row's p-value by the calibration.
    pub(super) fn learn(&mut self, p: f64) {
        self.rows += 1.0;
        if p <= RARE {
            self.rare += 1.0;
            self.excess += (RARE / p).ln();
        }
        if self.rows >= 2.0 * REMEMBERED_ROWS {
            self.rows /= 2.0;
            self.rare /= 2.0;
            self.excess /= 2.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::draws::Draws;
    use super::*;

    #[test]
    fn a_belief_that_is_right_is_kept() {
        let mut draws = Draws::new(5);
        let mut experience = Experience::new(400);
        (0..50_000).for_each(|_| experience.learn(draws.uniform()));
        for p in [1.0, 0.5, 0.1, 0.01, 1e-3] {
            let ratio = experience.p_value(p) / p;
            assert!((0.7..1.4).contains(&ratio), "{p}: {ratio}");
        }
    }

    #[test]
    fn rows_that_are_rarer_than_believed_are_learned_and_forgotten() {
        let mut draws = Draws::new(6);
        let mut experience = Experience::new(400);
        // p cubed: 21 % of the rows are at most 0.01 and 10 % at most 0.001.
        let mut alarms = 0;
        for _ in 0..10_000 {
            let p = draws.uniform().powi(3);
            alarms += usize::from(experience.p_value(p) <= 1e-3);
            experience.learn(p);
        }
        assert!((5..=20).contains(&alarms), "{alarms} of 10,000 rows");
        (0..60_000).for_each(|_| experience.learn(draws.uniform()));
        assert!(experience.p_value(1e-3) < 2e-2);
    }

    #[test]
    fn the_p_value_rises_with_the_calibrations_and_starts_near_it() {
        let fresh = Experience::new(400);
        let mut last = 0.0;
        for step in 0..=1_200 {
            let p = 10f64.powf(f64::from(step) / 100.0 - 12.0);
            let now = fresh.p_value(p);
            assert!(now >= last && now >= p * 0.999 && now <= 1.0, "{p}: {now}");
            last = now;
        }
        assert!((fresh.p_value(RARE) - RARE).abs() < 1e-12);
    }
}
