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
    /// How many shifts could keep it.
    pub shifts: usize,
}

/// Settles an order at the border between regions by price: each region's board is asked, and the
/// cheapest candidate of all wins. Returns the index of its board; `None`: nobody can take it.
///
/// # Errors
/// The first field of the order that is wrong. It may name no technicians: they belong to one
/// region.
pub fn settle<'b>(boards: &[&'b Board], order: &WorkOrder) -> Result<Option<(usize, Candidate<'b>)>, InputError> {
    let mut best: Option<(usize, Candidate<'b>)> = None;
    for (index, board) in boards.iter().enumerate() {
        if let Some(candidate) = board.candidates(order)?.ranked.first()
            && best.as_ref().is_none_or(|(_, least)| candidate.price.total_s < least.price.total_s)
        {
            best = Some((index, *candidate));
        }
    }
    Ok(best)
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
        let mut best: Vec<Option<Candidate<'_>>> = vec![None; windows.len()];
        let mut counts = vec![0; windows.len()];
        for lines in self.lines.chunk_by(|a, b| a.technician == b.technician) {
            let technician = lines[0].technician;
            let broken = self.broken(&ready, technician);
            if !broken.is_none() {
                continue;
            }
            for (line, index) in lines.iter().zip(self.first_line[technician]..) {
                let meets = |window: &Window| window.start <= line.span.end && line.span.start <= window.end;
                for (at, window) in windows.iter().enumerate().filter(|(_, window)| meets(window)) {
                    if let Some(candidate) = self.best_on(&ready, index, std::slice::from_ref(window), broken) {
                        counts[at] += 1;
                        if best[at].as_ref().is_none_or(|least| candidate.price.total_s < least.price.total_s) {
                            best[at] = Some(candidate);
                        }
                    }
                }
            }
        }
        let priced = windows.iter().zip(best).zip(counts);
        Ok(priced.filter_map(|((window, best), shifts)| Some(Offer { window: *window, best: best?, shifts })).collect())
    }
}
