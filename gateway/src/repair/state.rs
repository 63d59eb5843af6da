//! The life of a remote repair.

use serde::{Deserialize, Serialize};

/// Where a repair stands. The order is the order of a good run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairState {
    /// Thought of; nothing decided.
    Proposed,
    /// Needs a person, or a second one.
    AwaitingApproval,
    /// Waits until its preconditions hold.
    Queued,
    /// The command is in the outbox.
    Dispatched,
    /// The device has it.
    Accepted,
    /// The device is at it.
    InProgress,
    /// The device says it is done.
    DeviceSucceeded,
    /// Later telemetry is being watched.
    Verifying,
    /// Later telemetry proved it. Final.
    Verified,
    /// The device says it failed.
    DeviceFailed,
    /// Later telemetry disproved it.
    VerifyFailed,
    /// The device did not answer in time, which proves nothing.
    OutcomeUnknown,
    /// Verification saw too little.
    Inconclusive,
    /// Waited too long to be sent. Final.
    Expired,
    /// A person called it off. Final.
    Canceled,
    /// The device is locked out, or a person is at it: nothing may be done. Final.
    BlockedUnsafe,
    /// A work order took over. Final.
    Escalated,
    /// Another attempt took over. Final.
    Superseded,
}

use RepairState::{
    Accepted, AwaitingApproval, BlockedUnsafe, Canceled, DeviceFailed, DeviceSucceeded, Dispatched, Escalated, Expired,
    InProgress, Inconclusive, OutcomeUnknown, Proposed, Queued, Superseded, Verified, VerifyFailed, Verifying,
};

impl RepairState {
    /// Every state.
    pub const ALL: [Self; 18] = [
        Proposed,
        AwaitingApproval,
        Queued,
        Dispatched,
        Accepted,
        InProgress,
        DeviceSucceeded,
        Verifying,
        Verified,
        DeviceFailed,
        VerifyFailed,
        OutcomeUnknown,
        Inconclusive,
        Expired,
        Canceled,
        BlockedUnsafe,
        Escalated,
        Superseded,
    ];

    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Proposed => "proposed",
            AwaitingApproval => "awaiting_approval",
            Queued => "queued",
            Dispatched => "dispatched",
            Accepted => "accepted",
            InProgress => "in_progress",
            DeviceSucceeded => "device_succeeded",
            Verifying => "verifying",
            Verified => "verified",
            DeviceFailed => "device_failed",
            VerifyFailed => "verify_failed",
            OutcomeUnknown => "outcome_unknown",
            Inconclusive => "inconclusive",
            Expired => "expired",
            Canceled => "canceled",
            BlockedUnsafe => "blocked_unsafe",
            Escalated => "escalated",
            Superseded => "superseded",
        }
    }

    /// No way leads on from here.
    pub fn is_final(self) -> bool {
        self.next().is_empty()
    }

    /// The device may have the command and its outcome is not known yet.
    pub fn is_with_device(self) -> bool {
        matches!(self, Dispatched | Accepted | InProgress | OutcomeUnknown)
    }

    /// Where it may go from here.
    pub fn next(self) -> &'static [Self] {
        match self {
            Proposed => &[AwaitingApproval, Queued, BlockedUnsafe],
            AwaitingApproval => &[Queued, Canceled, Expired, BlockedUnsafe],
            Queued => &[Dispatched, Canceled, Expired, BlockedUnsafe],
            // Back to the queue: the device refused it and did nothing.
            Dispatched | OutcomeUnknown => {
                &[Accepted, InProgress, DeviceSucceeded, DeviceFailed, OutcomeUnknown, Queued, Escalated]
            }
            Accepted => &[InProgress, DeviceSucceeded, DeviceFailed, OutcomeUnknown, Queued, Escalated],
            InProgress => &[DeviceSucceeded, DeviceFailed, OutcomeUnknown, Escalated],
            DeviceSucceeded => &[Verifying],
            Verifying => &[Verified, VerifyFailed, Inconclusive],
            Inconclusive => &[Verifying, Escalated],
            DeviceFailed | VerifyFailed => &[Superseded, Escalated],
            Verified | Expired | Canceled | BlockedUnsafe | Escalated | Superseded => &[],
        }
    }

    /// Whether it may go there from here.
    pub fn can_become(self, next: Self) -> bool {
        self.next().contains(&next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_leads_to_an_end() {
        for start in RepairState::ALL {
            let mut reached = vec![start];
            let mut at = 0;
            while at < reached.len() {
                let fresh: Vec<_> =
                    reached[at].next().iter().filter(|state| !reached.contains(state)).copied().collect();
                reached.extend(fresh);
                at += 1;
            }
            assert!(reached.iter().any(|state| state.is_final()), "{start:?}");
        }
    }

    #[test]
    fn nothing_is_verified_without_verification() {
        let before: Vec<_> = RepairState::ALL.into_iter().filter(|state| state.can_become(Verified)).collect();
        assert_eq!(before, [Verifying]);
    }
}
