//! What is remembered of one device.

use firmware_proto::{DeviceTime, MessageOrder, Value};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::appliance::ApplianceType;
use crate::detection::Evidence;
use crate::detector::{DetectorState, Latch, Test, whole_seconds};
use crate::drift::DriftState;
use crate::expression::slot::Step;
use crate::expression::{Slot, SlotState, Values, number_of};
use crate::inference::Weights;
use crate::observe::{Observation, why};

/// What is remembered of one device between two samples: bounded, and ready to be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceState {
    fingerprint: u64,
    order: Option<MessageOrder>,
    time: Option<DeviceTime>,
    boot_ms: i64,
    latest: Vec<Latest>,
    slots: Vec<SlotState>,
    /// Of the detectors that watch for a drift, in their order.
    drifts: Vec<DriftState>,
    pub(crate) detectors: Vec<DetectorState>,
    /// What models said last, at most one statement a symptom.
    evidence: Vec<Evidence>,
}

/// The last value of a datapoint and when it came, in device seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f64, u32)", into = "(f64, u32)")]
struct Latest {
    value: f64,
    at_s: u32,
}

impl From<(f64, u32)> for Latest {
    fn from((value, at_s): (f64, u32)) -> Self {
        Self { value, at_s }
    }
}

impl From<Latest> for (f64, u32) {
    fn from(latest: Latest) -> Self {
        (latest.value, latest.at_s)
    }
}

/// A value that never came.
const NEVER: Latest = Latest { value: 0.0, at_s: u32::MAX };

/// Why a model's statement was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvidenceError {
    /// Only a symptom under `[models]` of the catalogue can be spoken for.
    #[error("{symptom:?} is no model's symptom of {ty}: known are {known}")]
    UnknownSymptom {
        /// The appliance type.
        ty: String,
        /// What was named.
        symptom: String,
        /// What can be named.
        known: String,
    },
    /// A number that says nothing.
    #[error("{symptom}: {field} is {value}, must be {right}")]
    BadNumber {
        /// The symptom.
        symptom: String,
        /// Which number.
        field: &'static str,
        /// What it was.
        value: String,
        /// What would be right.
        right: &'static str,
    },
}

impl EvidenceError {
    fn unknown(ty: &ApplianceType, symptom: String) -> Self {
        let known: Vec<&str> = ty.model_symptoms().map(|(key, _)| key).collect();
        Self::UnknownSymptom { ty: ty.key.clone(), symptom, known: known.join(", ") }
    }
}

fn check(evidence: &Evidence) -> Result<(), EvidenceError> {
    let bad = |field, value: String, right| {
        Err(EvidenceError::BadNumber { symptom: evidence.symptom.clone(), field, value, right })
    };
    let (from, to) = evidence.window_ms;
    match evidence {
        e if !e.log_likelihood_ratio.is_finite() => {
            bad("log_likelihood_ratio", e.log_likelihood_ratio.to_string(), "a finite number")
        }
        e if !(0.0..=1.0).contains(&e.p_value) => bad("p_value", e.p_value.to_string(), "from 0 to 1"),
        e if e.channels.iter().any(|(_, share)| !(0.0..=1.0).contains(share)) => {
            bad("channels", format!("{:?}", e.channels), "shares from 0 to 1")
        }
        _ if from > to => bad("window_ms", format!("({from}, {to})"), "two times, the earlier first"),
        _ => Ok(()),
    }
}

/// Channels of a statement that are kept: more than people read.
const MAX_CHANNELS: usize = 4;

/// Largest log ratio that counts; beyond it floats gain nothing and lose range.
const MAX_LOG_RATIO: f64 = 40.0;

/// Virtual evidence (J. Pearl, Probabilistic Reasoning in Intelligent Systems, 2.2.2): only the
/// ratio of the two weights matters.
fn soft(log_likelihood_ratio: f64) -> Weights {
    let ratio = log_likelihood_ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO);
    Weights { present: ratio.min(0.0).exp(), absent: (-ratio).min(0.0).exp() }
}

/// What became of a stored state.
#[derive(Debug, Clone, PartialEq)]
pub enum Restored {
    /// It fits the catalogue.
    Kept(DeviceState),
    /// It was made with other datapoints or detectors; here is a fresh one.
    Fresh(DeviceState),
}

impl Restored {
    /// The state, kept or fresh.
    pub fn into_state(self) -> DeviceState {
        match self {
            Self::Kept(state) | Self::Fresh(state) => state,
        }
    }
}

/// A value older than this is missing, and a silence longer than this breaks every
/// "held without a break": ten times the longest telemetry interval of the catalogue.
const STALE_MS: i64 = STALE_S as i64 * 1_000;
const STALE_S: u32 = 600;

impl DeviceState {
    /// A device of which nothing is known yet.
    pub fn new(ty: &ApplianceType) -> Self {
        Self {
            fingerprint: ty.fingerprint,
            order: None,
            time: None,
            boot_ms: 0,
            latest: vec![NEVER; ty.datapoints.len()],
            slots: ty.slots.iter().map(Slot::start).collect(),
            drifts: vec![DriftState::default(); ty.detectors.iter().filter(|d| d.drifts()).count()],
            detectors: vec![DetectorState::default(); ty.detectors.len()],
            evidence: Vec::new(),
        }
    }

    /// Whether this state was made with the datapoints and detectors of `ty`.
    pub fn fits(&self, ty: &ApplianceType) -> bool {
        self.fingerprint == ty.fingerprint
            && self.latest.len() == ty.datapoints.len()
            && self.slots.len() == ty.slots.len()
            && self.detectors.len() == ty.detectors.len()
            && self.drifts.len() == ty.detectors.iter().filter(|d| d.drifts()).count()
    }

    /// Takes up a stored state if it fits the catalogue, else starts afresh.
    pub fn restore(ty: &ApplianceType, stored: Self) -> Restored {
        let whole = stored.fits(ty) && ty.slots.iter().zip(&stored.slots).all(|(slot, state)| slot.fits(state));
        if whole { Restored::Kept(stored) } else { Restored::Fresh(Self::new(ty)) }
    }

    /// Device time of the newest sample.
    pub fn time(&self) -> Option<DeviceTime> {
        self.time
    }

    /// Forgets what spoke for `cause`, so that only later telemetry counts: call it when
    /// the device has reported the repair as done, before the next [`observe`](crate::observe).
    /// The baselines that speak for it are learnt anew.
    pub fn after_repair(&mut self, ty: &ApplianceType, cause: &str) {
        if !self.fits(ty) {
            *self = Self::new(ty);
            return;
        }
        for (index, detector) in ty.detectors.iter().enumerate() {
            if !ty.model.speaks_for(index, cause) {
                continue;
            }
            self.detectors[index] = DetectorState::default();
            self.evidence.retain(|evidence| evidence.symptom != detector.key);
            let slots = &mut self.slots;
            let mut restart = |slot: usize| slots[slot] = ty.slots[slot].start();
            match &detector.test {
                Test::Rule { violated, ok } => {
                    violated.slots(&mut restart);
                    ok.iter().for_each(|ok| ok.slots(&mut restart));
                }
                Test::Drift(drift) => {
                    drift.channel.parts(&mut |_| (), &mut restart);
                    self.drifts[ty.detectors[..index].iter().filter(|d| d.drifts()).count()] = DriftState::default();
                }
                Test::Model(_) => {}
            }
        }
    }

    /// Takes what a model says of a symptom. It replaces what was last said of the same symptom,
    /// counts until it expires by device time or a repair of a cause it speaks for, and is part of
    /// the stored state. Its log ratio is that of the symptom: false-alarm and detection rates of
    /// the catalogue bound what it can do to any cause. Returns what changed; nothing if it is
    /// older than what is known.
    ///
    /// # Errors
    /// A symptom that is not a model's of this type, and numbers that are none.
    pub fn take_evidence(
        &mut self,
        ty: &ApplianceType,
        mut evidence: Evidence,
    ) -> Result<Option<Observation>, EvidenceError> {
        let index = ty.detectors.iter().position(|d| d.key == evidence.symptom && matches!(d.test, Test::Model(_)));
        let Some(index) = index else { return Err(EvidenceError::unknown(ty, evidence.symptom)) };
        check(&evidence)?;
        if !self.fits(ty) {
            *self = Self::new(ty);
        }
        let now_ms = self.time.unwrap_or_default().ms();
        // One that lies ahead of the device's clock is from before the clock went back.
        let counts = |known: &Evidence| known.window_ms.1 <= now_ms && known.window_ms.1 > evidence.window_ms.1;
        if self.evidence.iter().any(|known| known.symptom == evidence.symptom && counts(known)) {
            return Ok(None);
        }
        evidence.channels.truncate(MAX_CHANNELS);
        evidence.channels.shrink_to_fit();
        let (llr, time) = (evidence.log_likelihood_ratio, DeviceTime(evidence.window_ms.1));
        self.evidence.retain(|known| known.symptom != evidence.symptom);
        self.evidence.push(evidence);
        let symptom = ty.detectors[index].key.clone();
        let weighed = ty.model.soft_log_likelihood_ratio(index, soft(llr));
        Ok(Some(Observation {
            symptom,
            present: llr > 0.0,
            chattering: false,
            llr: weighed,
            why: why(ty, self, index),
            time,
        }))
    }

    /// What a model said of a symptom, unless it has expired.
    pub(crate) fn evidence(&self, ty: &ApplianceType, index: usize) -> Option<&Evidence> {
        let detector = &ty.detectors[index];
        let Test::Model(model) = &detector.test else { return None };
        let now_ms = self.time.unwrap_or_default().ms();
        let counts = |e: &&Evidence| now_ms.saturating_sub(e.window_ms.1).saturating_abs() <= model.expires_ms;
        self.evidence.iter().find(|evidence| evidence.symptom == detector.key).filter(counts)
    }

    /// What is known of a symptom: what a model says, else what is latched.
    pub(crate) fn known(&self, ty: &ApplianceType, index: usize) -> Weights {
        match self.evidence(ty, index) {
            Some(evidence) => soft(evidence.log_likelihood_ratio),
            None => self.detectors[index].latch.weights(),
        }
    }

    /// Forgets that models saw nothing.
    pub(crate) fn forget_calm_evidence(&mut self) {
        self.evidence.retain(|evidence| evidence.log_likelihood_ratio > 0.0);
    }

    /// Bytes in memory, texts left aside.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        use std::mem::size_of_val;
        let windows = self.slots.iter().map(|slot| match slot {
            SlotState::Mean(window) => size_of_val(&**window),
            SlotState::Range(window) => size_of_val(&**window),
            SlotState::Starts(window) => size_of_val(&**window),
            _ => 0,
        });
        let flat =
            size_of_val(self) + size_of_val(&*self.latest) + size_of_val(&*self.slots) + size_of_val(&*self.drifts);
        let evidence = self.evidence.iter().map(|e| size_of_val(e) + size_of_val(&*e.channels));
        flat + size_of_val(&*self.detectors) + windows.sum::<usize>() + evidence.sum::<usize>()
    }

    /// When the oldest symptom that is present now began.
    pub(crate) fn trouble_since(&self) -> Option<DeviceTime> {
        self.present().map(|detector| detector.since_s).min().map(|since_s| DeviceTime(i64::from(since_s) * 1_000))
    }

    pub(crate) fn present(&self) -> impl Iterator<Item = &DetectorState> {
        self.detectors.iter().filter(|d| d.latch == Latch::Present)
    }

    pub(crate) fn is_duplicate(&self, order: Option<MessageOrder>) -> bool {
        matches!((order, self.order), (Some(new), Some(last)) if new <= last)
    }

    /// Moves time on to a sample.
    pub(crate) fn advance(&mut self, time: DeviceTime, order: Option<MessageOrder>) -> Step {
        let since_last_ms = self.time.map(|last| time.since_ms(last));
        let backward = since_last_ms.is_some_and(|ms| ms < 0);
        let dt_ms = since_last_ms.filter(|ms| (0..=STALE_MS).contains(ms));
        let booted = matches!((order, self.order), (Some(new), Some(last)) if new.boot_id != last.boot_id);
        if self.time.is_none() || booted || backward {
            self.boot_ms = time.ms();
        }
        self.time = Some(time);
        self.order = order.or(self.order);
        Step { now_ms: time.ms(), dt_ms: dt_ms.unwrap_or(0), broken: dt_ms.is_none() }
    }

    /// Keeps the readings that can be true. A wrong one leaves the last value in place; ingest tells its sender.
    pub(crate) fn take(&mut self, ty: &ApplianceType, readings: &[(usize, Value)], time_ms: i64) {
        let now_s = whole_seconds(time_ms);
        for (index, value) in readings {
            if ty.datapoints.get(*index).is_some_and(|datapoint| datapoint.check(value).is_ok()) {
                self.latest[*index] = Latest { value: number_of(value), at_s: now_s };
            }
        }
    }

    pub(crate) fn step_slots(&mut self, ty: &ApplianceType, step: Step) {
        let now_s = whole_seconds(step.now_ms);
        for (index, slot) in ty.slots.iter().enumerate() {
            // A slot may read the slots before it, never itself or later ones.
            let (before, rest) = self.slots.split_at_mut(index);
            let view = View {
                latest: &self.latest,
                slots: &ty.slots,
                states: before,
                now_ms: step.now_ms,
                now_s,
                boot_ms: self.boot_ms,
            };
            slot.step(&mut rest[0], &view, step);
        }
    }

    /// Steps each detector; calls `changed` with each whose latch changed.
    pub(crate) fn step_detectors(&mut self, ty: &ApplianceType, step: Step, mut changed: impl FnMut(usize)) {
        let view = View {
            latest: &self.latest,
            slots: &ty.slots,
            states: &self.slots,
            now_ms: step.now_ms,
            now_s: whole_seconds(step.now_ms),
            boot_ms: self.boot_ms,
        };
        let mut drifts = self.drifts.iter_mut();
        for (index, (detector, state)) in ty.detectors.iter().zip(&mut self.detectors).enumerate() {
            let drift = if detector.drifts() { drifts.next() } else { None };
            if detector.step(state, drift, &view, step.dt_ms) {
                changed(index);
            }
        }
    }

    pub(crate) fn view<'a>(&'a self, ty: &'a ApplianceType) -> View<'a> {
        let now_ms = self.time.unwrap_or_default().ms();
        View {
            latest: &self.latest,
            slots: &ty.slots,
            states: &self.slots,
            now_ms,
            now_s: whole_seconds(now_ms),
            boot_ms: self.boot_ms,
        }
    }
}

/// A state as expressions see it.
pub(crate) struct View<'a> {
    latest: &'a [Latest],
    slots: &'a [Slot],
    states: &'a [SlotState],
    now_ms: i64,
    now_s: u32,
    boot_ms: i64,
}

impl Values for View<'_> {
    #[inline]
    fn datapoint(&self, index: usize) -> Option<f64> {
        let latest = self.latest.get(index)?;
        let fresh = latest.at_s <= self.now_s && self.now_s - latest.at_s <= STALE_S;
        fresh.then_some(latest.value)
    }

    fn slot(&self, index: usize) -> Option<(&Slot, &SlotState)> {
        Some((self.slots.get(index)?, self.states.get(index)?))
    }

    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn since_boot_ms(&self) -> i64 {
        self.now_ms.saturating_sub(self.boot_ms)
    }
}
