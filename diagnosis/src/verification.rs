//! Did the repair work? Judged from telemetry after the action alone.

use firmware_proto::{DeviceTime, MessageOrder};
use serde::{Deserialize, Serialize};

use crate::appliance::{ApplianceType, Repair};
use crate::detector::Outcome;
use crate::expression::evaluate::flag;
use crate::observe::{Sample, duration_text};
use crate::state::DeviceState;

/// What verification says so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Not enough seen yet.
    Pending,
    /// It worked.
    Verified {
        /// For people.
        why: String,
    },
    /// It did not work.
    Failed {
        /// For people.
        why: String,
    },
    /// Too little was seen to tell.
    Inconclusive {
        /// For people.
        why: String,
    },
}

/// A verification under way; stored between samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    repair: String,
    started: DeviceTime,
    order: Option<MessageOrder>,
    /// When the clear condition began to hold; none while it does not.
    clear_since: Option<DeviceTime>,
    /// For each symptom to clear, how many samples have said ok since then.
    ok_samples: Vec<u32>,
    /// Samples after the grace period that said violated.
    violated: u32,
}

impl Verification {
    /// Begins at the device time of the command's final result.
    pub fn new(repair: &Repair, started: DeviceTime) -> Self {
        let ok_samples = vec![0; repair.verify.clear.len()];
        Self { repair: repair.key.clone(), started, order: None, clear_since: None, ok_samples, violated: 0 }
    }

    /// The repair that is being verified.
    pub fn repair(&self) -> &str {
        &self.repair
    }

    /// Judges one sample. Call it after [`observe`](crate::observe) has taken the same sample,
    /// and only with samples whose `(boot_id, seq)` is greater than that of the command's final result.
    pub fn step(&mut self, ty: &ApplianceType, state: &DeviceState, sample: &Sample<'_>) -> Verdict {
        let Some(repair) = ty.repair(&self.repair).filter(|_| state.fits(ty)) else {
            return Verdict::Inconclusive { why: format!("the catalogue no longer knows repair {}", self.repair) };
        };
        if matches!((sample.order, self.order), (Some(new), Some(last)) if new <= last) {
            return self.expire(ty, sample.time);
        }
        self.order = sample.order.or(self.order);
        self.ok_samples.resize(repair.verify.clear.len(), 0);
        self.judge(ty, state, repair, sample.time)
    }

    fn judge(&mut self, ty: &ApplianceType, state: &DeviceState, repair: &Repair, time: DeviceTime) -> Verdict {
        let verify = &repair.verify;
        let outcomes = repair.clear.iter().map(|index| state.detectors[*index].last);
        let outcomes: Vec<Outcome> = outcomes.collect();
        if let Some(violated) = outcomes.iter().position(|o| *o == Outcome::Violated) {
            self.start_over();
            self.violated += u32::from(time.since_ms(self.started) > verify.grace_ms);
            if self.violated >= verify.fail_after {
                let name = &ty.detectors[repair.clear[violated]].name;
                let after = duration_text(time.since_ms(self.started));
                return Verdict::Failed { why: format!("{name}: still there {after} after the action") };
            }
        } else if let Some(guard) = repair.guards.iter().position(|g| flag(g, &state.view(ty)) == Some(false)) {
            self.start_over();
            if time.since_ms(self.started) > verify.window_ms {
                let why = format!("`{}` did not hold", verify.guards[guard]);
                return Verdict::Inconclusive { why };
            }
        } else if outcomes.contains(&Outcome::Ok) {
            return self.count(repair, &outcomes, time);
        }
        self.expire(ty, time)
    }

    fn count(&mut self, repair: &Repair, outcomes: &[Outcome], time: DeviceTime) -> Verdict {
        let since = *self.clear_since.get_or_insert(time);
        for (count, outcome) in self.ok_samples.iter_mut().zip(outcomes) {
            *count += u32::from(*outcome == Outcome::Ok);
        }
        let held_ms = time.since_ms(since);
        let fewest = self.ok_samples.iter().copied().min().unwrap_or(0);
        if held_ms < 0 {
            self.start_over();
        }
        if held_ms < repair.verify.hold_ms || fewest < repair.verify.samples {
            return self.overdue(repair, time);
        }
        let gone = repair.verify.clear.join(", ");
        Verdict::Verified { why: format!("not seen for {} in {fewest} samples: {gone}", duration_text(held_ms)) }
    }

    /// For silent devices: inconclusive once `now` has passed the window, pending before.
    pub fn expire(&self, ty: &ApplianceType, now: DeviceTime) -> Verdict {
        ty.repair(&self.repair).map_or(Verdict::Pending, |repair| self.overdue(repair, now))
    }

    fn overdue(&self, repair: &Repair, now: DeviceTime) -> Verdict {
        if now.since_ms(self.started) <= repair.verify.window_ms {
            return Verdict::Pending;
        }
        let seen: Vec<String> =
            repair.verify.clear.iter().zip(&self.ok_samples).map(|(s, n)| format!("{s} {n}")).collect();
        let why = format!(
            "in {} too few informative samples, {} of each are needed: {}",
            duration_text(repair.verify.window_ms),
            repair.verify.samples,
            seen.join(", ")
        );
        Verdict::Inconclusive { why }
    }

    fn start_over(&mut self) {
        self.clear_since = None;
        self.ok_samples.fill(0);
    }
}
