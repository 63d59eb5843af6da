//! Safety stock by promised service times (Simpson 1958; Graves & Willems 2000, 2003).
//!
//! Every stage promises the next a time within which it delivers, always. It keeps enough
//! for the demand it must bridge: over inbound time + its own time - promised time,
//! demand is taken to stay below its mean + factor · sd · √time; beyond that, other means
//! help out (overtime, express). The cheapest promises on any spanning tree, parts joined
//! and split, follow by dynamic programming over whole units of time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MAX_NUMBER;
use crate::error::{InputError, check_number};
use crate::id::LocationId;

/// Most stages.
const MAX_STAGES: usize = 1_000;

/// Longest time through the whole network, in units of time: days of three years. The
/// work grows with its square, so long times need a coarser unit.
const MAX_TIME: u64 = 1_000;

/// A stage that may keep stock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceStage {
    /// Which stage.
    pub id: LocationId,
    /// Time from when all inputs are there until its piece is.
    pub processing_time: u32,
    /// Cost of keeping one piece for one unit of time.
    pub holding: f64,
    /// Mean demand of its customers per unit of time.
    #[serde(default)]
    pub demand_mean: f64,
    /// Standard deviation of that demand.
    #[serde(default)]
    pub demand_sd: f64,
    /// Standard deviations of demand that stock must bridge.
    pub safety_factor: f64,
    /// Time within which its supplier from outside delivers.
    #[serde(default)]
    pub inbound_time: u32,
    /// Longest time its customers accept; `None`: any.
    #[serde(default)]
    pub longest_service: Option<u32>,
}

/// What each stage promises and keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePlan {
    /// In the given order.
    pub stages: Vec<StagePlan>,
    /// Cost of all safety stock per unit of time.
    pub cost: f64,
    /// The plan for people.
    pub why: String,
}

/// One stage of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagePlan {
    /// Which stage.
    pub id: LocationId,
    /// Time within which all its inputs are promised.
    pub inbound_time: u32,
    /// Time within which it promises to deliver.
    pub service_time: u32,
    /// Pieces beyond mean demand.
    pub safety_stock: f64,
    /// Mean demand of the time it bridges plus safety stock.
    pub base_stock: f64,
}

/// The cheapest promises. `links` go from a stage to the one it supplies.
///
/// # Errors
/// No stage or more than 1,000; a bad id, or one given twice; a link to an unknown stage,
/// or links that do not join all stages to one tree; negative or absurd numbers; a path
/// that takes more than 1,000 units of time.
pub fn place_safety_stock(
    stages: &[ServiceStage],
    links: &[(LocationId, LocationId)],
) -> Result<ServicePlan, InputError> {
    let network = Network::new(stages, links)?;
    let tables = network.tables();
    Ok(network.plan(&network.promises(&tables)))
}

/// The stages as a tree hung up at stage 0.
struct Network<'a> {
    stages: &'a [ServiceStage],
    suppliers: Vec<Vec<usize>>,
    /// Suppliers before those they supply.
    downstream_order: Vec<usize>,
    /// From stage 0 outwards.
    outward_order: Vec<usize>,
    /// The neighbour towards stage 0, and whether it is supplied by the stage.
    inward: Vec<Option<(usize, bool)>>,
    /// Mean and variance of demand here and downstream.
    demand: Vec<(f64, f64)>,
    /// Longest time until a piece made to order is there.
    longest: Vec<usize>,
}

/// Least cost of a stage and all that hangs on it outwards, by the time that ties it to
/// the inward neighbour: its service time if it supplies that, else its inbound time.
struct Table {
    cost: Vec<f64>,
    /// The other of the two times, for each of them.
    other: Vec<usize>,
    /// For a limit on the tying time, the best time within it: at most the limit for a
    /// service time, at least the limit for an inbound time.
    within: Vec<usize>,
}

impl Table {
    fn limited(&self, limit: usize) -> f64 {
        self.cost[self.best(limit)]
    }

    fn best(&self, limit: usize) -> usize {
        self.within[limit.min(self.within.len() - 1)]
    }
}

impl<'a> Network<'a> {
    fn new(stages: &'a [ServiceStage], links: &[(LocationId, LocationId)]) -> Result<Self, InputError> {
        check_number(stages.len() as f64, 1.0, MAX_STAGES as f64, "stages (length)")?;
        let mut index = BTreeMap::new();
        for (i, stage) in stages.iter().enumerate() {
            stage.check().map_err(|e| e.at("stages", i))?;
            if index.insert(&stage.id, i).is_some() {
                return Err(InputError::duplicate("id", stage.id.as_str()).at("stages", i));
            }
        }
        check_number(links.len() as f64, stages.len() as f64 - 1.0, stages.len() as f64 - 1.0, "links (length)")?;
        let mut suppliers = vec![Vec::new(); stages.len()];
        let mut neighbours = vec![Vec::new(); stages.len()];
        for (i, (from, to)) in links.iter().enumerate() {
            let find = |id: &LocationId, field| {
                index.get(id).copied().ok_or_else(|| InputError::unknown(field, id.as_str(), "stage").at("links", i))
            };
            let (from, to) = (find(from, "from")?, find(to, "to")?);
            suppliers[to].push(from);
            neighbours[from].push((to, true));
            neighbours[to].push((from, false));
        }
        let (outward_order, inward) = hang_up(&neighbours);
        if outward_order.len() < stages.len() {
            let lone = (0..stages.len()).find(|i| !outward_order.contains(i)).unwrap_or(0);
            return Err(InputError::unknown("links", stages[lone].id.as_str(), "stage joined to the first one"));
        }
        let downstream_order = downstream(&suppliers);
        let mut network = Self {
            stages,
            demand: stages.iter().map(|s| (s.demand_mean, s.demand_sd.powi(2))).collect(),
            longest: vec![0; stages.len()],
            suppliers,
            downstream_order,
            outward_order,
            inward,
        };
        network.sum_up()?;
        Ok(network)
    }

    fn sum_up(&mut self) -> Result<(), InputError> {
        for &i in self.downstream_order.iter().rev() {
            for &supplier in &self.suppliers[i] {
                let (mean, variance) = self.demand[i];
                self.demand[supplier].0 += mean;
                self.demand[supplier].1 += variance;
            }
        }
        for &i in &self.downstream_order {
            let inputs = self.suppliers[i].iter().map(|&s| self.longest[s]).max().unwrap_or(0);
            let time =
                u64::from(self.stages[i].processing_time) + inputs.max(self.stages[i].inbound_time as usize) as u64;
            let field = "processing_time (with all before it)";
            check_number(time as f64, 0.0, MAX_TIME as f64, field).map_err(|e| e.at("stages", i))?;
            self.longest[i] = time as usize;
        }
        Ok(())
    }

    fn processing(&self, i: usize) -> usize {
        self.stages[i].processing_time as usize
    }

    fn safety_stock(&self, i: usize, bridged: usize) -> f64 {
        self.stages[i].safety_factor * (self.demand[i].1 * bridged as f64).sqrt()
    }

    /// Service times a stage may promise if its inputs take `inbound`.
    fn services(&self, i: usize, inbound: usize) -> std::ops::RangeInclusive<usize> {
        let accepted = self.stages[i].longest_service.map_or(usize::MAX, |t| t as usize);
        0..=(inbound + self.processing(i)).min(accepted)
    }

    fn inbounds(&self, i: usize) -> std::ops::RangeInclusive<usize> {
        self.stages[i].inbound_time as usize..=self.longest[i] - self.processing(i)
    }

    /// Tables from the ends of the tree inwards.
    fn tables(&self) -> Vec<Table> {
        let mut tables: Vec<Option<Table>> = self.stages.iter().map(|_| None).collect();
        for &i in self.outward_order.iter().rev() {
            tables[i] = Some(self.table(i, &tables));
        }
        tables.into_iter().map(|table| table.expect("every stage is in the order")).collect()
    }

    fn table(&self, i: usize, tables: &[Option<Table>]) -> Table {
        let outward = |is_supplier: bool| {
            let hangs_here = move |&(_, to): &(usize, &Option<(usize, bool)>)| *to == Some((i, is_supplier));
            let on = self.inward.iter().enumerate().filter(hangs_here);
            on.map(|(k, _)| tables[k].as_ref().expect("further out, so done before")).collect::<Vec<_>>()
        };
        let (suppliers, supplied) = (outward(true), outward(false));
        // What hangs on the inbound time, and what hangs on the service time.
        let by_inbound: Vec<f64> =
            (0..=self.longest[i]).map(|t| suppliers.iter().map(|k| k.limited(t)).sum()).collect();
        let by_service: Vec<f64> = (0..=self.longest[i]).map(|t| supplied.iter().map(|k| k.limited(t)).sum()).collect();
        let is_by_service = self.inward[i].is_some_and(|(_, supplies)| supplies);
        let mut cost = vec![f64::INFINITY; self.longest[i] + 1];
        let mut other = vec![0; self.longest[i] + 1];
        for inbound in self.inbounds(i) {
            for service in self.services(i, inbound) {
                let stock = self.safety_stock(i, inbound + self.processing(i) - service);
                let sum = self.stages[i].holding * stock + by_inbound[inbound] + by_service[service];
                let (key, rest) = if is_by_service { (service, inbound) } else { (inbound, service) };
                if sum < cost[key] {
                    (cost[key], other[key]) = (sum, rest);
                }
            }
        }
        let within = if is_by_service { best_up_to(&cost) } else { best_from(&cost) };
        Table { cost, other, within }
    }

    /// Service times by backtracking from stage 0 outwards.
    fn promises(&self, tables: &[Table]) -> Vec<usize> {
        let mut times = vec![(0, 0); self.stages.len()];
        for &i in &self.outward_order {
            times[i] = match self.inward[i] {
                None => {
                    let inbound = tables[i].best(0);
                    (inbound, tables[i].other[inbound])
                }
                Some((to, true)) => {
                    let service = tables[i].best(times[to].0);
                    (tables[i].other[service], service)
                }
                Some((from, false)) => {
                    let inbound = tables[i].best(times[from].1);
                    (inbound, tables[i].other[inbound])
                }
            };
        }
        times.into_iter().map(|(_, service)| service).collect()
    }

    fn plan(&self, promises: &[usize]) -> ServicePlan {
        let mut service = promises.to_vec();
        let mut plans: Vec<Option<StagePlan>> = self.stages.iter().map(|_| None).collect();
        for &i in &self.downstream_order {
            let outside = self.stages[i].inbound_time as usize;
            let inbound = self.suppliers[i].iter().map(|&s| service[s]).fold(outside, usize::max);
            // A promise longer than making to order is no promise.
            service[i] = service[i].min(inbound + self.processing(i));
            let bridged = inbound + self.processing(i) - service[i];
            let safety_stock = self.safety_stock(i, bridged);
            plans[i] = Some(StagePlan {
                id: self.stages[i].id.clone(),
                inbound_time: inbound as u32,
                service_time: service[i] as u32,
                safety_stock,
                base_stock: self.demand[i].0 * bridged as f64 + safety_stock,
            });
        }
        let plans: Vec<StagePlan> = plans.into_iter().flatten().collect();
        let cost = plans.iter().zip(self.stages).map(|(p, s)| p.safety_stock * s.holding).sum();
        ServicePlan { why: sentence(&plans, cost), stages: plans, cost }
    }
}

impl ServiceStage {
    fn check(&self) -> Result<(), InputError> {
        self.id.check("id")?;
        check_number(self.holding, 0.0, MAX_NUMBER, "holding")?;
        check_number(self.demand_mean, 0.0, MAX_NUMBER, "demand_mean")?;
        check_number(self.demand_sd, 0.0, MAX_NUMBER, "demand_sd")?;
        check_number(self.safety_factor, 0.0, 100.0, "safety_factor")
    }
}

fn sentence(plans: &[StagePlan], cost: f64) -> String {
    let phrase = |plan: &StagePlan| match plan.safety_stock {
        stock if stock > 0.0 => {
            format!("{}: {stock:.2} in safety stock, delivers within {}", plan.id, plan.service_time)
        }
        _ => format!("{}: made to order within {}", plan.id, plan.service_time),
    };
    format!("{}; safety stock costs {cost:.2}", plans.iter().map(phrase).collect::<Vec<_>>().join("; "))
}

/// Stages from the first outwards, and for each the neighbour it was reached from.
fn hang_up(neighbours: &[Vec<(usize, bool)>]) -> (Vec<usize>, Vec<Option<(usize, bool)>>) {
    let mut order = vec![0];
    let mut inward = vec![None; neighbours.len()];
    let mut next = 0;
    while let Some(&i) = order.get(next) {
        for &(k, supplies) in &neighbours[i] {
            if k != 0 && inward[k].is_none() {
                // Seen from `k`: it is supplied by `i` if `i` supplies it.
                inward[k] = Some((i, !supplies));
                order.push(k);
            }
        }
        next += 1;
    }
    (order, inward)
}

/// Suppliers first. The links form a tree, so that every stage is reached.
fn downstream(suppliers: &[Vec<usize>]) -> Vec<usize> {
    let mut open: Vec<usize> = suppliers.iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..suppliers.len()).filter(|&i| open[i] == 0).collect();
    let mut next = 0;
    while let Some(&i) = order.get(next) {
        for (k, list) in suppliers.iter().enumerate() {
            let links = list.iter().filter(|&&s| s == i).count();
            if links > 0 {
                open[k] -= links;
                if open[k] == 0 {
                    order.push(k);
                }
            }
        }
        next += 1;
    }
    order
}

/// For each limit, where the least cost at or below it is.
fn best_up_to(cost: &[f64]) -> Vec<usize> {
    let step = |best: &mut usize, t: usize| {
        if cost[t] < cost[*best] {
            *best = t;
        }
        Some(*best)
    };
    (0..cost.len()).scan(0, step).collect()
}

/// For each limit, where the least cost at or above it is.
fn best_from(cost: &[f64]) -> Vec<usize> {
    let mut best: Vec<usize> = (0..cost.len()).collect();
    for t in (0..cost.len() - 1).rev() {
        if cost[best[t + 1]] < cost[t] {
            best[t] = best[t + 1];
        }
    }
    best
}

#[cfg(test)]
mod tests;
