//! One shift as a line of stops with its slack: what an insertion costs is answered in constant
//! time for each gap.

use super::distance::{Point, Ruler};
use crate::id::LocationId;
use crate::order::PartNeed;
use crate::place::Place;
use crate::routing::problem::Window;
use crate::routing::rules::Pause;

/// Later than anything planned.
const NEVER: i64 = i64::MAX / 4;

/// What a node of a line is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    Start,
    /// Number of the order on the board.
    Order(u32),
    PickUp(LocationId, Vec<PartNeed>),
    End,
}

impl What {
    /// The station of a pick-up.
    pub fn station(&self) -> Option<&LocationId> {
        match self {
            Self::PickUp(station, _) => Some(station),
            _ => None,
        }
    }
}

/// A stop of a line.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub what: What,
    pub place: Place,
    pub service_s: i64,
    /// When service may begin; never empty.
    pub windows: Vec<Window>,
    pub arrive: i64,
    pub start: i64,
}

/// What a test of an insertion reads of a node; kept apart and small, for speed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub point: Point,
    /// Departure.
    pub depart: i64,
    /// Latest arrival that keeps the rest in time.
    pub latest: i64,
    /// Travel to the next node.
    pub leg_s: i64,
    /// Waiting from this node on, which takes up a delay.
    pub idle: i64,
    /// The break taken between this node and the next.
    pub gap: Gap,
}

/// What lies between a node and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    Open,
    /// A break that begins from `from` to `until`.
    Pause {
        from: i64,
        until: i64,
        duration: i64,
    },
    /// Nothing can be put in: the visit after it has begun, or several breaks stand there.
    Closed,
}

/// One shift of one technician.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub technician: usize,
    pub shift: usize,
    /// First moment, and last with overtime.
    pub span: Window,
    /// After this it is overtime.
    pub end: i64,
    pub nodes: Vec<Node>,
    pub slots: Vec<Slot>,
    pub pauses: Vec<Pause>,
    pub visits: u32,
    /// The first visit has begun and stays first.
    pub begun: bool,
    /// No window and not the end of the shift is missed. If one is, the slots are of no use.
    pub in_time: bool,
}

/// A place for something new on a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fit {
    /// Node it follows.
    pub after: usize,
    pub arrive: i64,
    pub start: i64,
    pub detour_s: i64,
    /// Overtime added.
    pub overtime_s: i64,
}

impl Line {
    /// Walks the line again after a change: earliest times forwards, latest backwards. Returns whether
    /// it is in time.
    pub fn refresh(&mut self, ruler: &Ruler) -> bool {
        self.in_time = self.forward(ruler);
        self.backward();
        self.in_time
    }

    /// The last pick-up before a node that holds these parts; `None`: there is none, or no parts.
    pub fn source(&self, at: usize, parts: &[PartNeed]) -> Option<usize> {
        let holds = |held: &[PartNeed]| {
            parts.iter().all(|need| held.iter().any(|h| h.part == need.part && h.quantity >= need.quantity))
        };
        if parts.is_empty() {
            return None;
        }
        (0..at).rev().find(|&at| matches!(&self.nodes[at].what, What::PickUp(_, held) if holds(held)))
    }

    fn forward(&mut self, ruler: &Ruler) -> bool {
        let mut pauses = self.pauses.as_slice();
        let mut clock = self.span.start.0;
        let mut in_time = true;
        self.slots.clear();
        for index in 0..self.nodes.len() {
            let point = ruler.point(self.nodes[index].place);
            if let Some(last) = self.slots.last_mut() {
                last.leg_s = ruler.seconds(&last.point, &point);
                clock = clock.saturating_add(last.leg_s).min(NEVER);
                let node = &self.nodes[index];
                (clock, last.gap) = rest(&mut pauses, clock, node);
                if index == 1 && self.begun {
                    last.gap = Gap::Closed;
                }
            }
            let node = &mut self.nodes[index];
            node.arrive = clock;
            let start = first_open(&node.windows, clock);
            in_time &= start.is_some();
            node.start = start.unwrap_or(clock);
            clock = node.start + node.service_s;
            self.slots.push(Slot { point, depart: clock, latest: 0, leg_s: 0, idle: 0, gap: Gap::Open });
        }
        in_time && clock <= self.span.end.0
    }

    fn backward(&mut self) {
        let (mut latest, mut idle) = (self.span.end.0, 0);
        for index in (0..self.nodes.len()).rev() {
            let (node, slot) = (&self.nodes[index], &mut self.slots[index]);
            let depart = match (index + 1 == self.nodes.len(), slot.gap) {
                (true, _) => latest,
                (_, Gap::Open) => latest - slot.leg_s,
                (_, Gap::Pause { until, duration, .. }) => (latest - slot.leg_s - duration).min(until),
                (_, Gap::Closed) => slot.depart,
            };
            latest = last_open(&node.windows, depart - node.service_s).unwrap_or(node.arrive);
            idle += node.start - node.arrive;
            (slot.latest, slot.idle) = (latest, idle);
        }
    }

    /// The cheapest gap for a visit (for a visit after a pick-up: `via`); cost in seconds with this
    /// price of overtime.
    pub fn best(&self, new: &New<'_>, ruler: &Ruler) -> Option<(f64, Fit)> {
        let mut best: Option<(f64, Fit)> = None;
        let mut to_new = ruler.seconds(&self.slots[0].point, new.entry());
        for after in 0..self.slots.len() - 1 {
            let (a, b) = (&self.slots[after], &self.slots[after + 1]);
            let inward = to_new;
            to_new = ruler.seconds(&b.point, new.entry());
            if a.depart > new.close || b.latest < new.open || a.gap == Gap::Closed {
                continue;
            }
            let outward =
                if ruler.is_symmetric && new.via.is_none() { to_new } else { ruler.seconds(new.point, &b.point) };
            let detour_s = inward + new.between_s + outward - a.leg_s;
            let bound = best.as_ref().map_or(f64::INFINITY, |(cost, _)| *cost);
            if detour_s as f64 * new.rate >= bound {
                continue;
            }
            if let Some((arrive, start, done)) = self.times(new, after, inward, outward) {
                let overtime_s = self.overtime(after + 1, done);
                let cost = detour_s as f64 * new.rate + overtime_s as f64 * new.overtime;
                if cost < bound {
                    best = Some((cost, Fit { after, arrive, start, detour_s, overtime_s }));
                }
            }
        }
        best
    }

    /// Arrival and start of the new visit, and arrival at the node after it; `None`: too late.
    fn times(&self, new: &New<'_>, after: usize, inward: i64, outward: i64) -> Option<(i64, i64, i64)> {
        let (a, b) = (&self.slots[after], &self.slots[after + 1]);
        let Gap::Pause { from, until, duration } = a.gap else {
            let (arrive, start) = new.begin(a.depart + inward)?;
            let done = start + new.service_s + outward;
            return (done <= b.latest).then_some((arrive, start, done));
        };
        // The visit before the break, or after it.
        let before = new.begin(a.depart + inward).and_then(|(arrive, start)| {
            let end = start + new.service_s;
            let done = (end + outward).max(from) + duration;
            (end <= until && done <= b.latest).then_some((arrive, start, done))
        });
        before.or_else(|| {
            let (arrive, start) = new.begin((a.depart + inward).max(from) + duration)?;
            let done = start + new.service_s + outward;
            (done <= b.latest).then_some((arrive, start, done))
        })
    }

    /// Overtime added when the node `at` is reached at `arrive`.
    fn overtime(&self, at: usize, arrive: i64) -> i64 {
        let back = self.nodes.last().map_or(0, |end| end.arrive);
        let delay = (arrive - self.nodes[at].arrive - self.slots[at].idle).max(0);
        (back + delay - self.end).max(0) - (back - self.end).max(0)
    }
}

/// A visit to be put in, and perhaps a pick-up right before it.
pub(crate) struct New<'n> {
    pub point: &'n Point,
    pub service_s: i64,
    pub windows: &'n [Window],
    /// First and last moment of the windows.
    pub open: i64,
    pub close: i64,
    /// Cost of a second of travel.
    pub rate: f64,
    /// Cost of a second of overtime.
    pub overtime: f64,
    /// Where parts are picked up first: place, opening, service.
    pub via: Option<(&'n Point, i64, i64)>,
    /// Travel from there.
    pub between_s: i64,
}

impl New<'_> {
    fn entry(&self) -> &Point {
        self.via.map_or(self.point, |(point, _, _)| point)
    }

    /// Arrival and start for who reaches the first of its places at `at`.
    fn begin(&self, at: i64) -> Option<(i64, i64)> {
        let arrive = self.via.map_or(at, |(_, open, service_s)| at.max(open) + service_s + self.between_s);
        first_open(self.windows, arrive).map(|start| (arrive, start))
    }
}

pub(crate) fn first_open(windows: &[Window], at: i64) -> Option<i64> {
    windows.iter().find(|window| at <= window.end.0).map(|window| at.max(window.start.0))
}

fn last_open(windows: &[Window], by: i64) -> Option<i64> {
    windows.iter().rev().find(|window| window.start.0 <= by).map(|window| by.min(window.end.0))
}

/// Takes the breaks that come before a node is served: on the way, or on arrival because its
/// service would hold them up. Returns when one is free, and what that makes of the gap.
fn rest(pauses: &mut &[Pause], arrive: i64, node: &Node) -> (i64, Gap) {
    let (mut clock, mut gap) = (arrive, Gap::Open);
    while let Some(pause) = pauses.first() {
        let start = first_open(&node.windows, clock).unwrap_or(clock);
        let is_end = matches!(node.what, What::End);
        let fits =
            if is_end { clock < pause.from } else { start < pause.from && start + node.service_s <= pause.until };
        if fits {
            break;
        }
        clock = clock.max(pause.from) + pause.duration;
        gap = match gap {
            Gap::Open => Gap::Pause { from: pause.from, until: pause.until, duration: pause.duration },
            _ => Gap::Closed,
        };
        *pauses = &pauses[1..];
    }
    (clock, gap)
}
