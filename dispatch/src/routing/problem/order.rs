//! Work orders: what is to be done. When and by whom is a `Visit` of the plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, Window};
use crate::id::{OrderId, TechnicianId};
use crate::order::{PartNeed, Priority};
use crate::place::Place;

/// One visit to be made: where, how long, and what it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkOrder {
    /// Which work order.
    pub id: OrderId,
    /// Where the appliance stands.
    pub place: Place,
    /// Work on site, in seconds.
    pub service_s: u32,
    /// The work begins within one of them; sorted, none overlapping. Empty: any time.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// How pressing it is: an order of higher priority is never dropped for any number of lower
    /// ones.
    #[serde(default)]
    pub priority: Priority,
    /// Skills that one technician must all have.
    #[serde(default)]
    pub skills: Vec<String>,
    /// Certificates that must be valid until the shift ends.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// Parts to bring: all from the van, or all picked up at one station before.
    #[serde(default)]
    pub parts: Vec<PartNeed>,
    /// What the customer was promised. It is kept unless the order could not be served otherwise.
    #[serde(default)]
    pub promised: Option<Promise>,
    /// Technicians the customer knows or asked for; see `objective.continuity_s`.
    #[serde(default)]
    pub preferred: Vec<TechnicianId>,
    /// Technicians who must not go.
    #[serde(default)]
    pub excluded: Vec<TechnicianId>,
    /// A visit already begun: it stays with its technician and its start, and lasts until `now` at
    /// least.
    #[serde(default)]
    pub begun: Option<Assignment>,
}

/// What a customer was promised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// The work begins within it. Another time is given only if it cannot be served in it.
    pub window: Window,
    /// By whom, if a name was given; sending somebody else costs `objective.moved_s`.
    #[serde(default)]
    pub technician: Option<TechnicianId>,
}

/// Who does it, and from when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// Who.
    pub technician: TechnicianId,
    /// When the work began.
    pub start: Time,
}

impl WorkOrder {
    /// Time on site: a visit that has begun and should be over goes on until `now`.
    pub(crate) fn on_site_s(&self, now: Time) -> i64 {
        let so_far = self.begun.as_ref().map_or(0, |begun| now.0 - begun.start.0);
        i64::from(self.service_s).max(so_far)
    }

    /// An order of normal priority that needs nothing special.
    pub fn new(id: impl Into<OrderId>, place: Place, service_s: u32) -> Self {
        Self {
            id: id.into(),
            place,
            service_s,
            windows: Vec::new(),
            priority: Priority::Normal,
            skills: Vec::new(),
            certificates: Vec::new(),
            parts: Vec::new(),
            promised: None,
            preferred: Vec::new(),
            excluded: Vec::new(),
            begun: None,
        }
    }
}
