//! Parts that are put together on the way to the customer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::chain::{Stage, echelon_levels};
use super::distribution::{Distribution, Moments};
use super::{Demand, MAX_NUMBER, MAX_PIECES};
use crate::error::{InputError, Problem, check_number};
use crate::id::LocationId;

/// Most stages of an assembly.
const MAX_STAGES: usize = 64;

/// A step of an assembly: one piece of each component makes one piece.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssemblyStage {
    /// Which stage.
    pub id: LocationId,
    /// The stage that uses its piece; `None`: the last, which serves the customers.
    #[serde(default)]
    pub into: Option<LocationId>,
    /// Time from when all components are there until the piece is.
    pub lead_time: f64,
    /// Cost of keeping one finished piece of this stage for one unit of time; at least
    /// the sum of its components'.
    pub holding: f64,
}

/// Echelon base-stock levels of an assembly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssemblyPlan {
    /// For each stage, in the given order: its pieces on order, on the shelf and built
    /// into anything further on, less what customers wait for.
    pub echelon_levels: Vec<(LocationId, f64)>,
    /// Expected cost per unit of time, stock between stages included.
    pub cost: f64,
}

/// The optimal (long-run balanced) echelon base-stock levels: an assembly costs what the
/// chain costs in which its stages stand in the order of their total time to the customer
/// (Rosling 1989).
///
/// # Errors
/// No stage or more than 64; a bad id, or one given twice; an unknown next stage, a cycle
/// or several last stages; a negative or absurd number; a stage that is cheaper to hold
/// than its components; no demand, or more than 8,192 pieces of it in all lead times.
pub fn assembly(stages: &[AssemblyStage], demand: Demand, backorder: f64) -> Result<AssemblyPlan, InputError> {
    check_number(stages.len() as f64, 1.0, MAX_STAGES as f64, "stages (length)")?;
    for (i, stage) in stages.iter().enumerate() {
        stage.check().map_err(|e| e.at("stages", i))?;
    }
    demand.check().map_err(|e| e.within("demand"))?;
    check_number(backorder, 0.0, MAX_NUMBER, "backorder")?;
    let moments = Moments::of(demand);
    if moments.mean <= 0.0 {
        return Err(InputError::new("demand", Problem::Empty));
    }
    let next = next_stages(stages)?;
    let to_customer = times_to_customer(stages, &next)?;
    let longest = to_customer.iter().copied().fold(0.0, f64::max);
    check_number(moments.over(longest).most(), 0.0, MAX_PIECES, "demand (pieces in the lead time)")?;
    Ok(equivalent_chain(stages, &to_customer, &added_holding(stages, &next)?, moments, backorder))
}

fn equivalent_chain(
    stages: &[AssemblyStage],
    to_customer: &[f64],
    added: &[f64],
    moments: Moments,
    backorder: f64,
) -> AssemblyPlan {
    let mut order: Vec<usize> = (0..stages.len()).collect();
    order.sort_by(|&a, &b| to_customer[a].total_cmp(&to_customer[b]));
    let step = moments.over(to_customer[order[order.len() - 1]]).lattice_step();
    let mut before = 0.0;
    // In the chain a stage is charged for what is on its way to it while others still
    // catch up; in the assembly those pieces are on the way from outside or from below.
    let mut on_the_way = 0.0;
    let mut chain = Vec::with_capacity(stages.len());
    for &i in &order {
        let lead_time = to_customer[i] - before;
        chain.push(Stage { echelon_holding: added[i], demand: Distribution::of(moments.over(lead_time), step) });
        on_the_way += added[i] * moments.mean * (stages[i].lead_time - lead_time);
        before = to_customer[i];
    }
    let (levels, cost) = echelon_levels(&chain, backorder);
    let mut by_stage = vec![0.0; stages.len()];
    order.iter().zip(levels).for_each(|(&i, level)| by_stage[i] = level as f64 * step);
    let echelon_levels = stages.iter().map(|s| s.id.clone()).zip(by_stage).collect();
    AssemblyPlan { echelon_levels, cost: cost * step - on_the_way }
}

impl AssemblyStage {
    fn check(&self) -> Result<(), InputError> {
        self.id.check("id")?;
        check_number(self.lead_time, 0.0, MAX_NUMBER, "lead_time")?;
        check_number(self.holding, 0.0, MAX_NUMBER, "holding")
    }
}

fn next_stages(stages: &[AssemblyStage]) -> Result<Vec<Option<usize>>, InputError> {
    let mut index = BTreeMap::new();
    for (i, stage) in stages.iter().enumerate() {
        if index.insert(&stage.id, i).is_some() {
            return Err(InputError::duplicate("id", stage.id.as_str()).at("stages", i));
        }
    }
    let mut last = None;
    let mut next = Vec::with_capacity(stages.len());
    for (i, stage) in stages.iter().enumerate() {
        let Some(into) = &stage.into else {
            if last.replace(i).is_some() {
                return Err(InputError::new("into", Problem::Empty).at("stages", i));
            }
            next.push(None);
            continue;
        };
        let unknown = || InputError::unknown("into", into.as_str(), "stage").at("stages", i);
        next.push(Some(*index.get(into).ok_or_else(unknown)?));
    }
    Ok(next)
}

fn times_to_customer(stages: &[AssemblyStage], next: &[Option<usize>]) -> Result<Vec<f64>, InputError> {
    let time = |i: usize| {
        let line = std::iter::successors(Some(i), |&i| next[i]).take(stages.len() + 1);
        let line: Vec<usize> = line.collect();
        if line.len() > stages.len() {
            let names = line.iter().take(8).map(|&i| stages[i].id.to_string()).collect();
            return Err(InputError::new("into", Problem::Cycle(names)).at("stages", i));
        }
        Ok(line.iter().map(|&i| stages[i].lead_time).sum())
    };
    (0..stages.len()).map(time).collect()
}

/// Holding cost of each stage less that of its components.
fn added_holding(stages: &[AssemblyStage], next: &[Option<usize>]) -> Result<Vec<f64>, InputError> {
    let mut added: Vec<f64> = stages.iter().map(|s| s.holding).collect();
    for (i, next) in next.iter().enumerate() {
        if let Some(next) = next {
            added[*next] -= stages[i].holding;
        }
    }
    for (i, &more) in added.iter().enumerate() {
        if more < -1e-9 * stages[i].holding.max(1.0) {
            let (value, min) = (stages[i].holding, stages[i].holding - more);
            return Err(InputError::out_of_range("holding", value, min, MAX_NUMBER).at("stages", i));
        }
    }
    Ok(added)
}
