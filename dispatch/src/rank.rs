//! Who should go: hard rules, then weighted terms, all explained.

use std::collections::HashSet;
use std::fmt;

use firmware_proto::ServerTime;
use serde::{Deserialize, Serialize};

use crate::error::{InputError, check_number};
use crate::id::TechnicianId;
use crate::order::{Order, PartNeed, Priority};
use crate::place::{Leg, TravelModel};
use crate::technician::{MAX_RATING, Technician};
use crate::time::{HOUR_MS, MINUTE_MS};

/// Greatest weight; the ratio of weights is what counts.
const MAX_WEIGHT: f64 = 1_000.0;

// Where a term is worth half. Assumptions: half an hour on the road, a day of waiting,
// four unused skills.
const HALF_TRAVEL_MIN: f64 = 30.0;
const HALF_WAIT_H: f64 = 24.0;
const HALF_SURPLUS: f64 = 4.0;

/// How much each term counts. Terms lie in 0 to 1 and 1 is best, so the weights compare
/// directly; their sum does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Weights {
    /// Short travel.
    pub distance: f64,
    /// Early start. Multiplied by 0.5, 1, 2 or 4 from low to urgent priority.
    pub wait: f64,
    /// Few open visits for the capacity.
    pub load: f64,
    /// Good rating by customers.
    pub rating: f64,
    /// Few skills beyond those needed, so that specialists stay free.
    pub skill_surplus: f64,
    /// Kit already in the van; applies to orders with a kit.
    pub parts: f64,
}

impl Default for Weights {
    /// Road and time first; an operator sets its own.
    fn default() -> Self {
        Self { distance: 3.0, wait: 2.0, load: 2.0, rating: 1.0, skill_surplus: 1.0, parts: 2.0 }
    }
}

/// What a term weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermName {
    /// Travel time: 1 at the door, 0.5 at half an hour.
    Distance,
    /// Time until the start: 1 at once, 0.5 in a day.
    Wait,
    /// Open visits: 1 for none, 0.5 for a full day of them.
    Load,
    /// Rating over 5.
    Rating,
    /// Skills not needed: 1 for none, 0.5 for four.
    SkillSurplus,
    /// Share of the kit's lines that lie in the van.
    Parts,
}

/// One reason for a score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// What is weighed.
    pub name: TermName,
    /// How good it is, 0 to 1.
    pub value: f64,
    /// Its weight.
    pub weight: f64,
    /// `value · weight / sum of weights`: its part of the score.
    pub contribution: f64,
}

/// A technician who may go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub technician: TechnicianId,
    /// 0 to 1, more is better; the sum of the contributions.
    pub score: f64,
    /// Road distance from where the technician's day begins, in km.
    pub travel_km: f64,
    /// Travel time, in minutes.
    pub travel_min: f64,
    /// When work can begin: the open visits are done first, at the pace of
    /// `capacity_per_day`; the work ends within the shift.
    pub earliest_start: ServerTime,
    /// What the score is made of.
    pub terms: Vec<Term>,
    /// The facts behind it, in a sentence for people.
    pub why: String,
}

/// A technician who may not go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Who.
    pub technician: TechnicianId,
    /// The first hard rule that forbids it.
    pub reason: ExclusionReason,
}

/// A hard rule, and what broke it. Prints as a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum ExclusionReason {
    /// Skills are missing.
    Skill {
        /// Which.
        missing: Vec<String>,
    },
    /// Does not cover the area.
    Area {
        /// The order's.
        area: String,
    },
    /// Open visits fill all coming shifts, or there is no capacity at all.
    Capacity {
        /// Open visits.
        assigned: u32,
        /// Visits a shift.
        capacity_per_day: u32,
    },
    /// No coming shift that the work fits into.
    Shift {
        /// Coming shifts that were tried.
        shifts: u32,
        /// Travel and work, in minutes.
        needed_min: u32,
    },
    /// Cannot begin within the order's window.
    Window {
        /// Earliest possible start.
        earliest_start: ServerTime,
        /// End of the window.
        window_end: ServerTime,
    },
}

impl fmt::Display for ExclusionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skill { missing } => write!(f, "lacks the skills {}", missing.join(", ")),
            Self::Area { area } => write!(f, "does not cover the area {area}"),
            Self::Capacity { assigned, capacity_per_day } => {
                write!(f, "{assigned} open visits at {capacity_per_day} a day fill all coming shifts")
            }
            Self::Shift { shifts: 0, .. } => write!(f, "has no coming shift"),
            Self::Shift { shifts, needed_min } => {
                write!(f, "none of {shifts} coming shifts has room for {needed_min} min of travel and work")
            }
            Self::Window { earliest_start, window_end } => {
                let late_min = earliest_start.since_ms(*window_end) / MINUTE_MS;
                write!(f, "could begin {late_min} min after the window ends")
            }
        }
    }
}

/// All technicians for one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// Best first.
    pub candidates: Vec<Candidate>,
    /// By technician.
    pub excluded: Vec<Exclusion>,
}

/// Ranks technicians for an order at time `now`: hard rules first (skill, area,
/// capacity, shift, window), then the weighted terms. Equal scores go by earliest start,
/// travel time and id.
///
/// The travel time is that from where the technician's day begins, for the start of the
/// work too; the way back is not counted.
///
/// # Errors
/// The first field of the input that is wrong, or a technician given twice. Check
/// technicians with [`Technician::validate`] when they are entered: one bad record
/// fails the whole ranking.
pub fn rank(
    order: &Order,
    technicians: &[Technician],
    weights: &Weights,
    travel: &TravelModel,
    now: ServerTime,
) -> Result<Ranking, InputError> {
    check_input(order, technicians, weights, travel)?;
    let mut ranking = Ranking { candidates: Vec::with_capacity(technicians.len()), excluded: Vec::new() };
    for technician in technicians {
        match candidate(order, technician, weights, travel, now) {
            Ok(candidate) => ranking.candidates.push(candidate),
            Err(reason) => ranking.excluded.push(Exclusion { technician: technician.id.clone(), reason }),
        }
    }
    ranking.candidates.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(a.earliest_start.cmp(&b.earliest_start))
            .then(a.travel_min.total_cmp(&b.travel_min))
            .then_with(|| a.technician.cmp(&b.technician))
    });
    ranking.excluded.sort_by(|a, b| a.technician.cmp(&b.technician));
    Ok(ranking)
}

fn check_input(
    order: &Order,
    technicians: &[Technician],
    weights: &Weights,
    travel: &TravelModel,
) -> Result<(), InputError> {
    order.validate().map_err(|e| e.within("order"))?;
    weights.check().map_err(|e| e.within("weights"))?;
    travel.check().map_err(|e| e.within("travel"))?;
    let mut seen = HashSet::with_capacity(technicians.len());
    for (i, technician) in technicians.iter().enumerate() {
        technician.validate().map_err(|e| e.at("technicians", i))?;
        if !seen.insert(&technician.id) {
            return Err(InputError::duplicate("id", technician.id.as_str()).at("technicians", i));
        }
    }
    Ok(())
}

fn candidate(
    order: &Order,
    technician: &Technician,
    weights: &Weights,
    travel: &TravelModel,
    now: ServerTime,
) -> Result<Candidate, ExclusionReason> {
    check_skills(order, technician)?;
    check_area(order, technician)?;
    let leg = travel.leg(technician.place, order.place);
    let earliest_start = earliest_start(order, technician, leg, now)?;
    let facts = Facts::new(order, technician, leg, earliest_start, now);
    let terms = facts.terms(weights, order.priority);
    Ok(Candidate {
        technician: technician.id.clone(),
        score: terms.iter().map(|t| t.contribution).sum(),
        travel_km: leg.km,
        travel_min: leg.min,
        earliest_start,
        terms,
        why: facts.to_string(),
    })
}

fn check_skills(order: &Order, technician: &Technician) -> Result<(), ExclusionReason> {
    let missing: Vec<_> = order.skills.iter().filter(|skill| !technician.skills.contains(skill)).cloned().collect();
    if missing.is_empty() { Ok(()) } else { Err(ExclusionReason::Skill { missing }) }
}

fn check_area(order: &Order, technician: &Technician) -> Result<(), ExclusionReason> {
    if technician.areas.contains(&order.area) {
        Ok(())
    } else {
        Err(ExclusionReason::Area { area: order.area.clone() })
    }
}

/// When the technician can begin. A shift has `capacity_per_day` slots of equal length;
/// open visits take the first ones, then comes this order: travel, wait for the window,
/// work. What does not end within the shift moves to the next.
fn earliest_start(
    order: &Order,
    technician: &Technician,
    leg: Leg,
    now: ServerTime,
) -> Result<ServerTime, ExclusionReason> {
    let no_capacity =
        ExclusionReason::Capacity { assigned: technician.assigned, capacity_per_day: technician.capacity_per_day };
    if technician.capacity_per_day == 0 {
        return Err(no_capacity);
    }
    let travel_ms = (leg.min * MINUTE_MS as f64).ceil() as i64;
    let service_ms = i64::from(order.service_min) * MINUTE_MS;
    let (mut ahead, mut has_room, mut shifts) = (i64::from(technician.assigned), false, 0);
    for shift in technician.shifts.iter().filter(|shift| shift.end > now) {
        shifts += 1;
        let slot_ms = (shift.length_ms() / i64::from(technician.capacity_per_day)).max(1);
        let open = shift.start.max(now);
        let slots = (shift.end.since_ms(open) / slot_ms).min(i64::from(technician.capacity_per_day));
        if ahead >= slots {
            ahead -= slots;
            continue;
        }
        has_room = true;
        let arrival = open.plus_ms(ahead * slot_ms).plus_ms(travel_ms);
        ahead = 0;
        let start = order.window.map_or(arrival, |window| arrival.max(window.start));
        if let Some(window) = order.window.filter(|window| start > window.end) {
            return Err(ExclusionReason::Window { earliest_start: start, window_end: window.end });
        }
        if start.plus_ms(service_ms) <= shift.end {
            return Ok(start);
        }
    }
    if !has_room && technician.assigned > 0 && shifts > 0 {
        return Err(no_capacity);
    }
    let needed_min = leg.min.ceil() as u32 + order.service_min;
    Err(ExclusionReason::Shift { shifts, needed_min })
}

/// What the terms are computed from.
struct Facts {
    leg: Leg,
    wait_h: f64,
    assigned: u32,
    capacity_per_day: u32,
    rating: f64,
    skill_surplus: usize,
    /// Lines of the kit in the van, and lines of the kit.
    parts: Option<(usize, usize)>,
}

impl Facts {
    fn new(order: &Order, technician: &Technician, leg: Leg, start: ServerTime, now: ServerTime) -> Self {
        let in_van = |need: &&PartNeed| {
            technician.van_stock.iter().any(|held| held.part == need.part && held.quantity >= need.quantity)
        };
        Self {
            leg,
            wait_h: start.since_ms(now).max(0) as f64 / HOUR_MS as f64,
            assigned: technician.assigned,
            capacity_per_day: technician.capacity_per_day,
            rating: technician.rating,
            skill_surplus: technician.skills.iter().filter(|skill| !order.skills.contains(skill)).count(),
            parts: (!order.kit.is_empty()).then(|| (order.kit.iter().filter(in_van).count(), order.kit.len())),
        }
    }

    fn terms(&self, weights: &Weights, priority: Priority) -> Vec<Term> {
        let term = |name, value, weight| Term { name, value, weight, contribution: 0.0 };
        let mut terms = Vec::with_capacity(6);
        terms.push(term(TermName::Distance, halving(self.leg.min, HALF_TRAVEL_MIN), weights.distance));
        terms.push(term(TermName::Wait, halving(self.wait_h, HALF_WAIT_H), weights.wait * haste(priority)));
        let days = f64::from(self.assigned) / f64::from(self.capacity_per_day.max(1));
        terms.push(term(TermName::Load, halving(days, 1.0), weights.load));
        terms.push(term(TermName::Rating, self.rating / MAX_RATING, weights.rating));
        let surplus = halving(self.skill_surplus as f64, HALF_SURPLUS);
        terms.push(term(TermName::SkillSurplus, surplus, weights.skill_surplus));
        if let Some((in_van, lines)) = self.parts {
            terms.push(term(TermName::Parts, in_van as f64 / lines as f64, weights.parts));
        }
        let sum: f64 = terms.iter().map(|t| t.weight).sum();
        if sum > 0.0 {
            terms.iter_mut().for_each(|t| t.contribution = t.value * t.weight / sum);
        }
        terms
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} km, {:.0} min away; can begin in {:.1} h", self.leg.km, self.leg.min, self.wait_h)?;
        write!(f, "; {} open visits at {} a day", self.assigned, self.capacity_per_day)?;
        write!(f, "; rated {:.1}; {} skills to spare", self.rating, self.skill_surplus)?;
        if let Some((in_van, lines)) = self.parts {
            write!(f, "; {in_van} of {lines} kit parts in the van")?;
        }
        Ok(())
    }
}

/// 1 at 0, 0.5 at `half`, towards 0 beyond.
fn halving(amount: f64, half: f64) -> f64 {
    half / (half + amount)
}

/// How much more an early start counts.
fn haste(priority: Priority) -> f64 {
    match priority {
        Priority::Low => 0.5,
        Priority::Normal => 1.0,
        Priority::High => 2.0,
        Priority::Urgent => 4.0,
    }
}

impl Weights {
    fn check(&self) -> Result<(), InputError> {
        let fields = [
            (self.distance, "distance"),
            (self.wait, "wait"),
            (self.load, "load"),
            (self.rating, "rating"),
            (self.skill_surplus, "skill_surplus"),
            (self.parts, "parts"),
        ];
        fields.into_iter().try_for_each(|(value, field)| check_number(value, 0.0, MAX_WEIGHT, field))
    }
}

#[cfg(test)]
mod tests;
