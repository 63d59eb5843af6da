//! The single changes that would let an order be served.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MAX_REMEDIES, Rule, technician};
use crate::id::{OrderId, TechnicianId};
use crate::order::PartNeed;
use crate::routing::engine;
use crate::routing::plan::{Route, Step, Stop, Timetable, Visit};
use crate::routing::problem::{Certificate, Problem, Territory, Time, Window};
use crate::routing::rules::{Broken, Compiled};

/// Routes tried for each order; the nearest technicians come first.
const MAX_ROUTES: usize = 20;

/// Pick-ups tried for each position.
const MAX_SUPPLIES: usize = 3;

/// Longest overtime worth proposing, beyond what is allowed.
const MAX_OVERTIME_S: u32 = 4 * 3600;

/// Resolution of a territory that is opened for one order: cells of some 5 km².
const TERRITORY_RESOLUTION: u8 = 7;

/// A change to the problem. [`apply`](Self::apply) makes it, so that it can be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A technician learns skills.
    Skills {
        /// Who.
        technician: TechnicianId,
        /// What is missing.
        missing: Vec<String>,
    },
    /// A technician gets or renews certificates.
    Certificates {
        /// Who.
        technician: TechnicianId,
        /// What is missing.
        missing: Vec<String>,
    },
    /// A technician goes there although it is outside the territory.
    Territory {
        /// Who.
        technician: TechnicianId,
        /// Where: the cell of the order.
        cell: String,
    },
    /// An exclusion is lifted.
    Exclusion {
        /// Who.
        technician: TechnicianId,
        /// From which order.
        order: OrderId,
    },
    /// A technician takes one more visit in a shift.
    Capacity {
        /// Who.
        technician: TechnicianId,
    },
    /// A technician has the parts in the van.
    Parts {
        /// Who.
        technician: TechnicianId,
        /// What.
        parts: Vec<PartNeed>,
    },
    /// A technician works longer.
    Overtime {
        /// Who.
        technician: TechnicianId,
        /// Which of the shifts, from 0.
        shift: usize,
        /// Beyond the overtime that is allowed, in seconds.
        seconds: u32,
    },
    /// The customer is visited at another time.
    Window {
        /// Which order.
        order: OrderId,
        /// When the work could begin.
        start: Time,
        /// By whom.
        technician: TechnicianId,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skills { technician, missing } => write!(f, "give {technician} the skill {}", missing.join(", ")),
            Self::Certificates { technician, missing } => {
                write!(f, "give {technician} the certificate {}", missing.join(", "))
            }
            Self::Territory { technician, cell } => write!(f, "let {technician} go to the cell {cell}"),
            Self::Exclusion { technician, .. } => write!(f, "lift the exclusion of {technician}"),
            Self::Capacity { technician } => write!(f, "let {technician} take one visit more"),
            Self::Parts { technician, parts } => {
                let parts: Vec<String> =
                    parts.iter().map(|need| format!("{} × {}", need.quantity, need.part)).collect();
                write!(f, "bring {} into the van of {technician}", parts.join(", "))
            }
            Self::Overtime { technician, seconds, .. } => {
                write!(f, "let {technician} work {} min longer", seconds.div_ceil(60))
            }
            Self::Window { start, technician, .. } => write!(f, "let {technician} begin at {start}"),
        }
    }
}

impl Change {
    /// Makes the change. What it names and the problem does not have stays as it is.
    pub fn apply(&self, problem: &mut Problem) {
        match self {
            Self::Exclusion { technician, order } => {
                if let Some(order) = problem.orders.iter_mut().find(|o| o.id == *order) {
                    order.excluded.retain(|id| id != technician);
                }
            }
            Self::Window { order, start, .. } => {
                if let Some(order) = problem.orders.iter_mut().find(|o| o.id == *order) {
                    order.windows = vec![Window { start: *start, end: *start }];
                    order.promised = None;
                }
            }
            Self::Skills { technician, .. }
            | Self::Certificates { technician, .. }
            | Self::Territory { technician, .. }
            | Self::Capacity { technician }
            | Self::Parts { technician, .. }
            | Self::Overtime { technician, .. } => self.apply_to(problem, technician),
        }
    }

    fn apply_to(&self, problem: &mut Problem, id: &TechnicianId) {
        let Some(technician) = problem.technicians.iter_mut().find(|technician| technician.id == *id) else { return };
        match self {
            Self::Skills { missing, .. } => technician.skills.extend(missing.iter().cloned()),
            Self::Certificates { missing, .. } => {
                let named = missing.iter().map(|name| Certificate { name: name.clone(), valid_until: None });
                technician.certificates.extend(named);
            }
            Self::Territory { cell, .. } => technician.territories.extend(cell.parse::<Territory>()),
            Self::Capacity { .. } => technician.capacity = technician.capacity.map(|visits| visits + 1),
            Self::Parts { parts, .. } => {
                for need in parts {
                    match technician.van_stock.iter_mut().find(|held| held.part == need.part) {
                        Some(held) => held.quantity += need.quantity,
                        None => technician.van_stock.push(need.clone()),
                    }
                }
            }
            Self::Overtime { shift, seconds, .. } => {
                if let Some(shift) = technician.shifts.get_mut(*shift) {
                    shift.overtime_s = shift.overtime_s.saturating_add(*seconds);
                }
            }
            Self::Exclusion { .. } | Self::Window { .. } => {}
        }
    }
}

/// The changes, cheapest first: those of time by their length, then those that need a person or
/// a part by the way from the technician's start.
pub(super) fn remedies(
    compiled: &Compiled<'_>,
    found: &engine::Plan,
    order: usize,
    by_technician: &[(usize, Broken)],
) -> Vec<Change> {
    let place = compiled.problem.orders[order].place;
    let way =
        |duty: usize| compiled.roads.slowest(compiled.start(duty), place).map_or(f64::INFINITY, |way| way.seconds);
    let mut near: Vec<(usize, Broken)> = by_technician.iter().copied().filter(|(_, b)| b.count() <= 1).collect();
    near.sort_by(|a, b| way(a.0).total_cmp(&way(b.0)).then(a.0.cmp(&b.0)));
    near.truncate(MAX_ROUTES);
    let timed = near.iter().filter(|(_, broken)| broken.is_none() || is_time(*broken));
    let mut changes: Vec<Change> = shortest(compiled, found, order, timed.map(|(duty, _)| *duty));
    for (duty, broken) in near.iter().filter(|(_, broken)| !broken.is_none() && !is_time(*broken)) {
        let rule = Rule::of(*broken)[0];
        let known = changes.iter().any(|change| std::mem::discriminant(change) == std::mem::discriminant(&probe(rule)));
        if !known && room(compiled, found, order, *duty) {
            changes.extend(lifting(compiled, order, *duty, rule));
        }
    }
    changes.truncate(MAX_REMEDIES);
    changes
}

fn is_time(broken: Broken) -> bool {
    broken == Broken::SHIFT || broken == Broken::WINDOW
}

/// A change of the kind that lifts a rule, for comparing kinds.
fn probe(rule: Rule) -> Change {
    let (technician, missing) = (TechnicianId::from(""), Vec::new());
    match rule {
        Rule::Skill => Change::Skills { technician, missing },
        Rule::Certificate => Change::Certificates { technician, missing },
        Rule::Territory => Change::Territory { technician, cell: String::new() },
        Rule::Excluded => Change::Exclusion { technician, order: OrderId::from("") },
        Rule::Parts => Change::Parts { technician, parts: Vec::new() },
        _ => Change::Capacity { technician },
    }
}

/// What lifts the one rule that stops a technician.
fn lifting(compiled: &Compiled<'_>, order: usize, duty: usize, rule: Rule) -> Option<Change> {
    let who = technician(compiled, duty);
    let of = compiled.duties[duty];
    let (order, person) = (&compiled.problem.orders[order], &compiled.problem.technicians[of.technician]);
    let shift = &person.shifts[of.shift];
    let end = Time(shift.end.0 + i64::from(shift.overtime_s));
    let holds = |name: &String| {
        person.certificates.iter().any(|c| c.name == *name && c.valid_until.is_none_or(|until| until >= end))
    };
    let without = |names: &[String], has: &dyn Fn(&String) -> bool| -> Vec<String> {
        names.iter().filter(|name| !has(name)).cloned().collect()
    };
    Some(match rule {
        Rule::Skill => {
            Change::Skills { technician: who, missing: without(&order.skills, &|name| person.skills.contains(name)) }
        }
        Rule::Certificate => Change::Certificates { technician: who, missing: without(&order.certificates, &holds) },
        Rule::Territory => {
            let cell = Territory::around(order.place, TERRITORY_RESOLUTION)?;
            Change::Territory { technician: who, cell: cell.to_string() }
        }
        Rule::Excluded => Change::Exclusion { technician: who, order: order.id.clone() },
        Rule::Capacity => Change::Capacity { technician: who },
        Rule::Parts => Change::Parts { technician: who, parts: order.parts.clone() },
        _ => return None,
    })
}

/// The shortest overtime, the nearest other time, and a visit beyond the capacity, if they help.
fn shortest(
    compiled: &Compiled<'_>,
    found: &engine::Plan,
    order: usize,
    duties: impl Iterator<Item = usize>,
) -> Vec<Change> {
    let (mut overtime, mut other_time, mut capacity) = (None, None, None);
    for duty in duties {
        let is_full = is_full(compiled, found, duty);
        for route in trials(compiled, found, order, duty, false) {
            let over = route.back.0 - compiled.span(duty).end.0;
            if over > 0 && !is_full && overtime.as_ref().is_none_or(|(least, _, _)| over < *least) {
                overtime = Some((over, technician(compiled, duty), route.shift));
            }
            if over <= 0 && is_full && capacity.is_none() {
                capacity = Some(technician(compiled, duty));
            }
        }
        for route in trials(compiled, found, order, duty, true).filter(|_| !is_full) {
            let start = start_of(compiled, &route, order);
            let moved = start.map_or(i64::MAX, |start| away(&compiled.windows(order), start));
            let fits = route.back.0 <= compiled.span(duty).end.0;
            if fits && moved > 0 && other_time.as_ref().is_none_or(|(least, _, _)| moved < *least) {
                other_time = start.map(|start| (moved, start, technician(compiled, duty)));
            }
        }
    }
    let id = &compiled.problem.orders[order].id;
    let overtime = overtime.filter(|(over, _, _)| *over <= i64::from(MAX_OVERTIME_S));
    let overtime =
        overtime.map(|(over, technician, shift)| Change::Overtime { technician, shift, seconds: over as u32 });
    let other_time = other_time.map(|(_, start, technician)| Change::Window { order: id.clone(), start, technician });
    let capacity = capacity.map(|technician| Change::Capacity { technician });
    [capacity, overtime, other_time].into_iter().flatten().collect()
}

/// Whether the order fits into the route by time.
fn room(compiled: &Compiled<'_>, found: &engine::Plan, order: usize, duty: usize) -> bool {
    let end = compiled.span(duty).end;
    !is_full(compiled, found, duty) && trials(compiled, found, order, duty, false).any(|route| route.back <= end)
}

fn is_full(compiled: &Compiled<'_>, found: &engine::Plan, duty: usize) -> bool {
    let capacity = compiled.problem.technicians[compiled.duties[duty].technician].capacity;
    capacity.is_some_and(|most| found.routes[duty].jobs().len() >= most as usize)
}

/// The routes with the order at each position that keep all windows (its own only if not `free`);
/// the end of the shift is not looked at.
fn trials(
    compiled: &Compiled<'_>,
    found: &engine::Plan,
    order: usize,
    duty: usize,
    free: bool,
) -> impl Iterator<Item = Route> {
    let steps = crate::routing::plan::steps(&found.routes[duty]);
    let first = usize::from(compiled.duties[duty].begun.is_some());
    let inserted = (first..=steps.len()).flat_map(move |at| {
        let equipped = equipments(compiled, &steps, order, duty, at);
        let steps = steps.clone();
        equipped.into_iter().map(move |new| {
            let mut steps = steps.clone();
            steps.splice(at..at, new);
            steps
        })
    });
    inserted.filter_map(move |steps| {
        let route = Timetable::new(compiled, duty).trying(free.then_some(order)).route(&steps);
        let orders = steps.iter().filter_map(|step| match step {
            Step::Order(order) => Some(*order),
            Step::Supply(_) => None,
        });
        let keeps = |(visit, index): (&Visit, usize)| {
            (free && index == order) || away(&compiled.windows(index), visit.start) == 0
        };
        let all = route.visits().zip(orders).all(keeps);
        all.then_some(route)
    })
}

/// What can be put at a position so that the order has its parts: the visit alone, or after a
/// pick-up.
fn equipments(compiled: &Compiled<'_>, steps: &[Step], order: usize, duty: usize, at: usize) -> Vec<Vec<Step>> {
    let visit = Step::Order(order);
    let needs = compiled.model.jobs[order].needs.as_ref();
    let Some(needs) = needs else { return vec![vec![visit]] };
    let supplied_by = |until: usize, stations: u64| {
        steps[..until].iter().any(|step| matches!(step, Step::Supply(supply) if stations >> supply & 1 == 1))
    };
    let mut left = compiled.model.vehicles[duty].parts.clone();
    for (index, step) in steps.iter().enumerate() {
        if let Step::Order(other) = step
            && let Some(taken) = &compiled.model.jobs[*other].needs
            && !supplied_by(index, taken.stations)
        {
            left.iter_mut().zip(&taken.parts).for_each(|(left, taken)| *left -= taken);
        }
    }
    let on_board = needs.tools == 0 && needs.parts.iter().zip(&left).all(|(needed, left)| needed <= left);
    if on_board || supplied_by(at, needs.stations) {
        return vec![vec![visit]];
    }
    let supplies = (0..compiled.supplies.list.len()).filter(|supply| needs.stations >> supply & 1 == 1);
    supplies.take(MAX_SUPPLIES).map(|supply| vec![Step::Supply(supply), visit]).collect()
}

fn start_of(compiled: &Compiled<'_>, route: &Route, order: usize) -> Option<Time> {
    let id = &compiled.problem.orders[order].id;
    route.stops.iter().find_map(|stop| match stop {
        Stop::Visit(visit) if visit.order == *id => Some(visit.start),
        _ => None,
    })
}

/// Seconds from a moment to the nearest window; 0 within one.
fn away(windows: &[Window], at: Time) -> i64 {
    let gap = |window: &Window| (window.start.0 - at.0).max(at.0 - window.end.0).max(0);
    windows.iter().map(gap).min().unwrap_or(0)
}
