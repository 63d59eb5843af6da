//! Which pieces to move between places, so that surplus meets shortage.

mod flow;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::flow::transport;
use crate::error::{InputError, check_number};
use crate::id::{LocationId, PartId};
use crate::parts::kit::check_cents;
use crate::parts::{Cents, LocationTree};
use crate::place::{TravelModel, distance_km};

/// Most entries of stock: 20,000 parts at 50 places.
const MAX_STOCKS: usize = 1_000_000;

/// Most places that hold one part too much, or too little: the work grows with the cube.
const MAX_PLACES: usize = 1_000;

/// What a place has of a part, and what it should have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    /// Where.
    pub location: LocationId,
    /// What.
    pub part: PartId,
    /// Pieces on the shelf.
    pub on_hand: u32,
    /// Pieces of these that are promised to orders; never moved.
    pub reserved: u32,
    /// Pieces on their way here from outside.
    #[serde(default)]
    pub incoming: u32,
    /// Pieces it should have free: its base-stock level.
    pub target: u32,
    /// What one piece short of the target costs until it would arrive anyway (waiting
    /// customers, second visits, express freight). A piece is moved only for less.
    pub shortage: Cents,
}

/// What moving a piece costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferCost {
    /// Picking, packing and booking one piece.
    pub handling: Cents,
    /// One piece for one km of road.
    pub cents_per_km: f64,
    /// Road distance from the great circle.
    #[serde(default)]
    pub travel: TravelModel,
}

/// Pieces to move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// What.
    pub part: PartId,
    /// Pieces, at least 1.
    pub quantity: u32,
    /// From a place with surplus.
    pub from: LocationId,
    /// To a place that is short.
    pub to: LocationId,
    /// Cost of moving them, in cents.
    pub cost_cents: f64,
    /// Shortage costs less cost of moving, in cents.
    pub saved_cents: f64,
    /// Why, for people.
    pub why: String,
}

/// The transfers that save most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    /// By part, then from, then to.
    pub transfers: Vec<Transfer>,
    /// What is short all the same, with the reason, for people.
    pub still_short: Vec<StillShort>,
    /// Sum of what the transfers save, in cents.
    pub saved_cents: f64,
}

/// A shortage that no transfer ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StillShort {
    /// What.
    pub part: PartId,
    /// Where.
    pub location: LocationId,
    /// Pieces.
    pub quantity: u32,
    /// Why.
    pub reason: ShortReason,
}

/// Why a shortage stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortReason {
    /// No piece is left over anywhere.
    NoSurplus,
    /// Pieces are left over, but moving one costs more than the shortage, or nobody knows
    /// the way (a place without coordinates).
    NotWorthMoving,
}

/// Moves surplus to shortage where that saves most: for each part the transport problem
/// "shortage costs avoided less moving costs, at most the surplus, at most the shortage",
/// solved exactly as a min-cost flow (successive shortest paths with potentials; Ahuja,
/// Magnanti & Orlin 1993, section 9.7). Surplus is what is on hand, not reserved and above
/// the target; incoming pieces lessen a shortage and make no surplus. A place without
/// coordinates (a van) neither gives nor takes.
///
/// # Errors
/// A bad id, a location that the tree does not know, a part given twice at one location,
/// more reserved than on hand, negative or absurd costs, more than 1,000,000 entries, or
/// more than 1,000 places with surplus or shortage of one part.
pub fn balance(stocks: &[Stock], locations: &LocationTree, cost: &TransferCost) -> Result<Balance, InputError> {
    cost.check().map_err(|e| e.within("cost"))?;
    check(stocks, locations)?;
    let mut by_part: BTreeMap<&PartId, Vec<&Stock>> = BTreeMap::new();
    for stock in stocks {
        by_part.entry(&stock.part).or_default().push(stock);
    }
    let mut balance = Balance { transfers: Vec::new(), still_short: Vec::new(), saved_cents: 0.0 };
    for (part, mut stocks) in by_part {
        stocks.sort_by(|a, b| a.location.cmp(&b.location));
        balance_part(part, &stocks, locations, cost, &mut balance)?;
    }
    balance.saved_cents = balance.transfers.iter().map(|t| t.saved_cents).sum();
    Ok(balance)
}

fn balance_part(
    part: &PartId,
    stocks: &[&Stock],
    locations: &LocationTree,
    cost: &TransferCost,
    balance: &mut Balance,
) -> Result<(), InputError> {
    let givers: Vec<&Stock> = stocks.iter().copied().filter(|s| s.surplus() > 0).collect();
    let takers: Vec<&Stock> = stocks.iter().copied().filter(|s| s.short() > 0).collect();
    let field = format!("stocks (places of {:?})", part.as_str());
    check_number(givers.len().max(takers.len()) as f64, 0.0, MAX_PLACES as f64, &field)?;
    let price = |from: &Stock, to: &Stock| cost.between(&from.location, &to.location, locations);
    let supply: Vec<u32> = givers.iter().map(|s| s.surplus()).collect();
    let demand: Vec<u32> = takers.iter().map(|s| s.short()).collect();
    let worth: Vec<f64> = takers.iter().map(|s| s.shortage.0 as f64).collect();
    let costs: Vec<Vec<f64>> =
        givers.iter().map(|from| takers.iter().map(|to| price(from, to).unwrap_or(f64::INFINITY)).collect()).collect();
    let moved = transport(&supply, &demand, &worth, &costs);
    for (i, from) in givers.iter().enumerate() {
        for (j, to) in takers.iter().enumerate().filter(|(j, _)| moved[i][*j] > 0) {
            balance.transfers.push(transfer(part, moved[i][j], from, to, costs[i][j]));
        }
    }
    let is_left_over = moved.iter().zip(&supply).any(|(row, &pieces)| row.iter().sum::<u32>() < pieces);
    let reason = if is_left_over { ShortReason::NotWorthMoving } else { ShortReason::NoSurplus };
    for (j, to) in takers.iter().enumerate() {
        let quantity = to.short() - moved.iter().map(|row| row[j]).sum::<u32>();
        if quantity > 0 {
            balance.still_short.push(StillShort {
                part: part.clone(),
                location: to.location.clone(),
                quantity,
                reason,
            });
        }
    }
    Ok(())
}

fn transfer(part: &PartId, quantity: u32, from: &Stock, to: &Stock, price: f64) -> Transfer {
    let cost_cents = price * f64::from(quantity);
    let avoided = to.shortage.0 as f64 * f64::from(quantity);
    let why = format!(
        "{} has {} free above its {}; {} is {} short of its {}: moving costs {:.2}, the shortage {:.2}",
        from.location,
        from.surplus(),
        from.target,
        to.location,
        to.short(),
        to.target,
        cost_cents / 100.0,
        avoided / 100.0,
    );
    let (from, to) = (from.location.clone(), to.location.clone());
    Transfer { part: part.clone(), quantity, from, to, cost_cents, saved_cents: avoided - cost_cents, why }
}

impl Stock {
    fn surplus(&self) -> u32 {
        (self.on_hand - self.reserved).saturating_sub(self.target)
    }

    fn short(&self) -> u32 {
        self.target.saturating_sub((self.on_hand - self.reserved).saturating_add(self.incoming))
    }
}

impl TransferCost {
    fn check(&self) -> Result<(), InputError> {
        check_cents(self.handling, "handling")?;
        check_number(self.cents_per_km, 0.0, 1e6, "cents_per_km")?;
        self.travel.check().map_err(|e| e.within("travel"))
    }

    /// Cost of moving one piece, in cents; `None` where a place is unknown.
    fn between(&self, from: &LocationId, to: &LocationId, locations: &LocationTree) -> Option<f64> {
        let place = |id| locations.get(id).and_then(|l| l.place);
        let km = distance_km(place(from)?, place(to)?) * self.travel.circuity;
        Some(self.handling.0 as f64 + km * self.cents_per_km)
    }
}

fn check(stocks: &[Stock], locations: &LocationTree) -> Result<(), InputError> {
    check_number(stocks.len() as f64, 0.0, MAX_STOCKS as f64, "stocks (length)")?;
    let mut seen = BTreeSet::new();
    for (i, stock) in stocks.iter().enumerate() {
        let at = |e: InputError| e.at("stocks", i);
        stock.part.check("part").map_err(at)?;
        if locations.get(&stock.location).is_none() {
            return Err(at(InputError::unknown("location", stock.location.as_str(), "location")));
        }
        check_number(f64::from(stock.reserved), 0.0, f64::from(stock.on_hand), "reserved").map_err(at)?;
        check_cents(stock.shortage, "shortage").map_err(at)?;
        if !seen.insert((&stock.location, &stock.part)) {
            return Err(at(InputError::duplicate("part", stock.part.as_str())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
