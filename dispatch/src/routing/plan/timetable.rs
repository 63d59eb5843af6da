//! The times of one route: travel at the speed of the hour, windows, breaks.

use std::collections::BTreeMap;

use super::lateness::Moment;
use super::{PickUp, Route, Stop, Visit};
use crate::id::PartId;
use crate::order::PartNeed;
use crate::place::Place;
use crate::routing::problem::{Time, Window};
use crate::routing::rules::{Compiled, Pause};
use crate::routing::travel::{Way, whole};

/// What a route is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Index of an order.
    Order(usize),
    /// Index of a supply.
    Supply(usize),
}

/// Walks one duty.
pub(crate) struct Timetable<'c, 'p> {
    compiled: &'c Compiled<'p>,
    duty: usize,
    pauses: Vec<Pause>,
    place: Place,
    clock: i64,
    moment: Moment,
    stops: Vec<Stop>,
    travel_s: i64,
    metres: f64,
    /// An order that may begin at any time.
    freed: Option<usize>,
    /// Whether every hour is taken for the slowest, as the search does.
    is_cautious: bool,
}

/// Arrival after travelling.
struct Arrival {
    at: i64,
    travel_s: i64,
    metres: f64,
}

impl<'c, 'p> Timetable<'c, 'p> {
    pub fn new(compiled: &'c Compiled<'p>, duty: usize) -> Self {
        let start = compiled.span(duty).start.0;
        Self {
            pauses: compiled.duties[duty].pauses(compiled.problem),
            place: compiled.start(duty),
            clock: start,
            moment: Moment::certain(start),
            stops: Vec::new(),
            travel_s: 0,
            metres: 0.0,
            freed: None,
            is_cautious: false,
            compiled,
            duty,
        }
    }

    /// For trying out: at the slowest hour, and with an order that may begin at any time.
    pub fn trying(self, freed: Option<usize>) -> Self {
        Self { freed, is_cautious: true, ..self }
    }

    /// The route over these steps, each as early as it can be.
    pub fn route(mut self, steps: &[Step]) -> Route {
        let leave = self.leave(steps);
        self.clock = leave;
        self.moment = Moment::certain(leave);
        let from = self.sources(steps);
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Order(order) => self.visit(*order, from[at].and_then(|source| self.station_of(steps[source]))),
                Step::Supply(supply) => self.pick_up(*supply, self.taken(steps, &from, at)),
            }
        }
        self.finish(leave)
    }

    fn finish(mut self, leave: i64) -> Route {
        let duty = self.compiled.duties[self.duty];
        let technician = &self.compiled.problem.technicians[duty.technician];
        let home = self.go(technician.end_place());
        let overtime_s = (home.at - technician.shifts[duty.shift].end.0).max(0);
        Route {
            technician: technician.id.clone(),
            shift: duty.shift,
            start: self.compiled.start(self.duty),
            end: technician.end_place(),
            leave: Time(leave),
            back: Time(home.at),
            back_travel_s: seconds(home.travel_s),
            travel_s: seconds(self.travel_s),
            metres: self.metres,
            overtime_s: seconds(overtime_s),
            stops: self.stops,
        }
    }

    /// When to set off: no earlier than needed for the first stop, unless a break comes before.
    fn leave(&self, steps: &[Step]) -> i64 {
        let first = match steps.first() {
            Some(Step::Order(order)) => self.compiled.problem.orders[*order].place,
            Some(Step::Supply(supply)) => self.station(*supply).place,
            None => return self.clock,
        };
        let Some(way) = self.compiled.roads.slowest(self.place, first) else { return self.clock };
        let opens = match steps[0] {
            Step::Order(order) => self.first_open(order, self.clock + whole(way.seconds)),
            Step::Supply(supply) => Some(self.compiled.supplies.list[supply].from.0),
        };
        let latest = opens.unwrap_or(self.clock) - whole(way.seconds);
        let paused = self.pauses.first().is_some_and(|pause| pause.from <= latest.max(self.clock) + whole(way.seconds));
        if paused { self.clock } else { latest.max(self.clock) }
    }

    /// Travels to a place, taking breaks that begin on the way.
    fn go(&mut self, to: Place) -> Arrival {
        let none = Way { seconds: 0.0, metres: 0.0 };
        // The engine found the way passable; a router that answers otherwise now is shown as no time.
        let roads = self.compiled.roads;
        let way =
            if self.is_cautious { roads.slowest(self.place, to) } else { roads.way(self.place, to, Time(self.clock)) };
        let way = way.unwrap_or(none);
        let travel_s = whole(way.seconds);
        self.moment = self.moment.after(travel_s, self.compiled.problem.objective.spread);
        let at = self.pass(travel_s);
        self.place = to;
        self.travel_s += travel_s;
        self.metres += way.metres;
        Arrival { at, travel_s, metres: way.metres }
    }

    /// Lets time pass that breaks may interrupt, and tells when it is over.
    fn pass(&mut self, seconds: i64) -> i64 {
        let mut end = self.clock + seconds;
        while let Some(pause) = self.pauses.first().copied().filter(|pause| end >= pause.from) {
            self.rest(pause, pause.from.max(self.clock));
            end += pause.duration;
        }
        self.clock = end;
        end
    }

    fn rest(&mut self, pause: Pause, start: i64) {
        self.stops.push(Stop::Break { start: Time(start), end: Time(start + pause.duration) });
        self.moment = self.moment.after(pause.duration, 0.0);
        self.pauses.remove(0);
    }

    /// When work that takes so long begins, after breaks that have to come first.
    fn begin(&mut self, service: i64, first_open: impl Fn(&Self, i64) -> Option<i64>) -> i64 {
        // The engine kept the windows; where it did not, the visit begins on arrival and shows late.
        let mut start = first_open(self, self.clock).unwrap_or(self.clock);
        while let Some(pause) = self.pauses.first().copied() {
            if start < pause.from && start + service <= pause.until {
                break;
            }
            let at = pause.from.max(self.clock);
            self.rest(pause, at);
            self.clock = at + pause.duration;
            start = first_open(self, self.clock).unwrap_or(self.clock);
        }
        self.moment = self.moment.not_before(start);
        self.clock = start;
        start
    }

    /// Works, and takes the break that fell into it right after.
    fn work(&mut self, service: i64) -> i64 {
        let end = self.clock + service;
        self.moment = self.moment.after(service, self.compiled.problem.objective.spread);
        self.clock = end;
        end
    }

    fn visit(&mut self, order: usize, parts_from: Option<crate::id::LocationId>) {
        let work_order = &self.compiled.problem.orders[order];
        let service = work_order.on_site_s(self.compiled.problem.now);
        let way = self.go(work_order.place);
        let start = self.begin(service, |table, at| table.first_open(order, at));
        let window = self.window(order, start);
        let lateness_risk = self.moment.later_than(window.end.0);
        let end = self.work(service);
        self.stops.push(Stop::Visit(Visit {
            order: work_order.id.clone(),
            place: work_order.place,
            window,
            arrive: Time(way.at),
            start: Time(start),
            end: Time(end),
            travel_s: seconds(way.travel_s),
            metres: way.metres,
            lateness_risk,
            parts_from,
        }));
        self.rest_after_work();
    }

    fn pick_up(&mut self, supply: usize, parts: Vec<PartNeed>) {
        let (station, from) = (self.station(supply), self.compiled.supplies.list[supply].from.0);
        let service = i64::from(station.pick_up_s);
        let way = self.go(station.place);
        let start = self.begin(service, |_, at| Some(at.max(from)));
        let end = self.work(service);
        self.stops.push(Stop::PickUp(PickUp {
            station: station.id.clone(),
            place: station.place,
            arrive: Time(way.at),
            start: Time(start),
            end: Time(end),
            travel_s: seconds(way.travel_s),
            metres: way.metres,
            parts,
        }));
        self.rest_after_work();
    }

    /// Takes a break whose time came during the work.
    fn rest_after_work(&mut self) {
        while let Some(pause) = self.pauses.first().copied().filter(|pause| self.clock >= pause.from) {
            self.rest(pause, self.clock);
            self.clock += pause.duration;
        }
    }

    fn first_open(&self, order: usize, at: i64) -> Option<i64> {
        if self.freed == Some(order) {
            return Some(at);
        }
        self.compiled.windows(order).iter().find(|window| at <= window.end.0).map(|window| at.max(window.start.0))
    }

    /// The window in which the work begins.
    fn window(&self, order: usize, start: i64) -> Window {
        let holds = |window: &&Window| window.start.0 <= start && start <= window.end.0;
        let now = Window { start: Time(start), end: Time(start) };
        self.compiled.windows(order).iter().find(holds).copied().unwrap_or(now)
    }

    fn station(&self, supply: usize) -> &'p crate::routing::problem::Station {
        &self.compiled.problem.stations[self.compiled.supplies.list[supply].station]
    }

    fn station_of(&self, step: Step) -> Option<crate::id::LocationId> {
        match step {
            Step::Supply(supply) => Some(self.station(supply).id.clone()),
            Step::Order(_) => None,
        }
    }

    /// For each step the earlier step, a pick-up, that its parts come from; `None`: the van.
    fn sources(&self, steps: &[Step]) -> Vec<Option<usize>> {
        let source = |(at, step): (usize, &Step)| match step {
            Step::Order(order) => (0..at).find(|before| match steps[*before] {
                Step::Supply(supply) => self.compiled.supplies.of_order[*order] >> supply & 1 == 1,
                Step::Order(_) => false,
            }),
            Step::Supply(_) => None,
        };
        steps.iter().enumerate().map(source).collect()
    }

    /// What the pick-up at step `at` takes along.
    fn taken(&self, steps: &[Step], sources: &[Option<usize>], at: usize) -> Vec<PartNeed> {
        let mut sum: BTreeMap<PartId, u32> = BTreeMap::new();
        for (step, _) in steps.iter().zip(sources).filter(|(_, source)| **source == Some(at)) {
            if let Step::Order(order) = step {
                for need in &self.compiled.problem.orders[*order].parts {
                    *sum.entry(need.part.clone()).or_default() += need.quantity;
                }
            }
        }
        sum.into_iter().map(|(part, quantity)| PartNeed { part, quantity }).collect()
    }
}

/// Seconds of a span that is never negative.
fn seconds(span: i64) -> u32 {
    u32::try_from(span.max(0)).unwrap_or(u32::MAX)
}
