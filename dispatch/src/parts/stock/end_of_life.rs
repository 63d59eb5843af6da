//! The last order of a part that will not be made again.

use serde::{Deserialize, Serialize};
use statrs::distribution::{DiscreteCDF, NegativeBinomial, Poisson};

use crate::error::{InputError, check_number};
use crate::parts::Cents;
use crate::parts::kit::check_cents;

/// Longest horizon, in periods: fifty years of months.
const MAX_PERIODS: usize = 600;

/// Most pieces expected over the horizon.
const MAX_DEMAND: f64 = 1e6;

/// What a last-time buy is decided on. A period is of any length; rates are per period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastBuy {
    /// Appliances in the field, period by period until the duty to serve ends.
    pub installed_base: Vec<f64>,
    /// Pieces that one appliance needs per period.
    pub failure_rate: f64,
    /// Standard deviation of that rate over its mean: how little is known of it. The
    /// rate is the same in all periods, drawn once from a gamma distribution; 0: known.
    #[serde(default)]
    pub rate_uncertainty: f64,
    /// Pieces in stock, with those already ordered.
    #[serde(default)]
    pub in_stock: u32,
    /// Price of a piece now.
    pub price: Cents,
    /// Keeping one piece over one period (room, insurance); interest is in `discount`.
    pub holding: Cents,
    /// Cost of a demand that cannot be met (exchange of the appliance, goodwill).
    pub penalty: Cents,
    /// What a piece left at the end brings; negative if disposal costs.
    #[serde(default)]
    pub salvage: Cents,
    /// What one cent in a period is worth one period earlier, above 0 to 1.
    pub discount: f64,
}

/// How many pieces to order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastOrder {
    /// Pieces to order, on top of those in stock.
    pub quantity: u32,
    /// Pieces that the installed base is expected to need.
    pub expected_demand: f64,
    /// Probability that all demand to the end is met.
    pub service_probability: f64,
    /// Share of the expected demand that is met.
    pub fill_rate: f64,
    /// Expected cost from now on, discounted, in cents.
    pub expected_cost_cents: f64,
    /// The same for no order at all.
    pub cost_of_none_cents: f64,
    /// The order for people.
    pub why: String,
}

/// The number of pieces of least expected discounted cost: price now, keeping what is not
/// yet used, penalties for what is missing, salvage of what is left (Teunter & Fortuin,
/// "End-of-life service", International Journal of Production Economics 59, 1999, without
/// their disposal before the end). Demand up to a period is Poisson, or negative binomial
/// where the failure rate is uncertain. The worth of the `n`th piece falls with `n`, so
/// that the first one that is not worth its price ends the order: exact.
///
/// # Errors
/// No or more than 600 periods, numbers that are negative, not finite or absurd, a
/// discount outside 0 to 1, more than a million pieces expected, salvage of at least the
/// price (buying more would always pay).
pub fn last_buy(problem: &LastBuy) -> Result<LastOrder, InputError> {
    problem.check()?;
    let demand = problem.cumulative_demand();
    let first = u64::from(problem.in_stock) + 1;
    let worth = |n: u64| problem.worth_of_piece(n, &demand);
    let (mut low, mut high) = (first - 1, first);
    // The last piece that is worth its price: doubling, then halving.
    while worth(high) > 0.0 && high < u64::from(u32::MAX) {
        (low, high) = (high, high + (high - first + 1));
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        *(if worth(middle) > 0.0 { &mut low } else { &mut high }) = middle;
    }
    Ok(problem.order((low - u64::from(problem.in_stock)) as u32, &demand))
}

/// Demand from now to the end of a period.
enum Cumulative {
    None,
    Poisson(Poisson),
    NegativeBinomial(NegativeBinomial),
}

impl Cumulative {
    fn new(mean: f64, uncertainty: f64) -> Self {
        if mean <= 0.0 {
            return Self::None;
        }
        // Poisson with a gamma-distributed rate: shape 1/u², variance mean + (u · mean)².
        let shape = uncertainty.powi(-2);
        if shape > 1e9 {
            return Self::Poisson(Poisson::new(mean).expect("mean above zero"));
        }
        let success = shape / (shape + mean);
        Self::NegativeBinomial(NegativeBinomial::new(shape, success).expect("shape above zero, success within 0 to 1"))
    }

    /// Probability of at least `n` pieces.
    fn at_least(&self, n: u64) -> f64 {
        match self {
            _ if n == 0 => 1.0,
            Self::None => 0.0,
            Self::Poisson(poisson) => poisson.sf(n - 1),
            Self::NegativeBinomial(binomial) => binomial.sf(n - 1),
        }
    }
}

impl LastBuy {
    fn check(&self) -> Result<(), InputError> {
        check_number(self.installed_base.len() as f64, 1.0, MAX_PERIODS as f64, "installed_base (length)")?;
        for (i, &appliances) in self.installed_base.iter().enumerate() {
            check_number(appliances, 0.0, 1e12, &format!("installed_base[{i}]"))?;
        }
        check_number(self.failure_rate, 0.0, 1e6, "failure_rate")?;
        check_number(self.rate_uncertainty, 0.0, 10.0, "rate_uncertainty")?;
        check_cents(self.price, "price")?;
        check_cents(self.holding, "holding")?;
        check_cents(self.penalty, "penalty")?;
        let least = -1e11;
        check_number(self.salvage.0 as f64, least, (self.price.0 as f64 - 1.0).max(least), "salvage")?;
        check_number(self.discount, f64::MIN_POSITIVE, 1.0, "discount")?;
        check_number(self.expected_demand(), 0.0, MAX_DEMAND, "installed_base × failure_rate (pieces)")
    }

    fn expected_demand(&self) -> f64 {
        self.installed_base.iter().sum::<f64>() * self.failure_rate
    }

    fn cumulative_demand(&self) -> Vec<Cumulative> {
        let mut mean = 0.0;
        let next = |appliances: &f64| {
            mean += appliances * self.failure_rate;
            Cumulative::new(mean, self.rate_uncertainty)
        };
        self.installed_base.iter().map(next).collect()
    }

    /// Discounted penalty saved, keeping and salvage of the `n`th piece. Demand comes, and
    /// pieces are kept, to the end of each period.
    fn value_in_use(&self, n: u64, demand: &[Cumulative]) -> f64 {
        let (mut value, mut factor, mut used_before) = (0.0, 1.0, 0.0);
        for cumulative in demand {
            factor *= self.discount;
            let used = cumulative.at_least(n);
            value += factor * (self.penalty.0 as f64 * (used - used_before) - self.holding.0 as f64 * (1.0 - used));
            used_before = used;
        }
        value + factor * self.salvage.0 as f64 * (1.0 - used_before)
    }

    fn worth_of_piece(&self, n: u64, demand: &[Cumulative]) -> f64 {
        self.value_in_use(n, demand) - self.price.0 as f64
    }

    fn order(&self, quantity: u32, demand: &[Cumulative]) -> LastOrder {
        let stock = u64::from(self.in_stock) + u64::from(quantity);
        let end = &demand[demand.len() - 1];
        let met: f64 = (1..=stock).map(|n| end.at_least(n)).sum();
        let expected_demand = self.expected_demand();
        let service_probability = 1.0 - end.at_least(stock + 1);
        let fill_rate = if expected_demand > 0.0 { (met / expected_demand).min(1.0) } else { 1.0 };
        let cost_of_none_cents =
            self.all_penalties() - (1..=u64::from(self.in_stock)).map(|n| self.value_in_use(n, demand)).sum::<f64>();
        let saved: f64 = (u64::from(self.in_stock) + 1..=stock).map(|n| self.worth_of_piece(n, demand)).sum();
        let expected_cost_cents = cost_of_none_cents - saved;
        let why = format!(
            "{quantity} more on top of {}: {expected_demand:.1} expected over {} periods, all of it met with {:.1} % \
             probability; costs {:.2} in all, {:.2} without an order",
            self.in_stock,
            demand.len(),
            service_probability * 100.0,
            expected_cost_cents / 100.0,
            cost_of_none_cents / 100.0,
        );
        LastOrder {
            quantity,
            expected_demand,
            service_probability,
            fill_rate,
            expected_cost_cents,
            cost_of_none_cents,
            why,
        }
    }

    /// Discounted penalties if there were no piece at all.
    fn all_penalties(&self) -> f64 {
        let mut factor = 1.0;
        let next = |appliances: &f64| {
            factor *= self.discount;
            factor * appliances * self.failure_rate * self.penalty.0 as f64
        };
        self.installed_base.iter().map(next).sum()
    }
}

#[cfg(test)]
mod tests;
