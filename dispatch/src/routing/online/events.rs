//! What happens during the day.

use super::candidates::Spot;
use super::line::What;
use super::{Board, Node};
use crate::error::{InputError, Problem as Wrong};
use crate::id::{OrderId, TechnicianId};
use crate::order::{PartNeed, Priority};
use crate::routing::problem::{Assignment, Promise, Time, Window, WorkOrder};

/// Something that changes the plan. The caller says when: [`Board::handle`].
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A new order, promised at once in the cheapest place; an urgent one may push others out.
    Order(Box<WorkOrder>),
    /// A visit has begun. The one that went on before is over; those it was preferred to find another
    /// place, and so do those it makes late.
    Begun {
        /// Which order.
        order: OrderId,
    },
    /// A visit is over, or the order was cancelled: it leaves the board.
    Done {
        /// Which order.
        order: OrderId,
    },
    /// Work takes longer than planned.
    Late {
        /// Which order.
        order: OrderId,
        /// How much longer, in seconds.
        seconds: u32,
    },
    /// A technician refuses a visit.
    Refused {
        /// Which order.
        order: OrderId,
        /// Who will not go.
        technician: TechnicianId,
    },
    /// Nobody is at home: the order needs another time.
    NoShow {
        /// Which order.
        order: OrderId,
        /// When the customer can be visited instead.
        windows: Vec<Window>,
    },
    /// A technician is ill: all coming shifts fall away.
    Ill {
        /// Who.
        technician: TechnicianId,
    },
}

/// What an event did to the plan at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Orders put somewhere, with who goes and when the work begins at the latest.
    pub assigned: Vec<(OrderId, TechnicianId, Time)>,
    /// Orders that are now without a technician; the next search tries again.
    pub unassigned: Vec<OrderId>,
}

impl Board {
    /// Takes an event at `now`: changes the routes at once where it can, and marks the board for a
    /// search.
    ///
    /// # Errors
    /// An unknown order or technician, a field that is wrong, a `now` that runs backwards. The board
    /// is then as before.
    pub fn handle(&mut self, event: &Event, now: Time) -> Result<Effect, InputError> {
        if now < self.problem.now {
            let (value, min) = (now.0 as f64, self.problem.now.0 as f64);
            return Err(InputError::new("now", Wrong::OutOfRange { value, min, max: f64::MAX }));
        }
        let before = std::mem::replace(&mut self.problem.now, now);
        let cut = self.pass_time(now);
        let effect = self.change(event);
        match &effect {
            Ok(_) => self.touch(),
            // Errors are found before anything is changed, so that the lines still have their numbers.
            Err(_) => {
                self.problem.now = before;
                cut.into_iter().for_each(|(line, start)| self.set_clock(line, start));
            }
        }
        effect
    }

    /// Nobody who has not begun does so before `now`, and no visit that goes on ends before. Returns the lines that
    /// this cuts, and their starts.
    fn pass_time(&mut self, now: Time) -> Vec<(usize, Time)> {
        let mut cut = Vec::new();
        for index in 0..self.lines.len() {
            let line = &self.lines[index];
            let start = if line.begun { line.span.start } else { line.span.start.max(now.min(line.span.end)) };
            let is_overdue = line.begun && line.slots[1].depart < now.0;
            if is_overdue || line.span.start < start {
                cut.push((index, line.span.start));
                self.set_clock(index, start);
            }
        }
        cut
    }

    /// Lets a line start then, and a visit that goes on take as long as it does by now.
    fn set_clock(&mut self, line: usize, start: Time) {
        let line = &mut self.lines[line];
        line.span.start = start;
        if let (true, What::Order(order)) = (line.begun, &line.nodes[1].what) {
            line.nodes[1].service_s = self.problem.orders[*order as usize].on_site_s(self.problem.now);
        }
        line.refresh(&self.ruler);
    }

    fn change(&mut self, event: &Event) -> Result<Effect, InputError> {
        match event {
            Event::Order(order) => {
                self.add(WorkOrder::clone(order))?;
                Ok(self.place_all(vec![(self.problem.orders.len() - 1) as u32]))
            }
            Event::Begun { order } => self.begin(order),
            Event::Done { order } => {
                let index = self.known(order)?;
                self.finish(index);
                Ok(Effect::default())
            }
            Event::Late { order, seconds } => {
                let index = self.known(order)?;
                let service_s = self.problem.orders[index as usize].service_s.saturating_add(*seconds);
                self.problem.orders[index as usize].service_s = service_s.min(MAX_SERVICE_S);
                let freed = self.rewalk(index);
                Ok(self.place_all(freed))
            }
            Event::Refused { order, technician } => {
                let index = self.known(order)?;
                self.known_technician(technician)?;
                self.problem.orders[index as usize].excluded.push(technician.clone());
                self.take_off(index);
                Ok(self.place_all(vec![index]))
            }
            Event::NoShow { order, windows } => {
                let index = self.known(order)?;
                let changed = WorkOrder {
                    windows: windows.clone(),
                    promised: None,
                    begun: None,
                    ..self.problem.orders[index as usize].clone()
                };
                changed.check_alone(&self.problem).map_err(|e| e.within("order"))?;
                self.take_off(index);
                self.problem.orders[index as usize] = changed;
                Ok(self.place_all(vec![index]))
            }
            Event::Ill { technician } => {
                let technician = self.known_technician(technician)?;
                let freed = self.send_home(technician);
                Ok(self.place_all(freed))
            }
        }
    }

    /// Puts an order on the route of a technician in the cheapest place, promises its window, and
    /// returns the new version.
    ///
    /// # Errors
    /// A wrong field, an order that is already there, or a technician who cannot take it.
    pub fn insert(&mut self, order: WorkOrder, technician: &TechnicianId) -> Result<u64, InputError> {
        let spot = {
            let found = self.candidates(&order)?;
            let candidate = found.ranked.iter().find(|candidate| candidate.technician == technician);
            candidate.map(super::Candidate::spot)
        };
        let Some(spot) = spot else {
            return Err(InputError::new("technician", Wrong::CannotTake(technician.to_string())));
        };
        self.add(order)?;
        self.put((self.problem.orders.len() - 1) as u32, spot);
        self.touch();
        Ok(self.version)
    }

    fn add(&mut self, order: WorkOrder) -> Result<(), InputError> {
        order.check_alone(&self.problem).map_err(|e| e.within("order"))?;
        if self.index.contains_key(&order.id) {
            return Err(InputError::duplicate("order.id", order.id.as_str()));
        }
        self.index.insert(order.id.clone(), self.problem.orders.len() as u32);
        self.problem.orders.push(order);
        Ok(())
    }

    fn known(&self, order: &OrderId) -> Result<u32, InputError> {
        self.index.get(order).copied().ok_or_else(|| InputError::unknown("order", order.as_str(), "order"))
    }

    fn known_technician(&self, id: &TechnicianId) -> Result<usize, InputError> {
        let found = self.crew.index.get(id).copied();
        found.ok_or_else(|| InputError::unknown("technician", id.as_str(), "technician"))
    }

    fn whereabouts(&self, order: u32) -> Option<(usize, usize)> {
        let on = |line: &super::Line| line.nodes.iter().position(|node| node.what == What::Order(order));
        self.lines.iter().enumerate().find_map(|(index, line)| Some((index, on(line)?)))
    }

    /// Places orders one by one, the most pressing first, each in its cheapest place.
    fn place_all(&mut self, mut orders: Vec<u32>) -> Effect {
        orders.sort_by_key(|order| std::cmp::Reverse(self.problem.orders[*order as usize].priority));
        let mut effect = Effect::default();
        while let Some(order) = (!orders.is_empty()).then(|| orders.remove(0)) {
            let work_order = self.problem.orders[order as usize].clone();
            let found = self.candidates(&work_order).ok();
            let best = found.as_ref().and_then(|found| found.ranked.first());
            let best = best.map(|best| (best.spot(), best.technician.clone(), best.start));
            match best {
                Some((spot, technician, start)) => {
                    self.put(order, spot);
                    effect.assigned.push((work_order.id, technician, start));
                }
                None => match self.push_out(&work_order) {
                    Some(freed) if !freed.is_empty() => {
                        orders.insert(0, order);
                        orders.extend(freed);
                    }
                    _ => effect.unassigned.push(work_order.id),
                },
            }
        }
        effect
    }

    /// Makes room for an urgent order: takes off the one visit of lower priority, not promised and
    /// not begun, whose place it can have most cheaply.
    fn push_out(&mut self, order: &WorkOrder) -> Option<Vec<u32>> {
        if order.priority != Priority::Urgent {
            return None;
        }
        let soft =
            |other: &WorkOrder| other.priority < order.priority && other.promised.is_none() && other.begun.is_none();
        let ready = self.ready(order);
        let windows = crate::routing::rules::windows(order, true, self.problem.span());
        let mut best: Option<(f64, u32)> = None;
        for index in 0..self.lines.len() {
            let broken = self.broken(&ready, self.lines[index].technician);
            if !broken.is_none() {
                continue;
            }
            for at in 1..self.lines[index].nodes.len() - 1 {
                let What::Order(other) = self.lines[index].nodes[at].what else { continue };
                if !soft(&self.problem.orders[other as usize]) {
                    continue;
                }
                let kept = self.lines[index].clone();
                self.lines[index].nodes.remove(at);
                self.lines[index].visits -= 1;
                self.lines[index].refresh(&self.ruler);
                let price = self.best_on(&ready, index, &windows, broken).map(|candidate| candidate.price.total_s);
                self.lines[index] = kept;
                if let Some(price) = price.filter(|price| best.is_none_or(|(least, _)| *price < least)) {
                    best = Some((price, other));
                }
            }
        }
        let (_, other) = best?;
        self.take_off(other);
        Some(vec![other])
    }

    fn put(&mut self, order: u32, Spot { line, after, station }: Spot) {
        let node = self.order_node(order, None);
        let parts = self.problem.orders[order as usize].parts.clone();
        let window = node.windows[0];
        if self.problem.orders[order as usize].promised.is_none()
            && node.windows.len() == 1
            && window != self.problem.span()
        {
            let promise = Promise { window, technician: None };
            self.problem.orders[order as usize].promised = Some(promise);
        }
        let technician = self.lines[line].technician;
        let pick_up = station.map(|station| self.pick_up_node(station, &parts));
        match station {
            Some(station) => self.stock.take_station(station, &parts, 1),
            None => self.stock.take_van(technician, &parts, 1),
        }
        let target = &mut self.lines[line];
        target.nodes.splice(after + 1..after + 1, pick_up.into_iter().chain([node]));
        target.visits += 1;
        target.refresh(&self.ruler);
    }

    /// Takes an order off its route; its parts, and a pick-up that served only it, are free again.
    fn take_off(&mut self, order: u32) {
        let Some((index, at)) = self.whereabouts(order) else { return };
        let parts = self.problem.orders[order as usize].parts.clone();
        let line = &mut self.lines[index];
        line.nodes.remove(at);
        line.visits -= 1;
        if at == 1 {
            line.begun = false;
        }
        let technician = line.technician;
        if !self.give_back(index, at, &parts) {
            self.stock.take_van(technician, &parts, -1);
        }
        self.lines[index].refresh(&self.ruler);
    }

    /// Lessens the last pick-up before `at` that holds these parts; `false`: there is none.
    fn give_back(&mut self, index: usize, at: usize, parts: &[PartNeed]) -> bool {
        if parts.is_empty() {
            return true;
        }
        let line = &mut self.lines[index];
        let Some(found) = line.source(at, parts) else { return false };
        let What::PickUp(id, held) = &mut line.nodes[found].what else { return false };
        for need in parts {
            held.iter_mut().filter(|h| h.part == need.part).for_each(|h| h.quantity -= need.quantity);
        }
        held.retain(|held| held.quantity > 0);
        let (id, is_empty) = (id.clone(), held.is_empty());
        if is_empty {
            line.nodes.remove(found);
        }
        if let Some(station) = self.problem.stations.iter().position(|station| station.id == id) {
            self.stock.take_station(station, parts, -1);
        }
        true
    }

    pub(super) fn pick_up_node(&self, station: usize, parts: &[PartNeed]) -> Node {
        let site = &self.problem.stations[station];
        let open = super::ready(site, parts).max(self.problem.now);
        let window = Window { start: open, end: Time(i64::MAX / 4) };
        let mut node = Node::at(What::PickUp(site.id.clone(), parts.to_vec()), site.place, window);
        node.service_s = site.pick_up_s.into();
        node
    }

    fn begin(&mut self, id: &OrderId) -> Result<Effect, InputError> {
        let not_there = || InputError::new("order", Wrong::NotOnARoute(id.to_string()));
        let (index, at) = self.whereabouts(self.known(id)?).ok_or_else(not_there)?;
        let before = self.lines[index].nodes[1..at].iter().filter_map(|node| match node.what {
            What::Order(order) => Some(&self.problem.orders[order as usize]),
            _ => None,
        });
        let skipped: Vec<OrderId> =
            before.filter(|order| order.begun.is_none()).map(|order| order.id.clone()).collect();
        let technician = &self.problem.technicians[self.lines[index].technician].id;
        let is_ended =
            |other: &&WorkOrder| other.id != *id && other.begun.as_ref().is_some_and(|b| b.technician == *technician);
        let ended: Vec<OrderId> = self.problem.orders.iter().filter(is_ended).map(|order| order.id.clone()).collect();
        for id in &ended {
            self.finish(self.known(id)?);
        }
        for id in &skipped {
            self.take_off(self.known(id)?);
        }
        let order = self.known(id)?;
        let (index, at) = self.whereabouts(order).ok_or_else(not_there)?;
        self.begin_line(order, index, at);
        let mut freed = self.rewalk(order);
        for id in &skipped {
            freed.push(self.known(id)?);
        }
        Ok(self.place_all(freed))
    }

    /// Lets a line begin with the visit that stands at `node`.
    fn begin_line(&mut self, order: u32, line: usize, node: usize) {
        let now = self.problem.now;
        let technician = self.problem.technicians[self.lines[line].technician].id.clone();
        self.problem.orders[order as usize].begun = Some(Assignment { technician, start: now });
        let site = self.order_node(order, None);
        let line = &mut self.lines[line];
        // Pick-ups before it are over.
        line.nodes.drain(1..node);
        line.nodes[0].place = site.place;
        line.nodes[1] = site;
        line.span.start = now;
        line.pauses.retain(|pause| pause.until >= now.0);
        line.begun = true;
        line.refresh(&self.ruler);
    }

    fn finish(&mut self, order: u32) {
        if let Some((index, at)) = self.whereabouts(order) {
            let place = self.problem.orders[order as usize].place;
            let now = self.problem.now;
            let line = &mut self.lines[index];
            if line.begun && at == 1 {
                line.nodes.remove(1);
                line.nodes[0].place = place;
                line.span.start = line.span.start.max(now);
                line.begun = false;
                self.problem.technicians[line.technician].position = Some(place);
                line.visits -= 1;
                line.refresh(&self.ruler);
            } else {
                self.take_off(order);
            }
        }
        self.forget(order);
    }

    /// Drops an order; the last one takes its number.
    fn forget(&mut self, order: u32) {
        let last = (self.problem.orders.len() - 1) as u32;
        let gone = self.problem.orders.swap_remove(order as usize);
        self.index.remove(&gone.id);
        if order != last {
            self.index.insert(self.problem.orders[order as usize].id.clone(), order);
            for node in self.lines.iter_mut().flat_map(|line| &mut line.nodes) {
                if node.what == What::Order(last) {
                    node.what = What::Order(order);
                }
            }
        }
    }

    /// Walks the line of a visit that takes longer or begins later; takes off those after it that no longer
    /// fit, the least pressing first, and returns them.
    fn rewalk(&mut self, order: u32) -> Vec<u32> {
        let Some((index, at)) = self.whereabouts(order) else { return Vec::new() };
        self.lines[index].nodes[at].service_s = self.problem.orders[order as usize].on_site_s(self.problem.now);
        let mut freed = Vec::new();
        while !self.lines[index].refresh(&self.ruler) {
            let movable = self.lines[index].nodes.iter().skip(at + 1).filter_map(|node| match node.what {
                What::Order(order) => Some(order),
                _ => None,
            });
            let least = movable.min_by_key(|order| self.problem.orders[*order as usize].priority);
            let Some(least) = least else { break };
            self.take_off(least);
            freed.push(least);
        }
        freed
    }

    /// Empties the lines of a technician, who has no shifts any more.
    fn send_home(&mut self, technician: usize) -> Vec<u32> {
        let orders: Vec<u32> = self
            .lines
            .iter()
            .filter(|line| line.technician == technician)
            .flat_map(|line| line.nodes.iter())
            .filter_map(|node| match node.what {
                What::Order(order) => Some(order),
                _ => None,
            })
            .collect();
        for order in &orders {
            self.take_off(*order);
            self.problem.orders[*order as usize].begun = None;
        }
        self.problem.technicians[technician].shifts.clear();
        self.lines.retain(|line| line.technician != technician);
        self.number_lines();
        orders
    }
}

/// Longest service; see the checks of a problem.
const MAX_SERVICE_S: u32 = 86_400;
