//! What models learn from: each device's rows as the detectors saw them, and what was confirmed on site.
//!
//! A device's history is lived through once more, so that a model sees in training exactly what it
//! will see live. Rows from a day before a finding until its end are kept out of what counts as
//! healthy; those of the day before a work order whose cause was confirmed become a [`Case`].

use std::collections::BTreeMap;
use std::sync::Arc;

use diagnosis::detection::fleet::{History, Row, Schema};
use diagnosis::{ApplianceType, DeviceState, ModelSymptom, Sample, observe};
use firmware_proto::{DeviceId, Value};
use sha2::{Digest as _, Sha256};

use super::{ModelError, TrainingSet};
use crate::auth::hex;
use crate::history::{self, HistoryStore};
use crate::store::Store;

/// A fault shows before it is found: so much before a finding is not held to be healthy.
const LEAD_MS: i64 = DAY_MS;

const DAY_MS: i64 = 86_400_000;

/// Rows kept for one model at most, half a gigabyte; devices beyond it are left out, which the
/// training set tells.
const MOST_ROWS: usize = 8_000_000;

/// Devices that share a baseline: one model, one firmware.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cohort {
    /// The device's model.
    pub model: String,
    /// Its firmware as last reported.
    pub firmware: String,
}

/// What one device gives to one model.
#[derive(Debug)]
pub struct Witness {
    /// Which device.
    pub device: DeviceId,
    /// Its model and firmware.
    pub cohort: Cohort,
    /// Healthy rows; a new span after each trouble.
    pub spans: Vec<History>,
    /// What was confirmed on site.
    pub cases: Vec<Case>,
    days: BTreeMap<i64, usize>,
    left_out: BTreeMap<i64, usize>,
}

/// The day before a work order whose cause was confirmed.
#[derive(Debug)]
pub struct Case {
    /// Place of the span before it in [`Witness::spans`].
    pub span: usize,
    /// The confirmed cause.
    pub cause: String,
    /// Rows up to the order.
    pub rows: History,
}

/// What all devices of a type give to one model.
#[derive(Debug)]
pub struct Evidence {
    /// What it looks at.
    pub schema: Schema,
    /// Device by device.
    pub witnesses: Vec<Witness>,
    /// There were more devices than fit.
    pub truncated: bool,
}

/// From when to when trouble lasted, by the gateway's clock.
#[derive(Debug, Clone)]
struct Trouble {
    from_ms: i64,
    to_ms: i64,
    /// What was confirmed, if it was a work order.
    confirmed: Option<String>,
}

/// Where the data comes from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Devices, findings, work orders.
    pub store: &'a Store,
    /// Readings.
    pub history: &'a HistoryStore,
    /// Rows received in this span, epoch milliseconds.
    pub span_ms: (i64, i64),
}

/// Schema of a model of the catalogue.
pub fn schema(symptom: &ModelSymptom) -> Schema {
    Schema {
        channels: symptom.channels().map(str::to_owned).collect(),
        inputs: symptom.inputs().map(str::to_owned).collect(),
        modes: symptom.modes().map(str::to_owned).collect(),
    }
}

impl Source<'_> {
    /// Gathers what the devices of a type give to one of its models. `progress` is told how many of how many devices
    /// are done.
    ///
    /// # Errors
    /// The state directory cannot be read.
    pub async fn gather(
        &self,
        ty: &Arc<ApplianceType>,
        key: &str,
        symptom: &ModelSymptom,
        progress: impl Fn(usize, usize),
    ) -> Result<Evidence, ModelError> {
        let schema = schema(symptom);
        let devices = self.devices(&ty.key).await?;
        let (mut witnesses, mut rows) = (Vec::new(), 0);
        for (done, (device, cohort)) in devices.iter().enumerate() {
            progress(done, devices.len());
            if rows > MOST_ROWS {
                tracing::warn!(r#type = ty.key, model = key, devices = done, "more devices than can be learnt from");
                return Ok(Evidence { schema, witnesses, truncated: true });
            }
            let witness = self.witness(ty, symptom, &schema, device, cohort).await?;
            rows += witness.rows();
            witnesses.push(witness);
        }
        Ok(Evidence { schema, witnesses, truncated: false })
    }

    /// The type's devices in an order that has nothing to do with what they are.
    async fn devices(&self, r#type: &str) -> Result<Vec<(DeviceId, Cohort)>, ModelError> {
        let sql = "SELECT d.id, d.model, COALESCE(t.firmware, '') FROM device d LEFT JOIN twin t ON t.device = d.id \
                   WHERE d.type = $1";
        let rows: Vec<(String, String, String)> = sqlx::query_as(sql).bind(r#type).fetch_all(self.store.read()).await?;
        let mut devices: Vec<(DeviceId, Cohort)> = rows
            .into_iter()
            .filter_map(|(id, model, firmware)| Some((id.parse().ok()?, Cohort { model, firmware })))
            .collect();
        devices.sort_by_key(|(device, _)| Sha256::digest(device.as_str()));
        Ok(devices)
    }

    async fn troubles(&self, device: &DeviceId) -> Result<Vec<Trouble>, ModelError> {
        let sql = "SELECT opened_ms, closed_ms, NULL FROM finding WHERE device = $1 \
                   UNION ALL SELECT created_ms, closed_ms, confirmed FROM work_order WHERE device = $1";
        let rows: Vec<(i64, Option<i64>, Option<String>)> =
            sqlx::query_as(sql).bind(device.as_str()).fetch_all(self.store.read()).await?;
        let trouble = |(from_ms, to_ms, confirmed): (i64, Option<i64>, Option<String>)| Trouble {
            from_ms,
            to_ms: to_ms.unwrap_or(i64::MAX),
            confirmed,
        };
        Ok(rows.into_iter().map(trouble).collect())
    }

    async fn witness(
        &self,
        ty: &Arc<ApplianceType>,
        symptom: &ModelSymptom,
        schema: &Schema,
        device: &DeviceId,
        cohort: &Cohort,
    ) -> Result<Witness, ModelError> {
        let mut life = Life::new(ty, symptom, schema, self.troubles(device).await?, device, cohort);
        let (from, to) = self.span_ms;
        // By device time, which may differ from the receive time by a day at most.
        for day in (from - DAY_MS).div_euclid(DAY_MS)..=(to + DAY_MS).div_euclid(DAY_MS) {
            let (first, last) = (day * DAY_MS, (day + 1) * DAY_MS - 1);
            for row in self.history.rows(device, first, last, usize::MAX, None).await? {
                life.live(&row, (from..to).contains(&row.received.ms()));
            }
        }
        Ok(life.end())
    }
}

/// One device's history lived through once more.
struct Life<'a> {
    ty: &'a ApplianceType,
    symptom: &'a ModelSymptom,
    schema: &'a Schema,
    troubles: Vec<Trouble>,
    state: DeviceState,
    values: Vec<f64>,
    numbers: Vec<f32>,
    readings: Vec<(usize, Value)>,
    /// Rows of the day before each trouble with a confirmed cause.
    leads: Vec<History>,
    span: History,
    witness: Witness,
}

impl<'a> Life<'a> {
    fn new(
        ty: &'a ApplianceType,
        symptom: &'a ModelSymptom,
        schema: &'a Schema,
        troubles: Vec<Trouble>,
        device: &DeviceId,
        cohort: &Cohort,
    ) -> Self {
        let empty = || History::new(schema, device.as_str());
        Self {
            state: DeviceState::new(ty),
            values: vec![0.0; symptom.width()],
            numbers: Vec::with_capacity(symptom.width()),
            readings: Vec::new(),
            leads: troubles.iter().map(|_| empty()).collect(),
            span: empty(),
            witness: Witness {
                device: device.clone(),
                cohort: cohort.clone(),
                spans: Vec::new(),
                cases: Vec::new(),
                days: BTreeMap::new(),
                left_out: BTreeMap::new(),
            },
            ty,
            symptom,
            schema,
            troubles,
        }
    }

    fn live(&mut self, row: &history::Row, wanted: bool) {
        self.readings.clear();
        let known = row.readings.iter().filter_map(|(name, value)| Some((self.ty.datapoint(name)?, value.clone())));
        self.readings.extend(known);
        observe(self.ty, &mut self.state, &Sample { time: row.time, order: row.order, readings: &self.readings });
        let Some(mode) = self.symptom.read(self.ty, &self.state, &mut self.values) else { return };
        if !wanted {
            return;
        }
        self.numbers.clear();
        self.numbers.extend(self.values.iter().map(|value| *value as f32));
        let (channels, inputs) = self.numbers.split_at(self.schema.channels.len());
        let Ok(mode) = u8::try_from(mode) else { return };
        let seen = Row { time_ms: row.time.ms(), mode, inputs, channels };
        let at_ms = row.received.ms();
        let day = at_ms.div_euclid(DAY_MS);
        if self.troubles.iter().any(|t| (t.from_ms - LEAD_MS..=t.to_ms).contains(&at_ms)) {
            *self.witness.left_out.entry(day).or_default() += 1;
            for (trouble, lead) in self.troubles.iter().zip(&mut self.leads) {
                if (trouble.from_ms - LEAD_MS..=trouble.from_ms).contains(&at_ms) {
                    lead.push(&seen).expect("the row was made by this schema");
                }
            }
            self.end_span();
        } else {
            *self.witness.days.entry(day).or_default() += 1;
            self.span.push(&seen).expect("the row was made by this schema");
        }
    }

    /// A healthy span ends: after the trouble the device may be another.
    fn end_span(&mut self) {
        if !self.span.is_empty() {
            let next = History::new(self.schema, self.witness.device.as_str());
            self.witness.spans.push(std::mem::replace(&mut self.span, next));
        }
    }

    fn end(mut self) -> Witness {
        self.end_span();
        let confirmed = self.troubles.into_iter().zip(self.leads);
        for (trouble, rows) in confirmed.filter(|(_, rows)| !rows.is_empty()) {
            let Some(cause) = trouble.confirmed else { continue };
            let first = rows.rows().next().map_or(i64::MAX, |row| row.time_ms);
            let before = |span: &History| span.rows().next().is_some_and(|row| row.time_ms < first);
            let span = self.witness.spans.iter().take_while(|span| before(span)).count();
            // A case needs rows from before, or nobody knows how the device was in order.
            if let Some(span) = span.checked_sub(1) {
                self.witness.cases.push(Case { span, cause, rows });
            }
        }
        self.witness
    }
}

impl Witness {
    fn rows(&self) -> usize {
        let cases = self.cases.iter().map(|case| case.rows.len());
        self.spans.iter().map(History::len).chain(cases).sum()
    }

    /// Days with healthy rows.
    pub fn healthy_days(&self) -> usize {
        self.days.len()
    }
}

impl Evidence {
    /// Names the data: equal rows of equal devices on equal days have an equal name.
    pub fn training_set(&self, span_ms: (i64, i64)) -> TrainingSet {
        let mut hash = Sha256::new();
        for witness in &self.witnesses {
            hash.update(witness.device.as_str());
            for (day, rows) in &witness.days {
                hash.update([0]);
                hash.update(day.to_be_bytes());
                hash.update((*rows as u64).to_be_bytes());
            }
            hash.update([1]);
        }
        TrainingSet {
            id: hex(&hash.finalize()[..8]),
            devices: self.witnesses.iter().filter(|witness| !witness.spans.is_empty()).count(),
            device_days: self.witnesses.iter().map(Witness::healthy_days).sum(),
            rows: self.witnesses.iter().flat_map(|witness| &witness.spans).map(History::len).sum(),
            from_ms: span_ms.0,
            to_ms: span_ms.1,
            left_out_days: self.witnesses.iter().map(|witness| witness.left_out.len()).sum(),
            truncated: self.truncated,
        }
    }
}
