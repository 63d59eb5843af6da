//! Policy against policy on the same demand, month by month.
//!
//! At the start of a month the order of `lead_months` ago arrives and pieces owed are handed out; the
//! policy, which knows the months before, sets order-up-to levels and what is missing is ordered;
//! then the month asks. What is not there is owed. With no lead time the order arrives before the
//! month asks.

pub mod policy;
pub mod prices;
#[cfg(test)]
mod tests;
pub mod tune;

use std::collections::VecDeque;
use std::ops::Range;

use serde::Serialize;

use super::stock::marginal::{Line, MAX_LEAD_MONTHS, MAX_PRICE_CENTS};
use crate::Cents;
use crate::error::{InputError, Problem, check_number};

/// Greatest demand of one month.
const MAX_PIECES: f64 = 1e9;

/// What parts were asked for, month by month, and what a piece costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Series by part; NaN where nobody recorded.
    series: Vec<Vec<f64>>,
    prices: Vec<Cents>,
    months: usize,
}

/// Sets levels from what is known.
pub trait Policy {
    /// Order-up-to level of each part for the month after these, given the past of each.
    ///
    /// # Errors
    /// Whatever the policy cannot use; the simulation ends with it.
    fn levels(&self, past: &[&[f64]], prices: &[Cents]) -> Result<Vec<u32>, InputError>;
}

/// How a simulation runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// First month; the shelves begin full, at the levels of its start.
    pub start: usize,
    /// Months that are counted.
    pub counted: Range<usize>,
    /// Months from order to arrival.
    pub lead_months: u32,
}

/// What happened in the months that were counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// Pieces asked for.
    pub pieces: u64,
    /// Of these, handed out in the month that asked.
    pub pieces_served: u64,
    /// Months of a part with demand.
    pub lines: u64,
    /// Of these, served whole in the month.
    pub lines_served: u64,
    /// Value on hand, in cents: the mean over the months, each the mean of its start, when the order
    /// has arrived, and its end.
    pub value_cents: f64,
    /// Pieces on hand before the first counted month.
    pub opening: u64,
    /// Pieces that arrived.
    pub received: u64,
    /// Pieces handed out, those owed from before too.
    pub issued: u64,
    /// Pieces on hand after the last.
    pub closing: u64,
}

impl Outcome {
    /// Share of lines served; 1 where none was asked.
    #[must_use]
    pub fn fill(&self, line: Line) -> f64 {
        let (served, asked) = match line {
            Line::Month => (self.lines_served, self.lines),
            Line::Piece => (self.pieces_served, self.pieces),
        };
        if asked == 0 { 1.0 } else { served as f64 / asked as f64 }
    }
}

impl Demand {
    /// Takes one series and one price a part.
    ///
    /// # Errors
    /// No part, no month, series of different lengths, a number that is neither whole pieces nor NaN,
    /// a negative price, more or fewer prices than parts. The field is `series[i][month]` or
    /// `prices[i]`.
    pub fn new(series: Vec<Vec<f64>>, prices: Vec<Cents>) -> Result<Self, InputError> {
        let months = series.first().map_or(0, Vec::len);
        if months == 0 {
            return Err(InputError::empty("series"));
        }
        check_number(prices.len() as f64, series.len() as f64, series.len() as f64, "prices.length")?;
        for (part, own) in series.iter().enumerate() {
            let length = format!("series[{part}].length");
            check_number(own.len() as f64, months as f64, months as f64, &length)?;
            for (month, &pieces) in own.iter().enumerate().filter(|(_, pieces)| !pieces.is_nan()) {
                let field = format!("series[{part}][{month}]");
                check_number(pieces, 0.0, MAX_PIECES, &field)?;
                if pieces.fract() != 0.0 {
                    return Err(InputError::new(&field, Problem::NotWhole(pieces)));
                }
            }
            check_number(prices[part].0 as f64, 0.0, MAX_PRICE_CENTS, &format!("prices[{part}]"))?;
        }
        Ok(Self { series, prices, months })
    }

    /// Months of every part.
    #[must_use]
    pub fn months(&self) -> usize {
        self.months
    }

    /// Number of parts.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.series.len()
    }

    /// Every part's months before this one.
    #[must_use]
    pub fn before(&self, month: usize) -> Vec<&[f64]> {
        self.series.iter().map(|own| &own[..month.min(self.months)]).collect()
    }
}

/// Runs a policy over the months from `run.start`.
///
/// # Errors
/// Counted months outside the demand or before the start, a lead time above [`MAX_LEAD_MONTHS`], what
/// the policy refuses.
pub fn simulate(demand: &Demand, policy: &dyn Policy, run: &Run) -> Result<Outcome, InputError> {
    run.check(demand.months)?;
    let mut shelves = Vec::new();
    let mut outcome = Outcome::default();
    for month in run.start..run.counted.end {
        let levels = policy.levels(&demand.before(month), &demand.prices)?;
        check_number(levels.len() as f64, demand.parts() as f64, demand.parts() as f64, "policy.levels.length")?;
        if month == run.start {
            shelves = levels.iter().map(|&level| Shelf::full(level, run.lead_months)).collect();
        }
        if month == run.counted.start {
            outcome.opening = shelves.iter().map(|shelf| shelf.on_hand).sum();
        }
        for (part, shelf) in shelves.iter_mut().enumerate() {
            let asked = demand.series[part][month].max(0.0) as u64;
            let day = shelf.month(u64::from(levels[part]), asked);
            if month >= run.counted.start {
                outcome.count(&day, demand.prices[part]);
            }
        }
    }
    outcome.value_cents /= run.counted.len() as f64;
    outcome.closing = shelves.iter().map(|shelf| shelf.on_hand).sum();
    Ok(outcome)
}

impl Run {
    fn check(&self, months: usize) -> Result<(), InputError> {
        check_number(self.counted.end as f64, 1.0, months as f64, "run.counted.end")?;
        check_number(self.counted.start as f64, self.start as f64, (self.counted.end - 1) as f64, "run.counted.start")?;
        check_number(f64::from(self.lead_months), 0.0, f64::from(MAX_LEAD_MONTHS), "run.lead_months")
    }
}

impl Outcome {
    fn count(&mut self, month: &Month, price: Cents) {
        self.pieces += month.asked;
        self.pieces_served += month.served;
        self.lines += u64::from(month.asked > 0);
        self.lines_served += u64::from(month.asked > 0 && month.served == month.asked);
        self.value_cents += (month.first + month.last) as f64 / 2.0 * price.0 as f64;
        self.received += month.received;
        self.issued += month.issued;
    }
}

/// One part's stock.
struct Shelf {
    on_hand: u64,
    owed: u64,
    /// Orders under way, the next to arrive first.
    on_order: VecDeque<u64>,
}

/// What happened to one part in one month.
struct Month {
    received: u64,
    issued: u64,
    asked: u64,
    served: u64,
    /// On hand after the order has arrived.
    first: u64,
    /// On hand at the end.
    last: u64,
}

impl Shelf {
    fn full(level: u32, lead_months: u32) -> Self {
        Self { on_hand: u64::from(level), owed: 0, on_order: (0..lead_months).map(|_| 0).collect() }
    }

    fn month(&mut self, level: u64, asked: u64) -> Month {
        let position = self.on_hand + self.on_order.iter().sum::<u64>();
        self.on_order.push_back((level + self.owed).saturating_sub(position));
        let received = self.on_order.pop_front().unwrap_or(0);
        self.on_hand += received;
        let settled = self.owed.min(self.on_hand);
        self.owed -= settled;
        self.on_hand -= settled;
        let first = self.on_hand;
        let served = asked.min(self.on_hand);
        self.on_hand -= served;
        self.owed += asked - served;
        Month { received, issued: settled + served, asked, served, first, last: self.on_hand }
    }
}
