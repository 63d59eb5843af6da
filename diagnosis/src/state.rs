//! What is remembered of one device.

use firmware_proto::{DeviceTime, MessageOrder, Value};
use serde::{Deserialize, Serialize};

use crate::appliance::ApplianceType;
use crate::detector::{DetectorState, Latch, Test};
use crate::expression::slot::Step;
use crate::expression::{Slot, SlotState, Values};

/// What is remembered of one device between two samples: bounded, and ready to be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceState {
    fingerprint: u64,
    order: Option<MessageOrder>,
    time: Option<DeviceTime>,
    boot_ms: i64,
    latest: Vec<Option<Latest>>,
    slots: Vec<SlotState>,
    pub(crate) detectors: Vec<DetectorState>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Latest {
    time_ms: i64,
    value: Value,
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
const STALE_MS: i64 = 600_000;

impl DeviceState {
    /// A device of which nothing is known yet.
    pub fn new(ty: &ApplianceType) -> Self {
        Self {
            fingerprint: ty.fingerprint,
            order: None,
            time: None,
            boot_ms: 0,
            latest: vec![None; ty.datapoints.len()],
            slots: ty.slots.iter().map(Slot::start).collect(),
            detectors: ty.detectors.iter().map(crate::detector::Detector::start).collect(),
        }
    }

    /// Whether this state was made with the datapoints and detectors of `ty`.
    pub fn fits(&self, ty: &ApplianceType) -> bool {
        self.fingerprint == ty.fingerprint
            && self.latest.len() == ty.datapoints.len()
            && self.slots.len() == ty.slots.len()
            && self.detectors.len() == ty.detectors.len()
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

    /// The last value of a datapoint, unless it is older than ten minutes against the newest sample.
    pub fn latest(&self, ty: &ApplianceType, datapoint: &str) -> Option<&Value> {
        fresh(&self.latest, ty.datapoint(datapoint)?, self.time?.ms())
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
            self.detectors[index] = detector.start();
            let slots = &mut self.slots;
            let mut restart = |slot: usize| slots[slot] = ty.slots[slot].start();
            match &detector.test {
                Test::Rule { violated, ok } => {
                    violated.slots(&mut restart);
                    ok.iter().for_each(|ok| ok.slots(&mut restart));
                }
                Test::Drift(drift) => drift.channel.parts(&mut |_| (), &mut restart),
            }
        }
    }

    /// Bytes in memory, texts left aside.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        use std::mem::size_of_val;
        let windows = self.slots.iter().map(|slot| match slot {
            SlotState::Window(window) => size_of_val(&**window),
            _ => 0,
        });
        let drifts = self.detectors.iter().filter_map(|d| d.drift.as_deref()).map(size_of_val);
        let flat = size_of_val(self) + size_of_val(&*self.latest) + size_of_val(&*self.slots);
        flat + size_of_val(&*self.detectors) + windows.sum::<usize>() + drifts.sum::<usize>()
    }

    /// When the oldest symptom that is present now began.
    pub(crate) fn trouble_since(&self) -> Option<DeviceTime> {
        self.present().map(|detector| detector.since_ms).min().map(DeviceTime)
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
        for (index, value) in readings {
            let (Some(datapoint), Some(place)) = (ty.datapoints.get(*index), self.latest.get_mut(*index)) else {
                continue;
            };
            if datapoint.check(value).is_err() {
                continue;
            }
            match (place, value) {
                (Some(Latest { time_ms: at, value: Value::Text(old) }), Value::Text(new)) => {
                    *at = time_ms;
                    old.clone_from(new);
                }
                (place, value) => *place = Some(Latest { time_ms, value: value.clone() }),
            }
        }
    }

    pub(crate) fn step_slots(&mut self, ty: &ApplianceType, step: Step) {
        for (index, slot) in ty.slots.iter().enumerate() {
            // A slot may read the slots before it, never itself or later ones.
            let (before, rest) = self.slots.split_at_mut(index);
            let view = View {
                latest: &self.latest,
                slots: &ty.slots,
                states: before,
                now_ms: step.now_ms,
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
            boot_ms: self.boot_ms,
        };
        for (index, (detector, state)) in ty.detectors.iter().zip(&mut self.detectors).enumerate() {
            if detector.step(state, &view, step.dt_ms) {
                changed(index);
            }
        }
    }

    pub(crate) fn view<'a>(&'a self, ty: &'a ApplianceType) -> View<'a> {
        View {
            latest: &self.latest,
            slots: &ty.slots,
            states: &self.slots,
            now_ms: self.time.unwrap_or_default().ms(),
            boot_ms: self.boot_ms,
        }
    }
}

fn fresh(latest: &[Option<Latest>], index: usize, now_ms: i64) -> Option<&Value> {
    let latest = latest.get(index)?.as_ref()?;
    let age_ms = now_ms.saturating_sub(latest.time_ms);
    (0..=STALE_MS).contains(&age_ms).then_some(&latest.value)
}

/// A state as expressions see it.
pub(crate) struct View<'a> {
    latest: &'a [Option<Latest>],
    slots: &'a [Slot],
    states: &'a [SlotState],
    now_ms: i64,
    boot_ms: i64,
}

impl Values for View<'_> {
    fn datapoint(&self, index: usize) -> Option<&Value> {
        fresh(self.latest, index, self.now_ms)
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
