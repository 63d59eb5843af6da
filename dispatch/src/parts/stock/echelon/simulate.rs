//! The same tree played piece by piece: a check on the formulas, and on levels that a
//! planner wants to see at work.

use crate::random::Random;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{MAX_PIECES, StockTree};
use crate::error::{InputError, Problem, check_number};
use crate::id::LocationId;

/// Most pieces asked for in one simulation: about ten seconds.
const MAX_SIMULATED: f64 = 1e8;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Place by place, in the order of the tree's points.
    pub points: Vec<MeasuredPoint>,
    /// Cost per unit of time, as in [`StockPlan::cost`](super::StockPlan::cost).
    pub cost: f64,
}

/// What was measured at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredPoint {
    /// Which place.
    pub id: LocationId,
    /// Mean pieces on the shelf.
    pub on_hand: f64,
    /// Mean pieces that customers waited for.
    pub backorders: f64,
    /// Share of customers' pieces met from the shelf; `None`: nobody asked.
    pub fill_rate: Option<f64>,
}

/// Who takes a piece at a place: its customers, or a place below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Taker {
    Customer,
    Place(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A piece reaches a place.
    Arrival(usize),
    /// A customer comes to a place.
    Customer(usize),
}

/// Time as an ordered integer: the bits of a float that is not negative keep its order.
type Moment = u64;

/// One place at work.
#[derive(Debug, Clone, Default)]
struct Shelf {
    on_hand: i64,
    /// Who waits for a piece, first come first served.
    waiting: VecDeque<Taker>,
    customers_waiting: i64,
    asked: u64,
    filled: u64,
    /// Time integrals, and when they were last brought up to date.
    on_hand_time: f64,
    waiting_time: f64,
    since: f64,
}

struct Run<'a> {
    tree: &'a StockTree,
    shelves: Vec<Shelf>,
    events: BinaryHeap<Reverse<(Moment, u64, Event)>>,
    /// Number of events so far: ties in time go in this order.
    scheduled: u64,
    random: Random,
}

impl StockTree {
    /// Plays `time` units of time at these levels, after a tenth of it to warm up.
    ///
    /// # Errors
    /// Levels as [`StockTree::evaluate`], or negative ones; a time that is not positive or asks for more than
    /// 1e8 pieces; normal demand, which has no single pieces.
    pub fn simulate(&self, levels: &BTreeMap<LocationId, f64>, time: f64, seed: u64) -> Result<Measured, InputError> {
        for (id, &level) in levels {
            check_number(level, 0.0, MAX_PIECES, &format!("levels[{:?}]", id.as_str()))?;
        }
        let levels = self.on_lattice(levels)?;
        let rate: f64 = self.points.iter().map(|p| p.own.mean).sum();
        check_number(time, f64::MIN_POSITIVE, MAX_SIMULATED / rate, "time")?;
        if let Some(normal) = self.points.iter().find(|p| p.own.is_normal) {
            let value = normal.id.to_string();
            return Err(InputError::new("demand", Problem::Unknown { value, kind: "place with demand by the piece" }));
        }
        let mut run = Run {
            tree: self,
            shelves: levels.iter().map(|&on_hand| Shelf { on_hand, ..Shelf::default() }).collect(),
            events: BinaryHeap::new(),
            scheduled: 0,
            random: Random::new(seed),
        };
        (0..self.points.len()).for_each(|i| run.schedule_customer(i, 0.0));
        run.play_until(time / 10.0);
        run.shelves.iter_mut().for_each(|s| s.forget(time / 10.0));
        run.play_until(time * 1.1);
        Ok(run.measured(time))
    }
}

impl Run<'_> {
    fn play_until(&mut self, end: f64) {
        while let Some(&Reverse((moment, _, event))) = self.events.peek() {
            let now = f64::from_bits(moment);
            if now > end {
                break;
            }
            self.events.pop();
            match event {
                Event::Arrival(place) => self.receive(place, now),
                Event::Customer(place) => {
                    for _ in 0..self.pieces(place) {
                        self.ask(place, Taker::Customer, now);
                    }
                    self.schedule_customer(place, now);
                }
            }
        }
        self.shelves.iter_mut().for_each(|s| s.up_to(end));
    }

    fn schedule(&mut self, at: f64, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((at.to_bits(), self.scheduled, event)));
    }

    fn schedule_customer(&mut self, place: usize, now: f64) {
        let demand = self.tree.points[place].own;
        if demand.mean > 0.0 {
            let ratio = demand.variance / demand.mean;
            let pieces = if ratio > 1.0 + 1e-9 { (ratio - 1.0) / ratio.ln() } else { 1.0 };
            let gap = -(1.0 - self.random.unit()).ln() * pieces / demand.mean;
            self.schedule(now + gap, Event::Customer(place));
        }
    }

    /// Pieces of one customer: logarithmic for negative-binomial demand, else one.
    fn pieces(&mut self, place: usize) -> u32 {
        let demand = self.tree.points[place].own;
        let ratio = demand.variance / demand.mean;
        if ratio <= 1.0 + 1e-9 {
            return 1;
        }
        let theta = 1.0 - 1.0 / ratio;
        let (mut pieces, mut mass, mut left) = (1, theta / ratio.ln(), self.random.unit());
        while left >= mass && mass > 1e-15 {
            left -= mass;
            pieces += 1;
            mass *= theta * f64::from(pieces - 1) / f64::from(pieces);
        }
        pieces
    }

    /// A piece is asked for: the place orders one itself, up to the outside.
    fn ask(&mut self, place: usize, taker: Taker, now: f64) {
        match self.tree.points[place].parent {
            Some(above) => self.ask(above, Taker::Place(place), now),
            None => self.schedule(now + self.tree.points[place].lead_time, Event::Arrival(place)),
        }
        let shelf = &mut self.shelves[place];
        shelf.up_to(now);
        let is_on_hand = shelf.on_hand > 0;
        if taker == Taker::Customer {
            shelf.asked += 1;
            shelf.filled += u64::from(is_on_hand);
        }
        if is_on_hand {
            shelf.on_hand -= 1;
            self.hand_over(taker, now);
        } else {
            shelf.customers_waiting += i64::from(taker == Taker::Customer);
            shelf.waiting.push_back(taker);
        }
    }

    fn receive(&mut self, place: usize, now: f64) {
        let shelf = &mut self.shelves[place];
        shelf.up_to(now);
        match shelf.waiting.pop_front() {
            None => shelf.on_hand += 1,
            Some(taker) => {
                shelf.customers_waiting -= i64::from(taker == Taker::Customer);
                self.hand_over(taker, now);
            }
        }
    }

    fn hand_over(&mut self, taker: Taker, now: f64) {
        if let Taker::Place(below) = taker {
            self.schedule(now + self.tree.points[below].lead_time, Event::Arrival(below));
        }
    }

    fn measured(&self, time: f64) -> Measured {
        let points: Vec<MeasuredPoint> = self
            .tree
            .given
            .iter()
            .map(|&i| {
                let shelf = &self.shelves[i];
                MeasuredPoint {
                    id: self.tree.points[i].id.clone(),
                    on_hand: shelf.on_hand_time / time,
                    backorders: shelf.waiting_time / time,
                    fill_rate: (shelf.asked > 0).then(|| shelf.filled as f64 / shelf.asked as f64),
                }
            })
            .collect();
        let cost = |(measured, &i): (&MeasuredPoint, &usize)| {
            let point = &self.tree.points[i];
            point.holding * measured.on_hand + point.backorder * measured.backorders
        };
        let cost = points.iter().zip(&self.tree.given).map(cost).sum::<f64>() + self.tree.pipeline_cost();
        Measured { points, cost }
    }
}

impl Shelf {
    fn up_to(&mut self, now: f64) {
        self.on_hand_time += self.on_hand as f64 * (now - self.since);
        self.waiting_time += self.customers_waiting as f64 * (now - self.since);
        self.since = now;
    }

    fn forget(&mut self, now: f64) {
        self.up_to(now);
        (self.on_hand_time, self.waiting_time, self.asked, self.filled) = (0.0, 0.0, 0, 0);
    }
}
