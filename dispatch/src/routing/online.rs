//! The day as it goes: orders are inserted and promised at once, events change the plan, and what
//! a short search improves is published by version.
//!
//! A [`Board`] holds the routes of one region so that [`Board::candidates`] answers in well below
//! a millisecond for thousands of technicians, and [`Board::offers`] prices the windows of two
//! weeks. Its tests of an insertion are on the safe side: what they accept, a plan can hold.
//!
//! The flow: an event ([`Board::handle`]) or a new order ([`Board::candidates`], then
//! [`Board::insert`]) changes the board; [`Board::is_search_due`] says when things have calmed
//! down; a search from [`Board::plan`] runs elsewhere, and [`Board::publish`] takes its plan only
//! if the board has not changed since.

mod candidates;
mod distance;
mod events;
mod line;
mod offers;

use std::collections::HashMap;

pub use candidates::{Candidate, Candidates, Excluded, Price};
pub use events::{Effect, Event};
pub use offers::{Offer, settle};

use super::plan::{Plan, Route, Stop};
use super::planning::{self, Limits};
use super::problem::{Problem, Time, Window};
use super::rules::{Duty, Mask, Territories, duties, mean_worked_s, windows};
use crate::error::InputError;
use crate::id::{OrderId, TechnicianId};
use crate::order::PartNeed;
use distance::Ruler;
use line::{Line, Node, What};

/// How long nothing may have happened before a search, and how long it may wait at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debounce {
    /// Quiet time, in seconds.
    pub quiet_s: i64,
    /// Longest wait after the first change, in seconds.
    pub at_most_s: i64,
}

impl Default for Debounce {
    /// A burst of calls is over after some seconds; a plan older than a minute is stale.
    fn default() -> Self {
        Self { quiet_s: 5, at_most_s: 60 }
    }
}

/// A plan that came too late: the board has changed since the search began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the plan is of version {expected}, the board of version {found}; search again from its plan")]
pub struct Conflict {
    /// Version the plan was made from.
    pub expected: u64,
    /// Version of the board.
    pub found: u64,
}

/// The routes of one region, open for changes.
#[derive(Debug)]
pub struct Board {
    problem: Problem,
    version: u64,
    ruler: Ruler,
    /// By technician, as given, and shift.
    lines: Vec<Line>,
    /// By technician: the first of the lines.
    first_line: Vec<usize>,
    index: HashMap<OrderId, u32>,
    crew: Crew,
    stock: Stock,
    /// First and last change since the last publication.
    changed: Option<(Time, Time)>,
}

/// Who may do what and go where.
#[derive(Debug)]
struct Crew {
    index: HashMap<TechnicianId, usize>,
    skills: HashMap<String, usize>,
    masks: Vec<Mask>,
    territories: Territories,
    mean_worked_s: f64,
}

/// Pieces that no visit has been given.
#[derive(Debug, Default)]
struct Stock {
    vans: HashMap<(usize, crate::id::PartId), i64>,
    stations: HashMap<(usize, crate::id::PartId), i64>,
}

impl Board {
    /// A board from a problem and its plan. Orders that the plan leaves out stay without a route.
    ///
    /// # Errors
    /// What [`Problem::check`] finds.
    pub fn new(problem: Problem, plan: &Plan) -> Result<Self, InputError> {
        problem.check()?;
        let ruler = Ruler::new(&problem);
        let index = problem.orders.iter().enumerate().map(|(i, order)| (order.id.clone(), i as u32)).collect();
        let (crew, stock) = (Crew::new(&problem), Stock::new(&problem));
        let mut board = Self {
            version: plan.version,
            lines: Vec::new(),
            first_line: Vec::new(),
            changed: None,
            problem,
            ruler,
            index,
            crew,
            stock,
        };
        board.take(plan);
        Ok(board)
    }

    /// What is planned.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Grows with every change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Sets the routes to those of a plan.
    fn take(&mut self, plan: &Plan) {
        self.stock = Stock::new(&self.problem);
        let routes: HashMap<(&str, usize), &Route> =
            plan.routes.iter().map(|route| ((route.technician.as_str(), route.shift), route)).collect();
        let mut lines = Vec::new();
        for duty in duties(&self.problem) {
            let technician = &self.problem.technicians[duty.technician];
            let stops = routes.get(&(technician.id.as_str(), duty.shift)).map_or(&[][..], |route| &route.stops);
            let mut line = self.empty_line(&duty);
            let end = line.nodes.pop();
            line.nodes.extend(stops.iter().filter_map(|stop| self.node(stop)));
            line.nodes.extend(end);
            self.stock.book(stops, duty.technician, &self.problem, &self.index);
            line.visits = line.nodes.iter().filter(|node| matches!(node.what, What::Order(_))).count() as u32;
            line.refresh(&self.ruler);
            lines.push(line);
        }
        self.lines = lines;
        self.number_lines();
    }

    fn number_lines(&mut self) {
        self.first_line = vec![usize::MAX; self.problem.technicians.len()];
        for (index, line) in self.lines.iter().enumerate().rev() {
            self.first_line[line.technician] = index;
        }
    }

    fn empty_line(&self, duty: &Duty) -> Line {
        let span = duty.span(&self.problem);
        let end = self.problem.technicians[duty.technician].end_place();
        let ends = [(What::Start, duty.start(&self.problem)), (What::End, end)];
        Line {
            technician: duty.technician,
            shift: duty.shift,
            span,
            end: duty.shift(&self.problem).end.0,
            nodes: ends.into_iter().map(|(what, place)| Node::at(what, place, span)).collect(),
            slots: Vec::new(),
            pauses: duty.pauses(&self.problem),
            visits: 0,
            begun: duty.begun.is_some(),
            in_time: true,
        }
    }

    fn node(&self, stop: &Stop) -> Option<Node> {
        match stop {
            Stop::Visit(visit) => {
                let order = *self.index.get(&visit.order)?;
                Some(self.order_node(order, Some(visit.start)))
            }
            Stop::PickUp(pick_up) => {
                let station = self.problem.stations.iter().position(|station| station.id == pick_up.station)?;
                Some(self.pick_up_node(station, &pick_up.parts))
            }
            Stop::Break { .. } => None,
        }
    }

    /// The node of an order; `planned`: the start it has in a plan, which tells whether its promise
    /// was given up.
    fn order_node(&self, index: u32, planned: Option<Time>) -> Node {
        let order = &self.problem.orders[index as usize];
        let mut node = Node::at(What::Order(index), order.place, self.problem.span());
        let kept = |window: &Window| planned.is_none_or(|start| window.start <= start && start <= window.end);
        let keeps_promise = order.promised.as_ref().is_none_or(|promise| kept(&promise.window));
        node.windows = windows(order, keeps_promise, self.problem.span());
        node.service_s = order.on_site_s(self.problem.now);
        node
    }

    /// The plan as it stands, with times and reasons. Takes as long as compiling the problem.
    ///
    /// # Errors
    /// As [`plan`](super::plan).
    pub fn plan(&self) -> Result<Plan, InputError> {
        let mut plan = planning::plan(&self.problem, &Limits::iterations(0), Some(&self.rough()))?;
        plan.version = self.version;
        Ok(plan)
    }

    /// The order of the stops; times as the board knows them.
    fn rough(&self) -> Plan {
        let routes = self.lines.iter().map(|line| Route::rough(&self.problem, line)).collect();
        Plan { version: self.version, routes, ..Plan::default() }
    }

    /// Improves the plan: a search from what the board holds, to be [published](Self::publish).
    ///
    /// # Errors
    /// As [`plan`](super::plan).
    pub fn search(&self, limits: &Limits<'_>) -> Result<Plan, InputError> {
        let mut plan = planning::plan(&self.problem, limits, Some(&self.rough()))?;
        plan.version = self.version;
        Ok(plan)
    }

    /// Takes a plan that was made from the board's version, and returns the new version.
    ///
    /// # Errors
    /// The board has changed since.
    pub fn publish(&mut self, plan: &Plan) -> Result<u64, Conflict> {
        if plan.version != self.version {
            return Err(Conflict { expected: plan.version, found: self.version });
        }
        self.take(plan);
        self.version += 1;
        self.changed = None;
        Ok(self.version)
    }

    /// Whether it is time to search: nothing has changed for a while, or much has for long.
    pub fn is_search_due(&self, now: Time, debounce: Debounce) -> bool {
        self.changed
            .is_some_and(|(first, last)| now.0 - last.0 >= debounce.quiet_s || now.0 - first.0 >= debounce.at_most_s)
    }

    fn touch(&mut self) {
        self.version += 1;
        let now = self.problem.now;
        self.changed = Some((self.changed.map_or(now, |(first, _)| first), now));
    }
}

impl Route {
    /// The stops of a line, as far as a search needs them.
    fn rough(problem: &Problem, line: &Line) -> Self {
        let stop = |(at, node): (usize, &Node)| match &node.what {
            What::Order(order) => {
                let parts = &problem.orders[*order as usize].parts;
                Some(Stop::Visit(super::Visit {
                    order: problem.orders[*order as usize].id.clone(),
                    place: node.place,
                    window: node.windows[0],
                    arrive: Time(node.arrive),
                    start: Time(node.start),
                    end: Time(node.start + node.service_s),
                    travel_s: 0,
                    metres: 0.0,
                    lateness_risk: 0.0,
                    parts_from: line.source(at, parts).and_then(|at| line.nodes[at].what.station()).cloned(),
                }))
            }
            What::PickUp(station, parts) => Some(Stop::PickUp(super::PickUp {
                station: station.clone(),
                place: node.place,
                arrive: Time(node.arrive),
                start: Time(node.start),
                end: Time(node.start + node.service_s),
                travel_s: 0,
                metres: 0.0,
                parts: parts.clone(),
            })),
            What::Start | What::End => None,
        };
        Self {
            technician: problem.technicians[line.technician].id.clone(),
            shift: line.shift,
            start: line.nodes[0].place,
            end: line.nodes[line.nodes.len() - 1].place,
            leave: line.span.start,
            back: Time(line.nodes.last().map_or(0, |end| end.arrive)),
            back_travel_s: 0,
            travel_s: 0,
            metres: 0.0,
            overtime_s: 0,
            stops: line.nodes.iter().enumerate().filter_map(stop).collect(),
        }
    }
}

impl Node {
    fn at(what: What, place: crate::place::Place, window: Window) -> Self {
        Self { what, place, service_s: 0, windows: vec![window], arrive: 0, start: 0 }
    }
}

impl Crew {
    fn new(problem: &Problem) -> Self {
        let mut skills = HashMap::new();
        for skill in problem.technicians.iter().flat_map(|technician| &technician.skills) {
            let next = skills.len();
            skills.entry(skill.clone()).or_insert(next);
        }
        let mask = |names: &Vec<String>| Mask::of(names.iter().map(|name| skills[name]), skills.len());
        Self {
            index: problem.technicians.iter().enumerate().map(|(i, t)| (t.id.clone(), i)).collect(),
            masks: problem.technicians.iter().map(|technician| mask(&technician.skills)).collect(),
            territories: Territories::new(problem),
            mean_worked_s: mean_worked_s(problem),
            skills,
        }
    }
}

impl Stock {
    fn new(problem: &Problem) -> Self {
        let mut stock = Self::default();
        for (index, technician) in problem.technicians.iter().enumerate() {
            for PartNeed { part, quantity } in &technician.van_stock {
                *stock.vans.entry((index, part.clone())).or_default() += i64::from(*quantity);
            }
        }
        for (index, station) in problem.stations.iter().enumerate() {
            for held in &station.stock {
                stock.stations.insert((index, held.part.clone()), held.quantity.into());
            }
        }
        stock
    }

    /// Takes what a route uses.
    fn book(&mut self, stops: &[Stop], technician: usize, problem: &Problem, index: &HashMap<OrderId, u32>) {
        for stop in stops {
            match stop {
                Stop::Visit(visit) if visit.parts_from.is_none() => {
                    let order = index.get(&visit.order).map(|index| &problem.orders[*index as usize]);
                    let needs = order.filter(|order| order.begun.is_none()).map_or(&[][..], |order| &order.parts);
                    self.take_van(technician, needs, 1);
                }
                Stop::PickUp(pick_up) => {
                    let station = problem.stations.iter().position(|station| station.id == pick_up.station);
                    station.into_iter().for_each(|station| self.take_station(station, &pick_up.parts, 1));
                }
                _ => {}
            }
        }
    }

    fn take_van(&mut self, technician: usize, needs: &[PartNeed], sign: i64) {
        for need in needs {
            *self.vans.entry((technician, need.part.clone())).or_default() -= sign * i64::from(need.quantity);
        }
    }

    fn take_station(&mut self, station: usize, needs: &[PartNeed], sign: i64) {
        for need in needs {
            *self.stations.entry((station, need.part.clone())).or_default() -= sign * i64::from(need.quantity);
        }
    }

    fn van_has(&self, technician: usize, needs: &[PartNeed]) -> bool {
        has(&self.vans, technician, needs)
    }

    fn station_has(&self, station: usize, needs: &[PartNeed]) -> bool {
        has(&self.stations, station, needs)
    }
}

fn has(books: &HashMap<(usize, crate::id::PartId), i64>, at: usize, needs: &[PartNeed]) -> bool {
    let enough =
        |need: &PartNeed| books.get(&(at, need.part.clone())).is_some_and(|left| *left >= need.quantity.into());
    needs.iter().all(enough)
}

/// When all of these parts have arrived at a station.
fn ready(station: &super::Station, needs: &[PartNeed]) -> Time {
    let of = |need: &PartNeed| station.stock.iter().find(|stock| stock.part == need.part).and_then(|stock| stock.ready);
    needs.iter().filter_map(of).max().unwrap_or(Time(0))
}
