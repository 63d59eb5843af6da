//! Windows a customer can choose from, with what each would cost.

use super::Board;
use super::candidates::Candidate;
use crate::error::InputError;
use crate::routing::problem::{Window, WorkOrder};

/// A window and the cheapest way to keep it.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer<'b> {
    /// What the customer would be promised.
    pub window: Window,
    /// Who would come; the cost is in its price.
    pub best: Candidate<'b>,
    /// How many technicians could keep it.
    pub technicians: usize,
}

impl Board {
    /// Prices windows for an order, say the half days of two weeks; its own windows and promise do
    /// not count. In the order given, without those that nobody can keep.
    ///
    /// # Errors
    /// The first field of the order that is wrong.
    pub fn offers(&self, order: &WorkOrder, windows: &[Window]) -> Result<Vec<Offer<'_>>, InputError> {
        order.check_alone(&self.problem)?;
        let ready = self.ready(order);
        let broken: Vec<_> = (0..self.crew.masks.len()).map(|technician| self.broken(&ready, technician)).collect();
        let mut offers = Vec::new();
        for window in windows {
            let fits = (0..self.lines.len())
                .filter_map(|line| self.best_on(&ready, line, &[*window], broken[self.lines[line].technician]));
            let mut count = 0;
            let best = fits.inspect(|_| count += 1).min_by(|a, b| a.price.total_s.total_cmp(&b.price.total_s));
            offers.extend(best.map(|best| Offer { window: *window, best, technicians: count }));
        }
        Ok(offers)
    }
}
