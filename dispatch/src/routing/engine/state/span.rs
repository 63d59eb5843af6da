//! How long a route takes at least, with its departure as late as that helps.
//!
//! Sequences of visits are joined in O(1) from their duration and the earliest and latest begin
//! that keep it (Vidal, Crainic, Gendreau and Prins 2013, section 4.1.1, without time warp).

use super::{RouteState, Visit};
use crate::routing::engine::network::{NONE, Node};

/// A feasible sequence of visits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    duration: i32,
    earliest: i32,
    latest: i32,
}

impl Span {
    /// One span after another, with travel between.
    #[inline]
    fn join(self, travel: i32, next: Self) -> Self {
        let shift = self.duration + travel;
        let waiting = (next.earliest - shift - self.latest).max(0);
        Self {
            duration: shift + next.duration + waiting,
            earliest: (next.earliest - shift).max(self.earliest) - waiting,
            latest: (next.latest - shift).min(self.latest),
        }
    }
}

impl RouteState<'_> {
    fn span_of(&self, node: Node) -> Span {
        let site = &self.network.sites[node as usize];
        Span { duration: site.service, earliest: site.open, latest: site.close }
    }

    fn join_to(&self, span: Span, from: Node, to: Node, next: Span) -> Span {
        span.join(self.network.arc(from, to).time, next)
    }

    /// Spans from the start to each node and from each node to the end of a route.
    pub(super) fn measure(&mut self, route: u32) {
        let mut node = self.network.start(route);
        let mut span = self.span_of(node);
        let mut waiting = 0;
        loop {
            self.spans[node as usize].0 = span;
            let next = self.visits[node as usize].next;
            if next == NONE {
                break;
            }
            let (visit, travel) = (self.span_of(next), self.network.arc(node, next).time);
            let joined = span.join(travel, visit);
            waiting += joined.duration - span.duration - travel - visit.duration;
            span = joined;
            node = next;
        }
        self.totals[route as usize].waiting = waiting;
        let mut span = self.span_of(node);
        while node != NONE {
            self.spans[node as usize].1 = span;
            let previous = self.visits[node as usize].prev;
            if previous != NONE {
                span = self.join_to(self.span_of(previous), previous, node, span);
            }
            node = previous;
        }
    }

    /// Least duration of a route as last measured.
    pub(super) fn duration(&self, route: u32) -> i32 {
        self.spans[self.network.end(route) as usize].0.duration
    }

    /// What visits after `before` add to the cost of the route's duration at least, with their travel: they can use
    /// up all its waiting.
    #[inline(always)]
    pub(super) fn lengthens_at_least(&self, before: &Visit, visits: i32) -> i64 {
        if !self.network.has_duration {
            return 0;
        }
        let total = &self.totals[before.route as usize];
        let leg = || self.network.between(before.place, before.next_place).time;
        let saved = if total.jobs > 0 { leg() + total.waiting } else { 0 };
        i64::from(visits - saved) * i64::from(self.network.vehicle(before.route).duration_rate)
    }

    /// What one or two visits after `after` add to the cost of the route's duration.
    pub(super) fn lengthens(&self, route: u32, after: Node, visits: &[Node]) -> i64 {
        let rate = if self.network.has_duration { i64::from(self.network.vehicle(route).duration_rate) } else { 0 };
        if rate == 0 {
            return 0;
        }
        let (mut span, mut last) = (self.spans[after as usize].0, after);
        for &visit in visits {
            span = self.join_to(span, last, visit, self.span_of(visit));
            last = visit;
        }
        let next = self.visits[after as usize].next;
        span = self.join_to(span, last, next, self.spans[next as usize].1);
        let before = if self.totals[route as usize].jobs == 0 { 0 } else { self.duration(route) };
        i64::from(span.duration - before) * rate
    }
}
