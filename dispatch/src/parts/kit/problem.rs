//! The kit problem with parts as indices, and its answer in words.

use std::collections::BTreeMap;

use super::supply::KitSupply;
use super::{Cents, Kit, KitPolicy, check_cents};
use crate::error::InputError;
use crate::id::{FaultId, PartId};
use crate::order::{FaultBelief, PartNeed, check_needs};

/// Ways to meet one fault that are looked at: the first ones, plainest first.
const MAX_WAYS: usize = 64;

/// Parts by index, and quantities.
pub(super) type Way = Vec<(usize, u32)>;

pub(super) struct KitProblem<'a> {
    /// Parts that some fault may use, by id.
    parts: Vec<&'a PartId>,
    /// Cost of carrying one piece of each part, in cents.
    unit_cents: Vec<f64>,
    /// Pieces of each part in the van.
    free: Vec<u32>,
    /// Faults, most probable first, then by id.
    pub(super) faults: Vec<Fault<'a>>,
    revisit_cents: f64,
}

pub(super) struct Fault<'a> {
    id: &'a FaultId,
    probability: f64,
    /// What is asked for.
    needs: &'a [PartNeed],
    /// Sets of parts that each will do; none if it cannot be covered.
    pub(super) ways: Vec<Way>,
}

impl<'a> KitProblem<'a> {
    pub(super) fn new(
        beliefs: &'a [FaultBelief],
        parts_of_fault: &'a BTreeMap<FaultId, Vec<PartNeed>>,
        prices: &'a BTreeMap<PartId, Cents>,
        policy: &KitPolicy,
        supply: &'a KitSupply,
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

        let asked = lists.iter().flat_map(|(_, needs)| needs.iter());
        let mut index: BTreeMap<&PartId, usize> =
            asked.flat_map(|need| supply.lines(&need.part)).flatten().map(|part| (part, 0)).collect();
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
                needs,
                ways: ways(needs, supply, &index),
            })
            .collect();
        let free = index.keys().map(|part| supply.in_van(part)).collect();
        Ok(Self {
            parts: index.into_keys().collect(),
            unit_cents,
            free,
            faults,
            revisit_cents: policy.revisit.0 as f64,
        })
    }

    pub(super) fn part_count(&self) -> usize {
        self.parts.len()
    }

    /// Expected cost of coming back for a fault that is not covered.
    pub(super) fn risk_cents(&self, fault: &Fault<'_>) -> f64 {
        self.revisit_cents * fault.probability
    }

    pub(super) fn carrying_cents(&self, quantities: &[u32]) -> f64 {
        let cost = |((&n, &free), cents): ((&u32, &u32), &f64)| f64::from(n.saturating_sub(free)) * cents;
        quantities.iter().zip(&self.free).zip(&self.unit_cents).map(cost).sum()
    }

    /// Cost of what a way still lacks of one part.
    pub(super) fn lacking_cents(&self, (part, n): (usize, u32), quantities: &[u32]) -> f64 {
        f64::from(n.saturating_sub(quantities[part].max(self.free[part]))) * self.unit_cents[part]
    }

    fn way_cents(&self, way: &Way, quantities: &[u32]) -> f64 {
        way.iter().map(|&need| self.lacking_cents(need, quantities)).sum()
    }

    pub(super) fn explain(&self, quantities: &[u32]) -> Kit {
        let (covered, open): (Vec<_>, Vec<_>) = self.faults.iter().partition(|f| f.covering(quantities).is_some());
        let mass = |faults: &[&Fault<'_>]| faults.iter().map(|f| f.probability).sum::<f64>();
        let believed = mass(&covered) + mass(&open);
        let carrying_cost_cents = self.carrying_cents(quantities);
        let list = |pieces: &mut dyn Iterator<Item = u32>| -> Vec<PartNeed> {
            let needs = self.parts.iter().zip(pieces).filter(|(_, n)| *n > 0);
            needs.map(|(part, quantity)| PartNeed { part: (*part).clone(), quantity }).collect()
        };
        Kit {
            parts: list(&mut quantities.iter().copied()),
            from_van: list(&mut quantities.iter().zip(&self.free).map(|(&n, &free)| n.min(free))),
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
        self.faults.iter().map(|fault| self.phrase(fault, quantities)).collect::<Vec<_>>().join("; ")
    }

    fn phrase(&self, fault: &Fault<'_>, quantities: &[u32]) -> String {
        let head = format!("{} ({:.0} %)", fault.id, fault.probability * 100.0);
        if fault.needs.is_empty() {
            return format!("{head} needs no part");
        }
        if let Some(way) = fault.covering(quantities) {
            return format!("{head} covered by {}", self.names(fault, way));
        }
        let price = |way: &&Way| self.way_cents(way, quantities);
        let Some(way) = fault.ways.iter().min_by(|a, b| price(a).total_cmp(&price(b))) else {
            return format!("{head} not covered: {} is not to be had", asked(fault.needs));
        };
        let (lacking, risk) = (price(&way) / 100.0, self.risk_cents(fault) / 100.0);
        let names = self.names(fault, way);
        format!(
            "{head} not covered: carrying {names} costs {lacking:.2} more, coming back is expected to cost {risk:.2}"
        )
    }

    fn names(&self, fault: &Fault<'_>, way: &Way) -> String {
        let name = |&(part, n): &(usize, u32)| {
            let van = match n.min(self.free[part]) {
                0 => String::new(),
                all if all == n => " in the van".to_owned(),
                some => format!(" ({some} in the van)"),
            };
            format!("{n} × {}{van}", self.parts[part])
        };
        let is_asked = |&(part, n): &(usize, u32)| {
            fault.needs.iter().any(|need| need.part == *self.parts[part] && need.quantity == n)
        };
        let names = way.iter().map(name).collect::<Vec<_>>().join(", ");
        if way.iter().all(is_asked) { names } else { format!("{names} instead of {}", asked(fault.needs)) }
    }
}

impl Fault<'_> {
    /// The first way that the quantities allow.
    fn covering(&self, quantities: &[u32]) -> Option<&Way> {
        self.ways.iter().find(|way| way.iter().all(|&(part, n)| quantities[part] >= n))
    }
}

fn asked(needs: &[PartNeed]) -> String {
    needs.iter().map(|need| format!("{} × {}", need.quantity, need.part)).collect::<Vec<_>>().join(", ")
}

/// Every way to meet the needs from what is at hand: for each need, its pieces are split
/// over the lines of parts that will do.
fn ways(needs: &[PartNeed], supply: &KitSupply, index: &BTreeMap<&PartId, usize>) -> Vec<Way> {
    let mut lines: Vec<_> = needs.iter().map(|need| (need.quantity, supply.lines(&need.part))).collect();
    // What has no choice takes first, so that a free choice steps back from it.
    lines.sort_by_key(|(_, lines)| (lines.len(), lines.iter().map(Vec::len).sum::<usize>()));
    let mut partial: Vec<BTreeMap<&PartId, u32>> = vec![BTreeMap::new()];
    for (quantity, lines) in &lines {
        let mut longer = Vec::new();
        for taken in &partial {
            split(*quantity, lines, supply, taken, &mut longer);
        }
        partial = longer;
    }
    let mut ways: Vec<Way> = Vec::new();
    for way in partial {
        let way: Way = way.into_iter().map(|(part, n)| (index[part], n)).collect();
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

/// Adds to `found` what is taken once `open` more pieces come from `lines`, as many as
/// can be from the first, then fewer and fewer.
fn split<'a>(
    open: u32,
    lines: &[Vec<&'a PartId>],
    supply: &KitSupply,
    taken: &BTreeMap<&'a PartId, u32>,
    found: &mut Vec<BTreeMap<&'a PartId, u32>>,
) {
    let Some((line, rest)) = lines.split_first() else {
        if open == 0 {
            found.push(taken.clone());
        }
        return;
    };
    // More splits than the limit on ways cannot be used; the last is "all from the others".
    for from_line in (0..=open).rev().take(MAX_WAYS).chain((open as usize >= MAX_WAYS).then_some(0)) {
        if found.len() >= MAX_WAYS {
            return;
        }
        if let Some(longer) = take_from_line(from_line, line, supply, taken) {
            split(open - from_line, rest, supply, &longer, found);
        }
    }
}

/// Takes pieces from the van, then from stores, at each the old part before the new.
fn take_from_line<'a>(
    quantity: u32,
    line: &[&'a PartId],
    supply: &KitSupply,
    taken: &BTreeMap<&'a PartId, u32>,
) -> Option<BTreeMap<&'a PartId, u32>> {
    let mut taken = taken.clone();
    let mut open = quantity;
    for is_store in [false, true] {
        for part in line {
            let limit = supply.in_van(part).saturating_add(if is_store { supply.in_stores(part) } else { 0 });
            let so_far = taken.get(part).copied().unwrap_or(0);
            let more = open.min(limit.saturating_sub(so_far));
            if more > 0 {
                open -= more;
                taken.insert(part, so_far + more);
            }
        }
    }
    (open == 0).then_some(taken)
}
