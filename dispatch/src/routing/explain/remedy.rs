//! The single changes that would let an order be served.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MAX_REMEDIES, Rule, technician};
use crate::id::{OrderId, TechnicianId};
use crate::order::PartNeed;
use crate::routing::engine;
use crate::routing::plan::{Route, Step, Stop, Timetable};
use crate::routing::problem::{Certificate, Problem, Territory, Time, Window};
use crate::routing::rules::{Broken, Compiled};

/// Routes tried for each order; the nearest technicians come first.
const MAX_ROUTES: usize = 40;

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
                let parts: Vec<String> = parts.iter().map(|need| format!("{} × {}", need.quantity, need.part)).collect();
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
    let way = |duty: usize| compiled.roads.slowest(compiled.start(duty), place).map_or(f64::INFINITY, |way| way.seconds);
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
