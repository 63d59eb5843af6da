//! Who can take an order, when, and at what cost: all technicians, ranked and explained.

use std::fmt;

use super::distance::Point;
use super::line::{Fit, Line, New};
use super::{Board, ready};
use crate::error::InputError;
use crate::id::{LocationId, TechnicianId};
use crate::routing::Rule;
use crate::routing::problem::{Time, Window, WorkOrder};
use crate::routing::rules::{Broken, Mask, preference_s, windows};

/// Stations tried for the parts of an order; the nearest come first.
const MAX_STATIONS: usize = 3;

/// What an insertion costs, in seconds of travel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Sum of the others; less is better.
    pub total_s: f64,
    /// Travel added, times the technician's cost.
    pub travel_s: f64,
    /// Overtime added, times `objective.overtime`.
    pub overtime_s: f64,
    /// Continuity, rating, fairness and promises, by the objective's weights.
    pub preference_s: f64,
}

/// A technician who can take the order, and the cheapest way to do it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate<'b> {
    /// Who.
    pub technician: &'b TechnicianId,
    /// Which of the shifts, from 0.
    pub shift: usize,
    /// Arrival at the latest; the plan may tell an earlier one.
    pub arrive: Time,
    /// Begin of the work at the latest.
    pub start: Time,
    /// Where parts are picked up right before; `None`: nothing to pick up.
    pub pick_up: Option<&'b LocationId>,
    /// What it costs.
    pub price: Price,
    line: usize,
    after: usize,
    station: Option<usize>,
}

/// A technician who cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excluded<'b> {
    /// Who.
    pub technician: &'b TechnicianId,
    broken: Broken,
}

impl Excluded<'_> {
    /// The rules that forbid it; [`Rule::Full`] if only the other orders do.
    pub fn rules(&self) -> Vec<Rule> {
        Rule::of(self.broken)
    }
}

impl fmt::Display for Excluded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<String> = self.rules().iter().map(Rule::to_string).collect();
        write!(f, "{}: {}", self.technician, rules.join("; "))
    }
}

impl fmt::Display for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let price = &self.price;
        write!(f, "{} at {}: {:.0} min more on the road", self.technician, self.start, price.travel_s / 60.0)?;
        if price.overtime_s > 0.0 {
            write!(f, ", {:.0} min for overtime", price.overtime_s / 60.0)?;
        }
        if price.preference_s > 0.0 {
            write!(f, ", {:.0} min for who goes", price.preference_s / 60.0)?;
        }
        self.pick_up.map_or(Ok(()), |station| write!(f, ", parts from {station}"))
    }
}

/// All technicians for one order.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidates<'b> {
    /// Cheapest first; equal ones by start, then as the technicians are given.
    pub ranked: Vec<Candidate<'b>>,
    /// The others, as the technicians are given.
    pub excluded: Vec<Excluded<'b>>,
}

impl Candidates<'_> {
    /// Why the first and not this technician, in a sentence; `None`: it is the first, or unknown.
    pub fn why_not(&self, technician: &TechnicianId) -> Option<String> {
        if let Some(excluded) = self.excluded.iter().find(|excluded| excluded.technician == technician) {
            return Some(excluded.to_string());
        }
        let first = self.ranked.first()?;
        let other = self.ranked.iter().skip(1).find(|candidate| candidate.technician == technician)?;
        let more = |mine: f64, best: f64| (mine - best) / 60.0;
        let (a, b) = (&other.price, &first.price);
        Some(format!(
            "{technician} costs {:.0} min more than {}: {:+.0} min of travel, {:+.0} of overtime, {:+.0} for who goes",
            more(a.total_s, b.total_s),
            first.technician,
            more(a.travel_s, b.travel_s),
            more(a.overtime_s, b.overtime_s),
            more(a.preference_s, b.preference_s),
        ))
    }
}

/// An order made ready for testing it on many lines.
pub(super) struct Ready<'o> {
    pub order: &'o WorkOrder,
    point: Point,
    skills: Option<Mask>,
    territory: Mask,
    /// Stations that have the parts: index, point, opening, service, travel to the order.
    stations: Vec<(usize, Point, i64, i64, i64)>,
}

impl Board {
    /// Ranks all technicians for an order that is not on the board: for each the cheapest place in
    /// any coming shift, or the rules that forbid it.
    ///
    /// # Errors
    /// The first field of the order that is wrong.
    pub fn candidates(&self, order: &WorkOrder) -> Result<Candidates<'_>, InputError> {
        order.check_alone(&self.problem)?;
        let windows = windows(order, true, self.problem.span());
        let ready = self.ready(order);
        let mut found = Candidates { ranked: Vec::with_capacity(self.crew.masks.len()), excluded: Vec::new() };
        for technician in 0..self.crew.masks.len() {
            let mut broken = self.broken(&ready, technician);
            let first = self.first_line[technician];
            let shifts = self.lines.iter().skip(first).take_while(|line| line.technician == technician).count();
            if shifts == 0 {
                broken = broken | Broken::SHIFT;
            }
            let best = (0..shifts).filter_map(|at| self.best_on(&ready, first + at, &windows, broken));
            match best.min_by(|a, b| a.price.total_s.total_cmp(&b.price.total_s).then(a.start.cmp(&b.start))) {
                Some(candidate) => found.ranked.push(candidate),
                None => found.excluded.push(Excluded { technician: &self.problem.technicians[technician].id, broken }),
            }
        }
        found.ranked.sort_unstable_by(|a, b| {
            a.price.total_s.total_cmp(&b.price.total_s).then(a.start.cmp(&b.start)).then(a.line.cmp(&b.line))
        });
        Ok(found)
    }

    pub(super) fn ready<'o>(&self, order: &'o WorkOrder) -> Ready<'o> {
        let bits: Option<Vec<usize>> = order.skills.iter().map(|skill| self.crew.skills.get(skill).copied()).collect();
        let point = self.ruler.point(order.place);
        Ready {
            order,
            point,
            skills: bits.map(|bits| Mask::of(bits.into_iter(), self.crew.skills.len())),
            territory: self.crew.territories.of(order.place),
            stations: self.stations_with(order, &point),
        }
    }

    fn stations_with(&self, order: &WorkOrder, point: &Point) -> Vec<(usize, Point, i64, i64, i64)> {
        if order.parts.is_empty() {
            return Vec::new();
        }
        let has = (0..self.problem.stations.len()).filter(|&station| self.stock.station_has(station, &order.parts));
        let mut stations: Vec<_> = has
            .map(|index| {
                let station = &self.problem.stations[index];
                let at = self.ruler.point(station.place);
                let open = ready(station, &order.parts).max(self.problem.now).0;
                (index, at, open, i64::from(station.pick_up_s), self.ruler.seconds(&at, point))
            })
            .collect();
        stations.sort_by_key(|(index, .., way)| (*way, *index));
        stations.truncate(MAX_STATIONS);
        stations
    }

    /// Rules of who and where; certificates, which depend on the shift, come later.
    pub(super) fn broken(&self, ready: &Ready<'_>, index: usize) -> Broken {
        let (order, technician) = (ready.order, &self.problem.technicians[index]);
        let skilled = ready.skills.as_ref().is_some_and(|needed| self.crew.masks[index].covers(needed));
        let mut broken = Broken::default();
        for (rule, holds) in [
            (Broken::SKILL, skilled),
            (Broken::TERRITORY, ready.territory.holds(index)),
            (Broken::EXCLUDED, order.excluded.is_empty() || !order.excluded.contains(&technician.id)),
            (Broken::CAPACITY, technician.capacity != Some(0)),
            (Broken::PARTS, !ready.stations.is_empty() || self.stock.van_has(index, &order.parts)),
        ] {
            if !holds {
                broken = broken | rule;
            }
        }
        broken
    }

    /// The cheapest place on a line.
    pub(super) fn best_on(
        &self,
        ready: &Ready<'_>,
        index: usize,
        windows: &[Window],
        broken: Broken,
    ) -> Option<Candidate<'_>> {
        let line = &self.lines[index];
        let (first, last) = (windows.first()?.start.0, windows.last()?.end.0);
        let technician = &self.problem.technicians[line.technician];
        let is_full = technician.capacity.is_some_and(|most| line.visits >= most);
        if !broken.is_none() || is_full || !line.in_time || line.span.start.0 > last || line.span.end.0 < first {
            return None;
        }
        if !self.is_certified(ready.order, line) {
            return None;
        }
        let mut new = New {
            point: &ready.point,
            service_s: i64::from(ready.order.service_s),
            windows,
            open: first,
            close: last,
            rate: technician.cost,
            overtime: self.problem.objective.overtime,
            via: None,
            between_s: 0,
        };
        // The van's stock is counted for the first coming shift only.
        let from_van =
            self.first_line[line.technician] == index && self.stock.van_has(line.technician, &ready.order.parts);
        if ready.order.parts.is_empty() || from_van {
            let (cost, fit) = line.best(&new, &self.ruler)?;
            return Some(self.candidate(ready.order, index, cost, &fit, None));
        }
        let mut best: Option<(f64, Fit, usize)> = None;
        for (station, point, open, service_s, way) in &ready.stations {
            (new.via, new.between_s) = (Some((point, *open, *service_s)), *way);
            if let Some((cost, fit)) = line.best(&new, &self.ruler)
                && best.as_ref().is_none_or(|(least, ..)| cost < *least)
            {
                best = Some((cost, fit, *station));
            }
        }
        let (cost, fit, station) = best?;
        Some(self.candidate(ready.order, index, cost, &fit, Some(station)))
    }

    fn is_certified(&self, order: &WorkOrder, line: &Line) -> bool {
        let held = &self.problem.technicians[line.technician].certificates;
        let last = line.span.end;
        order.certificates.iter().all(|name| {
            held.iter().any(|held| held.name == *name && held.valid_until.is_none_or(|until| until >= last))
        })
    }

    fn candidate(
        &self,
        order: &WorkOrder,
        index: usize,
        cost: f64,
        fit: &Fit,
        station: Option<usize>,
    ) -> Candidate<'_> {
        let line = &self.lines[index];
        let technician = &self.problem.technicians[line.technician];
        let preference_s = preference_s(&self.problem, order, technician, self.crew.mean_worked_s);
        let overtime_s = fit.overtime_s as f64 * self.problem.objective.overtime;
        Candidate {
            technician: &technician.id,
            shift: line.shift,
            arrive: Time(fit.arrive),
            start: Time(fit.start),
            pick_up: station.map(|station| &self.problem.stations[station].id),
            price: Price { total_s: cost + preference_s, travel_s: cost - overtime_s, overtime_s, preference_s },
            line: index,
            after: fit.after,
            station,
        }
    }
}

/// Where a candidate goes, without borrowing the board.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spot {
    pub line: usize,
    pub after: usize,
    pub station: Option<usize>,
}

impl Candidate<'_> {
    pub(super) fn spot(&self) -> Spot {
        Spot { line: self.line, after: self.after, station: self.station }
    }
}
