//! Simple exponential smoothing, its weight given or fitted.

use std::collections::BTreeMap;

/// Series that are fitted side by side: one is a chain of sums that wait for each other, several
/// keep the processor busy.
const LANES: usize = 8;

/// The weight is looked for in here (bounds of `statsforecast`).
const BOUNDS: (f64, f64) = (0.1, 0.3);

/// The search ends when the weight is known to this.
const TOLERANCE: f64 = 1e-12;

/// Smoothing with a given weight, value by value.
pub(super) struct Smoother {
    alpha: f64,
    level: Option<f64>,
}

impl Smoother {
    pub fn new(alpha: f64) -> Self {
        Self { alpha, level: None }
    }

    /// The level starts at the first value.
    pub fn push(&mut self, value: f64) {
        self.level = Some(self.level.map_or(value, |level| self.alpha * value + (1.0 - self.alpha) * level));
    }

    /// The next value; nothing before the first.
    pub fn forecast(&self) -> Option<f64> {
        self.level
    }
}

/// The next value of each series, smoothed with the weight that would have erred least in squares.
/// 0 for an empty one.
pub(super) fn smooth_fitted(series: &[Vec<f64>]) -> Vec<f64> {
    let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, values) in series.iter().enumerate() {
        by_length.entry(values.len()).or_default().push(index);
    }
    let mut forecasts = vec![0.0; series.len()];
    by_length.remove(&0);
    for group in by_length.values().flat_map(|indices| indices.chunks(LANES)) {
        let lanes = Lanes::side_by_side(std::array::from_fn(|lane| &series[group[lane.min(group.len() - 1)]][..]));
        for (&index, forecast) in group.iter().zip(lanes.forecast(lanes.best_weights())) {
            forecasts[index] = forecast;
        }
    }
    forecasts
}

/// Series of equal length, value after value.
struct Lanes(Vec<[f64; LANES]>);

impl Lanes {
    fn side_by_side(series: [&[f64]; LANES]) -> Self {
        Self((0..series[0].len()).map(|at| series.map(|values| values[at])).collect())
    }

    /// The level after the last value. The first value is smoothed into itself, which rounds: so do
    /// the programs that this agrees with.
    fn forecast(&self, alpha: [f64; LANES]) -> [f64; LANES] {
        let Some((&first, rest)) = self.0.split_first() else { return [0.0; LANES] };
        if rest.is_empty() {
            return first;
        }
        self.0.iter().fold(first, |level, value| step(alpha, value, &level))
    }

    /// Sum of squared one-step errors.
    fn squared_error(&self, alpha: [f64; LANES]) -> [f64; LANES] {
        let mut level = self.0.first().copied().unwrap_or_default();
        let mut sum = [0.0; LANES];
        for pair in self.0.windows(2) {
            level = step(alpha, &pair[0], &level);
            for lane in 0..LANES {
                let error = pair[1][lane] - level[lane];
                sum[lane] += error * error;
            }
        }
        sum
    }

    /// Golden-section search (Kiefer 1953) in every lane at once; a tie ends a lane.
    fn best_weights(&self) -> [f64; LANES] {
        let mut searches = [GoldenSection::new(BOUNDS); LANES];
        let lower = self.squared_error(searches.map(|search| search.lower));
        let upper = self.squared_error(searches.map(|search| search.upper));
        for lane in 0..LANES {
            searches[lane].errors = (lower[lane], upper[lane]);
        }
        loop {
            let probes: [Option<Probe>; LANES] = std::array::from_fn(|lane| searches[lane].narrow());
            if probes.iter().all(Option::is_none) {
                return searches.map(GoldenSection::middle);
            }
            let errors = self.squared_error(probes.map(|probe| probe.map_or(BOUNDS.0, |probe| probe.alpha)));
            for lane in 0..LANES {
                if let Some(probe) = &probes[lane] {
                    searches[lane].learn(probe, errors[lane]);
                }
            }
        }
    }
}

fn step(alpha: [f64; LANES], value: &[f64; LANES], level: &[f64; LANES]) -> [f64; LANES] {
    std::array::from_fn(|lane| alpha[lane] * value[lane] + (1.0 - alpha[lane]) * level[lane])
}

/// Where the least error may lie, and the two weights inside whose errors are known.
#[derive(Clone, Copy)]
struct GoldenSection {
    low: f64,
    high: f64,
    lower: f64,
    upper: f64,
    errors: (f64, f64),
}

/// The next weight to try.
#[derive(Clone, Copy)]
struct Probe {
    alpha: f64,
    is_lower: bool,
}

impl GoldenSection {
    fn new((low, high): (f64, f64)) -> Self {
        let mut search = Self { low, high, lower: 0.0, upper: 0.0, errors: (0.0, 0.0) };
        search.lower = search.lower_probe();
        search.upper = search.upper_probe();
        search
    }

    fn golden_ratio() -> f64 {
        (5.0_f64.sqrt() + 1.0) / 2.0
    }

    fn lower_probe(&self) -> f64 {
        self.high - (self.high - self.low) / Self::golden_ratio()
    }

    fn upper_probe(&self) -> f64 {
        self.low + (self.high - self.low) / Self::golden_ratio()
    }

    /// Drops the worse side; nothing when the search is over.
    fn narrow(&mut self) -> Option<Probe> {
        let (lower, upper) = self.errors;
        if (self.high - self.low).abs() < TOLERANCE {
            return None;
        }
        if lower < upper {
            (self.high, self.upper, self.errors.1) = (self.upper, self.lower, lower);
            self.lower = self.lower_probe();
            Some(Probe { alpha: self.lower, is_lower: true })
        } else if upper < lower {
            (self.low, self.lower, self.errors.0) = (self.lower, self.upper, upper);
            self.upper = self.upper_probe();
            Some(Probe { alpha: self.upper, is_lower: false })
        } else {
            None
        }
    }

    fn learn(&mut self, probe: &Probe, error: f64) {
        *if probe.is_lower { &mut self.errors.0 } else { &mut self.errors.1 } = error;
    }

    fn middle(self) -> f64 {
        (self.high + self.low) / 2.0
    }
}
