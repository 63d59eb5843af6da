//! Hard rules as masks and tables, and the engine's model made of them.
//!
//! A *duty* is one shift of one technician: one route for the engine. Whether an order may be on
//! a duty at all is a [`Broken`] set; an empty one means yes. The rules that depend on what else
//! is on the route (capacity, the rest of the day, parts already used) are the engine's.

mod compile;
mod parts;

use std::collections::HashMap;

use h3o::{CellIndex, LatLng, Resolution};

pub(crate) use compile::Compiled;
pub(crate) use parts::Supply;

use super::problem::{Problem, Shift, Technician, Time, Window, WorkOrder};
use crate::place::Place;

/// One shift of one technician.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duty {
    /// Index of the technician.
    pub technician: usize,
    /// Index of the shift.
    pub shift: usize,
    /// Index of the order whose visit has begun on it.
    pub begun: Option<usize>,
}

/// A break still due: it begins from `from` to `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    pub from: i64,
    pub until: i64,
    pub duration: i64,
}

impl Duty {
    fn technician<'p>(&self, problem: &'p Problem) -> &'p Technician {
        &problem.technicians[self.technician]
    }

    /// The shift's data.
    pub fn shift<'p>(&self, problem: &'p Problem) -> &'p Shift {
        &self.technician(problem).shifts[self.shift]
    }

    fn begun<'p>(&self, problem: &'p Problem) -> Option<&'p WorkOrder> {
        self.begun.map(|order| &problem.orders[order])
    }

    /// First and last moment, overtime included.
    pub fn span(&self, problem: &Problem) -> Window {
        let shift = self.shift(problem);
        let begun = self.begun(problem).and_then(|order| order.begun.as_ref()).map(|begun| begun.start);
        let start = begun.unwrap_or(shift.start.max(problem.now));
        Window { start, end: Time(shift.end.0 + i64::from(shift.overtime_s)).max(start) }
    }

    /// Where it begins: at the visit that has begun, at the present position, or at the start.
    pub fn start(&self, problem: &Problem) -> Place {
        let technician = self.technician(problem);
        let goes_on = self.shift(problem).start <= problem.now;
        match self.begun(problem) {
            Some(order) => order.place,
            None => technician.position.filter(|_| goes_on).unwrap_or(technician.start),
        }
    }

    /// Breaks that are still due, none before the duty begins, apart from each other, and after
    /// the visit that has begun.
    pub fn pauses(&self, problem: &Problem) -> Vec<Pause> {
        let from = self.span(problem).start.0;
        let busy_until = self.begun(problem).map_or(from, |order| from + order.on_site_s(problem.now));
        let mut free = from;
        let mut pauses = Vec::new();
        for pause in self.shift(problem).breaks.iter().filter(|pause| pause.window.end.0 >= from) {
            let begin = pause.window.start.0.max(free + 1);
            let until = pause.window.end.0.max(busy_until).max(begin);
            free = until + i64::from(pause.duration_s);
            pauses.push(Pause { from: begin, until, duration: pause.duration_s.into() });
        }
        pauses
    }
}

/// Mean of the work done before, over the technicians.
pub(crate) fn mean_worked_s(problem: &Problem) -> f64 {
    let sum: f64 = problem.technicians.iter().map(|technician| f64::from(technician.worked_s)).sum();
    sum / problem.technicians.len().max(1) as f64
}

/// What sending this technician costs beyond travel, in seconds.
pub(crate) fn preference_s(problem: &Problem, order: &WorkOrder, technician: &Technician, mean_worked_s: f64) -> f64 {
    let objective = &problem.objective;
    if order.begun.is_some() {
        return 0.0;
    }
    let stranger = !order.preferred.is_empty() && !order.preferred.contains(&technician.id);
    let moved = order.promised.as_ref().and_then(|p| p.technician.as_ref()).is_some_and(|id| *id != technician.id);
    let stars_short = (5.0 - technician.rating.unwrap_or(5.0)) / 5.0;
    let worked = if mean_worked_s > 0.0 { f64::from(technician.worked_s) / mean_worked_s } else { 0.0 };
    f64::from(u8::from(stranger)) * objective.continuity_s
        + f64::from(u8::from(moved)) * objective.moved_s
        + stars_short * objective.rating_s
        + (worked / 2.0).min(2.0) * objective.fairness_s
}

/// When the work on an order may begin: at least one window, apart from each other. A promise
/// binds unless it is given up.
pub(crate) fn windows(order: &WorkOrder, keeps_promise: bool, span: Window) -> Vec<Window> {
    if let Some(begun) = &order.begun {
        return vec![Window { start: begun.start, end: begun.start }];
    }
    if let Some(promise) = order.promised.as_ref().filter(|_| keeps_promise) {
        return vec![promise.window];
    }
    let mut windows: Vec<Window> = Vec::with_capacity(order.windows.len().max(1));
    for window in &order.windows {
        match windows.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => windows.push(*window),
        }
    }
    if windows.is_empty() { vec![span] } else { windows }
}

/// Rules an order breaks on a duty, as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Broken(pub u16);

impl Broken {
    pub const SKILL: Self = Self(1);
    pub const CERTIFICATE: Self = Self(2);
    pub const TERRITORY: Self = Self(4);
    pub const EXCLUDED: Self = Self(8);
    pub const CAPACITY: Self = Self(16);
    pub const BEGUN: Self = Self(32);
    pub const PARTS: Self = Self(64);
    pub const SHIFT: Self = Self(128);
    pub const WINDOW: Self = Self(256);
    pub const NO_WAY: Self = Self(512);

    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// How many rules are broken.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    pub fn has(self, rule: Self) -> bool {
        self.0 & rule.0 != 0
    }

    fn when(self, rule: Self, broken: bool) -> Self {
        Self(self.0 | if broken { rule.0 } else { 0 })
    }
}

impl std::ops::BitOr for Broken {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Names as bits, a word for each 64 of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Mask(Vec<u64>);

impl Mask {
    pub fn of(bits: impl Iterator<Item = usize>, len: usize) -> Self {
        let mut words = vec![0; len.div_ceil(64)];
        bits.for_each(|bit| words[bit / 64] |= 1 << (bit % 64));
        Self(words)
    }

    pub fn covers(&self, needed: &Self) -> bool {
        needed.0.iter().zip(&self.0).all(|(needed, held)| needed & !held == 0)
    }

    pub fn holds(&self, bit: usize) -> bool {
        self.0.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }
}

/// What does not depend on time and road: who may do what, and where.
#[derive(Debug)]
pub(crate) struct Masks {
    skills_needed: Vec<Mask>,
    certificates_needed: Vec<Mask>,
    skills: Vec<Mask>,
    /// By duty: certificates expire.
    certificates: Vec<Mask>,
    /// By order: technicians whose territories hold it.
    territory: Vec<Mask>,
    /// By order: technicians who must not go.
    excluded: Vec<Mask>,
}

impl Masks {
    pub fn new(problem: &Problem, duties: &[Duty]) -> Self {
        let skills = numbered(problem.orders.iter().flat_map(|order| &order.skills));
        let certificates = numbered(problem.orders.iter().flat_map(|order| &order.certificates));
        let technicians = numbered(problem.technicians.iter().map(|technician| &technician.id));
        let of = |names: &[String], index: &HashMap<&String, usize>| {
            Mask::of(names.iter().filter_map(|name| index.get(name).copied()), index.len())
        };
        let territories = Territories::new(problem);
        let excluded = |order: &WorkOrder| {
            Mask::of(order.excluded.iter().filter_map(|id| technicians.get(id).copied()), technicians.len())
        };
        Self {
            skills_needed: problem.orders.iter().map(|order| of(&order.skills, &skills)).collect(),
            certificates_needed: problem.orders.iter().map(|order| of(&order.certificates, &certificates)).collect(),
            skills: problem.technicians.iter().map(|technician| of(&technician.skills, &skills)).collect(),
            certificates: duties.iter().map(|duty| valid(problem, duty, &certificates)).collect(),
            territory: problem.orders.iter().map(|order| territories.of(order.place)).collect(),
            excluded: problem.orders.iter().map(excluded).collect(),
        }
    }

    /// The rules of who and where that an order breaks on a duty.
    pub fn broken(&self, problem: &Problem, order: usize, duty: usize, of: &Duty) -> Broken {
        let technician = of.technician;
        if of.begun == Some(order) {
            return Broken::default();
        }
        let elsewhere = problem.orders[order].begun.is_some();
        Broken::default()
            .when(Broken::SKILL, !self.skills[technician].covers(&self.skills_needed[order]))
            .when(Broken::CERTIFICATE, !self.certificates[duty].covers(&self.certificates_needed[order]))
            .when(Broken::TERRITORY, !self.territory[order].holds(technician))
            .when(Broken::EXCLUDED, self.excluded[order].holds(technician))
            .when(Broken::CAPACITY, problem.technicians[technician].capacity == Some(0))
            .when(Broken::BEGUN, elsewhere)
    }
}

/// The certificates that hold to the end of a duty.
fn valid(problem: &Problem, duty: &Duty, index: &HashMap<&String, usize>) -> Mask {
    let technician = &problem.technicians[duty.technician];
    let shift = &technician.shifts[duty.shift];
    let end = Time(shift.end.0 + i64::from(shift.overtime_s));
    let holds = technician.certificates.iter().filter(|c| c.valid_until.is_none_or(|until| until >= end));
    Mask::of(holds.filter_map(|certificate| index.get(&certificate.name).copied()), index.len())
}

/// Which technicians go where.
#[derive(Debug)]
pub(crate) struct Territories {
    everywhere: Mask,
    by_cell: HashMap<CellIndex, Mask>,
    resolutions: Vec<Resolution>,
}

impl Territories {
    pub fn new(problem: &Problem) -> Self {
        let len = problem.technicians.len();
        let everywhere = Mask::of((0..len).filter(|&t| problem.technicians[t].territories.is_empty()), len);
        let mut by_cell: HashMap<CellIndex, Mask> = HashMap::new();
        for (t, technician) in problem.technicians.iter().enumerate() {
            for territory in &technician.territories {
                let mask = by_cell.entry(territory.0).or_insert_with(|| Mask::of([].into_iter(), len));
                mask.0[t / 64] |= 1 << (t % 64);
            }
        }
        let mut resolutions: Vec<Resolution> = by_cell.keys().map(|cell| cell.resolution()).collect();
        resolutions.sort();
        resolutions.dedup();
        Self { everywhere, by_cell, resolutions }
    }

    /// The technicians who go to a place.
    pub fn of(&self, place: Place) -> Mask {
        let mut mask = self.everywhere.clone();
        let Ok(point) = LatLng::new(place.lat, place.lon) else { return mask };
        for cell in self.resolutions.iter().filter_map(|resolution| self.by_cell.get(&point.to_cell(*resolution))) {
            mask.0.iter_mut().zip(&cell.0).for_each(|(word, more)| *word |= more);
        }
        mask
    }
}

fn numbered<'a, N: std::hash::Hash + Eq>(names: impl Iterator<Item = &'a N>) -> HashMap<&'a N, usize> {
    let mut index = HashMap::new();
    for name in names {
        let next = index.len();
        index.entry(name).or_insert(next);
    }
    index
}

/// The shifts that are not over, and the visit that has begun on each.
pub(crate) fn duties(problem: &Problem) -> Vec<Duty> {
    let visits = problem.orders.iter().enumerate().filter_map(|(o, order)| Some((o, order.begun.as_ref()?)));
    let begun: HashMap<_, _> = visits.map(|(order, begun)| (&begun.technician, (order, begun.start))).collect();
    let mut duties = Vec::new();
    for (technician, Technician { id, shifts, .. }) in problem.technicians.iter().enumerate() {
        let mut begun = begun.get(id).copied();
        for (shift, times) in shifts.iter().enumerate() {
            let here = begun.take_if(|(_, start)| times.start <= *start && *start <= times.end);
            if here.is_some() || times.end.0 + i64::from(times.overtime_s) > problem.now.0 {
                duties.push(Duty { technician, shift, begun: here.map(|(order, _)| order) });
            }
        }
    }
    duties
}
