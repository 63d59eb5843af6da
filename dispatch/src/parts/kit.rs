//! Which parts to carry, when it is not certain which fault it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{InputError, check_number};
use crate::id::{FaultId, PartId};
use crate::order::{FaultBelief, PartNeed, check_beliefs, check_needs};

/// Faults that parts are chosen for: the most probable ones. The exact search visits at
/// most `2^(n + 1)` sets of them; an appliance type has about ten faults with parts.
const MAX_LIKELY_FAULTS: usize = 16;

/// Greatest price or cost: a billion currency units, exact in a 64-bit float.
const MAX_CENTS: i64 = 100_000_000_000;

/// Money, in hundredths of the operator's currency unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cents(pub i64);

/// What carrying costs, and what coming back costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KitPolicy {
    /// Cost of a second visit because a part was missing, `R`.
    pub revisit: Cents,
    /// Share of its price that carrying a piece and bringing it back costs (capital,
    /// damage, loss).
    pub carrying_rate: f64,
    /// Picking, packing and putting back one piece.
    pub handling: Cents,
}

impl Default for KitPolicy {
    /// Assumptions for a household service (a second visit 90.00, 4 % of the price and
    /// 0.50 for each piece carried); an operator sets its own.
    fn default() -> Self {
        Self { revisit: Cents(9_000), carrying_rate: 0.04, handling: Cents(50) }
    }
}

/// The parts to carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kit {
    /// Parts and quantities, by part.
    pub parts: Vec<PartNeed>,
    /// Faults whose parts are all carried, most probable first.
    pub covered: Vec<FaultId>,
    /// Probability that the kit holds what is needed: the covered share of the beliefs.
    /// What they lack to 1 counts as not covered.
    pub covered_probability: f64,
    /// Cost of carrying the parts, in cents.
    pub carrying_cost_cents: f64,
    /// Carrying cost plus expected cost of second visits, in cents: what was minimised.
    pub expected_cost_cents: f64,
    /// The choice, fault by fault, for people.
    pub why: String,
}

/// Chooses the parts `K` that minimise carrying cost + `R · Σ p(f) · [parts(f) ⊄ K]`.
///
/// Exact over the 16 most probable faults with parts: branch and bound over which of
/// them are covered. A fault beyond those is covered only where its parts are carried
/// anyway. A part that several faults need is carried once, in the largest quantity.
///
/// # Errors
/// A probability outside 0 to 1, a fault given twice or absent from `parts_of_fault`
/// (give an empty list for one that needs no part), a part without price, a policy with
/// negative numbers.
pub fn choose_kit(
    beliefs: &[FaultBelief],
    parts_of_fault: &BTreeMap<FaultId, Vec<PartNeed>>,
    prices: &BTreeMap<PartId, Cents>,
    policy: &KitPolicy,
) -> Result<Kit, InputError> {
    policy.check().map_err(|e| e.within("policy"))?;
    check_beliefs(beliefs, "beliefs")?;
    let problem = Problem::new(beliefs, parts_of_fault, prices, policy)?;
    let quantities = Search::run(&problem);
    Ok(problem.explain(&quantities))
}

impl KitPolicy {
    fn check(&self) -> Result<(), InputError> {
        check_cents(self.revisit, "revisit")?;
        check_number(self.carrying_rate, 0.0, 1.0, "carrying_rate")?;
        check_cents(self.handling, "handling")
    }

    fn carrying_cents(&self, price: Cents) -> f64 {
        self.handling.0 as f64 + self.carrying_rate * price.0 as f64
    }
}

fn check_cents(value: Cents, field: &str) -> Result<(), InputError> {
    check_number(value.0 as f64, 0.0, MAX_CENTS as f64, field)
}

/// The problem with parts as indices.
struct Problem<'a> {
    /// Parts that some fault needs, by id.
    parts: Vec<&'a PartId>,
    /// Cost of carrying one piece of each part, in cents.
    unit_cents: Vec<f64>,
    /// Faults, most probable first, then by id.
    faults: Vec<Fault<'a>>,
    revisit_cents: f64,
}

struct Fault<'a> {
    id: &'a FaultId,
    probability: f64,
    /// Index of the part, and quantity.
    needs: Vec<(usize, u32)>,
}

impl<'a> Problem<'a> {
    fn new(
        beliefs: &'a [FaultBelief],
        parts_of_fault: &'a BTreeMap<FaultId, Vec<PartNeed>>,
        prices: &'a BTreeMap<PartId, Cents>,
        policy: &KitPolicy,
    ) -> Result<Self, InputError> {
        let mut lists = Vec::with_capacity(beliefs.len());
        for (i, belief) in beliefs.iter().enumerate() {
            let needs = parts_of_fault.get(&belief.fault).ok_or_else(|| {
                InputError::unknown("fault", belief.fault.as_str(), "key of parts_of_fault").at("beliefs", i)
            })?;
            check_needs(needs, &format!("parts_of_fault[{:?}]", belief.fault.as_str()))?;
            lists.push((belief, needs));
        }
        lists.sort_by(|(a, _), (b, _)| b.probability.total_cmp(&a.probability).then_with(|| a.fault.cmp(&b.fault)));

        let mut index: BTreeMap<&PartId, usize> =
            lists.iter().flat_map(|(_, needs)| needs.iter().map(|n| (&n.part, 0))).collect();
        let mut unit_cents = Vec::with_capacity(index.len());
        for (i, (part, slot)) in index.iter_mut().enumerate() {
            *slot = i;
            let price = prices.get(*part).ok_or_else(|| InputError::unknown("prices", part.as_str(), "price"))?;
            check_cents(*price, &format!("prices[{:?}]", part.as_str()))?;
            unit_cents.push(policy.carrying_cents(*price));
        }
        let faults = lists
            .iter()
            .map(|(belief, needs)| Fault {
                id: &belief.fault,
                probability: belief.probability,
                needs: needs.iter().map(|n| (index[&n.part], n.quantity)).collect(),
            })
            .collect();
        Ok(Self { parts: index.into_keys().collect(), unit_cents, faults, revisit_cents: policy.revisit.0 as f64 })
    }

    /// Expected cost of coming back for a fault that is not covered.
    fn risk_cents(&self, fault: &Fault<'_>) -> f64 {
        self.revisit_cents * fault.probability
    }

    fn carrying_cents(&self, quantities: &[u32]) -> f64 {
        quantities.iter().zip(&self.unit_cents).map(|(&n, cents)| f64::from(n) * cents).sum()
    }

    /// Cost of what `fault` still lacks.
    fn lacking_cents(&self, fault: &Fault<'_>, quantities: &[u32]) -> f64 {
        fault.needs.iter().map(|&(part, n)| f64::from(n.saturating_sub(quantities[part])) * self.unit_cents[part]).sum()
    }

    fn explain(&self, quantities: &[u32]) -> Kit {
        let (covered, open): (Vec<_>, Vec<_>) = self.faults.iter().partition(|f| f.is_covered(quantities));
        let mass = |faults: &[&Fault<'_>]| faults.iter().map(|f| f.probability).sum::<f64>();
        let believed = mass(&covered) + mass(&open);
        let carrying_cost_cents = self.carrying_cents(quantities);
        Kit {
            parts: self
                .parts
                .iter()
                .zip(quantities)
                .filter(|(_, n)| **n > 0)
                .map(|(part, &quantity)| PartNeed { part: (*part).clone(), quantity })
                .collect(),
            covered: covered.iter().map(|f| f.id.clone()).collect(),
            covered_probability: mass(&covered) / believed.max(1.0),
            carrying_cost_cents,
            expected_cost_cents: carrying_cost_cents + open.iter().map(|f| self.risk_cents(f)).sum::<f64>(),
            why: self.sentence(quantities),
        }
    }

    fn sentence(&self, quantities: &[u32]) -> String {
        if self.faults.is_empty() {
            return "no fault is believed in: nothing to carry".to_owned();
        }
        let phrase = |fault: &Fault<'_>| {
            let head = format!("{} ({:.0} %)", fault.id, fault.probability * 100.0);
            if fault.needs.is_empty() {
                return format!("{head} needs no part");
            }
            let names: Vec<_> = fault.needs.iter().map(|&(part, n)| format!("{n} × {}", self.parts[part])).collect();
            let names = names.join(", ");
            if fault.is_covered(quantities) {
                return format!("{head} covered by {names}");
            }
            let (lacking, risk) = (self.lacking_cents(fault, quantities) / 100.0, self.risk_cents(fault) / 100.0);
            format!(
                "{head} not covered: carrying {names} costs {lacking:.2} more, coming back is expected to cost {risk:.2}"
            )
        };
        self.faults.iter().map(phrase).collect::<Vec<_>>().join("; ")
    }
}

impl Fault<'_> {
    fn is_covered(&self, quantities: &[u32]) -> bool {
        self.needs.iter().all(|&(part, n)| quantities[part] >= n)
    }
}

/// Depth-first over the likely faults: cover it, or give it up.
struct Search<'a> {
    problem: &'a Problem<'a>,
    /// Faults that are decided one by one.
    likely: Vec<&'a Fault<'a>>,
    /// `sharers[depth][part]`: how many of the faults from `depth` on need the part.
    sharers: Vec<Vec<f64>>,
    best_cents: f64,
    best: Vec<u32>,
}

impl<'a> Search<'a> {
    fn run(problem: &'a Problem<'a>) -> Vec<u32> {
        let likely: Vec<_> = problem.faults.iter().filter(|f| !f.needs.is_empty()).take(MAX_LIKELY_FAULTS).collect();
        let mut sharers = vec![vec![0.0; problem.parts.len()]; likely.len() + 1];
        for depth in (0..likely.len()).rev() {
            sharers[depth] = sharers[depth + 1].clone();
            likely[depth].needs.iter().for_each(|&(part, _)| sharers[depth][part] += 1.0);
        }
        let nothing = vec![0; problem.parts.len()];
        let mut search = Self { problem, likely, sharers, best_cents: f64::INFINITY, best: nothing.clone() };
        search.descend(0, &nothing, 0.0);
        search.best
    }

    /// `given_up_cents`: risk of the faults given up so far.
    fn descend(&mut self, depth: usize, quantities: &[u32], given_up_cents: f64) {
        let carrying = self.problem.carrying_cents(quantities);
        if carrying + given_up_cents + self.least_rest_cents(depth, quantities) >= self.best_cents {
            return;
        }
        let Some(fault) = self.likely.get(depth).copied() else {
            self.best_cents = carrying + given_up_cents;
            self.best = quantities.to_vec();
            return;
        };
        let mut with = quantities.to_vec();
        for &(part, n) in &fault.needs {
            with[part] = with[part].max(n);
        }
        self.descend(depth + 1, &with, given_up_cents);
        if with != quantities {
            self.descend(depth + 1, quantities, given_up_cents + self.problem.risk_cents(fault));
        }
    }

    /// A lower bound for the undecided faults: each is given up, or pays its share of the
    /// parts it lacks, as if all that need a part paid for it together.
    fn least_rest_cents(&self, depth: usize, quantities: &[u32]) -> f64 {
        let share = |fault: &Fault<'_>| -> f64 {
            let lacking = |&(part, n): &(usize, u32)| {
                f64::from(n.saturating_sub(quantities[part])) * self.problem.unit_cents[part]
                    / self.sharers[depth][part]
            };
            fault.needs.iter().map(lacking).sum()
        };
        self.likely[depth..].iter().map(|f| self.problem.risk_cents(f).min(share(f))).sum()
    }
}

#[cfg(test)]
mod tests;
