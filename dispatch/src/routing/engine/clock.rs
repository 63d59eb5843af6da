//! How time runs along a route: travel, windows and breaks, forwards and backwards.
//!
//! All of it is monotone: who arrives earlier leaves no later. That is what lets one earliest
//! and one latest time per visit decide an insertion. Whether a break is taken follows from
//! the time alone: before [`Break::from`] it is not, from the moment it ends it is, and in
//! between nobody is free.

use super::network::{Network, Node};
use crate::routing::model::Break;

/// Later than any time of a model.
pub(crate) const NEVER: i32 = i32::MAX / 2;
/// Earlier than any time of a model.
pub(crate) const BEFORE: i32 = i32::MIN / 2;

impl Network<'_> {
    /// Arrival after travelling.
    #[inline]
    pub(crate) fn arrive(&self, vehicle: u32, depart: i32, time: i32) -> i32 {
        if self.plain { depart + time } else { arrive(self.breaks(vehicle), depart, time) }
    }

    /// Start and departure of who arrives at `arrival`; `None` when it is too late.
    #[inline]
    pub(crate) fn serve(&self, vehicle: u32, node: Node, arrival: i32) -> Option<(i32, i32)> {
        let site = &self.sites[node as usize];
        if self.plain {
            let start = arrival.max(site.open);
            return if start <= site.close { Some((start, start + site.service)) } else { None };
        }
        let start = self.begin(vehicle, node, arrival)?;
        Some((start, finish(self.breaks(vehicle), start, site.service)))
    }

    /// Latest arrival that still lets the vehicle leave by `depart`; [`BEFORE`] when none does.
    #[inline]
    pub(crate) fn latest_arrival(&self, vehicle: u32, node: Node, depart: i32) -> i32 {
        let site = &self.sites[node as usize];
        if self.plain {
            let latest = (depart - site.service).min(site.close);
            return if latest >= site.open { latest } else { BEFORE };
        }
        self.latest_begin(vehicle, node, depart)
    }

    /// Latest departure that still arrives by `arrival`.
    #[inline]
    pub(crate) fn latest_departure(&self, vehicle: u32, arrival: i32, time: i32) -> i32 {
        if self.plain || arrival <= BEFORE {
            arrival - time
        } else {
            latest_departure(self.breaks(vehicle), arrival, time)
        }
    }

    fn begin(&self, vehicle: u32, node: Node, arrival: i32) -> Option<i32> {
        let service = self.sites[node as usize].service;
        let mut free = arrival;
        let mut start = self.first_open(node, free)?;
        for pause in self.breaks(vehicle) {
            if free < pause.from && (start >= pause.from || start + service > pause.until) {
                free = pause.from + pause.duration;
                start = self.first_open(node, free)?;
            }
        }
        Some(start)
    }

    fn first_open(&self, node: Node, at: i32) -> Option<i32> {
        match self.windows(node) {
            Some(windows) => windows.iter().find(|window| at <= window.close).map(|window| at.max(window.open)),
            None => {
                let site = &self.sites[node as usize];
                if at <= site.close { Some(at.max(site.open)) } else { None }
            }
        }
    }

    fn last_open(&self, node: Node, by: i32) -> Option<i32> {
        match self.windows(node) {
            Some(windows) => windows.iter().rev().find(|window| window.open <= by).map(|window| by.min(window.close)),
            None => {
                let site = &self.sites[node as usize];
                if site.open <= by { Some(by.min(site.close)) } else { None }
            }
        }
    }

    fn latest_begin(&self, vehicle: u32, node: Node, depart: i32) -> i32 {
        let breaks = self.breaks(vehicle);
        let service = self.sites[node as usize].service;
        // Between two breaks at a time, the last first. A start found is tried out, so that the
        // answer may be too early in odd cases (a service across two breaks) but never too late.
        for next in (0..=breaks.len()).rev() {
            let (floor, ceiling) = gap(breaks, next);
            let mut bound = depart - service;
            if let Some(pause) = breaks.get(next) {
                let across = (depart - pause.duration).min(pause.until) - service;
                bound = across.max(bound.min(pause.from - 1 - service)).min(ceiling);
            }
            if let Some(start) = self.last_open(node, bound)
                && start >= floor
                && self.begin(vehicle, node, start) == Some(start)
                && finish(breaks, start, service) <= depart
            {
                // Whoever comes while a break would still be on begins when it ends.
                return start;
            }
        }
        BEFORE
    }
}

/// The free time before break number `next`: first and last moment.
fn gap(breaks: &[Break], next: usize) -> (i32, i32) {
    let floor = if next == 0 { BEFORE } else { breaks[next - 1].from + breaks[next - 1].duration };
    (floor, breaks.get(next).map_or(NEVER, |pause| pause.from - 1))
}

fn arrive(breaks: &[Break], depart: i32, time: i32) -> i32 {
    let mut end = depart + time;
    for pause in breaks {
        if depart < pause.from && end >= pause.from {
            end += pause.duration;
        }
    }
    end
}

fn finish(breaks: &[Break], start: i32, service: i32) -> i32 {
    arrive(breaks, start, service)
}

fn latest_departure(breaks: &[Break], arrival: i32, time: i32) -> i32 {
    for next in (0..=breaks.len()).rev() {
        let (floor, ceiling) = gap(breaks, next);
        let mut depart = arrival - time;
        if let Some(pause) = breaks.get(next) {
            let across = arrival - pause.duration - time;
            depart = across.max(depart.min(pause.from - 1 - time)).min(ceiling);
        }
        if depart >= floor && arrive(breaks, depart, time) <= arrival {
            return depart;
        }
    }
    BEFORE
}
