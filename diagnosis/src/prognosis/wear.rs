//! Wear that one reading shows: a Wiener process along a curve learnt from the fleet.
//!
//! A part's *wear clock* runs by load: `(load / typical load)^exponent` a unit of time (the inverse
//! power law of accelerated life, Nelson 1990). Its *position* on the fleet's curve of level over
//! clock moves with the clock plus a Brownian motion; an extended Kalman filter corrects it by the
//! level that is read. Where the curve is flat the clock alone counts; where it climbs, the level.
//! Life ends at the first reading at or above the level of failure: with noisy readings that is
//! some standard deviations of noise before the level itself gets there ([`NOISE_MARGIN`] by
//! theory, what the runs have it to be). The clock to go is inverse Gaussian
//! ([`super::first_passage`]).
//!
//! Clock becomes time by the loads of earlier runs: each run that began with a load like this one
//! is one way on, weighed by its likeness. Quantiles are those of the mixture, widened to cover
//! on runs left out ([`WearModel::fit`]).

mod block;
mod curve;
mod fit;
mod forecast;
mod noise;
mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use fit::FitError;
pub use state::Wear;

use curve::Curve;
use forecast::Loads;

/// How many standard deviations of noise the level still lacks when a reading first touches the
/// level of failure. From 1.4 to 2.1 by `φ(z) − z Φ(−z) = ln 2 · (climb per sample) / noise` for
/// climbs of 0.5 to 7 % of the noise per sample; above 1.8 it makes no difference that can be
/// measured.
const NOISE_MARGIN: f64 = 2.0;

/// One sample of a part that wears.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Device time, ms.
    pub time_ms: i64,
    /// What shows the wear, in the unit of [`WearPart::failure_level`]. Not finite: not known.
    pub level: f64,
    /// What wears the part, such as dust fed per second; any unit. Not finite: as before.
    pub load: f64,
    /// Something about the installation that goes with longer or shorter life, such as its air
    /// flow. Not finite: not known.
    pub setting: f64,
}

/// What is known of a part before any run was seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WearPart {
    /// The part has failed at the first reading at or above this.
    pub failure_level: f64,
    /// Readings are averaged over this long, ms. Short against a life, some ten samples or more.
    pub block_ms: i64,
    /// Readings before this age are not believed (fans run up), ms.
    pub settle_ms: i64,
    /// How wear goes with load: 1 if only the sum of load counts, less if heavy load is milder
    /// than its sum.
    pub load_exponent: f64,
}

/// What the fleet knows of a part's wear. Not changed by devices; see [`Wear`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WearModel {
    part: WearPart,
    /// The load at which clock and time run alike.
    typical_load: f64,
    /// Level over clock.
    curve: Curve,
    /// Where life ends on the curve.
    end: End,
    /// Variance of position per unit of clock.
    diffusion: f64,
    /// The mean setting of the fleet, and the clock by which life is longer per unit above it.
    setting: (f64, f64),
    /// How runs went on.
    loads: Loads,
    /// Widens the intervals until they cover 80 % of the samples of runs left out.
    width: f64,
}

/// Where life ends on the fleet's curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct End {
    /// Standard deviations of noise that the level still lacks.
    margin: f64,
    /// Clock that parts last beyond that, as the median run does.
    beyond: f64,
}

impl WearModel {
    /// What the part is.
    pub fn part(&self) -> &WearPart {
        &self.part
    }

    /// The position at which a part with such noise fails.
    fn end(&self, noise: f64) -> f64 {
        self.curve.clock(self.part.failure_level - self.end.margin * noise) + self.end.beyond
    }

    /// How fast the clock runs under a load.
    fn pace(&self, load: f64) -> f64 {
        (load.max(0.0) / self.typical_load).powf(self.part.load_exponent)
    }
}
