//! Base stock: a forecast of each part, and a rule that sets the levels from it.

use serde::{Deserialize, Serialize};

use super::Policy;
use crate::Cents;
use crate::error::InputError;
use crate::parts::forecast::pooled::PooledModel;
use crate::parts::forecast::predictive::{MonthlyDemand, Predictive};
use crate::parts::forecast::{Method, forecast_all};
use crate::parts::stock::marginal::{Curve, Line, PartDemand, unfilled};

/// Where the distribution of a month comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forecaster {
    /// Mean by a method of the literature, variance of the part's own months.
    Series(Method),
    /// Mean and variance learned over all parts.
    Pooled(PooledModel),
}

/// How levels follow from the distributions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Each part by itself: no shortage until the next order arrives, with this probability.
    Service(f64),
    /// Each part by itself: this share of its lines filled.
    Fill(f64),
    /// All parts together, as long as a thousand currency units of stock fill so many lines a month.
    System(f64),
}

/// A forecast and a rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BaseStock {
    /// Where the distribution of a month comes from.
    pub forecaster: Forecaster,
    /// How levels follow.
    pub rule: Rule,
    /// What is to be filled.
    pub line: Line,
    /// Months from order to arrival.
    pub lead_months: u32,
}

impl Forecaster {
    /// What the next month of each part may bring.
    ///
    /// # Errors
    /// Those of [`forecast_all`].
    pub fn outlook(&self, past: &[&[f64]]) -> Result<Vec<MonthlyDemand>, InputError> {
        match self {
            Self::Pooled(model) => Ok(past.iter().map(|part| model.outlook(part)).collect()),
            Self::Series(method) => {
                let forecasts =
                    forecast_all(&past.iter().map(|part| known_or_zero(part)).collect::<Vec<_>>(), *method)?;
                let outlook = |(part, mean): (&&[f64], f64)| MonthlyDemand { mean, variance: own_variance(part) };
                Ok(past.iter().zip(forecasts.iter().map(|forecast| forecast.mean)).map(outlook).collect())
            }
        }
    }
}

impl Policy for BaseStock {
    fn levels(&self, past: &[&[f64]], prices: &[Cents]) -> Result<Vec<u32>, InputError> {
        let worth = self.rule.least_worth();
        Ok(self.ladders(past, prices)?.iter().map(|ladder| ladder.level(worth)).collect())
    }
}

impl Rule {
    /// Worth of the last step that is taken; see [`Ladder`].
    pub(super) fn least_worth(self) -> f64 {
        match self {
            Self::Service(share) | Self::Fill(share) => 1.0 - share,
            Self::System(exchange) => exchange,
        }
    }
}

impl BaseStock {
    /// Levels of each part for every number the rule may have.
    pub(super) fn ladders(&self, past: &[&[f64]], prices: &[Cents]) -> Result<Vec<Ladder>, InputError> {
        let outlook = self.forecaster.outlook(past)?;
        let ladder = |(month, &price): (MonthlyDemand, &Cents)| match self.rule {
            Rule::Service(_) => Ok(Ladder::service(&month.over(self.lead_months + 1)?)),
            Rule::Fill(_) => Ladder::fill(&PartDemand { price, month }, self.lead_months, self.line),
            Rule::System(_) => Ladder::system(&PartDemand { price, month }, self.lead_months, self.line),
        };
        outlook
            .into_iter()
            .zip(prices)
            .enumerate()
            .map(|(part, known)| ladder(known).map_err(|error| error.at("parts", part)))
            .collect()
    }
}

/// The levels of a part, each with the worth of going up to it, which falls: the chance that the level
/// below is too low, the share of lines that it leaves unfilled, or the lines that money fills.
pub(super) struct Ladder(Vec<(f64, u32)>);

impl Ladder {
    fn service(cover: &Predictive) -> Self {
        Self((1..=cover.most()).map(|level| (1.0 - cover.cdf(level - 1), level)).collect())
    }

    fn fill(part: &PartDemand, lead_months: u32, line: Line) -> Result<Self, InputError> {
        Ok(Self(unfilled(part, lead_months, line)?.into_iter().zip(1..).collect()))
    }

    fn system(part: &PartDemand, lead_months: u32, line: Line) -> Result<Self, InputError> {
        let curve = Curve::new(part, lead_months, line)?;
        Ok(Self(curve.purchases(0).map(|purchase| (purchase.exchange(), purchase.to)).collect()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn level(&self, least_worth: f64) -> u32 {
        let taken = self.0.partition_point(|step| step.0 > least_worth);
        if taken == 0 { 0 } else { self.0[taken - 1].1 }
    }
}

/// A part that came into stock later has no past; these methods borrow nothing from others, so they
/// expect nothing.
fn known_or_zero(part: &[f64]) -> &[f64] {
    if part.iter().all(|pieces| pieces.is_nan()) { &[0.0] } else { part }
}

/// Sample variance of the known months; 0 for a single one.
fn own_variance(part: &[f64]) -> f64 {
    let known: Vec<f64> = part.iter().copied().filter(|pieces| !pieces.is_nan()).collect();
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    known.iter().map(|pieces| (pieces - mean).powi(2)).sum::<f64>() / (known.len().max(2) - 1) as f64
}
