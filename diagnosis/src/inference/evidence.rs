//! What is known of one device.

use thiserror::Error;

/// Likelihood of what was seen of a symptom or an event: if it is present, and if it is absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// P(what was seen | present), at least 0.
    pub present: f64,
    /// P(what was seen | absent), at least 0.
    pub absent: f64,
}

impl Weights {
    /// It is there.
    pub const PRESENT: Self = Self { present: 1.0, absent: 0.0 };
    /// It is not there.
    pub const ABSENT: Self = Self { present: 0.0, absent: 1.0 };
    /// Nothing was seen.
    pub const UNKNOWN: Self = Self { present: 1.0, absent: 1.0 };
}

/// What is known of one device; at first nothing.
///
/// A symptom has one state however often it was read: setting it again replaces the last.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    pub(super) symptoms: Vec<Weights>,
    /// Events of which something is known.
    pub(super) events: Vec<(u32, Weights)>,
}

impl Evidence {
    /// Nothing is known of so many symptoms.
    pub fn unknown(symptoms: usize) -> Self {
        Self { symptoms: vec![Weights::UNKNOWN; symptoms], events: Vec::new() }
    }

    /// Sets a symptom. One that does not exist is ignored, as it says nothing of the tree.
    pub fn set_symptom(&mut self, symptom: usize, weights: Weights) {
        if let Some(known) = self.symptoms.get_mut(symptom) {
            *known = weights;
        }
    }

    /// Sets a basic event, for example one that was confirmed on site.
    pub fn set_event(&mut self, event: usize, weights: Weights) {
        match self.events.iter_mut().find(|(known, _)| *known as usize == event) {
            Some((_, known)) => *known = weights,
            None => self.events.push((event as u32, weights)),
        }
    }

    /// What is known of a symptom.
    pub fn symptom(&self, symptom: usize) -> Weights {
        self.symptoms.get(symptom).copied().unwrap_or(Weights::UNKNOWN)
    }
}

/// The evidence has probability 0 under the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the evidence cannot happen in this tree: an observation held for certain contradicts another or the tree")]
pub struct Impossible;
