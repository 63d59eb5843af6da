//! What to do about a diagnosis.

use firmware_proto::DeviceTime;

use crate::appliance::{Action, ApplianceType, Cause, Handling, Repair, RiskClass};
use crate::diagnose::{Diagnosis, percent};
use crate::next_step::best_repair;
use crate::state::DeviceState;

/// A repair that was tried on the finding at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The repair's key.
    pub repair: String,
    /// Later telemetry showed that it worked; yet here we are again.
    pub verified: bool,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Advice<'a> {
    /// All is well, as far as can be seen.
    Nothing,
    /// Something is wrong, but it is not clear what; or nobody need travel for it.
    Watch {
        /// For people.
        why: String,
    },
    /// Try this remote repair.
    Repair {
        /// Which.
        repair: &'a Repair,
        /// The cause it is to cure.
        cause: String,
        /// For people.
        why: String,
    },
    /// Send a technician.
    WorkOrder {
        /// The likeliest cause.
        cause: String,
        /// For people.
        why: String,
        /// A safety lockout is involved: nothing may be done remotely.
        safety: bool,
    },
}

/// A fault less likely than this is not worth anybody's attention.
const WORTH_WATCHING: f64 = 0.5;

/// Nothing is done about a fault less likely than this.
const WORTH_ACTING: f64 = 0.9;

/// A cause with this part of all fault probability is clear: act at once.
const CLEAR: f64 = 0.85;

/// A lockout cause as likely as this forbids every remote action.
const SAFETY_VETO: f64 = 0.2;

/// The same repair is never tried more often on one finding, whatever the catalogue says.
const MAX_ATTEMPTS: u32 = 2;

/// Decides what to do next. `now` is the device's time; `tried` are the repairs of this finding, oldest first.
pub fn advise<'a>(
    ty: &'a ApplianceType,
    state: &DeviceState,
    diagnosis: &Diagnosis,
    now: DeviceTime,
    tried: &[Tried],
) -> Advice<'a> {
    let causes = after_attempts(ty, diagnosis, tried);
    let Some(&(cause, share)) = causes.first() else { return Advice::Nothing };
    if lockout_shown(ty, state) {
        return lockout_order(cause, diagnosis);
    }
    if diagnosis.fault_probability < WORTH_WATCHING {
        return Advice::Nothing;
    }
    let why = format!("{} with {} of a fault", cause.name, percent(share));
    let settled = state.trouble_since().is_some_and(|since| now.since_ms(since) >= ty.settle_ms);
    if diagnosis.fault_probability < WORTH_ACTING || !(share >= CLEAR || settled) {
        return Advice::Watch { why: format!("not clear yet: {why}") };
    }
    if cause.lockout || lockout_likely(ty, diagnosis) {
        return lockout_order(cause, diagnosis);
    }
    match (repair_to_try(ty, cause, &causes, tried), cause.handling) {
        (Some(repair), _) => Advice::Repair { repair, cause: cause.key.clone(), why },
        (None, Handling::Watch) => Advice::Watch { why },
        (None, Handling::Visit) => Advice::WorkOrder { cause: cause.key.clone(), why, safety: false },
    }
}

/// Causes and their share of all fault probability, likeliest first. Each attempt that was
/// shown to have failed speaks against the cause it should have cured.
fn after_attempts<'a>(ty: &'a ApplianceType, diagnosis: &Diagnosis, tried: &[Tried]) -> Vec<(&'a Cause, f64)> {
    let weigh = |cause: &Cause, probability: f64| {
        let attempts = tried.iter().filter(|t| !t.verified).filter_map(|t| ty.repair(&t.repair));
        attempts.filter(|r| r.cause == cause.key).fold(probability, |left, repair| left * (1.0 - repair.success))
    };
    let weighed = diagnosis.ranked.iter().filter_map(|ranked| {
        let cause = ty.cause(&ranked.cause)?;
        Some((cause, weigh(cause, ranked.probability)))
    });
    let mut causes: Vec<(&Cause, f64)> = weighed.collect();
    let all: f64 = causes.iter().map(|(_, weight)| weight).sum();
    causes.iter_mut().for_each(|(_, weight)| *weight /= all.max(f64::MIN_POSITIVE));
    causes.sort_by(|a, b| b.1.total_cmp(&a.1));
    causes
}

/// A symptom that shows a safety lockout is present.
fn lockout_shown(ty: &ApplianceType, state: &DeviceState) -> bool {
    let shown = |(detector, seen): (&crate::detector::Detector, &crate::detector::DetectorState)| {
        detector.lockout && seen.latch == crate::detector::Latch::Present
    };
    ty.detectors.iter().zip(&state.detectors).any(shown)
}

fn lockout_likely(ty: &ApplianceType, diagnosis: &Diagnosis) -> bool {
    let likely = diagnosis.ranked.iter().filter(|r| r.probability >= SAFETY_VETO);
    likely.filter_map(|r| ty.cause(&r.cause)).any(|cause| cause.lockout)
}

fn lockout_order<'a>(cause: &Cause, diagnosis: &Diagnosis) -> Advice<'a> {
    let why = format!(
        "safety lockout, nothing may be done remotely; a fault is present with {}, first {}",
        percent(diagnosis.fault_probability),
        cause.name
    );
    Advice::WorkOrder { cause: cause.key.clone(), why, safety: true }
}

/// The remote repair of the first cause by which repair is expected to cost least, of those
/// that may be tried without a person; none if sending somebody at once costs less. Causes
/// that are less likely are not tried, however cheaply: a symptom that comes and goes would
/// seem to prove the wrong repair.
fn repair_to_try<'a>(
    ty: &'a ApplianceType,
    first: &Cause,
    causes: &[(&Cause, f64)],
    tried: &[Tried],
) -> Option<&'a Repair> {
    let share = |key: &str| causes.iter().find(|(cause, _)| cause.key == key).map_or(0.0, |(_, share)| *share);
    let shares: Vec<f64> = ty.causes.iter().map(|cause| share(&cause.key)).collect();
    let left = |repair: &Repair| if repair.cause == first.key { attempts_left(ty, repair, tried) } else { 0 };
    best_repair(ty, &shares, left)
}

/// How often a repair may still be tried without a person.
fn attempts_left(ty: &ApplianceType, repair: &Repair, tried: &[Tried]) -> u8 {
    let attempts = tried.iter().filter(|t| t.repair == repair.key).count();
    let allowed = |action: &Action| action.automatic && action.risk <= RiskClass::R2;
    let most = if ty.action(&repair.action).is_some_and(allowed) { repair.max_attempts.min(MAX_ATTEMPTS) } else { 0 };
    (most as usize).saturating_sub(attempts) as u8
}

#[cfg(test)]
mod tests;
