//! Failure rates of many cells, each leaning on the others as far as they are alike.
//!
//! Failures of a cell in `t` device-years are Poisson(λ t); the cells' λ are Gamma with mean m
//! and shape a, which nobody knows either. m and a are weighed on a grid by the marginal
//! likelihood (negative binomial) of all cells, from a wide prior about the catalogue's rate;
//! a cell's posterior is the mixture over the grid, told as the Gamma of the same mean and
//! variance. Taking the likeliest m and a alone (empirical Bayes) makes intervals too short
//! where cells are few (Carlin and Louis, "Bayes and Empirical Bayes Methods for Data Analysis",
//! 2nd ed., 2000, section 3.5).

use serde::{Deserialize, Serialize};
use statrs::function::gamma::{gamma_lr, ln_gamma};

use super::quantile;

/// What one cell went through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Count {
    /// Failures; parts of one where it is not certain.
    pub failures: f64,
    /// Device-years.
    pub years: f64,
}

/// What is known of a failure rate: Gamma(`shape`, `years`), in failures per year.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Shape: failures, counting those the fleet is worth.
    pub shape: f64,
    /// Inverse scale, in years.
    pub years: f64,
    /// Device-years the rest of the fleet and the catalogue are worth. They prevail until the
    /// cell has seen as many itself.
    pub prior_years: f64,
    /// The part of what is known that the cell has seen itself, from 0 to 1.
    pub own_share: f64,
}

/// How far the fleet's mean may be from the catalogue's rate: the standard deviation of the
/// log of their ratio, whose mean is 1. A factor of five is nothing unusual for a written rate.
const CATALOGUE_SIGMA: f64 = 1.0;

/// The farthest that the fleet's mean is looked for, as a log: a factor of a thousand.
const FARTHEST: f64 = 7.0;

/// Least and greatest shape of the spread of rates over cells: from a few cells that have all
/// the failures, to rates equal within a seventh.
const SHAPES: (f64, f64) = (0.2, 50.0);

/// The prior of the shape a goes with `a^-0.25` on a log scale: with the cells of a single model
/// an even one makes intervals too short where rates differ much (coverage 84 % of 90 %).
const SPREAD_LEANING: f64 = 0.25;

/// Points of the grid for mean and shape. It is laid twice, the second time where the weight is.
const MEANS: usize = 33;
const SPREADS: usize = 15;

/// How far the second grid reaches, in standard deviations of the first.
const REACH: f64 = 4.0;

/// Weighs cells against each other and against the catalogue, which expects `per_year`
/// failures a year in each.
pub fn pooled(cells: &[Count], per_year: f64) -> Vec<Rate> {
    let wide = Grid::new((-FARTHEST, FARTHEST), (SHAPES.0.ln(), SHAPES.1.ln()), cells, per_year);
    let close = Grid::new(wide.range(|point| point.0), wide.range(|point| point.1), cells, per_year);
    cells.iter().map(|cell| close.rate(cell, per_year)).collect()
}

/// Weights of (log of mean over catalogue, log of shape).
struct Grid(Vec<((f64, f64), f64)>);

impl Grid {
    fn new(means: (f64, f64), shapes: (f64, f64), cells: &[Count], per_year: f64) -> Self {
        let mut grid = Vec::with_capacity(MEANS * SPREADS);
        for log_shape in steps(shapes, SPREADS) {
            let shape = log_shape.exp();
            let of_cell = |cell: &Count| ln_gamma(shape + cell.failures) - ln_gamma(shape);
            let of_shape: f64 = cells.iter().map(of_cell).sum::<f64>() - SPREAD_LEANING * log_shape;
            for log_mean in steps(means, MEANS) {
                let point = (log_mean, log_shape);
                grid.push((point, of_shape + log_weight(point, cells, per_year)));
            }
        }
        let most = grid.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
        grid.iter_mut().for_each(|(_, weight)| *weight = (*weight - most).exp());
        let all: f64 = grid.iter().map(|(_, weight)| weight).sum();
        grid.iter_mut().for_each(|(_, weight)| *weight /= all);
        Self(grid)
    }

    fn mean(&self, value: impl Fn((f64, f64)) -> f64) -> f64 {
        self.0.iter().map(|(point, weight)| weight * value(*point)).sum()
    }

    /// Where the weight lies along one axis.
    fn range(&self, axis: impl Fn((f64, f64)) -> f64) -> (f64, f64) {
        let mean = self.mean(&axis);
        let deviation = self.mean(|point| (axis(point) - mean).powi(2)).sqrt();
        let ends = self.0.iter().map(|(point, _)| axis(*point));
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |all, x| (all.0.min(x), all.1.max(x)));
        // No narrower than the first grid can tell.
        let reach = REACH * deviation.max((high - low) / (MEANS.min(SPREADS) as f64) / REACH);
        ((mean - reach).max(low), (mean + reach).min(high))
    }

    fn rate(&self, cell: &Count, per_year: f64) -> Rate {
        let posterior = |point: (f64, f64)| {
            let (shape, years) = gamma_of(point, per_year);
            (shape + cell.failures, years + cell.years)
        };
        let mean = self.mean(|point| {
            let (shape, years) = posterior(point);
            shape / years
        });
        let square = self.mean(|point| {
            let (shape, years) = posterior(point);
            shape * (shape + 1.0) / (years * years)
        });
        let variance = square - mean * mean;
        let prior_years = 1.0 / self.mean(|point| 1.0 / gamma_of(point, per_year).1);
        let own_share = self.mean(|point| cell.years / posterior(point).1);
        Rate { shape: mean * mean / variance, years: mean / variance, prior_years, own_share }
    }
}

fn steps((low, high): (f64, f64), count: usize) -> impl Iterator<Item = f64> {
    (0..count).map(move |step| low + (high - low) * step as f64 / (count - 1) as f64)
}

/// Shape and inverse scale, in years, of the spread of rates over cells.
fn gamma_of((mean, shape): (f64, f64), per_year: f64) -> (f64, f64) {
    (shape.exp(), shape.exp() / (mean.exp() * per_year))
}

/// Log of prior times marginal likelihood, but for what depends on the shape alone.
fn log_weight(point: (f64, f64), cells: &[Count], per_year: f64) -> f64 {
    let (shape, years) = gamma_of(point, per_year);
    let of_cell = |cell: &Count| {
        let all = years + cell.years;
        shape * (years / all).ln() - cell.failures * all.ln()
    };
    cells.iter().map(of_cell).sum::<f64>() - (point.0 / CATALOGUE_SIGMA + CATALOGUE_SIGMA / 2.0).powi(2) / 2.0
}

impl Rate {
    /// Expected failures per year.
    pub fn mean(&self) -> f64 {
        self.shape / self.years
    }

    /// The interval that holds the rate with `level`, as much left out below as above.
    pub fn interval(&self, level: f64) -> (f64, f64) {
        let below = |log_rate: f64| gamma_lr(self.shape, self.years * log_rate.exp());
        let at = |probability| quantile(below, probability, self.mean().ln()).exp();
        (at((1.0 - level) / 2.0), at((1.0 + level) / 2.0))
    }

    /// Whether catalogue and fleet still prevail over what the cell has seen itself.
    pub fn prior_dominated(&self) -> bool {
        self.own_share < 0.5
    }
}
