//! A problem as the engine's model.

use std::collections::HashMap;

use super::parts::{Supplies, supplies};
use super::{Broken, Duty, Masks, Pause, duties, mean_worked_s, preference_s, windows};
use crate::error::{InputError, Problem as Wrong};
use crate::order::{PartNeed, Priority};
use crate::place::Place;
use crate::routing::index_by;
use crate::routing::model::{self, Job, Model, Needs, Pin, Vehicle, VehicleSet};
use crate::routing::plan::Plan;
use crate::routing::problem::{MAX_STATIONS, Problem, Time, Window};
use crate::routing::travel::{Roads, whole};

/// Travel time that stands for "no way": longer than any span that is planned.
const NO_WAY_S: i32 = 1 << 27;

/// Cost units of one second of travel of a technician whose cost is 1.
const UNIT: f64 = 16.0;

/// A tool that nobody carries: an order with parts that no van holds asks for it.
const IN_NO_VAN: u64 = 1;

/// A problem with its masks and its model.
pub(crate) struct Compiled<'p> {
    pub problem: &'p Problem,
    pub roads: &'p dyn Roads,
    pub duties: Vec<Duty>,
    /// By duty: first and last moment, overtime included.
    spans: Vec<Window>,
    /// By duty: what stops it from doing anything at all.
    stopped: Vec<Broken>,
    pub masks: Masks,
    pub supplies: Supplies,
    pub model: Model,
    /// Second of the problem's clock that is 0 in the model.
    origin: i64,
    /// Orders whose promised window is given up.
    released: &'p [usize],
}

impl<'p> Compiled<'p> {
    /// Compiles a checked problem. Promised windows are hard, but for the orders `released`; orders
    /// keep the stations that they have in the plan `from`.
    ///
    /// # Errors
    /// Too many stations with different arrival times of parts.
    pub fn new(
        problem: &'p Problem,
        roads: &'p dyn Roads,
        released: &'p [usize],
        from: Option<&Plan>,
    ) -> Result<Self, InputError> {
        let count = supplies(problem).len();
        if count > MAX_STATIONS {
            let wrong = Wrong::TooMany { given: count, most: MAX_STATIONS };
            return Err(InputError::new("stations (with different ready times)", wrong));
        }
        let duties = duties(problem);
        let masks = Masks::new(problem, &duties);
        let supplies =
            Supplies::new(problem, &by_rank(problem), &from.map_or_else(HashMap::new, |plan| held(problem, plan)));
        let origin = problem.span().start.0;
        let spans = duties.iter().map(|duty| finish_begun(problem, roads, duty)).collect::<Result<Vec<_>, _>>()?;
        let stopped = duties.iter().zip(&spans).map(|(duty, span)| stopped(problem, roads, duty, *span)).collect();
        let model = Model::default();
        let mut compiled = Self { problem, roads, duties, spans, stopped, masks, supplies, model, origin, released };
        let mut places = Places::default();
        compiled.model.vehicles = (0..compiled.duties.len()).map(|duty| compiled.vehicle(duty, &mut places)).collect();
        compiled.add_jobs(&mut places);
        compiled.model.stations =
            compiled.supplies.list.iter().map(|supply| compiled.station(supply, &mut places)).collect();
        compiled.model.travel = places.table(roads);
        compiled.model.preference = compiled.preferences();
        Ok(compiled)
    }

    /// Rules an order breaks on a duty that has nothing else on it; none: it fits.
    pub fn broken(&self, order: usize, duty: usize) -> Broken {
        let rules = self.masks.broken(self.problem, order, duty, &self.duties[duty]);
        let technician = self.duties[duty].technician;
        let has_parts = self.supplies.of_order[order] != 0 || Supplies::van_has(self.problem, order, technician);
        rules.when(Broken::PARTS, self.duties[duty].begun != Some(order) && !has_parts) | self.stopped[duty]
    }

    /// Rules of time that an order breaks on a duty that has nothing else on it.
    pub fn broken_times(&self, order: usize, duty: usize) -> Broken {
        let (span, work_order) = (self.span(duty), &self.problem.orders[order]);
        let home = self.problem.technicians[self.duties[duty].technician].end_place();
        let ways = [(self.start(duty), work_order.place), (work_order.place, home)];
        let [Some(out), Some(back)] = ways.map(|(from, to)| self.roads.slowest(from, to)) else {
            return Broken::NO_WAY;
        };
        let arrive = span.start.0 + whole(out.seconds);
        let done = i64::from(work_order.service_s) + whole(back.seconds);
        if arrive + done > span.end.0 {
            return Broken::SHIFT;
        }
        let start = self.windows(order).iter().find(|w| arrive <= w.end.0).map(|w| arrive.max(w.start.0));
        Broken::default().when(Broken::WINDOW, start.is_none_or(|start| start + done > span.end.0))
    }

    /// First and last moment of a duty, overtime included.
    pub fn span(&self, duty: usize) -> Window {
        self.spans[duty]
    }

    /// Where a duty begins.
    pub fn start(&self, duty: usize) -> Place {
        self.duties[duty].start(self.problem)
    }

    /// When the work on an order may begin.
    pub fn windows(&self, order: usize) -> Vec<Window> {
        windows(&self.problem.orders[order], !self.released.contains(&order), self.problem.span())
    }

    fn moment(&self, time: Time) -> i32 {
        (time.0 - self.origin).clamp(-i64::from(model::LIMIT), i64::from(model::LIMIT)) as i32
    }

    fn vehicle(&self, duty: usize, places: &mut Places) -> Vehicle {
        let Duty { technician, shift, .. } = self.duties[duty];
        let technician = &self.problem.technicians[technician];
        let shift = &technician.shifts[shift];
        let span = self.span(duty);
        let start = places.index(self.start(duty));
        Vehicle {
            // One who cannot be home in time does nothing; an empty route needs an end all the same.
            end: self.stopped[duty].is_none().then(|| places.index(technician.end_place())),
            overtime_from: self.moment(shift.end),
            overtime_rate: (self.problem.objective.overtime * UNIT).round() as i32,
            breaks: self.breaks(duty),
            capacity: vec![technician.capacity.map_or(model::LIMIT, |visits| visits as i32)],
            rate: (technician.cost * UNIT).round() as i32,
            parts: self.van(duty),
            ..Vehicle::new(start, self.moment(span.start), self.moment(span.end))
        }
    }

    fn breaks(&self, duty: usize) -> Vec<model::Break> {
        let moment = |at: i64| self.moment(Time(at));
        let of = |pause: Pause| model::Break {
            from: moment(pause.from),
            until: moment(pause.until),
            duration: pause.duration as i32,
        };
        self.duties[duty].pauses(self.problem).into_iter().map(of).collect()
    }

    /// What the van holds of each kind; of a technician's duties only the first has it.
    fn van(&self, duty: usize) -> Vec<i32> {
        let mut pieces = vec![0; self.supplies.kinds.len()];
        let technician = self.duties[duty].technician;
        if duty == 0 || self.duties[duty - 1].technician != technician {
            for PartNeed { part, quantity } in &self.problem.technicians[technician].van_stock {
                if let Some(kind) = self.supplies.kinds.get(part) {
                    pieces[*kind] = *quantity as i32;
                }
            }
        }
        pieces
    }

    fn add_jobs(&mut self, places: &mut Places) {
        let mut sets: HashMap<VehicleSet, u32> = HashMap::new();
        for order in 0..self.problem.orders.len() {
            let fits: Vec<u32> = (0..self.duties.len())
                .filter(|duty| self.broken(order, *duty).is_none())
                .map(|duty| duty as u32)
                .collect();
            let is_free = fits.len() == self.duties.len();
            let next = sets.len() as u32;
            let set = (!is_free).then(|| *sets.entry(fits.into_iter().collect()).or_insert(next));
            let job = self.job(order, set, places);
            self.model.jobs.push(job);
        }
        let mut list: Vec<(VehicleSet, u32)> = sets.into_iter().collect();
        list.sort_by_key(|(_, index)| *index);
        self.model.vehicle_sets = list.into_iter().map(|(set, _)| set).collect();
    }

    fn job(&self, index: usize, vehicles: Option<u32>, places: &mut Places) -> Job {
        let order = &self.problem.orders[index];
        let duty = self.duties.iter().position(|duty| duty.begun == Some(index));
        Job {
            place: places.index(order.place),
            service: order.on_site_s(self.problem.now) as i32,
            windows: self.model_windows(index),
            tier: tier(order.priority, order.promised.is_some() || order.begun.is_some()),
            vehicles,
            load: vec![1],
            needs: if duty.is_some() { None } else { self.needs(index) },
            pinned: duty.map(|duty| Pin { vehicle: duty as u32, sequence: 0 }),
        }
    }

    /// Windows within the time that is planned; one that cannot be met if none is.
    fn model_windows(&self, order: usize) -> Vec<model::Window> {
        let span = self.problem.span();
        let mut windows = self.windows(order);
        windows.retain(|window| window.end >= span.start && window.start <= span.end);
        let (from, to) = (span.start.0 - 1, span.end.0 + 1);
        let moment = |time: Time| self.moment(Time(time.0.clamp(from, to)));
        let of = |window: &Window| model::Window { open: moment(window.start), close: moment(window.end) };
        let never = model::Window { open: -model::LIMIT, close: -model::LIMIT };
        if windows.is_empty() { vec![never] } else { windows.iter().map(of).collect() }
    }

    fn needs(&self, order: usize) -> Option<Needs> {
        let parts = &self.problem.orders[order].parts;
        if parts.is_empty() {
            return None;
        }
        let mut needs =
            Needs { tools: 0, parts: vec![0; self.supplies.kinds.len()], stations: self.supplies.of_order[order] };
        for need in parts {
            match self.supplies.kinds.get(&need.part) {
                Some(kind) => needs.parts[*kind] += need.quantity as i32,
                None => needs.tools = IN_NO_VAN,
            }
        }
        Some(needs)
    }

    fn station(&self, supply: &super::parts::Supply, places: &mut Places) -> model::Station {
        let site = &self.problem.stations[supply.station];
        model::Station {
            place: places.index(site.place),
            service: site.pick_up_s as i32,
            window: model::Window { open: self.moment(supply.from), close: model::LIMIT },
        }
    }

    /// What each order costs on each duty beyond travel; empty if nothing does.
    fn preferences(&self) -> Vec<i32> {
        let worked = mean_worked_s(self.problem);
        let mut costs = Vec::with_capacity(self.problem.orders.len() * self.duties.len());
        for order in &self.problem.orders {
            let cost = |duty: &Duty| {
                let technician = &self.problem.technicians[duty.technician];
                (preference_s(self.problem, order, technician, worked) * UNIT).round() as i32
            };
            costs.extend(self.duties.iter().map(cost));
        }
        if costs.iter().all(|cost| *cost == 0) { Vec::new() } else { costs }
    }
}

/// The span of a duty: work that has begun is finished, and the way home driven, whatever overtime
/// that takes.
fn finish_begun(problem: &Problem, roads: &dyn Roads, duty: &Duty) -> Result<Window, InputError> {
    let mut span = duty.span(problem);
    let Some(index) = duty.begun else { return Ok(span) };
    let order = &problem.orders[index];
    let home = problem.technicians[duty.technician].end_place();
    let Some(way) = roads.slowest(order.place, home) else {
        return Err(InputError::new("begun.technician", Wrong::NoWayHome).at("orders", index));
    };
    let breaks: i64 = duty.pauses(problem).iter().map(|pause| pause.duration).sum();
    span.end = span.end.max(Time(span.start.0 + order.on_site_s(problem.now) + breaks + whole(way.seconds)));
    Ok(span)
}

/// Whether nothing can be done because even the way straight home does not fit.
fn stopped(problem: &Problem, roads: &dyn Roads, duty: &Duty, span: Window) -> Broken {
    let home = problem.technicians[duty.technician].end_place();
    let breaks: i64 = duty.pauses(problem).iter().map(|pause| pause.duration).sum();
    match roads.slowest(duty.start(problem), home) {
        None => Broken::NO_WAY,
        Some(way) => Broken::default().when(Broken::SHIFT, span.start.0 + whole(way.seconds) + breaks > span.end.0),
    }
}

/// Tiers of the engine, 0 first: by priority, and within one priority promised customers first.
fn tier(priority: Priority, promised: bool) -> u8 {
    let rank = match priority {
        Priority::Urgent => 0,
        Priority::High => 1,
        Priority::Normal => 2,
        Priority::Low => 3,
    };
    2 * rank + u8::from(!promised)
}

/// Orders by tier, then as given.
fn by_rank(problem: &Problem) -> Vec<usize> {
    let mut orders: Vec<usize> = (0..problem.orders.len()).collect();
    let rank = |order: &usize| {
        let order = &problem.orders[*order];
        tier(order.priority, order.promised.is_some() || order.begun.is_some())
    };
    orders.sort_by_key(rank);
    orders
}

/// Stations that orders take their parts from in a plan.
fn held(problem: &Problem, plan: &Plan) -> HashMap<usize, usize> {
    let orders = index_by(&problem.orders, |order| &order.id);
    let stations = index_by(&problem.stations, |station| &station.id);
    let visits = plan.routes.iter().flat_map(|route| route.visits());
    let held =
        visits.filter_map(|visit| Some((*orders.get(&visit.order)?, *stations.get(visit.parts_from.as_ref()?)?)));
    held.collect()
}

/// Different places, numbered.
#[derive(Default)]
struct Places {
    list: Vec<Place>,
    index: HashMap<(u64, u64), u32>,
}

impl Places {
    fn index(&mut self, place: Place) -> u32 {
        let next = self.list.len() as u32;
        let index = *self.index.entry(place.key()).or_insert(next);
        if index == next {
            self.list.push(place);
        }
        index
    }

    fn table(&self, roads: &dyn Roads) -> model::Travel {
        let legs = |from: &Place| self.list.iter().map(move |to| (*from, *to)).collect::<Vec<_>>();
        let seconds = |(from, to): (Place, Place)| {
            roads.slowest(from, to).map_or(NO_WAY_S, |way| whole(way.seconds).min(i64::from(NO_WAY_S)) as i32)
        };
        let time = self.list.iter().flat_map(legs).map(seconds).collect();
        model::Travel::Table { places: self.list.len() as u32, time, cost: Vec::new() }
    }
}
