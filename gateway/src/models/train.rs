//! From what was gathered to a model, and how it does on devices it was not trained on.

use diagnosis::calibration::likelihood::Labelled;
use diagnosis::detection::fleet::{Alarm, Baseline, History, Monitor, Schema, Settings, Step, TrainError, Verdict};
use serde::{Deserialize, Serialize};

use super::data::{Cohort, Evidence, Witness};

/// One device in so many is kept out to judge the model.
const HOLD_OUT: usize = 4;

/// Fewest devices of a model and firmware that get a baseline of their own; with fewer, what all
/// devices of the type do says more.
const COHORT_DEVICES: usize = 8;

/// Rates at which false alarms are counted.
const NOMINAL: [f64; 2] = [1e-2, 1e-3];

/// What a model learnt.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learnt {
    /// For devices whose cohort has no baseline of its own.
    fleet: Baseline,
    /// For each model and firmware with enough devices.
    cohorts: Vec<OfCohort>,
    /// What confirmed work orders taught of its p-values.
    labels: Option<Labelled>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfCohort {
    model: String,
    firmware: String,
    baseline: Baseline,
}

/// How a model did where it was not trained.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Devices that it was not trained on.
    pub devices: usize,
    /// Their healthy days.
    pub device_days: usize,
    /// Healthy days that looked strange.
    pub false_alarms: Vec<FalseAlarms>,
    /// Confirmed work orders and what it made of the day before them.
    pub cases: Vec<Caught>,
}

/// False alarms at one rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FalseAlarms {
    /// The rate it promises, per device-day.
    pub nominal: f64,
    /// Healthy days with a p-value at or below it.
    pub days: usize,
}

/// What a model made of one confirmed fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caught {
    /// The confirmed cause.
    pub cause: String,
    /// The least p-value of a device-day before the order.
    pub p_value: f64,
    /// Hours from its alarm to the order; none if there was no alarm.
    pub lead_hours: Option<f64>,
}

impl Learnt {
    /// Trains on all witnesses, and tells how the same training on three quarters of the devices does on the rest.
    ///
    /// # Errors
    /// There is too little to learn from.
    pub fn train(evidence: &Evidence, training_set: &str) -> Result<(Self, Evaluation), TrainError> {
        let all: Vec<&Witness> = evidence.witnesses.iter().collect();
        let part = |out: bool| -> Vec<&Witness> {
            let places = all.iter().enumerate().filter(|(at, _)| (at % HOLD_OUT == HOLD_OUT - 1) == out);
            places.map(|(_, witness)| *witness).collect()
        };
        let (held_out, taught) = (part(true), part(false));
        let judge = Self::learn(evidence, &taught, training_set)?;
        let evaluation = judge.evaluate(&held_out, &all);
        let p_values: Vec<f64> = evaluation.cases.iter().map(|caught| caught.p_value).collect();
        let labels = (!p_values.is_empty()).then(|| Labelled::fit(&p_values));
        Ok((Self { labels, ..Self::learn(evidence, &all, training_set)? }, evaluation))
    }

    fn learn(evidence: &Evidence, witnesses: &[&Witness], training_set: &str) -> Result<Self, TrainError> {
        let settings = Settings::new(training_set, training_set);
        let spans = |of: &dyn Fn(&Cohort) -> bool| -> Vec<&History> {
            let chosen = witnesses.iter().filter(|witness| of(&witness.cohort));
            chosen.flat_map(|witness| &witness.spans).collect()
        };
        let fleet = Baseline::train(&evidence.schema, &spans(&|_| true), &settings)?;
        let mut names: Vec<&Cohort> = witnesses.iter().map(|witness| &witness.cohort).collect();
        names.sort();
        names.dedup();
        let devices = |cohort: &Cohort| witnesses.iter().filter(|witness| witness.cohort == *cohort).count();
        let several = names.len() > 1;
        names.retain(|cohort| several && devices(cohort) >= COHORT_DEVICES);
        let cohorts = names.into_iter().filter_map(|cohort| {
            // Too few days: the fleet's baseline speaks for it.
            let baseline = Baseline::train(&evidence.schema, &spans(&|of| of == cohort), &settings).ok()?;
            Some(OfCohort { model: cohort.model.clone(), firmware: cohort.firmware.clone(), baseline })
        });
        Ok(Self { fleet, cohorts: cohorts.collect(), labels: None })
    }

    /// The baseline for a device.
    pub fn baseline(&self, model: &str, firmware: &str) -> &Baseline {
        let own = self.cohorts.iter().find(|cohort| cohort.model == model && cohort.firmware == firmware);
        own.map_or(&self.fleet, |cohort| &cohort.baseline)
    }

    /// What it looks at.
    pub fn schema(&self) -> &Schema {
        self.fleet.schema()
    }

    /// What confirmed work orders taught.
    pub fn labels(&self) -> Option<&Labelled> {
        self.labels.as_ref()
    }

    /// Judges the healthy days of some devices, and the confirmed faults of others.
    pub fn evaluate(&self, healthy: &[&Witness], faulty: &[&Witness]) -> Evaluation {
        let mut p_values = Vec::new();
        for witness in healthy {
            let baseline = self.baseline(&witness.cohort.model, &witness.cohort.firmware);
            witness.spans.iter().for_each(|span| p_values.extend(days(baseline, span)));
        }
        let strange = |nominal: f64| p_values.iter().filter(|p| f64::from(**p) <= nominal).count();
        Evaluation {
            devices: healthy.len(),
            device_days: p_values.len(),
            false_alarms: NOMINAL.map(|nominal| FalseAlarms { nominal, days: strange(nominal) }).to_vec(),
            cases: faulty.iter().flat_map(|witness| self.caught(witness)).collect(),
        }
    }

    fn caught(&self, witness: &Witness) -> Vec<Caught> {
        let baseline = self.baseline(&witness.cohort.model, &witness.cohort.firmware);
        let each = witness.cases.iter().filter_map(|case| {
            let mut monitor = Monitor::new(baseline);
            live(baseline, &mut monitor, witness.spans.get(case.span)?, |_, _| ());
            let (mut least, mut alarm_ms, mut last_ms) = (1.0_f32, None, 0);
            live(baseline, &mut monitor, &case.rows, |time_ms, verdict| {
                least = least.min(verdict.p_unit);
                if verdict.alarm != Alarm::None {
                    alarm_ms.get_or_insert(time_ms);
                }
                last_ms = time_ms;
            });
            let hours = |ms: i64| (last_ms - ms) as f64 / 3.6e6;
            Some(Caught { cause: case.cause.clone(), p_value: least.into(), lead_hours: alarm_ms.map(hours) })
        });
        each.collect()
    }
}

/// P-values of a healthy span's days.
fn days(baseline: &Baseline, span: &History) -> Vec<f32> {
    let mut monitor = Monitor::new(baseline);
    let (mut finished, mut under_way) = (Vec::new(), None);
    live(baseline, &mut monitor, span, |_, verdict| {
        finished.extend(verdict.finished_unit);
        under_way = Some(verdict.p_unit);
    });
    finished.into_iter().chain(under_way).collect()
}

fn live(baseline: &Baseline, monitor: &mut Monitor, rows: &History, mut see: impl FnMut(i64, &Verdict)) {
    for row in rows.rows() {
        if let Ok(Step::Judged(verdict)) = monitor.step(baseline, &row) {
            see(row.time_ms, &verdict);
        }
    }
}
