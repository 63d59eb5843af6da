//! Why an order is on no route, and what would change it.

mod remedy;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use remedy::Change;

use super::engine;
use super::rules::{Broken, Compiled};
use crate::id::{OrderId, TechnicianId};
use crate::order::Priority;
use crate::place::Place;

/// Most remedies told for one order.
const MAX_REMEDIES: usize = 4;

/// Orders for which remedies are sought: it takes some milliseconds each, and nobody reads more.
const MAX_WITH_REMEDIES: usize = 100;

/// An order on no route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unassigned {
    /// Which order.
    pub order: OrderId,
    /// Where.
    pub place: Place,
    /// How pressing it is.
    pub priority: Priority,
    /// The rules that keep technicians from it; the one that stops most of them alone comes first.
    pub reasons: Vec<Reason>,
    /// Single changes each of which would let it be served, the smallest first. Sought for the 100
    /// most pressing orders.
    pub remedies: Vec<Change>,
    /// Reasons and remedies in sentences for people.
    pub why: String,
}

/// A rule, and how many technicians it keeps from an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Which rule.
    pub rule: Rule,
    /// Technicians it stops, perhaps along with other rules.
    pub technicians: u32,
    /// Technicians that no other rule stops.
    pub alone: u32,
}

/// A hard rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// There is nobody, or nobody has a coming shift.
    Nobody,
    /// A skill is missing.
    Skill,
    /// A certificate is missing or expires before the shift ends.
    Certificate,
    /// Does not go there.
    Territory,
    /// Must not go.
    Excluded,
    /// Takes no visits.
    Capacity,
    /// The visit has begun with somebody else.
    Begun,
    /// The parts are in no van and at no station, or others have been given them.
    Parts,
    /// Way, work and way back do not fit the shift.
    Shift,
    /// Cannot be there within the windows.
    Window,
    /// There is no road.
    NoWay,
    /// Could do it, but the other orders of the day leave no room.
    Full,
}

impl Rule {
    const BITS: [(Broken, Self); 10] = [
        (Broken::SKILL, Self::Skill),
        (Broken::CERTIFICATE, Self::Certificate),
        (Broken::TERRITORY, Self::Territory),
        (Broken::EXCLUDED, Self::Excluded),
        (Broken::CAPACITY, Self::Capacity),
        (Broken::BEGUN, Self::Begun),
        (Broken::PARTS, Self::Parts),
        (Broken::SHIFT, Self::Shift),
        (Broken::WINDOW, Self::Window),
        (Broken::NO_WAY, Self::NoWay),
    ];

    /// The rules of a set; none: the day is full.
    pub(crate) fn of(broken: Broken) -> Vec<Self> {
        let rules: Vec<Self> = Self::BITS.iter().filter(|(bit, _)| broken.has(*bit)).map(|(_, rule)| *rule).collect();
        if rules.is_empty() { vec![Self::Full] } else { rules }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "there is nobody with a coming shift",
            Self::Skill => "a skill is missing",
            Self::Certificate => "a certificate is missing or expires",
            Self::Territory => "it lies outside the territory",
            Self::Excluded => "must not go",
            Self::Capacity => "takes no visits",
            Self::Begun => "the visit has begun with somebody else",
            Self::Parts => "the parts are not to be had",
            Self::Shift => "way, work and way back do not fit the shift",
            Self::Window => "cannot be there within the windows",
            Self::NoWay => "there is no road",
            Self::Full => "the day is full",
        })
    }
}

/// Explains every order that the engine left over; the most pressing come first.
pub(crate) fn unassigned(compiled: &Compiled<'_>, found: &engine::Plan) -> Vec<Unassigned> {
    let mut orders: Vec<usize> = found.unserved.iter().map(|job| *job as usize).collect();
    orders.sort_by_key(|order| std::cmp::Reverse(compiled.problem.orders[*order].priority));
    orders.iter().enumerate().map(|(at, order)| explain(compiled, found, *order, at < MAX_WITH_REMEDIES)).collect()
}

fn explain(compiled: &Compiled<'_>, found: &engine::Plan, order: usize, with_remedies: bool) -> Unassigned {
    let by_technician = broken_by_technician(compiled, order);
    let reasons = reasons(&by_technician.iter().map(|(_, broken)| *broken).collect::<Vec<_>>());
    let remedies = if with_remedies { remedy::remedies(compiled, found, order, &by_technician) } else { Vec::new() };
    let work_order = &compiled.problem.orders[order];
    Unassigned {
        order: work_order.id.clone(),
        place: work_order.place,
        priority: work_order.priority,
        why: sentence(&reasons, &remedies),
        reasons,
        remedies,
    }
}

/// For each technician with a coming shift, the duty that breaks fewest rules, and these.
fn broken_by_technician(compiled: &Compiled<'_>, order: usize) -> Vec<(usize, Broken)> {
    let mut best: Vec<(usize, Broken)> = Vec::new();
    for (duty, of) in compiled.duties.iter().enumerate() {
        let broken = compiled.broken(order, duty) | compiled.broken_times(order, duty);
        match best.last_mut() {
            Some((last, least)) if compiled.duties[*last].technician == of.technician => {
                if broken.count() < least.count() {
                    (*last, *least) = (duty, broken);
                }
            }
            _ => best.push((duty, broken)),
        }
    }
    best
}

fn reasons(broken: &[Broken]) -> Vec<Reason> {
    if broken.is_empty() {
        return vec![Reason { rule: Rule::Nobody, technicians: 0, alone: 0 }];
    }
    let mut reasons: Vec<Reason> = Vec::new();
    for rules in broken.iter().map(|broken| Rule::of(*broken)) {
        let alone = u32::from(rules.len() == 1);
        for rule in rules {
            match reasons.iter_mut().find(|reason| reason.rule == rule) {
                Some(reason) => {
                    reason.technicians += 1;
                    reason.alone += alone;
                }
                None => reasons.push(Reason { rule, technicians: 1, alone }),
            }
        }
    }
    reasons.sort_by_key(|reason| (std::cmp::Reverse((reason.alone, reason.technicians)), reason.rule));
    reasons
}

fn sentence(reasons: &[Reason], remedies: &[Change]) -> String {
    let reason = |reason: &Reason| match reason.rule {
        Rule::Nobody => reason.rule.to_string(),
        rule => format!("{rule} ({} technicians, {} for this alone)", reason.technicians, reason.alone),
    };
    let reasons: Vec<String> = reasons.iter().map(reason).collect();
    let remedies: Vec<String> = remedies.iter().map(Change::to_string).collect();
    if remedies.is_empty() {
        return format!("{}.", reasons.join("; "));
    }
    format!("{}. It would help to {}.", reasons.join("; "), remedies.join("; or to "))
}

/// The technician of a duty.
fn technician(compiled: &Compiled<'_>, duty: usize) -> TechnicianId {
    compiled.problem.technicians[compiled.duties[duty].technician].id.clone()
}
