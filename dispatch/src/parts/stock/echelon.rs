//! Stock of one part over a tree of places: central store, regions, stations, vans.
//!
//! 1. [`StockTree::new`] checks the places: where each is supplied from, how long that
//!    takes, what a piece on its shelf costs, what its customers ask for.
//! 2. [`StockTree::cheapest`] chooses the base-stock level of every place,
//!    [`StockTree::cheapest_for_fill`] the same for a promised fill rate, and
//!    [`allocate`] spreads a budget over many parts. [`StockTree::evaluate`] tells what
//!    given levels lead to.
//! 3. The [`StockPlan`] says, place by place, what lies on the shelf, who waits for how
//!    long, and what it costs.
//!
//! The model is METRIC's (Sherbrooke 1968, 1986; Graves 1985): every piece taken is
//! ordered at once from the place above (base stock, one for one), transport times are
//! fixed, orders are served in the order they come in, and what is not on the shelf is
//! waited for. Orders outstanding at a place are then its share of what its supplier owes
//! plus the demand of one lead time. With Poisson demand the share is binomial and the
//! whole recursion exact, on distributions and not only their first two moments; with
//! negative-binomial demand in a branching tree the share is beta-binomial, a close
//! approximation (batches of pieces that are owed in part).
//!
//! Optimal where one place supplies one other (Clark & Scarf 1960, Chen & Zheng 1994);
//! in a branching tree, optimal levels of the lowest places for every level above, and a
//! search over those above that is complete where a place has at most 24 levels to
//! choose from.
//!
//! Related: [`reorder_point`] (lots, where an order has a cost of its own), [`assembly`]
//! (parts put together on the way) and [`guaranteed`] (promised service times instead of
//! backorders; any spanning tree).
//!
//! ```
//! use dispatch::parts::stock::echelon::{Demand, StockPoint, StockTree};
//!
//! let point = |id: &str, parent: Option<&str>, lead_time, holding, demand, backorder| StockPoint {
//!     id: id.into(),
//!     parent: parent.map(Into::into),
//!     lead_time,
//!     holding,
//!     demand,
//!     backorder,
//! };
//! let tree = StockTree::new(vec![
//!     point("central", None, 4.0, 1.0, None, 0.0),
//!     point("north", Some("central"), 1.0, 1.2, Some(Demand::Poisson { mean: 0.5 }), 40.0),
//!     point("south", Some("central"), 1.0, 1.2, Some(Demand::Poisson { mean: 0.8 }), 40.0),
//! ])?;
//! let plan = tree.cheapest();
//! assert_eq!(plan.level("north"), Some(3.0));
//! println!("{}", plan.why);
//! # Ok::<(), dispatch::InputError>(())
//! ```

mod allocate;
mod assembly;
mod branches;
mod chain;
mod distribution;
pub mod guaranteed;
mod plan;
mod reorder;
mod simulate;

use serde::{Deserialize, Serialize};

pub use self::allocate::{Allocation, PricedTree, allocate};
pub use self::assembly::{AssemblyPlan, AssemblyStage, assembly};
pub use self::plan::{PointPlan, StockPlan};
pub use self::reorder::{ReorderPlan, ReorderProblem, reorder_point};
pub use self::simulate::{Measured, MeasuredPoint};

use self::distribution::{Distribution, Moments};
use crate::error::{InputError, Problem, check_number};
use crate::id::LocationId;

/// Most places in a tree: the vans of a large country.
const MAX_POINTS: usize = 10_000;

/// Most levels in a tree, with room above central, region, station, van. In a branching
/// tree each level multiplies the work by about twenty.
const MAX_DEPTH: usize = 8;

/// Greatest cost, rate or time: exact in a 64-bit float with room to multiply.
const MAX_NUMBER: f64 = 1e9;

/// Most pieces (mean and ten standard deviations) asked for in all lead times together;
/// beyond it stock is no matter of single pieces, and the arithmetic too slow.
const MAX_PIECES: f64 = 8_192.0;

/// Most elementary steps that a plan may take, in numbers: about ten seconds.
const MAX_WORK: f64 = 2e10;

/// Levels tried at a place that supplies others, about.
const LEVELS_TRIED: f64 = 30.0;

/// A lattice of this many steps to a standard deviation makes normal demand accurate to
/// about 1e-5 of the cost.
const STEPS_PER_DEVIATION: f64 = 120.0;

/// Most lattice points of normal demand: a deviation far below the mean gets a coarser
/// lattice.
const MAX_LATTICE: f64 = 20_000.0;

/// What customers ask for at a place, per unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Demand {
    /// Single pieces at random times.
    Poisson {
        /// Pieces per unit of time.
        mean: f64,
    },
    /// Customers at random times, each with one or more pieces.
    NegativeBinomial {
        /// Pieces per unit of time.
        mean: f64,
        /// Variance over mean, above 1.
        variance_to_mean: f64,
    },
    /// Large, smooth demand; independent over time.
    Normal {
        /// Pieces per unit of time.
        mean: f64,
        /// Standard deviation of the demand of one unit of time.
        sd: f64,
    },
}

/// A place that keeps the part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockPoint {
    /// Which place.
    pub id: LocationId,
    /// Where it is supplied from; `None`: from outside, which never runs out.
    #[serde(default)]
    pub parent: Option<LocationId>,
    /// Time from dispatch above, if the piece is on the shelf there, to arrival here.
    pub lead_time: f64,
    /// Cost of one piece for one unit of time, on the shelf here or on the way from here
    /// to a place below.
    pub holding: f64,
    /// What customers ask for here; the orders of the places below come on top.
    #[serde(default)]
    pub demand: Option<Demand>,
    /// Cost of one piece that a customer waits for, for one unit of time.
    #[serde(default)]
    pub backorder: f64,
}

/// Places in a tree, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct StockTree {
    /// Parents before children.
    points: Vec<Point>,
    /// Pieces (or less, for normal demand) per lattice point.
    step: f64,
    /// The order in which the points were given.
    given: Vec<usize>,
}

/// A place, with what the arithmetic needs.
#[derive(Debug, Clone, PartialEq)]
struct Point {
    id: LocationId,
    parent: Option<usize>,
    children: Vec<usize>,
    lead_time: f64,
    holding: f64,
    backorder: f64,
    /// Of the customers here.
    own: Moments,
    /// Of the customers here and everywhere below.
    total: Moments,
    /// The first sibling whose subtree is alike in everything but names.
    twin: Option<usize>,
}

impl StockTree {
    /// Checks the places and joins them to a tree (or several).
    ///
    /// # Errors
    /// No place or more than 10,000; a bad id, or one given twice; an unknown parent or a
    /// cycle; more than 8 levels; a number that is negative, not finite or absurd; demand
    /// without a backorder cost; a place below which nobody asks for anything; more than
    /// 8,192 pieces in a lead time, with ten standard deviations; more work than ten
    /// seconds (fewer places, levels or pieces).
    pub fn new(points: Vec<StockPoint>) -> Result<Self, InputError> {
        check_number(points.len() as f64, 1.0, MAX_POINTS as f64, "points (length)")?;
        for (i, point) in points.iter().enumerate() {
            point.check().map_err(|e| e.at("points", i))?;
        }
        let parents = parents(points.iter().map(|p| (&p.id, p.parent.as_ref())))?;
        let order = from_the_root(&parents, &points)?;
        let mut tree = Self { points: Vec::with_capacity(points.len()), step: 1.0, given: vec![0; points.len()] };
        for (new, &old) in order.iter().enumerate() {
            tree.given[old] = new;
            tree.add(&points[old], parents[old].map(|parent| tree.given[parent]));
        }
        tree.sum_demand();
        for (i, &new) in tree.given.iter().enumerate() {
            tree.check_demand(new).map_err(|e| e.at("points", i))?;
        }
        tree.step = tree.lattice_step();
        tree.find_twins();
        check_number(tree.work(), 0.0, MAX_WORK, "points (steps of work)")?;
        Ok(tree)
    }

    fn add(&mut self, point: &StockPoint, parent: Option<usize>) {
        let index = self.points.len();
        let own = point.demand.map_or(Moments::ZERO, Moments::of);
        if let Some(parent) = parent {
            self.points[parent].children.push(index);
        }
        self.points.push(Point {
            id: point.id.clone(),
            parent,
            children: Vec::new(),
            lead_time: point.lead_time,
            holding: point.holding,
            backorder: point.backorder,
            own,
            total: own,
            twin: None,
        });
    }

    fn sum_demand(&mut self) {
        for i in (0..self.points.len()).rev() {
            if let Some(parent) = self.points[i].parent {
                self.points[parent].total = self.points[parent].total.plus(self.points[i].total);
            }
        }
    }

    fn check_demand(&self, i: usize) -> Result<(), InputError> {
        let point = &self.points[i];
        if point.total.mean <= 0.0 {
            return Err(InputError::new("demand", Problem::Empty));
        }
        let most = point.total.over(self.lead_time_from_outside(i)).most();
        check_number(most, 0.0, MAX_PIECES, "demand (pieces in the lead time)")
    }

    /// One piece, but a fine grid where all demand is normal and nothing branches.
    fn lattice_step(&self) -> f64 {
        let is_smooth = self.is_chain() && self.points.iter().all(|p| p.own.is_normal || p.own.mean == 0.0);
        let lead_time: f64 = self.points.iter().map(|p| p.lead_time).sum();
        if is_smooth { self.points[0].total.over(lead_time).lattice_step() } else { 1.0 }
    }

    /// Steps of a search: each place's distribution is met with its supplier's for every
    /// combination of levels tried above it. Twins are copied.
    fn work(&self) -> f64 {
        let is_chain = self.is_chain();
        let mut tried = vec![1.0; self.points.len()];
        let mut sum = 0.0;
        for (i, point) in self.points.iter().enumerate() {
            let Some(above) = point.parent else { continue };
            let is_copied = point.twin.is_some() || tried[above] == 0.0;
            tried[i] = if is_copied { 0.0 } else { tried[above] * if is_chain { 1.0 } else { LEVELS_TRIED } };
            let pieces = |i: usize| self.points[i].total.over(self.lead_time_from_outside(i)).most();
            // Evaluating given levels looks at every place once, twin or not.
            sum += (tried[i] + 1.0) * pieces(above) * pieces(i);
        }
        sum
    }

    fn lead_time_from_outside(&self, i: usize) -> f64 {
        std::iter::successors(Some(i), |&i| self.points[i].parent).map(|i| self.points[i].lead_time).sum()
    }

    /// One place after the other, customers only at the last.
    fn is_chain(&self) -> bool {
        let last = self.points.len() - 1;
        let follows = |(i, p): (usize, &Point)| p.parent == i.checked_sub(1) && (i == last || p.own.mean == 0.0);
        self.points.iter().enumerate().all(follows)
    }

    fn find_twins(&mut self) {
        for i in 0..self.points.len() {
            let siblings: &[usize] = self.points[i].parent.map_or(&[], |parent| &self.points[parent].children);
            self.points[i].twin = siblings.iter().copied().take_while(|&s| s != i).find(|&s| self.are_alike(s, i));
        }
    }

    fn are_alike(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.points[a], &self.points[b]);
        let key = |p: &Point| (p.lead_time, p.holding, p.backorder, p.own, p.children.len());
        key(a) == key(b) && a.children.iter().zip(&b.children).all(|(&a, &b)| self.are_alike(a, b))
    }

    /// Demand at a place, its own and from below, over its lead time.
    fn lead_time_demand(&self, i: usize) -> Distribution {
        Distribution::of(self.points[i].total.over(self.points[i].lead_time), self.step)
    }

    /// Cost of the pieces that are always on the way to the places below.
    fn pipeline_cost(&self) -> f64 {
        let cost = |p: &Point| p.parent.map_or(0.0, |above| self.points[above].holding * p.total.mean * p.lead_time);
        self.points.iter().map(cost).sum()
    }
}

impl StockPoint {
    fn check(&self) -> Result<(), InputError> {
        self.id.check("id")?;
        check_number(self.lead_time, 0.0, MAX_NUMBER, "lead_time")?;
        check_number(self.holding, 0.0, MAX_NUMBER, "holding")?;
        if let Some(demand) = &self.demand {
            demand.check().map_err(|e| e.within("demand"))?;
        }
        // Without a cost of waiting the best stock is none, which nobody means.
        let least = if self.demand.is_some() { f64::MIN_POSITIVE } else { 0.0 };
        check_number(self.backorder, least, MAX_NUMBER, "backorder")
    }
}

impl Demand {
    fn check(&self) -> Result<(), InputError> {
        match *self {
            Self::Poisson { mean } => check_number(mean, 0.0, MAX_NUMBER, "mean"),
            Self::NegativeBinomial { mean, variance_to_mean } => {
                check_number(mean, 0.0, MAX_NUMBER, "mean")?;
                check_number(variance_to_mean, 1.0, 1_000.0, "variance_to_mean")
            }
            Self::Normal { mean, sd } => {
                check_number(mean, 0.0, MAX_NUMBER, "mean")?;
                check_number(sd, 0.0, MAX_NUMBER, "sd")
            }
        }
    }
}

/// Indices of the parents.
fn parents<'a>(
    points: impl ExactSizeIterator<Item = (&'a LocationId, Option<&'a LocationId>)> + Clone,
) -> Result<Vec<Option<usize>>, InputError> {
    let mut index = std::collections::BTreeMap::new();
    for (i, (id, _)) in points.clone().enumerate() {
        if index.insert(id, i).is_some() {
            return Err(InputError::duplicate("id", id.as_str()).at("points", i));
        }
    }
    let find = |(i, (_, parent)): (usize, (_, Option<&LocationId>))| {
        let unknown = |id: &LocationId| InputError::unknown("parent", id.as_str(), "point").at("points", i);
        parent.map(|id| index.get(id).copied().ok_or_else(|| unknown(id))).transpose()
    };
    points.enumerate().map(find).collect()
}

/// Indices in an order in which parents come before their children.
fn from_the_root(parents: &[Option<usize>], points: &[StockPoint]) -> Result<Vec<usize>, InputError> {
    let mut depths = Vec::with_capacity(parents.len());
    for i in 0..parents.len() {
        let line: Vec<usize> = std::iter::successors(Some(i), |&i| parents[i]).take(MAX_DEPTH + 1).collect();
        if line.len() > MAX_DEPTH {
            let names = line.iter().map(|&i| points[i].id.to_string());
            let is_cycle = line[1..].contains(&i);
            let problem = if is_cycle {
                Problem::Cycle(names.take(1 + line[1..].iter().take_while(|&&j| j != i).count() + 1).collect())
            } else {
                Problem::OutOfRange { value: line.len() as f64, min: 1.0, max: MAX_DEPTH as f64 }
            };
            let field = if is_cycle { "parent" } else { "parent (levels above)" };
            return Err(InputError::new(field, problem).at("points", i));
        }
        depths.push(line.len());
    }
    let mut order: Vec<usize> = (0..parents.len()).collect();
    order.sort_by_key(|&i| depths[i]);
    Ok(order)
}

#[cfg(test)]
mod tests;
