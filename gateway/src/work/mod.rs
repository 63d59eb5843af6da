//! Work orders: from open to completed, each step on the record.

mod assign;
mod matching;
mod steps;

pub(crate) use assign::location_kind;
pub use assign::run;
pub use steps::take_step;

/// Where a work order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    /// Waits for a technician.
    Open,
    /// Has a technician and an appointment; parts are reserved.
    Assigned,
    /// The technician took it.
    Accepted,
    /// On the road.
    Travelling,
    /// At the appliance.
    OnSite,
    /// Done, with a confirmed cause.
    Completed,
    /// Not needed any more.
    Canceled,
}

impl OrderState {
    const ALL: [Self; 7] =
        [Self::Open, Self::Assigned, Self::Accepted, Self::Travelling, Self::OnSite, Self::Completed, Self::Canceled];

    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Travelling => "travelling",
            Self::OnSite => "on_site",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
        }
    }

    /// Reads [`OrderState::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}
