//! One sample into the state; out come the symptoms that changed.

use firmware_proto::{DeviceTime, MessageOrder, Value};
use serde::Serialize;

use crate::appliance::ApplianceType;
use crate::detection;
use crate::detector::{DetectorState, Latch, Measured};
use crate::state::DeviceState;

/// The readings of one message.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// When, by the device's clock.
    pub time: DeviceTime,
    /// Which message; a sample at or before the last one taken is ignored. None if the device does not number them.
    pub order: Option<MessageOrder>,
    /// Datapoint index and value. May be part of the datapoints: the others keep their last value for ten minutes.
    pub readings: &'a [(usize, Value)],
}

/// A symptom that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observation {
    /// Which symptom: the detector's key.
    pub symptom: String,
    /// It is there, or it was seen not to be there.
    pub present: bool,
    /// It came and went so often that it is held as present until it has been gone for long.
    pub chattering: bool,
    /// Natural log of P(this | some fault) / P(this | no fault).
    pub llr: f64,
    /// For people.
    pub why: String,
    /// Device time of the sample that decided.
    pub time: DeviceTime,
}

/// Takes a sample into the state and returns the symptoms that changed, as a rule none.
///
/// A state of another catalogue version is started afresh.
pub fn observe(ty: &ApplianceType, state: &mut DeviceState, sample: &Sample<'_>) -> Vec<Observation> {
    if !state.fits(ty) {
        *state = DeviceState::new(ty);
    }
    if state.is_duplicate(sample.order) {
        return Vec::new();
    }
    let healthy_before = state.present().next().is_none();
    let step = state.advance(sample.time, sample.order);
    state.take(ty, sample.readings, step.now_ms);
    state.step_slots(ty, step);
    let mut changed = Vec::new();
    state.step_detectors(ty, step, |index| changed.push(index));
    if healthy_before && state.present().next().is_some() {
        forget_absence(state);
        changed.retain(|index| state.detectors[*index].latch == Latch::Present);
    }
    changed.into_iter().map(|index| observation(ty, state, index, sample.time)).collect()
}

/// Trouble begins: that a symptom was looked for and not found *before* says nothing of
/// this trouble, so absence must be shown anew.
fn forget_absence(state: &mut DeviceState) {
    state.forget_calm_evidence();
    state.detectors.iter_mut().filter(|d| d.latch != Latch::Present).for_each(DetectorState::forget_absence);
}

fn observation(ty: &ApplianceType, state: &DeviceState, index: usize, time: DeviceTime) -> Observation {
    let present = state.detectors[index].latch == Latch::Present;
    Observation {
        symptom: ty.detectors[index].key.clone(),
        present,
        chattering: state.detectors[index].chattering,
        llr: ty.model.log_likelihood_ratio(index, present),
        why: why(ty, state, index),
        time,
    }
}

/// What is known of one symptom, for people.
pub(crate) fn why(ty: &ApplianceType, state: &DeviceState, index: usize) -> String {
    let (detector, seen) = (&ty.detectors[index], &state.detectors[index]);
    let measured = match seen.measured {
        Measured::Number => format!(", measured {}", rounded(f64::from(seen.value))),
        Measured::Seconds => format!(", measured {}", duration_text((seen.value * 1_000.0) as i64)),
        Measured::Nothing => String::new(),
    };
    let age = state.time().map_or(0, |now| now.ms().saturating_sub(i64::from(seen.since_s) * 1_000));
    if let Some(evidence) = state.evidence(ty, index) {
        return why_of_model(&detector.name, evidence);
    }
    match seen.latch {
        Latch::Present if seen.chattering => format!(
            "{} ({}{measured}) comes and goes, {} times within {}: held as present until gone for as long",
            detector.name,
            detector.rule,
            seen.latches,
            duration_text(detector.chatter.within_ms)
        ),
        Latch::Present => format!("{} ({}{measured}) for {}", detector.name, detector.rule, duration_text(age)),
        Latch::Absent => format!("{}: looked for and not seen ({}{measured})", detector.name, detector.rule),
        Latch::Unknown => format!("{}: too little was seen to tell", detector.name),
    }
}

/// What a model said of one symptom, for people.
fn why_of_model(name: &str, evidence: &detection::Evidence) -> String {
    let channels = evidence.channels.iter().map(|(channel, share)| format!("{channel} {:.0} %", share * 100.0));
    let channels: Vec<String> = channels.collect();
    let (version, (from, to)) = (&evidence.model_version, evidence.window_ms);
    let seen = if evidence.log_likelihood_ratio > 0.0 { "" } else { ": looked for and not seen" };
    format!(
        "{name}{seen} (model {version}, p = {}: {}) over {}",
        if evidence.p_value < 0.001 { format!("{:.0e}", evidence.p_value) } else { rounded(evidence.p_value) },
        channels.join(", "),
        duration_text(to.saturating_sub(from))
    )
}

/// Three significant digits, without trailing zeros.
pub(crate) fn rounded(value: f64) -> String {
    let decimals = match value.abs() {
        x if x >= 100.0 => 0,
        x if x >= 10.0 => 1,
        x if x >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

pub(crate) fn duration_text(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", rounded(seconds as f64 / 3_600.0)),
    }
}

#[cfg(test)]
mod tests;
