//! One budget over all parts: the next money goes where it fills most.
//!
//! Marginal analysis after Sherbrooke (METRIC, 1968), for base stock with a fixed lead time and a
//! review every month. An order placed at the start of a month arrives `lead` months later, so a
//! level has to last for `lead + 1` months: the piece that is the `s`-th on order fills if those months
//! ask for `s` or more and the first `lead` of them do not. Its price is what it lies there for: the
//! value on hand, not the value bought, since a piece on order or given out ties up nothing.
//!
//! Fill need not be concave in the level (a demand of five pieces is not filled by four), so the
//! greedy walks along the upper hull of fill over value: each step buys one or more pieces of a part.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::super::forecast::predictive::{MonthlyDemand, Predictive};
use crate::Cents;
use crate::error::{InputError, check_number};

/// Longest lead time, in months.
pub const MAX_LEAD_MONTHS: u32 = 60;

/// Greatest price: a billion currency units.
pub(crate) const MAX_PRICE_CENTS: f64 = 1e11;

/// Price that a free part is taken for: with 0 every one of its steps would be worth the same.
const LEAST_PRICE_CENTS: f64 = 0.01;

/// What is known of a part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartDemand {
    /// Of a piece.
    pub price: Cents,
    /// What a month may bring.
    pub month: MonthlyDemand,
}

/// What counts as an order line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A month's demand of a part, filled if every piece of it is there.
    Month,
    /// Each piece.
    Piece,
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Until this share of all lines is expected to be filled.
    Fill(f64),
    /// As long as the stock expected on hand is worth no more than this.
    Budget(Cents),
    /// As long as a thousand currency units of stock fill at least this many lines a month more.
    Exchange(f64),
}

/// Order-up-to levels of all parts, and what they are expected to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StockPlan {
    /// Order-up-to level of each part: pieces on hand and on order, less those owed.
    pub levels: Vec<u32>,
    /// Expected share of lines filled.
    pub fill: f64,
    /// Expected value on hand, in cents.
    pub value_cents: f64,
    /// What the next money buys.
    pub next: Option<Purchase>,
}

/// A step that was not taken any more: pieces of one part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Purchase {
    /// Index of the part.
    pub part: usize,
    /// Level before.
    pub from: u32,
    /// Level after.
    pub to: u32,
    /// Lines a month that it fills more.
    pub lines: f64,
    /// Value on hand that it adds, in cents.
    pub value_cents: f64,
}

impl StockPlan {
    /// The plan in a sentence for people, parts by their index.
    #[must_use]
    pub fn why(&self) -> String {
        let reached = format!("{:.1} % of lines with {:.2} on hand", self.fill * 100.0, self.value_cents / 100.0);
        match &self.next {
            None => format!("{reached}; more stock of any part would fill nothing more"),
            Some(Purchase { part, from, to, lines, value_cents }) => format!(
                "{reached}; next, part {part} from {from} to {to} pieces would fill {lines:.3} lines a month more for {:.2}",
                value_cents / 100.0
            ),
        }
    }
}

impl Purchase {
    /// Lines a month for a thousand currency units.
    #[must_use]
    pub fn exchange(&self) -> f64 {
        self.lines / self.value_cents * 100_000.0
    }
}

/// Sets the levels of all parts together.
///
/// # Errors
/// A goal outside its range, a lead time above [`MAX_LEAD_MONTHS`], a negative price, a demand that
/// [`MonthlyDemand::over`] refuses. The field is `parts[i]…`.
pub fn levels(parts: &[PartDemand], lead_months: u32, line: Line, goal: Goal) -> Result<StockPlan, InputError> {
    goal.check()?;
    let curves = parts
        .iter()
        .enumerate()
        .map(|(index, part)| Curve::new(part, lead_months, line).map_err(|error| error.at("parts", index)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut purchases: Vec<Purchase> =
        curves.iter().enumerate().flat_map(|(part, curve)| curve.purchases(part)).collect();
    // Stable: steps of one part stay in order, since their exchange falls.
    purchases.sort_by(|one, other| other.exchange().total_cmp(&one.exchange()));
    let asked: f64 = curves.iter().map(|curve| curve.asked).sum();
    let mut plan = StockPlan { levels: vec![0; parts.len()], fill: 0.0, value_cents: 0.0, next: None };
    let mut filled = 0.0;
    for purchase in purchases {
        if goal.is_reached(filled / asked, &plan, &purchase) {
            plan.next = Some(purchase);
            break;
        }
        let level = &mut plan.levels[purchase.part];
        *level = purchase.to.max(*level);
        plan.value_cents += purchase.value_cents;
        filled += purchase.lines;
    }
    plan.fill = if asked > 0.0 { filled / asked } else { 1.0 };
    Ok(plan)
}

impl Goal {
    fn check(self) -> Result<(), InputError> {
        match self {
            Self::Fill(share) => check_number(share, 0.0, 1.0, "goal.fill"),
            Self::Budget(budget) => check_number(budget.0 as f64, 0.0, i64::MAX as f64, "goal.budget"),
            Self::Exchange(lines) => check_number(lines, 0.0, 1e300, "goal.exchange"),
        }
    }

    fn is_reached(self, fill: f64, plan: &StockPlan, next: &Purchase) -> bool {
        match self {
            Self::Fill(share) => fill >= share,
            Self::Budget(budget) => plan.value_cents + next.value_cents > budget.0 as f64,
            Self::Exchange(lines) => next.exchange() < lines,
        }
    }
}

/// Fill and stock of one part at every level worth having.
pub(crate) struct Curve {
    /// Lines a month.
    asked: f64,
    /// Corners of the upper hull of lines filled over value, rising.
    corners: Vec<Corner>,
}

#[derive(Clone, Copy)]
struct Corner {
    level: u32,
    lines: f64,
    value_cents: f64,
}

impl Curve {
    pub fn new(part: &PartDemand, lead_months: u32, line: Line) -> Result<Self, InputError> {
        let spans = Spans::new(part, lead_months)?;
        Ok(Self { asked: spans.asked(line), corners: hull(spans.corners(line)) })
    }

    pub fn purchases(&self, part: usize) -> impl Iterator<Item = Purchase> + '_ {
        self.corners.windows(2).map(move |pair| Purchase {
            part,
            from: pair[0].level,
            to: pair[1].level,
            lines: pair[1].lines - pair[0].lines,
            value_cents: pair[1].value_cents - pair[0].value_cents,
        })
    }
}

/// What a part may be asked for over the months that matter.
struct Spans {
    month: MonthlyDemand,
    /// Chance that a month asks for nothing.
    quiet: f64,
    lead: Predictive,
    cover: Predictive,
    price_cents: f64,
}

impl Spans {
    fn new(part: &PartDemand, lead_months: u32) -> Result<Self, InputError> {
        check_number(f64::from(lead_months), 0.0, f64::from(MAX_LEAD_MONTHS), "lead_months")?;
        check_number(part.price.0 as f64, 0.0, MAX_PRICE_CENTS, "price")?;
        let over = |months| part.month.over(months).map_err(|error| error.within("month"));
        Ok(Self {
            month: part.month,
            quiet: over(1)?.pmf(0),
            lead: over(lead_months)?,
            cover: over(lead_months + 1)?,
            price_cents: (part.price.0 as f64).max(LEAST_PRICE_CENTS),
        })
    }

    /// Lines a month.
    fn asked(&self, line: Line) -> f64 {
        match line {
            Line::Month => 1.0 - self.quiet,
            Line::Piece => self.month.mean,
        }
    }

    /// Lines filled a month and mean value on hand, at level 0, 1, 2…
    fn corners(&self, line: Line) -> impl Iterator<Item = Corner> + '_ {
        let (mut pieces_filled, mut on_hand) = (0.0, 0.0);
        (0..=self.cover.most()).map(move |level| {
            let (lead, cover) = (self.lead.cdf(level), self.cover.cdf(level));
            let lines = match line {
                Line::Piece => pieces_filled,
                // The months ask for no more than the level, and the last one for something.
                Line::Month => cover - self.quiet * lead,
            };
            let corner = Corner { level, lines, value_cents: on_hand * self.price_cents };
            pieces_filled += lead - cover;
            // Between the month's start, when the order has arrived, and its end.
            on_hand += f64::midpoint(lead, cover);
            corner
        })
    }
}

/// Share of a part's lines that remains unfilled at level 0, 1, 2…
pub(crate) fn unfilled(part: &PartDemand, lead_months: u32, line: Line) -> Result<Vec<f64>, InputError> {
    let spans = Spans::new(part, lead_months)?;
    let asked = spans.asked(line).max(f64::MIN_POSITIVE);
    Ok(spans.corners(line).map(|corner| 1.0 - corner.lines / asked).collect())
}

/// Upper hull from level 0 on: exchange falls from step to step.
fn hull(points: impl Iterator<Item = Corner>) -> Vec<Corner> {
    let mut corners: Vec<Corner> = Vec::new();
    for point in points {
        while let [.., before, last] = corners[..] {
            let up = (last.lines - before.lines) * (point.value_cents - last.value_cents);
            let on = (point.lines - last.lines) * (last.value_cents - before.value_cents);
            if up > on {
                break;
            }
            corners.pop();
        }
        match corners.last() {
            Some(last) if point.lines <= last.lines => {}
            _ => corners.push(point),
        }
    }
    corners
}
